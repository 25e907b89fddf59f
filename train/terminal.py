"""The two consoles, and how log lines, predictions and rejected records show there."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler

from predict.label import Prediction
from predict.records import Rejected
from predict.write import Layout

REJECTED_SHOWN = 10
"""Rejected records named in the terminal; the file has them all."""

T = TypeVar("T")

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def prepare_logging() -> None:
    """Show what our packages tell, and of other packages only warnings."""
    # By way of the console, so that a line and a progress bar do not write over each other.
    handler = RichHandler(
        console=err,
        show_time=False,
        show_level=False,
        show_path=False,
        highlighter=NullHighlighter(),
    )
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[handler])
    for package in ("train", "models", "predict"):
        logging.getLogger(package).setLevel(logging.INFO)
    # It tells of each of its five tries to reach the hub; the error at the end says it once.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")


@contextmanager
def sinks(
    target: Path | None, to_stdout: bool, layout: Layout
) -> Iterator[tuple[Callable[[Prediction], None], Callable[[Rejected], None]]]:
    """Give where predictions go and where rejected records go."""
    from predict import write
    from train import progress

    if target is not None:
        with (
            write.open_rejected(target) as keep,
            write.open_writer(target, layout) as writer,
            progress.counter(err) as count,
        ):
            yield both(writer.write, count), both(keep, _first_rejected_shown())
    elif to_stdout:
        yield write.JsonlWriter(sys.stdout, layout).write, _first_rejected_shown()
    else:
        yield _printer(layout.labels), _first_rejected_shown()


def both(first: Callable[[T], None], second: Callable[[T], None]) -> Callable[[T], None]:
    """Return a function that passes what it is given on to both."""

    def call(value: T) -> None:
        first(value)
        second(value)

    return call


def _first_rejected_shown() -> Callable[[Rejected], None]:
    seen = 0

    def show(record: Rejected) -> None:
        nonlocal seen
        seen += 1
        if seen <= REJECTED_SHOWN:
            err.print(f"rejected: {record}", style="yellow", markup=False, soft_wrap=True)
        elif seen == REJECTED_SHOWN + 1:
            err.print("rejected: and others", style="yellow")

    return show


def _printer(labels: tuple[str, ...]) -> Callable[[Prediction], None]:
    from train.display import prediction_line

    article = None

    def show(prediction: Prediction) -> None:
        nonlocal article
        if prediction.sentence.article_id != article:
            article = prediction.sentence.article_id
            out.print(f"\n{article}", style="bold", markup=False)
        out.print(prediction_line(prediction, labels))

    return show
