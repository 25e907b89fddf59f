"""The types that every model family and everyone who uses one agree on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
"""(sentences, labels) float32; rows sum to 1; columns in the order of ``Classifier.labels``."""

Logits = NDArray[np.float32]
"""(sentences, labels) float32; unnormalised log-probabilities, any real number."""

Targets = NDArray[np.int64]
"""(sentences,) int64; the column of the true label."""

Explanation = list[tuple[str, float]]
"""Pieces of a text as they stand in it, or n-grams of it, with how much each spoke for a label,
the strongest first; those that spoke against it are left out."""

PIECES = 8
"""Pieces in an explanation: more than a person reads."""

OnStep = Callable[[int, int, Mapping[str, float]], None]
"""Called while fitting with (optimiser step, steps planned, figures by name)."""


def strongest(pieces: Iterable[tuple[str, float]]) -> Explanation:
    """The pieces with a weight above 0, the heaviest first, at most PIECES of them."""
    return sorted((p for p in pieces if p[1] > 0), key=lambda piece: -piece[1])[:PIECES]


def silent(step: int, steps: int, figures: Mapping[str, float]) -> None:
    """The ``OnStep`` of fits that nobody watches."""


@dataclass(frozen=True)
class Rows:
    """Labelled sentences, one entry a sentence in every field.

    ids:          where the sentence stands, for example ``seeds/wire.jsonl:42``
    article_ids:  sentences that share one come from the same article
    texts:        as read, not normalised
    targets:      (sentences,) int64, index into the labels of the data
    columns:      further columns to slice results by, for example ``register``
    """

    ids: tuple[str, ...]
    article_ids: tuple[str, ...]
    texts: tuple[str, ...]
    targets: Targets
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int]) -> "Rows":
        """The rows at ``indices``, in that order."""
        return Rows(
            ids=tuple(self.ids[i] for i in indices),
            article_ids=tuple(self.article_ids[i] for i in indices),
            texts=tuple(self.texts[i] for i in indices),
            targets=self.targets[np.asarray(indices, dtype=np.int64)],
            columns={
                name: tuple(values[i] for i in indices) for name, values in self.columns.items()
            },
        )


class Classifier(Protocol):
    """A model that gives each sentence one probability per label."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Sorted; the column order of every array."""
        ...

    def fit(self, train: Rows, valid: Rows, on_step: OnStep) -> Self:
        """Learn from ``train``; choose and calibrate on ``valid``.

        Raises ModelError when training cannot go on, for example at a non-finite loss.
        """
        ...

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """Return (len(texts), labels) calibrated probabilities, in the order of ``texts``."""
        ...

    def explain(self, texts: Sequence[str], columns: Sequence[int]) -> list[Explanation]:
        """Return for each text what spoke for the label of its column in ``columns``."""
        ...

    def save(self, folder: Path) -> None:
        """Write a bundle that ``models.load`` reads back to an equal model."""
        ...
