"""Articles and near-duplicates never meet across splits, on any machine in the same way."""

import random
from pathlib import Path

import pytest
from samples import LABELS, labelled, write_jsonl

from models.errors import DataError
from train import data, splits
from train.config import DataSettings, SplitSettings
from train.splits import Split, near_duplicate_clusters

SETTINGS = SplitSettings(valid=0.2, test=0.2)
STORY = "Two frigates left port on Thursday to join the patrol in the strait, the navy said"


def read(path: Path) -> data.Labelled:
    return data.inspect(DataSettings(files=(str(path),)))


def split_of(tmp_path: Path, records: list[dict[str, object]], **changes: object) -> Split:
    settings = SETTINGS.model_copy(update=changes)
    return splits.split(read(write_jsonl(tmp_path / "rows.jsonl", records)), None, None, settings)


def where(split: Split) -> dict[str, str]:
    return {text: name for name, rows in split.parts() for text in rows.texts}


def test_rows_of_one_article_never_meet_across_splits(tmp_path: Path) -> None:
    split = split_of(tmp_path, labelled(100))
    articles = [set(rows.article_ids) for _, rows in split.parts()]
    assert all(articles)
    assert not articles[0] & articles[1]
    assert not articles[0] & articles[2]
    assert not articles[1] & articles[2]


def test_near_duplicates_in_different_articles_stay_on_one_side(tmp_path: Path) -> None:
    records = labelled(60)
    for n in range(0, 240, 4):  # every advisory is one story with another number in it
        records[n]["text"] = f"{STORY} in notice {n}."
    with pytest.raises(DataError, match=r"would be empty|has no row of label"):
        split_of(tmp_path, records)  # they join all articles into one group


def test_pairs_of_near_duplicates_are_kept_together(tmp_path: Path) -> None:
    records = labelled(60)
    pairs = [(4 * n, 4 * (n + 30)) for n in range(30)]
    for first, second in pairs:
        records[second]["text"] = str(records[first]["text"]).replace(".", " again.")
    split = split_of(tmp_path, records)
    side = where(split)
    assert all(side[str(records[a]["text"])] == side[str(records[b]["text"])] for a, b in pairs)
    assert split.report.clusters >= 30


def test_every_row_lands_in_exactly_one_split(tmp_path: Path) -> None:
    records = labelled(50)
    split = split_of(tmp_path, records)
    texts = [text for _, rows in split.parts() for text in rows.texts]
    assert sorted(texts) == sorted(str(r["text"]) for r in records)


def test_labels_and_sizes_come_out_as_asked(tmp_path: Path) -> None:
    rng = random.Random(1)
    records = []
    for record in labelled(400):
        # Uneven labels and uneven articles, as real ones are.
        if record["label"] != "military_event" or rng.random() < 0.3:
            records += [record] * (1 if rng.random() < 0.7 else 0)
    split = split_of(tmp_path, records)
    total = len(records)
    for name, share in (("train", 0.6), ("valid", 0.2), ("test", 0.2)):
        rows = dict(split.parts())[name]
        assert len(rows) / total == pytest.approx(share, abs=0.02)
        for i in range(len(LABELS)):
            of_label = sum(r["label"] == LABELS[i] for r in records)
            assert (rows.targets == i).sum() / of_label == pytest.approx(share, abs=0.05)


def test_the_split_does_not_depend_on_the_order_of_rows_or_names_of_files(tmp_path: Path) -> None:
    records = labelled(60)
    forwards = where(split_of(tmp_path, records))
    random.Random(3).shuffle(records)
    (tmp_path / "elsewhere").mkdir()
    assert where(split_of(tmp_path / "elsewhere", records)) == forwards


def test_another_seed_gives_another_split(tmp_path: Path) -> None:
    assert where(split_of(tmp_path, labelled(60))) != where(
        split_of(tmp_path, labelled(60), seed=99)
    )


def test_the_split_of_a_known_corpus_is_the_one_of_every_machine(tmp_path: Path) -> None:
    """Worked out once by the rule itself: hashes of texts, no library's random numbers."""
    split = split_of(tmp_path, labelled(10), seed=1)
    order = sorted(
        range(10),
        key=lambda n: splits._lot(
            read(tmp_path / "rows.jsonl").rows, list(range(4 * n, 4 * n + 4)), 1
        ),
    )
    # Equal groups: each goes to the split that lacks most, train first where they are even.
    have, sides = {"train": 0, "valid": 0, "test": 0}, {}
    wanted = {"train": 6, "valid": 2, "test": 2}
    for n in order:
        side = max(wanted, key=lambda name: (wanted[name] - have[name]) / wanted[name])
        have[side] += 1
        sides[f"a0-{n}"] = side
    assert {a: name for name, rows in split.parts() for a in rows.article_ids} == sides


