"""Labelled rows of every format are read, and each bad one is named with file and line."""

import csv
import json
from pathlib import Path

import pytest
from samples import LABELS, labelled, write_jsonl

from models.errors import DataError
from train import data
from train.config import Columns, DataSettings, HubData

GOOD = '{"article_id": "a", "text": "The army shelled the town.", "label": "military_event"}'
OTHER = '{"article_id": "b", "text": "Ministers met.", "label": "diplomatic_statement"}'


def inspect(path: Path, **settings: object) -> data.Labelled:
    return data.inspect(DataSettings(files=(str(path),), **settings))  # type: ignore[arg-type]


def write_csv(path: Path, records: list[dict[str, object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


def write_parquet(path: Path, records: list[dict[str, object]]) -> Path:
    import datasets

    datasets.Dataset.from_list(records).to_parquet(str(path))
    return path


WRITERS = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "tsv": lambda path, records: write_csv(path, records, "\t"),
    "parquet": write_parquet,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    records = labelled(5)
    records[3]["text"] = 'She said: "No,\tnever",\u2028 and left.'
    found = inspect(WRITERS[kind](tmp_path / f"rows.{kind}", records))
    assert found.problems == ()
    assert found.labels == LABELS
    assert found.rows.texts == tuple(r["text"] for r in records)
    assert found.rows.article_ids == tuple(r["article_id"] for r in records)
    assert [LABELS[t] for t in found.rows.targets] == [r["label"] for r in records]


def test_a_text_with_line_breaks_in_csv_keeps_the_numbers_of_later_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"two\nlines",a\nfine,\nfine,b\n')
    found = inspect(path)
    assert found.rows.texts == ("two\nlines", "fine")
    assert [str(p) for p in found.problems] == [f'{path}, line 4: column "label" is empty']


def test_a_hub_dataset_gives_the_names_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"text": ["good", "bad"], "label": [1, 0]}
    folder = tmp_path / "hub"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / "train.parquet"))
    found = data.inspect(DataSettings(hub=HubData(name=str(folder))))
    assert found.labels == ("neg", "pos")
    assert [found.labels[t] for t in found.rows.targets] == ["pos", "neg"]
    assert not found.has_articles


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"article_id": "a", "label": "military_event"}', 'column "text" is missing'),
        (b'{"article_id": "a", "text": "x"}', 'column "label" is missing'),
        (b'{"text": "x", "label": "advisory"}', 'column "article_id" is missing'),
        (b'{"article_id": "a", "text": "  ", "label": "advisory"}', 'column "text" is empty'),
        (b'{"article_id": "a", "text": 7, "label": "advisory"}', 'column "text" is not text'),
        (b'{"article_id": "", "text": "x", "label": "advisory"}', 'column "article_id" is empty'),
        (b'{"article_id": "a", "text": "x", "label": null}', 'column "label" is empty'),
        (b'{"article_id": "a", "text": "x", "label": true}', 'column "label" is empty'),
        (
            b'{"article_id": "a", "text": "x", "label": "millitary_event"}',
            'label "millitary_event" is not one of advisory, background, diplomatic_statement, '
            'military_event. Did you mean "military_event"?',
        ),
        (b'{"article_id": "a", "text": "caf\xe9", "label": "advisory"}', "is not utf-8: byte 0xe9"),
        (b'{"article_id": "a", "text": "x", ', "is not valid JSON"),
        (b"[1, 2]", "expected an object"),
        (
            b'{"article_id": "a", "text": "\\ud800", "label": "advisory"}',
            'column "text" holds half a surrogate pair',
        ),
        (
            b'{"article_id": "z", "text": "the ARMY  shelled the town.", "label": "background"}',
            "says background, but the same text stands at ",
        ),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_reason(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD.encode() + b"\n" + OTHER.encode() + b"\n" + line + b"\n" + OTHER.encode())
    found = inspect(path, labels=LABELS)
    assert len(found.problems) == 1
    assert str(found.problems[0]).startswith(f"{path}, line 3: {reason}")
    assert len(found.rows) == 3


def test_training_stops_at_the_first_problem_and_counts_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n{{\n{OTHER}\n{{\n")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: is not valid JSON.*and 1 more"):
        data.read(DataSettings(files=(str(path),)))


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ('text,label\nx,a\n"never closed,b\n', 3, "is not valid CSV"),
        ("text,label\nx,a\ny,b,c\n", 3, "has 3 fields, the header has 2"),
        ("text,label\nx,a\ny\n", 3, "has 1 fields, the header has 2"),
        ('text,label\nx,a\n"a" b,c\n', 3, "is not valid CSV"),
    ],
)
def test_broken_csv_is_named_by_line(tmp_path: Path, content: str, line: int, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    problems = inspect(path).problems
    assert [str(p).startswith(f"{path}, line {line}: {reason}") for p in problems] == [True]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n" + OTHER.encode())
    assert inspect(path).problems == ()


def test_another_encoding_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("text,label\nCafé,a\nThé,b\n".encode("cp1252"))
    assert inspect(path, encoding="cp1252").rows.texts == ("Café", "Thé")


def test_an_encoding_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", labelled(1))
    with pytest.raises(DataError, match='no encoding "utf-88"'):
        inspect(path, encoding="utf-88")


def test_a_file_that_only_claims_to_be_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"rows\.parquet is not a Parquet file"):
        inspect(tmp_path / "rows.parquet")


def test_a_pattern_without_files_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labelled file there, looking from"):
        inspect(tmp_path / "*.jsonl")


def test_a_kind_of_file_that_is_not_known_lists_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"")
    with pytest.raises(DataError, match=r"\.jsonl, \.csv, \.tsv, \.parquet"):
        inspect(tmp_path / "rows.xlsx")


def test_columns_may_have_other_names_and_labels_may_be_numbers(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"body": "x", "y": 0}, {"body": "z", "y": 1}])
    found = inspect(path, columns=Columns(text="body", label="y"))
    assert found.labels == ("0", "1")
    assert found.rows.texts == ("x", "z")
    assert not found.has_articles


def test_an_article_column_that_the_user_named_must_be_there(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": "x", "label": "a"}])
    found = inspect(path, columns=Columns(article_id="story"))
    assert 'column "story" is missing' in str(found.problems[0])


def test_the_digest_depends_on_rows_and_not_on_their_order(tmp_path: Path) -> None:
    records = labelled(6)
    forwards = inspect(write_jsonl(tmp_path / "a.jsonl", records))
    backwards = inspect(write_jsonl(tmp_path / "b.jsonl", records[::-1]))
    assert data.digest(forwards.rows, LABELS) == data.digest(backwards.rows, LABELS)
    records[-1]["text"] = str(records[-1]["text"]) + " More."
    changed = inspect(write_jsonl(tmp_path / "c.jsonl", records))
    assert data.digest(forwards.rows, LABELS) != data.digest(changed.rows, LABELS)
    assert len(data.digest(forwards.rows, LABELS)) <= 36


def test_slicing_columns_are_kept_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**json.loads(GOOD), "register": "wire_news"}) + f"\n{OTHER}\n")
    assert inspect(path).rows.columns == {"register": ("wire_news", "")}
