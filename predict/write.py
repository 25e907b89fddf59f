"""Predictions → a file that appears whole or not at all."""

import csv
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO, TypeVar

from models.errors import DataError, SitrepError, TooManyRejectedError
from predict.label import Prediction
from predict.records import Rejected

DECIMALS = 6
"""Digits kept of a probability; a float32 near 1 carries no more than seven."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""With which a cell begins that a spreadsheet takes for a formula."""
ROWS_PER_GROUP = 8_192
"""Predictions in a row group of a Parquet file, the most that are held in memory."""


@dataclass(frozen=True)
class Layout:
    """What a row of the result has.

    labels:          of the model, in the order of its probabilities
    min_confidence:  rows below it are marked in a column of their own; None: no such column
    """

    labels: tuple[str, ...]
    min_confidence: float | None = None

    def columns(self) -> list[str]:
        """Return the names of the columns in their order."""
        names = ["article_id", "position", "start", "end", "text", "label", "confidence"]
        names += [f"p_{label}" for label in self.labels]
        return names if self.min_confidence is None else [*names, "low_confidence"]

    def row(self, prediction: Prediction) -> dict[str, object]:
        """Return ``prediction`` by column, with probabilities rounded to DECIMALS."""
        sentence = prediction.sentence
        values: list[object] = [
            sentence.article_id,
            sentence.position,
            sentence.start,
            sentence.end,
            sentence.text,
            prediction.label,
            round(prediction.confidence, DECIMALS),
            *(round(probability, DECIMALS) for probability in prediction.probabilities),
        ]
        if self.min_confidence is not None:
            values.append(prediction.confidence < self.min_confidence)
        return dict(zip(self.columns(), values, strict=True))


class Writer(Protocol):
    """Something that takes predictions one by one."""

    def write(self, prediction: Prediction) -> None:
        """Add ``prediction`` to the file."""
        ...


class CsvWriter:
    """Writes a header, which is there even without predictions, then a row a prediction."""

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._layout = layout
        # Every text is quoted: Python 3.11 leaves a lone "\r" bare, and readers end the row there.
        self._csv = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._csv.writerow(layout.columns())

    def write(self, prediction: Prediction) -> None:
        self._csv.writerow(map(cell, self._layout.row(prediction).values()))


class JsonlWriter:
    """Writes one JSON object a line."""

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._file = file
        self._layout = layout

    def write(self, prediction: Prediction) -> None:
        self._file.write(_json_line(self._layout.row(prediction)))


class ParquetWriter:
    """Writes row groups of ROWS_PER_GROUP predictions; ``close`` writes the last one."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        import pyarrow
        import pyarrow.parquet

        kinds = {"position": pyarrow.int32(), "start": pyarrow.int64(), "end": pyarrow.int64()}
        kinds |= {name: pyarrow.string() for name in ("article_id", "text", "label")}
        kinds |= {"low_confidence": pyarrow.bool_()}
        self._schema = pyarrow.schema(
            [(name, kinds.get(name, pyarrow.float32())) for name in layout.columns()]
        )
        self._table = pyarrow.Table
        self._layout = layout
        self._rows: list[dict[str, object]] = []
        self._parquet = pyarrow.parquet.ParquetWriter(file, self._schema)

    def write(self, prediction: Prediction) -> None:
        self._rows.append(self._layout.row(prediction))
        if len(self._rows) == ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        self._parquet.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


W = TypeVar("W", bound=Writer)


@contextmanager
def _as_text(kind: Callable[[TextIO, Layout], W], file: BinaryIO, layout: Layout) -> Iterator[W]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    yield kind(text, layout)
    text.flush()
    text.detach()  # or it would close the file when it goes


@contextmanager
def _as_parquet(file: BinaryIO, layout: Layout) -> Iterator[Writer]:
    with closing(ParquetWriter(file, layout)) as writer:
        yield writer


@contextmanager
def _as_html(file: BinaryIO, layout: Layout) -> Iterator[Writer]:
    from predict.page import HtmlWriter

    with _as_text(HtmlWriter, file, layout) as writer, closing(writer):
        yield writer


WRITERS: dict[str, Callable[[BinaryIO, Layout], AbstractContextManager[Writer]]] = {
    ".csv": partial(_as_text, CsvWriter),
    ".html": _as_html,
    ".jsonl": partial(_as_text, JsonlWriter),
    ".parquet": _as_parquet,
}


def open_writer(path: Path, layout: Layout) -> AbstractContextManager[Writer]:
    """Return a context that gives a writer and puts the finished file at ``path`` on leaving.

    When the block raises, nothing is left behind and an older file at ``path`` stays as it was.

    Raises DataError at once when the suffix is unknown or no file can lie at ``path``.
    """
    check_target(path)
    return _writer(path, layout)


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
    never taken for this run's. When too many were rejected, the file stays although no result does.
    """
    path, count = rejected_path(out), 0
    too_many: TooManyRejectedError | None = None
    with whole_file(path) as file:

        def write(record: Rejected) -> None:
            nonlocal count
            count += 1
            file.write(_json_line(asdict(record)).encode())

        try:
            yield write
        except TooManyRejectedError as error:
            too_many = error
    if not count:
        path.unlink(missing_ok=True)  # gone when two workers were given the same chunk
    if too_many is not None:
        raise too_many


@contextmanager
def _writer(path: Path, layout: Layout) -> Iterator[Writer]:
    with whole_file(path) as file, WRITERS[path.suffix.lower()](file, layout) as writer:
        yield writer


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a draft to write to, which takes the place of ``path`` unless the block raises.

    Raises SitrepError when the disk is full or ``path`` cannot be written for another reason.
    """
    # By machine too, for on a shared disk two processes of one number may write the same part.
    draft = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:  # a full disk, a quota, a folder that went away
        draft.unlink(missing_ok=True)
        raise SitrepError(f"{path} cannot be written: {error.strerror or error}") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` survive a power cut; the file's own fsync does not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json_line(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def cell(value: object) -> object:
    """Return ``value`` as a cell that no spreadsheet runs, and a probability as 0.000012.

    A text that begins like a formula gets an apostrophe in front, as spreadsheets mark text.
    Source: OWASP, "CSV Injection".
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return Decimal(f"{value:.{DECIMALS}f}")  # csv would write 1.2e-05
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value
