"""Measures: plain definitions, invariants, other libraries, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtri

import oem_risk as risk
from oem_risk.errors import DataProblem
from oem_risk.measures.cornish_fisher import cornish_fisher_z
from oem_risk.measures.ratios import standard_error
from oem_risk.measures.tail import tail_weights
from oem_risk.paths.blocks import reduce_log_returns

gains = st.lists(st.floats(-100, 100), min_size=2, max_size=60).filter(lambda v: max(v) > min(v))
levels = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.975, 0.99])


def es(values: list[float], level: float) -> float:
    worst = np.sort(-np.asarray(values))[::-1]
    return float(worst @ tail_weights(worst.size, level))


def plain_es(values: list[float], level: float) -> float:
    """The integral of the quantile function over the tail, piece by piece."""
    losses = sorted((-v for v in values), reverse=True)
    left, total = len(losses) * (1 - level), 0.0
    for loss in losses:
        take = min(1.0, left)
        total += take * loss
        left -= take
        if left <= 1e-12:
            break
    return total / (len(losses) * (1 - level))


@given(gains, levels)
def test_shortfall_is_the_average_of_the_worst_and_never_below_value_at_risk(values, level) -> None:
    assert es(values, level) == pytest.approx(plain_es(values, level), abs=1e-9)
    found = risk.historical_var(values, level)
    assert es(values, level) >= found.value - 1e-9
    assert found.low <= found.value <= found.high


@given(gains, st.data(), levels)
def test_shortfall_is_coherent(values: list[float], data: st.DataObject, level: float) -> None:
    other = data.draw(st.lists(st.floats(-100, 100), min_size=len(values), max_size=len(values)))
    together = [a + b for a, b in zip(values, other, strict=True)]
    assert es(together, level) <= es(values, level) + es(other, level) + 1e-6
    assert es([3 * v for v in values], level) == pytest.approx(3 * es(values, level), abs=1e-6)
    assert es([v + 7 for v in values], level) == pytest.approx(es(values, level) - 7, abs=1e-6)
    better = [max(a, b) for a, b in zip(values, other, strict=True)]
    assert es(better, level) <= es(values, level) + 1e-9


@given(gains, st.randoms(use_true_random=False), levels)
def test_order_does_not_matter_to_the_tail(values, random, level) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert risk.historical_var(shuffled, level) == risk.historical_var(values, level)


def test_order_does_matter_to_the_drawdown() -> None:
    falls_first = risk.max_drawdown([100.0, 50.0, 100.0])
    assert falls_first == risk.Drawdown(0.5, 0, 1, 2)
    assert risk.max_drawdown([50.0, 100.0, 100.0]).depth == 0.0


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=40))
def test_a_fast_drawdown_equals_a_plain_one(steps: list[float]) -> None:
    path = np.cumprod([1.0, *steps])
    plain = max(1 - b / a for i, a in enumerate(path) for b in path[i:])
    found = risk.max_drawdown(path)
    assert found.depth == pytest.approx(max(plain, 0.0))
    assert risk.max_drawdown(7 * path).depth == pytest.approx(found.depth)
    moves = np.log(steps)[None, :].copy()
    terminal, deepest, lowest = reduce_log_returns(moves)
    assert deepest[0] == pytest.approx(found.depth)
    assert terminal[0] == pytest.approx(path[-1])
    assert lowest[0] == pytest.approx(min(1.0, path.min()))
    fallen = risk.drawdowns(path)
    assert risk.ulcer_index(path) == pytest.approx(math.sqrt(np.mean(fallen**2)))
    assert risk.average_drawdown(path) <= risk.conditional_drawdown(path, 0.5) + 1e-12
    assert risk.conditional_drawdown(path, 0.5) <= found.depth + 1e-12


@given(st.lists(st.floats(1.0, 2.0), min_size=1, max_size=40))
def test_a_path_that_never_falls_has_no_drawdown(steps: list[float]) -> None:
    path = np.cumprod([1.0, *steps])
    assert risk.max_drawdown(path).depth == 0.0
    assert risk.time_under_water(path) == 0
    assert risk.ulcer_index(path) == 0.0


def test_other_libraries_agree() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical
    rng = np.random.default_rng(4)
    returns = 0.01 * rng.standard_t(5, 750)
    equity = np.cumprod(1 + returns)
    start = np.concatenate([[1.0], equity])
    assert risk.max_drawdown(start).depth == pytest.approx(-empyrical.max_drawdown(returns))
    ours = risk.sharpe_ratio(returns, periods_per_year=252)
    assert ours.value == pytest.approx(empyrical.sharpe_ratio(returns))
    ours = risk.sortino_ratio(returns, periods_per_year=252)
    assert ours.value == pytest.approx(empyrical.sortino_ratio(returns), rel=1e-9)
    # 750 x 5 % is not whole: the plain mean of the worst 37 lies beside the fractional one
    assert risk.historical_es(returns, 0.95).value == pytest.approx(
        -empyrical.conditional_value_at_risk(returns, 0.05), rel=0.02
    )
    import statsmodels.tsa.stattools as tsa

    from oem_risk.measures.ratios import autocorrelations

    assert autocorrelations(returns, 5) == pytest.approx(tsa.acf(returns, nlags=5, fft=False)[1:])


def test_sharpe_errors_are_those_of_lo_for_normal_returns() -> None:
    rng = np.random.default_rng(5)
    returns = rng.normal(1.0, 1.0, 200_000)
    found = risk.sharpe_ratio(returns)
    assert standard_error(found) == pytest.approx(
        math.sqrt((1 + found.value**2 / 2) / returns.size), rel=0.01
    )
    # Lo 2002, eta(q): positive autocorrelation makes the yearly ratio smaller
    shocks = rng.standard_normal(50_000)
    smooth = 0.1 + shocks[1:] + 0.4 * shocks[:-1]
    plain = risk.sharpe_ratio(smooth, periods_per_year=12).value
    assert risk.sharpe_ratio(smooth, periods_per_year=12, lags=11).value < 0.9 * plain


def test_components_add_up_and_are_the_derivative() -> None:
    rng = np.random.default_rng(6)
    root = rng.standard_normal((4, 4))
    covariance, held = root @ root.T, np.array([3.0, -1.0, 2.0, 0.5])
    for measure in (risk.normal_var_contributions, risk.normal_es_contributions):
        found = measure(held, covariance, 0.99, mean=[0.1, 0.0, -0.2, 0.3])
        assert math.fsum(found.components) == pytest.approx(found.total)
        for n in range(4):
            moved = held + 1e-6 * np.eye(4)[n]
            up = measure(moved, covariance, 0.99, mean=[0.1, 0.0, -0.2, 0.3]).total
            assert (up - found.total) / 1e-6 == pytest.approx(found.marginals[n], abs=1e-4)
    returns = rng.standard_normal((500, 4)) @ root.T
    tail = risk.historical_es_contributions(held, returns, 0.97)
    assert tail.total == pytest.approx(risk.historical_es(returns @ held, 0.97).value)


def test_liquidity_adds_half_the_bad_spread() -> None:
    market = risk.historical_var(np.linspace(-0.1, 0.1, 500), 0.99)
    found = risk.liquidity_adjusted(market, [0.001, 0.003], position=1.0, multiple=2.0)
    spread = 0.002 + 2 * np.std([0.001, 0.003], ddof=1)
    assert found.total == pytest.approx(market.value + spread / 2)


def test_cornish_fisher_shortfall_is_the_integral_of_its_quantiles() -> None:
    rng = np.random.default_rng(8)
    returns = rng.gamma(12.0, 1.0, 1_500)
    scaled = (returns - returns.mean()) / returns.std()
    skew, excess = np.mean(scaled**3), np.mean(scaled**4) - 3
    p = (np.arange(200_000) + 0.5) / 200_000 * 0.02
    worst = cornish_fisher_z(ndtri(p), skew, excess).mean()
    found = risk.cornish_fisher_es(returns, 0.98)
    assert found.value == pytest.approx(-returns.mean() - returns.std() * worst, rel=1e-5)
    assert found.low < found.value < found.high
    with pytest.raises(DataProblem, match="domain"):
        risk.cornish_fisher_var(np.concatenate([np.zeros(99), [-100.0]]) + returns[:100] / 1e3)


def test_ruin_grows_with_the_horizon_and_meets_its_closed_form() -> None:
    short, far, ever = (
        risk.brownian_ruin_probability(1.0, 0.2, 1.0, t) for t in (0.5, 5.0, math.inf)
    )
    assert short < far < ever == pytest.approx(math.exp(-0.4))
    rng = np.random.default_rng(9)
    steps = 0.2 / 400 + rng.standard_normal((2_000, 2_000)) / 20
    lowest = np.minimum(np.cumsum(steps, axis=1).min(axis=1), 0)
    found = risk.ruin_probability(lowest, -1.0 + 0.5826 / 20, 0.999)  # continuity correction
    assert found.low < risk.brownian_ruin_probability(1.0, 0.2, 1.0, 5.0) < found.high
    assert risk.brownian_ruin_probability(1.0, -50.0, 1.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "measure",
    [
        risk.historical_var, risk.historical_es, risk.normal_var, risk.normal_es,
        risk.cornish_fisher_var, risk.sharpe_ratio, risk.sortino_ratio, risk.filtered_var,
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.1] * 5 + [math.nan] + [0.2] * 200, "row 5"),
        ([0.1] * 5 + [-math.inf] + [0.2] * 200, "row 5"),
        ([], "0 values"),
        ([[0.1, 0.2]], "dimensions"),
    ],
)
def test_bad_samples_are_named(measure, values, word) -> None:
    with pytest.raises(DataProblem) as refused:
        measure(values)
    assert word in f"{refused.value.what} {refused.value.where}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "measure", [risk.historical_es, risk.normal_var, risk.cornish_fisher_es, risk.sharpe_ratio]
)
def test_a_frozen_price_is_refused(measure) -> None:
    with pytest.raises(DataProblem, match="constant"):
        measure([0.01] * 200)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(DataProblem, match="level"):
        risk.historical_var([0.1, 0.2], level)


def test_equity_must_stay_above_zero() -> None:
    with pytest.raises(DataProblem, match="row 1"):
        risk.max_drawdown([1.0, 0.0, 2.0])


# coverage of every interval by simulation: test_coverage.py


@given(st.integers(1, 3_000), levels, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_order_statistics_cover_at_least_what_they_say(n, level, confidence) -> None:
    from scipy.stats import binom

    near, far = risk.order_statistic_ranks(n, 1 - level, confidence)
    assume(near >= 0)
    share = binom.cdf(far - 1, n, 1 - level) - binom.cdf(near - 1, n, 1 - level)
    assert share >= confidence or (near == 0 and far == n + 1)
