"""The kill campaign: a trading process is killed at random moments; then the venue's book decides.

Run as a script it is the trading process: `exec_campaign.py URL DIALECT STORE FIRST_INTENT SEED`.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from exec_live_support import server_of, venue_of
from exec_support import FAST, limit, make_router
from oem_exec import LiveExecutionRouter, OrderState, SqliteOrderStore
from oem_exec.venue_server.faults import FaultKind, FaultRule

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
PRICES = ("59000", "60100", "58500", "60200")


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


async def trade(router: LiveExecutionRouter, first: int, rng: random.Random, count: int) -> None:
    numbers = iter(range(first, first + count))

    async def worker() -> None:
        for number in numbers:
            order = await router.submit(limit(f"n{number}", rng.choice(PRICES), "0.001"))
            if order.state is OrderState.OPEN and rng.random() < 0.2:
                await router.cancel(order.intent_id)

    await asyncio.gather(*(worker() for _ in range(8)))


async def run_trader(url: str, dialect: str, store: str, first: int, seed: int, count: int) -> None:
    settings = replace(FAST, resolve_patience_s=3.0, start_patience_s=10.0, max_attempts=6)
    router, opened = make_router(Path(store), [venue_of(url, dialect)], settings=settings)
    async with router:
        print("trading", flush=True)
        await trade(router, first, random.Random(seed), count)
    opened.close()


def _start(
    url: str, dialect: str, folder: Path, first: int, seed: int, count: int
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, url, dialect, str(folder), str(first), str(seed), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"},
    )


async def campaign(
    folder: Path, *, dialect: str = "binance", intents: int, kills: int, seed: int = 1
) -> Verdict:
    """Trade `intents` intents, killing the trader `kills` times, then audit the venue."""
    rng = random.Random(seed)
    async with server_of(dialect, *FAULTS, seed=seed) as server:
        done = killed = 0
        share = max(intents // (kills + 1), 1)
        while done < intents:
            process = await asyncio.to_thread(
                _start,
                server.url,
                dialect,
                folder,
                done,
                seed + killed,
                share if killed < kills else intents - done,
            )
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            if killed < kills:
                # die somewhere inside the batch; the next process goes on behind it
                before, deadline = len(server.exchange.orders), time.monotonic() + 60
                target = before + rng.randrange(1, share)
                while (  # noqa: ASYNC110 - the venue's book is watched, not waited on
                    len(server.exchange.orders) < target
                    and process.poll() is None
                    and time.monotonic() < deadline
                ):
                    await asyncio.sleep(0.003)
                await asyncio.sleep(rng.random() * 0.01)
                process.send_signal(signal.SIGKILL)
                killed += 1
            await asyncio.to_thread(process.wait)
            process.stdout.close()
            done += share if killed <= kills and done + share < intents else intents - done
            server.refill()
        faults = dict(server.faults.counts)
        server.faults.__init__()  # type: ignore[misc]
        venue = venue_of(server.url, dialect)
        settings = replace(FAST, resolve_patience_s=10.0, start_patience_s=20.0)
        router, store = make_router(folder, [venue], settings=settings)
        async with router:
            await router.poll()
            await router.reconcile()
        verdict = audit(server.exchange.orders.values(), store, killed, faults)
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
    asyncio.run(
        run_trader(
            sys.argv[1],
            sys.argv[2],
            sys.argv[3],
            int(sys.argv[4]),
            int(sys.argv[5]),
            int(sys.argv[6]),
        )
    )
