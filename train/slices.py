"""A report's figures on parts of its rows: by the values of a column, by length."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.base import Rows
from train import metrics
from train.config import EvaluationSettings
from train.metrics import Estimate
from train.report import Report

LENGTHS = (0, 5, 10, 20, 30, 40)
"""Words at which a new bin of sentence lengths begins."""
LENGTH = "words"
"""Name of the slicing by length, beside the names of columns."""


@dataclass(frozen=True)
class Slice:
    """How a model did on the rows that share one value."""

    value: str
    sentences: int
    articles: int
    macro_f1: Estimate
    """Over the labels that occur in the slice, in truth or as an answer."""
    accuracy: Estimate


def by_column(report: Report, column: str, settings: EvaluationSettings) -> list[Slice]:
    """Return a slice per value of ``column``, or of LENGTH, in the order of their size.

    Raises KeyError when the rows have no such column.
    """
    values = lengths(report.rows.texts) if column == LENGTH else report.rows.columns[column]
    members: dict[str, list[int]] = {}
    for i, value in enumerate(values):
        members.setdefault(value, []).append(i)
    names = sorted(members, key=lambda value: (-len(members[value]), value))
    if column == LENGTH:
        names = [name for name in _length_names() if name in members]
    return [_slice(report, name, members[name], settings) for name in names]


def lengths(texts: Sequence[str]) -> list[str]:
    """Return the bin of each text's number of words, for example "10-19"."""
    names = _length_names()
    words = [len(text.split()) for text in texts]
    return [names[i] for i in np.searchsorted(LENGTHS, words, side="right") - 1]


def _length_names() -> list[str]:
    ends = [f"{start}-{end - 1}" for start, end in itertools.pairwise(LENGTHS)]
    return [*ends, f"{LENGTHS[-1]}+"]


def _slice(report: Report, value: str, rows: list[int], settings: EvaluationSettings) -> Slice:
    part: Rows = report.rows.take(rows)
    tallies = metrics.tally(
        part.targets, report.probabilities[rows], part.article_ids, settings.bins
    )
    drawn = metrics.bootstrap(tallies, settings.draws, settings.seed)
    return Slice(
        value,
        len(part),
        len(tallies.log_loss),
        metrics.estimate(metrics.macro_f1, tallies, drawn),
        metrics.estimate(metrics.accuracy, tallies, drawn),
    )


def as_dict(slices: Mapping[str, Sequence[Slice]]) -> dict[str, list[dict[str, object]]]:
    """Slices by column as JSON holds them."""
    return {
        column: [
            {
                **{"value": s.value, "sentences": s.sentences, "articles": s.articles},
                **{"macro_f1": vars(s.macro_f1), "accuracy": vars(s.accuracy)},
            }
            for s in parts
        ]
        for column, parts in slices.items()
    }
