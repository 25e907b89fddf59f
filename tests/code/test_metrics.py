"""Figures agree with scikit-learn and statistics with SciPy or with the exact answer."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from train import metrics
from train.metrics import LABEL_METRICS, METRICS, Tally, bootstrap, compare, tally

LABELS = 4


def answers(seed: int, sentences: int = 300, articles: int = 30):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, LABELS, sentences)
    logits = rng.normal(size=(sentences, LABELS)) + 1.5 * np.eye(LABELS)[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return targets, probabilities.astype(np.float32), [f"a{i % articles}" for i in range(sentences)]


TARGETS, PROBABILITIES, ARTICLES = answers(0)
GUESS = PROBABILITIES.argmax(axis=1)
TOTAL = tally(TARGETS, PROBABILITIES, ARTICLES, bins=15).total()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", reference.accuracy_score(TARGETS, GUESS)),
        ("macro_f1", reference.f1_score(TARGETS, GUESS, average="macro")),
        ("log_loss", -np.log(PROBABILITIES[np.arange(300), TARGETS].astype(np.float64)).mean()),
        ("brier", ((PROBABILITIES - np.eye(LABELS)[TARGETS]) ** 2).sum(axis=1).mean()),
    ],
)
def test_a_figure_agrees_with_its_reference(name: str, expected: float) -> None:
    assert float(METRICS[name](TOTAL)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("f1", reference.f1_score),
        ("precision", reference.precision_score),
        ("recall", reference.recall_score),
    ],
)
def test_a_figure_by_label_agrees_with_scikit_learn(name: str, function) -> None:  # type: ignore[no-untyped-def]
    expected = function(TARGETS, GUESS, average=None)
    np.testing.assert_allclose(LABEL_METRICS[name](TOTAL), expected)


def test_calibration_error_of_two_bins_worked_out_by_hand() -> None:
    # Two sentences at confidence 0.6, one right: gap 0.1. Two at 0.9, both right: gap 0.1.
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]], dtype=np.float32)
    total = tally(np.array([0, 1, 0, 0]), probabilities, list("abcd"), bins=10).total()
    assert float(METRICS["ece"](total)) == pytest.approx(0.1, abs=1e-6)


def test_a_label_that_never_occurs_does_not_lower_macro_f1() -> None:
    targets = np.array([0, 0, 1])
    probabilities = np.eye(LABELS, dtype=np.float32)[targets]
    total = tally(targets, probabilities, list("abc"), bins=15).total()
    assert float(METRICS["macro_f1"](total)) == 1.0


def test_judging_on_no_sentences_is_refused() -> None:
    with pytest.raises(ValueError, match="no sentences"):
        tally(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), [], bins=15)


def test_resampled_figures_are_those_of_the_resampled_sentences() -> None:
    tallies = tally(TARGETS, PROBABILITIES, ARTICLES, bins=15)
    drawn = bootstrap(tallies, draws=5, seed=3)
    weights = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=5)
    for draw, expected in zip(weights, METRICS["macro_f1"](drawn), strict=True):
        rows = [i for i in range(300) for _ in range(draw[i % 30])]
        found = reference.f1_score(TARGETS[rows], GUESS[rows], average="macro")
        assert found == pytest.approx(expected)


def test_the_interval_agrees_with_scipy_where_every_article_has_one_sentence() -> None:
    right = (GUESS == TARGETS).astype(float)
    tallies = tally(TARGETS, PROBABILITIES, list(map(str, range(300))), bins=15)
    lo, hi = np.percentile(METRICS["accuracy"](bootstrap(tallies, 4000, 0)), metrics.LEVEL)
    expected = stats.bootstrap((right,), np.mean, method="percentile", rng=0).confidence_interval
    assert (lo, hi) == pytest.approx((expected.low, expected.high), abs=0.007)


def test_sentences_that_depend_on_their_article_widen_the_interval() -> None:
    targets = np.repeat(np.arange(40) % 2, 10)
    wrong = np.repeat(np.arange(40) < 12, 10)  # whole articles are wrong
    probabilities = np.eye(2, dtype=np.float32)[np.where(wrong, 1 - targets, targets)]

    def width(articles: list[str]) -> float:
        drawn = METRICS["accuracy"](bootstrap(tally(targets, probabilities, articles, 15), 2000, 0))
        return float(np.subtract(*np.percentile(drawn, metrics.LEVEL[::-1])))

    by_article, by_sentence = (
        width([str(i // 10) for i in range(400)]),
        width(list(map(str, range(400)))),
    )
    # Ten fully dependent sentences carry the information of one: sqrt(10) = 3.2 times as wide.
    assert by_article / by_sentence == pytest.approx(10**0.5, rel=0.15)


def tallies_of(right: list[bool], articles: list[str]) -> Tally:
    targets = np.arange(len(right)) % 2
    guess = np.where(right, targets, 1 - targets)
    return tally(targets, np.eye(2, dtype=np.float32)[guess], articles, 15)


def compared(model: list[bool], baseline: list[bool], articles: list[str]) -> metrics.Comparison:
    pair = (np.array(model), np.array(baseline))
    return compare(tallies_of(model, articles), tallies_of(baseline, articles), pair, 2000, 0)


def test_the_swap_test_agrees_with_every_possible_swap() -> None:
    rng = np.random.default_rng(2)
    model, baseline = rng.random(60) < 0.75, rng.random(60) < 0.55
    articles = [str(i // 6) for i in range(60)]
    found = compared(model.tolist(), baseline.tolist(), articles).p_value

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        targets = np.arange(60) % 2
        a_guess, b_guess = np.where(a, targets, 1 - targets), np.where(b, targets, 1 - targets)
        f1 = [reference.f1_score(targets, g, average="macro") for g in (a_guess, b_guess)]
        return float(f1[0] - f1[1])

    observed = abs(difference(model, baseline))
    extreme = 0
    for swaps in itertools.product([False, True], repeat=10):
        swap = np.repeat(swaps, 6)
        swapped = difference(np.where(swap, baseline, model), np.where(swap, model, baseline))
        extreme += abs(swapped) >= observed - 1e-12
    assert found == pytest.approx(extreme / 2**10, abs=0.025)


def test_mcnemar_is_the_exact_binomial_test_on_disagreements() -> None:
    model = [True] * 80 + [False] * 3 + [True] * 12 + [False] * 5
    baseline = [True] * 80 + [True] * 3 + [False] * 12 + [False] * 5
    found = compared(model, baseline, list(map(str, range(100))))
    assert (found.only_model, found.only_baseline) == (12, 3)
    assert found.mcnemar_p == pytest.approx(stats.binomtest(3, 15).pvalue)


def test_a_clear_gain_is_called_better_and_its_mirror_worse() -> None:
    good, poor = [True] * 95 + [False] * 5, [True] * 50 + [False] * 50
    articles = list(map(str, range(100)))
    assert compared(good, poor, articles).verdict == "better"
    assert compared(poor, good, articles).verdict == "worse"


def test_equal_models_are_called_no_different() -> None:
    right = [True, False] * 50
    same = compared(right, right, list(map(str, range(100))))
    assert same.verdict == "no different"
    assert same.p_value == 1.0
    assert same.difference.value == 0.0


def test_chance_is_rarely_called_a_difference() -> None:
    rng = np.random.default_rng(4)
    articles = [str(i // 5) for i in range(200)]
    verdicts = [
        compare(
            tallies_of(a.tolist(), articles), tallies_of(b.tolist(), articles), (a, b), 300, seed
        ).verdict
        for seed in range(100)
        for a, b in [(rng.random(200) < 0.7, rng.random(200) < 0.7)]
    ]
    # 5 % are expected; more than 12 of 100 would happen about once in 1,000 such tests.
    assert sum(verdict != "no different" for verdict in verdicts) <= 12


def test_the_difference_by_label_is_that_of_the_f1s() -> None:
    other = answers(1)
    first = tally(TARGETS, PROBABILITIES, ARTICLES, bins=15)
    second = tally(TARGETS, other[1], ARTICLES, bins=15)
    right = (GUESS == TARGETS, other[1].argmax(axis=1) == TARGETS)
    found = compare(first, second, right, draws=200, seed=1).label_f1
    expected = reference.f1_score(TARGETS, GUESS, average=None) - reference.f1_score(
        TARGETS, other[1].argmax(axis=1), average=None
    )
    assert [d.value for d in found] == pytest.approx(expected.tolist())
    assert all(d.lo <= d.value <= d.hi for d in found)


def test_mcnemar_agrees_with_scipys_exact_binomial_test() -> None:
    other = answers(1)[1].argmax(axis=1) == TARGETS
    right = (GUESS == TARGETS, other)
    both = tally(TARGETS, PROBABILITIES, ARTICLES, bins=15)
    found = compare(both, both, right, draws=100, seed=1)
    b, c = int((right[0] & ~other).sum()), int((other & ~right[0]).sum())
    assert (found.only_model, found.only_baseline) == (b, c)
    # The exact form by hand: twice the lower tail of a fair coin.
    tail = 2 * stats.binom.cdf(min(b, c), b + c, 0.5)
    assert found.mcnemar_p == pytest.approx(min(tail, 1.0), rel=1e-6)


def test_means_over_seeds_are_paired() -> None:
    tallies = [tally(TARGETS, answers(seed)[1], ARTICLES, bins=15) for seed in (1, 2, 3)]
    same, p_same = metrics.compare_means(tallies, tallies, draws=200, seed=1)
    assert (same.value, same.lo, same.hi, p_same) == (0.0, 0.0, 0.0, 1.0)
    better = [tally(TARGETS, np.eye(4, dtype=np.float32)[TARGETS], ARTICLES, bins=15)] * 3
    mean, p_value = metrics.compare_means(better, tallies, draws=200, seed=1)
    singles = [1.0 - float(metrics.macro_f1(t.total())) for t in tallies]
    assert mean.value == pytest.approx(np.mean(singles))
    assert p_value == pytest.approx(1 / 201)
    estimate = metrics.mean_estimate(metrics.macro_f1, tallies, draws=200, seed=1)
    assert estimate.value == pytest.approx(1.0 - np.mean(singles))
