"""One command trains, compares and records; a run that does not end well says so."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from command import ENVIRONMENT, command, sitrep, write_config
from mlflow.entities import Run
from samples import LABELS, labelled, write_jsonl

from train import config

# MLflow's own, while its store is opened; ours run in processes of their own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ARTIFACTS = {
    "config.yaml",
    "report.json",
    "report.html",
    "model_card.md",
    "split.json",
    "label_f1.png",
    "risk_coverage.png",
    "confusion_matrix.png",
    "reliability.png",
    "test_predictions.parquet",
}


def client_of(folder: Path, store: str = "mlflow.db") -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{folder / store}")


def runs_of(folder: Path, store: str = "mlflow.db") -> dict[str, Run]:
    client = client_of(folder, store)
    experiment = client.get_experiment_by_name("sitrep")
    assert experiment is not None
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_the_terminal_says_in_words_which_model_is_better(workspace: Path) -> None:
    out = (workspace / "train.out").read_text()
    assert "second is better than first: +0." in out
    assert "0 articles and 0 clusters of near-duplicates stand in two splits" in out
    assert "predict" in out.split("Next:")[1]


def test_every_config_has_a_finished_run_under_one_parent(workspace: Path) -> None:
    runs = runs_of(workspace)
    assert set(runs) == {"first + second", "first", "second"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs["first + second"].info.run_id
    assert {runs[name].data.tags["mlflow.parentRunId"] for name in ("first", "second")} == {parent}


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_run_tells_everything(workspace: Path, name: str) -> None:
    run = runs_of(workspace)[name]
    assert len(run.data.params) <= 30
    assert run.data.params["seed"] == "1"
    figures = run.data.metrics
    assert figures["test/macro_f1_lo"] <= figures["test/macro_f1"] <= figures["test/macro_f1_hi"]
    expected = {f"test/f1_{label}" for label in LABELS} | {
        "test/ece",
        "test/brier",
        "test/log_loss",
    }
    assert expected | {"fit/seconds", "predict/sentences_per_second", "model/megabytes"} <= set(
        figures
    )
    client = client_of(workspace)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= ARTIFACTS
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40


def test_step_metrics_of_training_are_kept(workspace: Path) -> None:
    run_id = runs_of(workspace)["second"].info.run_id
    history = client_of(workspace).get_metric_history(run_id, "valid/macro_f1")
    assert len(history) == len({point.step for point in history}) > 1
    assert client_of(workspace).get_metric_history(run_id, "train/loss")


def test_the_datasets_of_a_run_carry_digests_of_all_rows(workspace: Path) -> None:
    inputs = {
        name: {i.tags[0].value: i.dataset.digest for i in run.inputs.dataset_inputs}
        for name, run in runs_of(workspace).items()
        if name != "first + second"
    }
    assert set(inputs["first"]) == {"train", "valid", "test"}
    assert inputs["first"] == inputs["second"]
    assert len(set(inputs["first"].values())) == 3


def test_the_logged_config_trains_the_same_run_again(workspace: Path, tmp_path: Path) -> None:
    run_id = runs_of(workspace)["first"].info.run_id
    path = client_of(workspace).download_artifacts(run_id, "config.yaml", str(tmp_path))
    assert config.load(Path(path)) == config.load(workspace / "first.yaml")


def test_the_better_model_is_champion_and_the_reason_stands_on_it(workspace: Path) -> None:
    client = client_of(workspace)
    version = client.get_model_version_by_alias("sitrep", "champion")
    assert version.run_id == runs_of(workspace)["second"].info.run_id
    assert version.tags["champion_reason"] == "the first champion"
    assert "(" in version.tags["test/macro_f1"]


@pytest.mark.filterwarnings("ignore")  # of MLflow's own loading
def test_the_logged_model_gives_label_and_probabilities(workspace: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{workspace / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/sitrep@champion")
    answers = model.predict(pd.DataFrame({"text": ["Avoid travel, leave the border.", "x"]}))
    assert list(answers.columns) == ["label", "confidence", *(f"p_{label}" for label in LABELS)]
    np.testing.assert_allclose(answers.filter(like="p_").sum(axis=1), 1.0, atol=1e-5)
    assert answers["label"][0] == "advisory"
    assert model.metadata.signature.inputs.input_names() == ["text"]


WITHOUT_THE_PROJECT = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.path = [entry for entry in sys.path if entry]
from importlib.util import find_spec
assert find_spec("models") is None
import mlflow, pandas
model = mlflow.pyfunc.load_model("models:/sitrep@champion")
print(model.predict(pandas.DataFrame({"text": ["Avoid travel."]})).to_json(orient="records"))
"""


def test_the_logged_model_answers_where_the_project_is_not_installed(
    workspace: Path, tmp_path: Path
) -> None:
    store = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{workspace / 'mlflow.db'}",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PROJECT],
        cwd=tmp_path, env=ENVIRONMENT | store, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout.splitlines()[-1])
    assert set(answer) == {"label", "confidence", *(f"p_{label}" for label in LABELS)}


