"""Bars and counters that show long work going on; on a terminal only."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)

LINE_SECONDS = 60
"""Between two lines on long work where there is no terminal for a bar."""

OnRunStep = Callable[[str, int, int, Mapping[str, float]], None]
"""Called while fitting with (name of the run or fit, step, steps planned, figures)."""


@contextmanager
def training(console: Console) -> Iterator[OnRunStep]:
    """Show a bar for each run that takes steps; on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def on_step(name: str, step: int, steps: int, figures: Mapping[str, float]) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=steps, figures="")
            progress.update(tasks[name], completed=step, total=steps)
            if "valid/macro_f1" in figures:
                shown = f"valid macro-F1 {figures['valid/macro_f1']:.3f}"
                progress.update(tasks[name], figures=shown)
                if not console.is_terminal:
                    logger.info("%s, step %d of %d: %s", name, step, steps, shown)

        yield on_step


@contextmanager
def counter(console: Console) -> Iterator[Callable[[object], None]]:
    """Count sentences on a terminal while a file is written."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} sentences labelled"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda _: progress.advance(task)


@contextmanager
def chunk_counter(console: Console) -> Iterator[Callable[[Any], None]]:
    """Count the chunks and sentences of a job; without a terminal, a line every minute."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} chunks, {task.fields[sentences]:,} sentences"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None, sentences=0)
        said = time.monotonic()
        chunks = sentences = 0

        def on_chunk(summary: Any) -> None:
            nonlocal said, chunks, sentences
            chunks += 1
            sentences += summary.sentences
            progress.update(task, completed=chunks, sentences=sentences)
            if not console.is_terminal and time.monotonic() - said > LINE_SECONDS:
                said = time.monotonic()
                logger.info("%s chunks, %s sentences", f"{chunks:,}", f"{sentences:,}")

        yield on_chunk
