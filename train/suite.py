"""Behaviour tests as data: what a model must answer, must not change, must change."""

import glob
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from scipy.stats import binomtest

from models.base import Classifier
from models.errors import ConfigError
from models.settings import Settings
from train.config import read_yaml
from train.metrics import Estimate

Kind = Literal["must hold", "must not change", "must change"]


class Case(Settings):
    """One test: a text and its label, or several texts whose labels stand in a relation."""

    text: str | None = None
    """The sentence; ``{names}`` in it are filled from ``fill``."""
    fill: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Words to put in, by name; every combination makes a text."""
    texts: tuple[str, ...] = ()
    """The sentences, where they are written out."""
    label: str | None = None
    """Of all texts."""
    labels: tuple[str, ...] = ()
    """Of each text, where they must differ."""

    @model_validator(mode="after")
    def _says_what_to_ask(self) -> Self:
        if (self.text is None) == (not self.texts):
            raise ValueError("give either text or texts")
        if self.text is not None:
            try:
                self.sentences()
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(f"text names something that fill does not have: {error}") from None
        if self.labels and len(self.labels) != len(self.sentences()):
            raise ValueError("labels must be as many as texts")
        return self

    def sentences(self) -> list[str]:
        """Every text of the case."""
        if self.text is None:
            return list(self.texts)
        names = list(self.fill)
        return [
            self.text.format(**dict(zip(names, words, strict=True)))
            for words in itertools.product(*self.fill.values())
        ]


class Capability(Settings):
    """Something that a model can be expected to do, with its cases."""

    capability: str = Field(min_length=1)
    """Its name in reports and in MLflow."""
    kind: Kind
    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _cases_fit_the_kind(self) -> Self:
        for number, case in enumerate(self.cases, start=1):
            texts = len(case.sentences())
            if self.kind == "must hold" and case.label is None:
                raise ValueError(f"case {number} must have a label, for it must hold")
            if self.kind == "must not change" and texts < 2:
                raise ValueError(f"case {number} must have two texts or more that agree")
            if self.kind == "must change" and len(set(case.labels)) < 2:
                raise ValueError(f"case {number} must have labels that differ")
        return self


@dataclass(frozen=True)
class Failure:
    """A case that a model did not pass."""

    capability: str
    kind: Kind
    texts: tuple[str, ...]
    expected: tuple[str, ...]
    """Label of each text; empty where only agreement was asked for."""
    answers: tuple[str, ...]
    """Label given to each text."""


@dataclass(frozen=True)
class CapabilityReport:
    """How often a model failed one capability."""

    capability: str
    kind: Kind
    cases: int
    failures: int
    rate: Estimate
    """Failed share, with Wilson's 95 % interval."""


@dataclass(frozen=True)
class SuiteReport:
    """How a model did on a suite."""

    capabilities: tuple[CapabilityReport, ...]
    total: CapabilityReport
    """All cases together."""
    failures: tuple[Failure, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return {
            "failure_rate": vars(self.total.rate),
            "cases": self.total.cases,
            "capabilities": [
                {**vars(report), "rate": vars(report.rate)} for report in self.capabilities
            ],
            "failures": [vars(failure) for failure in self.failures],
        }


def read(patterns: Sequence[str], labels: Sequence[str]) -> list[Capability]:
    """Return the capabilities in YAML files, all of whose labels must be among ``labels``.

    patterns: files or globs

    Raises ConfigError that names the file and the capability.
    """
    found: list[Capability] = []
    for path in _files(patterns):
        for number, content in enumerate(_list_in(path), start=1):
            name = content.get("capability", number) if isinstance(content, dict) else number
            try:
                capability = Capability.model_validate(content)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                at = ".".join(map(str, first["loc"]))
                message = first["msg"].removeprefix("Value error, ")
                raise ConfigError(f'{path}, capability "{name}", {at}: {message}') from error
            _require_labels(path, capability, labels)
            found.append(capability)
    return found


def run(model: Classifier, capabilities: Sequence[Capability]) -> SuiteReport:
    """Ask ``model`` every text of ``capabilities`` and return what it failed."""
    texts = [t for c in capabilities for case in c.cases for t in case.sentences()]
    columns = iter(model.predict_proba(texts).argmax(axis=1).tolist())
    reports, failures = [], []
    for capability in capabilities:
        failed = []
        for case in capability.cases:
            sentences = case.sentences()
            answers = tuple(model.labels[next(columns)] for _ in sentences)
            expected = case.labels or ((case.label,) * len(sentences) if case.label else ())
            if not _passes(capability.kind, expected, answers):
                failed.append(
                    Failure(
                        capability.capability,
                        capability.kind,
                        tuple(sentences),
                        expected,
                        answers,
                    )
                )
        reports.append(
            _rated(capability.capability, capability.kind, len(capability.cases), len(failed))
        )
        failures += failed
    total = _rated("all", "must hold", sum(r.cases for r in reports), len(failures))
    return SuiteReport(tuple(reports), total, tuple(failures))


def _passes(kind: Kind, expected: Sequence[str], answers: Sequence[str]) -> bool:
    if kind == "must not change":  # a wrong answer to all of them is not what is tested
        return len(set(answers)) == 1
    return tuple(expected) == tuple(answers)


def _rated(name: str, kind: Kind, cases: int, failures: int) -> CapabilityReport:
    interval = binomtest(failures, cases).proportion_ci(method="wilson")
    rate = Estimate(failures / cases, float(interval.low), float(interval.high))
    return CapabilityReport(name, kind, cases, failures, rate)


def _files(patterns: Sequence[str]) -> list[Path]:
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, recursive=True)) or [pattern]  # noqa: PTH207
        paths.update(dict.fromkeys(map(Path, matches)))
    return list(paths)


def _list_in(path: Path) -> list[Any]:
    content = read_yaml(path, "suite")
    if not isinstance(content, list) or not content:
        raise ConfigError(f"{path}: a suite is a list of capabilities (- capability: …)")
    return content


def _require_labels(path: Path, capability: Capability, labels: Sequence[str]) -> None:
    used = {label for case in capability.cases for label in (case.label, *case.labels) if label}
    unknown = sorted(used - set(labels))
    if unknown:
        raise ConfigError(
            f'{path}, capability "{capability.capability}": the model has no label '
            f'"{unknown[0]}", only {", ".join(labels)}'
        )
