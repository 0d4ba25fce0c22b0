"""The paper venue keeps an exchange's rules: precision, queues, fees, funding, dates, balances."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_support import BTC, D, ManualClock
from oem_exec import (
    Accepted,
    BadSettings,
    EmpiricalLatency,
    FixedLatency,
    InstrumentKind,
    InvalidOrder,
    LogNormalLatency,
    Order,
    OrderIntent,
    OrderState,
    OrderType,
    PaperSettings,
    PaperVenue,
    RefusalReason,
    Refused,
    Side,
    TimeInForce,
    UnknownSymbol,
    read_recording,
)
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.recording import (
    BarClose,
    BookUpdates,
    FundingSettled,
    Print,
    Recording,
    Touch,
)

SYMBOL, SWAP = "BTC/USDT", "BTC/USDT:USDT"
PERP = replace(BTC, symbol=SWAP, kind=InstrumentKind.LINEAR_PERPETUAL)
NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


class Bench:
    """A paper venue spoken to as the router speaks to it."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(NS)
        self.venue = PaperVenue([BTC, PERP], clock=self.clock, **options)
        self.count = 0
        for symbol in (SYMBOL, SWAP):
            self.book(symbol=symbol)

    def book(
        self, bid: str = "60000", ask: str = "60010", size: str = "1", symbol: str = SYMBOL
    ) -> None:
        self.venue.feed_book(symbol, [(bid, size)], [(ask, size)], self.clock.now_ns())

    def order(self, side: Side, quantity: str, price: str | None = None, **more: Any) -> Order:
        self.count += 1
        kind = more.pop("kind", OrderType.MARKET if price is None else OrderType.LIMIT)
        limit = None if price is None else D(price)
        symbol = more.pop("symbol", SYMBOL)
        intent = OrderIntent(f"o{self.count}", symbol, side, D(quantity), kind, limit, **more)
        return Order(
            intent, intent.client_order_id(0), "paper", 0, OrderState.SUBMITTING,
            intent.quantity, limit,
        )  # fmt: skip

    async def place(self, *args: Any, **more: Any) -> tuple[Order, Any]:
        order = self.order(*args, **more)
        return order, await self.venue.place(order)

    def now(self, order: Order) -> Any:
        (found,) = self.venue.exchange.find("paper", order.client_order_id)
        return found

    @property
    def totals(self) -> dict[str, Decimal]:
        return self.venue.account.totals


def reason(answer: Any) -> RefusalReason | None:
    return answer.reason if isinstance(answer, Refused) else None


async def test_a_dated_order_is_over_before_a_late_trade_can_fill_it() -> None:
    bench = Bench()
    end = NS + 5 * SECOND
    order, _ = await bench.place(
        Side.BUY, "0.01", "59000", time_in_force=TimeInForce.GTD, expires_ns=end
    )
    bench.venue.feed_trade(SYMBOL, "59500", "1", Side.SELL, end - 1)
    assert bench.now(order).state is OrderState.OPEN
    bench.venue.feed_trade(SYMBOL, "58000", "9", Side.SELL, end)
    assert (bench.now(order).state, bench.now(order).filled) == (OrderState.EXPIRED, 0)


async def test_an_amendment_keeps_the_rules_of_a_new_order_and_the_old_one_when_refused() -> None:
    bench = Bench(balances={"USDT": D(1000)})
    order, _ = await bench.place(Side.BUY, "0.01", "59000", kind=OrderType.POST_ONLY)
    held = bench.venue.account.available("USDT")
    for quantity, price, why in (
        ("0.01", "60010", RefusalReason.WOULD_TAKE),
        ("0.01", "59000.001", RefusalReason.INVALID),
        ("0.010000001", None, RefusalReason.INVALID),
        ("0.00001", None, RefusalReason.INVALID),
        ("0.5", None, RefusalReason.INSUFFICIENT_FUNDS),
        ("NaN", None, RefusalReason.INVALID),
    ):
        wanted = None if price is None else D(price)
        answer = await bench.venue.amend(order, D(quantity), wanted)
        assert reason(answer) is why
        assert (bench.now(order).quantity, bench.now(order).price) == (D("0.01"), D(59000))
        assert bench.venue.account.available("USDT") == held
    assert isinstance(await bench.venue.amend(order, D("0.005"), D("59500")), Accepted)
    assert bench.now(order).price == 59500
    assert bench.venue.account.available("USDT") > held


