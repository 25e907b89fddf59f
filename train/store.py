"""Where MLflow keeps our runs, and where its UI shows them."""

import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import mlflow
from mlflow.utils.logging_utils import disable_logging

from models.errors import SitrepError

EXPERIMENT = "sitrep"
STORE_FILE, ARTIFACTS = "mlflow.db", "mlartifacts"
COMMAND_TAG = "sitrep.kind"
"""Marks, with the value "command", the run that holds the runs of one command."""
SERVER_TIMEOUT_SECONDS = 5
"""A tracking server that does not answer in this time is reported, not waited for."""


def open_store() -> str:
    """Point MLflow at ``MLFLOW_TRACKING_URI``, or at ``mlflow.db`` in the current folder.

    Returns the address. Raises SitrepError when a server there does not answer.
    """
    _quieten()
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    if chosen:
        require_answer(chosen)
        mlflow.set_tracking_uri(chosen)
    else:
        # Absolute, and where a plain `mlflow ui` looks; set by us because a left-over ./mlruns
        # would make MLflow fall back to it.
        mlflow.set_tracking_uri(journal())
    return str(mlflow.get_tracking_uri())


def open_for_training() -> str | None:
    """Point MLflow at where runs are written while they last; return the server they go to then.

    With a tracking server in ``MLFLOW_TRACKING_URI`` that is the store of the current folder, so
    that a server which is slow, gone or dies half-way costs no run. None without a server.
    """
    chosen = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not _is_server(chosen):
        open_store()
        return None
    _quieten()
    mlflow.set_tracking_uri(journal())
    return chosen


def require_server() -> str:
    """Return the server in ``MLFLOW_TRACKING_URI``.

    Raises SitrepError when there is none, or when it does not answer.
    """
    chosen = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not _is_server(chosen):
        raise SitrepError(
            "MLFLOW_TRACKING_URI names no server to send runs to; set it, for example to "
            "http://127.0.0.1:5000"
        )
    _quieten()
    require_answer(chosen)
    return chosen


@contextmanager
def at(uri: str) -> Iterator[None]:
    """Point MLflow at ``uri`` for a while."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def journal() -> str:
    """The address of the store in the current folder."""
    return f"sqlite:///{Path.cwd() / STORE_FILE}"


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def ui_pages() -> dict[str, str]:
    """Pages of the UI worth opening, by what they show, to be put behind the server's address.

    The runs, and the comparison of those that the last command trained together.
    """
    # Without this word, the UI opens on its pages for chat traces.
    view = "workflowType=machine_learning"
    found = mlflow.get_experiment_by_name(experiment_name())
    if found is None:
        return {"experiments": f"#/experiments?{view}"}
    pages = {"all runs": f"#/experiments/{found.experiment_id}/runs?{view}"}
    runs = mlflow.search_runs([found.experiment_id], output_format="list")
    parents = [run for run in runs if run.data.tags.get(COMMAND_TAG) == "command"]
    if parents:
        newest = parents[0].info.run_id
        children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == newest]
        ids = json.dumps([run.info.run_id for run in reversed(children)], separators=(",", ":"))
        experiments = json.dumps([found.experiment_id])
        pages["the last comparison"] = (
            f"#/compare-runs?runs={quote(ids)}&experiments={quote(experiments)}&{view}"
        )
    return pages


def experiment_name() -> str:
    """The experiment that runs belong to, ``MLFLOW_EXPERIMENT_NAME`` or our own."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)


def use_experiment() -> None:
    """Write to our experiment from now on; it is made where there is none."""
    name = experiment_name()
    if mlflow.get_tracking_uri() == journal() and not mlflow.get_experiment_by_name(name):
        place = (Path.cwd() / ARTIFACTS).as_uri()
        mlflow.create_experiment(name, artifact_location=place)
    mlflow.set_experiment(name)


def require_answer(uri: str) -> None:
    """Ask a server once, briefly: by default MLflow retries for four minutes at every call.

    Raises SitrepError when nothing answers.
    """
    if not _is_server(uri):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError:
        return  # it answers, if only to say that it has no such page
    except (OSError, ValueError) as error:
        raise SitrepError(
            f"MLFLOW_TRACKING_URI is {uri}, and nothing answers there ({error}); "
            "start that server or unset the variable to use mlflow.db in this folder"
        ) from error


def _quieten() -> None:
    """Keep what MLflow tells about its own doings out of our output."""
    disable_logging()
    logging.getLogger("alembic").setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
