"""Scenarios laid over simulated paths: what strategies see, and what the book lets them do."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oem_risk import (
    Bars,
    LabProblem,
    LabSettings,
    LinearBook,
    PathKind,
    StressBook,
    StressScenario,
    SyntheticMarket,
    Verdict,
    profile_from,
    report_json,
    run_lab,
    sell_each,
    shipped_profile,
    shipped_profiles,
    shipped_scenarios,
    synthetic_bars,
)
from oem_risk.lab.executors import _require_same, worker_versions
from oem_risk.lab.stressed import (
    StressBooks,
    StressedExecution,
    delayed,
    draw_onsets,
    stressed_prices,
)
from oem_risk.lab.trade import trade

DEEP = 1e12
STILL = StressScenario(
    name="still", severity=1e-12, duration_bars=1, recovery=0.0, recovery_bars=1,
    spread_multiplier=1.0, depth_divisor=1.0, latency_bars=0,
)  # fmt: skip
CRASH = STILL.model_copy(update={"name": "crash", "severity": 0.4, "duration_bars": 4})


@dataclass(frozen=True)
class Fixed:
    """Always wants the same."""

    target: float = 1.0
    name: str = "fixed"
    warmup: int = 1

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full_like(closes, self.target)


@dataclass(frozen=True)
class Leaver:
    """Holds all it may until the price is 5 % below its highest, then leaves."""

    name: str = "leaver"
    warmup: int = 1

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        falls = closes / np.maximum.accumulate(closes, axis=-1)
        return np.where(np.minimum.accumulate(falls, axis=-1) > 0.95, 1.0, 0.0)


class Grudging:
    """A book of `sell` only, that takes a tenth of every order at 1 % below the middle."""

    def sell(
        self, quantity: float, *, mid: float, spread_bps: float, depth: float
    ) -> tuple[float, float]:
        return quantity / 10, mid * 0.99


@pytest.fixture(scope="module")
def bars() -> list[Bars]:
    return [
        synthetic_bars(name, SyntheticMarket(price), timeframe="1h", bars=400, seed=3)
        for name, price in (("BTC/USDT", 60_000.0), ("ETH/USDT", 3_000.0))
    ]


def lab(bars: list[Bars], *scenarios: StressScenario, strategy=None, fills=None, profiles=None,
        **changes):  # fmt: skip
    return run_lab(
        bars, [(strategy or Fixed(), 1.0)], profiles or [shipped_profile("aggressive")],
        settings=LabSettings(**{"paths": 100, "stress_paths": 100, "horizon_days": 2, **changes}),
        fills=fills, book=StressBook(scenarios, (), ()), reverse=False,
    )  # fmt: skip


def books(fills=None, *, depth: float = DEEP, spread_bps: float = 2.0) -> StressBooks:
    return StressBooks(
        fills or LinearBook(0.0), np.full(2, depth), spread_bps, 100_000.0, commission_bps=10.0
    )


def stressed_run(wanted, prices, limits, scenario, book, onsets):
    """Trade on prices that the scenario is laid over, by the functions the lab uses."""
    factors = scenario.price_factors()
    world = stressed_prices(prices, onsets, factors, 1)
    starts, gains = world[:, :, :-1], world[:, :, 1:] / world[:, :, :-1] - 1
    execution = StressedExecution(scenario, book, starts, onsets, len(factors))
    late = delayed(wanted, onsets, len(factors), scenario.latency_bars)
    columns, rows = trade(
        late, gains, limits, cost_bps=11.0, bars_per_day=24, bars_per_year=8760.0,
        grid=np.array([0, wanted.shape[2]]), execute=execution,
    )  # fmt: skip
    return columns, rows, execution.columns(columns.max_drawdown, rows[:, -1])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_prop_a_scenario_that_does_nothing_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = np.exp(np.cumsum(rng.normal(0, 0.02, (2, 5, 61)), axis=2))
    wanted = rng.uniform(-0.4, 0.4, (2, 5, 60)) * (rng.random((2, 5, 60)) < 0.6)
    limits = shipped_profile("aggressive")
    still = STILL.model_copy(update={"severity": 5e-324})
    onsets = rng.integers(0, 40, 5)
    found, rows, _ = stressed_run(wanted, prices, limits, still, books(), onsets)
    calm, calm_rows = trade(
        wanted, prices[:, :, 1:] / prices[:, :, :-1] - 1, limits, cost_bps=11.0, bars_per_day=24,
        bars_per_year=8760.0, grid=np.array([0, 60]),
    )  # fmt: skip
    assert rows == pytest.approx(calm_rows, rel=1e-12)
    assert found.max_drawdown == pytest.approx(calm.max_drawdown, abs=1e-12)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000), depth=st.sampled_from([0.0, 3.0, DEEP]), latency=st.integers(0, 5)
)
def test_prop_parts_add_up_and_no_order_is_filled_beyond_its_book(
    seed: int, depth: float, latency: int
) -> None:
    rng = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (2, 4, 81)), axis=2))
    wanted = rng.uniform(-0.4, 0.4, (2, 4, 80))
    scenario = CRASH.model_copy(update={"latency_bars": latency, "spread_multiplier": 5.0})
    _, _, found = stressed_run(
        wanted, prices, shipped_profile("aggressive"), scenario,
        books(LinearBook(), depth=depth), rng.integers(0, 40, 4),
    )  # fmt: skip
    assert found.market + found.book + found.commission == pytest.approx(found.loss, abs=1e-12)
    assert ((found.left >= 0) & (found.left <= found.ordered)).all()
    assert (found.book >= 0).all()
    if depth == 0.0:
        assert found.left == pytest.approx(found.ordered)
        assert not found.book.any()
        assert not found.commission.any()
    if depth == DEEP:
        assert found.left == pytest.approx(0.0, abs=1e-9)


def test_by_hand_one_holding_one_crash_one_sale() -> None:
    # half of equity is held when the price falls by 40 % at once; then all is wanted sold
    prices = np.ones((1, 1, 31)) * 50.0
    wanted = np.full((1, 1, 30), 0.5)
    wanted[:, :, 11:] = 0.0
    scenario = CRASH.model_copy(
        update={"duration_bars": 1, "spread_multiplier": 100.0, "latency_bars": 2}
    )
    limits = shipped_profile("aggressive")
    _, _, found = stressed_run(wanted, prices, limits, scenario, books(), np.array([10]))
    # the loss stops buying back to half; the sale loses half of 200 bps, commission is 10 bps
    assert found.exposure == pytest.approx(0.5, rel=1e-3)
    assert found.market == pytest.approx(0.2, rel=1e-3)
    assert found.book == pytest.approx(0.3 * 0.01, rel=1e-3)
    assert found.commission == pytest.approx(0.3 * 0.001, rel=1e-3)


def test_orders_arrive_late_and_what_was_on_its_way_before_had_arrived() -> None:
    wanted = np.arange(10.0)[None, None, :]
    late = delayed(wanted, np.array([4]), length=5, latency=3)
    assert late[0, 0].tolist() == [0, 1, 2, 3, 3, 3, 3, 4, 5, 9]
    assert delayed(wanted, np.array([0]), length=4, latency=2)[0, 0, :5].tolist() == [0, 0, 0, 1, 4]


def test_the_scenario_comes_when_something_is_held_and_ends_before_the_horizon() -> None:
    onsets = draw_onsets(1, 0, 5_000, steps=720, length=34, bars_per_day=24)
    assert (onsets.min(), onsets.max()) == (24, 720 - 34)
    assert (draw_onsets(1, 1, 256, steps=24, length=34, bars_per_day=24) == 12).all()
    again = draw_onsets(1, 0, 5_000, steps=720, length=34, bars_per_day=24)
    assert (again == onsets).all()


def test_prices_carry_the_fall_from_the_bar_it_comes_and_keep_what_does_not_recover() -> None:
    factors = np.array([0.9, 0.8, 0.85])
    found = stressed_prices(np.ones((1, 2, 8)), np.array([2, 4]), factors, warmup=1)
    assert found[0].tolist() == [[1, 1, 1, 0.9, 0.8, 0.85, 0.85, 0.85],
                                 [1, 1, 1, 1, 1, 0.9, 0.8, 0.85]]  # fmt: skip


@pytest.mark.parametrize("kind", list(PathKind))
def test_every_model_and_profile_meets_the_scenarios_through_the_book(
    bars: list[Bars], kind: PathKind
) -> None:
    calm = CRASH.model_copy(update={"name": "alone"})
    thin = CRASH.model_copy(update={"name": "thin", "depth_divisor": 1e9})
    dear = CRASH.model_copy(update={"name": "dear", "spread_multiplier": 200.0})
    late = CRASH.model_copy(update={"name": "late", "latency_bars": 3})
    found = lab(
        bars, calm, thin, dear, late, strategy=Leaver(), profiles=shipped_profiles(),
        path_model=kind, stress_paths=100,
    )  # fmt: skip
    for profile in found.profiles:
        by_name = {one.scenario: one for one in profile.stressed}
        alone, parts = by_name["alone"], dict(by_name["alone"].parts)
        # the stop's order slips in a wide book, waits in a thin one, comes late with latency
        assert dict(by_name["dear"].parts)["book"] > 10 * parts["book"] > 0
        assert by_name["thin"].unfilled > 0.9 > alone.unfilled
        assert by_name["thin"].columns.loss.mean() > alone.columns.loss.mean()
        assert by_name["late"].columns.loss.mean() > alone.columns.loss.mean()
        assert alone.columns.loss.mean() > 0
        deepest = profile.paths.columns.max_drawdown
        assert alone.columns.max_drawdown.mean() > deepest.mean()


def test_a_scenario_decides_like_the_undisturbed_paths(bars: list[Bars]) -> None:
    narrow = profile_from(
        {**shipped_profile("aggressive").model_dump(), "max_drawdown": 0.07, "max_daily_loss": 0.06}
    )
    deep = CRASH.model_copy(update={"severity": 0.6})
    found = lab(bars, deep, profiles=[narrow]).profiles[0]
    assert found.stressed[0].gate.verdict is Verdict.FAIL
    assert found.verdict is Verdict.FAIL
    none = lab(bars, deep, profiles=[narrow], stress_paths=0).profiles[0]
    assert none.stressed == ()


def test_scenarios_too_are_added_paths_until_decided(bars: list[Bars]) -> None:
    found = lab(bars, CRASH, STILL, most_paths=1_024).profiles[0]
    for one in found.stressed:
        assert one.gate.method.startswith("beta-binomial")
        assert one.gate.paths == 1_024 or one.gate.verdict is not Verdict.INCONCLUSIVE


def test_a_book_that_answers_order_by_order_will_do(bars: list[Bars]) -> None:
    found = lab(bars, CRASH, strategy=Leaver(), fills=Grudging()).profiles[0].stressed[0]
    assert found.unfilled == pytest.approx(0.9)
    assert dict(found.parts)["book"] > 0


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0, 1e6)), min_size=1, max_size=9))
def test_prop_many_orders_are_filled_as_each_alone(orders: list[tuple[float, float]]) -> None:
    book = LinearBook()
    quantity, depth = np.array(orders).T
    mid, spread = np.full(len(orders), 50.0), np.full(len(orders), 4.0)
    filled, price = sell_each(book, quantity, mid=mid, spread_bps=spread, depth=depth)
    alone = [book.sell(q, mid=50.0, spread_bps=4.0, depth=d) for q, d in orders]
    assert filled == pytest.approx([f for f, _ in alone])
    assert price == pytest.approx([p for _, p in alone])


def test_the_report_states_scenarios_paths_and_what_no_data_covers(bars: list[Bars]) -> None:
    result = run_lab(
        bars, [(Fixed(), 1.0)], shipped_profiles()[:1],
        settings=LabSettings(paths=100, stress_paths=100, horizon_days=2),
    )  # fmt: skip
    report = json.loads(report_json(result, config_sha384="c"))
    assert [s["name"] for s in report["stress_tests"]["scenarios"]] == [
        s.name for s in shipped_scenarios()
    ]
    # synthetic bars replay no day, and 400 hours have no 60 days of factors
    assert len(report["stress_not_covered"]) == 7
    found = report["profiles"][0]["stressed_paths"][0]
    assert found["drawdown_gate"]["paths"] == 100
    assert sum(found["parts_of_mean_loss"].values()) == pytest.approx(found["loss"]["mean"])


def test_a_cluster_that_would_compute_other_bits_is_refused() -> None:
    here = worker_versions()
    _require_same({"tcp://127.0.0.1:1": here})
    for wrong in ({}, {"tcp://127.0.0.1:1": {**here, "numpy": "0.1"}}):
        with pytest.raises(LabProblem) as refused:
            _require_same(wrong)
        assert refused.value.remedy
