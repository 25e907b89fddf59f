"""Behaviour tests are read strictly and counted rightly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from samples import LABELS
from scipy.stats import binomtest

from models.errors import ConfigError
from train import suite

ROOT = Path(__file__).parents[2]
A, B = "advisory", "background"


class Says:
    """Answers by a word in the text, background otherwise."""

    labels = LABELS

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        columns = [next((i for i, label in enumerate(LABELS) if label in t), 1) for t in texts]
        return np.eye(len(LABELS), dtype=np.float32)[columns]


def results(tmp_path: Path, content: str) -> suite.SuiteReport:
    (tmp_path / "suite.yaml").write_text(content)
    return suite.run(Says(), suite.read([str(tmp_path / "suite.yaml")], LABELS))


def test_a_case_that_must_hold_fails_on_another_label(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        "- {capability: c, kind: must hold, cases: [{text: advisory, label: advisory},"
        " {text: nothing, label: advisory}]}",
    )
    assert (found.total.cases, found.total.failures) == (2, 1)
    assert found.failures[0].answers == (B,)


def test_texts_that_must_agree_fail_when_one_differs(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        "- capability: c\n  kind: must not change\n  cases:\n"
        "    - {text: 'a {word} here', fill: {word: [cow, goat, advisory]}}\n"
        "    - {texts: [advisory, advisory too]}\n",
    )
    assert [f.answers for f in found.failures] == [(B, B, A)]


def test_a_change_must_reach_the_label_beside_it(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        "- capability: c\n  kind: must change\n  cases:\n"
        "    - {texts: [advisory, none], labels: [advisory, background]}\n"
        "    - {texts: [advisory, advisory], labels: [advisory, background]}\n",
    )
    assert found.total.failures == 1


def test_the_rate_has_wilsons_interval(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        "- {capability: c, kind: must hold, cases: [{text: x, label: background},"
        " {text: y, label: background}, {text: z, label: advisory}]}",
    )
    expected = binomtest(1, 3).proportion_ci(method="wilson")
    rate = found.capabilities[0].rate
    assert (rate.lo, rate.value, rate.hi) == pytest.approx((expected.low, 1 / 3, expected.high))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("capability: c", "a suite is a list"),
        ("- {capability: c, kind: must hold, cases: [{text: x}]}", "case 1 must have a label"),
        ("- {capability: c, kind: must hold, cases: []}", "cases"),
        ("- {capability: c, kind: must fly, cases: [{text: x, label: advisory}]}", "kind"),
        ("- {capability: c, kind: must hold, cases: [{label: advisory}]}", "either text or texts"),
        (
            "- {capability: c, kind: must not change, cases: [{text: 'in {town}'}]}",
            "text names something that fill does not have",
        ),
        (
            "- {capability: c, kind: must change, cases: [{texts: [x, y], labels: [advisory]}]}",
            "labels must be as many as texts",
        ),
        (
            "- {capability: c, kind: must hold, cases: [{text: x, label: rumour}]}",
            'the model has no label "rumour"',
        ),
    ],
)
def test_a_wrong_suite_is_named_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"suite\.yaml") as caught:
        results(tmp_path, content)
    assert message in str(caught.value)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such suite"):
        suite.read([str(tmp_path / "none.yaml")], LABELS)


def test_the_suite_of_the_project_is_as_large_as_promised() -> None:
    capabilities = suite.read([str(ROOT / "tests" / "behaviour" / "*.yaml")], LABELS)
    texts = [t for c in capabilities for case in c.cases for t in case.sentences()]
    assert len({c.capability for c in capabilities}) == len(capabilities) >= 25
    assert sum(len(c.cases) for c in capabilities) >= 300
    assert {c.kind for c in capabilities} == {"must hold", "must not change", "must change"}
    assert len(set(texts)) == len(texts)