def test_given_test_rows_are_used_as_they_are(tmp_path: Path) -> None:
    main = read(write_jsonl(tmp_path / "main.jsonl", labelled(40, seed=1)))
    test = read(write_jsonl(tmp_path / "test.jsonl", labelled(10, seed=2)))
    split = splits.split(main, None, test, SETTINGS)
    assert split.test.texts == test.rows.texts
    assert len(split.train) + len(split.valid) == len(main.rows)
    assert len(split.valid) / len(main.rows) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("leak", ["article", "near-duplicate text"])
def test_given_test_rows_that_leak_stop_the_run(tmp_path: Path, leak: str) -> None:
    ours, theirs = labelled(40, seed=1), labelled(10, seed=2)
    if leak == "article":
        theirs[0]["article_id"] = ours[0]["article_id"]
    else:
        ours[0]["text"], theirs[0]["text"] = f"{STORY}.", f"{STORY} late."
    main = read(write_jsonl(tmp_path / "main.jsonl", ours))
    test = read(write_jsonl(tmp_path / "test.jsonl", theirs))
    with pytest.raises(DataError, match=rf"^{leak} on two sides.*test\.jsonl:1 in test"):
        splits.split(main, None, test, SETTINGS)


def test_without_articles_the_report_says_that_only_clusters_were_kept_together(
    tmp_path: Path,
) -> None:
    records = [{k: v for k, v in r.items() if k != "article_id"} for r in labelled(40)]
    split = split_of(tmp_path, records)
    assert "no article column" in split.report.sentence()


def test_a_label_with_too_few_rows_is_named(tmp_path: Path) -> None:
    records = [r for r in labelled(40) if r["label"] != "advisory"] + labelled(1, seed=9)[:1]
    with pytest.raises(DataError, match='has no row of label "advisory"'):
        split_of(tmp_path, records)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (STORY.upper(), True),
        (STORY + ".", True),
        (STORY.replace("Thursday", "Friday"), True),
        (STORY.replace(" ", "  "), True),
        ("Two frigates left port on Thursday", False),
        ("Ministers met in Geneva to discuss the release of prisoners held since spring", False),
    ],
)
def test_what_counts_as_nearly_the_same_text(other: str, same: bool) -> None:
    clusters = near_duplicate_clusters([STORY, "A different sentence altogether.", other], 0.8)
    assert (clusters[2] == 0) is same


def test_clusters_agree_with_comparing_every_pair() -> None:
    rng = random.Random(5)
    texts = [str(r["text"]) for r in labelled(30, seed=4)]
    texts += [" ".join(rng.choice(texts).split()[:-1]) + " now." for _ in range(60)]
    shingles = [splits._shingles(data.normalised(text)) for text in texts]
    clusters = near_duplicate_clusters(texts, 0.8)
    missed = [
        (i, j)
        for i in range(len(texts))
        for j in range(i)
        if splits._jaccard(shingles[i], shingles[j]) >= 0.8 and clusters[i] != clusters[j]
    ]
    assert missed == []


def with_a_rare_label(tmp_path: Path, policy: str) -> Split:
    records = labelled(50)
    records[8]["label"] = "rumour"
    return split_of(tmp_path, records, rare_labels=policy)


def test_a_label_of_one_row_stops_the_run_and_names_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'no row of label "rumour".*keep-in-train or drop'):
        with_a_rare_label(tmp_path, "error")


def test_a_rare_label_can_be_kept_in_train(tmp_path: Path) -> None:
    split = with_a_rare_label(tmp_path, "keep-in-train")
    column = split.labels.index("rumour")
    assert [(rows.targets == column).sum() for _, rows in split.parts()] == [1, 0, 0]
    assert sum(len(rows) for _, rows in split.parts()) == 200
    assert split.report.shared_articles == 0


def test_rows_of_a_rare_label_can_be_dropped(tmp_path: Path) -> None:
    split = with_a_rare_label(tmp_path, "drop")
    assert split.labels == LABELS
    assert sum(len(rows) for _, rows in split.parts()) == 199
    records = {str(r["text"]): r["label"] for r in labelled(50)}
    for _, rows in split.parts():  # the other labels are still what they were
        assert [split.labels[t] for t in rows.targets] == [records[t] for t in rows.texts]


def test_nothing_is_learnt_from_one_label(tmp_path: Path) -> None:
    records = [{**r, "label": "advisory"} for r in labelled(50)]
    records[8]["label"] = "rumour"
    with pytest.raises(DataError, match="fewer than two labels"):
        split_of(tmp_path, records, rare_labels="drop")
