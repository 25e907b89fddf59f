"""What a labelled corpus is worth: agreement of its labellers, learning curves, realism."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.model_selection import GroupKFold

import models
from models.base import Classifier, Rows, silent
from models.settings import TfidfSettings
from train import metrics
from train.config import EvaluationSettings, RunConfig
from train.metrics import Estimate, Figures, Tally
from train.progress import OnRunStep
from train.report import Report, evaluate
from train.splits import Split

FOLDS = 5
"""Of the two-sample test, and of the rows kept aside to choose and calibrate within a fold."""
WAY_SENTENCES = 1_200
"""On which ways of writing are compared; a way with fewer gives all it has."""
WAY_VALID_SENTENCES = 600
"""To choose and calibrate on meanwhile: with all valid rows, judging would outlast fitting."""
STRAIGHT = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\xa0": " "})
"""Quotes and dashes as typewriters have them: a house's habit, not a sign of real text."""


@dataclass(frozen=True)
class Point:
    """One fit of a learning curve."""

    model: str
    size: int
    """How many sentences were asked for; the last text was taken whole."""
    seed: int
    held_out: Report
    """On the test split of the corpus."""
    real: Report | None
    """On the evaluation file."""


@dataclass(frozen=True)
class Slice:
    """Rows of one register, or of any other column's value."""

    name: str
    texts: int
    sentences: int
    by_label: tuple[int, ...]
    kappa: float | None
    """Of the first two votes; None where there are none, or where only one label was given."""


@dataclass(frozen=True)
class Way:
    """What one way of writing teaches, at the same size as the others."""

    slice_: Slice
    """Of everything written that way."""
    auc: float | None
    """Against real sentences; None without such a file."""
    cross_validated: dict[str, float]
    """Macro-F1 within the way, by config."""
    real: dict[str, list[Report]]
    """On the evaluation file, by config; one per seed."""


def slices(rows: Rows, labels: Sequence[str], column: str) -> list[Slice]:
    """Return one slice per value of ``column``, sorted, and one of everything, named "all"."""
    values = rows.columns.get(column, ("",) * len(rows))
    by_value: dict[str, list[int]] = {}
    for i, value in enumerate(values):
        by_value.setdefault(value, []).append(i)
    parts = {name: rows.take(by_value[name]) for name in sorted(by_value)} | {"all": rows}
    return [
        Slice(
            name,
            len(set(part.article_ids)),
            len(part),
            tuple(np.bincount(part.targets, minlength=len(labels)).tolist()),
            kappa(part),
        )
        for name, part in parts.items()
    ]


