"""What a model's confidence is good for: which answers to keep, which to leave to a person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train import metrics
from train.config import EvaluationSettings
from train.metrics import Estimate
from train.report import Report

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of the sentences that are kept in the risk-coverage curve."""


@dataclass(frozen=True)
class Kept:
    """How good the answers are that a threshold keeps; a person gets the others."""

    threshold: float
    """Lowest confidence that is kept."""
    coverage: float
    """Share of the sentences that are kept."""
    macro_f1: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Threshold:
    """From which confidence on a label's answers are as precise as wanted."""

    label: str
    threshold: float | None
    """None where no threshold reaches it on these rows."""
    precision: float
    """Of the answers kept; of all answers where no threshold reaches what is wanted."""
    kept: int
    """Answers of this label at or above the threshold."""
    answers: int
    """Answers of this label in all."""


def risk_coverage(report: Report, settings: EvaluationSettings) -> list[Kept]:
    """Return quality against coverage when the least confident answers are left to a person.

    Source: El-Yaniv & Wiener 2010, "On the Foundations of Noise-free Selective Classification".
    """
    confidence = report.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    found = []
    for share in COVERAGES:
        kept = np.sort(order[: max(1, round(share * len(order)))])
        part = report.rows.take(kept.tolist())
        tallies = metrics.tally(
            part.targets, report.probabilities[kept], part.article_ids, settings.bins
        )
        drawn = metrics.bootstrap(tallies, settings.draws, settings.seed)
        found.append(
            Kept(
                float(confidence[kept].min()),
                len(kept) / len(order),
                metrics.estimate(metrics.macro_f1, tallies, drawn),
                metrics.estimate(metrics.accuracy, tallies, drawn),
            )
        )
    return found


def thresholds(report: Report, precision: float) -> list[Threshold]:
    """Return for each label the lowest confidence from which on ``precision`` is reached.

    The rows decide it, so it holds for text like theirs; with few answers of a label it is a
    guess.
    """
    guess, confidence = report.probabilities.argmax(axis=1), report.probabilities.max(axis=1)
    right = report.correct
    return [
        _threshold(label, confidence[guess == column], right[guess == column], precision)
        for column, label in enumerate(report.labels)
    ]


def _threshold(
    label: str, confidence: metrics.Figures, right: metrics.Figures, wanted: float
) -> Threshold:
    answers = len(confidence)
    if not answers:
        return Threshold(label, None, 0.0, 0, 0)
    order = np.argsort(-confidence, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, answers + 1)
    # A threshold keeps all answers of equal confidence: only the last of them is a place to cut.
    ordered = confidence[order]
    last_of_equals = np.append(ordered[1:] != ordered[:-1], True)
    reached = np.flatnonzero((precisions >= wanted) & last_of_equals)
    if not len(reached):
        return Threshold(label, None, float(precisions[-1]), 0, answers)
    cut = int(reached[-1])
    return Threshold(label, float(ordered[cut]), float(precisions[cut]), cut + 1, answers)


def as_dict(curve: Sequence[Kept]) -> list[dict[str, object]]:
    """The risk-coverage curve as JSON holds it."""
    return [
        {
            **{"threshold": k.threshold, "coverage": k.coverage},
            **{"macro_f1": vars(k.macro_f1), "accuracy": vars(k.accuracy)},
        }
        for k in curve
    ]
