"""Small labelled data that several tests share."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.base import Rows

LABELS = ("advisory", "background", "diplomatic_statement", "military_event")
WORDS = {
    "advisory": "avoid travel leave shelter caution border tourists embassy",
    "background": "founded century market population river school history harvest",
    "diplomatic_statement": "minister talks urged agreed sanctions envoy treaty condemned",
    "military_event": "shelled troops captured strike rocket deployed ambush convoy",
}


def sentence(label: str, rng: random.Random) -> str:
    """Twelve words, eight of them of the label: easy, so that a test can expect learning."""
    every = " ".join(WORDS.values()).split()
    chosen = rng.choices(WORDS[label].split(), k=8) + rng.choices(every, k=4)
    rng.shuffle(chosen)
    return " ".join(chosen).capitalize() + "."


def labelled(
    articles: int, seed: int = 0, labels: tuple[str, ...] = LABELS
) -> list[dict[str, object]]:
    """Rows of ``articles`` articles with one sentence of each label."""
    rng = random.Random(seed)
    return [
        {"article_id": f"a{seed}-{n}", "position": i, "text": sentence(label, rng), "label": label}
        for n in range(articles)
        for i, label in enumerate(labels)
    ]


def as_rows(records: list[dict[str, object]], labels: tuple[str, ...] = LABELS) -> Rows:
    """The records as models take them."""
    return Rows(
        ids=tuple(f"{r['article_id']}:{r['position']}" for r in records),
        article_ids=tuple(str(r["article_id"]) for r in records),
        texts=tuple(str(r["text"]) for r in records),
        targets=np.array([labels.index(str(r["label"])) for r in records], dtype=np.int64),
    )


def write_jsonl(path: Path, records: list[dict[str, object]]) -> Path:
    """Write one object a line."""
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def no_steps(step: int, steps: int, figures: Mapping[str, float]) -> None:
    """An ``OnStep`` for tests that do not follow the training."""
