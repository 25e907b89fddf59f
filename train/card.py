"""A model card in the form of the Hugging Face hub."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from train import metrics
from train.config import RunConfig
from train.evaluation import Evaluation
from train.slices import Slice

LIMITS = """\
- It reads one sentence at a time and knows nothing of the article around it.
- Figures are on text of the kind it was trained on. Expect less on text from elsewhere, and measure
  it there with labelled sentences of your own: `sitrep evaluate --model … yours.jsonl`.
- A label says what a sentence does for the reader, not whether what it says is true.
- Sentences with low confidence are for a person; the table above says what that is worth."""


def write(config: RunConfig, judged: Evaluation, split_facts: Mapping[str, Any]) -> str:
    """Return the card of a model that was trained by ``config`` and judged so."""
    report = judged.report
    head = {
        "library_name": "sitrep",
        "pipeline_tag": "text-classification",
        "language": ["en"],
        "tags": ["news", "conflict", "diplomacy", config.model.family],
        "model-index": [
            {
                "name": config.name,
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"name": _data(config), "type": "sentences", "split": "test"},
                        "metrics": [
                            {"type": name, "value": round(estimate.value, 4)}
                            for name, estimate in report.metrics.items()
                        ],
                    }
                ],
            }
        ],
    }
    return "\n".join(
        [
            "---",
            yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
            "---",
            f"# {config.name}",
            f"Gives each sentence of a news article one of {len(report.labels)} labels "
            f"({', '.join(report.labels)}) with a calibrated probability.",
            "\n## How to use",
            "```\nsitrep predict --model BUNDLE article.txt\n```",
            "or `mlflow models serve` on the logged model: text in; label, confidence and one "
            "probability per label out.",
            "\n## How good it is",
            f"On {len(report.rows):,} sentences of {report.articles:,} articles that it was not "
            "trained on; 95 % intervals by bootstrap over articles.\n",
            _table(
                ("figure", "value", "95 % interval"),
                [
                    (name, f"{e.value:.3f}", f"{e.lo:.3f} to {e.hi:.3f}")
                    for name, e in report.metrics.items()
                ],
            ),
            _table(
                ("label", *metrics.LABEL_METRICS),
                [
                    (
                        label,
                        *(str(report.by_label[label][m]) for m in ("f1", "precision", "recall")),
                    )
                    for label in report.labels
                ],
            ),
            *(_slices(column, parts) for column, parts in judged.slices.items()),
            "When the least confident answers are left to a person:\n",
            _table(
                ("kept", "from confidence", "macro-F1"),
                [
                    (f"{k.coverage:.0%}", f"{k.threshold:.2f}", str(k.macro_f1))
                    for k in judged.curve
                ],
            ),
            "## Limits",
            LIMITS,
            "\n## Data",
            f"{_data(config)}, split by article and near-duplicate (seed {config.split.seed}).\n",
            _table(
                ("rows", "sentences", "digest"),
                [
                    (name, f"{count:,}", f"`{split_facts['digests'][name]}`")
                    for name, count in split_facts["sentences"].items()
                ],
            ),
        ]
    )


def _data(config: RunConfig) -> str:
    return config.data.hub.name if config.data.hub is not None else " ".join(config.data.files)


def _slices(column: str, parts: list[Slice]) -> str:
    rows = [(p.value or "(none)", f"{p.sentences:,}", str(p.macro_f1)) for p in parts]
    return _table((column, "sentences", "macro-F1"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines: list[Sequence[str]] = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
