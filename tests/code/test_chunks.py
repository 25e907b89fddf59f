"""A job that is killed anywhere and started again leaves the bytes of one that was not."""

import hashlib
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from samples import LABELS, as_rows, labelled, no_steps

import models
from models.errors import DataError, SitrepError
from models.settings import TfidfSettings
from predict import chunks, large, write
from predict.chunks import Task
from predict.records import Article, Rejected
from predict.write import Layout

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
PLAN = {"format": 1, "options": {"split": True}}
SEED = 20261124


class Hashing:
    """Answers by a hash of the text: quick, and the same in every process."""

    labels = LABELS

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
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
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 4)  # 15 chunks


def task_in(folder: Path, suffix: str = ".jsonl") -> Task:
    return Task(folder, suffix, Layout(LABELS), True)


def work(task: Task, on_chunk: Callable[[Any], None] = lambda summary: None) -> None:
    with chunks.opened(task.folder, PLAN):
        chunks.run(records(), task, Hashing, 1, on_chunk)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def killed(folder: Path, prepare: Callable[[], None], after: float | None = None) -> bool:
    """Work in a process of its own; whether it was killed before its end.

    prepare: runs in that process first
    after:   seconds after which it is killed from outside
    """
    child = os.fork()
    if child == 0:
        try:
            prepare()
            work(task_in(folder))
            os._exit(0)
        except BaseException:
            os._exit(1)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_RECORDS", 4)
        work(task_in(folder))
    return content(folder)


def test_every_record_stands_in_one_part(undisturbed: dict[str, bytes]) -> None:
    parts = [undisturbed[name] for name in undisturbed if name.endswith(".jsonl")]
    rows = [json.loads(line) for part in parts for line in part.splitlines()]
    named = {row["article_id"] for row in rows if "article_id" in row}
    rejected = {row["line"] for row in rows if "reason" in row}
    articles = list(records())
    assert named == {a.id for a in articles if isinstance(a, Article)}
    assert rejected == {r.line for r in articles if isinstance(r, Rejected)}
    assert json.loads(undisturbed["summary.json"]) == {
        "chunks": 15,
        "labelled": len(named),
        "rejected": len(rejected),
        "sentences": 3 * len(named),
    }


def test_kills_at_random_lose_nothing_and_double_nothing(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    rng, hits, jobs = random.Random(SEED), 0, 0
    while hits < 40:
        folder = tmp_path / f"job{jobs}"
        jobs += 1
        for _ in range(5):
            hits += killed(folder, lambda: None, after=rng.uniform(0.001, 0.03))
        work(task_in(folder))
        assert content(folder) == undisturbed
        assert jobs < 200


def dying_at(step: int) -> Callable[[], None]:
    """Make this process kill itself right before the given step of a commit, by its number."""
    count = 0

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*words, **named)

        return call

    def prepare() -> None:
        os.fsync = stepping(os.fsync)
        os.open = stepping(os.open)
        Path.replace = stepping(Path.replace)  # type: ignore[method-assign]
        Path.unlink = stepping(Path.unlink)  # type: ignore[method-assign]

    return prepare


