"""Factor shocks and reverse stress agree with what can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_risk import (
    BrokenLimit,
    DataProblem,
    FactorModel,
    FactorShock,
    Haircut,
    Holding,
    LabProblem,
    LinearBook,
    SyntheticMarket,
    apply_shock,
    fit_factors,
    market_factors,
    mildest_scenario,
    reverse_stress,
    run_stress,
    shipped_profile,
    shipped_scenarios,
    synthetic_bars,
)
from oem_risk.stress.shock import shocked, shocked_many

FREE = Haircut(coefficient=0.0)
PROFILE = shipped_profile("balanced")


def model(betas: list[list[float]], covariance: list[list[float]]) -> FactorModel:
    count = len(betas)
    factors = tuple(f"f{i}" for i in range(len(covariance)))
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(np.array(covariance))
    return FactorModel(
        factors=factors,
        symbols=tuple("XYZ"[:count]),
        betas=np.array(betas),
        covariance=np.array(covariance),
        residual=np.zeros(count),
        volatility=np.full(count, 0.04),
        observations=500,
        history=rng.standard_normal((500, len(covariance))) @ root.T,
    )


def holding(symbol: str = "X", notional: float = 50_000.0, spread_bps: float = 0.0) -> Holding:
    return Holding(symbol, notional, daily_notional=1e9, spread_bps=spread_bps)


def test_betas_are_found_again() -> None:
    rng = np.random.default_rng(7)
    market, alt = rng.normal(0, 0.03, 4_000), rng.normal(0, 0.02, 4_000)
    asset = 1.3 * market + 0.7 * alt + rng.normal(0, 0.01, 4_000)
    fitted = fit_factors({"market": market, "alt": alt}, {"X/USDT": asset})
    assert fitted.betas[0] == pytest.approx([1.3, 0.7], abs=0.03)
    assert fitted.residual[0] == pytest.approx(0.01, rel=0.05)
    assert math.sqrt(fitted.covariance[0, 0]) == pytest.approx(0.03, rel=0.05)


def test_the_market_leader_has_a_beta_of_one() -> None:
    series = [
        synthetic_bars(name, SyntheticMarket(100.0), timeframe="1h", bars=24 * 100, seed=seed)
        for seed, name in enumerate(("A/USDT", "B/USDT", "C/USDT"))
    ]
    fitted = market_factors(series)
    assert fitted.factors == ("market", "alt")
    assert fitted.observations == 99
    assert fitted.betas[0] == pytest.approx([1.0, 0.0], abs=1e-9)
    assert fitted.betas[1:, 1].mean() == pytest.approx(1.0)
    assert market_factors(series[:1]).factors == ("market",)


def test_columns_that_cannot_be_fitted_are_refused() -> None:
    good = np.random.default_rng(1).normal(0, 1, 80)
    for factors, returns, words in (
        ({}, {"X": good}, "no factor"),
        ({"f": good[:50]}, {"X": good[:50]}, "60"),
        ({"f": good}, {"X": good[:70]}, "days"),
        ({"f": good, "g": 2 * good}, {"X": good}, "combination"),
        ({"f": np.ones(80)}, {"X": good}, "constant"),
        ({"f": good}, {"X": np.r_[np.nan, good[1:]]}, "nan"),
    ):
        with pytest.raises(DataProblem, match=words):
            fit_factors(factors, returns)
    with pytest.raises(DataProblem, match="no bars"):
        market_factors([])


def test_a_shock_is_priced_by_hand() -> None:
    shock = FactorShock(
        name="s", title="t", shocks={"f0": -0.2}, spread_multiplier=5, depth_divisor=4
    )
    world = model([[1.5]], [[9e-4]])
    held = Holding("X", 50_000.0, daily_notional=1e8, spread_bps=2.0)
    result = apply_shock(shock, [held], world, equity=100_000.0)
    value = 50_000 * 0.8**1.5
    (position,) = result.positions
    assert position.price_loss == pytest.approx(50_000 - value)
    assert position.spread_cost == pytest.approx(value * 2e-4 * 5 / 2)
    assert position.impact_cost == pytest.approx(value * 0.04 * math.sqrt(value / 2.5e7))
    assert position.days_to_exit == pytest.approx(value / 2.5e6)
    assert result.loss == pytest.approx(position.loss / 100_000)
    assert result.leverage == pytest.approx(value / (100_000 - 50_000 + value))


@given(
    move=st.floats(-0.9, 2.0),
    notional=st.floats(-1e5, 1e5),
    multiplier=st.floats(1, 50),
    divisor=st.floats(1, 50),
)
def test_prop_a_thinner_market_never_costs_less(
    move: float, notional: float, multiplier: float, divisor: float
) -> None:
    world = model([[1.0]], [[9e-4]])
    held = [replace(holding(spread_bps=3.0), notional=notional)]
    shock = FactorShock(name="s", title="t", shocks={"f0": move})
    thin = shock.model_copy(update={"spread_multiplier": multiplier, "depth_divisor": divisor})
    usual = apply_shock(shock, held, world, equity=1e6)
    assert apply_shock(thin, held, world, equity=1e6).loss >= usual.loss - 1e-15
    mirrored = [replace(held[0], notional=-notional)]
    other = apply_shock(shock, mirrored, world, equity=1e6)
    # without costs a short loses what a long gains
    assert usual.positions[0].price_loss == pytest.approx(-other.positions[0].price_loss)


def test_a_shock_that_does_not_fit_is_refused() -> None:
    world = model([[1.0]], [[9e-4]])
    shock = FactorShock(name="s", title="t", shocks={"alt": -0.2})
    with pytest.raises(LabProblem, match="no factor alt"):
        apply_shock(shock, [holding()], world, equity=1e5)
    known = FactorShock(name="s", title="t", shocks={"f0": -0.2})
    with pytest.raises(LabProblem, match="does not know Y"):
        apply_shock(known, [holding("Y")], world, equity=1e5)
    with pytest.raises(LabProblem, match="equity"):
        apply_shock(known, [holding()], world, equity=0.0)
    with pytest.raises(LabProblem, match="daily notional"):
        Holding("X", math.nan, 1e9, 1.0)
    with pytest.raises(LabProblem, match="haircut"):
        Haircut(depth_divisor=0.5)
    with pytest.raises(ValueError, match="above -1"):
        FactorShock(name="s", title="t", shocks={"f0": -1.0})


def test_one_factor_reverse_stress_is_the_inverse_of_the_loss() -> None:
    world = model([[1.2]], [[0.04**2]])
    found = reverse_stress(
        [holding()], world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5, haircut=FREE
    )
    # half of equity must lose 30 %: exp(1.2 f) = 0.7
    move = math.log(0.7) / 1.2
    assert found.moves["f0"] == pytest.approx(math.expm1(move), rel=1e-6)
    assert found.distance == pytest.approx(-move / 0.04, rel=1e-6)
    assert found.result.loss == pytest.approx(0.15, rel=1e-6)


def test_a_small_limit_is_broken_along_the_covariance() -> None:
    covariance = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])
    world = model([[1.0, 0.0], [0.5, 1.0]], covariance.tolist())
    held = [holding("X", 30_000), holding("Y", 40_000)]
    tiny = PROFILE.model_copy(update={"max_daily_loss": 1e-5})
    found = reverse_stress(held, world, tiny, BrokenLimit.DAILY_LOSS, equity=1e5, haircut=FREE)
    # linear: f = -S c L / (c' S c), with c the exposure to each factor (Studer 1999)
    exposure = np.array([0.3 + 0.5 * 0.4, 0.4])
    along = -covariance @ exposure * 1e-5 / (exposure @ covariance @ exposure)
    assert list(found.moves.values()) == pytest.approx(np.expm1(along), rel=1e-3)
    assert found.distance == pytest.approx(
        1e-5 / math.sqrt(exposure @ covariance @ exposure), rel=1e-3
    )


@pytest.mark.no_cover
@settings(max_examples=25)
@given(
    beta=st.floats(0.3, 2.0),
    tilt=st.floats(-1.0, 1.0),
    rho=st.floats(-0.8, 0.8),
    long=st.floats(2e4, 9e4),
    short=st.floats(-9e4, 9e4),
)
def test_prop_nothing_nearer_breaks_the_limit(
    beta: float, tilt: float, rho: float, long: float, short: float
) -> None:
    sigma = 0.04
    cross = rho * sigma * sigma
    world = model([[1.0, 0.0], [beta, tilt]], [[sigma**2, cross], [cross, sigma**2]])
    held = [holding("X", long, 2.0), holding("Y", short, 4.0)]
    found = reverse_stress(held, world, PROFILE, BrokenLimit.DAILY_LOSS, equity=1e5)
    if found.broken_already or not found.reachable:
        return
    assert found.result.loss >= PROFILE.max_daily_loss * (1 - 1e-6)
    # a ring of moves a hundredth nearer breaks nothing
    root = np.linalg.cholesky(world.covariance)
    angles = np.linspace(0, 2 * math.pi, 360, endpoint=False)
    ring = found.distance * 0.99 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    losses, _ = shocked_many(ring @ root.T, held, world, equity=1e5, haircut=Haircut())
    assert losses.max() < PROFILE.max_daily_loss


@given(
    moves=st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    notionals=st.lists(st.floats(-2e5, 2e5), min_size=2, max_size=2),
    spread=st.floats(0, 500),
    divisor=st.floats(1, 1e6),
)
def test_prop_many_moves_at_once_are_each_alone(
    moves: list[float], notionals: list[float], spread: float, divisor: float
) -> None:
    world = model([[1.0, 0.2], [0.7, 1.0]], [[9e-4, 0.0], [0.0, 9e-4]])
    held = [holding(s, n, spread) for s, n in zip("XY", notionals, strict=True)]
    thin = Haircut(spread_multiplier=50.0, depth_divisor=divisor)
    table = np.array([moves, [0.0, 0.0]])
    losses, leverages = shocked_many(table, held, world, equity=1e5, haircut=thin)
    for row, loss, leverage in zip(table, losses, leverages, strict=True):
        alone = shocked("s", row, held, world, equity=1e5, haircut=thin)
        assert loss == pytest.approx(alone.loss, rel=1e-9, abs=1e-12)
        assert leverage == pytest.approx(alone.leverage, rel=1e-9, abs=1e-12)


def test_what_is_broken_already_or_never_is_said() -> None:
    world = model([[1.0]], [[9e-4]])
    double = [holding(notional=150_000.0)]
    already = reverse_stress(double, world, PROFILE, BrokenLimit.LEVERAGE, equity=1e5)
    assert already.broken_already
    assert already.distance == 0
    hedged = [holding("X", 50_000.0), holding("X", -50_000.0)]
    never = reverse_stress(hedged, world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5, haircut=FREE)
    assert not never.reachable
    assert not never.broken_already
    assert never.seen == 0


def test_a_longer_horizon_makes_the_same_loss_more_plausible() -> None:
    world = model([[1.0]], [[9e-4]])
    day = reverse_stress([holding()], world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5)
    month = reverse_stress(
        [holding()], world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5, horizon_days=30.0
    )
    assert month.distance == pytest.approx(day.distance / math.sqrt(30), rel=1e-6)
    assert month.plausibility > day.plausibility
    assert month.seen >= day.seen


def test_reverse_stress_that_cannot_be_run_is_refused() -> None:
    world = model([[1.0]], [[9e-4]])
    with pytest.raises(LabProblem, match="at least one holding"):
        reverse_stress([], world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5)
    with pytest.raises(LabProblem, match="horizon"):
        reverse_stress(
            [holding()], world, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5, horizon_days=0.0
        )
    flat = replace(world, covariance=np.zeros((1, 1)))
    with pytest.raises(LabProblem, match="positive definite"):
        reverse_stress([holding()], flat, PROFILE, BrokenLimit.DRAWDOWN, equity=1e5)


def test_the_mildest_scenario_fails_and_a_milder_one_does_not() -> None:
    flash = shipped_scenarios()[0]
    place = {
        "prices": np.array([60_000.0]),
        "depths": np.array([50.0]),
        "spread_bps": 2.0,
        "equity": 100_000.0,
    }
    closes = synthetic_bars("X/Y", SyntheticMarket(100.0), timeframe="1h", bars=800, seed=2).close
    profile = shipped_profile("conservative")
    found = mildest_scenario(flash, profile, LinearBook(), **place, history=closes)  # type: ignore[arg-type]
    assert found.reachable
    assert found.stretches == 797

    def loss(severity: float) -> float:
        scenario = flash.model_copy(update={"severity": severity})
        return run_stress(scenario, profile, LinearBook(), **place).loss  # type: ignore[arg-type]

    severity = found.scenario.severity
    assert loss(severity) > profile.max_drawdown
    assert loss(severity - 2e-4) <= profile.max_drawdown
    with pytest.raises(LabProblem, match="more than 3 closes"):
        mildest_scenario(flash, profile, LinearBook(), **place, history=closes[:3])  # type: ignore[arg-type]
