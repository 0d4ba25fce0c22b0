"""Published numbers of impact models and optimal execution."""

from __future__ import annotations

import math

import pytest

from oem_tco import AlmgrenChriss, AlmgrenImpact

# Almgren, Chriss 2000, section 3: S0 = 50, X = 10^6, T = 5 days in 5 intervals, annual volatility
# 30 % (0.95 a day), bid-ask 1/8 (epsilon = 0.0625), gamma = 2.5e-7, eta = 2.5e-6.
MARKET = AlmgrenChriss(volatility=0.95, permanent=2.5e-7, temporary=2.5e-6, fixed=0.0625)


def test_almgren_chriss_risk_neutral_seller_trades_evenly() -> None:
    plan = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=0)
    assert plan.trades == pytest.approx([200_000] * 5)
    assert plan.expected_cost == pytest.approx(662_500, abs=0.5)
    assert plan.variance == pytest.approx(1.083e12, rel=1e-12)
    assert plan.kappa == 0
    assert plan.half_life == math.inf


def test_almgren_chriss_risk_averse_seller() -> None:
    plan = MARKET.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-6)
    assert plan.kappa == pytest.approx(0.60708, abs=5e-6)
    assert [round(x) for x in plan.holdings] == [1_000_000, 541_956, 289_854, 147_897, 62_142, 0]
    assert round(plan.expected_cost) == 911_227
    assert plan.variance == pytest.approx(3.64129e11, rel=2e-6)


# Almgren, Thum, Hauptmann, Li 2005, table 3: 10 % of the day's volume of two shares.
@pytest.mark.parametrize(
    ("volume", "shares", "sigma", "i_bps", "speeds"),
    [
        (6_561_000.0, 1_728e6, 0.0157, 19.86, {0.1: (22, 32), 0.2: (15, 25), 0.5: (8, 18)}),  # IBM
        (1_929_000.0, 168e6, 0.0226, 21.68, {0.1: (32, 43), 0.2: (21, 32), 0.5: (12, 23)}),  # DRI
    ],
)
def test_almgren_2005(
    volume: float, shares: float, sigma: float, i_bps: float, speeds: dict[float, tuple[int, int]]
) -> None:
    model, size = AlmgrenImpact(), 0.1 * volume
    permanent = model.permanent_impact(size, volume, sigma, shares) * 1e4
    assert permanent == pytest.approx(i_bps, abs=0.005)  # printed: 20 and 22
    for days, (k_bps, j_bps) in speeds.items():
        assert round(model.temporary_impact(size, volume, sigma, days) * 1e4) == k_bps
        assert round(model.realised_impact(size, volume, sigma, days, shares) * 1e4) == j_bps
        sold = model.realised_impact(-size, volume, sigma, days, shares) * 1e4
        assert round(sold) == -j_bps
