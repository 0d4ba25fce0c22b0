"""Market intelligence: every figure by hand, one request for many, nothing stale in silence."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from exec_live_support import live
from exec_scripted import scripted
from exec_support import BTC, D, ManualClock, paper
from oem_exec import (
    BadSettings,
    BookSnapshot,
    Capabilities,
    IntelField,
    IntelMetrics,
    IntelSettings,
    Limit,
    MarketIntelAggregator,
    PaperVenue,
    RefusalReason,
    Refused,
    Side,
    StaleMarketData,
    Ticker,
    Unknown,
    UnknownCause,
)
from oem_exec.intel import measures
from oem_exec.venue_server.faults import FaultKind, FaultRule

NS = 1_000_000_000
SYMBOL = "BTC/USDT"
BOOK, TICKER, CANDLES, FUNDING = IntelField


def intel_of(source: object, clock: ManualClock, **more: object) -> MarketIntelAggregator:
    return MarketIntelAggregator([source], {source.name: [SYMBOL]}, clock=clock, **more)  # type: ignore[attr-defined,list-item,arg-type]


class Talker:
    """A source that says what it is told, slowly, and counts how often it was asked."""

    name = "talker"

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked = 0
        self.says: object = None
        self.capabilities = Capabilities("", "", 0.0, 0.0, limits=(Limit("weight", 10, 1.0),))

    async def book(self, symbol: str, depth: int = 20) -> object:
        self.asked += 1
        await asyncio.sleep(0.01)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says or book_at(self.clock.now_ns())

    async def ticker(self, symbol: str) -> Ticker | None:
        return None

    async def candles(self, symbol: str, count: int) -> tuple[()]:
        return ()

    async def funding(self, symbol: str) -> None:
        return None


def book_at(time_ns: int, bid: str = "99", ask: str = "101") -> BookSnapshot:
    return BookSnapshot(SYMBOL, [(D(bid), D(1))], [(D(ask), D(1))], time_ns)


async def test_every_figure_of_a_paper_market() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    venue = PaperVenue([BTC], clock=clock)
    for minute in range(30):
        close = 60_000 + 60 * (minute % 2)
        clock.time_ns += 60 * NS
        venue.feed_bar(SYMBOL, close, close, close, close, 5, clock.time_ns)
    venue.feed_book(SYMBOL, [("59990", "2"), ("59900", "3")], [("60010", "1"), ("60100", "4")], 0)
    reading = await intel_of(venue, clock).refresh("paper", SYMBOL)
    assert reading.mid == 60_000
    assert reading.spread_bps == pytest.approx(20 / 60_000 * 1e4)
    assert reading.depth(Side.BUY, 5) == 1
    assert reading.depth(Side.SELL, 20) == 5
    assert reading.size_cost_bps(Side.BUY, D(2)) == pytest.approx((10 + 100) / 2 / 60_000 * 1e4)
    assert reading.size_cost_bps(Side.BUY, D(6)) is None
    assert reading.volume_24h == 150
    step = 1e4 * math.log(60_060 / 60_000) / math.sqrt(60)
    assert reading.volatility_bps_per_sqrt_s == pytest.approx(step)
    assert reading.stale == frozenset()
    assert reading.not_offered == {FUNDING}
    assert reading.round_trip_s is not None
    shown = reading.as_json((D(2),))
    assert shown["size_cost_bps"]["2"]["buy"] == pytest.approx(110 / 2 / 60_000 * 1e4)  # type: ignore[index]


async def test_old_data_is_marked_and_never_used_in_silence() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    intel = intel_of(paper(clock=clock), clock)
    with pytest.raises(StaleMarketData, match="never read"):
        intel.require("paper", SYMBOL, BOOK)
    reading = await intel.refresh("paper", SYMBOL, [BOOK])
    # the paper book was fed with the time 1 ns: the venue's own time counts, not the arrival
    assert reading.is_stale(BOOK)
    for use in (
        lambda: reading.book,
        lambda: reading.mid,
        lambda: reading.spread_bps,
        lambda: reading.depth(Side.BUY, 10),
        lambda: reading.size_cost_bps(Side.SELL, D(1)),
        lambda: reading.volume_24h,
        lambda: reading.volatility_bps_per_sqrt_s,
        lambda: reading.funding,
    ):
        with pytest.raises(StaleMarketData):
            use()
    assert reading.as_json()["stale"] == ["book", "candles", "funding", "ticker"]
    assert reading.as_json()["bid"] == "60000.00"


async def test_a_book_grows_stale_by_the_clock_and_a_clock_ahead_does_not_make_it_young() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source = Talker(clock)
    intel = intel_of(source, clock)
    source.says = book_at(clock.time_ns + 3600 * NS)
    await intel.refresh("talker", SYMBOL, [BOOK])
    clock.time_ns += 4 * NS
    assert intel.require("talker", SYMBOL, BOOK).mid == 100
    clock.time_ns += 2 * NS
    with pytest.raises(StaleMarketData, match=r"6\.000 s old"):
        intel.require("talker", SYMBOL, BOOK)
    with pytest.raises(StaleMarketData, match="not read at"):
        intel.reading("talker", "ETH/USDT")


BAD_BOOKS: Mapping[str, BookSnapshot] = {
    "empty": BookSnapshot(SYMBOL, [], [], 0),
    "one-sided": BookSnapshot(SYMBOL, [(D(1), D(1))], [], 0),
    "crossed": book_at(0, "102", "101"),
    "locked": book_at(0, "101", "101"),
    "NaN": book_at(0, "99", "NaN"),
    "out of order": BookSnapshot(SYMBOL, [(D(9), D(1)), (D(9), D(1))], [(D(10), D(1))], 0),
    "no size": BookSnapshot(SYMBOL, [(D(9), D(0))], [(D(10), D(1))], 0),
}


@pytest.mark.parametrize("what", BAD_BOOKS)
async def test_an_unusable_book_changes_nothing_and_says_why(what: str) -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source = Talker(clock)
    intel = intel_of(source, clock)
    await intel.refresh("talker", SYMBOL, [BOOK])
    source.says = BAD_BOOKS[what]
    reading = await intel.refresh("talker", SYMBOL, [BOOK])
    assert reading.mid == 100
    assert "crossed" in reading.problems[BOOK]


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        (Unknown(UnknownCause.TIMEOUT, "nothing came"), "nothing came"),
        (Refused(RefusalReason.RATE_LIMITED, "429", 2.0), "429"),
        (RuntimeError("a defect"), "a defect"),
    ],
)
async def test_a_failed_poll_keeps_the_last_answer_and_says_why(says: object, problem: str) -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source = Talker(clock)
    blocked: list[float] = []

    class Budgets:
        async def acquire(self, venue: str, cost: Mapping[str, int], **_: bool) -> None:
            assert cost == {"weight": 1}

        def settle(self, venue: str, cost: Mapping[str, int], took_s: float) -> None:
            assert took_s >= 0

        def block(self, venue: str, seconds: float) -> None:
            blocked.append(seconds)

        def used_share(self, venue: str) -> Mapping[str, float]:
            return {}

    intel = intel_of(source, clock, budgets=Budgets())
    await intel.refresh("talker", SYMBOL, [BOOK])
    source.says = says
    reading = await intel.refresh("talker", SYMBOL, [BOOK])
    assert problem in reading.problems[BOOK]
    assert reading.mid == 100
    assert blocked == ([2.0] if isinstance(says, Refused) else [])


async def test_many_who_ask_at_once_wait_for_one_request() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source = Talker(clock)
    intel = intel_of(source, clock)
    await asyncio.gather(*(intel.refresh("talker", SYMBOL, [BOOK]) for _ in range(20)))
    assert source.asked == 1


async def test_the_polling_goes_on_through_defects_and_a_slow_venue_does_not_hold_others() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source, good = Talker(clock), paper(clock=clock)
    source.says = RuntimeError("a defect")
    quick = dict.fromkeys(IntelField, 0.01)
    intel = MarketIntelAggregator(
        [source, good],
        {"talker": [SYMBOL], "paper": [SYMBOL]},
        IntelSettings(interval_s=quick, request_timeout_s=0.005),
        clock,
    )
    async with intel:
        # the polling is watched from outside
        while source.asked < 5 or intel.reading("paper", SYMBOL).last_book is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    asked = source.asked
    assert "no answer" in intel.reading("talker", SYMBOL).problems[BOOK]
    await asyncio.sleep(0.05)
    assert source.asked == asked, "stopped is stopped"


async def test_metrics_show_no_stale_figure() -> None:
    clock = ManualClock(1_700_000_000 * NS)
    source, registry = Talker(clock), CollectorRegistry()
    intel = intel_of(source, clock, metrics=IntelMetrics(registry))
    await intel.refresh("talker", SYMBOL)
    text = generate_latest(registry).decode()
    assert f'market_spread_bps{{symbol="{SYMBOL}",venue="talker"}} 200.0' in text
    clock.time_ns += 60 * NS  # nobody asks the venue any more
    text = generate_latest(registry).decode()
    assert f'market_spread_bps{{symbol="{SYMBOL}",venue="talker"}} NaN' in text
    assert f'market_data_stale{{field="book",symbol="{SYMBOL}",venue="talker"}} 1.0' in text
    assert f'market_data_age_seconds{{field="book",symbol="{SYMBOL}",venue="talker"}} 60.0' in text


@pytest.mark.parametrize("dialect", ["binance", "kraken"])
async def test_both_dialects_over_a_socket(dialect: str) -> None:
    async with live(dialect) as (server, venue):
        now = time.time_ns()
        for minute in range(30, 0, -1):
            price, at_ns = D(60000 + minute % 2), now - minute * 60 * NS
            server.exchange.feed_trade(SYMBOL, price, D("0.5"), Side.BUY, at_ns)
        server.refill()
        intel = MarketIntelAggregator([venue.market], {dialect: [SYMBOL]})
        reading = await intel.refresh(dialect, SYMBOL)
        assert reading.problems == {}
        assert reading.stale == frozenset()
        assert reading.volume_24h == 15
        assert 1 < reading.spread_bps < 3
        step = 1e4 * math.log(60_001 / 60_000) / math.sqrt(60)
        assert reading.volatility_bps_per_sqrt_s == pytest.approx(step, rel=1e-3)
        assert (reading.round_trip_p95_s or 0) >= (reading.round_trip_s or 0) > 0


FUNDING_ANSWER = """{"symbol": "BTCUSDT", "markPrice": "60010.5", "indexPrice": "60000",
 "estimatedSettlePrice": "60000", "lastFundingRate": "-0.00012", "interestRate": "0.0001",
 "nextFundingTime": 1700006400000, "time": 1700000000000}"""


async def test_funding_of_a_linear_perpetual_over_a_socket() -> None:
    async with scripted("binance", linear=True) as (script, venue):
        script.gets["premiumIndex"] = FUNDING_ANSWER
        symbol = "BTC/USDT:USDT"
        intel = MarketIntelAggregator(
            [venue.market], {"binance": [symbol]}, clock=ManualClock(1_700_000_001 * NS)
        )
        reading = await intel.refresh("binance", symbol, [FUNDING])
        assert reading.problems == {}
        assert (reading.funding.rate, reading.funding.mark) == (D("-0.00012"), D("60010.5"))
        assert reading.funding.next_ns == 1_700_006_400 * NS
        assert reading.age_s(FUNDING) == 1.0


async def test_a_venue_that_spoils_its_answers_is_a_problem_not_an_error() -> None:
    rules = [
        FaultRule(kind=kind, times=1, path="depth")
        for kind in (FaultKind.TRUNCATED, FaultKind.HTML)
    ]
    async with live("binance", *rules) as (_, venue):
        intel = MarketIntelAggregator([venue.market], {"binance": [SYMBOL]})
        for _ in rules:
            reading = await intel.refresh("binance", SYMBOL, [BOOK])
            assert reading.problems[BOOK]
            with pytest.raises(StaleMarketData):
                _ = reading.book
        assert (await intel.refresh("binance", SYMBOL, [BOOK])).spread_bps > 0


def test_settings_and_names_are_checked() -> None:
    with pytest.raises(BadSettings, match="max_age_s"):
        IntelSettings(max_age_s={BOOK: 0.0})
    with pytest.raises(BadSettings, match="no source"):
        MarketIntelAggregator([], {"nowhere": [SYMBOL]})
    with pytest.raises(BadSettings, match="twice"):
        MarketIntelAggregator([paper(), paper()], {})


LEVEL = st.tuples(st.integers(1, 500), st.integers(1, 1000))


@given(st.lists(LEVEL, min_size=1, max_size=8), st.integers(1, 2000), st.sampled_from(list(Side)))
def test_prop_the_price_of_size_is_never_better_than_the_touch_and_grows(
    steps: list[tuple[int, int]], quantity: int, side: Side
) -> None:
    bids, asks, low, high = [], [], D(100_000), D(100_001)
    for gap, size in steps:
        bids.append((low, D(size)))
        asks.append((high, D(size)))
        low, high = low - gap, high + gap
    book = BookSnapshot(SYMBOL, bids, asks, 0)
    assert measures.sound(book)
    total = sum(size for _, size in steps)
    cost = measures.size_cost_bps(book, side, D(quantity))
    assert (cost is None) is (quantity > total)
    if cost is not None:
        assert cost >= measures.spread_bps(book) / 2 - 1e-9
        smaller = measures.size_cost_bps(book, side, D(quantity) / 2)
        assert smaller is not None
        assert smaller <= cost + 1e-9
    assert measures.depth_within(book, side, 20_000.0) == total


@given(st.lists(st.floats(-0.02, 0.02), min_size=2, max_size=40), st.integers(1, 600))
def test_prop_volatility_is_that_of_the_returns_whatever_the_spacing(
    returns: list[float], seconds: int
) -> None:
    prices, times = [100.0], [0]
    for number, part in enumerate(returns):
        prices.append(prices[-1] * math.exp(part))
        times.append(times[-1] + (1 + number % 3) * seconds * NS)
    exact = [D(repr(price)) for price in prices]
    found = measures.realised_volatility_bps(times, exact)
    total = sum(part * part for part in returns)
    assert found == pytest.approx(1e4 * math.sqrt(total / (times[-1] / NS)), rel=1e-6, abs=1e-6)
    # a repeated time and a price of 0 change nothing
    again = measures.realised_volatility_bps(
        [*times, times[-1], times[-1] + NS], [*exact, D(7), D(0)]
    )
    assert again == pytest.approx(found)
