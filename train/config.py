"""One YAML file, plus ``--set`` overrides, becomes one frozen and checked RunConfig."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from models.errors import ConfigError
from models.settings import ModelSettings, Settings, Share, TfidfSettings, TransformerSettings


class Columns(Settings):
    """The name that each column has in the user's data."""

    text: str = "text"
    """The sentence."""
    label: str = "label"
    """Its label."""
    article_id: str | None = "article_id"
    """What sentences of one article share; null when the data has no articles."""
    position: str | None = "position"
    """Place of the sentence in its article; optional in the data."""
    source: str | None = "source"
    """Publisher; optional in the data."""
    register_: str | None = Field("register", alias="register")
    """Kind of text, for example wire_news; optional in the data."""
    date: str | None = "date"
    """Date of publication; optional in the data."""
    votes: str | None = "votes"
    """A list of what each labeller said; optional in the data."""
    keep: tuple[str, ...] = ()
    """Further columns to slice results by."""


class HubData(Settings):
    """A dataset of the Hugging Face hub, or a folder laid out like one."""

    name: str = Field(min_length=1)
    """Hub id or folder."""
    config: str | None = None
    """Which of its configurations; null when it has one."""
    split: str = "train"
    """Which of its splits holds the rows."""
    revision: str | None = None
    """Commit; null takes the newest."""


class DataSettings(Settings):
    """Which labelled rows to read, and how."""

    files: tuple[str, ...] = ()
    """Files or globs (.jsonl, .csv, .tsv, .parquet), relative to the current folder."""
    hub: HubData | None = None
    """A hub dataset instead of files."""
    valid_files: tuple[str, ...] = ()
    """A valid set of one's own; empty takes a share of the rows."""
    test_files: tuple[str, ...] = ()
    """A test set of one's own; empty takes a share of the rows."""
    columns: Columns = Columns()
    labels: tuple[str, ...] | None = None
    """All permitted labels; null permits those found."""
    encoding: str = "utf-8"
    """Of JSONL, CSV and TSV files; read strictly."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.files) == (self.hub is not None):
            raise ValueError("give either files or hub")
        if self.labels is not None and len(set(self.labels)) < 2:
            raise ValueError("labels lists fewer than two labels")
        return self


class SplitSettings(Settings):
    """How rows become train, valid and test."""

    valid: Share = 0.15
    """Share of the rows to choose the epoch and the temperature on."""
    test: Share = 0.15
    """Share of the rows to judge on."""
    seed: int = 13
    """Changes which articles go where; apart from the run's seed, so that seeds share a split."""
    near_duplicate: float = Field(0.8, gt=0.0, le=1.0)
    """Texts with at least this Jaccard similarity of character 5-grams stay on one side."""
    rare_labels: Literal["error", "keep-in-train", "drop"] = "error"
    """What becomes of a label that does not reach every split: the run stops, the label is learnt
    but not judged, or its rows are left out."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        if self.valid <= 0.0 or self.test <= 0.0:
            raise ValueError("valid and test must be above 0: nothing can be judged without rows")
        if self.valid + self.test > 0.8:
            raise ValueError(f"valid and test take {self.valid + self.test:.0%}; leave 20 %")
        return self


class EvaluationSettings(Settings):
    """How a model is judged."""

    draws: int = Field(2000, ge=100, le=100_000)
    """Bootstrap draws over articles behind each 95 % interval, and swaps in each paired test."""
    seed: int = 7
    """Of these draws."""
    bins: int = Field(15, ge=2, le=100)
    """Confidence bins of the calibration error."""
    suite: tuple[str, ...] = ()
    """Behaviour tests to run as well: YAML files or globs, relative to the current folder."""


class RunConfig(Settings):
    """Everything that decides what one run does."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Shown in MLflow and in the tables; letters, digits, dot, dash and underscore."""
    seed: int = Field(13, ge=0, lt=2**32)
    """Of everything random in training."""
    data: DataSettings
    split: SplitSettings = SplitSettings()
    model: ModelSettings
    evaluation: EvaluationSettings = EvaluationSettings()