def test_a_kill_at_each_step_of_a_commit_loses_nothing(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    hits = 0
    for step in range(1, 60):
        folder = tmp_path / f"job{step}"
        hits += killed(folder, dying_at(step))
        work(task_in(folder))
        assert content(folder) == undisturbed
    assert hits == 59


def test_without_the_rename_the_same_kills_lose_rows(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def straight(path: Path) -> Iterator[BinaryIO]:
        with path.open("wb", buffering=0) as file:
            yield file
            os.fsync(file.fileno())

    monkeypatch.setattr(write, "whole_file", straight)
    damaged = 0
    for step in range(1, 60):
        folder = tmp_path / f"job{step}"
        killed(folder, dying_at(step))
        try:
            work(task_in(folder))
            damaged += content(folder) != undisturbed
        except (SitrepError, ValueError):
            damaged += 1
    assert damaged > 0


@pytest.mark.parametrize("size", [50 * n for n in range(1, 21)])
def test_a_full_disk_is_named_and_costs_nothing(
    tmp_path: Path, undisturbed: dict[str, bytes], size: int
) -> None:
    folder = tmp_path / "job"
    ended = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            work(task_in(folder))
            os.write(ended[1], b"done")
        except SitrepError as error:
            os.write(ended[1], str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    said = os.read(ended[0], 1_000).decode()
    for end in ended:
        os.close(end)
    assert said == "done" or "cannot be written: File too large" in said
    assert not [p for p in folder.glob("part-*") if p.read_bytes() != undisturbed[p.name]]
    work(task_in(folder))
    assert content(folder) == undisturbed


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    work(task_in(tmp_path))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("part-*")}
    work(task_in(tmp_path))
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("part-*")} == before


def test_a_chunk_done_twice_leaves_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    work(task_in(tmp_path))
    for number, chunk in enumerate(chunks.cut(records())):
        chunks.label_chunk(number, chunk, Hashing(), task_in(tmp_path))
    assert content(tmp_path) == undisturbed


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    rows = as_rows(labelled(30))
    models.build(TfidfSettings(family="tfidf"), LABELS, 1).fit(rows, rows, no_steps).save(folder)
    return folder


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, bundle: Path) -> None:
    found = []
    for workers in (1, 2):
        task = task_in(tmp_path / str(workers), ".parquet")
        with chunks.opened(task.folder, PLAN):
            chunks.run(records(), task, partial(models.load, bundle), workers, lambda s: None)
        found.append(content(task.folder))
    assert found[0] == found[1]


def test_a_killed_worker_is_named_and_the_job_goes_on(tmp_path: Path, bundle: Path) -> None:
    task = task_in(tmp_path / "job")
    load = partial(models.load, bundle)

    def kill_one(summary: Any) -> None:
        os.kill(int(multiprocessing.active_children()[0].pid or 0), signal.SIGKILL)

    with (
        pytest.raises(SitrepError, match="a worker was killed"),
        chunks.opened(task.folder, PLAN),
    ):
        chunks.run(records(), task, load, 2, kill_one)
    with chunks.opened(task.folder, PLAN):
        chunks.run(records(), task, load, 1, lambda s: None)
    whole = task_in(tmp_path / "whole")
    with chunks.opened(whole.folder, PLAN):
        chunks.run(records(), whole, load, 1, lambda s: None)
    assert content(task.folder) == content(whole.folder)


def test_without_ray_the_error_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SitrepError, match=r"^Ray is not installed: pip install 'sitrep\[ray\]'$"):
        large.engine_of("ray", None)


def test_an_address_is_for_ray_only() -> None:
    assert large.engine_of("local", None) is chunks.work
    with pytest.raises(DataError, match="--ray-address is for --engine ray only"):
        large.engine_of("local", "10.0.0.1:6379")


def test_another_job_in_the_folder_is_refused_with_what_differs(tmp_path: Path) -> None:
    work(task_in(tmp_path))
    other = {**PLAN, "model": "x", "options": {"split": False}}
    with (
        pytest.raises(DataError, match="a job with another model, another split"),
        chunks.opened(tmp_path, other),
    ):
        pass


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(DataError, match="is not empty"), chunks.opened(tmp_path, PLAN):
        pass


def test_two_processes_do_not_work_on_one_job(tmp_path: Path) -> None:
    with (
        chunks.opened(tmp_path, PLAN),
        pytest.raises(SitrepError, match="another process works"),
        chunks.opened(tmp_path, PLAN),
    ):
        pass


def test_chunks_depend_on_the_records_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 100)
    found = list(chunks.cut(records()))
    assert [record for chunk in found for record in chunk] == list(records())
    assert all(len(chunk) <= 4 for chunk in found)
    texts = [[len(r.text) for r in chunk if isinstance(r, Article)] for chunk in found]
    assert all(sum(lengths[:-1]) < 100 for lengths in texts)
