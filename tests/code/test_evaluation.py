"""Slices, confidence and disagreements say what a count by hand says."""

import numpy as np
import pytest
from samples import LABELS

from models.base import Rows
from models.errors import DataError
from train import confidence, evaluation, report, slices
from train.config import EvaluationSettings

SETTINGS = EvaluationSettings(draws=100)
SENTENCES = 60


def answers(seed: int) -> report.Report:
    """Random answers, right more often than not, to 60 sentences of 20 articles."""
    rng = np.random.default_rng(seed)
    targets = np.arange(SENTENCES) % len(LABELS)
    logits = rng.normal(size=(SENTENCES, len(LABELS))) + 1.2 * np.eye(len(LABELS))[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = Rows(
        ids=tuple(map(str, range(SENTENCES))),
        article_ids=tuple(f"a{i // 3}" for i in range(SENTENCES)),
        texts=tuple(" ".join(["word"] * (1 + i)) for i in range(SENTENCES)),
        targets=targets.astype(np.int64),
        columns={"source": tuple("wire" if i % 3 else "radio" for i in range(SENTENCES))},
    )
    return report.judge(LABELS, rows, probabilities.astype(np.float32), SETTINGS)


REPORT = answers(0)


def test_a_slice_has_the_accuracy_of_its_rows() -> None:
    found = {s.value: s for s in slices.by_column(REPORT, "source", SETTINGS)}
    assert {name: s.sentences for name, s in found.items()} == {"wire": 40, "radio": 20}
    radio = [REPORT.correct[i] for i in range(0, SENTENCES, 3)]
    assert found["radio"].accuracy.value == pytest.approx(np.mean(radio))
    assert found["radio"].accuracy.lo <= found["radio"].accuracy.value <= found["radio"].accuracy.hi


def test_slices_come_largest_first_and_cover_every_row() -> None:
    found = slices.by_column(REPORT, "source", SETTINGS)
    assert [s.value for s in found] == ["wire", "radio"]
    by_length = slices.by_column(REPORT, slices.LENGTH, SETTINGS)
    assert sum(s.sentences for s in by_length) == SENTENCES


@pytest.mark.parametrize(
    ("words", "name"), [(0, "0-4"), (4, "0-4"), (5, "5-9"), (39, "30-39"), (40, "40+"), (99, "40+")]
)
def test_a_length_falls_into_its_bin(words: int, name: str) -> None:
    assert slices.lengths([" ".join(["w"] * words)]) == [name]


def test_a_smaller_coverage_keeps_the_most_confident() -> None:
    curve = confidence.risk_coverage(REPORT, SETTINGS)
    assert curve[0].accuracy.value == pytest.approx(REPORT.metrics["accuracy"].value)
    top = np.argsort(-REPORT.probabilities.max(axis=1), kind="stable")[: SENTENCES // 2]
    assert curve[-1].coverage == 0.5
    assert curve[-1].accuracy.value == pytest.approx(REPORT.correct[top].mean())
    assert curve[-1].threshold == pytest.approx(REPORT.probabilities[top].max(axis=1).min())


def test_a_threshold_is_the_lowest_that_reaches_the_precision() -> None:
    guess, sure = REPORT.probabilities.argmax(axis=1), REPORT.probabilities.max(axis=1)
    for column, found in enumerate(confidence.thresholds(REPORT, 0.8)):
        mine = guess == column
        reaching = [
            t for t in sure[mine] if REPORT.correct[mine & (sure >= t)].mean() >= 0.8
        ]  # every place where a cut is possible
        assert found.threshold == pytest.approx(min(reaching))
        assert found.kept == (mine & (sure >= min(reaching))).sum()
        assert found.precision >= 0.8


def test_a_precision_that_is_never_reached_has_no_threshold() -> None:
    wrong = report.judge(
        LABELS,
        REPORT.rows,
        np.roll(np.eye(len(LABELS), dtype=np.float32), 1, axis=1)[REPORT.rows.targets],
        SETTINGS,
    )
    assert [t.threshold for t in confidence.thresholds(wrong, 0.5)] == [None] * len(LABELS)


def test_equal_confidences_are_kept_or_left_together() -> None:
    targets = np.array([0, 0, 1, 1])
    rows = Rows(tuple("abcd"), tuple("abcd"), ("t",) * 4, targets)
    sure = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.1, 0.9]], dtype=np.float32)
    found = confidence.thresholds(report.judge(("x", "y"), rows, sure, SETTINGS), 1.0)
    assert (found[0].threshold, found[0].kept) == (pytest.approx(0.9), 1)  # not one of the 0.6


def test_disagreements_are_the_rows_with_different_answers() -> None:
    other = answers(1)
    found = evaluation.disagreements([REPORT, other], ["a", "b"])
    differ = REPORT.probabilities.argmax(axis=1) != other.probabilities.argmax(axis=1)
    assert [row["place"] for row in found] == [str(i) for i in np.flatnonzero(differ)]
    assert all(row["answers"]["a"]["label"] != row["answers"]["b"]["label"] for row in found)


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(DataError, match='no column "outlet" to slice by; the rows have: source'):
        evaluation.deepen(REPORT, ["outlet"], None, SETTINGS)
