"""A large job, from its inputs to the part files, on this machine or on Ray."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, assert_never

import models
from models.bundle import verify
from models.errors import DataError
from predict import articles, chunks
from predict.job import Summary
from predict.write import Layout

EngineName = Literal["local", "ray"]
OnChunk = Callable[[Summary], None]


@dataclass(frozen=True)
class Options:
    """What decides the answers besides inputs and model.

    split:         whether articles are cut into sentences
    text:          column of an article's text
    article_id:    column of its name
    """

    split: bool
    min_confidence: float | None
    encoding: str
    text: str
    article_id: str


def run(
    inputs: Sequence[str],
    folder: Path,
    suffix: str,
    bundle: Path,
    options: Options,
    workers: int,
    engine: chunks.Engine,
    progress: AbstractContextManager[OnChunk],
) -> Summary:
    """Do, or go on with, the job in ``folder`` and return what it came to.

    suffix:    of the part files, one of ``write.WRITERS``
    workers:   processes
    engine:    what ``engine_of`` gives; like ``workers`` without influence on the result
    progress:  gives what is told of each chunk

    Raises DataError for another job in ``folder``, and what reading, loading and labelling raise.
    """
    for name in chunks.ONE_THREAD:  # read when torch is imported, here and in the workers
        os.environ[name] = "1"
    files = articles.files(inputs)
    planned = chunks.plan(files, bundle, asdict(options), suffix)
    layout = Layout(verify(bundle).labels, options.min_confidence)
    task = chunks.Task(folder, suffix, layout, options.split)
    columns = {"text": options.text, "id": options.article_id}
    load = partial(models.load, bundle.absolute())  # a worker may run in another folder
    with chunks.opened(folder, planned), progress as on_chunk:
        records = articles.read(
            [str(file) for file in files], columns=columns, encoding=options.encoding
        )
        return chunks.run(records, task, load, workers, on_chunk, engine)


def engine_of(name: EngineName, address: str | None) -> chunks.Engine:
    """Return the engine called ``name``.

    address: of a Ray cluster that runs already

    Raises DataError for an address without Ray, SitrepError when Ray is not installed.
    """
    match name:
        case "local":
            if address is not None:
                raise DataError("--ray-address is for --engine ray only")
            return chunks.work
        case "ray":
            from predict import on_ray

            return on_ray.at(address)
        case _ as never:
            assert_never(never)
