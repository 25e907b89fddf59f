"""Temperature scaling, the one calibration that both families use."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from models.base import Logits, Probabilities, Targets

LOG_TEMPERATURE_BOUNDS = (-3.0, 3.0)
"""Search between T = 0.05 and T = 20; a fitted model lies well inside."""


def fit_temperature(logits: Logits, targets: Targets) -> float:
    """Return the temperature that minimises the log loss of ``softmax(logits / T)``.

    logits:   (sentences, labels) float32
    targets:  (sentences,) int64
    Returns a float > 0; 1.0 when there are no sentences to learn it from.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    if len(targets) == 0:
        return 1.0
    rows = np.arange(len(targets))

    def log_loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(-log_softmax(scaled, axis=1)[rows, targets].mean())

    best = minimize_scalar(log_loss, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded")
    return float(np.exp(best.x))


def calibrated(logits: Logits, temperature: float) -> Probabilities:
    """Return softmax(logits / temperature) as (sentences, labels) float32; rows sum to 1."""
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    return np.asarray(probabilities, dtype=np.float32)
