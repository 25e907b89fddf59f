import base64
import csv
import hashlib
import json
from dataclasses import replace

import pyarrow.parquet
import pytest

from models.errors import DataError, TooManyRejectedError
from predict import write
from predict.label import Prediction
from predict.records import Rejected
from predict.sentences import Sentence
from predict.write import Layout, open_rejected, open_writer, rejected_path

LABELS = ("advisory", "background")
LAYOUT = Layout(LABELS)
TEXT = 'He said: "Go, é 😀"'
PREDICTION = Prediction(
    Sentence("a,1", 0, 5, 5 + len(TEXT), TEXT), "background", 0.98765432, (0.01234568, 0.98765432)
)


def written(path, *predictions):
    with open_writer(path, LAYOUT) as writer:
        for prediction in predictions:
            writer.write(prediction)
    return path.read_bytes().decode()


def test_columns_come_in_the_agreed_order_with_rounded_probabilities():
    assert list(LAYOUT.row(PREDICTION).items()) == [
        ("article_id", "a,1"),
        ("position", 0),
        ("start", 5),
        ("end", 5 + len(TEXT)),
        ("text", TEXT),
        ("label", "background"),
        ("confidence", 0.987654),
        ("p_advisory", 0.012346),
        ("p_background", 0.987654),
    ]


def test_jsonl_holds_one_row_a_line_in_readable_characters(tmp_path):
    content = written(tmp_path / "a.jsonl", PREDICTION, PREDICTION)
    assert [json.loads(line) for line in content.split("\n")[:-1]] == [LAYOUT.row(PREDICTION)] * 2
    assert "é 😀" in content


def test_csv_reads_back_with_six_digits_after_the_point(tmp_path):
    tiny = replace(PREDICTION, probabilities=(0.0000004, 1.0), confidence=1.0)
    content = written(tmp_path / "a.csv", tiny)
    header, row = csv.reader(content.splitlines(), strict=True)
    assert header == list(LAYOUT.row(PREDICTION))
    assert row == ["a,1", "0", "5", "23", TEXT, "background", "1.000000", "0.000000", "1.000000"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_csv_keeps_a_line_end_inside_a_text(tmp_path, line_end):
    text = f"One{line_end}two."
    prediction = replace(PREDICTION, sentence=Sentence("a", 0, 0, len(text), text))
    written(tmp_path / "a.csv", prediction)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file, strict=True)] == [text]


def test_csv_ends_its_lines_with_a_line_feed_alone(tmp_path):
    assert "\r" not in written(tmp_path / "a.csv", PREDICTION)


@pytest.mark.parametrize(("name", "lines"), [("a.csv", 1), ("a.jsonl", 0)])
def test_a_run_without_predictions_leaves_an_empty_table(tmp_path, name, lines):
    assert written(tmp_path / name).count("\n") == lines


def test_nothing_stands_at_the_path_before_the_end(tmp_path):
    path = tmp_path / "a.jsonl"
    with open_writer(path, LAYOUT) as writer:
        writer.write(PREDICTION)
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_older_file_and_no_draft(tmp_path, error):
    path = tmp_path / "a.jsonl"
    path.write_text("older")

    def fail():
        with open_writer(path, LAYOUT) as writer:
            writer.write(PREDICTION)
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xlsx", r'kind "\.xlsx" .*only these: \.csv, \.html, \.jsonl, \.parquet'),
        ("none/a.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path, name, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=message):
        open_writer(tmp_path / name, LAYOUT)


def test_rejected_records_are_written_beside_the_output(tmp_path):
    with open_rejected(tmp_path / "a.csv") as reject:
        reject(Rejected("b.jsonl", 4, '"text" is missing'))
    path = tmp_path / "a.csv.rejected.jsonl"
    assert path == rejected_path(tmp_path / "a.csv")
    assert json.loads(path.read_text()) == {
        "file": "b.jsonl",
        "line": 4,
        "reason": '"text" is missing',
    }


def test_rejected_records_of_an_earlier_run_are_removed(tmp_path):
    with open_rejected(tmp_path / "a.csv") as reject:
        reject(Rejected("b.txt", None, "no text in it"))
    with open_rejected(tmp_path / "a.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["=1+1", "+44 20", "-5 degrees", "@here", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(tmp_path, text):
    prediction = replace(PREDICTION, sentence=Sentence(text, 0, 0, len(text), text))
    written(tmp_path / "a.csv", prediction)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file, strict=True)
    assert (row["article_id"], row["text"]) == (f"'{text}", f"'{text}")
    assert json.loads(written(tmp_path / "a.jsonl", prediction))["text"] == text


def test_parquet_reads_back(tmp_path):
    path = tmp_path / "a.parquet"
    with open_writer(path, LAYOUT) as writer:
        for _ in range(3):
            writer.write(PREDICTION)
    rows = pyarrow.parquet.read_table(path).to_pylist()
    assert len(rows) == 3
    assert {k: v for k, v in rows[0].items() if not isinstance(v, float)} == {
        k: v for k, v in LAYOUT.row(PREDICTION).items() if not isinstance(v, float)
    }
    assert rows[0]["confidence"] == pytest.approx(0.987654, abs=1e-6)


def test_parquet_is_written_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "ROWS_PER_GROUP", 2)
    with open_writer(tmp_path / "a.parquet", LAYOUT) as writer:
        for _ in range(5):
            writer.write(PREDICTION)
    assert pyarrow.parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


@pytest.mark.parametrize(("limit", "low"), [(0.99, True), (0.98, False)])
def test_low_confidence_is_marked_in_every_format(tmp_path, limit, low):
    layout = Layout(LABELS, limit)
    for suffix in ("csv", "jsonl", "parquet"):
        with open_writer(tmp_path / f"a.{suffix}", layout) as writer:
            writer.write(PREDICTION)
    assert json.loads((tmp_path / "a.jsonl").read_text())["low_confidence"] is low
    assert (tmp_path / "a.csv").read_text().splitlines()[1].endswith(f'"{str(low).lower()}"')
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet")["low_confidence"].to_pylist() == [low]


def test_when_too_many_are_rejected_the_reasons_stay_and_the_result_does_not(tmp_path):
    out = tmp_path / "a.csv"

    def job():
        with open_rejected(out) as reject, open_writer(out, LAYOUT):
            reject(Rejected("b.jsonl", 4, "empty"))
            raise TooManyRejectedError

    with pytest.raises(TooManyRejectedError):
        job()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.rejected.jsonl"]


def test_html_escapes_everything_and_permits_its_own_script_alone(tmp_path):
    nasty = '<script>alert("x")</script>'
    prediction = replace(PREDICTION, sentence=Sentence(nasty, 0, 0, len(nasty), nasty))
    content = written(tmp_path / "a.html", prediction, PREDICTION)
    assert content.count("<script") == 1
    assert content.count("&lt;script&gt;") == 2  # the name of the article and the sentence
    script = content.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in content
    assert content.count("<article") == 2


def test_a_page_without_predictions_is_whole(tmp_path):
    assert written(tmp_path / "a.html").rstrip().endswith("</html>")