async def test_less_at_the_same_price_keeps_its_place_in_the_queue_and_more_loses_it() -> None:
    bench = Bench()
    order, _ = await bench.place(Side.BUY, "0.5", "60000")
    bench.venue.feed_trade(SYMBOL, "60000", "0.6", Side.SELL, NS)  # 0.4 of 1 left ahead
    queue = bench.venue.exchange.markets[SYMBOL].book.queue_ahead
    ahead = queue(bench.now(order).order_id)
    assert ahead == 40_000
    await bench.venue.amend(order, D("0.3"), D("60000"))
    assert queue(bench.now(order).order_id) == 40_000
    await bench.venue.amend(order, D("0.4"), D("60000"))
    assert queue(bench.now(order).order_id) == 100_000
    bench.venue.feed_trade(SYMBOL, "60000", "1.1", Side.SELL, NS)
    assert bench.now(order).filled == D("0.1")


async def test_a_stop_that_closes_the_position_ends_the_stops_beside_it() -> None:
    bench = Bench()
    await bench.place(Side.BUY, "0.3", symbol=SWAP)
    stop = {"kind": OrderType.STOP, "stop_price": D("59900"), "symbol": SWAP, "reduce_only": True}
    first, second = [(await bench.place(Side.SELL, "0.3", **stop))[0] for _ in range(2)]
    bench.venue.feed_trade(SWAP, "59900", "0.1", Side.SELL, NS)
    assert bench.now(first).state is OrderState.FILLED
    assert bench.now(second).state is OrderState.CANCELED
    assert not bench.venue.account.positions.get(SWAP, (0, 0))[0]


async def test_reduce_only_orders_never_turn_a_position_round() -> None:
    bench = Bench()
    await bench.place(Side.BUY, "0.3", symbol=SWAP)
    orders = [
        (await bench.place(Side.SELL, "0.2", price, symbol=SWAP, reduce_only=True))[0]
        for price in ("60100", "60200", "60300")
    ]
    _, refused = await bench.place(Side.SELL, "0.4", "60100", symbol=SWAP, reduce_only=True)
    assert reason(refused) is RefusalReason.INVALID
    bench.book("60400", "60410", symbol=SWAP, size="5")
    assert bench.venue.account.positions[SWAP][0] == 0
    states = [(bench.now(o).state, bench.now(o).filled) for o in orders]
    assert sum(filled for _, filled in states) == D("0.3")
    assert all(not state.open for state, _ in states)


async def test_fees_of_maker_and_taker_in_the_asset_that_the_venue_takes() -> None:
    quote, base = Bench(), Bench(settings=PaperSettings(fees_in_received=True))
    for bench, asset in ((quote, "USDT"), (base, "BTC")):
        taker, _ = await bench.place(Side.BUY, "0.1")
        maker, _ = await bench.place(Side.BUY, "0.1", "59000")
        bench.venue.feed_trade(SYMBOL, "58999", "1", Side.SELL, NS)
        for order, rate, price in ((taker, D("0.001"), 60010), (maker, D("0.0008"), 59000)):
            (fill,) = bench.now(order).fills
            paid = fill.quantity * rate if asset == "BTC" else fill.quantity * price * rate
            assert (fill.fee, fill.fee_asset) == (paid, asset)
        sold, _ = await bench.place(Side.SELL, "0.1")
        assert bench.now(sold).fills[0].fee_asset == "USDT"
    assert base.totals["BTC"] == D("0.1") * (2 - D("0.0018")) - D("0.1")
    swap, _ = await base.place(Side.BUY, "0.1", symbol=SWAP)
    assert base.now(swap).fills[0].fee_asset == "USDT"


