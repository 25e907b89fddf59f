"""The weight of each label in the loss."""

from collections.abc import Sequence

import numpy as np

from models.base import Targets
from models.errors import ConfigError
from models.settings import ClassWeight


def weight_by_label(
    class_weight: ClassWeight, labels: Sequence[str], targets: Targets
) -> dict[int, float] | None:
    """Return one weight per column that occurs in ``targets``, or None for equal weights.

    "balanced" gives sentences / (labels that occur * sentences of the label), as scikit-learn does.

    Raises ConfigError when weights are given by name and a label is missing or unknown.
    """
    if class_weight is None:
        return None
    counts = np.bincount(targets, minlength=len(labels))
    present = np.flatnonzero(counts)
    if class_weight == "balanced":
        return {int(i): float(len(targets) / (len(present) * counts[i])) for i in present}
    if set(class_weight) != set(labels):
        raise ConfigError(
            f"model.class_weight names {', '.join(sorted(class_weight))}; "
            f"the labels of the data are {', '.join(labels)}"
        )
    return {int(i): class_weight[labels[int(i)]] for i in present}
