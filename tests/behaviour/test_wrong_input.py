"""Everything a user can get wrong gets one line that says what to do, and exit code 2."""

import json
from pathlib import Path

import pytest
from command import sitrep
from samples import labelled, write_jsonl

CONFIG = "name: run\ndata: {files: [rows.jsonl]}\nmodel: {family: tfidf}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "rows.jsonl", labelled(10))
    (tmp_path / "run.yaml").write_text(CONFIG)
    (tmp_path / "typo.yaml").write_text(CONFIG + "sede: 3\n")
    (tmp_path / "story.txt").write_text("Troops left.")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "empty").mkdir()
    bad = labelled(10)
    bad[4]["label"] = "millitary_event"
    write_jsonl(tmp_path / "bad.jsonl", bad)
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train nothere.yaml", "nothere.yaml: there is no such config file"),
        ("train typo.yaml", 'key "sede": there is no such key. Did you mean "seed"?'),
        ("train run.yaml --set model.C=-1", 'key "model.C": input should be greater than 0'),
        ("train run.yaml --set seed", "expected key.path=value"),
        ("train run.yaml --set data.files=[other.jsonl]", "other.jsonl: no labelled file there"),
        (
            "train run.yaml --set data.files=[bad.jsonl] "
            "--set data.labels=[advisory,background,diplomatic_statement,military_event]",
            'bad.jsonl, line 5: label "millitary_event" is not one of',
        ),
        ("train run.yaml --set data.columns.text=body", 'column "body" is missing'),
        ("train run.yaml --set model.words=null", "words and characters are both null"),
        ("train run.yaml --set split.test=0.9", "leave 20 %"),
        (
            "train run.yaml --set model={family:\u00a0transformer}",
            "model",
        ),
        (
            "train run.yaml --set model.family=transformer --set model.encoder=./nowhere",
            'there is no folder "./nowhere"',
        ),
        ("train", "Missing argument"),
        ("train run.yaml --epochs 3", "No such option"),
        ("fly", "No such command"),
        ("predict story.txt", "no model is trained yet"),
        ("predict nothere.txt --model m", "nothere.txt: there is no such file or folder"),
        ("predict photo.jpg --model m", 'files of the kind ".jpg" cannot be read'),
        ("predict empty --model m", "the folder holds no file of a kind that can be read"),
        ("predict story.txt --model ./nowhere", 'there is no model folder "./nowhere"'),
        ("predict story.txt --model models:/other/1", 'no model at "models:/other/1"'),
        ("predict story.txt --model empty", "empty is not a model"),
        ("predict story.txt --model model.pkl", "model.pkl"),
        ("predict story.txt -o labels.docx --model m", '".docx" cannot be written'),
        ("predict story.txt -o nowhere/labels.csv --model m", "there is no folder nowhere"),
        ("evaluate rows.jsonl", "no model is trained yet"),
        ("evaluate nothere.jsonl --model empty", "empty is not a model"),
        ("compare m --data rows.jsonl", "name two models or more"),
        ("config show typo.yaml", 'Did you mean "seed"?'),
    ],
)  # fmt: skip
def test_wrong_input_gets_one_line_and_code_2(folder: Path, words: str, message: str) -> None:
    done = sitrep(folder, *words.split(" "))
    assert done.code == 2, done.err
    assert message in done.last_line
    assert done.last_line.startswith("sitrep: ")
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    "words",
    [
        "typo.yaml",
        "run.yaml --set model.family=transformer --set model.encoder=./nowhere",
    ],
)
def test_a_wrong_config_leaves_no_trace_in_mlflow(folder: Path, words: str) -> None:
    assert sitrep(folder, "train", *words.split()).code == 2
    assert not (folder / "mlflow.db").exists()


def test_check_lists_every_problem_and_what_is_there(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    rows[7]["text"] = ""
    rows.append({**rows[0], "article_id": "other", "text": rows[0]["text"] + "!"})
    write_jsonl(folder / "bad.jsonl", rows)
    labels = "advisory,background,diplomatic_statement,military_event"
    done = sitrep(folder, "check", "bad.jsonl", "--labels", labels)
    assert done.code == 2
    problems = done.out.splitlines()
    assert problems[0].startswith('bad.jsonl, line 5: label "millitary_event"')
    assert problems[1] == 'bad.jsonl, line 8: column "text" is empty'
    assert problems[2] == "bad.jsonl:41: nearly the same text as bad.jsonl:1"
    assert "39 usable sentences" in done.err
    assert "Words in a sentence: 12 at the middle" in done.err


def test_check_of_good_rows_ends_with_code_0(folder: Path) -> None:
    done = sitrep(folder, "check", "rows.jsonl")
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "train",
        "predict",
        "evaluate",
        "compare",
        "check",
        "config",
        "config show",
        "config schema",
        "ui",
    ],
)
def test_help_teaches_with_an_example(tmp_path: Path, words: str) -> None:
    done = sitrep(tmp_path, *words.split(), "--help")
    assert done.code == 0
    assert "Usage: " in done.out
    assert "Example: sitrep " in done.out or words in ("", "config", "review")


def test_show_prints_what_train_reads(folder: Path) -> None:
    shown = sitrep(folder, "config", "show", "run.yaml", "--set", "seed=9")
    assert "seed: 9" in shown.out
    (folder / "again.yaml").write_text(shown.out)
    assert sitrep(folder, "config", "show", "again.yaml").out == shown.out


def test_schema_is_json(tmp_path: Path) -> None:
    schema = json.loads(sitrep(tmp_path, "config", "schema").out)
    assert schema["properties"]["seed"]["description"].startswith("Of everything random")


def test_check_lists_labels_that_a_model_doubts(folder: Path, tmp_path: Path) -> None:
    rows = labelled(40)
    rows[0]["label"] = "military_event"  # an advisory
    write_jsonl(tmp_path / "rows.jsonl", rows)
    done = sitrep(tmp_path, "check", "rows.jsonl", "--model-based", "-o", "suspects.jsonl")
    assert (done.code, done.out) == (0, ""), done.err
    first = json.loads((tmp_path / "suspects.jsonl").read_text().splitlines()[0])
    assert (first["place"], first["suggested"]) == ("rows.jsonl:1", "advisory")
    assert "military_event, or advisory?" in done.err
