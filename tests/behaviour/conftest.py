"""A workspace in which two models are trained."""

from pathlib import Path

import pytest
from command import sitrep, write_config
from samples import labelled, write_jsonl


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder in which ``first.yaml`` (TF-IDF) and ``second.yaml`` (a blend) were trained."""
    folder = tmp_path_factory.mktemp("workspace")
    write_jsonl(folder / "rows.jsonl", labelled(80))
    # The baseline sees runs of six words only, which never come twice: it has learnt nothing.
    write_config(folder / "first.yaml", family="tfidf", words={"ngram_range": [6, 6]})
    write_config(
        folder / "second.yaml",
        family="transformer",
        encoder=str(tiny_encoder),
        epochs=6,
        learning_rate=3e-3,
        head_learning_rate=1e-2,
        max_tokens=32,
        ngrams={"family": "tfidf"},
    )
    done = sitrep(folder, "train", "first.yaml", "second.yaml")
    assert done.code == 0, done.err
    (folder / "train.out").write_text(done.out)
    return folder
