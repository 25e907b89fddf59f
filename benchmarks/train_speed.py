"""Training throughput of configs/minilm.yaml against the usual recipe, on the same sentences.

    python benchmarks/train_speed.py

The usual recipe is that of the transformers example script for text classification: pad every
sentence to 128 tokens, float32, batches of 16 in random order. Both train the same encoder from
the same package, in turn, in one process; the optimiser's steps alone are timed. Printed are
sentences a second of each round and the ratio round by round, which is what can be compared
between machines.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

import models
from models.base import Rows
from models.device import uses_bf16
from models.pretrained import locate
from models.settings import TransformerSettings
from train import config, data

PADDED_TOKENS = 128
WARM_UP_STEPS = 3
"""Not timed: the first steps allocate memory and choose kernels."""


class StepTimes(TrainerCallback):
    """When each step ended, in seconds."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.ended.append(time.perf_counter())


def throughput(ended: list[float], batch_size: int) -> float:
    """Sentences a second over the steps after the warm-up."""
    seconds = ended[-1] - ended[WARM_UP_STEPS - 1]
    return (len(ended) - WARM_UP_STEPS) * batch_size / seconds


def usual(rows: Rows, labels: tuple[str, ...], settings: TransformerSettings) -> float:
    """Sentences a second of the usual recipe."""
    set_seed(0)
    source = locate(settings.encoder)
    tokenizer = AutoTokenizer.from_pretrained(source)
    encoded = tokenizer(
        list(rows.texts), padding="max_length", max_length=PADDED_TOKENS, truncation=True
    )
    dataset = [
        {**{key: encoded[key][i] for key in encoded}, "labels": int(target)}
        for i, target in enumerate(rows.targets)
    ]
    times = StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=settings.batch_size,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(labels))
        trainer = Trainer(model, arguments, train_dataset=dataset, callbacks=[times])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return throughput(times.ended, settings.batch_size)


def ours(rows: Rows, labels: tuple[str, ...], settings: TransformerSettings) -> float:
    """Sentences a second of sitrep, by what it reports of its steps."""
    ended: dict[int, float] = {}

    def on_step(step: int, steps: int, figures: Mapping[str, float]) -> None:
        if step not in ended:
            ended[step] = time.perf_counter()

    once = settings.model_copy(update={"epochs": 1})
    models.build(once, labels, seed=0).fit(rows, rows.take(range(settings.batch_size)), on_step)
    return throughput(list(ended.values()), settings.batch_size)


def main() -> None:
    """Run both in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    disable_progress_bar()
    set_verbosity_error()

    run = config.load(Path("configs/minilm.yaml"))
    settings = run.model
    assert isinstance(settings, TransformerSettings)
    everything, _, _ = data.read(run.data)
    step = max(1, len(everything.rows) // options.sentences)
    rows = everything.rows.take(range(0, len(everything.rows), step)[: options.sentences])

    table = Table("round", "usual, sentences/s", "sitrep, sentences/s", "ratio")
    ratios = []
    for number in range(1, options.rounds + 1):
        slow, fast = (f(rows, everything.labels, settings) for f in (usual, ours))
        ratios.append(fast / slow)
        table.add_row(str(number), f"{slow:.1f}", f"{fast:.1f}", f"{fast / slow:.2f}")
    console = Console()
    console.print(table)
    form = "bf16" if uses_bf16(settings.precision) else "fp32"
    console.print(
        f"median ratio {statistics.median(ratios):.2f}, {len(rows)} sentences, sitrep in {form}"
    )


if __name__ == "__main__":
    main()
