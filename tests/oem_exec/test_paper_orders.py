"""Every order type and time in force on the paper venue, through the router."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from exec_support import BTC, ManualClock, make_router
from oem_exec import (
    Instrument,
    InstrumentKind,
    LiveExecutionRouter,
    LogNormalLatency,
    Order,
    OrderIntent,
    OrderState,
    OrderType,
    PaperSettings,
    PaperVenue,
    Side,
    TimeInForce,
)

D = Decimal
NS = 1_700_000_000_000_000_000
PERP = replace(BTC, symbol="BTC/USDT:USDT", kind=InstrumentKind.LINEAR_PERPETUAL)


class Market:
    def __init__(self, router: LiveExecutionRouter, venue: PaperVenue, clock: ManualClock) -> None:
        self.router = router
        self.venue = venue
        self.clock = clock
        self.count = 0

    def book(self, bid: str, ask: str, size: str = "1") -> None:
        self.venue.feed_quote("BTC/USDT", D(bid), D(size), D(ask), D(size), self.clock.now_ns())

    def intent(self, side: Side, quantity: str, **more: object) -> OrderIntent:
        self.count += 1
        values: dict[str, object] = {"symbol": "BTC/USDT", **more}
        return OrderIntent(f"i-{self.count}", side=side, quantity=D(quantity), **values)  # type: ignore[arg-type]


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    clock = ManualClock(NS)
    venue = PaperVenue([BTC, PERP], clock=clock)
    router, store = make_router(tmp_path, [venue])
    async with router:
        made = Market(router, venue, clock)
        made.book("60000", "60010")
        yield made
    store.close()


async def test_ioc_takes_what_is_there_and_ends(market: Market) -> None:
    order = await market.router.submit(
        market.intent(Side.BUY, "3", type=OrderType.LIMIT, price=D("60010"),
                      time_in_force=TimeInForce.IOC)
    )  # fmt: skip
    assert order.state.terminal
    assert order.filled_quantity == 1


async def test_fok_fills_whole_or_not_at_all(market: Market) -> None:
    wanted = {"type": OrderType.LIMIT, "price": D("60010"), "time_in_force": TimeInForce.FOK}
    order = await market.router.submit(market.intent(Side.BUY, "3", **wanted))
    assert order.state.terminal
    assert order.filled_quantity == 0
    order = await market.router.submit(market.intent(Side.BUY, "1", **wanted))
    assert order.state is OrderState.FILLED


async def test_post_only_rests_or_is_refused(market: Market) -> None:
    order = await market.router.submit(
        market.intent(Side.BUY, "1", type=OrderType.POST_ONLY, price=D("60010"))
    )
    assert order.state is OrderState.REJECTED
    order = await market.router.submit(
        market.intent(Side.BUY, "1", type=OrderType.POST_ONLY, price=D("59990"))
    )
    assert order.state is OrderState.OPEN
    market.venue.feed_trade("BTC/USDT", D("59980"), D("2"), Side.SELL, market.clock.now_ns())
    await market.router.poll()
    filled = market.router.order(order.intent_id)
    assert filled.state is OrderState.FILLED
    assert filled.fills[0].liquidity == "maker"
    assert filled.fees[0][1] == D("59990") * BTC.maker_fee


async def test_a_resting_order_waits_for_the_queue_before_it(market: Market) -> None:
    order = await market.router.submit(
        market.intent(Side.BUY, "1", type=OrderType.LIMIT, price=D("60000"))
    )
    market.venue.feed_trade("BTC/USDT", D("60000"), D("0.5"), Side.SELL, market.clock.now_ns())
    await market.router.poll()
    assert market.router.order(order.intent_id).filled_quantity == 0
    market.venue.feed_trade("BTC/USDT", D("60000"), D("1"), Side.SELL, market.clock.now_ns())
    await market.router.poll()
    assert market.router.order(order.intent_id).filled_quantity == D("0.5")


async def test_a_stop_wakes_when_the_price_reaches_it(market: Market) -> None:
    order = await market.router.submit(
        market.intent(Side.SELL, "0.5", type=OrderType.STOP, stop_price=D("59000"))
    )
    assert order.state is OrderState.OPEN
    market.book("58990", "59000")
    market.venue.feed_trade("BTC/USDT", D("58995"), D("0.1"), Side.SELL, market.clock.now_ns())
    await market.router.poll()
    assert market.router.order(order.intent_id).filled_quantity == D("0.5")


async def test_good_till_date_ends_at_its_date(market: Market) -> None:
    order = await market.router.submit(
        market.intent(
            Side.BUY, "1", type=OrderType.LIMIT, price=D("59000"),
            time_in_force=TimeInForce.GTD, expires_ns=NS + 10**12,
        )
    )  # fmt: skip
    assert order.state is OrderState.OPEN
    market.clock.time_ns = NS + 2 * 10**12
    market.book("60000", "60010")
    await market.router.poll()
    assert market.router.order(order.intent_id).state is OrderState.EXPIRED


async def test_amend_and_cancel_of_a_resting_order(market: Market) -> None:
    order = await market.router.submit(
        market.intent(Side.BUY, "1", type=OrderType.LIMIT, price=D("59000"))
    )
    changed = await market.router.amend(order.intent_id, price=D("59500"))
    assert changed.price == D("59500")
    canceled = await market.router.cancel(order.intent_id)
    assert canceled.state is OrderState.CANCELED
    assert (await market.router.cancel(order.intent_id)).state is OrderState.CANCELED


async def test_a_perpetual_pays_funding_on_what_it_holds(market: Market) -> None:
    market.venue.feed_quote(PERP.symbol, D("60000"), D(2), D("60010"), D(2), NS)
    await market.router.submit(market.intent(Side.BUY, "1", symbol=PERP.symbol))
    payments = market.venue.settle_funding(PERP.symbol, D("0.0003"), D("60000"), NS + 1)
    assert len(payments) == 1
    over = await market.router.submit(
        market.intent(Side.SELL, "2", symbol=PERP.symbol, reduce_only=True)
    )
    assert over.filled_quantity <= 1


async def test_the_same_seed_gives_the_same_latencies() -> None:
    async def waits(seed: int) -> list[float]:
        seen: list[float] = []

        async def sleep(seconds: float) -> None:
            seen.append(seconds)

        instrument: Instrument = BTC
        venue = PaperVenue(
            [instrument],
            PaperSettings(seed=seed, latency=LogNormalLatency(0.01, 0.5)),
            sleep=sleep,
        )
        unknown = Order(
            OrderIntent("x", BTC.symbol, Side.BUY, D(1)),
            "c-x",
            "paper",
            0,
            OrderState.OPEN,
            D(1),
            None,
        )
        for _ in range(5):
            await venue.cancel(unknown)
        return seen

    assert await waits(1) == await waits(1)
    assert await waits(1) != await waits(2)
