"""The kill campaign: a trading process is killed at random moments; then the venue's book decides.

Run as a script it is a nursery: for each line on its input it forks a trading process, which so is
spared the seconds its imports take, and says the new process's id and later how it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from exec_live_support import server_of, venue_of
from exec_support import FAST, limit, make_router
from oem_exec import LiveExecutionRouter, OrderState, SqliteOrderStore
from oem_exec.ccxt_venue.loader import load_exchange_class
from oem_exec.venue_server.faults import FaultKind, FaultPlan, FaultRule

FAULTS = (
    FaultRule(kind=FaultKind.DROP_BEFORE, method="POST", share=0.02),
    FaultRule(kind=FaultKind.DROP_AFTER, method="POST", share=0.03),
    FaultRule(kind=FaultKind.LOST_MIDWAY, method="POST", share=0.02),
    FaultRule(kind=FaultKind.SERVER_ERROR_AFTER, method="POST", share=0.02),
    FaultRule(kind=FaultKind.EDGE_TIMEOUT, method="POST", share=0.02),
    FaultRule(kind=FaultKind.TRUNCATED, method="POST", share=0.02),
    FaultRule(kind=FaultKind.HTML, method="POST", share=0.01),
    # Binance takes an id again once its order has ended, so a request delivered twice by the
    # network is two orders there; resting orders show what the router can answer for
    FaultRule(kind=FaultKind.DUPLICATE, method="POST", share=0.03, body="price=5"),
    FaultRule(kind=FaultKind.TOO_MANY_REQUESTS, method="POST", share=0.01),
    FaultRule(kind=FaultKind.STALE_READ, method="GET", share=0.03),
    FaultRule(kind=FaultKind.DELAY, share=0.01, seconds=0.05),
)
PRICES = ("59000", "60100", "60200", "60300")


@dataclass(frozen=True)
class Verdict:
    intents: int
    kills: int
    server_orders: int
    duplicates: int
    lost: int
    wrongly_closed: int
    unresolved: int
    faults: dict[str, int]


async def trade(router: LiveExecutionRouter, life: Life) -> None:
    rng = random.Random(life.seed)
    numbers = iter(range(life.first, life.first + life.count))

    async def worker() -> None:
        for number in numbers:
            order = await router.submit(limit(f"n{number}", rng.choice(PRICES), "0.001"))
            if order.state is OrderState.OPEN and rng.random() < 0.8:
                await router.cancel(order.intent_id)

    await asyncio.gather(*(worker() for _ in range(life.at_once)))


@dataclass(frozen=True)
class Life:
    """What one trading process is to do."""

    url: str
    dialect: str
    folder: str
    first: int
    count: int
    seed: int
    at_once: int = 16


async def live(life: Life) -> None:
    settings = replace(FAST, resolve_patience_s=3.0, start_patience_s=10.0, max_attempts=6)
    venue = venue_of(life.url, life.dialect)
    router, opened = make_router(Path(life.folder), [venue], settings=settings)
    async with router:
        await trade(router, life)
    opened.close()


def nursery() -> None:
    """Fork a trading process for each line of input, one after the other."""
    for dialect in ("binance", "kraken"):
        load_exchange_class(dialect)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(live(Life(**json.loads(line))))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


class Nursery:
    """The nursery's process, seen from the campaign."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"},
        )

    async def bear(self, life: Life) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(life)) + "\n")
        self._process.stdin.flush()
        return int(await self._line())

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return await asyncio.to_thread(self._process.stdout.readline)

    async def bury(self) -> int:
        """Wait until the trading process has ended; return its exit code."""
        return int(await self._line())

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()


async def campaign(
    folder: Path,
    *,
    dialect: str = "binance",
    orders: int,
    kills: int,
    seed: int = 1,
    longest_s: float = float("inf"),
) -> Verdict:
    """Trade until the venue has `orders` orders and the trader died `kills` times, then audit.

    Args:
        folder: Where the store is.
        dialect: Which venue server.
        orders: Orders the venue shall have accepted.
        kills: Kills, spread evenly over the orders, each at a random moment.
        seed: Seed of faults, orders and moments.
        longest_s: The campaign ends after this time with what it has.
    """
    rng = random.Random(seed)
    ends = time.monotonic() + longest_s
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(server_of(dialect, *FAULTS, seed=seed))
        book, killed, done = server.exchange.orders, 0, 0
        nursery = stack.enter_context(contextlib.closing(Nursery()))
        share = max(orders // kills, 1)
        while time.monotonic() < ends and (len(book) < orders or killed < kills):
            life = Life(server.url, dialect, str(folder), done, share * 4, seed + killed)
            child = await nursery.bear(life)
            # the next life begins behind whatever this one may have begun
            done += share * 4
            target, late = len(book) + rng.randrange(share // 2, share + share // 2), 30.0
            until = time.monotonic() + late
            while len(book) < target and time.monotonic() < until:  # noqa: ASYNC110 - it is watched
                await asyncio.sleep(0.003)
            await asyncio.sleep(rng.random() * 0.01)
            os.kill(child, signal.SIGKILL)
            code = await nursery.bury()
            assert code == -signal.SIGKILL, code
            killed += 1
            server.refill()
        faults = dict(server.faults.counts)
        server.faults = FaultPlan()
        settings = replace(FAST, resolve_patience_s=10.0, start_patience_s=20.0)
        router, store = make_router(folder, [venue_of(server.url, dialect)], settings=settings)
        async with router:
            await router.poll()
            await router.reconcile()
        verdict = audit(book.values(), store, killed, faults)
        store.close()
    return verdict


def audit(
    server_orders: object, store: SqliteOrderStore, kills: int, faults: dict[str, int]
) -> Verdict:
    """Compare the venue's book of orders with the store, order by order."""
    theirs = {}
    ids: Counter[str] = Counter()
    for order in server_orders:  # type: ignore[attr-defined]
        ids[order.client_order_id] += 1
        theirs[order.client_order_id] = order
    ours = {order.client_order_id: order for order in store.orders()}
    by_intent: Counter[str] = Counter(ours[i].intent_id for i in theirs if i in ours)
    duplicates = sum(n - 1 for n in ids.values()) + sum(n - 1 for n in by_intent.values())
    lost = sum(1 for i in theirs if i not in ours)
    wrong = unresolved = 0
    for client_id, order in ours.items():
        known = theirs.get(client_id)
        if order.state in {OrderState.UNKNOWN, OrderState.SUBMITTING, OrderState.QUARANTINED}:
            unresolved += 1
        elif order.state in {OrderState.ABSENT, OrderState.REJECTED}:
            wrong += known is not None
        elif known is None or (order.state, order.filled_quantity) != (known.state, known.filled):
            wrong += 1
    return Verdict(
        len({o.intent_id for o in ours.values()}),
        kills,
        len(theirs),
        duplicates,
        lost,
        wrong,
        unresolved,
        faults,
    )


if __name__ == "__main__":
    nursery()
