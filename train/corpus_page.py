"""The figures of a labelled corpus as one Markdown page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.base import Rows
from models.errors import DataError
from train import corpus, data, splits
from train.config import DataSettings, EvaluationSettings, RunConfig, require_same_rows
from train.corpus import Point, Slice, Way
from train.metrics import Estimate, accuracy, macro_f1
from train.progress import OnRunStep
from train.report import Report


@dataclass(frozen=True)
class Realism:
    """How a corpus stands to an evaluation file of real sentences."""

    file: str
    rows: Rows
    auc: float
    column: str
    """By which the figures are sliced, for example stratum."""


@dataclass(frozen=True)
class Findings:
    """Everything that the page tells."""

    command: str
    labels: tuple[str, ...]
    slices: Sequence[Slice]
    words: Sequence[int]
    """Words in a sentence at the 5th, 50th and 95th percentile."""
    cross_validated: dict[str, float]
    """Macro-F1 within the corpus, by config."""
    points: Sequence[Point]
    realism: Realism | None
    ways: Sequence[Way]
    """Ways of writing compared; empty where none was asked for."""


def make(
    configs: Sequence[RunConfig],
    sizes: Sequence[int],
    seeds: int,
    folds: int,
    real_files: tuple[str, ...],
    real_column: str,
    way_column: str | None,
    command: str,
    on_fit: OnRunStep,
) -> str:
    """Measure the corpus that ``configs`` name and return the page.

    sizes:       sentences to fit on, for the learning curve
    seeds:       fits of each config at each size
    folds:       of the cross-validation within the corpus; 0 leaves it out
    real_files:  labelled real sentences to measure on, may be empty
    real_column: column of those to slice by
    way_column:  column of the corpus that says how a sentence was written, to compare its values

    Raises ConfigError when the configs name different data, DataError for bad rows.
    """
    first = configs[0]
    require_same_rows(configs)
    main, valid, test = data.read(_keeping(first.data, way_column))
    if way_column is not None:
        _require_column(main.rows, way_column, first.data.files)
    real = _real_rows(real_files, real_column, first.data, main.labels)  # before an hour is spent
    split = splits.split(main, valid, test, first.split)
    words = np.percentile([len(text.split()) for text in main.rows.texts], [5, 50, 95])
    many_seeds = range(first.seed, first.seed + seeds)
    found = Findings(
        command,
        main.labels,
        corpus.slices(main.rows, main.labels, "register"),
        [int(count) for count in words],
        {
            config.name: corpus.cross_validated_f1(
                config, main.rows, main.labels, folds, config.seed, on_fit
            )
            for config in configs
            if folds
        },
        corpus.learning_curve(configs, split, real, sizes, many_seeds, on_fit),
        None
        if real is None
        else Realism(
            ", ".join(Path(name).name for name in real_files),
            real,
            corpus.auc_against(main.rows, real, first.seed),
            real_column,
        ),
        []
        if way_column is None
        else corpus.compare_ways(
            configs, main.rows, split.valid, main.labels, real, way_column, many_seeds, on_fit
        ),
    )
    return markdown(found, first.evaluation)


def _keeping(settings: DataSettings, column: str | None) -> DataSettings:
    if column is None:
        return settings
    columns = settings.columns.model_copy(update={"keep": (*settings.columns.keep, column)})
    return settings.model_copy(update={"columns": columns})


def _real_rows(
    files: tuple[str, ...], column: str, like: DataSettings, labels: tuple[str, ...]
) -> Rows | None:
    if not files:
        return None
    columns = like.columns.model_copy(update={"keep": (column,)})
    rows = data.read(DataSettings(files=files, columns=columns, labels=labels))[0].rows
    _require_column(rows, column, files)
    return rows


def _require_column(rows: Rows, column: str, files: tuple[str, ...]) -> None:
    if column not in rows.columns:
        raise DataError(f'{", ".join(files)}: there is no column "{column}"')


def markdown(found: Findings, settings: EvaluationSettings) -> str:
    """Return the page, sections in the order in which an editor of labels asks."""
    parts = [
        "# The corpus in figures",
        f"Made by `{found.command}`; not to be edited by hand.",
        _counts(found),
    ]
    if found.cross_validated:
        parts.append(_in_domain(found))
    if found.points:
        parts.append(_curve(found, settings))
    if found.realism is not None:
        parts.append(_realism(found.realism, found.points, settings))
    if found.ways:
        parts.append(_ways(found, settings))
    return "\n\n".join(parts) + "\n"


def _counts(found: Findings) -> str:
    head = ["register", "texts", "sentences", *found.labels, "κ"]
    rows = [
        [part.name, part.texts, part.sentences, *part.by_label, _kappa(part.kappa)]
        for part in found.slices
    ]
    total = found.slices[-1]
    shares = ", ".join(
        f"{label} {count / total.sentences:.1%}"
        for label, count in zip(found.labels, total.by_label, strict=True)
    )
    p5, middle, p95 = found.words
    return "\n\n".join(
        [
            "## Counts and agreement",
            _table(head, rows),
            f"Shares: {shares}. Words in a sentence: {middle} at the middle, {p5} to {p95} in "
            "nine of ten. κ is Cohen's, of the two labellers before disagreements were settled.",
        ]
    )


def _in_domain(found: Findings) -> str:
    head = ["model", "macro-F1"]
    rows = [[name, f"{value:.3f}"] for name, value in found.cross_validated.items()]
    return "\n\n".join(
        [
            "## Within the corpus",
            "Macro-F1 over all sentences, each labelled by a model that saw none of its text.",
            _table(head, rows),
        ]
    )


def _curve(found: Findings, settings: EvaluationSettings) -> str:
    real = found.realism is not None
    head = ["model", "sentences", "fits", "macro-F1, test split"]
    head += ["macro-F1, real sentences", "lowest and highest fit"] if real else []
    rows = []
    for (model, size), points in _grouped(found.points).items():
        row: list[object] = [model, f"{size:,}", len(points)]
        row.append(_estimate(corpus.mean_over([p.held_out for p in points], macro_f1, settings)))
        if real:
            judged = _real_reports(points)
            values = [report.metrics["macro_f1"].value for report in judged]
            row.append(_estimate(corpus.mean_over(judged, macro_f1, settings)))
            row.append(f"{min(values):.3f}, {max(values):.3f}")
        rows.append(row)
    return "\n\n".join(
        [
            "## Learning curve",
            "Mean over the fits, which differ in their seed and in which texts come first; in "
            "brackets 95 % intervals of that mean, by bootstrap over texts.",
            _table(head, rows),
        ]
    )


def _realism(realism: Realism, points: Sequence[Point], settings: EvaluationSettings) -> str:
    parts = [
        "## Against real sentences",
        f"{len(realism.rows):,} sentences of `{realism.file}`. A TF-IDF model tells written from "
        f"real sentences with AUC {realism.auc:.3f} (0.5: it cannot; 1: always), quotes and dashes "
        "made alike.",
    ]
    largest = dict(sorted(_grouped(points)))
    last = {model: _grouped(points)[model, size] for model, size in largest.items()}
    if last:
        parts.append(
            "Share labelled right by the models fitted on all training sentences, mean over the "
            f"fits, by {realism.column}:"
        )
        parts.append(_by_value(realism, last, settings))
        parts.append("F1 by label, mean over the fits:")
        parts.append(_by_label(last))
    return "\n\n".join(parts)


def _ways(found: Findings, settings: EvaluationSettings) -> str:
    names = list(found.ways[0].cross_validated)
    head = ["way", "sentences", *(f"{label} %" for label in found.labels), "κ"]
    head += [f"{name}, within" for name in names]
    real = found.realism is not None
    head += ["AUC", *(f"{name}, real" for name in names)] if real else []
    rows = []
    for way in found.ways:
        part = way.slice_
        row: list[object] = [part.name, part.sentences]
        row += [f"{count / part.sentences:.0%}".rstrip("%") for count in part.by_label]
        row.append(_kappa(part.kappa))
        row += [f"{way.cross_validated[name]:.2f}" for name in names]
        if real:
            row.append(f"{way.auc:.2f}")
            row += [
                _estimate(corpus.mean_over(way.real[name], macro_f1, settings)) for name in names
            ]
        rows.append(row)
    return "\n\n".join(
        [
            "## Ways of writing",
            f"Each on {corpus.WAY_SENTENCES:,} sentences in whole texts, or all there are. "
            '"Within" is macro-F1 in five folds within the way; "real" is macro-F1 on the real '
            "sentences, mean over the fits. Shares decide much at this size: a way that gives "
            "few sentences of a label teaches it badly, however real they are.",
            _table(head, rows),
        ]
    )


def _by_value(realism: Realism, last: dict[str, list[Point]], settings: EvaluationSettings) -> str:
    values = realism.rows.columns.get(realism.column, ("",) * len(realism.rows))
    chosen: dict[str, list[int]] = {"all": list(range(len(values)))}
    for value in sorted(set(values)):
        chosen[value] = [i for i, v in enumerate(values) if v == value]
    rows = [
        [
            value,
            len(chosen[value]),
            *(
                _estimate(
                    corpus.mean_over(_real_reports(points), accuracy, settings, chosen[value])
                )
                for points in last.values()
            ),
        ]
        for value in chosen
    ]
    return _table([realism.column, "sentences", *last], rows)


def _by_label(last: dict[str, list[Point]]) -> str:
    labels = _real_reports(next(iter(last.values())))[0].labels
    rows = [
        [
            label,
            *(
                f"{np.mean([r.by_label[label]['f1'].value for r in _real_reports(points)]):.3f}"
                for points in last.values()
            ),
        ]
        for label in labels
    ]
    return _table(["label", *last], rows)


def _grouped(points: Sequence[Point]) -> dict[tuple[str, int], list[Point]]:
    """Points by model and size; sizes differ by less than a text between seeds."""
    groups: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        groups.setdefault((point.model, point.size), []).append(point)
    return dict(sorted(groups.items()))


def _real_reports(points: Sequence[Point]) -> list[Report]:
    return [point.real for point in points if point.real is not None]


def _kappa(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _estimate(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.lo:.3f}–{value.hi:.3f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
