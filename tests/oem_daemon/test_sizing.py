"""What Paper Labs judged is what trades: the same bars give the same orders in lab and daemon."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from oem_daemon import translate
from oem_daemon.replay import BarSeries, MarketFeed
from oem_daemon.scheduler import MultiStrategyScheduler, Slot
from oem_daemon.strategies import MeanReversion, Strategy, Trend
from oem_exec import Instrument, Side
from oem_risk import order_parts, shipped_profile, sized_exposure
from oem_risk.lab.plan import Market, Plan
from oem_risk.lab.simulate import strategy_targets
from oem_risk.lab.trade import trade

D = Decimal
HOUR_NS = 3_600 * 10**9
SYMBOLS = ("BTC/USDT", "ETH/USDT")
SHARES: list[tuple[Strategy, float]] = [(Trend(4, 12), 0.6), (MeanReversion(8, 0.5), 0.4)]
EQUITY = D(100_000)
BARS = 160


def closes(volatility: float) -> np.ndarray:
    """Two symbols' closes, shape (symbols, bars)."""
    moves = np.random.default_rng(3).normal(0.0, volatility, (2, BARS))
    return np.array([[60_000.0], [2_500.0]]) * np.exp(np.cumsum(moves, axis=1))


def feed_of(prices: np.ndarray) -> MarketFeed:
    opens = 1_700_000_000 * 10**9 // HOUR_NS * HOUR_NS + np.arange(BARS) * HOUR_NS
    volume = np.full(BARS, 100.0)
    return MarketFeed(
        {
            name: BarSeries(name, opens, HOUR_NS, row, row, row, row, volume, "test", True)
            for name, row in zip(SYMBOLS, prices, strict=True)
        },
        warmup=BARS - 1,
    )


def scheduler_of(profile: str, band: float = 0.0) -> MultiStrategyScheduler:
    instruments = {
        name: Instrument(name, *name.split("/"), D("0.01"), D("0.0000001")) for name in SYMBOLS
    }
    slots = [Slot(strategy, share) for strategy, share in SHARES]
    return MultiStrategyScheduler(slots, instruments, shipped_profile(profile), band=band)


def daemons_orders(
    prices: np.ndarray, profile: str, held: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Return what the daemon trades after the last bar, shares of equity, shape (symbols,)."""
    feed, scheduler = feed_of(prices), scheduler_of(profile)
    bars = feed.advance()
    names = [strategy.name for strategy, _ in SHARES]
    for symbol, share in zip(SYMBOLS, held, strict=True):
        for name, part in zip(names, (0.25, 0.75), strict=True):
            units = D(str(share * part)) * EQUITY / bars[symbol].close
            scheduler.book_fill(name, symbol, units)
    volatility = {
        name: translate.sizing_volatility(feed.closes(name, translate.SIZING_BARS), HOUR_NS)
        for name in SYMBOLS
    }
    found = dict.fromkeys(SYMBOLS, 0.0)
    for proposal in scheduler.propose(feed, bars, EQUITY, volatility):
        sign = 1 if proposal.side is Side.BUY else -1
        found[proposal.symbol] += float(sign * proposal.quantity * bars[proposal.symbol].close)
        scheduler.book_fill(proposal.strategy, proposal.symbol, sign * proposal.quantity)
    return np.array(list(found.values())) / float(EQUITY)


def labs_exposure(prices: np.ndarray, profile: str) -> np.ndarray:
    """Return what the lab wants to hold after the last bar, shares of equity, shape (symbols,)."""
    market = Market(SYMBOLS, np.diff(np.log(prices)), prices[:, -1], 24, 365 * 24.0)
    plan = Plan(None, tuple(SHARES), 1, 1, BARS - 12, 0.0, 0.0, 0)  # type: ignore[arg-type]
    # the lab's step t trades on the closes before it: one more bar lets it see the last close
    seen = np.concatenate([prices, prices[:, -1:]], axis=1)[:, None, :]
    wanted = strategy_targets(plan, seen[:, :, -(plan.warmup + plan.steps) :])
    return sized_exposure(wanted, market.volatility, shipped_profile(profile))[:, 0, -1]


@pytest.mark.parametrize("profile", ["conservative", "balanced", "aggressive", "manual"])
@pytest.mark.parametrize("volatility", [0.002, 0.01])
def test_the_daemon_opens_what_the_lab_opens(profile: str, volatility: float) -> None:
    prices = closes(volatility)
    wanted = labs_exposure(prices, profile)
    assert np.abs(wanted).max() > 0.01
    limits = shipped_profile(profile)
    executed: list[np.ndarray] = []

    def fill(
        _bar: int, _held: np.ndarray, orders: np.ndarray, _equity: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        executed.append(orders.copy())
        return orders, np.zeros(1)

    still = np.zeros((2, 1, 1))
    grid = np.array([0, 1])
    trade(
        wanted[:, None, None],
        still,
        limits,
        cost_bps=0.0,
        bars_per_day=24,
        bars_per_year=8_760.0,
        grid=grid,
        execute=fill,
        band=0.1,
    )
    np.testing.assert_allclose(daemons_orders(prices, profile), executed[0][:, 0], rtol=2.1e-3)


@pytest.mark.parametrize("held", [(0.02, 0.3), (0.3, 0.01), (-0.05, 0.2)])
def test_the_daemon_goes_on_from_a_holding_as_the_lab_does(held: tuple[float, float]) -> None:
    prices, profile = closes(0.01), shipped_profile("balanced")
    reduced, added = order_parts(labs_exposure(prices, "balanced"), held, profile)
    expected = reduced + 0.998 * added - np.array(held)
    found = daemons_orders(prices, "balanced", held)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_nothing_changes_within_the_band_and_everything_is_given_up_without_equity() -> None:
    prices = closes(0.01)
    wanted = labs_exposure(prices, "balanced")
    feed, scheduler = feed_of(prices), scheduler_of("balanced", band=0.1)
    bars = feed.advance()
    volatility = {
        name: translate.sizing_volatility(feed.closes(name, translate.SIZING_BARS), HOUR_NS)
        for name in SYMBOLS
    }
    for symbol, share in zip(SYMBOLS, wanted, strict=True):
        units = D(str(0.95 * share)) * EQUITY / bars[symbol].close
        scheduler.book_fill("trend", symbol, units)
    assert list(scheduler.propose(feed, bars, EQUITY, volatility)) == []
    ruined = list(scheduler.propose(feed, bars, D(0), volatility))
    assert {proposal.symbol for proposal in ruined} == {
        s for s, share in zip(SYMBOLS, wanted, strict=True) if share
    }
    assert all(proposal.reduces for proposal in ruined)


def test_opposite_wishes_are_not_traded_against_each_other() -> None:
    feed, scheduler = feed_of(closes(0.01)), scheduler_of("balanced")
    own = np.array([[0.1, 0.0], [0.0, 0.0]])
    targets = np.array([[0.0, 0.0], [1.0, 0.0]])
    volatility = np.array([2.0, 2.0])  # sized to 0.1 by the volatility target
    assert np.abs(scheduler._changes(targets, own, volatility)).max() < 1e-12
    assert feed.cycles_left == 1
