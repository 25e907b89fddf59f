"""A large job in chunks, each committed whole, which goes on where it was stopped.

A chunk is a run of records that depends on the inputs alone. Its answers stand in one part file,
whose name appears only when every byte of it is on disk: a job that is killed anywhere and started
again leaves the same files with the same bytes as one that was not.
"""

import fcntl
import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.base import Classifier
from models.errors import DataError, SitrepError
from predict import job, sentences, write
from predict.job import Summary
from predict.records import Article, Rejected
from predict.write import Layout

CHUNK_CHARACTERS = 400_000
"""Of text in a chunk, some 3,000 sentences: seconds of a transformer's work."""
CHUNK_RECORDS = 2_000
"""Records in a chunk at most."""
PLAN = "job.json"
SUMMARY = "summary.json"
IN_FLIGHT = 2
"""Chunks a worker that wait for it: enough that it never waits itself."""
HASH_BYTES = 1 << 20
Chunk = list[Article | Rejected]
Finish = Callable[[int, Summary], None]
"""Told the number of a chunk that is done, and what it came to."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Sums are split among threads, so that their last digits depend on how many there are."""


@dataclass(frozen=True)
class Task:
    """How every chunk of a job is done; the same in every process.

    suffix: of the part files, one of ``write.WRITERS``
    split:  whether articles are cut into sentences
    """

    folder: Path
    suffix: str
    layout: Layout
    split: bool


Engine = Callable[[Iterable[Article | Rejected], Task, Callable[[], Classifier], int, Finish], None]
"""Where chunks are labelled: ``work`` on this machine, ``on_ray.work`` on several."""


def plan(
    inputs: Iterable[Path], bundle: Path, options: Mapping[str, object], suffix: str
) -> dict[str, Any]:
    """Return everything that decides the bytes of a job's result."""
    return {
        "format": 1,
        "model": _sha256(bundle / "manifest.json"),
        "inputs": [[path.as_posix(), path.stat().st_size, _sha256(path)] for path in inputs],
        "options": dict(options),
        "parts": suffix,
        "chunk": [CHUNK_CHARACTERS, CHUNK_RECORDS],
    }


