"""The labelled corpus keeps its format, its labels and its promises."""

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from predict.articles import Article, read
from train import splits

SEEDS = Path(__file__).parents[2] / "seeds"
LABELS = {"advisory", "background", "diplomatic_statement", "military_event"}
FIELDS = ["article_id", "position", "register", "style", "text", "label", "votes", "written"]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [
        json.loads(line) | {"file": path.stem}
        for path in sorted(SEEDS.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def test_there_are_enough_sentences_of_each_label(rows: list[dict[str, Any]]) -> None:
    counts = Counter(row["label"] for row in rows)
    assert len(rows) >= 1500
    assert set(counts) == LABELS
    assert min(counts.values()) / len(rows) >= 0.12


def test_every_row_has_the_same_fields_and_types(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert [key for key in row if key != "file"] == FIELDS
        assert row["register"] == row["file"]
        assert isinstance(row["position"], int)
        assert all(isinstance(row[key], str) for key in FIELDS if key not in ("position", "votes"))


def test_labels_and_votes_are_of_the_four(rows: list[dict[str, Any]]) -> None:
    assert {row["label"] for row in rows} <= LABELS
    assert {vote for row in rows for vote in row["votes"]} <= LABELS
    assert {len(row["votes"]) for row in rows} == {2}


def test_no_sentence_stands_twice_in_one_place(rows: list[dict[str, Any]]) -> None:
    places = Counter((row["article_id"], row["position"]) for row in rows)
    assert max(places.values()) == 1


def test_an_article_stands_in_one_file_in_order(rows: list[dict[str, Any]]) -> None:
    places = [(row["file"], row["article_id"], row["position"]) for row in rows]
    assert places == sorted(places)
    files = {(row["article_id"], row["file"]) for row in rows}
    assert len(files) == len({article for article, _ in files})


def test_texts_are_clean(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        text = row["text"]
        assert text == " ".join(text.split()) != ""
        assert text == unicodedata.normalize("NFC", text)
        assert not any(unicodedata.category(character) in ("Cc", "Cf", "Co") for character in text)


def test_no_text_nearly_repeats_one_of_another_article(rows: list[dict[str, Any]]) -> None:
    clusters = splits.near_duplicate_clusters([row["text"] for row in rows], 0.8)
    across = [
        (rows[i]["text"], rows[first]["text"])
        for i, first in enumerate(clusters)
        if rows[i]["article_id"] != rows[first]["article_id"]
    ]
    assert across == []


def test_five_sample_articles_can_be_read() -> None:
    articles = list(read([str(SEEDS / "articles")]))
    assert len(articles) >= 5
    assert all(isinstance(article, Article) for article in articles)