async def test_a_stop_is_judged_by_the_balance_at_its_place_and_when_it_wakes() -> None:
    bench = Bench(balances={"USDT": D(620)})
    _, dear = await bench.place(Side.BUY, "0.02", kind=OrderType.STOP, stop_price=D(61000))
    assert reason(dear) is RefusalReason.INSUFFICIENT_FUNDS
    stop, taken = await bench.place(Side.BUY, "0.01", kind=OrderType.STOP, stop_price=D(61000))
    assert isinstance(taken, Accepted)
    bench.book("65000", "65010")
    bench.venue.feed_trade(SYMBOL, "65000", "1", Side.BUY, NS)
    assert (bench.now(stop).state, bench.now(stop).filled) == (OrderState.EXPIRED, 0)
    assert bench.totals == {"USDT": D(620)}
    assert bench.venue.account.available("USDT") == 620


@pytest.mark.parametrize(
    "feed",
    [
        lambda v: v.feed_quote(SYMBOL, "NaN", 1, 2, 1, NS),
        lambda v: v.feed_quote(SYMBOL, 0, 1, 2, 1, NS),
        lambda v: v.feed_quote(SYMBOL, 1, -1, 2, 1, NS),
        lambda v: v.feed_book(SYMBOL, [("dear", 1)], [], NS),
        lambda v: v.feed_trade(SYMBOL, -1, 1, Side.BUY, NS),
        lambda v: v.feed_trade(SYMBOL, 1, 0, Side.BUY, NS),
        lambda v: v.feed_bar(SYMBOL, 1, 2, 3, 1, 1, NS),
        lambda v: v.feed_bar(SYMBOL, 1, 2, 1, 1, -1, NS),
        lambda v: v.feed_bar(SYMBOL, 1, float("inf"), 1, 1, 1, NS),
        lambda v: v.settle_funding(SWAP, "NaN", 1, NS),
    ],
)
def test_a_feed_of_nonsense_is_a_typed_error(feed: Any) -> None:
    bench = Bench()
    with pytest.raises(BadSettings) as found:
        feed(bench.venue)
    assert found.value.remedy
    with pytest.raises(UnknownSymbol):
        bench.venue.feed_trade("ETH/USDT", 1, 1, Side.BUY, NS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedLatency(-1.0),
        lambda: FixedLatency(float("nan")),
        lambda: LogNormalLatency(0.0),
        lambda: LogNormalLatency(0.1, -1.0),
        lambda: EmpiricalLatency(()),
        lambda: EmpiricalLatency((0.1, float("inf"))),
    ],
)
def test_an_impossible_latency_is_refused(make: Any) -> None:
    with pytest.raises(BadSettings):
        make()


async def test_latencies_follow_their_distribution_and_seed() -> None:
    async def drawn(latency: Any, seed: int) -> list[float]:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        bench = Bench(settings=PaperSettings(seed=seed, latency=latency), sleep=sleep)
        for _ in range(200):
            await bench.place(Side.BUY, "0.001", "59000")
        return waits

    normal = LogNormalLatency(0.05, 0.4)
    first, again, other = await asyncio.gather(drawn(normal, 1), drawn(normal, 1), drawn(normal, 2))
    assert first == again
    assert first != other
    assert sorted(first)[100] == pytest.approx(0.05, rel=0.15)
    measured = await drawn(EmpiricalLatency((0.01, 0.02)), 1)
    assert set(measured) == {0.01, 0.02}


# recorded feeds


