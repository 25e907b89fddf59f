"""Runs kept in this folder are sent to a tracking server, none lost, none twice."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from models.errors import SitrepError
from train import registry, store, tracking
from train.config import EvaluationSettings
from train.registry import REGISTERED_MODEL

JOURNAL_TAG = "sitrep.journal_run"
"""On a run of the server: the id of the run in the folder that it is a copy of."""
COMPLETE_TAG = "sitrep.complete"
"""On a run of the server: everything of it has arrived."""
SENT_TAG = "sitrep.sent_to"
"""On a run of the folder: the server that has all of it."""
METRICS_AT_A_TIME = 1_000
"""MLflow takes no more in one request."""

logger = logging.getLogger(__name__)


def send(server: str) -> int:
    """Copy every run of this folder that ``server`` does not have; return how many were sent.

    A run that arrived in part, because the server died meanwhile, is removed there and sent anew.

    Raises SitrepError when the server does not answer or answers with an error; what was sent
    until then stays sent.
    """
    journal = mlflow.MlflowClient(store.journal(), store.journal())
    unsent = _unsent(journal, server)
    if not unsent:
        return 0
    with _patience():
        try:
            target = mlflow.MlflowClient(server, server)
            copied: dict[str, str] = {}
            for run in unsent:
                copied[run.info.run_id] = _send_run(journal, target, server, run, copied)
                journal.set_tag(run.info.run_id, SENT_TAG, server)
        except (MlflowException, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise SitrepError(f"{server} did not take everything: {reason[:300]}") from error
    return len(unsent)


@contextmanager
def _patience() -> Iterator[None]:
    """MLflow's own tries take four minutes for a server that is gone."""
    chosen = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
    added = {name: value for name, value in chosen.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _unsent(journal: mlflow.MlflowClient, server: str) -> list[Any]:
    """Runs to send, each after its parent, the oldest command first."""
    experiment = journal.get_experiment_by_name(store.experiment_name())
    if experiment is None:
        return []
    runs = []
    page = None
    while True:
        found = journal.search_runs([experiment.experiment_id], page_token=page)
        runs += [r for r in found if r.info.status != "RUNNING"]
        page = found.token
        if not page:
            break
    runs.sort(key=lambda run: ("mlflow.parentRunId" in run.data.tags, run.info.start_time))
    return [run for run in runs if run.data.tags.get(SENT_TAG) != server]


def _send_run(
    journal: mlflow.MlflowClient,
    target: mlflow.MlflowClient,
    server: str,
    run: Any,
    copied: dict[str, str],
) -> str:
    experiment = _experiment(target)
    earlier = target.search_runs(
        [experiment], f"tags.`{JOURNAL_TAG}` = '{run.info.run_id}'", max_results=10
    )
    for copy in earlier:
        if copy.data.tags.get(COMPLETE_TAG) == "true":
            return str(copy.info.run_id)
        _remove(target, copy.info.run_id)
    tags = dict(run.data.tags) | {JOURNAL_TAG: run.info.run_id}
    parent = tags.pop("mlflow.parentRunId", None)
    if parent is not None:
        tags["mlflow.parentRunId"] = copied.get(parent) or _copy_of(target, experiment, parent)
    # Which model a run made is written by the server itself.
    tags = {k: v for k, v in tags.items() if not k.startswith("mlflow.log-model") and k != SENT_TAG}
    made = target.create_run(experiment, run.info.start_time, tags, run.info.run_name).info.run_id
    params = [Param(key, value) for key, value in run.data.params.items()]
    target.log_batch(made, params=params)
    metrics = [
        Metric(m.key, m.value, m.timestamp, m.step)
        for key in run.data.metrics
        for m in journal.get_metric_history(run.info.run_id, key)
    ]
    for start in range(0, len(metrics), METRICS_AT_A_TIME):
        target.log_batch(made, metrics=metrics[start : start + METRICS_AT_A_TIME])
    if run.inputs is not None and run.inputs.dataset_inputs:
        target.log_inputs(made, run.inputs.dataset_inputs)
    with tempfile.TemporaryDirectory() as folder:
        for artifact in journal.list_artifacts(run.info.run_id):
            journal.download_artifacts(run.info.run_id, artifact.path, folder)
        target.log_artifacts(made, folder)
    for version in registry.versions_of(journal, run.info.run_id):
        _send_model(server, target, made, version)
    target.set_terminated(made, run.info.status, run.info.end_time)
    target.log_batch(made, tags=[RunTag(COMPLETE_TAG, "true")])
    return str(made)


def _send_model(server: str, target: mlflow.MlflowClient, run_id: str, version: Any) -> None:
    """Log the bundle of a version of the folder's registry again, and challenge the champion."""
    address = f"models:/{REGISTERED_MODEL}/{version.version}"
    with store.at(store.journal()):
        bundle = registry.bundle_folder(address)
    with store.at(server), mlflow.start_run(run_id=run_id):
        report = tracking.report_of(run_id, EvaluationSettings())
        number = tracking.log_bundle(bundle, report.rows.texts[0] if report else "A sentence.")
        for key, value in version.tags.items():
            if key != "champion_reason":
                target.set_model_version_tag(REGISTERED_MODEL, number, key, value)
        if report is not None:
            name = version.tags.get("run_name", run_id)
            outcome = tracking.challenge(number, name, report, EvaluationSettings())
            logger.info("on the server, %s", outcome)


def _remove(target: mlflow.MlflowClient, run_id: str) -> None:
    for version in registry.versions_of(target, run_id):
        target.delete_model_version(REGISTERED_MODEL, version.version)
    target.delete_run(run_id)


def _copy_of(target: mlflow.MlflowClient, experiment: str, journal_run: str) -> str:
    found = target.search_runs([experiment], f"tags.`{JOURNAL_TAG}` = '{journal_run}'")
    return str(found[0].info.run_id)


def _experiment(target: mlflow.MlflowClient) -> str:
    name = store.experiment_name()
    found = target.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else target.create_experiment(name))
