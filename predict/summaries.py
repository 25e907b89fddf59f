"""Predictions → one row an article: how many sentences of each label, and the surest of each."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.errors import DataError
from predict.label import Prediction
from predict.write import DECIMALS, cell, whole_file

SUFFIXES = (".csv", ".jsonl")


def check_target(path: Path) -> None:
    """Raise DataError unless summaries can be written to ``path``."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: articles are written as {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}; create it first")


@contextmanager
def opened(path: Path, labels: tuple[str, ...]) -> Iterator[Callable[[Prediction], None]]:
    """Give a function that takes predictions; the finished file is put at ``path`` on leaving.

    Sentences of one article must come one after another, as ``label`` gives them.
    """
    held: list[Prediction] = []
    with whole_file(path) as file:
        as_csv = path.suffix.lower() == ".csv"
        names = ["article_id", "sentences", *(f"n_{label}" for label in labels)]
        names += [name for label in labels for name in (f"top_{label}", f"p_{label}")]

        def put(values: list[Any]) -> None:
            if as_csv:
                file.write(_csv_line([cell(value) for value in values]))
            else:
                row = dict(zip(names, values, strict=True))
                file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

        def take(prediction: Prediction) -> None:
            if held and held[0].sentence.article_id != prediction.sentence.article_id:
                put(_summary(held, labels))
                held.clear()
            held.append(prediction)

        if as_csv:
            file.write(_csv_line(names))
        yield take
        if held:
            put(_summary(held, labels))


def _summary(article: list[Prediction], labels: tuple[str, ...]) -> list[Any]:
    counts = Counter(prediction.label for prediction in article)
    values: list[Any] = [article[0].sentence.article_id, len(article)]
    values += [counts[label] for label in labels]
    for label in labels:
        of_label = [prediction for prediction in article if prediction.label == label]
        surest = max(of_label, key=lambda prediction: prediction.confidence, default=None)
        values.append("" if surest is None else surest.sentence.text)
        values.append(0.0 if surest is None else round(surest.confidence, DECIMALS))
    return values


def _csv_line(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return line.getvalue().encode()
