"""An article becomes one row with its counts and its surest sentences."""

import csv
import json
from pathlib import Path

import pytest

from models.errors import DataError
from predict import summaries
from predict.label import Prediction
from predict.sentences import Sentence

LABELS = ("advisory", "background")


def said(article: str, text: str, column: int, sure: float) -> Prediction:
    chances = (sure, 1 - sure) if column == 0 else (1 - sure, sure)
    return Prediction(Sentence(article, 0, 0, len(text), text), LABELS[column], sure, chances)


PREDICTIONS = [
    said("a", "Avoid it.", 0, 0.6),
    said("a", "=Stay away.", 0, 0.9),
    said("a", "A town.", 1, 0.7),
    said("b", "A river.", 1, 0.8),
]
EXPECTED = [
    {"article_id": "a", "sentences": 3, "n_advisory": 2, "n_background": 1}
    | {"top_advisory": "=Stay away.", "p_advisory": 0.9}
    | {"top_background": "A town.", "p_background": 0.7},
    {"article_id": "b", "sentences": 1, "n_advisory": 0, "n_background": 1}
    | {"top_advisory": "", "p_advisory": 0.0}
    | {"top_background": "A river.", "p_background": 0.8},
]


def written(path: Path) -> str:
    with summaries.opened(path, LABELS) as take:
        for prediction in PREDICTIONS:
            take(prediction)
    return path.read_text()


def test_jsonl_has_a_row_an_article(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == EXPECTED


def test_csv_says_the_same_and_runs_no_formula(tmp_path: Path) -> None:
    rows = list(csv.DictReader(written(tmp_path / "a.csv").splitlines()))
    assert rows[0]["top_advisory"] == "'=Stay away."
    assert [row["n_background"] for row in rows] == ["1", "1"]
    assert list(rows[0]) == list(EXPECTED[0])


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(DataError, match=r"articles are written as \.csv or \.jsonl"):
        summaries.check_target(Path("a.parquet"))
