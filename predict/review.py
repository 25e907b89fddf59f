"""Which sentences a person should label next, and their labels coming back."""

import csv
import heapq
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from models.errors import DataError
from predict.label import Prediction
from predict.write import whole_file

CANDIDATES = 10
"""Uncertain sentences kept for each that is asked for; of these the most different are taken."""
SLACK = 0.2
"""Of the gap between the two most probable labels: a sentence is passed over for a different one
only where that costs no more."""
FIELDS = ("text", "label", "suggested", "confidence", "article_id", "position", "start", "end")
FROM_NAME, TO_NAME = "label", "text"
"""Names of the control and the object in a Label Studio project for classification."""


@dataclass(frozen=True)
class Answered:
    """What came back from a person."""

    rows: list[dict[str, Any]]
    """With text, label, article_id and position."""
    unlabelled: int
    """Sentences that got no label."""


def queue(predictions: Iterable[Prediction], count: int, seed: int) -> list[Prediction]:
    """Return the ``count`` sentences whose labels would teach most, in the order of the input.

    Uncertain: a small gap between the two most probable labels. Different: the candidates are
    clustered by their words, weighted by uncertainty, and the most uncertain of each cluster taken.

    Source: Zhdanov 2019, "Diverse mini-batch Active Learning".
    """
    numbered = enumerate(_without_repeats(predictions))
    chosen = heapq.nsmallest(CANDIDATES * count, numbered, key=lambda pair: _margin(pair[1]))
    if len(chosen) > count:
        limit = _margin(chosen[count - 1][1]) + SLACK
        chosen = [pair for pair in chosen if _margin(pair[1]) <= limit]
        chosen = _most_different(chosen, count, seed)
    return [prediction for _, prediction in sorted(chosen, key=lambda pair: pair[0])]


def write(path: Path, chosen: Sequence[Prediction]) -> None:
    """Write the queue as ``.jsonl``, ``.csv`` or, for Label Studio, ``.json``.

    Raises DataError for another kind of file.
    """
    check_target(path)
    content = WRITERS[path.suffix.lower()](chosen)
    with whole_file(path) as file:
        file.write(content.encode())


def check_target(path: Path) -> None:
    """Raise DataError unless a queue can be written to ``path``."""
    if path.suffix.lower() not in WRITERS:
        raise DataError(f"{path}: a queue is written as {', '.join(WRITERS)}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}; create it first")


