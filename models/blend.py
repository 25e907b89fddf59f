"""Several classifiers as one: their log probabilities are added, each with a learnt weight."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score

from models import bundle
from models.base import Classifier, Explanation, OnStep, Probabilities, Rows, Targets, silent
from models.errors import ModelError
from models.settings import ModelSettings

WEIGHTS = "blend.json"
PACKAGES = ("numpy", "scipy", "pydantic")
SMALLEST = 1e-12
"""A probability of zero counts as this much: no member can rule a label out by itself."""
LARGEST_WEIGHT = 20.0


class Blend:
    """A classifier made of others, which are fitted on the same rows.

    Source: Hinton 2002, "Training Products of Experts by Minimizing Contrastive Divergence", for
    the product; the weights are those of a log-linear pool, fitted on the valid rows.
    """

    def __init__(
        self,
        settings: ModelSettings,
        members: Mapping[str, Classifier],
        labels: Sequence[str],
        seed: int,
        choosing: bool = False,
    ) -> None:
        """Hold ``members`` by the names that their folders get; the last one reports its steps.

        choosing: whether members need valid rows to fit, for example to choose an epoch
        """
        self.settings = settings
        self.members = dict(members)
        self.labels = tuple(sorted(labels))
        self.seed = seed
        self.choosing = choosing
        self.temperature = 1.0  # the weights scale the logits already
        self.weights = np.full(len(members), 1 / len(members))

    @classmethod
    def from_bundle(
        cls, folder: Path, manifest: bundle.Manifest, members: Mapping[str, Classifier]
    ) -> Self:
        """Return the blend of a verified bundle and its ``members``, loaded from it already.

        Raises ModelError when the weights do not fit the members.
        """
        blend = cls(manifest.settings, members, manifest.labels, manifest.seed)
        try:
            weights = json.loads((folder / WEIGHTS).read_text(encoding="utf-8"))
            blend.weights = np.array([float(weights[name]) for name in members])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder / WEIGHTS} does not hold a weight per member") from error
        return blend

    def fit(self, train: Rows, valid: Rows, on_step: OnStep) -> Self:
        """Fit every member on ``train``, and their weights on ``valid``.

        ``on_step`` is told of the last member and, where that judges nothing, of the whole.

        Raises ModelError when a member cannot be fitted.
        """
        # Members that choose nothing would label the valid rows only to be calibrated, which the
        # weights do for all of them.
        seen = valid if self.choosing else valid.take([])
        reached = (1, 1)

        def told(step: int, steps: int, figures: Mapping[str, float]) -> None:
            nonlocal reached
            reached = (step, steps)
            on_step(step, steps, figures)

        *quiet, last = self.members.values()
        for member in quiet:
            member.fit(train, seen, silent)
        last.fit(train, seen, told)
        logs = self._log_probabilities(valid.texts)
        self.weights = _fit_weights(logs, valid.targets)
        if len(valid) and not self.choosing:
            guess = np.tensordot(self.weights, logs, axes=1).argmax(axis=1)
            columns = range(len(self.labels))
            score = f1_score(valid.targets, guess, labels=columns, average="macro", zero_division=0)
            on_step(*reached, {"valid/macro_f1": float(score)})
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """Return (len(texts), labels) calibrated probabilities, in the order of ``texts``."""
        pooled = np.tensordot(self.weights, self._log_probabilities(texts), axes=1)
        return np.asarray(softmax(pooled, axis=1), dtype=np.float32)

    def explain(self, texts: Sequence[str], columns: Sequence[int]) -> list[Explanation]:
        """Return what spoke for the label of each column, by the last member alone."""
        *_, last = self.members.values()
        return last.explain(texts, columns)

    def save(self, folder: Path) -> None:
        """Write the bundle ``folder``, which must not exist; every member is one within it."""
        bundle.save(folder, self, PACKAGES, self._write_files)

    def _write_files(self, draft: Path) -> None:
        for name, member in self.members.items():
            member.save(draft / name)
        weights = dict(zip(self.members, self.weights.tolist(), strict=True))
        (draft / WEIGHTS).write_text(json.dumps(weights, indent=2) + "\n", encoding="utf-8")

    def _log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(members, sentences, labels)."""
        stacked = np.stack([member.predict_proba(texts) for member in self.members.values()])
        logs: NDArray[np.float64] = np.log(np.maximum(stacked.astype(np.float64), SMALLEST))
        return logs


def _fit_weights(log_probabilities: NDArray[np.float64], targets: Targets) -> NDArray[np.float64]:
    """Return the weights, one a member and none below 0, that minimise the log loss.

    log_probabilities:  (members, sentences, labels)
    targets:            (sentences,) int64

    The loss is convex in the weights, and their sum acts as an inverse temperature.
    """
    count = len(log_probabilities)
    start = np.full(count, 1 / count)
    if not len(targets):
        return start
    rows = np.arange(len(targets))

    def log_loss(weights: NDArray[np.float64]) -> float:
        pooled = np.tensordot(weights, log_probabilities, axes=1)
        return float(-log_softmax(pooled, axis=1)[rows, targets].mean())

    found = minimize(log_loss, start, method="L-BFGS-B", bounds=[(0.0, LARGEST_WEIGHT)] * count)
    return np.asarray(found.x, dtype=np.float64)
