"""Labelled rows in, checked, each problem with the place where it stands."""

import csv
import difflib
import glob
import hashlib
import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.base import Rows
from models.errors import DataError
from train.config import Columns, DataSettings, HubData

logger = logging.getLogger(__name__)

MAX_FIELD_CHARACTERS = 10_000_000
"""Longest field of a CSV file; a longer one is nearly always an unclosed quote."""


@dataclass(frozen=True)
class Record:
    """One row as it stands in the data, with its place."""

    file: str
    line: int
    values: Mapping[str, object]

    @property
    def place(self) -> str:
        """Where the row stands, as every message names it."""
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with one row, or with a whole file."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True)
class Labelled:
    """What was read: the usable rows, their labels and every problem met on the way."""

    rows: Rows
    labels: tuple[str, ...]
    problems: tuple[Problem, ...]
    has_articles: bool
    names: tuple[str, ...] = field(default=())
    """Files or hub dataset that the rows came from."""


def read(settings: DataSettings) -> tuple[Labelled, Labelled | None, Labelled | None]:
    """Return the rows of ``settings``: all of them, and those of valid and test files if given.

    Labels are those of all three together, unless ``settings.labels`` lists them.

    Raises DataError at the first problem; ``sitrep check`` lists them all.
    """
    parts = [_records(settings, settings.files, settings.hub)]
    for files in (settings.valid_files, settings.test_files):
        parts.append(_records(settings, files, None) if files else [])
    labels = settings.labels
    if labels is None:
        labels = tuple(_labels_found([r for part in parts for r in part], settings.columns))
    main, valid, test = (
        _checked(part, settings.columns, labels) if part else None for part in parts
    )
    if main is None:
        raise DataError(f"{_named(settings)}: no rows were found")
    for labelled in (main, valid, test):
        if labelled is not None and labelled.problems:
            first, *others = labelled.problems
            more = f" (and {len(others)} more; `sitrep check` lists them all)" if others else ""
            raise DataError(f"{first}{more}")
    if len(labels) < 2:
        raise DataError(f"{_named(settings)}: found only the label {labels!r}; two are needed")
    return main, valid, test


def inspect(settings: DataSettings) -> Labelled:
    """Return every usable row of ``settings.files`` or ``settings.hub`` and every problem.

    Raises DataError only when a file cannot be found or opened.
    """
    records = _records(settings, settings.files, settings.hub)
    labels = settings.labels
    if labels is None:
        labels = tuple(_labels_found(records, settings.columns))
    return _checked(records, settings.columns, labels)


