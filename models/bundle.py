"""A saved model: a folder with a manifest that vouches for every byte of it.

The folder holds ``manifest.json`` with the family's files beside it. The manifest lists
the SHA-256 of each file and of itself, so a changed, missing or added file is found before
anything is parsed. Only formats that cannot carry code are let in: safetensors, skops
(whose types are checked on load), JSON and plain text.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import ModelError
from models.settings import ModelSettings

MANIFEST = "manifest.json"
FORMAT = "sitrep-bundle-1"
MAX_MANIFEST_BYTES = 1_000_000
"""A manifest is a few kilobytes; anything far larger is not one."""

OPENINGS: Mapping[str, tuple[bytes, ...]] = {
    ".json": (b"{", b"["),
    ".safetensors": (b"",),  # eight bytes of length, then "{": checked by _is_safetensors
    ".skops": (b"PK\x03\x04",),
    ".txt": (b"",),
    ".model": (b"\n",),  # SentencePiece: a protocol buffer whose first field is a message
}
"""How a file of each permitted kind begins. Pickles begin otherwise and have no suffix here."""

PICKLE_OPENING = b"\x80"


class Manifest(BaseModel):
    """What a bundle says about itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    settings: ModelSettings
    labels: tuple[str, ...] = Field(min_length=2)
    seed: int
    temperature: float = Field(gt=0.0)
    versions: dict[str, str]
    files: dict[str, str]
    """SHA-256 in hexadecimal by path relative to the folder."""


class Fitted(Protocol):
    """What every family says of a fitted model in its manifest."""

    @property
    def settings(self) -> ModelSettings: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def seed(self) -> int: ...
    @property
    def temperature(self) -> float: ...


def save(
    folder: Path,
    model: Fitted,
    packages: tuple[str, ...],
    write_files: Callable[[Path], None],
) -> None:
    """Write ``model`` to ``folder``, which must not exist; it appears whole or not at all.

    packages:     names whose installed versions the manifest records
    write_files:  writes the family's own files into the folder it is given

    Raises ModelError when ``folder`` exists already.
    """
    if folder.exists():
        raise ModelError(f"{folder} exists already; name a new folder for the model")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_files(draft)
        manifest = Manifest(
            format=FORMAT,
            settings=model.settings,
            labels=model.labels,
            seed=model.seed,
            temperature=model.temperature,
            versions={package: version(package).split("+")[0] for package in packages},
            files={name: _sha256(draft / name) for name in _files_below(draft)},
        )
        (draft / MANIFEST).write_bytes(_sealed(manifest.model_dump(mode="json")))
        draft.chmod(0o755)  # mkdtemp makes it private; a model is shared like any other file
        draft.replace(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def verify(folder: Path) -> Manifest:
    """Return the manifest of ``folder`` once every byte of the bundle is accounted for.

    Raises ModelError when the folder is not a bundle, was changed since it was saved, holds a
    file of another kind, or was written by a version that this one does not know.
    """
    if not folder.is_dir() or not (folder / MANIFEST).is_file():
        raise ModelError(f"{folder} is not a model: a folder with {MANIFEST} is expected")
    manifest = _read_manifest(folder / MANIFEST)
    present, listed = _files_below(folder), sorted(manifest.files)
    for name in sorted(set(present) - set(listed) - {MANIFEST}):
        raise ModelError(f"{folder / name} does not belong to this model; nothing was loaded")
    for name in listed:
        if name not in present:
            raise ModelError(f"{folder / name} is missing from the model; nothing was loaded")
        if _sha256(folder / name) != manifest.files[name]:
            raise ModelError(
                f"{folder / name} was changed since the model was saved; nothing was loaded"
            )
        _refuse_other_kinds(folder / name)
    return manifest


def _read_manifest(path: Path) -> Manifest:
    raw = path.read_bytes()[: MAX_MANIFEST_BYTES + 1]
    try:
        content = json.loads(raw)
        sealed = _sealed({key: content[key] for key in content if key != "sha256"})
        if sealed != raw:
            raise ModelError(f"{path} was changed since the model was saved; nothing was loaded")
        del content["sha256"]
        if content.get("format") != FORMAT:
            raise ModelError(
                f'{path} has format "{content.get("format")}", this version reads "{FORMAT}"'
            )
        return Manifest.model_validate_json(json.dumps(content))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        reason = "unknown settings" if isinstance(error, ValidationError) else "not valid JSON"
        raise ModelError(f"{path} is not the manifest of a model: {reason}") from error


def _sealed(content: dict[str, Any]) -> bytes:
    """The one way to write ``content``, with the hash of itself: any other byte is a change."""
    body = json.dumps(content, sort_keys=True, ensure_ascii=False)
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    whole = json.dumps({**content, "sha256": sha256}, sort_keys=True, indent=2, ensure_ascii=False)
    return whole.encode() + b"\n"


def _files_below(folder: Path) -> list[str]:
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ModelError(f"{path} is a link; a model holds plain files only")
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
    return names


def _refuse_other_kinds(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(16)
    openings = OPENINGS.get(path.suffix)
    if openings is None or (head.startswith(PICKLE_OPENING) and not _is_safetensors(head)):
        raise ModelError(f"{path} is of a kind that could carry code; nothing was loaded")
    if path.suffix == ".safetensors" and not _is_safetensors(head):
        raise ModelError(f"{path} is not a safetensors file; nothing was loaded")
    if not head.startswith(openings):
        raise ModelError(f"{path} is not the {path.suffix[1:]} file it claims to be")


def _is_safetensors(head: bytes) -> bool:
    """Whether the first bytes are a length below 100 MB followed by a JSON object.

    Source: the safetensors format, github.com/huggingface/safetensors#format.
    """
    return len(head) > 8 and int.from_bytes(head[:8], "little") < 100_000_000 and head[8:9] == b"{"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
