"""A model's answers to labelled rows become a Report: figures, intervals, pictures, errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.base import Classifier, Probabilities, Rows
from train import metrics
from train.config import EvaluationSettings
from train.metrics import Comparison, Estimate, Tally

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE_INCHES = 4.6
"""Width and height of a figure: two fit side by side in the MLflow UI."""
INK = "#1f4e79"


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


def confusion_figure(report: Report) -> "Figure":
    """True labels by predicted labels: counts, shaded by the share of the true label."""
    from matplotlib.figure import Figure

    counts = np.array(report.confusion)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(SIDE_INCHES + 0.8, SIDE_INCHES), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [label.replace("_", "\n") for label in report.labels]
    axes.set_xticks(range(len(names)), names, fontsize=8, rotation=90 if len(names) > 6 else 0)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    if len(names) <= 12:  # more cells are too small for a number
        for i, j in np.ndindex(counts.shape):
            colour = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour)
    axes.set(xlabel="predicted", ylabel="true", title=f"{len(report.rows)} test sentences")
    return figure


def reliability_figure(report: Report) -> "Figure":
    """Accuracy by confidence; a calibrated model lies on the diagonal."""
    from matplotlib.figure import Figure

    bins = report.reliability()
    figure = Figure(figsize=(SIDE_INCHES, SIDE_INCHES), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    confidence, accuracy = ([row[key] for row in bins] for key in ("confidence", "accuracy"))
    axes.plot(confidence, accuracy, color=INK, linewidth=1)
    largest = max(row["sentences"] for row in bins)
    axes.scatter(
        confidence, accuracy, s=[20 + 180 * row["sentences"] / largest for row in bins], color=INK
    )
    axes.set(
        xlabel="confidence",
        ylabel="accuracy",
        xlim=(0, 1.03),
        ylim=(0, 1.03),
        title=f"expected calibration error {report.metrics['ece'].value:.3f}",
    )
    axes.text(0.03, 0.95, "larger dot: more sentences", fontsize=8, color="grey")
    return figure


def _estimates(values: metrics.Figures, drawn: metrics.Figures) -> list[Estimate]:
    lows, highs = np.percentile(drawn, metrics.LEVEL, axis=0)
    return [
        Estimate(float(value), float(lo), float(hi))
        for value, lo, hi in zip(values, lows, highs, strict=True)
    ]