def load(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the checked config in the YAML file ``path``, with ``overrides`` put in.

    overrides: ``key.path=value`` each, the value read as YAML: ``model.epochs=2``

    Raises ConfigError with file, key path, what was found and the nearest right key.
    """
    content = read_yaml(path, "config file")
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a config is a mapping such as `name: minilm`")
    for override in overrides:
        _put_in(content, override)
    try:
        # By way of JSON, where strict means what a YAML author means: 3 is a float where a float
        # is wanted, "3" is not, and a list is a tuple.
        return RunConfig.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{path}, {_explain(error, content)}") from error


def dump(config: RunConfig) -> str:
    """Return ``config`` with every default filled in, as YAML that ``load`` reads back."""
    content = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a config file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RunConfig.model_json_schema(by_alias=True),
    }


class _Loader(yaml.SafeLoader):
    """YAML in which 2e-5 is a number and a key may stand once only."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is not text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key "{key}" stands twice', key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    # YAML 1.2's float; PyYAML follows 1.1, which takes 2e-5 for text.
    re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$"),
    list("-+0123456789."),
)
# The integers must be tried first, for the pattern above matches them too.
for _first in "-+0123456789":
    _resolvers = _Loader.yaml_implicit_resolvers[_first]
    _resolvers.sort(key=lambda resolver: resolver[0] != "tag:yaml.org,2002:int")


def read_yaml(path: Path, kind: str) -> Any:
    """Return what the YAML file ``path`` holds; numbers as YAML 1.2 has them, no key twice.

    kind: what the file is called in errors

    Raises ConfigError with file and line.
    """
    try:
        return yaml.load(path.read_bytes().decode("utf-8-sig"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such {kind}{_did_you_mean_file(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a UTF-8 {kind}: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{line}: {getattr(error, 'problem', error)}") from error


def _put_in(content: dict[str, Any], override: str) -> None:
    key_path, equals, value = override.partition("=")
    if not equals or not all(key_path.split(".")):
        raise ConfigError(f'--set {override}: expected key.path=value, such as "model.epochs=2"')
    *parents, last = key_path.split(".")
    at = content
    for parent in parents:
        child = at.setdefault(parent, {})
        if not isinstance(child, dict):
            if child is not None:
                raise ConfigError(f"--set {override}: {parent} is a value, it has no keys")
            child = at[parent] = {}
        at = child
    try:
        at[last] = yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f'--set {override}: "{value}" is not valid YAML') from error


def _explain(error: ValidationError, content: dict[str, Any]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    path = [str(part) for part in first["loc"] if part not in ("tfidf", "transformer")]
    key = ".".join(path) or "the file"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f'key "{key}": there is no such key{_nearest_key(path, content)}{more}'
    if first["type"] == "missing":
        return f'key "{key}" is missing{more}'
    if first["type"].startswith("union_tag"):
        found = content.get("model", {})
        family = found.get("family") if isinstance(found, dict) else found
        return f'key "{key}.family" must be tfidf or transformer, found {_shown(family)}{more}'
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f'key "{key}": {message}{more}'
    return f'key "{key}": {message[0].lower()}{message[1:]}, found {_shown(first["input"])}{more}'


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest_key(path: Sequence[str], content: dict[str, Any]) -> str:
    known = _keys_at(path[:-1], content)
    close = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    if close:
        return f'. Did you mean "{".".join([*path[:-1], close[0]])}"?'
    return f"; known here: {', '.join(known)}"


def _keys_at(path: Sequence[str], content: dict[str, Any]) -> list[str]:
    """The keys permitted at ``path``, found by walking the settings classes."""
    at: Any = RunConfig
    for key in path:
        if key == "model":
            families = {"tfidf": TfidfSettings, "transformer": TransformerSettings}
            at = families[content["model"]["family"]]
            continue
        annotation = next(f.annotation for n, f in at.model_fields.items() if key in (n, f.alias))
        choices = [annotation, *getattr(annotation, "__args__", ())]
        at = next(c for c in choices if isinstance(c, type) and issubclass(c, BaseModel))
    return [field.alias or name for name, field in at.model_fields.items()]


def _did_you_mean_file(path: Path) -> str:
    candidates = sorted(str(p) for p in Path("configs").glob("*.yaml"))
    close = difflib.get_close_matches(str(path), candidates, n=1)
    return f'. Did you mean "{close[0]}"?' if close else ""


def require_same_rows(configs: Sequence[RunConfig]) -> None:
    """Raise ConfigError unless all configs name the same rows, split and evaluation."""
    first = configs[0]
    for other in configs[1:]:
        if other.name == first.name:
            raise ConfigError(f'two configs are named "{other.name}": give each a name of its own')
        for part in ("data", "split", "evaluation"):
            if getattr(first, part) != getattr(other, part):
                raise ConfigError(
                    f"{first.name} and {other.name} differ in {part}: only models judged on the "
                    "same rows can be compared; train them in two commands"
                )
