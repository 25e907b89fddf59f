"""Labels that a model of the same data doubts, the most doubtful first."""

import csv
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.model_selection import GroupKFold

import models
from models.base import Probabilities, Rows, silent
from models.errors import DataError
from models.settings import ModelSettings

FOLDS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suspect:
    """A row whose label a model that never saw its article would not have given."""

    place: str
    """Where the row stands, ``file:line``."""
    article_id: str
    text: str
    label: str
    suggested: str
    """The label that the model would give."""
    quality: float
    """Probability of the present label by that model; 0 is most doubtful."""


def find(rows: Rows, labels: Sequence[str], settings: ModelSettings, seed: int) -> list[Suspect]:
    """Return the rows to which out-of-fold models give another label, most doubtful first.

    settings: of the model that is fitted FOLDS times; the baseline is quick and blunt enough

    Raises DataError when there are fewer articles than folds.
    Source: Northcutt et al. 2021, "Confident Learning"; ranked by cleanlab's self-confidence.
    """
    if len(set(rows.article_ids)) < FOLDS:
        raise DataError(f"rows of {FOLDS} articles or more are needed to doubt labels by a model")
    probabilities = out_of_fold(rows, labels, settings, seed)
    # The other filters of cleanlab estimate how many labels are wrong: of ten wrong ones in sixty
    # they found three. An editor reads from the top and stops where it no longer pays.
    doubted = find_label_issues(
        rows.targets,
        probabilities,
        filter_by="predicted_neq_given",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return [
        Suspect(
            rows.ids[i],
            rows.article_ids[i],
            rows.texts[i],
            labels[rows.targets[i]],
            labels[int(probabilities[i].argmax())],
            round(float(probabilities[i, rows.targets[i]]), 4),
        )
        for i in doubted.tolist()
    ]


def out_of_fold(
    rows: Rows, labels: Sequence[str], settings: ModelSettings, seed: int
) -> Probabilities:
    """Return (rows, labels) probabilities, each row's by a model that saw none of its article."""
    probabilities = np.zeros((len(rows), len(labels)), dtype=np.float32)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    cuts = folds.split(rows.texts, groups=rows.article_ids)
    for number, (train, held_out) in enumerate(cuts, start=1):
        logger.info("fitting on %s rows, %d of %d", f"{len(train):,}", number, FOLDS)
        # The rows held out choose nothing here: a temperature would not change their order.
        nothing = rows.take([])
        model = models.build(settings, labels, seed).fit(rows.take(train), nothing, silent)
        probabilities[held_out] = model.predict_proba(rows.take(held_out).texts)
    return probabilities


def write(suspects: Sequence[Suspect], path: Path) -> None:
    """Write ``suspects`` as JSONL or, for ``.csv``, as a table that a spreadsheet opens.

    Raises DataError for another kind of file.
    """
    records = [asdict(suspect) for suspect in suspects]
    if path.suffix.lower() == ".jsonl":
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        path.write_text("".join(lines), encoding="utf-8")
    elif path.suffix.lower() == ".csv":
        # The byte order mark tells a spreadsheet that this is UTF-8.
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            table = csv.DictWriter(file, list(Suspect.__dataclass_fields__))
            table.writeheader()
            table.writerows(records)
    else:
        raise DataError(f"{path}: suspects are written as .csv or .jsonl")
