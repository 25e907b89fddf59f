"""Servers that tests start, on this machine only, and end by their process group."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECONDS_TO_START = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_process(
    words: list[str], folder: Path, environment: Mapping[str, str], answers_at: str
) -> Iterator[str]:
    """Run ``mlflow words… --host 127.0.0.1 --port N`` and give its address once it answers."""
    port = free_port()
    # MLflow looks for uvicorn on the PATH, where that of this environment need not be.
    found_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    added = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": found_first}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=dict(environment) | added,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{uri}{answers_at}", process, folder / "server.log")
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # its workers too, all started by it
        process.wait()


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(2 * SECONDS_TO_START):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no answer in {SECONDS_TO_START} s: {log.read_text()}")
