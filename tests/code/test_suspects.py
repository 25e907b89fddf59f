"""Wrong labels are found by a model that did not see their article."""

import csv
import json
from pathlib import Path

import pytest
from samples import LABELS, as_rows, labelled

from models.errors import DataError
from models.settings import TfidfSettings
from train import suspects

SETTINGS = TfidfSettings(family="tfidf")


def test_swapped_labels_are_found_first() -> None:
    records = labelled(60)
    swapped = {4 * n for n in range(0, 60, 6)}  # ten advisories called military events
    for i in swapped:
        records[i]["label"] = "military_event"
    found = suspects.find(as_rows(records), LABELS, SETTINGS, seed=0)
    texts = {str(records[i]["text"]) for i in swapped}
    assert len([s for s in found[:12] if s.text in texts]) >= 9
    assert all(s.suggested == "advisory" for s in found if s.text in texts)
    assert [s.quality for s in found] == sorted(s.quality for s in found)


def test_no_row_is_judged_by_a_model_that_saw_its_article() -> None:
    # The sentences of an article repeat one word of its own: seen in training, it gives them away.
    records = [
        {
            "article_id": f"a{n}",
            "position": i,
            "text": f"own{n} said own{n}",
            "label": LABELS[n % 2],
        }
        for n in range(40)
        for i in range(3)
    ]
    rows = as_rows(records)
    probabilities = suspects.out_of_fold(rows, LABELS[:2], SETTINGS, seed=0)
    assert (probabilities.max(axis=1) < 0.7).all()


def test_too_few_articles_are_named() -> None:
    with pytest.raises(DataError, match="5 articles or more"):
        suspects.find(as_rows(labelled(3)), LABELS, SETTINGS, seed=0)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_what_is_written_can_be_read_back(tmp_path: Path, kind: str) -> None:
    suspect = suspects.Suspect("rows.jsonl:3", "a1", 'Déjà "vu", again', "x", "y", 0.25)
    path = tmp_path / f"suspects.{kind}"
    suspects.write([suspect], path)
    if kind == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = next(csv.DictReader(file))
    else:
        found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["text"], float(found["quality"])) == (suspect.text, 0.25)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"suspects.xlsx: suspects are written as .csv or .jsonl"):
        suspects.write([], tmp_path / "suspects.xlsx")
