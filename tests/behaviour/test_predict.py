"""Articles of every permitted kind are labelled with the champion, and nothing is lost."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from command import sitrep
from samples import LABELS

TEXT = "Troops shelled the convoy on Aug. 8.\r\n\r\n“Avoid travel.” Gen. Haddad met the U.S. envoy."
SENTENCES = [
    "Troops shelled the convoy on Aug. 8.",
    "“Avoid travel.”",
    "Gen. Haddad met the U.S. envoy.",
]


@pytest.fixture
def article(tmp_path: Path) -> Path:
    (tmp_path / "story.txt").write_bytes(TEXT.encode())
    return tmp_path / "story.txt"


def labels_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_each_sentence_gets_label_offsets_and_probabilities(
    workspace: Path, article: Path, tmp_path: Path
) -> None:
    done = sitrep(workspace, "predict", article, "-o", tmp_path / "labels.jsonl")
    assert done.code == 0, done.err
    rows = labels_of(tmp_path / "labels.jsonl")
    assert [row["text"] for row in rows] == SENTENCES
    assert [TEXT[row["start"] : row["end"]] for row in rows] == SENTENCES  # type: ignore[misc]
    assert list(rows[0]) == [
        *("article_id", "position", "start", "end", "text", "label", "confidence"),
        *(f"p_{label}" for label in LABELS),
    ]
    assert sum(float(str(rows[0][f"p_{label}"])) for label in LABELS) == pytest.approx(1, abs=1e-5)
    best = max(LABELS, key=lambda label: rows[0][f"p_{label}"])  # type: ignore[arg-type, return-value]
    assert (rows[0]["label"], rows[0]["confidence"]) == (best, rows[0][f"p_{best}"])
    assert "1 records read = 1 labelled + 0 rejected; 3 sentences" in done.err


def test_csv_and_jsonl_hold_the_same(workspace: Path, article: Path, tmp_path: Path) -> None:
    for kind in ("csv", "jsonl"):
        assert sitrep(workspace, "predict", article, "-o", tmp_path / f"labels.{kind}").code == 0
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        from_csv = [(r["text"], r["label"], float(r["confidence"])) for r in csv.DictReader(file)]
    from_jsonl = [
        (r["text"], r["label"], r["confidence"]) for r in labels_of(tmp_path / "labels.jsonl")
    ]
    assert from_csv == from_jsonl


def test_without_an_output_the_terminal_shows_readable_lines(
    workspace: Path, article: Path
) -> None:
    done = sitrep(workspace, "predict", article)
    assert done.code == 0
    assert "story.txt" in done.out
    lines = done.out.splitlines()[2:]
    assert [line.split(maxsplit=2)[2] for line in lines] == SENTENCES
    assert all(line.split()[0] in LABELS and line.split()[1].endswith("%") for line in lines)


def test_standard_input_can_be_text_or_jsonl(workspace: Path) -> None:
    text = sitrep(workspace, "predict", "-", "-o", "-", stdin=TEXT.encode())
    assert [json.loads(line)["text"] for line in text.out.splitlines()] == SENTENCES
    record = json.dumps({"id": "x", "text": TEXT}).encode()
    jsonl = sitrep(workspace, "predict", "-", "-o", "-", stdin=record)
    assert [json.loads(line)["article_id"] for line in jsonl.out.splitlines()] == ["x"] * 3


def test_no_split_keeps_each_record_whole(workspace: Path, article: Path, tmp_path: Path) -> None:
    sitrep(workspace, "predict", article, "--no-split", "-o", tmp_path / "labels.jsonl")
    assert [row["text"] for row in labels_of(tmp_path / "labels.jsonl")] == [TEXT]


def test_a_bad_record_is_set_aside_and_the_others_are_labelled(
    workspace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "articles.jsonl"
    path.write_bytes(
        b'{"id": "a", "text": "Troops left."}\n{"id": "b"}\n\xff\n{"text": "Talks."}\n'
    )
    done = sitrep(workspace, "predict", path, "-o", tmp_path / "labels.jsonl")
    assert done.code == 0
    assert "4 records read = 2 labelled + 2 rejected" in done.err
    assert len(labels_of(tmp_path / "labels.jsonl")) == 2
    rejected = labels_of(tmp_path / "labels.jsonl.rejected.jsonl")
    assert [record["line"] for record in rejected] == [2, 3]


def test_with_nothing_readable_an_older_output_stays(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" ")
    (tmp_path / "labels.jsonl").write_text("of an earlier run\n")
    done = sitrep(workspace, "predict", tmp_path / "empty.txt", "-o", tmp_path / "labels.jsonl")
    assert done.code == 2
    assert (tmp_path / "labels.jsonl").read_text() == "of an earlier run\n"


@pytest.mark.parametrize("kind", ["champion", "version", "run", "folder"])
def test_a_model_can_be_named_in_every_way(
    workspace: Path, article: Path, tmp_path: Path, kind: str
) -> None:
    import sqlite3

    with sqlite3.connect(workspace / "mlflow.db") as store:
        version, run = store.execute(
            "select version, run_id from model_versions order by version desc"
        ).fetchone()
    address = {
        "champion": "models:/sitrep@champion",
        "version": f"models:/sitrep/{version}",
        "run": run,
        "folder": next((workspace / "mlartifacts").rglob("bundle/manifest.json")).parent,
    }[kind]
    done = sitrep(workspace, "predict", article, "--model", address, "-o", "-")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 3


def test_evaluate_judges_the_champion_on_labelled_rows(workspace: Path, tmp_path: Path) -> None:
    done = sitrep(workspace, "evaluate", "rows.jsonl", "--json", tmp_path / "report.json")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sentences"] == 320
    macro_f1 = report["metrics"]["macro_f1"]
    assert 0.6 < macro_f1["lo"] <= macro_f1["value"] <= macro_f1["hi"] <= 1
    assert f"{macro_f1['value']:.3f}" in done.out
    assert sum(map(sum, report["confusion"]["true_by_predicted"])) == 320


def test_evaluate_slices_and_finds_thresholds(workspace: Path, tmp_path: Path) -> None:
    done = sitrep(
        *(workspace, "evaluate", "rows.jsonl", "--by", "position", "--target-precision", "0.9"),
        *("--json", tmp_path / "report.json"),
    )
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert [s["sentences"] for s in report["slices"]["position"]] == [80] * 4
    assert sum(s["sentences"] for s in report["slices"]["words"]) == 320
    assert report["risk_coverage"][0]["accuracy"] == report["metrics"]["accuracy"]
    assert [t["label"] for t in report["thresholds"]["labels"]] == list(LABELS)
    assert "left to a person" in done.out


def test_compare_judges_models_on_the_same_rows(workspace: Path, tmp_path: Path) -> None:
    done = sitrep(
        *(workspace, "compare", "models:/sitrep/1", "models:/sitrep/2", "--data", "rows.jsonl"),
        *("--json", tmp_path / "report.json", "-o", tmp_path / "differ.jsonl"),
    )
    assert done.code == 0, done.err
    assert "models:/sitrep/2 is better than models:/sitrep/1" in " ".join(done.out.split())
    found = json.loads((tmp_path / "report.json").read_text())["differences"][0]
    assert (found["verdict"], set(found["f1"])) == ("better", set(LABELS))
    differ = [json.loads(line) for line in (tmp_path / "differ.jsonl").read_text().splitlines()]
    alone = [sum(r["answers"][m]["label"] == r["true"] for r in differ) for m in
             ("models:/sitrep/2", "models:/sitrep/1")]  # fmt: skip
    assert alone == [found["only_model_right"], found["only_baseline_right"]]


def test_too_many_rejected_records_end_with_code_3_and_no_result(
    workspace: Path, tmp_path: Path
) -> None:
    lines = ['{"text": "Avoid travel."}'] * 20 + ["broken"] * 12
    (tmp_path / "news.jsonl").write_text("\n".join(lines))
    words = ("predict", tmp_path / "news.jsonl", "-o", tmp_path / "out.parquet")
    done = sitrep(workspace, *words)
    assert done.code == 3
    assert "12 of 32 records were rejected" in done.last_line
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"news.jsonl", "out.parquet.rejected.jsonl"}
    assert sitrep(workspace, *words, "--max-rejected", "0.5").code == 0
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 20


def test_a_job_writes_parts_and_goes_on_without_doing_them_again(
    workspace: Path, tmp_path: Path
) -> None:
    news = [json.dumps({"id": f"n{n}", "text": "Avoid travel. Troops left."}) for n in range(4_500)]
    (tmp_path / "news.jsonl").write_text("\n".join(news))
    words = ("predict", tmp_path / "news.jsonl", "--job", tmp_path / "job", "--parts", "jsonl")
    first = sitrep(workspace, *words, "--model", "models:/sitrep/1")
    assert first.code == 0, first.err
    parts = sorted((tmp_path / "job").glob("part-*.jsonl"))
    rows = [json.loads(line) for path in parts for line in path.read_text().splitlines()]
    assert [row["article_id"] for row in rows[::2]] == [f"n{n}" for n in range(4_500)]
    parts[1].unlink()
    before = [path.stat().st_mtime_ns for path in (parts[0], parts[2])]
    again = sitrep(workspace, *words, "--model", "models:/sitrep/1", "--workers", "2")
    assert again.code == 0, again.err
    assert "4,500 records read = 4,500 labelled" in again.last_line
    assert [path.stat().st_mtime_ns for path in (parts[0], parts[2])] == before
    assert parts[1].exists()
    refused = sitrep(workspace, *words, "--model", "models:/sitrep/2")
    assert (refused.code, "a job with another model" in refused.last_line) == (2, True)
    assert sitrep(workspace, *words, "-o", "x.csv").code == 2


def test_an_engine_without_a_job_is_refused(workspace: Path, article: Path) -> None:
    for words in (("--engine", "ray"), ("--ray-address", "10.0.0.1:6379")):
        refused = sitrep(workspace, "predict", article, *words)
        assert (refused.code, "are for a --job only" in refused.last_line) == (2, True)
