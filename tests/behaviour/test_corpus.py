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


def test_ways_of_writing_are_compared_side_by_side(tmp_path: Path) -> None:
    rows = [row | {"way": "dull" if i % 8 < 4 else "lively"} for i, row in enumerate(labelled(80))]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    real = [row | {"source": "s"} for row in labelled(20, seed=9)]
    write_jsonl(tmp_path / "real.jsonl", real)
    write_config(tmp_path / "tfidf.yaml", family="tfidf")
    asked = ("corpus", "tfidf.yaml", "--sizes", "", "--folds", 0, "--ways", "way", "--seeds", 2)
    done = sitrep(tmp_path, *asked, "--real", "real.jsonl")
    assert done.code == 0, done.err
    table = done.out.split("## Ways of writing")[1]
    names = ["dull", "lively"]
    cells = [line.split(" | ") for line in table.splitlines() if line.split(" | ")[0][2:] in names]
    assert [row[0][2:] for row in cells] == names
    assert {row[1] for row in cells} == {"160"}
    assert all(row[2:6] == ["25", "25", "25", "25"] for row in cells)
    assert all(float(row[7]) > 0.8 for row in cells), "tfidf, within"
    assert all(0.0 <= float(row[8]) <= 1.0 for row in cells), "AUC"
    assert all(float(row[9].split()[0]) > 0.8 for row in cells), "tfidf, real"


def test_a_way_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", labelled(60))
    write_config(tmp_path / "tfidf.yaml", family="tfidf")
    done = sitrep(tmp_path, "corpus", "tfidf.yaml", "--ways", "written")
    assert done.code == 2
    assert done.last_line == 'sitrep: rows.jsonl: there is no column "written"'


def test_a_slice_that_is_not_there_is_named_before_anything_is_fitted(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", labelled(60))
    write_config(tmp_path / "tfidf.yaml", family="tfidf")
    done = sitrep(tmp_path, "corpus", "tfidf.yaml", "--real", "rows.jsonl", "--by", "stratum")
    assert done.code == 2
    assert done.last_line == 'sitrep: rows.jsonl: there is no column "stratum"'