@contextmanager
def opened(folder: Path, planned: Mapping[str, Any]) -> Iterator[None]:
    """Make or reopen the job in ``folder``, and keep others out of it meanwhile.

    Raises DataError when the folder holds another job, with the keys that differ, or files that
    are of none; SitrepError when another process works on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN
    if not path.exists():
        if any(not p.name.startswith(".") for p in folder.iterdir()):
            raise DataError(f"{folder} is not empty and holds no job: name a folder of its own")
        with write.whole_file(path) as file:
            file.write(json.dumps(planned, indent=2).encode() + b"\n")
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SitrepError(f"another process works on the job in {folder}") from None
        _require_same(folder, json.loads(file.read()), planned)
        _remove_drafts(folder)
        yield
        _remove_drafts(folder)


def work(
    records: Iterable[Article | Rejected],
    task: Task,
    load: Callable[[], Classifier],
    workers: int,
    finish: Finish,
) -> None:
    """Label the chunks that ``task.folder`` lacks on this machine.

    load:     gives the classifier; called once in each process, so it must be picklable
    workers:  processes; 1 works in this one
    finish:   told of every chunk of ``records``, also of those that were done before

    Raises SitrepError when a worker was killed; what was committed until then stays.
    """
    if workers == 1:
        _work_here(records, task, load, finish)
    else:
        _work_in_processes(records, task, load, workers, finish)


def run(
    records: Iterable[Article | Rejected],
    task: Task,
    load: Callable[[], Classifier],
    workers: int,
    on_chunk: Callable[[Summary], None],
    engine: Engine = work,
) -> Summary:
    """Label the chunks of ``records`` that ``task.folder`` lacks; return what all came to.

    on_chunk:  told of each chunk when it is done, also of those that were done before

    The result is the same for any number of workers and for any engine, which takes the rest.
    """
    done: dict[int, Summary] = {}

    def finish(number: int, summary: Summary) -> None:
        done[number] = summary
        on_chunk(summary)

    engine(records, task, load, workers, finish)
    total = sum((done[number] for number in sorted(done)), Summary(0, 0, 0))
    with write.whole_file(task.folder / SUMMARY) as file:
        content = {"chunks": len(done), **asdict(total)}
        file.write(json.dumps(content, indent=2).encode() + b"\n")
    return total


def missing(
    records: Iterable[Article | Rejected], task: Task, finish: Finish
) -> Iterator[tuple[int, Chunk]]:
    """Yield each chunk that has no part file yet, by number, and tell ``finish`` of the others."""
    for number, chunk in enumerate(cut(records)):
        if part(task, number).exists():
            finish(number, summary_of(chunk, task))
        else:
            yield number, chunk


def cut(records: Iterable[Article | Rejected]) -> Iterator[Chunk]:
    """Yield the records in chunks of at most CHUNK_RECORDS, closed at CHUNK_CHARACTERS of text."""
    chunk: Chunk = []
    characters = 0
    for record in records:
        chunk.append(record)
        characters += len(record.text) if isinstance(record, Article) else 0
        if characters >= CHUNK_CHARACTERS or len(chunk) == CHUNK_RECORDS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def part(task: Task, number: int) -> Path:
    """Return where the answers of chunk ``number`` stand once it is done."""
    return task.folder / f"part-{number:06d}{task.suffix}"


def label_chunk(number: int, chunk: Chunk, classifier: Classifier, task: Task) -> Summary:
    """Label ``chunk`` and commit its part file; what was rejected is committed before it.

    The part file is the proof that the chunk is done, so it comes last.
    """
    path = part(task, number)
    cut_article = sentences.split if task.split else sentences.whole
    with write.open_writer(path, task.layout) as writer, write.open_rejected(path) as reject:
        return job.run(chunk, classifier, cut_article, writer.write, reject)


def summary_of(chunk: Chunk, task: Task) -> Summary:
    """Return what a chunk that was done earlier came to, by its records."""
    cut_article = sentences.split if task.split else sentences.whole
    articles = [record for record in chunk if isinstance(record, Article)]
    count = sum(sum(1 for _ in cut_article(article)) for article in articles)
    return Summary(len(articles), len(chunk) - len(articles), count)


def _work_here(
    records: Iterable[Article | Rejected],
    task: Task,
    load: Callable[[], Classifier],
    finish: Finish,
) -> None:
    classifier = None
    for number, chunk in missing(records, task, finish):
        if classifier is None:
            classifier = load()
        finish(number, label_chunk(number, chunk, classifier, task))


def _work_in_processes(
    records: Iterable[Article | Rejected],
    task: Task,
    load: Callable[[], Classifier],
    workers: int,
    finish: Finish,
) -> None:
    waiting: dict[Future[Summary], int] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (os.getpid(), load, task)) as pool:
        try:
            for number, chunk in missing(records, task, finish):
                waiting[pool.submit(_label_in_worker, number, chunk)] = number
                while len(waiting) >= IN_FLIGHT * workers:
                    _take_finished(waiting, finish)
            while waiting:
                _take_finished(waiting, finish)
        except BrokenProcessPool as error:
            raise SitrepError(
                f"a worker was killed, perhaps for lack of memory; type the same again to go on "
                f"where the job in {task.folder} stopped"
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _take_finished(waiting: dict[Future[Summary], int], finish: Finish) -> None:
    """Wait for the chunk that was given out first, so that memory stays bounded."""
    first = next(iter(waiting))
    finish(waiting.pop(first), first.result())


_worker: dict[str, Any] = {}
"""The classifier and the task of a worker process."""


def _start_worker(parent: int, load: Callable[[], Classifier], task: Task) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _worker.update(classifier=load(), task=task)


def _end_with(parent: int) -> None:
    """End this worker when the process that started it is gone, killed without a word."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _label_in_worker(number: int, chunk: Chunk) -> Summary:
    return label_chunk(number, chunk, _worker["classifier"], _worker["task"])


def _remove_drafts(folder: Path) -> None:
    for left in folder.glob(".*.draft"):  # of a process that was killed
        left.unlink()


def _require_same(folder: Path, found: Mapping[str, Any], planned: Mapping[str, Any]) -> None:
    # By way of JSON, in which a tuple is a list.
    wanted = json.loads(json.dumps(planned))
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if "options" in differing:
        differing.remove("options")
        old, new = found.get("options", {}), wanted["options"]
        differing += [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if differing:
        raise DataError(
            f"{folder} holds a job with another {', another '.join(differing)}: name another "
            "folder, or give what it was started with"
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()
