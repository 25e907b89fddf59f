"""What several labellers said becomes one target distribution."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.base import Rows

VOTES = "votes"
"""The column of ``Rows`` that holds a JSON list of labels, one per labeller."""


def soft_targets(rows: Rows, labels: Sequence[str], weight: float) -> NDArray[np.float32]:
    """Return (rows, labels) float32 targets that sum to 1 in each row.

    weight: of each vote, where the label that counts weighs 1; 0 gives one-hot targets

    Rows without votes get one-hot targets; votes for other labels are left out.
    Source: Peterson et al. 2019, "Human Uncertainty Makes Classification More Robust".
    """
    column_of = {label: i for i, label in enumerate(labels)}
    targets = np.eye(len(labels), dtype=np.float32)[rows.targets]
    if weight > 0.0:
        for i, cell in enumerate(rows.columns.get(VOTES, ())):
            for vote in _votes(cell):
                if vote in column_of:
                    targets[i, column_of[vote]] += weight
    return np.asarray(targets / targets.sum(axis=1, keepdims=True), dtype=np.float32)


def _votes(cell: str) -> list[str]:
    """The votes in ``cell``; none where it holds something else, such as a number of votes."""
    try:
        votes = json.loads(cell) if cell else []
    except ValueError:
        return []
    return [vote for vote in votes if isinstance(vote, str)] if isinstance(votes, list) else []
