"""Every limit of a profile stops an order of the daemon; none is silently inactive."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from oem_daemon.bootstrap import Parts, check_site, compose
from oem_daemon.errors import OrderRefused
from oem_daemon.portfolio import Portfolio, Watermarks
from oem_daemon.recall import WATERMARKS, recall
from oem_exec import Order, OrderIntent, OrderState, Side
from oem_risk import RiskReason, TradingState
from oem_security import Keyring, read_journal
from site_support import MadeSite, make_site

D = Decimal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeSite:
    return make_site(tmp_path_factory.mktemp("limits"), bars=80)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parts(made: MadeSite) -> AsyncIterator[Parts]:
    found = compose(made.site, check_site(made.site), lambda _: None)
    with found.resources:
        await found.router.start()
        found.pipeline.restore()
        yield found
        await found.router.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(parts: Parts) -> Parts:
    """The daemon's parts as they were, with nothing held, lost or paid."""
    pipeline = parts.pipeline
    pipeline.portfolio = Portfolio(D(100_000))
    market = pipeline.market.current()
    pipeline.portfolio.mark({s: bar.close for s, bar in market.items()}, 0)
    return parts


def holds(portfolio: Portfolio, symbol: str, notional: int, volatility: float = 0.1) -> None:
    position = portfolio.position(symbol)
    position.mark = position.mark or D(100)
    portfolio.apply_fill(symbol, D(notional) / position.mark, position.mark, D(0))
    position.volatility = volatility


def lost_today(portfolio: Portfolio) -> None:
    portfolio.cash -= 3_000
    portfolio.peak_equity = portfolio.equity


def fallen(portfolio: Portfolio) -> None:
    portfolio.peak_equity = portfolio.equity / D("0.85")


def paid_today(portfolio: Portfolio) -> None:
    portfolio.apply_slippage(D(1_000))


def levered(portfolio: Portfolio) -> None:
    for name in "ABCD":
        holds(portfolio, f"{name}/USDT", 24_750, 0.01)


def scattered(portfolio: Portfolio) -> None:
    for name in "ABCDEF":
        holds(portfolio, f"{name}/USDT", 100, 0.01)


def stormy(portfolio: Portfolio) -> None:
    holds(portfolio, "ETH/USDT", 20_000, 0.95)
    portfolio.position("BTC/USDT").volatility = 2.0


def unmeasured(portfolio: Portfolio) -> None:
    holds(portfolio, "X/USDT", 19_500, math.nan)  # at 100 % a year against a target of 20 %


def unknown(portfolio: Portfolio) -> None:
    portfolio.cash = D("NaN")


CASES: list[tuple[RiskReason, str, Callable[[Portfolio], None]]] = [
    (RiskReason.ORDER_SIZE, "0.52", lambda _: None),
    (RiskReason.POSITION, "0.2", lambda p: holds(p, "BTC/USDT", 30_000)),
    (RiskReason.LEVERAGE, "0.1", levered),
    (RiskReason.OPEN_POSITIONS, "0.01", scattered),
    (RiskReason.DAILY_LOSS, "0.01", lost_today),
    (RiskReason.DRAWDOWN, "0.01", fallen),
    (RiskReason.COST_BUDGET, "0.01", paid_today),
    (RiskReason.VOLATILITY, "0.1", stormy),
    (RiskReason.VOLATILITY, "0.02", unmeasured),
    (RiskReason.NOT_A_NUMBER, "0.01", unknown),
    (RiskReason.NO_EQUITY, "0.01", lambda p: setattr(p, "cash", D(-1))),
]


async def send(parts: Parts, name: str, quantity: str, side: Side = Side.BUY) -> Order:
    intent = OrderIntent(name, "BTC/USDT", side, D(quantity), strategy="operator")
    return await parts.pipeline.operator_order(intent, caller="alice", reason="test")


