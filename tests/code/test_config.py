"""A config is read strictly, and each mistake gets one line that says where and what."""

from pathlib import Path

import pytest
import yaml

from models.errors import ConfigError
from models.settings import TransformerSettings
from train import config

MINIMAL = """
name: run
data: {files: [rows.jsonl]}
model: {family: transformer}
"""


def load(tmp_path: Path, text: str, *overrides: str) -> config.RunConfig:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, overrides)


def refusal(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_of_the_project_loads(path: Path) -> None:
    assert config.load(path).name == path.stem


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_opens_with_the_command_that_runs_it(path: Path) -> None:
    comment = path.read_text().split("\nname:")[0]
    assert f"sitrep train configs/{path.name}" in comment or f" configs/{path.name}" in comment


@pytest.mark.parametrize("written", ["2e-5", "2.0e-5", "2E-5", "0.00002", "+2e-05"])
def test_every_way_to_write_a_learning_rate_arrives_as_a_number(
    tmp_path: Path, written: str
) -> None:
    loaded = load(
        tmp_path, MINIMAL.replace("transformer}", f"transformer, learning_rate: {written}}}")
    )
    assert isinstance(loaded.model, TransformerSettings)
    assert loaded.model.learning_rate == 2e-5


def test_an_integer_stays_an_integer(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL + "seed: 7\n").seed == 7


def test_what_show_prints_loads_back_to_the_same_config(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL)
    assert load(tmp_path, config.dump(loaded)) == loaded


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, MINIMAL).seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=7", ("seed",), 7),
        ("model.learning_rate=2e-5", ("model", "learning_rate"), 2e-5),
        ("model.class_weight=balanced", ("model", "class_weight"), "balanced"),
        ("model.patience=null", ("model", "patience"), None),
        ("data.files=[a.csv, b.csv]", ("data", "files"), ("a.csv", "b.csv")),
        ("split.test=0.3", ("split", "test"), 0.3),
        ("name=a=b".replace("a=b", "ab"), ("name",), "ab"),
    ],
)
def test_set_changes_one_setting(
    tmp_path: Path, override: str, path: tuple[str, ...], value: object
) -> None:
    found: object = load(tmp_path, MINIMAL, override)
    for key in path:
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL + "sede: 3\n", 'key "sede": there is no such key. Did you mean "seed"?'),
        (
            MINIMAL.replace("transformer}", "transformer, learnig_rate: 1e-4}"),
            'key "model.learnig_rate": there is no such key. Did you mean "model.learning_rate"?',
        ),
        (MINIMAL.replace("files:", "flies:"), 'Did you mean "data.files"?'),
        (
            MINIMAL.replace("jsonl]", "jsonl], columns: {lable: y}"),
            'Did you mean "data.columns.label"?',
        ),
        (MINIMAL + "split: {valid: 0}\n", "must be above 0"),
        (MINIMAL + "split: {valid: 0.5, test: 0.5}\n", "leave 20 %"),
        (MINIMAL + "seed: twelve\n", 'key "seed": input should be a valid integer, found "twelve"'),
        (MINIMAL + "seed: '12'\n", 'found "12"'),
        (MINIMAL.replace("transformer", "bert"), 'must be tfidf or transformer, found "bert"'),
        (MINIMAL.replace("family: transformer", ""), "model.family"),
        (MINIMAL.replace("transformer}", "transformer, epochs: 0}"), 'key "model.epochs"'),
        (MINIMAL.replace("transformer}", "transformer, dropout: .nan}"), 'key "model.dropout"'),
        (MINIMAL.replace("transformer}", "tfidf, words: null}"), "are both null"),
        (
            MINIMAL.replace("transformer}", "tfidf, words: {ngram_range: [2, 1]}}"),
            "write the shorter first",
        ),
        (MINIMAL.replace("[rows.jsonl]", "[]"), "give either files or hub"),
        (MINIMAL.replace("name: run", "name: a/b"), 'key "name"'),
        ("name: run\nmodel: {family: tfidf}\n", 'key "data" is missing'),
        (MINIMAL + "seed: 1\nseed: 2\n", 'key "seed" stands twice'),
        (MINIMAL + "seed: [1\n", "line"),
        ("just words", "a config is a mapping"),
        ("", "a config is a mapping"),
        (MINIMAL + "1: 2\n", "key 1 is not text"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line_with_file_and_key(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = refusal(tmp_path, text)
    assert "run.yaml" in message
    assert expected in message


@pytest.mark.parametrize("override", ["seed", "=3", "model..epochs=3", "seed=[1", "name.x=3"])
def test_a_malformed_override_is_quoted(tmp_path: Path, override: str) -> None:
    assert f"--set {override}" in refusal(tmp_path, MINIMAL, override)


def test_a_missing_file_names_the_nearest_config() -> None:
    with pytest.raises(ConfigError, match=r'Did you mean "configs/minilm\.yaml"'):
        config.load(Path("configs/minlm.yaml"))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(tmp_path / "run.yaml")


def test_the_schema_knows_and_explains_every_key() -> None:
    schema = config.schema()
    settings = schema["$defs"]["TransformerSettings"]
    assert settings["additionalProperties"] is False
    assert set(settings["properties"]) == set(TransformerSettings.model_fields)
    assert all("description" in s for name, s in settings["properties"].items() if name != "family")


def test_the_yaml_reader_runs_no_code(tmp_path: Path) -> None:
    assert "line" in refusal(tmp_path, "name: !!python/object/apply:os.getcwd []\n")
    assert yaml.safe_load(config.dump(load(tmp_path, MINIMAL)))["name"] == "run"
