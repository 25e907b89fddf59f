"""The whole story of a run, and of several runs that are compared."""

import logging
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import models
from models.errors import SitrepError
from train import data, metrics, splits, store, suite, sync, tracking
from train.config import RunConfig, require_same_rows
from train.evaluation import deepen, explained
from train.metrics import Comparison, Estimate
from train.progress import OnRunStep
from train.report import Report, compare, evaluate
from train.splits import Split

SLICED_BY = ("register", "source")
"""Columns by which a run's figures are sliced, where the data has them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What one run came to."""

    config: RunConfig
    run_id: str
    version: str
    report: Report
    fit_seconds: float
    sentences_per_second: float


@dataclass(frozen=True)
class Pair:
    """A run against the baseline's run of the same seed."""

    outcome: Outcome
    baseline: Outcome
    comparison: Comparison


@dataclass(frozen=True)
class OverSeeds:
    """One config over several seeds."""

    name: str
    macro_f1: Estimate
    """Mean over the seeds; the interval is of that mean, by bootstrap over articles."""
    deviation: float
    """Standard deviation between the seeds."""
    difference: Estimate | None
    """From the first config in mean macro-F1; None for that config itself."""
    p_value: float | None


@dataclass(frozen=True)
class Result:
    """What one command came to."""

    split: Split
    outcomes: tuple[Outcome, ...]
    pairs: tuple[Pair, ...]
    """Of every outcome but those of the first config."""
    over_seeds: tuple[OverSeeds, ...]
    """By config; empty for a single seed."""
    champion: str
    """What became of the alias, in a sentence."""


def fit_run(config: RunConfig, split: Split, names: tuple[str, ...], on_step: OnRunStep) -> Outcome:
    """Train, judge and record one config: the life of one MLflow run.

    names: of the files or the hub dataset that the rows came from

    Raises ModelError when training cannot go on; the run then ends FAILED.
    """
    capabilities = suite.read(config.evaluation.suite, split.labels)
    with tracking.child_run(config, split, names) as record:
        history: list[tuple[int, Mapping[str, float]]] = []

        def both(step: int, steps: int, figures: Mapping[str, float]) -> None:
            history.append((step, figures))
            record.steps(step, steps, figures)
            on_step(config.name, step, steps, figures)

        started = time.perf_counter()
        model = models.build(config.model, split.labels, config.seed)
        model.fit(split.train, split.valid, both)
        fitted = time.perf_counter()
        report = evaluate(model, split.test, config.evaluation)
        rate = len(split.test) / (time.perf_counter() - fitted)
        sliced = [column for column in SLICED_BY if column in split.test.columns]
        judged = deepen(report, sliced, None, config.evaluation)
        behaviour = suite.run(model, capabilities) if capabilities else None
        record.judgement(config, split, judged, behaviour, explained(model, report), history)
        record.figures({"fit/seconds": fitted - started, "predict/sentences_per_second": rate})
        macro_f1 = report.metrics["macro_f1"]
        version = record.model(
            model,
            example=split.test.texts[0],
            tags={"run_name": config.name, "family": config.model.family}
            | {f"test/{name}": str(figure) for name, figure in report.metrics.items()},
        )
    logger.info("%s: macro-F1 %s in %.0f s", config.name, macro_f1, fitted - started)
    return Outcome(config, record.run_id, version, report, fitted - started, rate)


def fit_all(
    configs: Sequence[RunConfig], promote: bool, on_step: OnRunStep, seeds: int = 1
) -> Result:
    """Train every config on one split under one parent run, compare them, settle the champion.

    promote: make the best of these the champion whatever the comparison says
    seeds:   runs of each config, at its own seed and those that follow

    Raises ConfigError when the configs do not judge on the same rows, DataError for bad rows.
    """
    first = configs[0]
    require_same_rows(configs)
    server = store.open_for_training()
    main, valid, test = data.read(first.data)
    split = splits.split(main, valid, test, first.split)
    logger.info("read %s sentences from %d files", f"{len(main.rows):,}", len(main.names))
    logger.info("split: %s", split.report.sentence())
    suite.read(first.evaluation.suite, split.labels)
    for config in configs:  # finds a missing encoder before a run is opened or another trained
        models.build(config.model, split.labels, config.seed)
    with tracking.parent_run(list(configs), split) as record:
        families = [
            [fit_run(seeded, split, main.names, on_step) for seeded in _seeded(config, seeds)]
            for config in configs
        ]
        pairs = [
            Pair(other, baseline, compare(other.report, baseline.report, first.evaluation))
            for family in families[1:]
            for other, baseline in zip(family, families[0], strict=True)
        ]
        for pair in pairs:
            tracking.record_comparison(
                pair.outcome.run_id, pair.baseline.config.name, pair.comparison
            )
        over_seeds = _over_seeds(configs, families) if seeds > 1 else []
        for summary in over_seeds:
            record.over_seeds(summary.name, summary.macro_f1, summary.deviation, summary.difference)
        champion = _settle_champion(families[0][0], pairs, promote)
    if server is not None:
        _send(server)
    outcomes = tuple(outcome for family in families for outcome in family)
    return Result(split, outcomes, tuple(pairs), tuple(over_seeds), champion)


def _send(server: str) -> None:
    """Send what was recorded to ``server``; when that fails, say how to do it later."""
    try:
        store.require_answer(server)
        logger.info("sent %d runs to %s", sync.send(server), server)
    except SitrepError as error:
        logger.warning(
            "everything is kept in this folder, nothing is lost; send it with `sitrep sync` (%s)",
            error,
        )


def _seeded(config: RunConfig, seeds: int) -> list[RunConfig]:
    """``config`` once for each seed; with several, the seed is part of the run's name."""
    if seeds == 1:
        return [config]
    return [
        config.model_copy(update={"seed": seed, "name": f"{config.name}-seed{seed}"})
        for seed in range(config.seed, config.seed + seeds)
    ]


def _over_seeds(
    configs: Sequence[RunConfig], families: Sequence[Sequence[Outcome]]
) -> list[OverSeeds]:
    settings = configs[0].evaluation
    tallies = [[outcome.report.tallies for outcome in family] for family in families]
    found = []
    for config, family, own in zip(configs, families, tallies, strict=True):
        mean = metrics.mean_estimate(metrics.macro_f1, own, settings.draws, settings.seed)
        deviation = statistics.stdev(map(_macro_f1, family))
        difference, p_value = None, None
        if config is not configs[0]:
            difference, p_value = metrics.compare_means(
                own, tallies[0], settings.draws, settings.seed
            )
        found.append(OverSeeds(config.name, mean, deviation, difference, p_value))
    return found


def _settle_champion(baseline: Outcome, pairs: Sequence[Pair], promote: bool) -> str:
    """Move the alias only to a model that a paired test on the same test rows found better."""
    best = baseline
    for pair in pairs:
        if pair.comparison.verdict != "better":
            continue
        if best is baseline or _macro_f1(pair.outcome) > _macro_f1(best):
            best = pair.outcome
    if promote:
        return tracking.crown(best.version, best.config.name, "promoted by hand")
    return tracking.challenge(best.version, best.config.name, best.report, best.config.evaluation)


def _macro_f1(outcome: Outcome) -> float:
    return outcome.report.metrics["macro_f1"].value
