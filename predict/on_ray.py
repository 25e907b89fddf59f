"""The chunks of a large job, labelled by the workers of a Ray cluster."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from models.base import Classifier
from models.errors import SitrepError
from predict import chunks
from predict.chunks import Chunk, Finish, Task
from predict.job import Summary
from predict.records import Article, Rejected

RETRIES = 3
"""Times that a chunk whose worker was lost goes to another; without a limit, a chunk that needs
more memory than there is would be tried for ever."""
CONNECT_SECONDS = 10
"""For a cluster to answer."""
ALWAYS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": str(RETRIES)}
"""Retries after a lack of memory are counted apart, without a limit unless one is set."""
STARTED_HERE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes Ray listen on 127.0.0.1 alone, on Linux too; read when ray is imported."""
JOINED = {"RAY_NUM_REDIS_GET_RETRIES": "1"}
"""Makes Ray try for 45 seconds in place of 15 minutes when what answers is no cluster."""


def at(address: str | None) -> chunks.Engine:
    """Return ``work`` for the cluster at ``address``, or for Ray started here.

    Raises SitrepError when Ray is not installed.
    """
    _import_ray(address)
    return partial(work, address=address)


def work(
    records: Iterable[Article | Rejected],
    task: Task,
    load: Callable[[], Classifier],
    workers: int,
    finish: Finish,
    address: str | None = None,
) -> None:
    """Label the chunks that ``task.folder`` lacks on Ray, at most ``workers`` of them at once.

    A chunk whose worker is lost goes to another. If the loss came after the commit, the part file
    is replaced by one with the same bytes.

    load:     gives the classifier; called once in each process that Ray starts
    address:  of a running cluster, every machine of which has sitrep and sees ``task.folder`` and
              what ``load`` reads at the same paths; None starts Ray on this machine alone

    Raises SitrepError when Ray is not installed or not found at ``address``, and when a chunk lost
    RETRIES + 1 workers; what was committed until then stays.
    """
    task = replace(task, folder=task.folder.absolute())
    with _connected(workers, address) as ray:
        label = ray.remote(num_cpus=1, max_retries=RETRIES)(_label_in_worker)
        waiting: dict[Any, int] = {}

        def take_finished() -> None:
            (reference,), _ = ray.wait(list(waiting), num_returns=1)
            number = waiting.pop(reference)
            finish(number, _result(ray, reference, number, task))

        for number, chunk in chunks.missing(records, task, finish):
            if len(waiting) == workers:  # the next chunk is read before, so that no worker waits
                take_finished()
            waiting[label.remote(number, chunk, load, task)] = number
        while waiting:
            take_finished()


@contextmanager
def _connected(workers: int, address: str | None) -> Iterator[Any]:
    """Give the module ``ray`` for as long as it is connected."""
    ray = _import_ray(address)
    if address is None:
        where = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    else:
        where = {"address": address}
        _require_answer(address)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _init(ray, where)
        signal.signal(signal.SIGTERM, on_sigterm)  # which Ray replaces by its own
        # Ray tells of each worker that is lost on the standard output of this process.
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            yield ray
    finally:
        ray.shutdown()


def _init(ray: Any, where: Mapping[str, Any]) -> None:
    # Workers import from the current folder first, where the user may have a models.py.
    with chdir(os.sep):
        try:
            ray.init(
                **where,
                runtime_env={"env_vars": dict.fromkeys(chunks.ONE_THREAD, "1")},
                logging_level=logging.CRITICAL,
                log_to_driver=False,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise SitrepError(
                f"Ray cannot be used: {' '.join(str(error).split())} (a cluster that asks for a "
                "token needs RAY_AUTH_MODE=token)"
            ) from error


def _import_ray(address: str | None) -> Any:
    os.environ.update(ALWAYS | (STARTED_HERE if address is None else JOINED))
    try:
        import ray
    except ImportError:
        raise SitrepError("Ray is not installed: pip install 'sitrep[ray]'") from None
    return ray


def _require_answer(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise SitrepError(
            f"no Ray cluster answers at {address} ({error}); give the address of its head, such "
            "as 10.0.0.1:6379"
        ) from error


def _result(ray: Any, reference: Any, number: int, task: Task) -> Summary:
    try:
        summary: Summary = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SitrepError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise SitrepError(
            f"chunk {number} was given up by Ray after {RETRIES + 1} attempts "
            f"({type(error).__name__}), perhaps for lack of memory; type the same again to go on "
            f"where the job in {task.folder} stopped"
        ) from error
    return summary


_worker: dict[str, Classifier] = {}
"""The classifier of a worker process; Ray never shares one between jobs."""


def _label_in_worker(
    number: int, chunk: Chunk, load: Callable[[], Classifier], task: Task
) -> Summary:
    if not _worker:
        _worker["classifier"] = _load(load, task)
    return chunks.label_chunk(number, chunk, _worker["classifier"], task)


def _load(load: Callable[[], Classifier], task: Task) -> Classifier:
    machine = socket.gethostname()
    if not task.folder.is_dir():
        raise SitrepError(f"{machine} does not see {task.folder}: every machine must")
    try:
        return load()
    except SitrepError as error:
        raise SitrepError(f"{machine}: {error}; every machine must see the model") from None