def test_each_kind_of_recording_moves_the_market() -> None:
    bench = Bench()

    def play(*events: Any, symbol: Any = BTC) -> None:
        bench.venue.replay(Recording(symbol, events))

    async def go() -> None:
        low, _ = await bench.place(Side.BUY, "0.1", "59000")
        high, _ = await bench.place(Side.BUY, "0.1", kind=OrderType.STOP, stop_price=D(61000))
        play(Touch(NS, 5_900_500, 9, 5_901_000, 9))
        assert bench.now(low).state is OrderState.OPEN
        play(Touch(NS + 1, 5_899_000, 9, 5_899_500, 5 * 10**6))
        assert bench.now(low).state is OrderState.FILLED
        # no trade is recorded: the ask that rises to the stop wakes it
        play(Touch(NS + 2, 6_099_000, 9, 6_099_500, 10**6))
        assert bench.now(high).state is OrderState.OPEN
        play(Touch(NS + 3, 6_100_000, 9, 6_100_500, 10**6))
        assert bench.now(high).state is OrderState.FILLED
        await bench.place(Side.BUY, "1", symbol=SWAP)
        before = bench.totals["USDT"]
        play(FundingSettled(NS + 4, D("0.0001"), D(60000)), symbol=PERP)
        assert bench.totals["USDT"] == before - 6
        play(Print(NS + 5, 5_000_000, 100_000, Side.SELL))
        book = await bench.venue.book(SYMBOL)
        assert abs(book.bids[0][0] - 50_000) < 20  # type: ignore[union-attr]
        candles = read_candle(NS + 6, "70000")
        play(BarClose(NS + 6, candles))
        assert (await bench.venue.ticker(SYMBOL)).last == 70_000  # type: ignore[union-attr]
        updates = BookUpdates(NS + 7, True, (True, False), (100, 200), (5, 5))
        play(updates, BookUpdates(NS + 8, False, (True,), (100,), (0,)))
        book = await bench.venue.book(SYMBOL)
        assert (list(book.bids), book.asks[0][0]) == ([], 2)  # type: ignore[union-attr]

    asyncio.run(go())
    with pytest.raises(UnknownSymbol):
        bench.venue.replay(Recording(replace(BTC, symbol="X/Y"), (Print(1, 1, 1, Side.BUY),)))


def read_candle(time_ns: int, close: str) -> Any:
    from oem_exec import Candle

    price = D(close)
    return Candle(time_ns - 60 * SECOND, price, price, price, price, D(5))


async def session(recording: Recording, seed: int) -> tuple[list[Any], dict[str, Decimal]]:
    """Trade a recorded market by dice and return every fill and the balances."""
    bench, rng = Bench(), Random(seed)
    player = bench.venue.replayer(recording)
    for number, event in enumerate(recording.events):
        bench.clock.time_ns = event.time_ns
        player.play(event)
        if number % 5 == 0 and (touch := await bench.venue.book(SYMBOL, 1)) and touch.bids:  # type: ignore[union-attr]
            side = rng.choice(list(Side))
            price = None if rng.random() < 0.3 else str(touch.bids[0][0])  # type: ignore[union-attr]
            await bench.place(side, "0.01", price)
    orders = bench.venue.exchange.orders.values()
    return [fill.as_json() for order in orders for fill in order.fills], bench.totals


async def test_a_session_on_a_recorded_market_repeats_itself(
    tmp_path: Path, shared_data: Path
) -> None:
    import pyarrow.parquet as pq

    for name, rows in (("books", 6_000), ("trades", 160)):
        table = pq.read_table(shared_data / name / "binance_BTCUSDT.parquet")
        pq.write_table(table.slice(0, rows), tmp_path / name)
    recording = read_recording(BTC, books=tmp_path / "books", trades=tmp_path / "trades")
    first, again, other = [await session(recording, seed) for seed in (1, 1, 2)]
    assert first == again
    assert first != other
    makers = [fill for fill in first[0] if fill["liquidity"] == "maker"]
    assert len(first[0]) > len(makers) > 3, "passive orders reached the front of their queues"


# invariants


ACTION = st.tuples(
    st.sampled_from(["market", "limit", "post_only", "cancel", "amend", "trade", "book", "stop"]),
    st.sampled_from(list(Side)),
    st.integers(1, 400),
    st.integers(-60, 60),
)


