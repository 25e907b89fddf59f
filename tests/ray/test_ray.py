"""A job on Ray leaves the bytes of one on this machine; needs the extra ``sitrep[ray]``.

Run by ``make test-ray``; skipped where Ray is not installed.
"""

import hashlib
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, sitrep
from samples import LABELS, as_rows, labelled, no_steps

import models
from models.errors import SitrepError
from models.settings import TfidfSettings
from predict import chunks, on_ray
from predict.chunks import Task
from predict.job import Summary
from predict.records import Article, Rejected
from predict.write import Layout

os.environ.update(on_ray.STARTED_HERE)
# This folder is called ray too, so that only a module inside tells that Ray is installed.
cloudpickle = pytest.importorskip("ray.cloudpickle")
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
PLAN = {"format": 1, "options": {"split": True}}
CHUNKS, REJECTED = 15, 5
ON_RAY = on_ray.STARTED_HERE | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


class Hashing:
    """Answers by a hash of the text: quick, and the same in every process.

    deadly:  a text at which the process is killed
    marker:  a file that is there once a process was killed, and then protects the others
    """

    labels = LABELS

    def __init__(self, deadly: str | None = None, marker: Path | None = None) -> None:
        self.deadly = deadly
        self.marker = marker

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        if self.deadly in texts and not (self.marker is not None and self.marker.exists()):
            if self.marker is not None:
                self.marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        raw = [hashlib.sha256(text.encode()).digest()[: len(LABELS)] for text in texts]
        weights = np.array([[1 + byte for byte in row] for row in raw], dtype=np.float64)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def records() -> Iterator[Article | Rejected]:
    for n in range(60):
        if n % 13 == 5:
            yield Rejected("news.jsonl", n, "broken")
        else:
            yield Article(f"a{n}", f"Troops left {n} towns. Talks go on. Stay away from area {n}.")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 4)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def work(
    folder: Path,
    load: Callable[[], object] = Hashing,
    engine: chunks.Engine = chunks.work,
    on_chunk: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    task = Task(folder, ".jsonl", Layout(LABELS), True)
    workers = 1 if engine is chunks.work else 2
    with chunks.opened(folder, PLAN):
        return chunks.run(records(), task, load, workers, on_chunk, engine)  # type: ignore[arg-type]


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    work(tmp_path / "undisturbed")
    return content(tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    rows = as_rows(labelled(30))
    models.build(TfidfSettings(family="tfidf"), LABELS, 1).fit(rows, rows, no_steps).save(folder)
    return folder


def test_a_job_on_ray_has_the_bytes_of_one_here_and_counts_what_was_rejected(
    tmp_path: Path, bundle: Path
) -> None:
    load = partial(models.load, bundle)
    told: list[Summary] = []
    here = work(tmp_path / "here", load)
    there = work(tmp_path / "ray", load, on_ray.at(None), told.append)
    assert content(tmp_path / "ray") == content(tmp_path / "here")
    assert there == here == sum(told, Summary(0, 0, 0))
    assert (there.rejected, len(told)) == (REJECTED, CHUNKS)


def test_the_chunk_of_a_killed_worker_is_done_by_another(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    marker = tmp_path / "killed"
    load = partial(Hashing, "Stay away from area 30.", marker)
    work(tmp_path / "job", load, on_ray.at(None))
    assert marker.exists()
    parts = content(tmp_path / "job")
    assert parts == undisturbed
    rows = [
        json.loads(line)
        for name in parts
        if name.endswith(".jsonl")
        for line in parts[name].splitlines()
    ]
    named = [row["article_id"] for row in rows if row.get("position") == 0]
    assert sorted(named) == sorted(r.id for r in records() if isinstance(r, Article))


def test_a_chunk_that_kills_every_worker_ends_the_job_with_its_number(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    load = partial(Hashing, "Stay away from area 30.")
    with pytest.raises(SitrepError, match="chunk 7 was given up by Ray after 4 attempts"):
        work(tmp_path / "job", load, on_ray.at(None))
    work(tmp_path / "job")
    assert content(tmp_path / "job") == undisturbed


def test_a_job_killed_here_goes_on_under_ray(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    child = os.fork()
    if child == 0:
        work(tmp_path / "job", partial(Hashing, "Stay away from area 30."))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    begun = {path: path.stat().st_mtime_ns for path in (tmp_path / "job").glob("part-*.jsonl")}
    assert 0 < len(begun) < CHUNKS
    work(tmp_path / "job", engine=on_ray.at(None))
    assert content(tmp_path / "job") == undisturbed
    assert {path: path.stat().st_mtime_ns for path in begun} == begun


def test_a_worker_that_lacks_the_model_says_so(tmp_path: Path) -> None:
    load = partial(models.load, tmp_path / "nothing")
    with pytest.raises(SitrepError, match=r"nothing is not a model.*every machine must see"):
        work(tmp_path / "job", load, on_ray.at(None))


def test_ctrl_c_ends_ray_and_leaves_a_job_that_goes_on_here(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    def stop(summary: Summary) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "job", engine=on_ray.at(None), on_chunk=stop)
    assert not importlib.import_module("ray").is_initialized()
    work(tmp_path / "job")
    assert content(tmp_path / "job") == undisturbed


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with two processors that listens on 127.0.0.1 alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, for the sockets in it
    words = (f"--port={port}", "--num-cpus=2", "--include-dashboard=false", f"--temp-dir={folder}")
    head = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", "--head", "--block", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT | ON_RAY,
    )  # fmt: skip
    assert head.stdout is not None
    assert any("Ray runtime started" in line for line in head.stdout)
    yield f"127.0.0.1:{port}"
    head.terminate()
    head.communicate()
    shutil.rmtree(folder)


@pytest.mark.parametrize("joins", [False, True], ids=["started here", "joined"])
def test_the_command_writes_on_ray_what_it_writes_here(
    tmp_path: Path, bundle: Path, request: pytest.FixtureRequest, joins: bool
) -> None:
    articles = [json.dumps({"id": f"n{n}", "text": "Leave. Troops left."}) for n in range(4_500)]
    (tmp_path / "news.jsonl").write_text("\n".join(["broken", *articles]))
    words = ("predict", tmp_path / "news.jsonl", "--model", bundle, "--job")
    here = sitrep(tmp_path, *words, tmp_path / "here")
    assert here.code == 0, here.err
    on_ray_words = ("--engine", "ray", "--workers", "2")
    if joins:
        on_ray_words += ("--ray-address", request.getfixturevalue("cluster"))
    there = sitrep(tmp_path, *words, tmp_path / "there", *on_ray_words, **ON_RAY)
    assert (there.code, there.out) == (0, ""), there.err
    assert "4,501 records read = 4,500 labelled + 1 rejected; 9,000 sentences" in there.err
    assert len(there.err.splitlines()) == len(here.err.splitlines())
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "news.jsonl").write_text('{"text": "Troops left."}\n')
    words = ("predict", "news.jsonl", "--model", bundle, "--job", "job", "--engine", "ray")
    done = sitrep(tmp_path, *words, "--ray-address", "127.0.0.1:1")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "no Ray cluster answers at 127.0.0.1:1" in done.err
