"""Adding log probabilities: what the weights do, and what a blend refuses."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from samples import LABELS, as_rows, labelled, no_steps

import models
from models.base import Classifier, Probabilities, Rows
from models.blend import Blend
from models.errors import ModelError
from models.settings import TfidfSettings, TransformerSettings

TRAIN, VALID, TEST = as_rows(labelled(30, 1)), as_rows(labelled(20, 2)), as_rows(labelled(20, 3))
TFIDF = TfidfSettings(family="tfidf")


class Told:
    """Gives the probabilities it was told, whatever it is asked; has nothing to save."""

    labels = LABELS

    def __init__(self, probabilities: Probabilities) -> None:
        self.probabilities = probabilities

    def fit(self, train: Rows, valid: Rows, on_step: object) -> "Told":
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        return self.probabilities[: len(texts)]

    def save(self, folder: Path) -> None:
        folder.mkdir()


def log_loss(probabilities: Probabilities) -> float:
    picked = probabilities[np.arange(len(VALID)), VALID.targets]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def knowing(share: float, seed: int) -> Told:
    """Right on ``share`` of the valid rows, and somewhere at random on the others."""
    rng = np.random.default_rng(seed)
    guess = np.where(rng.random(len(VALID)) < share, VALID.targets, rng.integers(0, 4, len(VALID)))
    probabilities = np.full((len(VALID), 4), 0.1, dtype=np.float32)
    probabilities[np.arange(len(VALID)), guess] = 0.7
    return Told(probabilities)


def blend_of(**members: Classifier) -> Blend:
    return Blend(TFIDF, members, LABELS, seed=1).fit(TRAIN, VALID, no_steps)


def test_a_blend_is_no_worse_on_the_valid_rows_than_its_best_member() -> None:
    one, other = knowing(0.7, seed=1), knowing(0.6, seed=2)
    blend = blend_of(one=one, other=other)
    best = min(log_loss(one.probabilities), log_loss(other.probabilities))
    assert log_loss(blend.predict_proba(VALID.texts)) < best - 0.05
    assert blend.weights[0] > blend.weights[1] > 0


def test_a_member_that_knows_nothing_gets_no_say() -> None:
    blend = blend_of(good=knowing(0.8, seed=1), noise=knowing(0.0, seed=2))
    assert blend.weights[1] < 0.2 * blend.weights[0]


def test_a_certain_member_cannot_make_the_answer_infinite() -> None:
    certain = np.zeros((len(VALID), 4), dtype=np.float32)
    certain[:, 0] = 1.0
    blend = blend_of(certain=Told(certain), good=knowing(0.8, seed=1))
    answers = blend.predict_proba(VALID.texts)
    assert np.isfinite(answers).all()
    assert (answers.argmax(axis=1) == VALID.targets).mean() > 0.6


def test_without_valid_rows_all_members_count_alike() -> None:
    blend = Blend(TFIDF, {"a": knowing(0.8, 1), "b": knowing(0.8, 2)}, LABELS, seed=1)
    blend.fit(TRAIN, VALID.take([]), no_steps)
    assert blend.weights.tolist() == [0.5, 0.5]


@pytest.fixture
def saved(tiny_encoder: Path, tmp_path: Path) -> Path:
    settings = TransformerSettings(
        family="transformer", encoder=str(tiny_encoder), epochs=1, max_tokens=32, ngrams=TFIDF
    )
    models.build(settings, LABELS, seed=1).fit(TRAIN, VALID, no_steps).save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_each_member_is_a_model_of_its_own(saved: Path) -> None:
    alone = models.load(saved / "ngrams").predict_proba(TEST.texts)
    fitted = models.build(TFIDF, LABELS, seed=1).fit(TRAIN, VALID, no_steps)
    np.testing.assert_array_equal(alone, fitted.predict_proba(TEST.texts))
    assert models.load(saved / "transformer").predict_proba(TEST.texts).shape == alone.shape


@pytest.mark.parametrize(
    "name", ["blend.json", "ngrams/pipeline.skops", "transformer/weights.safetensors"]
)
def test_a_changed_byte_anywhere_is_found(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[-1] ^= 1
    (saved / name).write_bytes(bytes(content))
    with pytest.raises(ModelError, match="was changed since the model was saved"):
        models.load(saved)


def test_weights_that_fit_no_member_are_refused(saved: Path) -> None:
    manifest = models.bundle.verify(saved)
    (saved / "blend.json").write_text(json.dumps({"ngrams": 1.0}))
    members = {"ngrams": knowing(1.0, 1), "transformer": knowing(1.0, 2)}
    with pytest.raises(ModelError, match="does not hold a weight per member"):
        Blend.from_bundle(saved, manifest, members)
