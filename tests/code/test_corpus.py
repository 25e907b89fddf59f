"""What is said of a corpus: agreement, realism, folds and subsets that keep articles whole."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from samples import LABELS, as_rows, labelled, no_steps

import models
from models.base import Probabilities, Rows
from models.settings import TfidfSettings
from train import corpus, metrics
from train.config import Columns, DataSettings, EvaluationSettings, RunConfig
from train.report import judge

CONFIG = RunConfig(
    name="tfidf", data=DataSettings(files=("x",)), model=TfidfSettings(family="tfidf")
)


def silent(name: str, step: int, steps: int, figures: object) -> None:
    no_steps(step, steps, {})


def with_votes(votes: list[list[str]]) -> Rows:
    rows = as_rows(labelled(1))
    chosen = rows.take([0] * len(votes))
    cells = tuple(json.dumps(v) for v in votes)
    return Rows(chosen.ids, chosen.article_ids, chosen.texts, chosen.targets, {"votes": cells})


def test_kappa_worked_out_by_hand() -> None:
    # Agreement 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5; kappa 0.2 / 0.5.
    votes = [["a", "a"]] * 4 + [["a", "b"]] + [["b", "a"]] * 2 + [["b", "b"]] * 3
    assert corpus.kappa(with_votes(votes)) == pytest.approx(0.4)


def test_kappa_is_not_defined_where_there_is_one_label_or_no_vote() -> None:
    assert corpus.kappa(with_votes([["a", "a"], ["a", "a"]])) is None
    assert corpus.kappa(as_rows(labelled(2))) is None


def test_slices_add_up() -> None:
    rows = as_rows(labelled(6))
    registers = tuple("news" if i < 8 else "advice" for i in range(len(rows)))
    rows = Rows(rows.ids, rows.article_ids, rows.texts, rows.targets, {"register": registers})
    first, second, everything = corpus.slices(rows, LABELS, "register")
    assert (first.name, second.name, everything.name) == ("advice", "news", "all")
    assert (first.texts, second.texts, everything.texts) == (4, 2, 6)
    assert np.add(first.by_label, second.by_label).tolist() == list(everything.by_label)


def test_auc_is_a_half_for_one_kind_of_text_and_one_for_two() -> None:
    one, other = as_rows(labelled(100, seed=1)), as_rows(labelled(100, seed=2))
    assert corpus.auc_against(one, other, seed=1) == pytest.approx(0.5, abs=0.1)
    marked = [row | {"text": f"{row['text']} Reportedly."} for row in labelled(100, seed=2)]
    assert corpus.auc_against(one, as_rows(marked), seed=1) > 0.99


def test_quotes_and_dashes_do_not_tell_two_texts_apart() -> None:
    curly = [row | {"text": f"“{row['text']}” – ‘so’"} for row in labelled(100, seed=1)]
    straight = [row | {"text": f"\"{row['text']}\" - 'so'"} for row in labelled(100, seed=2)]
    assert corpus.auc_against(as_rows(curly), as_rows(straight), seed=1) < 0.65


def test_cross_validation_learns_what_is_there_and_not_what_is_not() -> None:
    rows = as_rows(labelled(60))
    assert corpus.cross_validated_f1(CONFIG, rows, LABELS, 5, 1, silent) > 0.8
    shuffled = np.random.default_rng(0).permutation(rows.targets)
    noise = Rows(rows.ids, rows.article_ids, rows.texts, shuffled)
    assert corpus.cross_validated_f1(CONFIG, noise, LABELS, 5, 1, silent) < 0.4


def test_smaller_samples_stand_within_larger_ones_in_whole_articles() -> None:
    rows = as_rows(labelled(50))
    small = corpus._first_articles(rows, 41, seed=3)
    large = corpus._first_articles(rows, 101, seed=3)
    assert set(small) < set(large)
    assert len(small) == 44  # eleven articles of four
    assert corpus._first_articles(rows, 41, seed=4) != small
    assert corpus._first_articles(rows, 10_000, seed=3) == list(range(len(rows)))


def test_the_mean_of_one_model_is_its_own_figure_and_interval() -> None:
    rows = as_rows(labelled(40))
    settings = EvaluationSettings()
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(len(LABELS)), size=len(rows)).astype(np.float32)
    report = judge(LABELS, rows, probabilities, settings)
    mean = corpus.mean_over([report, report], metrics.macro_f1, settings)
    assert vars(mean) == pytest.approx(vars(report.metrics["macro_f1"]))
    part = corpus.mean_over([report], metrics.accuracy, settings, range(20))
    assert part.value == pytest.approx(report.correct[:20].mean())


def test_votes_and_kept_columns_reach_the_rows(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from train import data

    row = {"article_id": "a", "text": "t", "label": "x", "votes": ["x", "y"], "stratum": "news"}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"text": "u", "label": "y"}) + "\n")
    columns = Columns(keep=("stratum",))
    rows = data.read(DataSettings(files=(str(path),), columns=columns))[0].rows
    assert rows.columns["votes"] == ('["x", "y"]', '["x", "y"]')
    assert rows.columns["stratum"] == ("news", "news")


class Remembering:
    """Guesses nothing, and keeps what it was fitted on."""

    labels = LABELS

    def __init__(self, seen: list[tuple[Rows, Rows]]) -> None:
        self.seen = seen

    def fit(self, train: Rows, valid: Rows, on_step: object) -> "Remembering":
        self.seen.append((train, valid))
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        return np.full((len(texts), len(LABELS)), 1 / len(LABELS), dtype=np.float32)


def test_a_way_is_fitted_on_its_own_rows_and_calibrated_on_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = as_rows(labelled(30))
    ways = tuple("first" if i < 60 else "second" for i in range(len(rows)))
    rows = Rows(rows.ids, rows.article_ids, rows.texts, rows.targets, {"way": ways})
    real = as_rows(labelled(10, seed=9))
    seen: list[tuple[Rows, Rows]] = []
    monkeypatch.setattr(models, "build", lambda *_: Remembering(seen))
    found = corpus.compare_ways([CONFIG], rows, rows, LABELS, real, "way", [1, 2], silent)
    assert [(way.slice_.name, way.slice_.sentences) for way in found] == [
        ("first", 60),
        ("second", 60),
    ]
    assert [len(way.real["tfidf"]) for way in found] == [2, 2]
    whole = [(train, valid) for train, valid in seen if len(train) == 60]
    assert [{*train.columns["way"]} for train, _ in whole] == [{"first"}] * 2 + [{"second"}] * 2
    assert [{*valid.columns["way"]} for _, valid in whole] == [{"second"}] * 2 + [{"first"}] * 2
