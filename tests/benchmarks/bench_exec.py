"""Execution: routed orders against bare ccxt, paper orders against SQLite, replay, import.

On a quiet machine orders through the router came to 0.78 and 0.84 of bare ccxt's rate at 32 at
once and to 1.49 and 1.56 of its time one at a time (goal 1.25: the lone commit and the turns of
the event loop), paper orders to 0.022 and 0.026 of SQLite's rows (goal 0.05: 0.45 ms of Python an
order).
What they are made of: docs/explanation/what-an-order-costs.md.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from harness import Benchmark, Result, alternate
from prometheus_client import CollectorRegistry

from exec_live_support import venue_of
from exec_support import BTC, ListJournal, limit, make_router, market
from oem_exec import (
    Accepted,
    Order,
    OrderIntent,
    OrderState,
    PaperVenue,
    RouterMetrics,
    Side,
    read_recording,
)
from oem_exec.simulation.recording import BookUpdates, Print

DATA = Path(os.environ.get("OEM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@contextmanager
def _folder() -> Iterator[Path]:
    # not under /tmp when that is memory: durability must cost what the disk costs
    path = Path(tempfile.mkdtemp(prefix="bench-exec-", dir=Path.cwd()))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def _server() -> Iterator[str]:
    code = (
        "import asyncio\nfrom exec_live_support import server_of\n"
        "async def main():\n"
        "    async with server_of('binance') as server:\n"
        "        print(server.url, flush=True)\n"
        "        await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    support = str(Path(__file__).parents[1] / "support")
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": support},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def router_submit() -> list[Result]:
    """Orders through the router against the `create_order` of an unchanged ccxt object."""
    with asyncio.Runner() as runner, _folder() as folder, _server() as url:
        return runner.run(_router_submit(folder, url))


async def _router_submit(folder: Path, url: str) -> list[Result]:
    bare = venue_of(url)
    await bare.instruments()
    exchange = bare._ccxt
    del exchange.fetch  # ccxt's own again: bare is what ccxt is without this library
    router, store = make_router(
        folder, [venue_of(url)], journal=ListJournal(), metrics=RouterMetrics(CollectorRegistry())
    )
    counter = iter(range(10_000_000))

    async def routed() -> None:
        await router.submit(limit(f"b{next(counter)}", "50000", "0.001"))

    async def plain() -> None:
        params = {"newClientOrderId": f"p{next(counter)}", "timeInForce": "GTC"}
        await exchange.create_order("BTC/USDT", "limit", "buy", "0.001", "50000", params)

    async def rate(one: Any, total: int, at_once: int) -> float:
        numbers = iter(range(total))

        async def worker() -> None:
            for _ in numbers:
                await one()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        return total / (time.perf_counter() - started)

    async def pairs(total: int, at_once: int, rounds: int) -> tuple[float, float]:
        a, b = [], []
        for index in range(rounds + 1):
            first, second = await rate(routed, total, at_once), await rate(plain, total, at_once)
            if index:
                a.append(first)
                b.append(second)
        return sorted(a)[rounds // 2], sorted(b)[rounds // 2]

    async with router:
        one, bare_one = await pairs(60, 1, 7)
        many, bare_many = await pairs(192, 32, 7)
    await bare.close()
    store.close()
    return [
        Result(
            "exec.router.submit.c1",
            1 / one,
            "s",
            "bare ccxt create_order, one at a time",
            1 / bare_one,
            "<= 1.25",
        ),
        Result(
            "exec.router.submit.c32",
            many,
            "orders/s",
            "bare ccxt create_order, 32 at once",
            bare_many,
            ">= 0.85",
        ),
    ]


def paper_submit() -> list[Result]:
    """Market orders on paper, 64 at once, against bare rows of SQLite, 64 a transaction."""
    with _folder() as folder, asyncio.Runner() as runner:

        def subject() -> float:
            return runner.run(_paper_rate(Path(tempfile.mkdtemp(dir=folder))))

        def baseline() -> float:
            return _sqlite_rate(Path(tempfile.mkdtemp(dir=folder)))

        value, base = alternate(subject, baseline, rounds=5)
    return [
        Result(
            "exec.paper.submit",
            value,
            "orders/s",
            "SQLite durable inserts, 64 rows a transaction",
            base,
            ">= 0.05",
        )
    ]


async def _paper_rate(folder: Path) -> float:
    venue = PaperVenue([BTC])
    venue.feed_book("BTC/USDT", [("60000", "100000")], [("60010", "100000")], 1)
    router, store = make_router(folder, [venue], metrics=RouterMetrics(CollectorRegistry()))
    numbers = iter(range(3000))
    async with router:

        async def worker() -> None:
            for number in numbers:
                await router.submit(market(f"o{number}", "0.01"))

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(64)))
        elapsed = time.perf_counter() - started
    store.close()
    return 3000 / elapsed


def _sqlite_rate(folder: Path) -> float:
    connection = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT, a INTEGER, b INTEGER)")
    body = "x" * 300
    started = time.perf_counter()
    for batch in range(150):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?)",
            [(f"{batch:016d}{row:016d}", body, batch, row) for row in range(64)],
        )
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - started
    connection.close()
    return 150 * 64 / elapsed


def paper_replay() -> list[Result]:
    recording = read_recording(
        BTC,
        books=DATA / "books" / "binance_BTCUSDT.parquet",
        trades=DATA / "trades" / "binance_BTCUSDT.parquet",
    )
    changes = [event for event in recording.events if isinstance(event, BookUpdates)]
    are_bids = [is_bid for event in changes for is_bid in event.are_bids]
    prices = [price for event in changes for price in event.ticks]
    sizes = [size for event in changes for size in event.lots]
    first = next(event for event in recording.events if isinstance(event, Print))

    def subject() -> float:
        venue = PaperVenue([BTC])
        rng = Random(3)
        with asyncio.Runner() as runner:
            for number in range(200):
                side = Side.BUY if number % 2 else Side.SELL
                away = rng.randrange(500, 20_000)
                price = BTC.tick_size * (first.ticks - side.sign * away)
                intent = limit(f"r{number}", str(price), "0.01", side)
                answer = runner.run(venue.place(_sent(intent)))
                assert isinstance(answer, Accepted)
        started = time.perf_counter()
        events = venue.replay(recording)
        elapsed = time.perf_counter() - started
        assert any(order.filled for order in venue.exchange.orders.values())
        return events / elapsed

    def baseline() -> float:
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        started = time.perf_counter()
        for is_bid, price, size in zip(are_bids, prices, sizes, strict=True):
            side = bids if is_bid else asks
            if size:
                side[price] = size
            else:
                side.pop(price, None)
        return len(prices) / (time.perf_counter() - started)

    value, base = alternate(subject, baseline, rounds=5)
    return [
        Result(
            "exec.paper.replay",
            value,
            "events/s",
            "a dict of levels, updates alone",
            base,
            ">= 0.25",
        )
    ]


def _sent(intent: OrderIntent) -> Order:
    """Return an order as the router hands it to a venue."""
    name = intent.client_order_id(0)
    return Order(intent, name, "paper", 0, OrderState.SUBMITTING, intent.quantity, intent.price)


def import_time() -> list[Result]:
    def run(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    value, base = alternate(
        lambda: run("import oem_exec"), lambda: run("import asyncio, sqlite3"), rounds=9
    )
    return [Result("exec.import", value, "s", "import asyncio, sqlite3", base, "<= 3")]


BENCHMARKS: list[Benchmark] = [router_submit, paper_submit, paper_replay, import_time]
