"""Files, folders, globs or standard input → articles, one after another."""

import codecs
import glob
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, cast

from models.errors import DataError
from predict.readers import BOM, READERS, Reader, ReadOptions, read_jsonl, read_txt
from predict.records import Article, Rejected

STDIN = "-"
COMPRESSED = ".gz"
UNCOMPRESSED_ONLY = ".parquet"
"""Needs to jump about in the file."""
LINE_FORMATS = (".jsonl", ".csv", ".tsv")
LARGEST_RATIO = 200
"""Of text, gzip makes a fifth; a file that grows more than this, past FREE_BYTES, is a trap."""
FREE_BYTES = 100_000_000

COLUMNS = {name: name for name in ("text", "id", "title", "date", "source")}
StdinFormat = Literal["auto", "txt", "html", "jsonl", "csv", "tsv"]


def read(
    inputs: Sequence[str],
    stdin: BinaryIO | None = None,
    stdin_format: StdinFormat = "auto",
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    max_record_bytes: int = ReadOptions.max_record_bytes,
) -> Iterator[Article | Rejected]:
    """Return the articles of ``inputs`` in order, read lazily, with the records that are none.

    inputs:            files, folders (searched to the bottom, in sorted order), globs or "-"
    stdin:             what "-" reads
    stdin_format:      "auto" takes standard input for JSONL when its first line that is not blank
                       is a JSON object, else for the plain text of one article
    columns:           names in the data that differ from COLUMNS
    encoding:          of everything but Parquet, read strictly
    max_record_bytes:  a longer record is rejected

    Raises DataError before the first article when an input is missing, is of an unknown kind,
    or is a folder without a file of a known kind, and for an unknown encoding.
    """
    options = ReadOptions(COLUMNS | dict(columns or {}), encoding, max_record_bytes)
    line_feed_is_a_byte = _require_encoding(encoding)
    sources: list[Iterator[Article | Rejected]] = []
    for name in inputs:
        if name != STDIN:
            for path in files([name]):
                if not line_feed_is_a_byte and _kind(path)[0] in LINE_FORMATS:
                    raise DataError(
                        f"{_name(path)}: lines cannot be told apart in {encoding}; convert the "
                        "file to UTF-8 first"
                    )
                sources.append(_read_file(path, options))
        elif stdin is None:
            raise DataError('"-" was given, but there is no standard input; name a file instead')
        else:
            sources.append(_read_stdin(stdin, stdin_format, options))
    return chain.from_iterable(sources)


def files(inputs: Sequence[str]) -> list[Path]:
    """Return the files that ``inputs`` name, in the order in which they are read.

    Raises DataError for standard input, which is no file, and for what ``read`` refuses.
    """
    if STDIN in inputs:
        raise DataError("standard input cannot be read twice; name files instead")
    return [path for name in inputs for path in _files(name)]


def _require_encoding(encoding: str) -> bool:
    """Whether a line feed is one byte in ``encoding``; DataError when there is no such."""
    try:
        codecs.lookup(encoding)
        return "\n".encode(encoding) == b"\n"
    except LookupError:
        raise DataError(f'--encoding: there is no encoding "{encoding}"') from None


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if _is_known(file) and file.is_file()]
        if not found:
            raise DataError(
                f"{_name(path)}: the folder holds no file of a kind that can be read: {_known()}"
            )
    elif path.exists():
        found = [_require_known(path)]
    else:
        matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
        found = [_require_known(match) for match in matches if match.is_file()]
        if not found:
            raise DataError(
                f"{_name(path)}: there is no such file or folder; "
                f"files of these kinds can be read: {_known()}"
            )
    for file in found:
        if not os.access(file, os.R_OK):
            raise DataError(f"{_name(file)}: there is no permission to read this file")
    return found


def _kind(path: Path) -> tuple[str, bool]:
    """The suffix that tells the format, and whether the file is compressed."""
    name = path.name.lower()
    compressed = name.endswith(COMPRESSED)
    return Path(name.removesuffix(COMPRESSED)).suffix, compressed


def _is_known(path: Path) -> bool:
    suffix, compressed = _kind(path)
    return suffix in READERS and not (compressed and suffix == UNCOMPRESSED_ONLY)


def _require_known(path: Path) -> Path:
    if not _is_known(path):
        raise DataError(
            f'{_name(path)}: files of the kind "{path.suffix}" cannot be read, '
            f"only these: {_known()}"
        )
    return path


def _known() -> str:
    return f"{', '.join(sorted(READERS))}, also with {COMPRESSED}"


def _name(path: Path) -> str:
    """Name ``path`` in UTF-8, although a file name may hold any bytes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _read_file(path: Path, options: ReadOptions) -> Iterator[Article | Rejected]:
    suffix, compressed = _kind(path)
    reader: Reader = READERS[suffix]
    try:
        with path.open("rb") as file:
            if compressed:
                yield from _read_compressed(file, path, reader, options)
            else:
                yield from reader(file, _name(path), options)
    except OSError as error:
        raise DataError(f"{_name(path)} cannot be read: {error.strerror or error}") from error


def _read_compressed(
    file: BinaryIO, path: Path, reader: Reader, options: ReadOptions
) -> Iterator[Article | Rejected]:
    try:
        inflated = _Inflated(file, path.stat().st_size)
        yield from reader(cast(BinaryIO, io.BufferedReader(inflated)), _name(path), options)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield Rejected(_name(path), None, f"the compressed data is damaged ({error})")
    except _GrowsTooMuchError:
        reason = f"grows to more than {LARGEST_RATIO} times its size, which no text does"
        yield Rejected(_name(path), None, reason)


class _GrowsTooMuchError(Exception):
    """A small file that would fill a disk."""


class _Inflated(io.RawIOBase):
    """The bytes of a gzip file, as long as they are in proportion to it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=file)
        self._left = FREE_BYTES + LARGEST_RATIO * size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._gzip.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise _GrowsTooMuchError
        buffer[: len(data)] = data
        return len(data)


def _read_stdin(
    stdin: BinaryIO, stdin_format: StdinFormat, options: ReadOptions
) -> Iterator[Article | Rejected]:
    if stdin_format != "auto":
        yield from READERS[f".{stdin_format}"](stdin, "stdin", options)
        return
    head: list[bytes] = []
    for line in iter(lambda: stdin.readline(options.max_record_bytes + 1), b""):
        head.append(line)
        if line.removeprefix(BOM).strip():
            break
    reader = read_jsonl if head and _is_object(head[-1].removeprefix(BOM)) else read_txt
    yield from reader(cast(BinaryIO, _Resumed(b"".join(head), stdin)), "stdin", options)


class _Resumed:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def readline(self, limit: int) -> bytes:
        return self._head.readline(limit) or self._rest.readline(limit)

    def read(self, limit: int) -> bytes:
        start = self._head.read(limit)
        return start + self._rest.read(limit - len(start))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False