def test_answers_to_the_test_rows_are_recorded_with_the_run(
    workspace: Path, tmp_path: Path
) -> None:
    run = runs_of(workspace)["second"]
    path = client_of(workspace).download_artifacts(
        run.info.run_id, "test_predictions.parquet", str(tmp_path)
    )
    answers = pd.read_parquet(path)
    guess = answers.filter(like="p_").to_numpy().argmax(axis=1)
    accuracy = (np.array(LABELS)[guess] == answers["true"]).mean()
    assert accuracy == pytest.approx(run.data.metrics["test/accuracy"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "rows.jsonl", labelled(30))
    write_config(tmp_path / "run.yaml", family="tfidf")
    return tmp_path


def test_the_champion_stays_until_a_paired_test_says_better(folder: Path) -> None:
    assert "the champion is now version 1" in sitrep(folder, "train", "run.yaml").out
    again = sitrep(folder, "train", "run.yaml")
    assert "stays version 1" in again.out
    assert "not shown to be better" in again.out
    other_rows = sitrep(folder, "train", "run.yaml", "--set", "split.seed=5")
    assert "judged on other test rows" in other_rows.out
    by_hand = sitrep(folder, "train", "run.yaml", "--promote")
    assert "the champion is now version 4 (run): promoted by hand" in by_hand.out


def test_a_run_that_cannot_go_on_ends_failed(folder: Path, tiny_encoder: Path) -> None:
    write_config(
        folder / "wild.yaml",
        family="transformer", encoder=str(tiny_encoder),
        learning_rate=1e30, head_learning_rate=1e30, warmup=0.0,
    )  # fmt: skip
    done = sitrep(folder, "train", "wild.yaml")
    assert done.code == 2
    assert done.last_line.startswith("sitrep: the loss became nan")
    assert {run.info.status for run in runs_of(folder).values()} == {"FAILED"}
    assert "the loss became" in runs_of(folder)["wild"].data.tags["error"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_the_user_stops_ends_killed(
    folder: Path, tiny_encoder: Path, stop: signal.Signals
) -> None:
    write_config(
        folder / "long.yaml",
        family="transformer",
        encoder=str(tiny_encoder),
        epochs=1000,
        patience=None,
    )
    log = folder / "stderr.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command("train", "long.yaml"),
            cwd=folder,
            env=ENVIRONMENT,
            stderr=stderr,
            # A shell that runs the tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            while process.poll() is None and "valid macro-F1" not in log.read_text():
                time.sleep(0.2)
            process.send_signal(stop)
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()
            process.wait()
    assert log.read_text().strip().splitlines()[-1] == "sitrep: stopped"
    assert {run.info.status for run in runs_of(folder).values()} == {"KILLED"}


def test_a_store_that_the_user_names_is_used_and_no_other(folder: Path) -> None:
    done = sitrep(folder, "train", "run.yaml", MLFLOW_TRACKING_URI="sqlite:///elsewhere.db")
    assert done.code == 0
    assert "run" in runs_of(folder, "elsewhere.db")
    assert not (folder / "mlflow.db").exists()


def test_a_left_over_mlruns_folder_does_not_move_the_store(folder: Path) -> None:
    (folder / "mlruns" / "0").mkdir(parents=True)
    (folder / "mlruns" / "0" / "meta.yaml").write_text("artifact_location: x\nexperiment_id: '0'\n")
    assert sitrep(folder, "train", "run.yaml").code == 0
    assert "run" in runs_of(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": {"valid": 0.2, "test": 0.3}}, "first and second differ in split"),
        ({"name": "first"}, 'two configs are named "first"'),
    ],
)
def test_configs_that_cannot_be_compared_are_refused(
    folder: Path, change: dict[str, object], message: str
) -> None:
    first = yaml.safe_load((folder / "run.yaml").read_text()) | {"name": "first"}
    (folder / "first.yaml").write_text(yaml.safe_dump(first))
    (folder / "second.yaml").write_text(yaml.safe_dump(first | {"name": "second"} | change))
    done = sitrep(folder, "train", "first.yaml", "second.yaml")
    assert done.code == 2
    assert message in done.last_line


def test_the_ui_serves_the_store_on_loopback(workspace: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "stderr.txt").open("wb") as stderr:
        process = subprocess.Popen(
            command("ui", "--port", port), cwd=workspace, env=ENVIRONMENT,
            stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
    try:
        names = _served_runs(port)
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert {"first", "second"} <= names
    said = (tmp_path / "stderr.txt").read_text()
    compare = next(line for line in said.splitlines() if "the last comparison" in line)
    assert all(runs_of(workspace)[name].info.run_id in compare for name in ("first", "second"))


def _served_runs(port: int) -> set[str]:
    """Names of the runs that the server shows, once it answers."""
    client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
    for _ in range(240):
        time.sleep(0.5)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    experiment = client.get_experiment_by_name("sitrep")
    assert experiment is not None
    return {str(run.info.run_name) for run in client.search_runs([experiment.experiment_id])}
