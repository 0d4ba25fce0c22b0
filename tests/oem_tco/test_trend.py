"""Trends: exact small-sample tests, slopes that one outlier does not move, many groups at once."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import Direction, InputError, LedgerRows, analyze, cost_trends, fit_trend
from oem_tco.analysis.groups import DAY_NS
from oem_tco.analysis.trend import holm
from tco_support import order


@given(
    st.lists(st.integers(-5, 5), min_size=3, max_size=45),
    st.integers(0, 2**32),
)
def test_prop_slope_and_interval_are_those_of_scipy(values: list[int], seed: int) -> None:
    from scipy import stats

    draw = np.random.default_rng(seed)
    y = np.array(values, dtype=float)
    x = np.cumsum(draw.uniform(0.5, 2.0, len(y)))
    fit = fit_trend(list(x), list(y))
    if len(set(values)) == 1:
        assert (fit.slope, fit.p_value) == (0.0, 1.0)
        return
    wanted = stats.theilslopes(y, x)
    assert fit.slope == pytest.approx(wanted.slope)
    assert (fit.slope_low, fit.slope_high) == pytest.approx((wanted.low_slope, wanted.high_slope))


@pytest.mark.parametrize("n", [3, 5, 8, 13, 30])
def test_the_exact_p_value_is_that_of_kendalls_tau(n: int) -> None:
    from scipy import stats

    y = np.random.default_rng(n).normal(size=n)
    x = np.arange(n)
    wanted = stats.kendalltau(x, y, method="exact").pvalue
    assert fit_trend(list(x), list(y)).p_value == pytest.approx(wanted)


def test_with_ties_the_variance_is_kendalls_and_the_score_is_corrected_for_continuity() -> None:
    # S = 4 + 3 + 3 + 1 - 0 by hand of 1 2 2 3 3: pairs up 8, none down, two tied groups of 2
    fit = fit_trend([0, 1, 2, 3, 4], [1, 2, 2, 3, 3])
    variance = (5 * 4 * 15 - 2 * (2 * 1 * 9)) / 18
    z = (8 - 1) / math.sqrt(variance)
    assert fit.p_value == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_no_trend_is_found_in_noise_more_often_than_the_level_says() -> None:
    draw = np.random.default_rng(3)
    days = list(range(12))
    p = [fit_trend(days, list(draw.normal(size=12))).p_value for _ in range(1_000)]
    rejected = sum(value <= 0.05 for value in p)
    assert rejected <= 50 + 3 * math.sqrt(1_000 * 0.05 * 0.95)
    assert rejected >= 15


def ledger(costs: dict[str, list[float]]) -> LedgerRows:
    """One order a day in each strategy, whose only cost is the delay given in bps."""
    orders = [
        order(
            order_id=f"{strategy}-{day}",
            strategy=strategy,
            decision_time_ns=day * DAY_NS,
            arrival_price=Decimal(100) + Decimal(str(cost)) / 100,
            end_price=None,
        )
        for strategy, days in costs.items()
        for day, cost in enumerate(days)
    ]
    random.Random(1).shuffle(orders)
    return LedgerRows(tuple(orders), ())


def test_a_rising_cost_is_found_and_its_slope_is_in_bps_a_day() -> None:
    (trend,) = cost_trends(analyze(ledger({"a": [10, 12, 14, 16, 500, 20, 22]})))
    assert trend.direction is Direction.RISING
    assert trend.fit.slope == pytest.approx(2.0, rel=0.35)
    assert len(trend.starts_ns) == 7
    (down,) = cost_trends(analyze(ledger({"a": [22, 20, 18, 16, 14, 12]})))
    assert down.direction is Direction.FALLING
    assert down.fit.slope == pytest.approx(-2.0)


def test_four_buckets_cannot_show_a_trend_and_one_has_no_slope() -> None:
    four, one = ({"a": [1.0, 2.0, 3.0, 4.0]}, {"a": [1.0]})
    assert cost_trends(analyze(ledger(four)))[0].direction is Direction.UNKNOWN
    (trend,) = cost_trends(analyze(ledger(one)))
    assert trend.direction is Direction.UNKNOWN
    assert math.isnan(trend.fit.slope)


def test_testing_many_groups_raises_the_bar_for_each() -> None:
    rising = {"a": [1.0, 2.0, 3.0, 4.0, 5.0]}
    flat = {name: [3.0, 1.0, 4.0, 1.5, 5.0] for name in "bcdefg"}
    alone = cost_trends(analyze(ledger(rising)), by=["strategy"])
    among = cost_trends(analyze(ledger({**rising, **flat})), by=["strategy"])
    assert alone[0].direction is Direction.RISING
    assert among[0].key == ("a",)
    assert among[0].p_adjusted == pytest.approx(7 * alone[0].fit.p_value)
    assert among[0].direction is Direction.NONE


@given(st.lists(st.floats(0, 1), max_size=12))
def test_prop_adjusting_keeps_the_order_and_never_lowers_a_p_value(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert all(a <= 1 for a in adjusted)
    by_p = [a for _, a in sorted(zip(p, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@pytest.mark.parametrize(
    ("times", "values"),
    [
        ([0.0, 0.0], [1.0, 2.0]),
        ([0.0], [1.0, 2.0]),
        ([0.0, 1.0], [1.0, math.nan]),
        (list(range(2_001)), [0.0] * 2_001),
    ],
)
def test_a_series_that_is_none_is_refused(times: list[float], values: list[float]) -> None:
    with pytest.raises(InputError):
        fit_trend(times, values)
