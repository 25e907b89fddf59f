"""Results as tables and sentences that a person reads in a terminal of 80 columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from train.data import Labelled, label_counts
from train.metrics import verdict

if TYPE_CHECKING:
    from predict.label import Prediction
    from train.confidence import Kept, Threshold
    from train.evaluation import Evaluation
    from train.fit import Result
    from train.metrics import Comparison, Estimate
    from train.registry import Version
    from train.report import Report
    from train.slices import Slice
    from train.splits import Split
    from train.suite import SuiteReport
    from train.suspects import Suspect

LABEL_STYLES = ("cyan", "yellow", "green", "magenta", "blue", "red")
SLICES_SHOWN = 20
SUSPECTS_SHOWN = 10
NUMBERS = ("sentences", "articles")
INTERVALS = "In brackets: 95 % intervals, by bootstrap over articles."


def training(result: "Result", command: str) -> RenderableType:
    """Everything that ``sitrep train`` has to say at its end.

    command: how the user calls sitrep, for the lines that say what to type next
    """
    verdicts = [
        Text(_verdict(pair.outcome.config.name, pair.baseline.config.name, pair.comparison))
        for pair in result.pairs
    ]
    runs = [
        Text(f"  {o.config.name}: run {o.run_id}, model models:/sitrep/{o.version}")
        for o in result.outcomes
    ]
    return Group(
        _models(result),
        *([_over_seeds(result)] if result.over_seeds else verdicts),
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


def evaluation(judged: "Evaluation", model: str, data: str) -> RenderableType:
    """Everything that is told about one model on one set of rows."""
    report = judged.report
    parts: list[RenderableType] = [
        Text(
            f"{model} on {len(report.rows):,} sentences of {report.articles:,} articles in {data}",
            style="bold",
        ),
        _figures(report.metrics),
        _by_label(report),
        Text(INTERVALS),
        _confusion(report),
        *(_slices(column, parts) for column, parts in judged.slices.items()),
        _curve(judged.curve),
    ]
    if judged.wanted_precision is not None:
        parts.append(_thresholds(judged.thresholds, judged.wanted_precision))
    return Group(*parts)


def behaviour(report: "SuiteReport") -> RenderableType:
    """Failure rates by capability, and the first failures of each."""
    table = _table(f"Behaviour: {report.total.cases:,} tests")
    for heading in ("capability", "kind", "tests", "failed", "share failed"):
        table.add_column(heading, justify="right" if heading in ("tests", "failed") else "left")
    for part in report.capabilities:
        table.add_row(
            part.capability, part.kind, f"{part.cases}", f"{part.failures}", _short(part.rate)
        )
    total = report.total
    table.caption = "In brackets: 95 % intervals (Wilson). The failures themselves: --json."
    return Group(
        table, Text(f"{total.failures:,} of {total.cases:,} tests failed: {_short(total.rate)}.")
    )


def versions(found: Sequence["Version"]) -> RenderableType:
    """The registry as a table, and why the champion is the champion."""
    table = _table("Models in the registry")
    for heading in ("model", "name", "test macro-F1", "trained", ""):
        table.add_column(heading)
    for version in found:
        table.add_row(
            f"models:/sitrep/{version.number}",
            version.run_name,
            version.tags.get("test/macro_f1", ""),
            f"{version.created:%Y-%m-%d %H:%M}",
            "champion" if version.is_champion else "",
        )
    reasons = [
        Text(f"Version {v.number} is the champion: {v.tags['champion_reason']}.")
        for v in found
        if v.is_champion and "champion_reason" in v.tags
    ]
    return Group(table, Text("Figures of versions compare only on the same test rows."), *reasons)


def version_record(version: "Version") -> dict[str, object]:
    """A version as a line of JSON holds it."""
    return {
        "model": f"models:/sitrep/{version.number}",
        "run_id": version.run_id,
        "trained": version.created.isoformat(timespec="seconds"),
        "champion": version.is_champion,
        **version.tags,
    }


def comparison(
    names: Sequence[str],
    reports: Sequence["Report"],
    comparisons: Sequence["Comparison"],
    differing: int,
) -> RenderableType:
    """Models on the same rows, all but the first against the first."""
    baseline = reports[0]
    table = _table(f"{len(baseline.rows):,} sentences of {baseline.articles:,} articles")
    for heading in ("model", "macro-F1", "accuracy", "log loss"):
        table.add_column(heading)
    for name, report in zip(names, reports, strict=True):
        figures = report.metrics
        table.add_row(
            name,
            _short(figures["macro_f1"]),
            _short(figures["accuracy"]),
            f"{figures['log_loss'].value:.3f}",
        )
    table.caption = INTERVALS
    parts: list[RenderableType] = [table]
    for name, found in zip(names[1:], comparisons, strict=True):
        parts.append(_label_differences(name, names[0], baseline.labels, found))
        parts.append(Text(_verdict(name, names[0], found)))
    parts.append(Text(f"They give different labels to {differing:,} sentences."))
    return Group(*parts)


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


def doubts(suspects: Sequence["Suspect"], rows: int) -> RenderableType:
    """The first labels that a model doubts, and how many there are."""
    lines = [
        Text(f"  {suspect.place}: {suspect.label}, or {suspect.suggested}? ").append(
            suspect.text, style="dim"
        )
        for suspect in suspects[:SUSPECTS_SHOWN]
    ]
    share = f"{len(suspects) / max(rows, 1):.1%}"
    return Group(
        Text("Labels that a model fitted on the other articles doubts", style="bold"),
        *lines,
        Text(
            f"{len(suspects):,} of {rows:,} labels ({share}) are doubted. The model may be wrong: "
            "read them before you change any."
        ),
    )


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


def _over_seeds(result: "Result") -> RenderableType:
    table = _table("Over the seeds")
    for heading in ("config", "macro-F1, mean", "deviation", "difference"):
        table.add_column(heading)
    lines = []
    first = result.over_seeds[0].name
    for found in result.over_seeds:
        d = found.difference
        shown = "" if d is None else f"{d.value:+.3f} ({d.lo:+.3f} to {d.hi:+.3f})"
        table.add_row(found.name, _short(found.macro_f1), f"{found.deviation:.3f}", shown)
        if d is not None and found.p_value is not None:
            words = _verdict_words(found.name, first, verdict(d, found.p_value))
            lines.append(Text(f"{words} in the mean, paired test p = {found.p_value:.4f}."))
    return Group(table, *lines)


def _verdict_words(name: str, other: str, word: str) -> str:
    return {
        "better": f"{name} is better than {other}",
        "worse": f"{name} is worse than {other}",
        "no different": f"No difference is shown between {name} and {other}",
    }[word]


def _verdict(name: str, other: str, comparison: "Comparison") -> str:
    d = comparison.difference
    words = _verdict_words(name, other, comparison.verdict)
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


def _label_differences(name: str, other: str, labels: Sequence[str], found: "Comparison") -> Table:
    table = _table(f"F1 of {name} minus F1 of {other}")
    for heading in ("label", "difference", "95 % interval"):
        table.add_column(heading)
    for label, d in zip(labels, found.label_f1, strict=True):
        table.add_row(label, f"{d.value:+.3f}", f"{d.lo:+.3f} to {d.hi:+.3f}")
    return table


def _slices(column: str, slices: Sequence["Slice"]) -> Table:
    table = _table(f"By {column}")
    for heading in (column, "sentences", "articles", "macro-F1", "accuracy"):
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    for part in slices[:SLICES_SHOWN]:
        table.add_row(
            Text(part.value or "(none)", overflow="ellipsis"),
            f"{part.sentences:,}",
            f"{part.articles:,}",
            _short(part.macro_f1),
            f"{part.accuracy.value:.3f}",
        )
    if len(slices) > SLICES_SHOWN:
        table.caption = f"and {len(slices) - SLICES_SHOWN:,} smaller ones; --json has them all"
    return table


def _curve(curve: Sequence["Kept"]) -> Table:
    table = _table("When the least confident answers are left to a person")
    for heading in ("kept", "from confidence", "macro-F1", "accuracy"):
        table.add_column(heading)
    for kept in curve:
        table.add_row(
            f"{kept.coverage:.0%}",
            f"{kept.threshold:.2f}",
            _short(kept.macro_f1),
            _short(kept.accuracy),
        )
    return table


def _thresholds(thresholds: Sequence["Threshold"], wanted: float) -> Table:
    table = _table(f"Confidence that makes a label {wanted:.0%} precise on these rows")
    for heading in ("label", "from confidence", "precision", "answers kept"):
        table.add_column(heading)
    for found in thresholds:
        share = f" ({found.kept / found.answers:.0%})" if found.answers else ""
        table.add_row(
            found.label,
            "never" if found.threshold is None else f"{found.threshold:.3f}",
            f"{found.precision:.3f}",
            f"{found.kept:,} of {found.answers:,}{share}",
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
