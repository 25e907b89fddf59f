"""The labelled corpus keeps its format, its labels and its promises."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from predict.articles import read
from predict.records import Article
from train import splits

SEEDS = Path(__file__).parents[2] / "seeds"
LABELS = {"advisory", "background", "diplomatic_statement", "military_event"}
CONTINENTS = {
    "Africa": "Algeria|Angola|Benin|Botswana|Burkina Faso|Burundi|Cameroon|Chad|Comoros|Djibouti|"
    "Egypt|Eritrea|Ethiopia|Gabon|Ghana|Guinea-Bissau|Ivory Coast|Kenya|Lesotho|Liberia|Libya|"
    "Madagascar|Malawi|Mali|Mauritania|Morocco|Mozambique|Namibia|Niger|Nigeria|Rwanda|Senegal|"
    "Sierra Leone|Somalia|South Africa|South Sudan|Sudan|Tanzania|Togo|Tunisia|Uganda|Zambia|"
    "Zimbabwe",
    "Asia": "Afghanistan|Armenia|Azerbaijan|Bahrain|Bangladesh|Cambodia|China|East Timor|Georgia|"
    "India|Indonesia|Iran|Iraq|Israel|Japan|Jordan|Kazakhstan|Kuwait|Kyrgyzstan|Laos|Lebanon|"
    "Malaysia|Maldives|Mongolia|Myanmar|Nepal|North Korea|Oman|Pakistan|Philippines|Qatar|"
    "Saudi Arabia|Singapore|South Korea|Sri Lanka|Syria|Taiwan|Tajikistan|Thailand|Turkey|"
    "Turkmenistan|Uzbekistan|Vietnam|Yemen",
    "Europe": "Albania|Austria|Belarus|Bosnia|Bulgaria|Croatia|Cyprus|Denmark|Estonia|Finland|"
    "France|Germany|Greece|Hungary|Ireland|Italy|Kosovo|Latvia|Lithuania|Moldova|Netherlands|"
    "Norway|Poland|Portugal|Romania|Russia|Serbia|Spain|Sweden|Ukraine|United Kingdom",
    "the Americas": "Argentina|Bolivia|Brazil|Canada|Chile|Colombia|Cuba|Dominican Republic|"
    "Ecuador|El Salvador|Guatemala|Guyana|Haiti|Honduras|Jamaica|Mexico|Nicaragua|Panama|"
    "Paraguay|Peru|Trinidad|United States|Uruguay|Venezuela",
    "Oceania": "Australia|Fiji|New Caledonia|New Zealand|Papua New Guinea|Solomon Islands|Tonga|"
    "Vanuatu",
}
REGISTERS = 19
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
    assert len(rows) >= 8000
    assert len({row["article_id"] for row in rows}) >= 500
    assert set(counts) == LABELS
    assert min(counts.values()) / len(rows) >= 0.12


def test_the_corpus_spreads_over_registers_continents_and_years(rows: list[dict[str, Any]]) -> None:
    by_register: dict[str, set[str]] = {}
    words_of: dict[str, list[str]] = {}
    for row in rows:
        by_register.setdefault(row["register"], set()).add(row["article_id"])
        words_of.setdefault(row["article_id"], [row["style"]]).append(row["text"])
    assert len(by_register) >= REGISTERS
    assert min(len(articles) for articles in by_register.values()) >= 5
    articles = {article: " ".join(words) for article, words in words_of.items()}
    named = {
        country: sum(bool(re.search(rf"\b{country}\b", text)) for text in articles.values())
        for countries in CONTINENTS.values()
        for country in countries.split("|")
    }
    assert sum(count >= 2 for count in named.values()) >= 80
    for countries in CONTINENTS.values():
        assert sum(named[country] for country in countries.split("|")) >= 20
    for decade in ("199", "200", "201", "202"):
        assert sum(bool(re.search(rf"\b{decade}\d\b", text)) for text in articles.values()) >= 50


def test_both_spellings_of_english_occur(rows: list[dict[str, Any]]) -> None:
    text = " ".join(row["text"] for row in rows)
    for british, american in (("defence", "defense"), ("neighbour", "neighbor")):
        assert (
            min(len(re.findall(british, text, re.I)), len(re.findall(american, text, re.I))) >= 10
        )


def test_sentences_are_as_long_as_those_of_news(rows: list[dict[str, Any]]) -> None:
    lengths = sorted(len(row["text"].split()) for row in rows)
    assert 17 <= lengths[len(lengths) // 2] <= 26
    assert 35 <= lengths[len(lengths) * 19 // 20] <= 55


def test_the_votes_explain_the_label_or_a_third_voice_decided(rows: list[dict[str, Any]]) -> None:
    split = [row for row in rows if row["votes"][0] != row["votes"][1]]
    overruled = [row for row in rows if row["label"] not in row["votes"]]
    assert len(split) / len(rows) < 0.12
    assert len(overruled) / len(rows) < 0.02


def test_every_row_has_the_same_fields_and_types(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert [key for key in row if key != "file"] == FIELDS
        assert row["register"] == row["file"]
        assert isinstance(row["position"], int)
        assert all(isinstance(row[key], str) for key in FIELDS if key not in ("position", "votes"))


def test_labels_and_votes_are_of_the_four(rows: list[dict[str, Any]]) -> None:
    assert {row["label"] for row in rows} <= LABELS
    assert {vote for row in rows for vote in row["votes"]} <= LABELS
    assert {len(row["votes"]) for row in rows} == {2, 4}


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
