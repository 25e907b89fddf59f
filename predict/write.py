"""Predictions → a file that appears whole or not at all."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TextIO

from models.errors import DataError
from predict.articles import Rejected
from predict.label import Prediction

DECIMALS = 6
"""Digits kept of a probability; a float32 near 1 carries no more than seven."""


class Writer(Protocol):
    """Something that takes predictions one by one."""

    def write(self, prediction: Prediction) -> None:
        """Add ``prediction`` to the file."""
        ...


def columns(labels: tuple[str, ...]) -> list[str]:
    """Return the names of the columns in their order."""
    names = ["article_id", "position", "start", "end", "text", "label", "confidence"]
    return names + [f"p_{label}" for label in labels]


def rows(prediction: Prediction, labels: tuple[str, ...]) -> dict[str, object]:
    """Return ``prediction`` by column, with probabilities rounded to DECIMALS."""
    sentence = prediction.sentence
    values = [
        sentence.article_id,
        sentence.position,
        sentence.start,
        sentence.end,
        sentence.text,
        prediction.label,
        round(prediction.confidence, DECIMALS),
        *(round(probability, DECIMALS) for probability in prediction.probabilities),
    ]
    return dict(zip(columns(labels), values, strict=True))


class CsvWriter:
    """Writes a header, which is there even without predictions, then a row a prediction."""

    def __init__(self, file: TextIO, labels: tuple[str, ...]) -> None:
        self._labels = labels
        # Every text is quoted: Python 3.11 leaves a lone "\r" bare, and readers end the row there.
        self._csv = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._csv.writerow(columns(labels))

    def write(self, prediction: Prediction) -> None:
        self._csv.writerow(map(_decimal, rows(prediction, self._labels).values()))


class JsonlWriter:
    """Writes one JSON object a line."""

    def __init__(self, file: TextIO, labels: tuple[str, ...]) -> None:
        self._file = file
        self._labels = labels

    def write(self, prediction: Prediction) -> None:
        self._file.write(_json_line(rows(prediction, self._labels)))


WRITERS: dict[str, Callable[[TextIO, tuple[str, ...]], Writer]] = {
    ".csv": CsvWriter,
    ".jsonl": JsonlWriter,
}


def open_writer(path: Path, labels: tuple[str, ...]) -> AbstractContextManager[Writer]:
    """Return a context that gives a writer and puts the finished file at ``path`` on leaving.

    When the block raises, nothing is left behind and an older file at ``path`` stays as it was.

    Raises DataError at once when the suffix is unknown or no file can lie at ``path``.
    """
    check_target(path)
    return _writer(path, labels)


def check_target(path: Path) -> None:
    """Make sure, before long work begins, that its result can be written to ``path``.

    Raises DataError when the suffix is unknown or no file can lie at ``path``.
    """
    if path.suffix.lower() not in WRITERS:
        raise DataError(
            f'{path}: files of the kind "{path.suffix}" cannot be written, '
            f"only these: {', '.join(sorted(WRITERS))}"
        )
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file to write to")
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"{path}: there is no permission to write in {path.parent}")


def rejected_path(out: Path) -> Path:
    """Where the records that could not be labelled for ``out`` are written."""
    return out.with_name(f"{out.name}.rejected.jsonl")


@contextmanager
def open_rejected(out: Path) -> Iterator[Callable[[Rejected], None]]:
    """Give a function that writes what was rejected to ``rejected_path(out)``.

    With nothing rejected there is no file, and one of an earlier run is removed, so that it is
    never taken for this run's.
    """
    path, count = rejected_path(out), 0
    with _whole_file(path) as file:

        def write(record: Rejected) -> None:
            nonlocal count
            count += 1
            file.write(_json_line(asdict(record)))

        yield write
    if not count:
        path.unlink()


@contextmanager
def _writer(path: Path, labels: tuple[str, ...]) -> Iterator[Writer]:
    with _whole_file(path) as file:
        yield WRITERS[path.suffix.lower()](file, labels)


@contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """Give a draft to write to, which takes the place of ``path`` unless the block raises."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` survive a power cut; the file's own fsync does not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json_line(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _decimal(value: object) -> object:
    """Return a probability as a number that csv writes as 0.000012, not as 1.2e-05."""
    return Decimal(f"{value:.{DECIMALS}f}") if isinstance(value, float) else value
