"""A trading process that fails at every boundary: store, journal and venue under a fault list."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from oem_exec import KillState, Order, OrderState, SqliteOrderStore, StoreUnavailable
from oem_exec.model.enums import RefusalReason, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.store.protocol import Contradiction, KillSwitch
from oem_exec.venue import Found, Refused, Unknown, Venue, VenueOrder

STORE = ("crash_before", "crash_after", "full")
REQUEST = (
    "unsent", "lost", "late", "hang", "crash_unsent", "crash_late", "crash_accepted",
    "crash_answered", "refused", "twice", "down",
)  # fmt: skip
QUESTION = ("unsent", "hang", "crash_unsent", "stale", "down")
BOUNDARIES: Mapping[str, tuple[str, ...]] = {
    "insert": STORE,
    "save": STORE,
    "journal": STORE,
    "place": REQUEST,
    "cancel": REQUEST,
    "amend": REQUEST,
    "lookup": QUESTION,
    "trades": QUESTION,
    "open_orders": QUESTION,
}
"""Boundary to what may go wrong there."""


@dataclass
class Process:
    """The life of one trading process and what waits to go wrong in it."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    late: set[asyncio.Task[Any]] = field(default_factory=set)
    late_s: tuple[float, ...] = (0.3,)
    struck: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    """What runs in this process, and what it started; other tasks of the loop live on."""

    def draw(self, boundary: str) -> str:
        """Return what goes wrong at a boundary now, empty for nothing."""
        if boundary in self.down:
            return "unsent"
        for index, (where, kind) in enumerate(self.faults):
            if where == boundary:
                del self.faults[index]
                self.struck.append(f"{where}:{kind}")
                if kind == "down":
                    return self._go_down(boundary)
                return kind
        return ""

    def _go_down(self, boundary: str) -> str:
        """Let nothing through for a while that outlasts every patience."""
        self.down.add(boundary)
        loop = asyncio.get_running_loop()
        loop.call_later(40 * max(self.late_s), self.down.discard, boundary)
        return "unsent"

    async def die(self) -> None:
        """Be killed here: nothing of this process runs on."""
        self.dead.set()
        await asyncio.Event().wait()

    async def alive(self) -> None:
        if self.dead.is_set():
            await asyncio.Event().wait()

    def later(self, work: Callable[[], Awaitable[Any]], seconds: float) -> None:
        """Let a request reach the venue after a while, whatever becomes of the process."""

        async def arrive() -> None:
            await asyncio.sleep(seconds)
            await work()

        task = asyncio.create_task(arrive())
        self.tasks.discard(task)
        self.late.add(task)
        task.add_done_callback(self.late.discard)


