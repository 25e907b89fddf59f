"""Pictures of how a model did, as matplotlib figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.confidence import Kept
from train.report import Report

SIDE_INCHES = 4.6
"""Width and height of a figure: two fit side by side in the MLflow UI."""
INK = "#1f4e79"
SECOND_INK = "#c55a11"
"""Tells from INK by lightness too, for print and for colour-blind readers."""

History = Sequence[tuple[int, Mapping[str, float]]]
"""What a fit told on its way: (optimiser step, figures by name)."""


def confusion(report: Report) -> Figure:
    """True labels by predicted labels: counts, shaded by the share of the true label."""
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


def reliability(report: Report) -> Figure:
    """Accuracy by confidence; a calibrated model lies on the diagonal."""
    bins = report.reliability()
    figure, axes = _square()
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


def label_f1(report: Report) -> Figure:
    """F1 of every label with its 95 % interval, and macro-F1 as a line."""
    figure, axes = _square()
    estimates = [report.by_label[label]["f1"] for label in report.labels]
    places = np.arange(len(estimates))
    values = np.array([e.value for e in estimates])
    reach = np.abs(np.array([[e.lo, e.hi] for e in estimates]).T - values)
    axes.errorbar(values, places, xerr=reach, fmt="o", color=INK, capsize=3)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.2f}", (value, place), (0, 7), textcoords="offset points",
                      ha="center", fontsize=8, color=INK)  # fmt: skip
    macro = report.metrics["macro_f1"]
    axes.axvline(macro.value, color="grey", linestyle="--", linewidth=1)
    axes.set_yticks(places, [label.replace("_", "\n") for label in report.labels], fontsize=8)
    axes.set(xlabel="F1", xlim=(0, 1.03), ylim=(len(places) - 0.5, -0.5))
    axes.set_title(f"macro-F1 {macro}", fontsize=10)
    return figure


def risk_coverage(curve: Sequence[Kept]) -> Figure:
    """Macro-F1 and accuracy when only the more confident answers are kept."""
    figure, axes = _square()
    shares = [kept.coverage for kept in curve]
    for name, ink in (("macro_f1", INK), ("accuracy", SECOND_INK)):
        estimates = [getattr(kept, name) for kept in curve]
        axes.plot(shares, [e.value for e in estimates], color=ink, marker="o", markersize=3,
                  label=name.replace("_f1", "-F1"))  # fmt: skip
        axes.fill_between(shares, [e.lo for e in estimates], [e.hi for e in estimates],
                          color=ink, alpha=0.15, linewidth=0)  # fmt: skip
    axes.set(xlabel="share of sentences kept, the most confident ones", ylabel="quality of these")
    axes.set_title("the others are left to a person", fontsize=10)
    axes.invert_xaxis()
    axes.legend(loc="lower right", frameon=False)
    return figure


def training_curve(history: History) -> Figure | None:
    """Loss by step, and macro-F1 on the valid rows where it was told; None without a loss."""
    losses = [(step, f["train/loss"]) for step, f in history if "train/loss" in f]
    if not losses:
        return None
    figure, axes = _square()
    axes.plot(*zip(*losses, strict=True), color=INK, linewidth=1, label="loss, training rows")
    axes.set(xlabel="optimiser step", ylabel="loss", ylim=(0, None))
    judged = [(step, f["valid/macro_f1"]) for step, f in history if "valid/macro_f1" in f]
    if judged:
        right = axes.twinx()
        right.plot(*zip(*judged, strict=True), color=SECOND_INK, marker="o", linestyle="",
                   label="macro-F1, valid rows")  # fmt: skip
        right.set(ylim=(0, 1.03), ylabel="macro-F1")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(SIDE_INCHES, SIDE_INCHES), layout="constrained")
    return figure, figure.add_subplot()
