"""A model's answers to labelled rows become a Report: figures, intervals, errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import Classifier, Probabilities, Rows
from train import metrics
from train.config import EvaluationSettings
from train.metrics import Comparison, Estimate, Tally


@dataclass(frozen=True)
class Report:
    """How one model did on one set of labelled rows."""

    labels: tuple[str, ...]
    rows: Rows
    probabilities: Probabilities
    tallies: Tally
    metrics: dict[str, Estimate]
    """By the name in ``metrics.METRICS``."""
    by_label: dict[str, dict[str, Estimate]]
    """By label, then by the name in ``metrics.LABEL_METRICS``."""

    @property
    def articles(self) -> int:
        """How many articles the rows come from."""
        return len(self.tallies.log_loss)

    @property
    def confusion(self) -> list[list[int]]:
        """(labels, labels) sentences by true label (rows) and predicted label (columns)."""
        counts: list[list[int]] = self.tallies.total().confusion.astype(int).tolist()
        return counts

    @property
    def correct(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """(sentences,) bool: whether the most probable label is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.rows.targets)

    def figures(self) -> dict[str, float]:
        """Every number under the name that MLflow shows, intervals as ``_lo`` and ``_hi``."""
        flat: dict[str, float] = {}
        for name, estimate in self.metrics.items():
            flat |= {name: estimate.value, f"{name}_lo": estimate.lo, f"{name}_hi": estimate.hi}
        for label, estimates in self.by_label.items():
            for name, estimate in estimates.items():
                flat[f"{name}_{label}"] = estimate.value
        return flat

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        support = Counter(self.rows.targets.tolist())
        return {
            "sentences": len(self.rows),
            "articles": self.articles,
            "interval": "95 %, bootstrap over articles",
            "metrics": {name: vars(estimate) for name, estimate in self.metrics.items()},
            "labels": {
                label: {
                    "sentences": support[i],
                    **{name: vars(e) for name, e in self.by_label[label].items()},
                }
                for i, label in enumerate(self.labels)
            },
            "confusion": {"labels": list(self.labels), "true_by_predicted": self.confusion},
            "reliability": self.reliability(),
        }

    def reliability(self) -> list[dict[str, float]]:
        """Mean confidence, accuracy and sentences of each confidence bin that is not empty."""
        total = self.tallies.total()
        return [
            {"confidence": confidence / count, "accuracy": correct / count, "sentences": count}
            for confidence, correct, count in zip(
                total.confidence.tolist(), total.correct.tolist(), total.count.tolist(), strict=True
            )
            if count
        ]

    def wrong(self) -> list[dict[str, Any]]:
        """The rows that got a wrong label, the most confident first."""
        guess, confidence = self.probabilities.argmax(axis=1), self.probabilities.max(axis=1)
        order = sorted(np.flatnonzero(~self.correct), key=lambda i: -float(confidence[i]))
        return [
            {
                "text": self.rows.texts[i],
                "true": self.labels[self.rows.targets[i]],
                "predicted": self.labels[guess[i]],
                "confidence": round(float(confidence[i]), 4),
                "article_id": self.rows.article_ids[i],
                "place": self.rows.ids[i],
            }
            for i in map(int, order)
        ]


def evaluate(model: Classifier, rows: Rows, settings: EvaluationSettings) -> Report:
    """Return the report of ``model`` on ``rows``.

    Raises ValueError when there are no rows.
    """
    return judge(model.labels, rows, model.predict_proba(rows.texts), settings)


def judge(
    labels: Sequence[str], rows: Rows, probabilities: Probabilities, settings: EvaluationSettings
) -> Report:
    """Return the report of given answers.

    probabilities: (rows, labels) float32, columns in the order of ``labels``
    """
    tallies = metrics.tally(rows.targets, probabilities, rows.article_ids, settings.bins)
    drawn = metrics.bootstrap(tallies, settings.draws, settings.seed)
    by_name = {
        name: metrics.estimate(metric, tallies, drawn) for name, metric in metrics.METRICS.items()
    }
    by_metric = {
        name: _estimates(metric(tallies.total()), metric(drawn))
        for name, metric in metrics.LABEL_METRICS.items()
    }
    by_label = {
        label: {name: estimates[i] for name, estimates in by_metric.items()}
        for i, label in enumerate(labels)
    }
    return Report(tuple(labels), rows, probabilities, tallies, by_name, by_label)


def compare(model: Report, baseline: Report, settings: EvaluationSettings) -> Comparison:
    """Return ``model`` against ``baseline``, which must be reports on the same rows."""
    if model.rows.texts != baseline.rows.texts:
        raise ValueError("the two reports are on different rows")
    return metrics.compare(
        model.tallies,
        baseline.tallies,
        (model.correct, baseline.correct),
        settings.draws,
        settings.seed,
    )


def _estimates(values: metrics.Figures, drawn: metrics.Figures) -> list[Estimate]:
    lows, highs = np.percentile(drawn, metrics.LEVEL, axis=0)
    return [
        Estimate(float(value), float(lo), float(hi))
        for value, lo, hi in zip(values, lows, highs, strict=True)
    ]
