"""``sitrep corpus``: one page on a labelled corpus."""

from pathlib import Path

from command import sitrep, write_config
from samples import labelled, write_jsonl


def test_the_page_tells_counts_curve_and_realism(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", labelled(60))
    real = [row | {"source": f"s{i % 3}"} for i, row in enumerate(labelled(20, seed=9))]
    (tmp_path / "elsewhere").mkdir()
    write_jsonl(tmp_path / "elsewhere" / "real.jsonl", real)
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "rows.jsonl").rename(folder / "rows.jsonl")
    write_config(folder / "tfidf.yaml", family="tfidf")
    done = sitrep(
        folder,
        *("corpus", "tfidf.yaml", "-o", tmp_path / "report.md", "--sizes", "60,100,9000"),
        *("--seeds", 2, "--by", "source"),
        *("--real", "../elsewhere/real.jsonl"),
    )
    assert done.code == 0, done.err
    page = (tmp_path / "report.md").read_text()
    command = "sitrep corpus tfidf.yaml -o report.md --sizes 60,100,9000 --seeds 2 --by source"
    assert f"`{command} --real real.jsonl`" in page
    assert "Share labelled right" in page
    assert "| all | 60 | 240 | 60 | 60 | 60 | 60 |" in page
    fits = [line.split(" | ")[1:3] for line in page.splitlines() if line.startswith("| tfidf | ")]
    assert [fit for fit in fits if len(fit) == 2] == [["60", "2"], ["100", "2"], ["144", "2"]]
    assert "80 sentences of `real.jsonl`" in page
    assert str(tmp_path) not in page


def test_a_slice_that_is_not_there_is_named_before_anything_is_fitted(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", labelled(60))
    write_config(tmp_path / "tfidf.yaml", family="tfidf")
    done = sitrep(tmp_path, "corpus", "tfidf.yaml", "--real", "rows.jsonl", "--by", "stratum")
    assert done.code == 2
    assert done.last_line == 'sitrep: rows.jsonl: there is no column "stratum"'
