"""Everything that is told about models judged on labelled rows: slices, confidence, differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import Classifier
from models.errors import DataError
from train import confidence, slices
from train.confidence import Kept, Threshold
from train.config import EvaluationSettings
from train.metrics import Comparison
from train.report import Report
from train.slices import LENGTH, Slice

EXPLAINED = 200
"""Wrong sentences that are explained, the most confident first: 15 ms each for a transformer."""


@dataclass(frozen=True)
class Evaluation:
    """A report, and where and how surely the model is right."""

    report: Report
    slices: dict[str, list[Slice]]
    """By column; sentence lengths always."""
    curve: list[Kept]
    """Quality against the share of answers that are kept."""
    wanted_precision: float | None
    thresholds: list[Threshold]
    """For that precision, by label; empty where none was asked for."""

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it."""
        content = {
            **self.report.as_dict(),
            "slices": slices.as_dict(self.slices),
            "risk_coverage": confidence.as_dict(self.curve),
        }
        if self.wanted_precision is not None:
            content["thresholds"] = {
                "precision": self.wanted_precision,
                "labels": [vars(threshold) for threshold in self.thresholds],
            }
        return content


def deepen(
    report: Report,
    columns: Sequence[str],
    wanted_precision: float | None,
    settings: EvaluationSettings,
) -> Evaluation:
    """Return ``report`` with its slices by ``columns`` and the worth of the model's confidence.

    Raises DataError for a column that the rows do not have.
    """
    for column in columns:
        if column not in report.rows.columns:
            known = ", ".join(sorted(report.rows.columns)) or "none"
            raise DataError(f'there is no column "{column}" to slice by; the rows have: {known}')
    return Evaluation(
        report,
        {c: slices.by_column(report, c, settings) for c in (*dict.fromkeys(columns), LENGTH)},
        confidence.risk_coverage(report, settings),
        wanted_precision,
        [] if wanted_precision is None else confidence.thresholds(report, wanted_precision),
    )


def explained(model: Classifier, report: Report) -> list[dict[str, Any]]:
    """Return the wrong sentences of ``report``, the first ones with what spoke for the answer."""
    wrong = report.wrong()
    first = wrong[:EXPLAINED]
    columns = [report.labels.index(row["predicted"]) for row in first]
    because = model.explain([row["text"] for row in first], columns)
    return [{**row, "because": because[i] if i < len(first) else []} for i, row in enumerate(wrong)]


def disagreements(reports: Sequence[Report], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows to which the models gave different labels, in the order of the rows.

    reports: on the same rows; names: of their models
    """
    answers = np.stack([report.probabilities.argmax(axis=1) for report in reports])
    surest = np.stack([report.probabilities.max(axis=1) for report in reports])
    rows, labels = reports[0].rows, reports[0].labels
    return [
        {
            "text": rows.texts[i],
            "true": labels[rows.targets[i]],
            "answers": {
                name: {"label": labels[answer], "confidence": round(float(sure), 4)}
                for name, answer, sure in zip(names, answers[:, i], surest[:, i], strict=True)
            },
            "article_id": rows.article_ids[i],
            "place": rows.ids[i],
        }
        for i in np.flatnonzero((answers != answers[0]).any(axis=0)).tolist()
    ]


def comparison_dict(
    names: Sequence[str], reports: Sequence[Report], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    """Models against the first of them, as JSON holds it."""
    labels = reports[0].labels
    return {
        "baseline": names[0],
        "sentences": len(reports[0].rows),
        "articles": reports[0].articles,
        "interval": "95 %, paired bootstrap over articles",
        "models": [
            {"model": name, "macro_f1": vars(report.metrics["macro_f1"])}
            for name, report in zip(names, reports, strict=True)
        ],
        "differences": [
            {
                "model": name,
                "verdict": c.verdict,
                "macro_f1": vars(c.difference),
                "p_value": c.p_value,
                "mcnemar_p_value": c.mcnemar_p,
                "only_model_right": c.only_model,
                "only_baseline_right": c.only_baseline,
                "f1": {n: vars(e) for n, e in zip(labels, c.label_f1, strict=True)},
            }
            for name, c in zip(names[1:], comparisons, strict=True)
        ],
    }
