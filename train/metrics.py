"""Every figure by which a model is judged, with intervals and paired tests.

Each metric is a function of counts and sums that add up over articles (a ``Tally``). So the
same function gives the figure itself and, on tallies of resampled articles, its interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from models.base import Probabilities, Targets

Figures = NDArray[np.float64]
"""(draws,) or scalar for a metric, (draws, labels) for one per label."""

SMALLEST_PROBABILITY = 1e-12
"""Keeps the log loss finite where a model was certain and wrong."""
DRAWS_AT_A_TIME = 250
"""Bounds the memory of the bootstrap."""
LEVEL = (2.5, 97.5)
"""Percentiles of a 95 % interval."""


@dataclass(frozen=True)
class Tally:
    """Counts and sums that decide every metric; the leading axes are articles or draws.

    confusion:   (..., labels, labels) sentences by true label (rows) and predicted label
    log_loss:    (...,) sum of -log(probability of the true label)
    brier:       (...,) sum of squared differences to the one-hot truth
    confidence:  (..., bins) sum of the highest probability by confidence bin
    correct:     (..., bins) correct sentences by confidence bin
    count:       (..., bins) sentences by confidence bin
    """

    confusion: Figures
    log_loss: Figures
    brier: Figures
    confidence: Figures
    correct: Figures
    count: Figures

    def weighted(self, weights: Figures) -> "Tally":
        """Sum over the leading axis with (draws, articles) weights, one tally a draw."""
        return Tally(
            **{
                name: np.tensordot(weights, values, axes=(1, 0))
                for name, values in vars(self).items()
            }
        )

    def total(self) -> "Tally":
        """Sum over the leading axis."""
        return Tally(**{name: values.sum(axis=0) for name, values in vars(self).items()})


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    lo: float
    hi: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.lo:.3f} to {self.hi:.3f})"


@dataclass(frozen=True)
class Comparison:
    """A model against a baseline on the same sentences."""

    difference: Estimate
    """In macro-F1, model minus baseline."""
    p_value: float
    """Of the difference under random swaps of the two models' answers, article by article."""
    mcnemar_p: float
    """Exact McNemar test on sentences that only one of the two got right."""
    only_model: int
    """Sentences only the model got right."""
    only_baseline: int
    label_f1: tuple[Estimate, ...]
    """Difference in the F1 of each label, in the order of the columns."""

    @property
    def verdict(self) -> str:
        """better, worse or no different."""
        return verdict(self.difference, self.p_value)


def verdict(difference: Estimate, p_value: float) -> str:
    """Return better, worse or no different: interval and paired test must agree."""
    if p_value < 0.05 and difference.lo > 0:
        return "better"
    if p_value < 0.05 and difference.hi < 0:
        return "worse"
    return "no different"


def accuracy(tally: Tally) -> Figures:
    """Share of sentences whose most probable label is the true one."""
    right = np.trace(tally.confusion, axis1=-2, axis2=-1)
    return np.asarray(right / tally.confusion.sum(axis=(-2, -1)))


def precision(tally: Tally) -> Figures:
    """Share of the sentences given a label that have it; 0 where none was given it."""
    return _ratio(_hits(tally), tally.confusion.sum(axis=-2))


def recall(tally: Tally) -> Figures:
    """Share of the sentences of a label that were given it; 0 where there are none."""
    return _ratio(_hits(tally), tally.confusion.sum(axis=-1))


def f1(tally: Tally) -> Figures:
    """Harmonic mean of precision and recall by label."""
    return _ratio(2 * _hits(tally), tally.confusion.sum(axis=-2) + tally.confusion.sum(axis=-1))