def read(path: Path, labels: Sequence[str]) -> Answered:
    """Return the sentences in ``path`` that a person gave a label.

    path:    a queue as ``write`` makes it with its ``label`` filled in, or a Label Studio export
    labels:  all permitted ones

    Raises DataError that names the first record which is neither.
    """
    if path.suffix.lower() not in READERS:
        raise DataError(f"{path}: labels come back as {', '.join(READERS)}")
    try:
        records = READERS[path.suffix.lower()](path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(f"{path} is not a queue that can be read: {error}") from error
    rows, unlabelled = [], 0
    for number, record in enumerate(records, start=1):
        label = record.get("label") or ""
        if not label:
            unlabelled += 1
            continue
        if label not in labels:
            known = ", ".join(labels)
            raise DataError(f'{path}, sentence {number}: label "{label}" is not one of {known}')
        if not str(record.get("text") or "").strip():
            raise DataError(f"{path}, sentence {number}: the text is missing")
        rows.append(
            {
                "article_id": str(record.get("article_id") or f"{path.name}:{number}"),
                "position": int(record.get("position") or 0),
                "text": record["text"],
                "label": label,
            }
        )
    return Answered(rows, unlabelled)


def add(target: Path, rows: Sequence[dict[str, Any]]) -> int:
    """Add to the JSONL file ``target`` those of ``rows`` whose text it lacks; return how many.

    Raises DataError when a text stands there with another label.
    """
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    known = {
        row["text"]: row["label"] for row in map(json.loads, filter(str.strip, old.split("\n")))
    }
    lines = []
    for row in rows:
        present = known.get(row["text"])
        if present is None:
            known[row["text"]] = row["label"]
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        elif present != row["label"]:
            raise DataError(
                f'{target} has "{row["text"][:60]}" as {present}, and now it is {row["label"]}: '
                "settle that first"
            )
    gap = "" if not old or old.endswith("\n") else "\n"
    with whole_file(target) as file:
        file.write((old + gap + "".join(lines)).encode())
    return len(lines)


def _without_repeats(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
    seen: set[int] = set()  # of hashes: ten million texts would fill the memory
    for prediction in predictions:
        key = hash(prediction.sentence.text)
        if key not in seen:
            seen.add(key)
            yield prediction


def _margin(prediction: Prediction) -> float:
    first, second = sorted(prediction.probabilities)[-1:-3:-1]
    return first - second


def _most_different(
    candidates: list[tuple[int, Prediction]], count: int, seed: int
) -> list[tuple[int, Prediction]]:
    texts = [prediction.sentence.text for _, prediction in candidates]
    margins = np.array([_margin(prediction) for _, prediction in candidates])
    vectors = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit_transform(texts)
    clusters = MiniBatchKMeans(count, random_state=seed, n_init=3).fit_predict(
        vectors, sample_weight=1.0 - margins
    )
    taken: dict[int, int] = {}
    order = np.argsort(margins, kind="stable").tolist()
    for i in order:
        taken.setdefault(int(clusters[i]), i)
    # Clusters may stay empty; the most uncertain of the others fill up.
    rest = [i for i in order if i not in set(taken.values())]
    return [candidates[i] for i in [*taken.values(), *rest][:count]]


def _record(prediction: Prediction) -> dict[str, Any]:
    sentence = prediction.sentence
    values = (
        *(sentence.text, "", prediction.label, round(prediction.confidence, 4)),
        *(sentence.article_id, sentence.position, sentence.start, sentence.end),
    )
    return dict(zip(FIELDS, values, strict=True))


def _as_jsonl(chosen: Sequence[Prediction]) -> str:
    return "".join(json.dumps(_record(p), ensure_ascii=False) + "\n" for p in chosen)


def _as_csv(chosen: Sequence[Prediction]) -> str:
    file = io.StringIO()
    table = csv.DictWriter(file, FIELDS, lineterminator="\n")
    table.writeheader()
    table.writerows(map(_record, chosen))
    return "\ufeff" + file.getvalue()  # by which a spreadsheet knows UTF-8


def _as_label_studio(chosen: Sequence[Prediction]) -> str:
    tasks = []
    for prediction in chosen:
        record = _record(prediction)
        result = {
            "from_name": FROM_NAME,
            "to_name": TO_NAME,
            "type": "choices",
            "value": {"choices": [record.pop("suggested")]},
        }
        score = record.pop("confidence")
        record.pop("label")
        tasks.append({"data": record, "predictions": [{"score": score, "result": [result]}]})
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _from_label_studio(content: str) -> list[dict[str, Any]]:
    records = []
    for task in json.loads(content):
        choices = [
            choice
            for annotation in task.get("annotations", ())
            if not annotation.get("was_cancelled")
            for result in annotation["result"]
            if result["type"] == "choices"
            for choice in result["value"]["choices"]
        ]
        if len(set(choices)) > 1:
            raise ValueError(f"task {task.get('id')} has the labels {', '.join(choices)}")
        records.append({**task["data"], "label": choices[0] if choices else ""})
    return records


WRITERS = {".jsonl": _as_jsonl, ".csv": _as_csv, ".json": _as_label_studio}
READERS = {
    ".jsonl": lambda content: [json.loads(line) for line in content.split("\n") if line.strip()],
    ".csv": lambda content: list(csv.DictReader(io.StringIO(content), strict=True)),
    ".json": _from_label_studio,
}