@given(st.lists(ACTION, min_size=1, max_size=40))
def test_prop_nothing_is_made_or_lost_and_no_limit_is_broken(actions: list[Any]) -> None:
    bench = Bench(balances={"USDT": D(20_000), "BTC": D("0.5")})
    orders: list[Order] = []

    async def act(what: str, side: Side, size: int, away: int) -> None:
        bench.clock.time_ns += SECOND
        quantity, price = f"{D(size) / 1000}", f"{60_000 + away}"
        if what == "trade":
            bench.venue.feed_trade(SYMBOL, price, quantity, side, bench.clock.time_ns)
        elif what == "book":
            bench.book(price, f"{60_010 + away}", quantity)
        elif what in {"cancel", "amend"}:
            if orders:
                order = orders[size % len(orders)]
                if what == "cancel":
                    await bench.venue.cancel(order)
                else:
                    await bench.venue.amend(order, D(quantity), D(price) if order.price else None)
        elif what == "stop":
            orders.append(
                (await bench.place(side, quantity, kind=OrderType.STOP, stop_price=D(price)))[0]
            )
        else:
            kind = OrderType(what)
            limit = None if kind is OrderType.MARKET else price
            orders.append((await bench.place(side, quantity, limit, kind=kind))[0])

    async def run() -> None:
        for action in actions:
            await act(*action)
            check(bench)

    asyncio.run(run())


def check(bench: Bench) -> None:
    account = bench.venue.account
    bought = sold = paid = got = fees = D(0)
    for order in bench.venue.exchange.orders.values():
        assert sum(f.quantity for f in order.fills) == order.filled <= order.quantity
        assert (order.state is OrderState.FILLED) is (order.remaining == 0)
        for fill in order.fills:
            if order.price is not None and len(order.fills) == 1:
                worse = (fill.price - order.price) * order.intent.side.sign
                assert worse <= 0 or order.state.open is False
            fees += fill.fee
            if fill.side is Side.BUY:
                bought, paid = bought + fill.quantity, paid + fill.notional
            else:
                sold, got = sold + fill.quantity, got + fill.notional
    assert account.totals["BTC"] == D("0.5") + bought - sold >= 0
    assert account.totals["USDT"] == 20_000 + got - paid - fees >= 0
    for asset in account.totals:
        assert account.available(asset) >= 0
    held = set(account.reserved)
    assert held <= {o.order_id for o in bench.venue.exchange.orders.values() if o.state.open}


@given(
    st.integers(1, 40),
    st.sampled_from(["0.00001", "0.000005", "0.0001", "0.000015"]),
    st.sampled_from(["59000", "59000.01", "59000.005", "59000.1"]),
)
def test_prop_paper_takes_what_the_live_rules_take_and_nothing_else(
    lots: int, step: str, price: str
) -> None:
    bench = Bench()
    order = bench.order(Side.BUY, str(D(step) * lots), price)
    try:
        BTC.check(order.intent)
        fits = True
    except InvalidOrder:
        fits = False
    answer = asyncio.run(bench.venue.place(order))
    assert isinstance(answer, Accepted) is fits
    assert fits or reason(answer) is RefusalReason.INVALID


def test_an_id_used_again_is_found_after_its_first_order_was_forgotten() -> None:
    exchange = SimExchange([BTC], clock=ManualClock(NS), name="v", remember=2)
    exchange.account("a").change("USDT", D(100_000))
    for number in range(2):
        intent = OrderIntent(f"o{number}", SYMBOL, Side.BUY, D("0.1"), OrderType.LIMIT, D("50000"))
        order = exchange.place("a", "same", intent)
        if number == 0:
            exchange.cancel(order)
    other = OrderIntent("o2", SYMBOL, Side.BUY, D("0.1"), OrderType.LIMIT, D("50000"))
    exchange.place("a", "other", other)
    assert len(exchange.orders) == 2
    assert exchange.find("a", "same") == [order]
