"""Which registered model is the champion, and which bundle an address means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from models.errors import ModelError
from train.store import open_store

REGISTERED_MODEL = "sitrep"
CHAMPION = "champion"
BUNDLE = "bundle"
"""Name of our bundle among the artifacts of a logged model."""


@dataclass(frozen=True)
class Version:
    """A version of the registered model."""

    number: str
    run_id: str
    run_name: str
    created: datetime
    tags: Mapping[str, str]
    """Figures of its test rows, and why it became champion if it did."""
    is_champion: bool


def versions() -> list[Version]:
    """Return all versions of the registered model, the newest first."""
    client = mlflow.MlflowClient()
    try:
        crowned = client.get_registered_model(REGISTERED_MODEL).aliases.get(CHAMPION)
    except MlflowException:
        return []
    found = client.search_model_versions(f"name = '{REGISTERED_MODEL}'")
    all_of_them = [_version(entity, crowned) for entity in found]
    return sorted(all_of_them, key=lambda version: -int(version.number))


def champion() -> Version | None:
    """Return the version that ``predict`` uses by default, or None when there is none."""
    client = mlflow.MlflowClient()
    try:
        found = client.get_model_version_by_alias(REGISTERED_MODEL, CHAMPION)
    except MlflowException:
        return None
    return _version(found, str(found.version))


def _version(entity: Any, champion_number: object) -> Version:
    return Version(
        number=str(entity.version),
        run_id=entity.run_id,
        run_name=entity.tags.get("run_name", entity.run_id),
        created=datetime.fromtimestamp(entity.creation_timestamp / 1000).astimezone(),
        tags=entity.tags,
        is_champion=str(entity.version) == str(champion_number),
    )


def versions_of(client: mlflow.MlflowClient, run_id: str) -> list[Any]:
    """Return MLflow's own record of each version that ``run_id`` made, in ``client``'s registry."""
    return list(
        client.search_model_versions(f"name = '{REGISTERED_MODEL}' and run_id = '{run_id}'")
    )


def make_champion(number: str, reason: str) -> None:
    """Move the alias to version ``number`` and write the reason on it."""
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(REGISTERED_MODEL, CHAMPION, number)
    client.set_model_version_tag(REGISTERED_MODEL, number, "champion_reason", reason)


def bundle_folder(address: str | None) -> Path:
    """Return the bundle behind a folder, a run id, a registry address, or the champion's.

    Raises ModelError when there is none there.
    """
    if address is not None and Path(address).is_dir():
        return _bundle_in(Path(address))
    if address is not None and (address.startswith((".", "/", "~")) or address.endswith("/")):
        raise ModelError(f'there is no model folder "{address}"')
    store = open_store()
    if address is None and champion() is None:
        raise ModelError(
            f"no model is trained yet in {store}: run `make train`, or name one with --model"
        )
    try:
        return _bundle_in(Path(mlflow.artifacts.download_artifacts(_model_uri(address))))
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f'no model at "{address}" in {store} ({reason}); give a bundle folder, a run id or an '
            f"address such as models:/{REGISTERED_MODEL}@{CHAMPION}"
        ) from error


def _bundle_in(folder: Path) -> Path:
    """The bundle itself, also when ``folder`` is the MLflow model around it."""
    inside = folder / "artifacts" / BUNDLE
    return inside if inside.is_dir() else folder


def _model_uri(address: str | None) -> str:
    if address is None:
        return f"models:/{REGISTERED_MODEL}@{CHAMPION}"
    if address.startswith(("models:/", "runs:/")):
        return address
    return f"runs:/{address}/model"
