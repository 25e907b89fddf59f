"""Training runs unchanged on other labels, few rows and many."""

import random
from pathlib import Path

import pytest
from command import sitrep, write_config
from samples import labelled, write_jsonl

FOUND = ("--set", "data.labels=null")
TWENTY = tuple(f"topic {chr(97 + n)}" for n in range(20))


def rows_of(labels: tuple[str, ...], articles: int) -> list[dict[str, object]]:
    """One sentence per label and article, eight of whose words belong to the label."""
    rng = random.Random(1)
    return [
        {
            "article_id": f"a{n}",
            "text": " ".join(rng.choices([f"{label[-1]}{k}word" for k in range(60)], k=8))
            + f" {n}",
            "label": label,
        }
        for n in range(articles)
        for label in labels
    ]


@pytest.mark.parametrize(
    ("labels", "articles"),
    [(("no", "yes"), 60), (TWENTY, 15), (("a", "b", "c"), 20)],
    ids=["two labels", "twenty labels", "sixty rows"],
)
def test_both_families_train_and_compare(
    tmp_path: Path, tiny_encoder: Path, labels: tuple[str, ...], articles: int
) -> None:
    write_jsonl(tmp_path / "rows.jsonl", rows_of(labels, articles))
    write_config(tmp_path / "first.yaml", family="tfidf")
    write_config(
        tmp_path / "second.yaml",
        family="transformer",
        encoder=str(tiny_encoder),
        epochs=1,
        max_tokens=32,
        ngrams={"family": "tfidf"},
    )
    done = sitrep(tmp_path, "train", "first.yaml", "second.yaml", *FOUND)
    assert done.code == 0, done.err
    assert all(f"  {label}  " in done.out for label in labels)
    assert "McNemar" in done.out  # the comparison


def test_fifty_thousand_rows_train(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", rows_of(("a", "b", "c", "d", "e"), 10_000))
    write_config(tmp_path / "first.yaml", family="tfidf")
    done = sitrep(tmp_path, "train", "first.yaml", *FOUND, "--set", "split.near_duplicate=1.0")
    assert done.code == 0, done.err
    assert "50,000" in done.err


@pytest.mark.parametrize("policy", ["error", "keep-in-train", "drop"])
def test_a_label_of_one_row_goes_by_the_policy(tmp_path: Path, policy: str) -> None:
    records = labelled(40)
    records[4]["label"] = "rumour"
    write_jsonl(tmp_path / "rows.jsonl", records)
    write_config(tmp_path / "first.yaml", family="tfidf")
    done = sitrep(tmp_path, "train", "first.yaml", *FOUND, "--set", f"split.rare_labels={policy}")
    assert done.code == (2 if policy == "error" else 0), done.err
    assert ("rumour" in done.out) == (policy == "keep-in-train")
    assert "rumour" in done.err


def test_several_seeds_are_runs_of_their_own_with_a_mean(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", labelled(60))
    write_config(tmp_path / "first.yaml", family="tfidf", words={"ngram_range": [6, 6]})
    write_config(tmp_path / "second.yaml", family="tfidf")
    done = sitrep(tmp_path, "train", "first.yaml", "second.yaml", "--seeds", "2")
    assert done.code == 0, done.err
    assert "second is better than first in the mean" in " ".join(done.out.split())
    assert {name for name in ("first-seed1", "second-seed2") if name in done.out}
    assert len(sitrep(tmp_path, "models", "--json").out.splitlines()) == 4
