"""Bars and counters that show long work going on; on a terminal only."""

import logging
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