@pytest.mark.parametrize(
    ("reason", "quantity", "arrange"),
    CASES,
    ids=[f"{c[0]}-{c[2].__name__.strip('<>')}" for c in CASES],
)
async def test_the_daemon_refuses_an_order_for(
    fresh: Parts, reason: RiskReason, quantity: str, arrange: Callable[[Portfolio], None]
) -> None:
    arrange(fresh.pipeline.portfolio)
    before = len(fresh.router.orders())
    with pytest.raises(OrderRefused) as caught:
        await send(fresh, f"refused-{reason}", quantity)
    assert reason.value in caught.value.what.replace(",", "").split()
    assert len(fresh.router.orders()) == before


async def test_the_daemon_refuses_an_order_that_costs_too_much(fresh: Parts) -> None:
    gate = fresh.pipeline.gate
    engine, cheap = gate.engine, gate.engine.profile.model_copy(update={"max_cost_bps": 5.0})
    gate.engine = type(engine)(cheap)
    try:
        with pytest.raises(OrderRefused, match=r"refuses the order: cost$|: cost "):
            await send(fresh, "refused-cost", "0.01")
    finally:
        gate.engine = engine


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
async def test_the_daemon_refuses_an_order_while_the_switch_stands_at(
    fresh: Parts, state: TradingState
) -> None:
    gate = fresh.pipeline.gate
    engine = gate.engine
    gate.engine = type(engine)(engine.profile, state)
    named = {"halted": "halted", "reducing": "reducing_only"}[state.value]
    try:
        with pytest.raises(OrderRefused, match=named):
            await send(fresh, f"refused-{state.value}", "0.01")
    finally:
        gate.engine = engine


async def test_within_every_limit_an_order_passes_and_a_reducing_one_always(fresh: Parts) -> None:
    portfolio = fresh.pipeline.portfolio
    assert (await send(fresh, "allowed-1", "0.02")).state is OrderState.FILLED
    assert portfolio.cost_today > portfolio.fees_paid > 0  # the spread counts as cost too
    lost_today(portfolio)
    fallen(portfolio)
    paid_today(portfolio)
    portfolio.position("BTC/USDT").volatility = math.nan
    assert (await send(fresh, "allowed-2", "0.02", Side.SELL)).state is OrderState.FILLED


async def test_what_the_limits_stand_at_is_shown_for_each(fresh: Parts) -> None:
    paid_today(fresh.pipeline.portfolio)
    fresh.pipeline.portfolio.cash -= 1_000
    shown = {
        name: value for name, value, *_ in fresh.pipeline.gate.limits(fresh.pipeline.portfolio)
    }
    assert set(shown) == {
        "position", "leverage", "daily_loss", "drawdown", "open_positions", "cost_budget",
        "volatility",
    }  # fmt: skip
    assert shown["cost_budget"] == pytest.approx(1_000 / 99_000)
    assert shown["daily_loss"] == pytest.approx(0.01)  # of what the day began with


async def test_a_restart_measures_losses_from_where_they_were_measured(tmp_path: Path) -> None:
    site = make_site(tmp_path, bars=120).site
    first = compose(site, check_site(site), lambda _: None)
    with first.resources:
        await first.router.start()
        first.pipeline.restore()
        first.pipeline.portfolio.peak_equity = D(150_000)
        for _ in range(12):
            await first.pipeline.run_cycle()
        marks = first.pipeline.portfolio.watermarks
        spent = first.pipeline.portfolio.cost_today
        await first.router.stop()
    assert marks.peak_equity == 150_000
    again = compose(site, check_site(site), lambda _: None)
    with again.resources:
        ask = partial(recall, site.decision_log("paper"), again.checked.keyring)
        assert ask(()).watermarks == marks
        await again.router.start()
        again.pipeline.restore(ask)
        portfolio = again.pipeline.portfolio
        assert portfolio.watermarks == marks
        assert portfolio.cost_today == spent
        assert portfolio.drawdown > D("0.3")
        await again.pipeline.run_cycle()
        assert again.pipeline.gate.engine.state is TradingState.REDUCING
        await again.router.stop()
    records = read_journal(site.decision_log("paper"), Keyring.open(site.keys), [WATERMARKS])
    written = [Watermarks.from_record(record.body) for record in records]
    assert sum(a == b for a, b in pairwise(written)) == 1  # the restart's own
    assert written[-1].day >= marks.day
