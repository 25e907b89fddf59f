"""Small labelled data and settings that several tests share."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

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


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    """A JSONL file of 40 articles."""
    return write_jsonl(tmp_path / "rows.jsonl", labelled(40))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and width 32 with random weights, in a folder of its own."""
    from transformers import AutoTokenizer, BertConfig, BertModel, set_seed

    from models.pretrained import locate

    folder = tmp_path_factory.mktemp("tiny-encoder")
    tokenizer = AutoTokenizer.from_pretrained(locate("sentence-transformers/all-MiniLM-L6-v2"))
    set_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
