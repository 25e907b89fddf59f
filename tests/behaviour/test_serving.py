"""A logged model answers over HTTP where the project is not installed and pickle is forbidden."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ENVIRONMENT
from samples import LABELS
from servers import mlflow_process

# Python runs this at its start: the finder of the editable install goes, and with it the project.
WITHOUT_THE_PROJECT = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
from importlib.util import find_spec
assert find_spec("train") is None, find_spec("train")
"""


@pytest.fixture(scope="module", params=["first", "second"])
def served(
    request: pytest.FixtureRequest, workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The TF-IDF model, then the blend, behind ``mlflow models serve``."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "path").mkdir()
    (folder / "path" / "sitecustomize.py").write_text(WITHOUT_THE_PROJECT)
    environment = ENVIRONMENT | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{workspace / 'mlflow.db'}",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PYTHONPATH": str(folder / "path"),
    }
    version = {"first": 1, "second": 2}[request.param]
    words = ["models", "serve", "-m", f"models:/sitrep/{version}", "--env-manager", "local"]
    with mlflow_process(words, folder, environment, "/ping") as uri:
        yield uri


def ask(uri: str, texts: list[str]) -> list[dict[str, object]]:
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[t] for t in texts]}})
    request = urllib.request.Request(
        f"{uri}/invocations", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return list(json.loads(reply.read())["predictions"])


def test_label_and_probabilities_come_over_http(served: str) -> None:
    answers = ask(served, ["Avoid travel, leave the border.", "", "Ω 🛰️ \u2028"])
    assert len(answers) == 3
    for answer in answers:
        assert set(answer) == {"label", "confidence", *(f"p_{label}" for label in LABELS)}
        chances = {label: float(str(answer[f"p_{label}"])) for label in LABELS}
        assert sum(chances.values()) == pytest.approx(1.0, abs=1e-4)
        assert answer["label"] == max(chances, key=lambda label: chances[label])
