"""The default encoder on the real seeds, from config to labelled sample articles."""

from pathlib import Path

from command import sitrep

ROOT = Path(__file__).parents[2]


def test_the_default_encoder_trains_on_the_seeds_and_labels_the_samples(tmp_path: Path) -> None:
    (tmp_path / "seeds").symlink_to(ROOT / "seeds")
    trained = sitrep(tmp_path, "train", ROOT / "configs" / "smoke.yaml")
    assert trained.code == 0, trained.err
    assert "the champion is now version 1 (smoke)" in trained.out
    labelled = sitrep(tmp_path, "predict", "seeds/articles", "-o", "labels.csv")
    assert labelled.code == 0, labelled.err
    assert "5 records read = 5 labelled + 0 rejected" in labelled.err
    assert len((tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines()) > 150