class FaultyStore:
    """The SQLite store; a power cut may lose what was written lazily since the last sync."""

    def __init__(self, path: Path, process: Process) -> None:
        self.path = path
        self.inner = SqliteOrderStore.open(path)
        self._process = process
        self._synced: bytes | None = None
        self._saved: dict[str, Order] = {}
        self.synced = {order.client_order_id: order for order in self.inner.orders()}
        """The orders as a power cut would leave them, but for new ones."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def insert(self, order: Order) -> bool:
        return bool(await self._write("insert", lambda: self.inner.insert(order)))

    async def save(
        self, orders: Iterable[Order], fills: Iterable[Fill] = (), *, lazy: bool = False
    ) -> None:
        if lazy and self._synced is None:
            self._synced = self.inner._reader.serialize()
        orders, fills = list(orders), list(fills)
        self._saved |= {order.client_order_id: order for order in orders}
        await self._write("save", lambda: self.inner.save(orders, fills, lazy=lazy), lazy=lazy)

    async def quarantine(self, contradiction: Contradiction) -> None:
        await self._write("quarantine", lambda: self.inner.quarantine(contradiction))

    async def set_kill_switch(self, switch: KillSwitch) -> None:
        await self._write("kill", lambda: self.inner.set_kill_switch(switch))

    async def _write(
        self, boundary: str, work: Callable[[], Awaitable[Any]], *, lazy: bool = False
    ) -> Any:
        await self._process.alive()
        kind = self._process.draw(boundary)
        if kind == "crash_before":
            await self._process.die()
        if kind == "full":
            raise StoreUnavailable("no space left on device", where="test", remedy="none")
        result = await work()
        if not lazy:
            self._synced = None
            self.synced |= self._saved
            self._saved.clear()
        if kind == "crash_after":
            await self._process.die()
        await self._process.alive()
        return result

    def kill(self, *, power_cut: bool) -> None:
        """Close the file as SIGKILL or a power cut leaves it."""
        self.inner._writer._jobs.clear()
        self.inner.close()
        if power_cut and self._synced is not None:
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self.path.write_bytes(self._synced)


class FaultyJournal:
    """A journal that outlives its process; what was only handed in dies with it."""

    def __init__(self, entries: list[tuple[str, Mapping[str, Any]]], process: Process) -> None:
        self.entries = entries
        self._process = process
        self._handed_in: list[tuple[str, Mapping[str, Any]]] = []

    def write(self, kind: str, body: Mapping[str, Any]) -> None:
        self._handed_in.append((kind, body))

    async def append(self, kind: str, body: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        await self._process.alive()
        fault = self._process.draw("journal")
        if fault == "crash_before":
            await self._process.die()
        if fault == "full":
            raise OSError(28, "No space left on device")
        self.entries += [*self._handed_in, (kind, body)]
        self._handed_in.clear()
        if fault == "crash_after":
            await self._process.die()


class FaultyVenue:
    """Any venue, with requests and answers that get lost on their way.

    Args:
        inner: The venue.
        process: Whose faults strike.
        before_send: Called with every order that is about to be sent.
        before_change: Called with every order that is about to be cancelled or amended.
    """

    def __init__(
        self,
        inner: Venue,
        process: Process,
        before_send: Callable[[Order], None],
        before_change: Callable[[Order], None],
    ) -> None:
        self.inner = inner
        self._process = process
        self._before_send = before_send
        self._before_change = before_change
        self._seen: dict[str, VenueOrder] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def place(self, order: Order) -> Any:
        self._before_send(order)
        return await self._request("place", lambda: self.inner.place(order))

    async def cancel(self, order: Order) -> Any:
        self._before_change(order)
        return await self._request("cancel", lambda: self.inner.cancel(order))

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> Any:
        self._before_change(order)
        return await self._request("amend", lambda: self.inner.amend(order, quantity, price))

    async def lookup(self, order: Order) -> Any:
        return await self._question("lookup", lambda: self.inner.lookup(order))

    async def trades(self, order: Order) -> Any:
        return await self._question("trades", lambda: self.inner.trades(order))

    async def open_orders(self) -> Any:
        return await self._question("open_orders", lambda: self.inner.open_orders())

    async def _request(self, boundary: str, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._process.alive()
        kind = self._process.draw(boundary)
        lost = Unknown(UnknownCause.CONNECTION, f"{boundary} {kind}")
        if kind in {"late", "crash_late", "hang"}:
            for seconds in self._process.late_s:
                self._process.later(work, seconds)
        if kind in {"crash_unsent", "crash_late"}:
            await self._process.die()
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind in {"unsent", "late"}:
            return lost
        if kind == "refused":
            return Refused(RefusalReason.RATE_LIMITED, "too many requests", 0.1)
        answer = await work()
        if kind == "twice":
            await work()
        if kind == "crash_accepted":
            await self._process.die()
        if kind == "crash_answered":
            asyncio.get_running_loop().call_soon(self._process.dead.set)
        await self._process.alive()
        return lost if kind == "lost" else answer

    async def _question(self, boundary: str, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._process.alive()
        kind = self._process.draw(boundary)
        if kind == "crash_unsent":
            await self._process.die()
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "unsent":
            return Unknown(UnknownCause.CONNECTION, f"{boundary} {kind}")
        answer = await work()
        await self._process.alive()
        if kind == "stale" and isinstance(answer, tuple):
            return answer[:-1]
        if isinstance(answer, Found):
            (now,) = answer.orders
            before = self._seen.setdefault(now.client_order_id, now)
            if kind == "stale":
                return Found((before,))
        return answer


NEVER_LIVE = frozenset({OrderState.REJECTED, OrderState.ABSENT})
ENDED = frozenset({OrderState.CANCELED, OrderState.EXPIRED, OrderState.FILLED}) | NEVER_LIVE
ALLOWED = {KillState.ACTIVE: (True, False), KillState.REDUCING: (True,), KillState.HALTED: ()}
"""Kill switch to the values of reduce_only that may be sent."""