def macro_f1(tally: Tally) -> Figures:
    """Mean F1 over the labels that occur in truth or prediction, as scikit-learn counts them."""
    occurs = (tally.confusion.sum(axis=-2) + tally.confusion.sum(axis=-1)) > 0
    return np.asarray((f1(tally) * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def log_loss(tally: Tally) -> Figures:
    """Mean -log(probability of the true label), in nats; 0 is best."""
    return np.asarray(tally.log_loss / tally.count.sum(axis=-1))


def brier(tally: Tally) -> Figures:
    """Mean squared distance to the one-hot truth, summed over labels; between 0 and 2.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    return np.asarray(tally.brier / tally.count.sum(axis=-1))


def expected_calibration_error(tally: Tally) -> Figures:
    """Mean gap between confidence and accuracy over bins, weighted by bin size; 0 is best.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    gap = np.abs(tally.confidence - tally.correct)
    return np.asarray(gap.sum(axis=-1) / tally.count.sum(axis=-1))


METRICS: dict[str, Callable[[Tally], Figures]] = {
    "macro_f1": macro_f1,
    "accuracy": accuracy,
    "log_loss": log_loss,
    "brier": brier,
    "ece": expected_calibration_error,
}
"""One figure a model; the name is the one in MLflow."""

LABEL_METRICS: dict[str, Callable[[Tally], Figures]] = {
    "f1": f1,
    "precision": precision,
    "recall": recall,
}
"""One figure a label."""


def tally(
    targets: Targets, probabilities: Probabilities, articles: Sequence[str], bins: int
) -> Tally:
    """Return the tally of each article, in the order in which articles first appear.

    targets:        (sentences,) int, column of the true label
    probabilities:  (sentences, labels) float32, rows sum to 1
    articles:       (sentences,) article of each sentence

    Raises ValueError when there are no sentences: nothing can be judged on none.
    """
    if len(targets) == 0:
        raise ValueError("there are no sentences to judge on")
    labels = probabilities.shape[1]
    article_of = _numbered(articles)
    count = int(article_of.max()) + 1
    exact = probabilities.astype(np.float64)
    guess, top = exact.argmax(axis=1), exact.max(axis=1)
    truth = exact[np.arange(len(targets)), targets]
    bin_of = np.minimum((top * bins).astype(np.int64), bins - 1)

    def added(values: Figures | NDArray[np.bool_]) -> Figures:
        return np.bincount(article_of, weights=values, minlength=count).astype(np.float64)

    def by_bin(values: Figures | NDArray[np.bool_]) -> Figures:
        flat = np.bincount(article_of * bins + bin_of, weights=values, minlength=count * bins)
        return flat.reshape(count, bins).astype(np.float64)

    cell = (article_of * labels + targets) * labels + guess
    confusion = np.bincount(cell, minlength=count * labels * labels)
    return Tally(
        confusion=confusion.reshape(count, labels, labels).astype(np.float64),
        log_loss=added(-np.log(np.maximum(truth, SMALLEST_PROBABILITY))),
        brier=added((exact**2).sum(axis=1) - 2 * truth + 1),
        confidence=by_bin(top),
        correct=by_bin(guess == targets),
        count=by_bin(np.ones(len(targets))),
    )


def bootstrap(tallies: Tally, draws: int, seed: int) -> Tally:
    """Return ``draws`` tallies, each of as many articles drawn with replacement as there are.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 6; articles are
    drawn, not sentences, because sentences of one article are not independent.
    """
    articles = len(tallies.log_loss)
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, draws, DRAWS_AT_A_TIME):
        size = min(DRAWS_AT_A_TIME, draws - start)
        weights = rng.multinomial(articles, np.full(articles, 1 / articles), size=size)
        parts.append(tallies.weighted(weights.astype(np.float64)))
    return Tally(
        **{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    )


def estimate(metric: Callable[[Tally], Figures], tallies: Tally, drawn: Tally) -> Estimate:
    """Return ``metric`` over all articles, with the 95 % interval of the ``drawn`` tallies."""
    lo, hi = np.percentile(metric(drawn), LEVEL)
    return Estimate(float(metric(tallies.total())), float(lo), float(hi))


def mean_estimate(
    metric: Callable[[Tally], Figures], models: Sequence[Tally], draws: int, seed: int
) -> Estimate:
    """Return the mean of ``metric`` over models, with the 95 % interval of that mean.

    models: tallies of the same articles, which are drawn together for all of them
    """
    values = [float(metric(tallies.total())) for tallies in models]
    drawn = [metric(bootstrap(tallies, draws, seed)) for tallies in models]
    lo, hi = np.percentile(np.mean(drawn, axis=0), LEVEL)
    return Estimate(float(np.mean(values)), float(lo), float(hi))


def compare(
    model: Tally,
    baseline: Tally,
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    draws: int,
    seed: int,
) -> Comparison:
    """Compare two models by their tallies of the same articles.

    right: for each sentence, whether the model and whether the baseline got it right

    Sources: Yeh 2000, "More accurate tests for the statistical significance of result
    differences" (swaps); McNemar 1947 (exact form: a binomial test on the discordant pairs).
    """
    difference, p_value = compare_means([model], [baseline], draws, seed)
    by_label = f1(model.total()) - f1(baseline.total())
    drawn = f1(bootstrap(model, draws, seed)) - f1(bootstrap(baseline, draws, seed))
    bounds = np.percentile(drawn, LEVEL, axis=0)
    only_model, only_baseline = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    discordant = only_model + only_baseline
    mcnemar = binomtest(only_model, discordant).pvalue if discordant else 1.0
    return Comparison(
        difference,
        p_value,
        float(mcnemar),
        only_model,
        only_baseline,
        tuple(Estimate(*map(float, row)) for row in zip(by_label, *bounds, strict=True)),
    )


def compare_means(
    models: Sequence[Tally], baselines: Sequence[Tally], draws: int, seed: int
) -> tuple[Estimate, float]:
    """Return the mean difference in macro-F1 of pairs of models, and its p-value under swaps.

    models, baselines: tallies of the same articles, in pairs: for example one pair a seed

    One seed draws and swaps the same articles for all of them, so everything is paired.
    """
    pairs = list(zip(models, baselines, strict=True))
    observed = np.mean([macro_f1(m.total()) - macro_f1(b.total()) for m, b in pairs])
    drawn = np.mean(
        [
            macro_f1(bootstrap(m, draws, seed)) - macro_f1(bootstrap(b, draws, seed))
            for m, b in pairs
        ],
        axis=0,
    )
    lo, hi = np.percentile(drawn, LEVEL)
    swapped = np.mean([_swapped_differences(m, b, draws, seed) for m, b in pairs], axis=0)
    # One is added to both, for the data as observed is one of the possible swaps.
    p_value = (1 + int((np.abs(swapped) >= abs(observed) - 1e-12).sum())) / (1 + draws)
    return Estimate(float(observed), float(lo), float(hi)), p_value


def _swapped_differences(model: Tally, baseline: Tally, draws: int, seed: int) -> Figures:
    articles = len(model.log_loss)
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, draws, DRAWS_AT_A_TIME):
        size = min(DRAWS_AT_A_TIME, draws - start)
        keep = rng.integers(0, 2, size=(size, articles)).astype(np.float64)
        first, second = model.weighted(keep), baseline.weighted(keep)
        first_rest, second_rest = model.weighted(1 - keep), baseline.weighted(1 - keep)
        parts.append(macro_f1(_sum(first, second_rest)) - macro_f1(_sum(second, first_rest)))
    return np.concatenate(parts)


def _sum(a: Tally, b: Tally) -> Tally:
    return Tally(**{name: vars(a)[name] + vars(b)[name] for name in vars(a)})


def _hits(tally: Tally) -> Figures:
    return np.diagonal(tally.confusion, axis1=-2, axis2=-1)


def _ratio(numerator: Figures, denominator: Figures) -> Figures:
    return np.divide(
        numerator,
        denominator,
        out=np.zeros_like(numerator, dtype=np.float64),
        where=denominator > 0,
    )


def _numbered(articles: Sequence[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(article, len(numbers)) for article in articles])