def kappa(rows: Rows) -> float | None:
    """Return Cohen's kappa of the first two votes, or None where it is not defined.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    votes = [json.loads(cell) for cell in rows.columns.get("votes", ()) if cell]
    pairs = [(v[0], v[1]) for v in votes if isinstance(v, list) and len(v) >= 2]
    if len({vote for pair in pairs for vote in pair}) < 2:
        return None
    first, second = zip(*pairs, strict=True)
    return float(cohen_kappa_score(first, second))


def auc_against(written: Rows, real: Rows, seed: int) -> float:
    """Return how well a TF-IDF model tells written from real sentences it has not seen.

    0.5: it cannot; 1.0: it always can. Both sides have equally many sentences, articles stay in
    one fold, and quotes and dashes are made alike first.

    Source: Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests".
    """
    both = _two_samples(written, real, seed)
    settings = TfidfSettings(family="tfidf")
    scores = np.zeros(len(both))
    for train, test in GroupKFold(FOLDS).split(both.texts, groups=both.article_ids):
        model = models.build(settings, ("real", "written"), seed)
        model.fit(both.take(train), both.take(test), silent)
        scores[test] = model.predict_proba(both.take(test).texts)[:, 1]
    return float(roc_auc_score(both.targets, scores))


def cross_validated_f1(
    config: RunConfig, rows: Rows, labels: Sequence[str], count: int, seed: int, on_fit: OnRunStep
) -> float:
    """Return macro-F1 over all rows, each labelled by a model that saw none of its article.

    count: folds, and so models
    """
    probabilities = np.zeros((len(rows), len(labels)), dtype=np.float32)
    folds = GroupKFold(count, shuffle=True, random_state=seed)
    for number, (train, test) in enumerate(folds.split(rows.texts, groups=rows.article_ids), 1):
        model = models.build(config.model, labels, seed)
        fitted = _fitted(model, rows.take(train), seed, f"{config.name}, fold {number}", on_fit)
        probabilities[test] = fitted.predict_proba(rows.take(test).texts)
    tallies = metrics.tally(rows.targets, probabilities, rows.article_ids, bins=1)
    return float(metrics.macro_f1(tallies.total()))


def learning_curve(
    configs: Sequence[RunConfig],
    split: Split,
    real: Rows | None,
    sizes: Sequence[int],
    seeds: Sequence[int],
    on_fit: OnRunStep,
) -> list[Point]:
    """Fit every config on whole articles of at least each size, for every seed.

    The seed decides which articles come first and where the fit starts. Sizes beyond the train
    split stand for all of it.
    """
    points = []
    for size in sorted({min(size, len(split.train)) for size in sizes}):
        for seed in seeds:
            part = split.train.take(_first_articles(split.train, size, seed))
            for config in configs:
                model = models.build(config.model, split.labels, seed)
                name = f"{config.name}, {len(part):,} sentences, seed {seed}"
                model.fit(part, split.valid, partial(on_fit, name))
                held_out = evaluate(model, split.test, config.evaluation)
                judged = None if real is None else evaluate(model, real, config.evaluation)
                points.append(Point(config.name, size, seed, held_out, judged))
    return points


def compare_ways(
    configs: Sequence[RunConfig],
    rows: Rows,
    valid: Rows,
    labels: Sequence[str],
    real: Rows | None,
    column: str,
    seeds: Sequence[int],
    on_fit: OnRunStep,
) -> list[Way]:
    """Compare the values of ``column`` as ways of writing, on WAY_SENTENCES of each.

    rows:  everything written
    valid: rows to choose and calibrate on; those of a way's own articles are left out for it

    Every seed draws its own texts of a way. AUC and cross-validation take those of the first.
    """
    found = []
    for slice_ in slices(rows, labels, column)[:-1]:
        of_way = [i for i, value in enumerate(rows.columns[column]) if value == slice_.name]
        part = rows.take(of_way)
        own = set(part.article_ids)
        others = valid.take([i for i, a in enumerate(valid.article_ids) if a not in own])
        kept = others.take(_first_articles(others, WAY_VALID_SENTENCES, seeds[0]))
        first = part.take(_first_articles(part, WAY_SENTENCES, seeds[0]))
        within = {
            config.name: cross_validated_f1(config, first, labels, FOLDS, config.seed, on_fit)
            for config in configs
        }
        judged: dict[str, list[Report]] = {config.name: [] for config in configs}
        auc = None
        if real is not None:
            auc = auc_against(first, real, seeds[0])
            for seed, config in itertools.product(seeds, configs):
                sample = part.take(_first_articles(part, WAY_SENTENCES, seed))
                model = models.build(config.model, labels, seed)
                name = f"{config.name}, {slice_.name}, seed {seed}"
                model.fit(sample, kept, partial(on_fit, name))
                judged[config.name].append(evaluate(model, real, config.evaluation))
        found.append(Way(slice_, auc, within, judged))
    return found


def mean_over(
    reports: Sequence[Report],
    metric: Callable[[Tally], Figures],
    settings: EvaluationSettings,
    rows: Sequence[int] | None = None,
) -> Estimate:
    """Return the mean of ``metric`` over models judged on the same rows, with its 95 % interval.

    rows: judge on these alone, for example on one stratum

    The interval is of the mean, by bootstrap over the articles that all models share.
    """
    tallies = []
    for report in reports:
        chosen = list(range(len(report.rows)) if rows is None else rows)
        part = report.rows.take(chosen)
        probabilities = report.probabilities[chosen]
        tallies.append(metrics.tally(part.targets, probabilities, part.article_ids, settings.bins))
    return metrics.mean_estimate(metric, tallies, settings.draws, settings.seed)


def _two_samples(written: Rows, real: Rows, seed: int) -> Rows:
    size = min(len(written), len(real))
    rng = np.random.default_rng(seed)
    parts = [
        part.take(sorted(rng.choice(len(part), size, replace=False).tolist()))
        for part in (real, written)
    ]
    return Rows(
        ids=tuple(f"{side}:{i}" for side, part in enumerate(parts) for i in part.ids),
        article_ids=tuple(
            f"{side}:{a}" for side, part in enumerate(parts) for a in part.article_ids
        ),
        texts=tuple(text.translate(STRAIGHT) for part in parts for text in part.texts),
        targets=np.repeat(np.array([0, 1], dtype=np.int64), size),
    )


def _fitted(model: Classifier, rows: Rows, seed: int, name: str, on_fit: OnRunStep) -> Classifier:
    """``model`` fitted on four fifths of the articles, the rest kept to choose and calibrate."""
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    train, valid = next(folds.split(rows.texts, groups=rows.article_ids))
    return model.fit(rows.take(train), rows.take(valid), partial(on_fit, name))


def _first_articles(rows: Rows, size: int, seed: int) -> list[int]:
    """Indices of all rows of as many articles, in an order drawn by ``seed``, as give ``size``."""
    articles = sorted(set(rows.article_ids))
    place = {
        articles[i]: n for n, i in enumerate(np.random.default_rng(seed).permutation(len(articles)))
    }
    order: NDArray[np.int64] = np.argsort([place[a] for a in rows.article_ids], kind="stable")
    end = min(size, len(rows))
    while end < len(rows) and rows.article_ids[order[end]] == rows.article_ids[order[end - 1]]:
        end += 1
    return sorted(order[:end].tolist())
