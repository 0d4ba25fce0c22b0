"""Impact models: invariants, manipulation refused, calibration against known truth."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    AlmgrenChriss,
    AlmgrenImpact,
    ExponentialKernel,
    InputError,
    PowerKernel,
    PowerLawImpact,
    TableKernel,
    TransientImpact,
    fit_permanent,
    fit_power_law,
    walk_costs_bps,
)
from oem_tco.errors import ModelError
from oem_tco.impact.kernel import LEAST_POWER_DECAY, require_linear_permanent
from tco_books import signed_volume, snapshots

MARKET = AlmgrenChriss(volatility=0.95, permanent=2.5e-7, temporary=2.5e-6, fixed=0.0625)


@given(
    st.floats(1e3, 1e7), st.integers(1, 40), st.floats(0, 1e-4), st.floats(0.1, 20),
    st.lists(st.floats(-0.2, 0.2), min_size=40, max_size=40),
)  # fmt: skip
def test_no_other_schedule_is_cheaper_than_the_optimal_one(
    quantity: float, intervals: int, aversion: float, horizon: float, push: list[float]
) -> None:
    plan = MARKET.optimal(quantity, horizon=horizon, intervals=intervals, risk_aversion=aversion)
    assert math.fsum(plan.trades) == pytest.approx(quantity)
    other = list(plan.holdings)
    for step in range(1, intervals):
        other[step] += push[step] * quantity
    # the fixed cost is |n|: the closed form is optimal among schedules that only sell
    if all(a >= b for a, b in itertools.pairwise(other)):
        expected, variance = MARKET.cost(other, horizon)
        mine = plan.expected_cost + aversion * plan.variance
        assert expected + aversion * variance >= mine * (1 - 1e-9)


@given(st.floats(1e-9, 1e-3), st.floats(1.0, 1e3))
def test_a_more_averse_trader_pays_more_and_risks_less(aversion: float, ratio: float) -> None:
    calm, hasty = MARKET.frontier(
        1e6, horizon=5, intervals=10, risk_aversions=[aversion, aversion * ratio]
    )
    assert hasty.expected_cost >= calm.expected_cost * (1 - 1e-12)
    assert hasty.variance <= calm.variance * (1 + 1e-12)


def test_buying_is_selling_mirrored_and_extreme_aversion_does_not_overflow() -> None:
    sell = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-6)
    buy = MARKET.optimal(-1e6, horizon=5, intervals=5, risk_aversion=1e-6)
    assert buy.expected_cost == pytest.approx(sell.expected_cost)
    assert buy.holdings == pytest.approx([-x for x in sell.holdings])
    at_once = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e9)
    assert at_once.trades[0] == pytest.approx(1e6)


def test_a_price_expected_to_rise_is_held_longer() -> None:
    rising = AlmgrenChriss(0.95, 2.5e-7, 2.5e-6, 0.0625, drift=0.02)
    plain = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-6)
    patient = rising.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-6)
    assert all(b >= a for a, b in zip(plain.holdings, patient.holdings, strict=True))
    mine, _ = rising.cost(patient.holdings, 5)
    # optimal for cost + lambda variance, so cheaper by that measure than the driftless plan
    other, other_variance = rising.cost(plain.holdings, 5)
    assert mine + 1e-6 * patient.variance < other + 1e-6 * other_variance


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((math.nan, 0, 1), "volatility"),
        ((1, -1, 1), "permanent"),
        ((1, 0, 0), "temporary"),
        ((1, 0, 1, math.inf), "fixed"),
        ((1, 0, 1, 0, math.nan), "drift"),
    ],
)
def test_wrong_market_numbers_are_named(arguments: tuple[float, ...], word: str) -> None:
    with pytest.raises(ModelError, match=word) as refused:
        AlmgrenChriss(*arguments)
    assert refused.value.remedy


def test_a_market_in_which_round_trips_pay_is_refused() -> None:
    with pytest.raises(ModelError, match="round trips"):
        AlmgrenChriss(1, 1e-3, 1e-6).optimal(10, horizon=1, intervals=1, risk_aversion=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TransientImpact(1, ExponentialKernel(1), 0.5),
        lambda: TransientImpact(1, PowerKernel(0.3), 0.8),
        lambda: TransientImpact(1, PowerKernel(0.45), 0.5),
        lambda: TransientImpact(1, PowerKernel(0.41), 0.9),
        lambda: TransientImpact(1, PowerKernel(0.5, 1e-9), 0.6),
        lambda: TransientImpact(1, TableKernel(1, (1.0, 0.1, 0.9))),
        lambda: TransientImpact(1, TableKernel(1, (1.0, 0.9, 0.3, 0.2))),
        lambda: TransientImpact(1, TableKernel(1, (1.0, 0.5, 0.25)), 0.5),
        lambda: require_linear_permanent(0.5),
    ],
)
def test_kernels_that_allow_price_manipulation_are_refused(make) -> None:
    with pytest.raises(ModelError, match="price manipulation"):
        make()


def test_the_line_between_sound_and_manipulable_power_laws() -> None:
    assert pytest.approx(0.4150375) == LEAST_POWER_DECAY
    TransientImpact(1, PowerKernel(LEAST_POWER_DECAY), 1 - LEAST_POWER_DECAY)
    require_linear_permanent(1)


@dataclass(frozen=True)
class Unchecked:
    """A kernel that vouches for everything, to see what a refusal saves one from."""

    kernel: ExponentialKernel | PowerKernel | TableKernel

    def at(self, times):
        return self.kernel.at(times)

    def twice_integrated(self, times):
        return self.kernel.twice_integrated(times)

    def require_sound(self, exponent: float) -> None:
        pass


@pytest.mark.parametrize(
    ("kernel", "exponent"),
    [
        (PowerKernel(0.45), 0.5),
        (PowerKernel(0.3), 0.6),
        (PowerKernel(0.6), 0.3),
        (PowerKernel(0.5, 1.0), 0.6),
        (ExponentialKernel(0.1), 0.9),
        (TableKernel(1, (1.0, 0.5, 0.25)), 0.5),
    ],
)
def test_what_is_refused_would_earn_from_a_round_trip(kernel, exponent: float) -> None:
    model = TransientImpact(1, Unchecked(kernel), exponent)
    # buy slowly, sell all of it fast: the last is the dearer the faster only where G(0) is infinite
    costs = []
    for share in (1e-2, 1e-4, 1e-8, 1e-12):
        times, rates = [0.0, 1.0, 1.0 + share], [1.0, -1.0 / share]
        costs.append(model.cost_of_rates(times, rates))
    assert min(costs) < 0


@settings(max_examples=60)
@given(
    st.sampled_from([(0.5, 0.5), (0.42, 0.58), (0.6, 0.5), (0.9, 0.1), (0.5, 1.0), (0.1, 1.0)]),
    st.lists(st.tuples(st.floats(1e-6, 2), st.floats(-20, 20)), min_size=2, max_size=8),
    st.floats(1e-6, 1),
)
def test_no_sampled_round_trip_of_a_sound_power_law_earns(
    pair: tuple[float, float], steps: list[tuple[float, float]], last: float
) -> None:
    model = TransientImpact(1, PowerKernel(pair[0]), pair[1])
    times = [0.0, *itertools.accumulate([*(gap for gap, _ in steps), last])]
    bought = math.fsum(gap * rate for gap, rate in steps)
    rates = [*(rate for _, rate in steps), -bought / last]
    scale = sum(model.cost_of_rates(times[i : i + 2], rates[i : i + 1]) for i in range(len(rates)))
    assert model.cost_of_rates(times, rates) >= -1e-9 * (1 + scale)


@pytest.mark.parametrize(
    "kernel", [ExponentialKernel(0.7), PowerKernel(0.5, 2.0), TableKernel(0.5, (1, 0.4, 0.1))]
)
def test_many_small_trades_cost_what_a_steady_rate_does(kernel) -> None:
    model = TransientImpact(0.1, kernel)
    times = np.linspace(0, 3, 601)
    rates = np.where(times[:-1] < 1, 4.0, -2.0)
    trades = np.append(rates * 0.005, 0.0)
    whole = model.cost_of_rates([0.0, 1.0, 3.0], [4.0, -2.0])
    assert model.cost(times, trades) == pytest.approx(whole, rel=1e-2)
    assert model.cost_of_rates(times, rates) == pytest.approx(whole, rel=1e-9)


def test_a_pure_power_law_has_no_cost_of_a_trade_at_one_instant() -> None:
    model = TransientImpact(1, PowerKernel(0.5))
    assert model.cost_of_rates([0.0, 2.0], [5.0]) == pytest.approx(25 * 2**1.5 / 0.75)
    for call in (lambda: model.cost([0.0, 1.0], [1, -1]), lambda: model.optimal(1, [0.0, 1.0])):
        with pytest.raises(ModelError, match="infinite at 0"):
            call()
    with pytest.raises(ModelError, match="give 2 finite rates"):
        model.cost_of_rates([0.0, 1.0, 2.0], [1.0])
    for wrong in (lambda: PowerKernel(0.5, -1.0), lambda: TableKernel(1, (1.0, 0.5, -0.1))):
        with pytest.raises(ModelError):
            wrong()


@given(
    st.sampled_from([0.0, 1e-30, 1e-20, 1e-16, 1e-13, 1e-9, 1e-6, 1e-2, 1.0, 1e12, 1e300]),
    st.sampled_from([0.0, 0.02, -0.05]),
    st.sampled_from([0.0, 0.95]),
    st.integers(2, 60),
)
def test_any_risk_aversion_and_drift_solve_the_optimality_equations(
    aversion: float, drift: float, volatility: float, intervals: int
) -> None:
    from scipy.linalg import solve_banded

    market = AlmgrenChriss(volatility, 2.5e-7, 2.5e-6, 0.0625, drift)
    plan = market.optimal(1e6, horizon=5, intervals=intervals, risk_aversion=aversion)
    tau = 5 / intervals
    eta = 2.5e-6 - 2.5e-7 * tau / 2
    # the derivative of cost + lambda variance by each holding is 0: a tridiagonal system
    bands = np.zeros((3, intervals - 1))
    bands[0, 1:] = bands[2, :-1] = -2 * eta / tau
    bands[1] = 4 * eta / tau + 2 * aversion * volatility**2 * tau
    right = np.full(intervals - 1, drift * tau)
    right[0] += 2 * eta / tau * 1e6
    inner = solve_banded((1, 1), bands, right)
    assert plan.holdings[1:-1] == pytest.approx(inner, rel=1e-9, abs=1e-3)
    assert math.isfinite(plan.expected_cost)


def test_a_tiny_risk_aversion_keeps_the_digits_of_kappa() -> None:
    plan = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-22)
    assert plan.kappa == pytest.approx(math.sqrt(1e-22 * 0.95**2 / 2.375e-6), rel=1e-9)


@given(
    st.sampled_from([ExponentialKernel(0.7), PowerKernel(0.5, 2.0), TableKernel(1, (1, 0.4, 0.1))]),
    st.lists(st.floats(0.05, 3), min_size=1, max_size=12),
    st.lists(st.floats(-50, 50), min_size=13, max_size=13),
)  # fmt: skip
def test_no_round_trip_earns_and_the_optimal_schedule_only_trades_one_way(
    kernel, gaps: list[float], trades: list[float]
) -> None:
    model = TransientImpact(0.1, kernel)
    times = [0.0, *itertools.accumulate(gaps)]
    trip = trades[: len(times) - 1]
    trip.append(-math.fsum(trip))
    assert model.cost(times, trip) >= -1e-9 * (1 + math.fsum(x * x for x in trip))
    best = model.optimal(100.0, times)
    assert min(best) > -1e-9
    assert math.fsum(best) == pytest.approx(100)
    even = [100.0 / len(times)] * len(times)
    assert model.cost(times, best) <= model.cost(times, even) * (1 + 1e-9)


def test_the_square_root_law_and_its_bounds() -> None:
    assert PowerLawImpact().cost(0.04, 300) == pytest.approx(60)
    for wrong in ((math.nan, 0.5), (1, 0), (1, 1.5), (-1, 0.5)):
        with pytest.raises(ModelError):
            PowerLawImpact(*wrong)
    with pytest.raises(ModelError, match="participation"):
        PowerLawImpact().cost(-0.1, 300)
    with pytest.raises(ModelError, match="exponent"):
        AlmgrenImpact(exponent=1.2)


def test_the_fit_finds_the_truth_within_its_standard_errors() -> None:
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    runs = 100
    for _ in range(runs):
        x = np.exp(rng.uniform(math.log(1e-4), math.log(0.1), 400))
        sigma = rng.uniform(100, 400, 400)
        cost = sigma * (0.8 * x**0.6 + 0.05 * rng.standard_normal(400) * (0.5 + 5 * x))
        fit = fit_power_law(x, cost, sigma)
        for n, (truth, found) in enumerate(((0.8, fit.coefficient), (0.6, fit.exponent))):
            low, high = found.interval(0.95)
            hits[n] += low <= truth <= high
    # binomial, 100 runs of 95 %: below 86 has probability 0.0002
    assert (hits >= 86).all()
    assert fit.model().cost(0.01, 100) > 0
    assert -1 < fit.correlation < 1


def test_kyles_lambda_with_errors_and_flow_that_depend_on_the_past() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(200):
        noise = rng.standard_normal((2, 1_002))
        flow, rest = noise[:, 2:] + 0.8 * noise[:, 1:-1] + 0.4 * noise[:, :-2]
        fit = fit_permanent(0.3 * flow + rest, flow)
        low, high = fit.coefficient.interval(0.95)
        hits += low <= 0.3 <= high
    assert hits >= 178  # without the lags it is about 165
    assert fit.lags == 6


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [
        ([0.1] * 30, [1.0] * 30, "same participation"),
        ([0.1, 0.2], [1.0, 2.0], "2 values"),
        ([0.1, math.nan] * 15, [1.0] * 30, "row 1"),
        ([0.1, -0.1] * 15, [1.0] * 30, "row 1"),
        ([0.1, 0.2] * 15, [1.0] * 31, "31 costs"),
        ([0.1, 0.2] * 15, [-1.0] * 30, "no impact"),
        ([0.1, 0.2, 0.3] * 10, [1.0, 100.0, 10_000.0] * 10, "ran to 3"),
        ([0.1, 0.2, 0.3] * 10, [10_000.0, 100.0, 1.0] * 10, "ran to -1"),
    ],
)
def test_data_that_cannot_carry_a_fit_is_refused(x, y, word: str) -> None:
    with pytest.raises(InputError) as refused:
        fit_power_law(x, y, 1.0)
    assert word in f"{refused.value.what} {refused.value.where}"


def test_a_fit_does_not_depend_on_the_unit_of_the_volume() -> None:
    x = np.random.default_rng(5).uniform(0.001, 0.2, 100)
    plain, tiny = (fit_power_law(x * unit, 30 * x**0.5, 30.0) for unit in (1.0, 1e-120))
    assert tiny.exponent.value == pytest.approx(plain.exponent.value)
    assert tiny.coefficient.value == pytest.approx(1e60 * plain.coefficient.value)


@pytest.mark.parametrize("mid", [0.0, -1.0, math.nan, math.inf])
def test_a_book_is_not_walked_from_a_mid_that_is_none(mid: float) -> None:
    with pytest.raises(InputError, match="mid is"):
        walk_costs_bps([(Decimal(101), Decimal(1))], mid, [1.0])


def test_a_plan_in_units_beyond_a_float_is_refused() -> None:
    with pytest.raises(ModelError, match="risk_aversion"):
        AlmgrenChriss(1e200, 0, 1e-6).optimal(1e6, horizon=5, intervals=5, risk_aversion=1e300)
    with pytest.raises(ModelError, match="intervals"):
        AlmgrenChriss(1, 0, 1).optimal(1.0, horizon=5, intervals=2.5, risk_aversion=1.0)


def test_walking_a_book() -> None:
    levels = [(Decimal(101), Decimal(1)), (Decimal(103), Decimal(1))]
    costs = walk_costs_bps(levels, 100.0, [0.5, 1.0, 2.0, 2.5])
    assert costs[:3] == pytest.approx([100, 100, 200])
    assert math.isnan(costs[3])


def test_books_and_trades_of_a_real_market_give_an_impact_of_the_known_shape(
    shared_data: Path,
) -> None:
    seen = snapshots(shared_data / "books" / "binance_BTCUSDT.parquet", 1_000, deep_every=10)
    mids = np.array([book.mid for book in seen])
    edges = np.array([book.at_ms for book in seen])
    flow = signed_volume(shared_data / "trades" / "binance_BTCUSDT.parquet", edges)
    changes = np.diff(mids) / mids[:-1] * 1e4
    push = fit_permanent(changes, flow)
    low, _ = push.coefficient.interval(0.99)
    assert low > 0  # buying moves the price up
    sizes = np.geomspace(0.5, 20, 12)
    walked = np.concatenate([walk_costs_bps(book.asks, book.mid, sizes) for book in seen[::10]])
    share = np.tile(sizes, len(seen[::10])) / 20_000.0  # about a day's volume
    whole = np.isfinite(walked)
    fit = fit_power_law(share[whole], walked[whole], 250.0)
    assert 0.2 < fit.exponent.value < 1  # concave: the second half of an order costs less
    assert fit.exponent.standard_error < 0.1
