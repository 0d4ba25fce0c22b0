"""An imitation exchange driven by recorded books and trades, or by a script."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exec_live_support import live
from exec_support import BTC, D, limit, make_router
from oem_exec import BadSettings, BookSnapshot, Liquidity, OrderState, Side
from oem_exec.simulation.recording import BarClose, BookUpdates, Print, read_recording
from oem_exec.venue_server.feed import FeedPlayer, FeedSettings, feed_of, read_script
from oem_exec.venue_server.server import VenueServer
from oem_security.clock import SystemClock

SYMBOL = "BTC/USDT"
T0 = dt.datetime(2024, 8, 8, tzinfo=dt.UTC)


def write(path: Path, **columns: list[Any]) -> Path:
    table = pa.table(columns)
    stamps = pa.array(columns["timestamp"], pa.timestamp("ms", tz="UTC"))
    pq.write_table(table.set_column(0, "timestamp", stamps), path)
    return path


def at(*seconds: float) -> list[dt.datetime]:
    return [T0 + dt.timedelta(seconds=one) for one in seconds]


def books(path: Path) -> Path:
    return write(
        path,
        timestamp=at(0, 0, 0, 0, 1, 1),
        side=["bid", "bid", "ask", "ask", "bid", "ask"],
        price=[60000.0, 59990.0, 60010.0, 60020.0, 60000.0, 60015.0],
        size=[1.0, 2.0, 1.0, 2.0, 0.0, 3.0],
        is_snapshot=[True] * 4 + [False] * 2,
    )


def trades(path: Path) -> Path:
    return write(
        path,
        timestamp=at(0.5, 1, 2),
        price=[60000.0, 60010.0, 59985.0],
        size=[0.5, 0.25, 4.0],
        side=["sell", "buy", "sell"],
    )


async def finished(server: VenueServer) -> None:
    assert server.feed is not None
    async with asyncio.timeout(10):
        while not server.feed.progress.done:  # noqa: ASYNC110 - the feed is watched from outside
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("dialect", ["binance", "kraken"])
async def test_a_recorded_market_is_what_the_unmodified_client_sees(
    tmp_path: Path, dialect: str
) -> None:
    recording = read_recording(BTC, books=books(tmp_path / "b"), trades=trades(tmp_path / "t"))
    kinds = [type(event) for event in recording.events]
    assert kinds == [BookUpdates, Print, Print, BookUpdates, Print]
    feed = FeedSettings((recording,), speed=0)
    async with live(dialect, feed=feed) as (server, venue):
        await finished(server)
        book = await venue.book(SYMBOL)
        assert isinstance(book, BookSnapshot)
        assert list(book.bids) == [(D(59990), D(2))]
        assert [(float(p), float(q)) for p, q in book.asks] == [
            (60010.0, 1.0), (60015.0, 3.0), (60020.0, 2.0),
        ]  # fmt: skip
        ticker = await venue.market.ticker(SYMBOL)
        assert float(ticker.volume_base) == 4.75  # type: ignore[union-attr]
        assert float(ticker.last) == 59985.0  # type: ignore[union-attr,arg-type]


async def test_a_script_fills_an_order_in_parts_and_makes_the_venue_cancel_the_rest(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.json"
    steps = [
        {"at_s": 3, "do": "cancel_orders"},
        {"at_s": 1, "do": "book", "bids": [["59990", "1"]], "asks": [["60010", "1"]]},
        {"at_s": 2, "do": "trade", "price": "59992", "size": "0.004", "side": "sell"},
        {"at_s": 4, "do": "reprice", "price": "50000"},
    ]
    script.write_text(json.dumps(steps))
    feed = feed_of(BTC, {}, script, speed=0)
    assert feed is not None
    async with live() as (server, venue):
        router, store = make_router(tmp_path, [venue])
        try:
            async with router:
                order = await router.submit(limit("a", "59993", "0.01"))
                assert order.state is OrderState.OPEN
                await FeedPlayer(feed, server.exchange, SystemClock(), lambda _: None).run()
                await router.poll()
                order = router.order("a")
                assert (order.state, order.filled_quantity) == (OrderState.CANCELED, D("0.004"))
                assert (order.settled, order.fills[0].liquidity) == (True, Liquidity.MAKER)
                book = await venue.book(SYMBOL)
                assert isinstance(book, BookSnapshot)
                assert 49_900 < book.bids[0][0] < book.asks[0][0] < 50_100
        finally:
            store.close()


async def test_a_script_sets_faults_and_the_feed_keeps_step_with_the_clock(tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text('[{"at_s": 2, "do": "faults", "rules": [{"kind": "html"}]}]')
    feed = feed_of(BTC, {}, script, speed=10.0)
    async with live(feed=feed) as (server, _):
        started = asyncio.get_running_loop().time()
        assert server.faults.draw("GET", "/", "") is None
        await finished(server)
        assert asyncio.get_running_loop().time() - started > 0.19
        assert server.faults.draw("GET", "/", "") is not None


async def test_a_feed_can_go_round_and_ends_with_its_server(tmp_path: Path) -> None:
    recording = read_recording(BTC, trades=trades(tmp_path / "t"))
    async with live(feed=FeedSettings((recording,), speed=0, loop=True)) as (server, venue):
        assert server.feed is not None
        async with asyncio.timeout(10):
            while server.feed.progress.rounds < 3:  # noqa: ASYNC110 - watched from outside
                await asyncio.sleep(0.001)
        book = await venue.book(SYMBOL)
        assert isinstance(book, BookSnapshot), "where trades alone are recorded a book is made"
        assert abs(book.bids[0][0] - D(59985)) < 50
    rounds = server.feed.progress.rounds
    await asyncio.sleep(0.02)
    assert server.feed.progress.rounds == rounds


def test_files_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    good = {"timestamp": at(0), "price": [60000.0], "size": [1.0], "side": ["buy"]}
    for change, what in (
        ({"price": [60000.001]}, "no multiple"),
        ({"price": [-1.0]}, "no multiple"),
        ({"price": [float("nan")]}, "not a finite number"),
        ({"price": ["dear"]}, "not a number"),
        ({"size": [-1.0]}, "below 0"),
        ({"side": ["up"]}, "side"),
        ({"side": None}, "no column side"),
    ):
        columns = {name: values for name, values in {**good, **change}.items() if values}
        with pytest.raises(BadSettings, match=what):
            read_recording(BTC, trades=write(tmp_path / "bad", **columns))
    table = pa.table({**good, "timestamp": [1]})
    pq.write_table(table, tmp_path / "untimed")
    with pytest.raises(BadSettings, match="not a time"):
        read_recording(BTC, trades=tmp_path / "untimed")
    (tmp_path / "text").write_text("hello")
    for path in (tmp_path / "text", tmp_path / "none"):
        with pytest.raises(BadSettings, match="cannot be read"):
            read_recording(BTC, trades=path)
    with pytest.raises(BadSettings, match="nothing is recorded"):
        read_recording(BTC)
    bars = {"open": [9.0], "high": [8.0], "low": [7.0], "close": [8.0], "volume": [1.0]}
    with pytest.raises(BadSettings, match="a bar of"):
        read_recording(BTC, bars=write(tmp_path / "bars", timestamp=at(0), **bars))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '[{"do": "dance", "at_s": 0}]',
        '[{"do": "trade", "at_s": -1, "price": 1, "size": 1, "side": "buy"}]',
        '[{"do": "trade", "at_s": 0, "price": 0, "size": 1, "side": "buy"}]',
        '[{"do": "trade", "at_s": 0, "price": 1, "size": "NaN", "side": "buy"}]',
        '[{"do": "book", "at_s": 0, "asks": [[1]]}]',
    ],
)
def test_scripts_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script"
    path.write_text(text)
    with pytest.raises(BadSettings, match="step"):
        read_script(path)


async def test_a_foreign_symbol_or_speed_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text('[{"at_s": 0, "do": "cancel_orders", "symbol": "ETH/USDT"}]')
    with pytest.raises(BadSettings, match="not traded"):
        async with live(feed=feed_of(BTC, {}, script)):
            raise AssertionError
    for speed in (-1.0, float("nan")):
        with pytest.raises(BadSettings, match="speed"):
            FeedSettings(speed=speed)
    with pytest.raises(BadSettings, match="cannot be read"):
        read_script(tmp_path / "none")


def test_bars_and_quotes_of_the_real_market(shared_data: Path) -> None:
    bars = read_recording(BTC, bars=shared_data / "bars" / "binance_BTCUSDT_1m_202408.parquet")
    first = bars.events[0]
    assert isinstance(first, BarClose)
    assert (first.candle.interval_ns, first.candle.open) == (60 * 10**9, D("65354.02"))
    assert len(bars.events) == 10_080


async def test_the_recorded_book_of_a_real_market_ends_as_the_record_says(
    tmp_path: Path, shared_data: Path
) -> None:
    table = pq.read_table(shared_data / "books" / "binance_BTCUSDT.parquet").slice(0, 12_000)
    pq.write_table(table, tmp_path / "books")
    sides: dict[str, dict[Decimal, float]] = {"bid": {}, "ask": {}}
    for row in table.select(["side", "price", "size"]).to_pylist():
        price = D(repr(row["price"]))
        if row["size"]:
            sides[row["side"]][price] = row["size"]
        else:
            sides[row["side"]].pop(price, None)
    recording = read_recording(BTC, books=tmp_path / "books")
    assert recording.events[0].snapshot  # type: ignore[union-attr]
    async with live(feed=FeedSettings((recording,), speed=0)) as (server, _):
        await finished(server)
        market = server.exchange.markets[SYMBOL]
        for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
            levels = market.book.levels(side, 100_000)
            shown = {market.price(p): float(market.quantity(q)) for p, q in levels}
            assert shown == pytest.approx(sides[name])
