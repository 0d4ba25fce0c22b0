"""Stop orders over a socket: they wait for their price, or are not taken at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exec_live_support import live
from exec_scripted import order, scripted
from exec_support import BTC, D, make_router
from oem_exec import InvalidOrder, Limit, OrderIntent, OrderState, OrderType, SharedBudgets, Side
from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue
from oem_exec.model.enums import InstrumentKind

SYMBOL = "BTC/USDT"
STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def stop(name: str, side: Side, at: str, price: str | None = None) -> OrderIntent:
    kind = OrderType.STOP if price is None else OrderType.STOP_LIMIT
    limit = None if price is None else D(price)
    return OrderIntent(name, SYMBOL, side, D("0.01"), kind, limit, stop_price=D(at))


@pytest.mark.parametrize("dialect", ["binance", "kraken"])
async def test_a_stop_waits_until_its_price_trades(tmp_path: Path, dialect: str) -> None:
    async with live(dialect) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        try:
            async with router:
                up = await router.submit(stop("up", Side.BUY, "61000", "61500"))
                down = await router.submit(stop("down", Side.SELL, "59000"))
                await router.poll()
                assert [router.order(o.intent_id).state for o in (up, down)] == ["open", "open"]
                assert [o.filled for o in server.exchange.orders.values()] == [0, 0]
                server.exchange.feed_trade(SYMBOL, D(61000), D(1), Side.BUY, 1)
                server.exchange.feed_trade(SYMBOL, D(59000), D(1), Side.SELL, 2)
                await router.poll()
                done = [router.order(o.intent_id) for o in (up, down)]
                assert [o.state for o in done] == [OrderState.FILLED] * 2
        finally:
            store.close()


@pytest.mark.parametrize(("side", "way"), [(Side.BUY, "UP"), (Side.SELL, "DOWN")])
async def test_coinbase_is_told_from_which_side_the_price_comes(side: Side, way: str) -> None:
    async with scripted("coinbase") as (script, venue):
        wanted = order("coinbase")
        intent = stop("s", side, "61000", "61500")
        await venue.place(replace(wanted, intent=intent, price=intent.price))
        ((_, body),) = script.posts
        (config,) = body["order_configuration"].values()
        assert config["stop_direction"] == f"STOP_DIRECTION_STOP_{way}"
        assert (config["stop_price"], config["limit_price"]) == ("61000", "61500")


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        ("okx", InstrumentKind.SPOT),
        ("bybit", InstrumentKind.SPOT),
        ("bybit", InstrumentKind.LINEAR_PERPETUAL),
        ("binance", InstrumentKind.LINEAR_PERPETUAL),
    ],
)
async def test_a_venue_whose_stops_cannot_be_looked_up_takes_none(
    exchange: str, kind: InstrumentKind
) -> None:
    venue = CcxtVenue(CcxtSettings(exchange, kind=kind, base_url="http://127.0.0.1:9"))
    assert not venue.capabilities.order_types & STOPS
    await venue.close()


async def test_the_router_refuses_a_stop_that_its_venue_does_not_take(tmp_path: Path) -> None:
    async with scripted("okx") as (script, venue):
        venue._instruments = {SYMBOL: BTC}
        router, store = make_router(tmp_path, [venue])
        try:
            router._guard.started = True
            with pytest.raises(InvalidOrder, match="does not take stop"):
                await router.submit(stop("s", Side.BUY, "61000"))
            assert script.posts == []
        finally:
            store.close()


async def test_a_blocked_venue_holds_requests_that_cost_nothing_too(tmp_path: Path) -> None:
    now, slept = [0], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += int(seconds * 1e9)

    budgets = SharedBudgets(
        tmp_path, {"kraken": (Limit("counter", 15, 45.0),)},
        monotonic_ns=lambda: now[0], sleep=sleep,
    )  # fmt: skip
    await budgets.acquire("kraken", {})
    assert slept == []
    budgets.block("kraken", 2.5)
    await budgets.acquire("kraken", {}, urgent=True)
    assert sum(slept) == pytest.approx(2.5)
    await budgets.acquire("elsewhere", {})
    budgets.close()
