"""What an input is made of: articles, and records that are none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    """One article as it was read; what the input does not say is "".

    text: untouched apart from a byte order mark, so that offsets point into the original; of an
          HTML page its main text, one paragraph a line
    """

    id: str
    text: str
    title: str = ""
    date: str = ""
    source: str = ""


@dataclass(frozen=True)
class Rejected:
    """A record that is no article.

    line: counted from 1, of a Parquet file the row; None when the whole file is meant
    """

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.reason}"
