"""The command line, run as a user runs it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from samples import LABELS

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "200",
}


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.err.strip().splitlines()[-1]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "train", *map(str, words)]


def sitrep(folder: Path, *words: object, stdin: bytes = b"", **environment: str) -> Done:
    """Run ``sitrep`` in ``folder`` and wait for its end."""
    done = subprocess.run(
        command(*words),
        cwd=folder,
        input=stdin,
        capture_output=True,
        env=ENVIRONMENT | environment,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def write_config(path: Path, **model: object) -> Path:
    """A config on ``rows.jsonl`` of the same folder."""
    content = {
        "name": path.stem,
        "seed": 1,
        "data": {"files": ["rows.jsonl"], "labels": list(LABELS)},
        "split": {"valid": 0.2, "test": 0.2},
        "model": model,
        "evaluation": {"draws": 200},
    }
    path.write_text(yaml.safe_dump(content))
    return path
