"""One contract, kept by every family that ``models.settings`` knows."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from samples import LABELS, WORDS, as_rows, labelled, no_steps

import models
from models.base import Classifier
from models.settings import ModelSettings, Settings, TfidfSettings, TransformerSettings

FAMILIES: tuple[type[Settings], ...] = get_args(get_args(ModelSettings)[0])
TRAIN, VALID, TEST = as_rows(labelled(30, 1)), as_rows(labelled(8, 2)), as_rows(labelled(8, 3))
EXTREMES = ("", " ", "x", "word " * 50_000, "\ud800 half a surrogate", "🛰️ Ω 日本", "\x00\n\t")


def variants(tiny_encoder: Path) -> dict[str, Any]:
    """Settings under which each family learns in seconds; a new family needs a line here."""
    encoder = {
        "encoder": str(tiny_encoder),
        "epochs": 6,
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "max_tokens": 32,
    }
    ngrams = TfidfSettings(family="tfidf")
    return {
        "tfidf": ngrams,
        "transformer": TransformerSettings(family="transformer", **encoder),
        "transformer with ngrams": TransformerSettings(
            family="transformer", ngrams=ngrams, **encoder
        ),
    }


def test_every_family_keeps_the_contract(tiny_encoder: Path) -> None:
    assert {type(settings) for settings in variants(tiny_encoder).values()} == set(FAMILIES)


@pytest.fixture(scope="module", params=["tfidf", "transformer", "transformer with ngrams"])
def settings(request: pytest.FixtureRequest, tiny_encoder: Path) -> Any:
    return variants(tiny_encoder)[request.param]


@pytest.fixture(scope="module")
def fitted(settings: Any) -> Classifier:
    return models.build(settings, LABELS, seed=1).fit(TRAIN, VALID, no_steps)


def test_learns_what_words_tell(fitted: Classifier) -> None:
    right = fitted.predict_proba(TEST.texts).argmax(axis=1) == TEST.targets
    assert right.mean() > 0.8


def test_probabilities_have_one_row_a_sentence_and_sum_to_one(fitted: Classifier) -> None:
    probabilities = fitted.predict_proba(TEST.texts)
    assert probabilities.shape == (len(TEST), len(LABELS))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert (probabilities >= 0).all()


def test_columns_are_the_sorted_labels_whatever_order_they_were_given_in(settings: Any) -> None:
    assert models.build(settings, LABELS[::-1], seed=1).labels == tuple(sorted(LABELS))


def test_an_explanation_names_words_of_the_label(fitted: Classifier) -> None:
    explanations = fitted.explain(TEST.texts, TEST.targets.tolist())
    assert len(explanations) == len(TEST)
    named = 0
    for text, target, explanation in zip(TEST.texts, TEST.targets, explanations, strict=True):
        weights = [weight for _, weight in explanation]
        assert weights == sorted(weights, reverse=True)
        assert all(weight > 0 for weight in weights)
        assert all(
            word in text.lower() for piece, _ in explanation for word in piece.lower().split()
        )
        named += explanation[0][0].lower().split()[0] in WORDS[LABELS[target]].split()
    assert named > 0.7 * len(TEST)  # a third of the words are of any label


def test_anything_can_be_explained(fitted: Classifier) -> None:
    assert len(fitted.explain(EXTREMES, [0] * len(EXTREMES))) == len(EXTREMES)
    assert fitted.explain([], []) == []


def test_saved_and_loaded_it_gives_the_same_answers(fitted: Classifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "bundle")
    again = models.load(tmp_path / "bundle")
    assert again.labels == fitted.labels
    np.testing.assert_array_equal(again.predict_proba(TEST.texts), fitted.predict_proba(TEST.texts))


def test_the_same_seed_gives_the_same_model(fitted: Classifier, settings: Any) -> None:
    again = models.build(settings, LABELS, seed=1).fit(TRAIN, VALID, no_steps)
    np.testing.assert_array_equal(again.predict_proba(TEST.texts), fitted.predict_proba(TEST.texts))


def test_no_sentences_give_no_rows(fitted: Classifier) -> None:
    assert fitted.predict_proba([]).shape == (0, len(LABELS))


def test_one_sentence_gets_the_answer_it_gets_among_others(fitted: Classifier) -> None:
    alone = fitted.predict_proba(TEST.texts[:1])
    among = fitted.predict_proba(TEST.texts)[:1]
    # Other padding means other rounding where bfloat16 is used.
    np.testing.assert_allclose(alone, among, atol=0.02)


@pytest.mark.parametrize("text", EXTREMES, ids=lambda text: repr(text[:10]))
def test_any_text_gets_probabilities(fitted: Classifier, text: str) -> None:
    probabilities = fitted.predict_proba([text, TEST.texts[0]])
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_composed_and_decomposed_spellings_get_the_same_answer(fitted: Classifier) -> None:
    composed, decomposed = fitted.predict_proba(
        ["The caf\u00e9 in Bogot\u00e1", "The cafe\u0301 in Bogota\u0301"]
    )
    np.testing.assert_allclose(composed, decomposed, atol=0.02)


def test_a_label_missing_from_training_still_has_its_column(settings: Any) -> None:
    keep = [i for i, target in enumerate(TRAIN.targets) if target != 2]
    model = models.build(settings, LABELS, seed=1).fit(TRAIN.take(keep), VALID, no_steps)
    probabilities = model.predict_proba(TEST.texts)
    assert probabilities.shape[1] == len(LABELS)
    assert (probabilities.argmax(axis=1) != 2).mean() > 0.9


def test_steps_are_reported_up_to_the_last(settings: Any) -> None:
    seen: list[tuple[int, int]] = []
    models.build(settings, LABELS, seed=1).fit(
        TRAIN, VALID, lambda step, steps, figures: seen.append((step, steps))
    )
    assert seen
    assert seen[-1][0] <= seen[-1][1]
    assert [step for step, _ in seen] == sorted(step for step, _ in seen)
