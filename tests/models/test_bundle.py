"""A bundle that is not what was saved is refused in one line, before anything is parsed."""

import json
import pickle
import random
import zipfile
from pathlib import Path

import pytest
from samples import LABELS, as_rows, labelled, no_steps

import models
from models import bundle
from models.errors import ModelError
from models.settings import TfidfSettings
from models.tfidf import TfidfClassifier


class Bomb:
    """Unpickling this would create the file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rows = as_rows(labelled(10))
    model = models.build(TfidfSettings(family="tfidf"), LABELS, seed=1).fit(rows, rows, no_steps)
    model.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def reseal(folder: Path, **changes: object) -> None:
    """Write the manifest anew, as somebody would who knows the format."""
    content = json.loads((folder / bundle.MANIFEST).read_text())
    del content["sha256"]
    content |= changes
    content["files"] = {
        path.relative_to(folder).as_posix(): bundle._sha256(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name != bundle.MANIFEST
    }
    (folder / bundle.MANIFEST).write_bytes(bundle._sealed(content))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        models.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["pipeline.skops", "manifest.json"])
def test_any_changed_byte_is_found(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    rng = random.Random(0)
    for at in [0, len(whole) - 1, *rng.sample(range(len(whole)), 40)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.randrange(8)
        (saved / name).write_bytes(changed)
        refusal(saved)
    (saved / name).write_bytes(whole)
    models.load(saved)


@pytest.mark.parametrize("name", ["pipeline.skops", "manifest.json"])
def test_a_file_cut_short_is_found(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[:-1])
    refusal(saved)


def test_a_missing_file_is_named(saved: Path) -> None:
    (saved / "pipeline.skops").unlink()
    assert "pipeline.skops is missing" in refusal(saved)


def test_a_foreign_file_is_named(saved: Path) -> None:
    (saved / "extra.json").write_text("{}")
    assert "extra.json does not belong" in refusal(saved)


def test_a_link_is_refused(saved: Path) -> None:
    (saved / "pipeline.skops").rename(saved.parent / "elsewhere.skops")
    (saved / "pipeline.skops").symlink_to(saved.parent / "elsewhere.skops")
    assert "is a link" in refusal(saved)


def test_a_pickle_in_the_place_of_the_weights_is_not_run(saved: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    (saved / "pipeline.skops").write_bytes(pickle.dumps(Bomb(proof)))
    reseal(saved)
    assert "could carry code" in refusal(saved)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "run.py"])
def test_a_listed_file_of_another_kind_is_refused(saved: Path, name: str) -> None:
    (saved / name).write_bytes(b"anything")
    reseal(saved)
    assert "could carry code" in refusal(saved)


def test_a_skops_file_with_a_type_of_its_own_is_refused(saved: Path) -> None:
    path = saved / "pipeline.skops"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(content["schema.json"])
    schema |= {"__module__": "os", "__class__": "system"}
    content["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    reseal(saved)
    assert "could carry code" in refusal(saved)


def test_a_zip_that_is_no_skops_file_is_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved / "pipeline.skops", "w") as archive:
        archive.writestr("something", b"else")
    reseal(saved)
    refusal(saved)


def test_settings_of_an_unknown_family_are_refused(saved: Path) -> None:
    reseal(saved, settings={"family": "oracle"})
    assert "unknown settings" in refusal(saved)


def test_another_format_version_is_named(saved: Path) -> None:
    reseal(saved, format="sitrep-bundle-99")
    assert "sitrep-bundle-99" in refusal(saved)


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    assert "is not a model" in refusal(tmp_path)


def test_an_existing_folder_is_never_written_over(saved: Path) -> None:
    model = models.load(saved)
    with pytest.raises(ModelError, match="exists already"):
        model.save(saved)


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise OSError("disk full")

    model = models.build(TfidfSettings(family="tfidf"), LABELS, seed=1)
    assert isinstance(model, TfidfClassifier)
    with pytest.raises(OSError, match="disk full"):
        bundle.save(tmp_path / "bundle", model, ("numpy",), fails)
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_what_the_model_is(saved: Path) -> None:
    manifest = bundle.verify(saved)
    assert manifest.labels == LABELS
    assert manifest.settings == TfidfSettings(family="tfidf")
    assert set(manifest.versions) == {"scikit-learn", "skops", "numpy", "scipy", "pydantic"}
