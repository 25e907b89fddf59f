"""Bytes of many formats → articles, in memory that no input can blow up."""

import csv
import datetime
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from predict.records import Article, Rejected

BOM = b"\xef\xbb\xbf"
SKIP_BYTES = 1 << 16
"""Read at a time to get past a line that is too long."""
ROWS_AT_A_TIME = 256
"""Rows of a Parquet file held at once: some megabytes of articles."""
CHARSET = re.compile(rb"charset=[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
HEAD_BYTES = 4_096
"""In which an HTML page declares its encoding."""


@dataclass(frozen=True)
class ReadOptions:
    """How records become articles.

    columns:           name in the data of text, id, title, date and source
    encoding:          of the bytes, read strictly
    max_record_bytes:  a longer record is rejected, unread
    """

    columns: Mapping[str, str]
    encoding: str = "utf-8"
    max_record_bytes: int = 10_000_000

    @property
    def too_long(self) -> str:
        """Why a record of more bytes is rejected."""
        return f"longer than {self.max_record_bytes / 1e6:g} MB"


Reader = Callable[[BinaryIO, str, ReadOptions], Iterator[Article | Rejected]]
"""Called with the bytes, the name of the file and the options."""


def read_txt(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield the whole file as one article."""
    text = _whole(file, name, options)
    if isinstance(text, Rejected):
        yield text
        return
    yield Article(id=name, text=text) if text.strip() else Rejected(name, None, "no text in it")


def read_html(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield the main text of a page, without its menus and boxes, with title and date."""
    import trafilatura  # takes a second

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    page = _whole(file, name, options)
    if isinstance(page, Rejected):
        yield page
        return
    # It reads bytes that are not HTML as text, and gives up on what is no page with None.
    found = trafilatura.bare_extraction(page, with_metadata=True, include_comments=False)
    if found is None or isinstance(found, dict) or not (found.text or "").strip():
        yield Rejected(name, None, "no main text was found in the page")
        return
    yield Article(
        id=name,
        text=found.text or "",
        title=found.title or "",
        date=found.date or "",
        source=found.sitename or found.hostname or "",
    )


def read_jsonl(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield one article a line, where only a line feed ends a line.

    A JSON text may hold U+2028 or U+0085, at which ``str.splitlines`` would cut it in two.
    """
    for number, line in lines(file, options):
        if line is None:
            yield Rejected(name, number, options.too_long)
        elif line.strip():
            yield _json_record(name, number, line, options)


def read_csv(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield one article a row of a comma-separated file with a header."""
    return _read_separated(file, name, options, ",")


def read_tsv(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield one article a row of a tab-separated file with a header."""
    return _read_separated(file, name, options, "\t")


def read_parquet(file: BinaryIO, name: str, options: ReadOptions) -> Iterator[Article | Rejected]:
    """Yield one article a row; columns that no article needs are not read."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file)
        present = table.schema_arrow.names
        missing = _missing_text(present, options)
        if missing is not None:
            yield Rejected(name, None, missing)
            return
        wanted = [column for column in options.columns.values() if column in present]
        number = 0
        for batch in table.iter_batches(batch_size=ROWS_AT_A_TIME, columns=wanted):
            for record in batch.to_pylist():
                number += 1
                yield article(record, name, number, options)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        yield Rejected(name, None, f"not a Parquet file that can be read ({reason[:200]})")


READERS: dict[str, Reader] = {
    ".txt": read_txt,
    ".md": read_txt,
    ".html": read_html,
    ".htm": read_html,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
"""By suffix; every one but Parquet may also lie compressed, as ``.jsonl.gz``."""


def lines(file: BinaryIO, options: ReadOptions) -> Iterator[tuple[int, bytes | None]]:
    """Yield lines with their number from 1, a byte order mark gone; None for one too long."""
    number = 0
    while line := file.readline(options.max_record_bytes + 1):
        number += 1
        if len(line) > options.max_record_bytes and not line.endswith(b"\n"):
            while (rest := file.readline(SKIP_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, line.removeprefix(BOM) if number == 1 else line


def article(
    record: Mapping[str, Any], name: str, number: int, options: ReadOptions
) -> Article | Rejected:
    """Return the article in ``record``, or why there is none."""
    columns = options.columns
    try:
        return Article(
            id=_field(record, columns["id"], default=f"{name}:{number}"),
            text=_text(record, columns["text"]),
            title=_field(record, columns["title"]),
            date=_field(record, columns["date"]),
            source=_field(record, columns["source"]),
        )
    except ValueError as error:
        return Rejected(name, number, str(error))


def undecodable(error: UnicodeDecodeError, options: ReadOptions) -> str:
    """Why bytes are rejected that are not of the encoding that was asked for."""
    known = options.encoding.upper() if options.encoding == "utf-8" else options.encoding
    byte = error.object[error.start]
    return f"not {known} (byte 0x{byte:02x}); save the file as {known} or name its --encoding"


def _whole(file: BinaryIO, name: str, options: ReadOptions) -> str | Rejected:
    """The text of a file that is one record, or why it is none."""
    raw = file.read(options.max_record_bytes + 1)
    if len(raw) > options.max_record_bytes:
        return Rejected(name, None, options.too_long)
    try:
        return raw.removeprefix(BOM).decode(options.encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        declared = CHARSET.search(raw[:HEAD_BYTES])  # by an HTML page
        hint = f"; the page says {declared[1].decode()}" if declared else ""
        return Rejected(name, line, undecodable(error, options) + hint)


def _json_record(name: str, number: int, line: bytes, options: ReadOptions) -> Article | Rejected:
    try:
        record = json.loads(line.decode(options.encoding))
    except UnicodeDecodeError as error:
        return Rejected(name, number, undecodable(error, options))
    except json.JSONDecodeError as error:
        return Rejected(name, number, f"not valid JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Rejected(name, number, "not valid JSON (nested too deeply)")
    except ValueError as error:  # a number of more digits than Python takes
        return Rejected(name, number, f"not valid JSON ({error})")
    if not isinstance(record, dict):
        return Rejected(name, number, 'a JSON object such as {"text": "..."} is expected')
    return article(record, name, number, options)


def _read_separated(
    file: BinaryIO, name: str, options: ReadOptions, delimiter: str
) -> Iterator[Article | Rejected]:
    csv.field_size_limit(options.max_record_bytes)
    at = _Place()
    rejected: list[Rejected] = []
    reader = csv.reader(
        _decoded(file, name, options, at, rejected), delimiter=delimiter, strict=True
    )
    header: Sequence[str] | None = None
    start = 1
    while True:
        start = at.line + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield from rejected
            yield Rejected(name, start, f"not valid CSV from here on ({error})")
            return
        yield from rejected
        rejected.clear()
        if cells is None:
            return
        if header is None:
            header = cells
            missing = _missing_text(header, options)
            if missing is not None:
                yield Rejected(name, start, missing)
                return
        elif len(cells) == len(header):
            yield article(dict(zip(header, cells, strict=True)), name, start, options)
        elif cells:
            reason = f"has {len(cells)} fields, the header has {len(header)}"
            yield Rejected(name, start, reason)


class _Place:
    """The line that was read last."""

    line = 0


def _decoded(
    file: BinaryIO, name: str, options: ReadOptions, at: _Place, rejected: list[Rejected]
) -> Iterator[str]:
    for number, line in lines(file, options):
        at.line = number
        if line is None:
            rejected.append(Rejected(name, number, options.too_long))
            continue
        try:
            yield line.decode(options.encoding)
        except UnicodeDecodeError as error:
            rejected.append(Rejected(name, number, undecodable(error, options)))


def _missing_text(present: Iterable[str], options: ReadOptions) -> str | None:
    names = list(present)
    if options.columns["text"] in names:
        return None
    shown = ", ".join(names) or "nothing"
    return f'there is no column "{options.columns["text"]}"; it has {shown} (see --text)'


def _text(record: Mapping[str, Any], column: str) -> str:
    if column not in record:
        raise ValueError(f'"{column}" is missing')
    text = record[column]
    if not isinstance(text, str):
        raise ValueError(f'"{column}" is {_shown(text)}, but a string is expected')
    if not text.strip():
        raise ValueError(f'"{column}" is empty')
    return _encodable(column, text)


def _field(record: Mapping[str, Any], column: str, default: str = "") -> str:
    value = record.get(column)
    if value is None or value == "":
        return default
    if isinstance(value, datetime.date):  # and datetime, which is one
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f'"{column}" is {_shown(value)}, but a string is expected')
    return _encodable(column, str(value))


def _shown(value: object) -> str:
    return json.dumps(value, default=repr)[:40]


def _encodable(column: str, value: str) -> str:
    """Return ``value``, unless it holds half a character, which no UTF-8 file can keep."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'"{column}" holds a lone surrogate at character {error.start}') from error
    return value
