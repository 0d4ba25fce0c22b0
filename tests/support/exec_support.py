"""Builders of instruments, journals and routers for the execution tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random

from oem_exec import (
    Backoff,
    Instrument,
    LiveExecutionRouter,
    OrderIntent,
    OrderType,
    PaperVenue,
    Route,
    RouterSettings,
    RouteTable,
    Side,
    SqliteOrderStore,
    TimeInForce,
    Venue,
)

D = Decimal

BTC = Instrument(
    "BTC/USDT",
    "BTC",
    "USDT",
    tick_size=D("0.01"),
    lot_size=D("0.00001"),
    min_quantity=D("0.00001"),
    min_notional=D("5"),
    maker_fee=D("0.0008"),
    taker_fee=D("0.001"),
)

FAST = RouterSettings(
    request_timeout_s=2.0,
    resolve_patience_s=2.0,
    start_patience_s=4.0,
    backoff=Backoff(first_s=0.005, longest_s=0.05),
)


class ListJournal:
    """A journal in memory that can be told to fail like a full disk."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Mapping[str, object]]] = []
        self.full = False

    async def append(self, kind: str, body: Mapping[str, object]) -> None:
        await asyncio.sleep(0)
        self.write(kind, body)

    def write(self, kind: str, body: Mapping[str, object]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.entries.append((kind, body))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.entries]


class ManualClock:
    """A clock that moves only when told, or by a fixed step a call."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000, step_ns: int = 0) -> None:
        self.time_ns = now_ns
        self.step_ns = step_ns

    def now_ns(self) -> int:
        self.time_ns += self.step_ns
        return self.time_ns


def market(intent_id: str, quantity: str = "0.01", side: Side = Side.BUY) -> OrderIntent:
    return OrderIntent(intent_id, "BTC/USDT", side, D(quantity))


def limit(
    intent_id: str,
    price: str,
    quantity: str = "0.01",
    side: Side = Side.BUY,
    time_in_force: TimeInForce = TimeInForce.GTC,
    order_type: OrderType = OrderType.LIMIT,
) -> OrderIntent:
    return OrderIntent(
        intent_id, "BTC/USDT", side, D(quantity), order_type, D(price), time_in_force=time_in_force
    )


def paper(**options: object) -> PaperVenue:
    venue = PaperVenue([BTC], **options)  # type: ignore[arg-type]
    venue.feed_book(
        "BTC/USDT", [("60000", "1"), ("59990", "2")], [("60010", "1"), ("60020", "2")], 1
    )
    return venue


def make_router(
    path: Path,
    venues: Iterable[Venue],
    *,
    journal: ListJournal | None = None,
    settings: RouterSettings = FAST,
    store: SqliteOrderStore | None = None,
    **options: object,
) -> tuple[LiveExecutionRouter, SqliteOrderStore]:
    venues = list(venues)
    store = store or SqliteOrderStore.open(path / "orders.sqlite")
    router = LiveExecutionRouter(
        store,
        venues,
        RouteTable((Route(venues=tuple(v.name for v in venues)),)),
        journal=journal,
        settings=settings,
        rng=Random(1),
        **options,  # type: ignore[arg-type]
    )
    return router, store
