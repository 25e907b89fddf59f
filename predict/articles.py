"""Files, folders or standard input → articles, one after another."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

from models.errors import DataError

STDIN = "-"
BOM = b"\xef\xbb\xbf"

StdinFormat = Literal["auto", "txt", "jsonl"]


@dataclass(frozen=True)
class Article:
    """One article as it was read; what the input does not say is "".

    text: untouched apart from a byte order mark, so that offsets point into the original
    """

    id: str
    text: str
    title: str = ""
    date: str = ""
    source: str = ""


@dataclass(frozen=True)
class Rejected:
    """A record that is no article.

    line: counted from 1; None when the whole file is meant
    """

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.reason}"


def read(
    inputs: Sequence[str], stdin: BinaryIO | None = None, stdin_format: StdinFormat = "auto"
) -> Iterator[Article | Rejected]:
    """Return the articles of ``inputs`` in order, read lazily, with the records that are none.

    inputs:        files, folders (searched to the bottom, in sorted order) or "-"
    stdin:         what "-" reads
    stdin_format:  "auto" takes standard input for JSONL when its first line that is not blank
                   is a JSON object, else for the plain text of one article

    Raises DataError before the first article when an input is missing, is of an unknown kind,
    or is a folder without a file of a known kind.
    """
    sources: list[Iterator[Article | Rejected]] = []
    for name in inputs:
        if name != STDIN:
            sources.extend(_read_file(path) for path in _files(Path(name)))
        elif stdin is None:
            raise DataError('"-" was given, but there is no standard input; name a file instead')
        else:
            sources.append(_read_stdin(stdin, stdin_format))
    return chain.from_iterable(sources)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(
            f"{_name(path)}: there is no such file or folder; "
            f"files of these kinds can be read: {_known()}"
        )
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if _is_known(file) and file.is_file()]
        if not files:
            raise DataError(
                f"{_name(path)}: the folder holds no file of a kind that can be read: {_known()}"
            )
    elif _is_known(path):
        files = [path]
    else:
        raise DataError(
            f'{_name(path)}: files of the kind "{path.suffix}" cannot be read, '
            f"only these: {_known()}"
        )
    for file in files:
        if not os.access(file, os.R_OK):
            raise DataError(f"{_name(file)}: there is no permission to read this file")
    return files


def _is_known(path: Path) -> bool:
    return path.suffix.lower() in READERS


def _known() -> str:
    return ", ".join(sorted(READERS))


def _name(path: Path) -> str:
    """Name ``path`` in UTF-8, although a file name may hold any bytes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _read_file(path: Path) -> Iterator[Article | Rejected]:
    try:
        yield from READERS[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"{_name(path)} cannot be read: {error.strerror}") from error


def _read_txt(path: Path) -> Iterator[Article | Rejected]:
    yield _plain(_name(path), path.read_bytes())


def _read_jsonl(path: Path) -> Iterator[Article | Rejected]:
    with path.open("rb") as file:
        yield from _records(_name(path), file)


READERS: dict[str, Callable[[Path], Iterator[Article | Rejected]]] = {
    ".jsonl": _read_jsonl,
    ".txt": _read_txt,
}


def _read_stdin(stdin: BinaryIO, stdin_format: StdinFormat) -> Iterator[Article | Rejected]:
    head: list[bytes] = []
    if stdin_format == "auto":
        for line in stdin:
            head.append(line)
            if line.removeprefix(BOM).strip():
                break
    if stdin_format == "jsonl" or (head and _is_object(head[-1].removeprefix(BOM))):
        yield from _records("stdin", chain(head, stdin))
    else:
        yield _plain("stdin", b"".join(head) + stdin.read())


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _plain(file: str, raw: bytes) -> Article | Rejected:
    try:
        text = raw.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        return Rejected(file, error.object.count(b"\n", 0, error.start) + 1, _not_utf8(error))
    return Article(id=file, text=text) if text.strip() else Rejected(file, None, "no text in it")


def _records(file: str, lines: Iterable[bytes]) -> Iterator[Article | Rejected]:
    """Yield one article a line, where only a line feed ends a line.

    A JSON text may hold U+2028 or U+0085, at which ``str.splitlines`` would cut it in two.
    """
    for number, line in enumerate(lines, start=1):
        whole = line.removeprefix(BOM) if number == 1 else line
        if whole.strip():
            yield _record(file, number, whole)


def _record(file: str, number: int, line: bytes) -> Article | Rejected:
    try:
        record = json.loads(line.decode())
        if not isinstance(record, dict):
            raise ValueError('a JSON object such as {"text": "..."} is expected')
        return Article(
            id=_field(record, "id", default=f"{file}:{number}"),
            text=_text(record),
            title=_field(record, "title"),
            date=_field(record, "date"),
            source=_field(record, "source"),
        )
    except UnicodeDecodeError as error:
        return Rejected(file, number, _not_utf8(error))
    except json.JSONDecodeError as error:
        return Rejected(file, number, f"not valid JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Rejected(file, number, "not valid JSON (nested too deeply)")
    except ValueError as error:
        return Rejected(file, number, str(error))


def _text(record: dict[str, Any]) -> str:
    if "text" not in record:
        raise ValueError('"text" is missing')
    text = record["text"]
    if not isinstance(text, str):
        raise ValueError(f'"text" is {json.dumps(text)[:40]}, but a string is expected')
    if not text.strip():
        raise ValueError('"text" is empty')
    return _encodable("text", text)


def _field(record: dict[str, Any], key: str, default: str = "") -> str:
    value = record.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f'"{key}" is {json.dumps(value)[:40]}, but a string is expected')
    return _encodable(key, str(value))


def _encodable(key: str, value: str) -> str:
    """Return ``value``, unless it holds half a character, which no UTF-8 file can keep."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'"{key}" holds a lone surrogate at character {error.start}') from error
    return value


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 (byte 0x{error.object[error.start]:02x}); save the file as UTF-8"
