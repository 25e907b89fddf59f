"""Results as tables and sentences that a person reads in a terminal of 80 columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from train.data import Labelled, label_counts

if TYPE_CHECKING:
    from predict.label import Prediction
    from train.fit import Outcome, Result
    from train.metrics import Comparison, Estimate
    from train.report import Report
    from train.splits import Split

LABEL_STYLES = ("cyan", "yellow", "green", "magenta", "blue", "red")
INTERVALS = "In brackets: 95 % intervals, by bootstrap over articles."


def training(result: "Result", command: str) -> RenderableType:
    """Everything that ``sitrep train`` has to say at its end.

    command: how the user calls sitrep, for the lines that say what to type next
    """
    baseline = result.outcomes[0]
    verdicts = [
        Text(_verdict(outcome, baseline, comparison))
        for outcome, comparison in zip(result.outcomes[1:], result.comparisons, strict=True)
    ]
    runs = [
        Text(f"  {o.config.name}: run {o.run_id}, model models:/sitrep/{o.version}")
        for o in result.outcomes
    ]
    return Group(
        _models(result),
        *verdicts,
        Text(
            "Test and training sentences are of one corpus. Expect less on text from elsewhere, "
            "and measure it with labelled sentences of your own (evaluate)."
        ),
        Text(f"\nIn MLflow {result.champion}."),
        *runs,
        Text("\nNext:"),
        _next(f"{command} predict seeds/articles", "label sample articles with the champion"),
        _next(f"{command} predict my-news/ -o labels.csv", "label a folder of your own"),
        _next(f"{command} evaluate mine.jsonl", "judge it on your labels"),
        _next(f"{command} ui", "compare the runs in a browser"),
    )


def split_summary(split: "Split") -> RenderableType:
    """Rows by label and split, with the leak report."""
    table = _table("Split")
    names = [name for name, _ in split.parts()]
    for heading in ("", *names):
        table.add_column(heading, justify="right" if heading else "left")
    counts = {name: label_counts(rows, split.labels) for name, rows in split.parts()}
    table.add_row("articles", *(f"{split.report.articles[name]:,}" for name in names))
    table.add_row("sentences", *(f"{len(rows):,}" for _, rows in split.parts()))
    for label in split.labels:
        table.add_row(f"  {label}", *(f"{counts[name][label]:,}" for name in names))
    return Group(table, Text(f"Leaks: {split.report.sentence()}."))


def evaluation(report: "Report", model: str, data: str) -> RenderableType:
    """The report of one model on one set of rows."""
    return Group(
        Text(
            f"{model} on {len(report.rows):,} sentences of {report.articles:,} articles in {data}",
            style="bold",
        ),
        _figures(report.metrics),
        _by_label(report),
        Text(INTERVALS),
        _confusion(report),
    )


def inspection(found: Labelled, near_duplicates: int) -> RenderableType:
    """What ``sitrep check`` found besides problems."""
    rows = found.rows
    table = _table("Labels")
    for heading in ("label", "sentences", "share"):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    for label, count in label_counts(rows, found.labels).items():
        table.add_row(label, f"{count:,}", f"{count / max(len(rows), 1):.1%}")
    articles = (
        f"{len(set(rows.article_ids)):,} articles" if found.has_articles else "no article column"
    )
    summary = (
        f"{len(rows):,} usable sentences, {articles}; {near_duplicates:,} sentences nearly repeat "
        f"another; {len(found.problems):,} problems."
    )
    return Group(table, *map(Text, [*_lengths(rows.texts), summary]))


def prediction_line(prediction: "Prediction", labels: Sequence[str]) -> Text:
    """One sentence with its label, as the terminal shows it."""
    column = labels.index(prediction.label)
    width = max(map(len, labels))
    line = Text(prediction.label.ljust(width), style=LABEL_STYLES[column % len(LABEL_STYLES)])
    line.append(f"  {prediction.confidence:4.0%}  ", style="dim")
    return line.append(" ".join(prediction.sentence.text.split()), style="default")


def _models(result: "Result") -> Table:
    split = result.split
    table = _table(
        f"{len(split.test):,} test sentences of {split.report.articles['test']:,} articles"
    )
    for heading in ("model", "macro-F1", "accuracy", "log loss", "fit", "predict"):
        table.add_column(heading)
    for outcome in result.outcomes:
        figures = outcome.report.metrics
        table.add_row(
            outcome.config.name,
            _short(figures["macro_f1"]),
            _short(figures["accuracy"]),
            f"{figures['log_loss'].value:.3f}",
            f"{outcome.fit_seconds:,.0f} s",
            f"{outcome.sentences_per_second:,.0f}/s",
        )
    table.caption = INTERVALS
    return table


def _verdict(outcome: "Outcome", baseline: "Outcome", comparison: "Comparison") -> str:
    name, other, d = outcome.config.name, baseline.config.name, comparison.difference
    words = {
        "better": f"{name} is better than {other}",
        "worse": f"{name} is worse than {other}",
        "no different": f"No difference is shown between {name} and {other}",
    }[comparison.verdict]
    return (
        f"{words}: {d.value:+.3f} macro-F1, 95 % interval {d.lo:+.3f} to {d.hi:+.3f}, paired "
        f"test p = {comparison.p_value:.4f}. {name} alone is right on {comparison.only_model} "
        f"sentences, {other} alone on {comparison.only_baseline} "
        f"(McNemar p = {comparison.mcnemar_p:.2g})."
    )


def _figures(figures: Mapping[str, "Estimate"]) -> Table:
    table = _table("All labels")
    for heading in ("figure", "value", "95 % interval"):
        table.add_column(heading)
    for name, estimate in figures.items():
        table.add_row(name, f"{estimate.value:.3f}", f"{estimate.lo:.3f} to {estimate.hi:.3f}")
    return table


def _by_label(report: "Report") -> Table:
    table = _table("By label")
    for heading in ("label", "sentences", "F1", "precision", "recall"):
        table.add_column(heading, justify="right" if heading == "sentences" else "left")
    for label, count in label_counts(report.rows, report.labels).items():
        estimates = report.by_label[label]
        table.add_row(
            label,
            f"{count:,}",
            _short(estimates["f1"]),
            f"{estimates['precision'].value:.3f}",
            f"{estimates['recall'].value:.3f}",
        )
    return table


def _confusion(report: "Report") -> Table:
    table = _table("True label by predicted label")
    table.add_column("")
    for label in report.labels:
        table.add_column(label.replace("_", "\n"), justify="right", vertical="bottom")
    for label, row in zip(report.labels, report.confusion, strict=True):
        table.add_row(label, *(f"{count:,}" for count in row))
    return table


def _lengths(texts: Sequence[str]) -> list[str]:
    if not texts:
        return []
    quantiles = np.percentile([len(text.split()) for text in texts], [0, 5, 50, 95, 100])
    low, p5, middle, p95, high = map(int, quantiles)
    return [
        f"Words in a sentence: {middle} at the middle, {p5} to {p95} in nine of ten, "
        f"{low} to {high} in all."
    ]


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=box.SIMPLE,
    )


def _short(estimate: "Estimate") -> str:
    """0.739 (.684–.794): the interval without its leading zeros, to fit 80 columns."""
    lo, hi = (f"{bound:.3f}".removeprefix("0") for bound in (estimate.lo, estimate.hi))
    return f"{estimate.value:.3f} ({lo}–{hi})"


def _next(line: str, purpose: str) -> Text:
    return Text(f"  {line:<46} ").append(purpose, style="dim")
