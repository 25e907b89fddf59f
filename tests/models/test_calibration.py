"""Temperature scaling finds the temperature that made the labels."""

import numpy as np
import pytest
from scipy.special import softmax

from models.calibration import calibrated, fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_drew_the_labels_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=3, size=(20_000, 4)).astype(np.float32)
    drawn = [rng.choice(4, p=p) for p in softmax(logits.astype(np.float64) / temperature, axis=1)]
    assert fit_temperature(logits, np.array(drawn)) == pytest.approx(temperature, rel=0.05)


def test_calibration_never_changes_the_label() -> None:
    logits = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    assert (calibrated(logits, 2.5).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_without_sentences_the_temperature_is_one() -> None:
    assert fit_temperature(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) == 1.0
