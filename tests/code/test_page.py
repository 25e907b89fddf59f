"""The page and the card of a run say what its report says, and load nothing from elsewhere."""

import re

import numpy as np
import pytest
import yaml
from samples import LABELS

from models.base import Rows
from train import card, confidence, evaluation, figures, page, report, suite
from train.config import DataSettings, EvaluationSettings, RunConfig
from train.page import marked
from train.splits import LeakReport, Split

SETTINGS = EvaluationSettings(draws=100)
NASTY = '<script>alert("x")</script> & Ω'


def judged() -> evaluation.Evaluation:
    rng = np.random.default_rng(0)
    targets = np.arange(40) % len(LABELS)
    logits = rng.normal(size=(40, len(LABELS))) + np.eye(len(LABELS))[targets]
    rows = Rows(
        tuple(map(str, range(40))),
        tuple(f"a{i // 2}" for i in range(40)),
        tuple(f"{NASTY} {i}" for i in range(40)),
        targets.astype(np.int64),
        {"register": ("<b>wire</b>",) * 40},
    )
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    found = report.judge(LABELS, rows, probabilities, SETTINGS)
    return evaluation.deepen(found, ["register"], None, SETTINGS)


JUDGED = judged()
ROWS = JUDGED.report.rows
FACTS = {"sentences": {"train": 40}, "digests": {"train": "d1gest"}}
CONFIG = RunConfig(
    name="run",
    data=DataSettings(files=("rows.jsonl",)),
    model={"family": "tfidf"},  # type: ignore[arg-type]
)


def rendered() -> str:
    split = Split(LABELS, ROWS, ROWS, ROWS, LeakReport({"test": 20}, 0, 0, 0, 0, True))
    behaviour = suite.SuiteReport(
        (suite._rated("a <capability>", "must hold", 4, 1),),
        suite._rated("all", "must hold", 4, 1),
        (suite.Failure("a <capability>", "must hold", (NASTY,), ("advisory",), ("background",)),),
    )
    wrong = [{**row, "because": [("script", 1.0)]} for row in JUDGED.report.wrong()]
    pictures = {
        "label F1": figures.label_f1(JUDGED.report),
        "risk": figures.risk_coverage(JUDGED.curve),
    }
    return page.render("run", JUDGED, behaviour, pictures, wrong, split, FACTS, "name: run")


HTML = rendered()


def test_the_page_shows_the_figures_of_the_report() -> None:
    assert str(JUDGED.report.metrics["macro_f1"]) in HTML
    assert all(str(JUDGED.report.by_label[label]["f1"]) in HTML for label in LABELS)
    assert HTML.count("<img ") == 2
    assert "d1gest" in HTML


def test_everything_from_the_data_is_escaped() -> None:
    assert "<script" not in HTML
    assert "<b>wire" not in HTML
    assert "<capability" not in HTML
    assert "&lt;b&gt;wire" in HTML


def test_the_page_loads_nothing_from_elsewhere() -> None:
    assert not re.search(r"""(src|href)=["'](?!data:)""", HTML)
    assert "Content-Security-Policy" in HTML


@pytest.mark.parametrize(
    ("explanation", "expected"),
    [
        ([], "Troops &lt;fired&gt; &amp; fled"),
        ([("fired", 2.0)], "Troops &lt;<mark>fired</mark>&gt; &amp; fled"),
        ([("fired", 2.0), ("ire", 1.0)], "Troops &lt;<mark>fired</mark>&gt; &amp; fled"),
        ([("troops", 1.0)], "<mark>Troops</mark> &lt;fired&gt; &amp; fled"),
        ([("not there", 1.0)], "Troops &lt;fired&gt; &amp; fled"),
    ],
)
def test_words_that_decided_are_underlined(
    explanation: list[tuple[str, float]], expected: str
) -> None:
    assert marked("Troops <fired> & fled", explanation) == expected


def test_the_card_is_markdown_with_a_head_that_the_hub_reads() -> None:
    text = card.write(CONFIG, JUDGED, FACTS)
    _, head, body = text.split("---\n", 2)
    results = yaml.safe_load(head)["model-index"][0]["results"][0]["metrics"]
    value = next(metric["value"] for metric in results if metric["type"] == "macro_f1")
    assert value == pytest.approx(JUDGED.report.metrics["macro_f1"].value, abs=1e-4)
    assert "`d1gest`" in body
    assert "## Limits" in body


def test_a_fit_without_steps_has_no_training_curve() -> None:
    assert figures.training_curve([(1, {"temperature": 1.2})]) is None
    told = [(10, {"train/loss": 1.0}), (20, {"train/loss": 0.5}), (20, {"valid/macro_f1": 0.7})]
    drawn = figures.training_curve(told)
    assert drawn is not None
    assert drawn.axes[0].lines[0].get_xydata().tolist() == [[10, 1.0], [20, 0.5]]


def test_the_risk_coverage_figure_draws_the_curve() -> None:
    curve = confidence.risk_coverage(JUDGED.report, SETTINGS)
    line = figures.risk_coverage(curve).axes[0].lines[0]
    assert line.get_ydata().tolist() == [kept.macro_f1.value for kept in curve]