def digest(rows: Rows, labels: Sequence[str]) -> str:
    """Return 32 hexadecimal digits that change with any text, label or article, not with order."""
    lines = sorted(
        json.dumps([article, text, labels[target]])
        for article, text, target in zip(rows.article_ids, rows.texts, rows.targets, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def normalised(text: str) -> str:
    """Return ``text`` as two spellings of one text agree: NFKC, small letters, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _records(
    settings: DataSettings, files: Sequence[str], hub: HubData | None
) -> list[Record | Problem]:
    if hub is not None:
        return list(_read_hub(hub))
    found: list[Record | Problem] = []
    for path in find(files):
        found.extend(READERS[path.suffix.lower()](path, settings.encoding))
    return found


def find(patterns: Sequence[str]) -> list[Path]:
    """Return the files that ``patterns`` (files, folders or globs) name, sorted, each once.

    Raises DataError when one of them names nothing, or a file of an unknown kind.
    """
    paths: dict[Path, None] = {}
    for pattern in patterns:
        if Path(pattern).is_dir():
            matches = [p for p in sorted(Path(pattern).iterdir()) if p.suffix.lower() in READERS]
        else:
            matches = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
        matches = [path for path in matches if path.is_file()]
        if not matches:
            raise DataError(f"{pattern}: no labelled file there, looking from {Path.cwd()}")
        for path in matches:
            if path.suffix.lower() not in READERS:
                raise DataError(f"{path}: labelled rows are read from {', '.join(READERS)}")
        paths.update(dict.fromkeys(matches))
    return list(paths)


def _read_jsonl(path: Path, encoding: str) -> Iterator[Record | Problem]:
    for number, line in _decoded_lines(path, encoding):
        if isinstance(line, Problem):
            yield line
            continue
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Problem(place, f"is not valid JSON: {error}")
            continue
        if not isinstance(values, dict):
            yield Problem(place, 'expected an object such as {"text": "…", "label": "…"}')
            continue
        yield Record(str(path), number, values)


def _read_separated(path: Path, encoding: str, delimiter: str) -> Iterator[Record | Problem]:
    position = {"line": 0}
    bad_lines: list[Problem] = []

    def lines() -> Iterator[str]:
        for number, line in _decoded_lines(path, encoding):
            position["line"] = number
            if isinstance(line, Problem):
                bad_lines.append(line)
            else:
                yield line + "\n"

    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    start = 1
    try:
        header = next(reader, None)
        while header is not None:
            start = position["line"] + 1
            cells = next(reader, None)
            if cells is None:
                break
            if len(cells) == len(header):
                yield Record(str(path), start, dict(zip(header, cells, strict=True)))
            elif cells:
                reason = f"has {len(cells)} fields, the header has {len(header)}"
                yield Problem(f"{path}, line {start}", reason)
    except csv.Error as error:
        yield Problem(f"{path}, line {start}", f"is not valid CSV: {error}")
    yield from bad_lines


def _decoded_lines(path: Path, encoding: str) -> Iterator[tuple[int, str | Problem]]:
    """Lines of ``path`` by number from 1; split at newline bytes only, for text may hold U+2028."""
    try:
        "".encode(encoding)
    except LookupError:
        raise DataError(f'data.encoding: there is no encoding "{encoding}"') from None
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
            except UnicodeDecodeError as error:
                byte = line[error.start]
                reason = f"is not {encoding}: byte 0x{byte:02x} at column {error.start + 1}"
                yield number, Problem(f"{path}, line {number}", reason)


def _read_parquet(path: Path, encoding: str) -> Iterator[Record | Problem]:
    import datasets

    try:
        table = datasets.Dataset.from_parquet(str(path), keep_in_memory=True)
    except Exception as error:
        raise DataError(f"{path} is not a Parquet file that can be read: {error}") from error
    yield from _dataset_records(table, str(path))


def _read_hub(hub: HubData) -> Iterator[Record | Problem]:
    import datasets

    logger.info("loading dataset %s", hub.name)
    try:
        table = datasets.load_dataset(hub.name, hub.config, split=hub.split, revision=hub.revision)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f'data.hub.name "{hub.name}" could not be loaded: {reason}') from error
    yield from _dataset_records(table, hub.name)


def _dataset_records(table: Any, name: str) -> Iterator[Record]:
    """Rows of a ``datasets.Dataset``, class numbers turned into their names."""
    classes = {
        column: feature.names
        for column, feature in table.features.items()
        if getattr(feature, "names", None)
    }
    for number, values in enumerate(table, start=1):
        for column, names in classes.items():
            if isinstance(values[column], int) and 0 <= values[column] < len(names):
                values[column] = names[values[column]]
        yield Record(name, number, values)


READERS: dict[str, Callable[[Path, str], Iterator[Record | Problem]]] = {
    ".jsonl": _read_jsonl,
    ".csv": lambda path, encoding: _read_separated(path, encoding, ","),
    ".tsv": lambda path, encoding: _read_separated(path, encoding, "\t"),
    ".parquet": _read_parquet,
}


def _labels_found(records: Iterable[Record | Problem], columns: Columns) -> list[str]:
    found = {_label_of(r.values.get(columns.label)) for r in records if isinstance(r, Record)}
    return sorted(label for label in found if label)


def _label_of(value: object) -> str:
    """A label as text: numbers are labels too, true and nothing are not."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _checked(
    records: Sequence[Record | Problem], columns: Columns, labels: Sequence[str]
) -> Labelled:
    labels = tuple(sorted(labels))
    good: list[Record] = []
    problems: list[Problem] = []
    has_articles = columns.article_id is not None and _has_article_column(records, columns)
    first_seen: dict[str, tuple[str, Record]] = {}
    for record in records:
        if isinstance(record, Problem):
            problems.append(record)
            continue
        reason = _row_problem(record, columns, labels, has_articles)
        if reason is None:
            reason = _contradiction(record, columns, first_seen)
        if reason is None:
            good.append(record)
        else:
            problems.append(Problem(record.place, reason))
    names = tuple(dict.fromkeys(r.file for r in records if isinstance(r, Record)))
    rows = _rows(good, columns, labels, has_articles)
    return Labelled(rows, labels, tuple(problems), has_articles, names)


def _has_article_column(records: Sequence[Record | Problem], columns: Columns) -> bool:
    """Whether articles are known: the column stands somewhere, or the user named it."""
    if "article_id" in columns.model_fields_set:
        return True
    return any(isinstance(r, Record) and columns.article_id in r.values for r in records)


def _row_problem(
    record: Record, columns: Columns, labels: Sequence[str], has_articles: bool
) -> str | None:
    for column in (columns.text, columns.label, columns.article_id if has_articles else None):
        if column is not None and column not in record.values:
            present = ", ".join(map(str, record.values)) or "nothing"
            return f'column "{column}" is missing; the row has {present}'
    text = record.values[columns.text]
    if text is None or (isinstance(text, str) and not text.strip()):
        return f'column "{columns.text}" is empty'
    if not isinstance(text, str):
        return f'column "{columns.text}" is not text'
    if any("\ud800" <= character <= "\udfff" for character in text):
        return f'column "{columns.text}" holds half a surrogate pair, which is not a character'
    if has_articles and record.values[str(columns.article_id)] in (None, ""):
        return f'column "{columns.article_id}" is empty'
    label = _label_of(record.values[columns.label])
    if not label:
        return f'column "{columns.label}" is empty'
    if label not in labels:
        close = difflib.get_close_matches(label, labels, n=1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        return f'label "{label}" is not one of {", ".join(labels)}.{hint}'
    return None


def _contradiction(
    record: Record, columns: Columns, first_seen: dict[str, tuple[str, Record]]
) -> str | None:
    text = normalised(str(record.values[columns.text]))
    label = _label_of(record.values[columns.label])
    earlier_label, earlier = first_seen.setdefault(text, (label, record))
    if earlier_label == label:
        return None
    return f"says {label}, but the same text stands at {earlier.place} as {earlier_label}"


def _rows(
    records: Sequence[Record], columns: Columns, labels: Sequence[str], has_articles: bool
) -> Rows:
    column_of = {label: i for i, label in enumerate(labels)}
    named = {
        "position": columns.position,
        "source": columns.source,
        "register": columns.register_,
        "date": columns.date,
        "votes": columns.votes,
        **{column: column for column in columns.keep},
    }
    present = {
        name: column
        for name, column in named.items()
        if column is not None and any(column in record.values for record in records)
    }
    ids = tuple(f"{record.file}:{record.line}" for record in records)
    label_of = [_label_of(record.values[columns.label]) for record in records]
    return Rows(
        ids=ids,
        article_ids=tuple(str(r.values[str(columns.article_id)]) for r in records)
        if has_articles
        else ids,
        texts=tuple(str(record.values[columns.text]) for record in records),
        targets=np.array([column_of[label] for label in label_of], dtype=np.int64),
        columns={
            name: tuple(_as_text(record.values.get(column, "")) for record in records)
            for name, column in present.items()
        },
    )


def _as_text(value: object) -> str:
    """Text as it is, anything else (a list of votes) as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def label_counts(rows: Rows, labels: Sequence[str]) -> dict[str, int]:
    """Return how many rows each label has, in the order of ``labels``."""
    counts = Counter(rows.targets.tolist())
    return {label: counts[i] for i, label in enumerate(labels)}


def _named(settings: DataSettings) -> str:
    return settings.hub.name if settings.hub is not None else ", ".join(settings.files)
