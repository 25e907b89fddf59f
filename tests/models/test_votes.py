"""Votes of labellers become soft targets."""

import numpy as np
import pytest

from models.base import Rows
from models.votes import soft_targets

LABELS = ("a", "b", "c")


def rows(*votes: str) -> Rows:
    n = len(votes)
    return Rows(("i",) * n, ("x",) * n, ("t",) * n, np.zeros(n, dtype=np.int64), {"votes": votes})


def test_votes_weigh_beside_the_label_that_counts() -> None:
    found = soft_targets(rows('["a", "b"]', '["b", "b"]'), LABELS, weight=0.5)
    np.testing.assert_allclose(found, [[1.5 / 2, 0.5 / 2, 0], [1 / 2, 1 / 2, 0]])


@pytest.mark.parametrize("cell", ["", "null", "3", '"a"', "a, b", '["z"]', "[1, null]"])
def test_what_is_no_list_of_known_labels_changes_nothing(cell: str) -> None:
    np.testing.assert_allclose(soft_targets(rows(cell), LABELS, weight=0.5), [[1, 0, 0]])


def test_without_weight_or_votes_targets_are_one_hot() -> None:
    np.testing.assert_allclose(soft_targets(rows('["b", "b"]'), LABELS, weight=0.0), [[1, 0, 0]])
    bare = Rows(("i",), ("x",), ("t",), np.array([2]))
    np.testing.assert_allclose(soft_targets(bare, LABELS, weight=1.0), [[0, 0, 1]])
