"""The queue asks for what would teach most, and labels come back without loss."""

import csv
import json
from pathlib import Path

import pytest

from models.errors import DataError
from predict import review
from predict.label import Prediction
from predict.sentences import Sentence

LABELS = ("advisory", "background", "military_event")


def prediction(n: int, text: str, top: float) -> Prediction:
    chances = (top, (1 - top) * 0.9, (1 - top) * 0.1)
    return Prediction(Sentence("a", n, 0, len(text), text), "advisory", top, chances)


def test_uncertain_sentences_are_asked_for_before_certain_ones() -> None:
    certain = [prediction(n, f"Certain thing number {n}.", 0.99) for n in range(500)]
    doubtful = [prediction(500 + n, f"Doubtful {word}.", 0.5) for n, word in enumerate("abcde")]
    found = review.queue([*certain, *doubtful], 5, seed=0)
    assert [p.sentence.position for p in found] == [500, 501, 502, 503, 504]


def test_of_equally_uncertain_sentences_different_ones_are_taken() -> None:
    topics = ["shelling of the harbour", "visa rules for sailors", "price of millet", "cup final"]
    many = [prediction(n, f"{topics[n % 4]} again {n}", 0.5) for n in range(40)]
    found = review.queue(many, 4, seed=0)
    assert len({p.sentence.text.split(" again")[0] for p in found}) == 4


def test_the_same_text_is_asked_for_once_and_order_is_that_of_the_input() -> None:
    found = review.queue([prediction(n, f"Text {n % 3}.", 0.5) for n in range(9)], 5, seed=0)
    assert [p.sentence.position for p in found] == [0, 1, 2]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_labels_filled_in_come_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"queue{suffix}"
    review.write(path, [prediction(n, f'Text "{n}", é\u2028.', 0.5) for n in range(3)])
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().split("\n") if line]
        rows[1]["label"] = "background"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        rows[1]["label"] = "background"
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, review.FIELDS)
            table.writeheader()
            table.writerows(rows)
    found = review.read(path, LABELS)
    assert found.unlabelled == 2
    assert found.rows == [
        {"article_id": "a", "position": 1, "text": 'Text "1", é\u2028.', "label": "background"}
    ]


def test_label_studio_tasks_carry_the_suggestion_and_exports_are_read(tmp_path: Path) -> None:
    path = tmp_path / "queue.json"
    review.write(path, [prediction(n, f"Text {n}.", 0.5) for n in range(2)])
    tasks = json.loads(path.read_text())
    suggested = tasks[0]["predictions"][0]["result"][0]
    assert suggested["value"] == {"choices": ["advisory"]}
    tasks[0]["annotations"] = [{"result": [{**suggested, "value": {"choices": ["background"]}}]}]
    path.write_text(json.dumps(tasks))
    found = review.read(path, LABELS)
    assert [(row["text"], row["label"]) for row in found.rows] == [("Text 0.", "background")]
    assert found.unlabelled == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", '{"text": "x", "label": "rumour"}', 'sentence 1: label "rumour" is not one of'),
        ("q.jsonl", '{"label": "advisory"}', "sentence 1: the text is missing"),
        ("q.jsonl", "{", "is not a queue that can be read"),
        ("q.json", '{"data": 1}', "is not a queue that can be read"),
        ("q.xlsx", "", "labels come back as .jsonl, .csv, .json"),
    ],
)
def test_what_is_no_queue_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        review.read(tmp_path / name, LABELS)
    assert message in str(caught.value)


def test_rows_are_added_once_and_a_contradiction_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "labelled.jsonl"
    target.write_text('{"text": "Old.", "label": "background"}')  # without a line feed
    row = {"article_id": "a", "position": 0, "text": "New.", "label": "advisory"}
    old = {**row, "text": "Old.", "label": "background"}
    assert review.add(target, [row, row, old]) == 1
    assert review.add(target, [row]) == 0
    assert [json.loads(line)["text"] for line in target.read_text().splitlines()] == [
        "Old.",
        "New.",
    ]
    with pytest.raises(DataError, match=r'has "Old\." as background, and now it is advisory'):
        review.add(target, [{**old, "label": "advisory"}])
