"""Writing what is learnt about orders: the decision log first, the store after, both in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from oem_exec.errors import ExecError, JournalFailed, StoreUnavailable
from oem_exec.journal import Journal
from oem_exec.model.fill import Fill
from oem_exec.model.order import Order
from oem_exec.store.protocol import Contradiction, OrderStore

_LINGER_S = 0.02
"""What a venue can be asked again waits this long for an intent to share a log write with."""


@dataclass(slots=True)
class Entry:
    """One thing learnt: a line of the log, and the rows behind it.

    Attributes:
        kind: The log's kind.
        order: The order as it is known now; None for evidence about nobody's order.
        fills: Trades learnt with it.
        contradiction: Evidence that goes to quarantine.
        durable: Nobody could tell it again, so it is written at once and survives a power cut.
        body: What the log says.
    """

    kind: str
    order: Order | None
    fills: tuple[Fill, ...]
    contradiction: Contradiction | None
    durable: bool
    body: Mapping[str, object]


@dataclass(slots=True)
class _Ride:
    """Entries whose lines are on their way to the log with an intent."""

    entries: Sequence[Entry]
    upto: int
    logged: bool = False


class Recorder:
    """Puts entries into log and store in the order they were learnt.

    What is learnt goes to the journal first and to the store after it: a crash in between is
    repaired by reconciliation, which writes it to the journal again. Once either refuses, the
    recorder is failed for good and every later admission raises.

    What the venue could tell again lingers for a moment: the next intent's own line, which has to
    reach the disk anyhow, carries it there, and the store's next commit takes its rows.

    Args:
        store: Durable orders; its writes take effect in the order they are asked for.
        journal: The decision log; None keeps none. Where it offers `write`, which hands an entry in
            without waiting, entries ride with intents.
    """

    def __init__(self, store: OrderStore, journal: Journal | None) -> None:
        self._store = store
        self._journal = journal
        self._hand_in: Callable[[str, Mapping[str, object]], None] | None = getattr(
            journal, "write", None
        )
        self._may_ride = journal is None or self._hand_in is not None
        self._entries: list[Entry] = []
        self._taken = self._done = 0
        self._rides: deque[_Ride] = deque()
        self._saving: set[asyncio.Future[object]] = set()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0
        self._grounded: asyncio.Future[None] | None = None
        self.failure: ExecError | None = None

    def check(self) -> None:
        """Raise why trading stopped, if it did."""
        if self.failure is not None:
            raise self.failure

    async def admit(self, order: Order, body: Mapping[str, object]) -> bool:
        """Make a new order durable in store and journal; False when its intent has that attempt.

        Raises:
            JournalFailed: The decision log refused; nothing may be sent.
            StoreUnavailable: The store refused; nothing may be sent.
        """
        self.check()
        ride = self._board()
        # both wait for the disk, so they wait together; a log entry whose insert failed is an
        # intent that was never sent, which is what it says
        insertion = asyncio.ensure_future(self._store.insert(order))
        if self._journal is not None:
            try:
                await self.append("order.intent", body)
            except BaseException:
                insertion.add_done_callback(_retrieved)
                self._leave(ride)
                raise
            self._arrive(ride)
        try:
            return bool(await insertion)
        except StoreUnavailable as error:
            self._fail(error)
            raise

    def record(self, entry: Entry) -> None:
        """Take an entry; it is written soon, or at once when nobody could tell it again."""
        loop = asyncio.get_running_loop()
        if not self._entries:
            self._since_s = loop.time()
        self._entries.append(entry)
        self._taken += 1
        if entry.durable or not self._may_ride:
            self._begin()
        elif self._timer is None and self._writer is None:
            self._timer = loop.call_later(_LINGER_S, self._lingered, loop)

    async def durable(self) -> None:
        """Return when everything recorded so far is written; raises when recording failed."""
        self.check()
        if self._done < self._taken:
            self._begin()
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append((self._taken, waiter))
            await waiter
            self.check()

    async def drain(self) -> None:
        """Return when everything recorded so far is written, or recording has failed."""
        with contextlib.suppress(ExecError):
            await self.durable()

    async def append(self, kind: str, body: Mapping[str, object]) -> None:
        """Append a line to the log and wait for it; a refusal stops trading.

        Raises:
            JournalFailed: The decision log refused.
        """
        if self._journal is None:
            return
        try:
            await self._journal.append(kind, body)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise self._refused(kind, error) from error

    # inside: entries that ride with an intent

    def _board(self) -> _Ride | None:
        """Hand what lingers in to the log, so that the intent's line carries it to the disk."""
        if not self._entries or not self._may_ride or self._writer is not None:
            return None
        ride = _Ride(self._entries, self._taken)
        self._entries = []
        if self._journal is None:
            self._save_soon(ride)
            return None
        self._hand_over(ride.entries)
        self._rides.append(ride)
        return ride

    def _arrive(self, ride: _Ride | None) -> None:
        if ride is None:
            return
        ride.logged = True
        while self._rides and self._rides[0].logged:
            self._save_soon(self._rides.popleft())
        self._ground()

    def _leave(self, ride: _Ride | None) -> None:
        """Have entries whose intent was given up written by themselves, before all later ones."""
        if ride is None or ride not in self._rides:
            return
        self._rides.remove(ride)
        self._entries[:0] = ride.entries
        self._ground()
        self._begin()

    def _ground(self) -> None:
        if self._grounded is not None and not self._rides and not self._grounded.done():
            self._grounded.set_result(None)

    def _save_soon(self, ride: _Ride) -> None:
        saving = asyncio.ensure_future(self._save(ride.entries, lazy=True))
        self._saving.add(saving)

        def saved(future: asyncio.Future[object]) -> None:
            self._saving.discard(future)
            if future.cancelled():
                return
            if (error := future.exception()) is None:
                self._reached(ride.upto)
            else:
                self._fail(error)

        saving.add_done_callback(saved)

    # inside: entries that are written by themselves

    def _lingered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        # one timer serves many entries: those it was set for may have ridden long since
        if self._entries and (due_s := self._since_s + _LINGER_S) > loop.time() + _LINGER_S / 2:
            self._timer = loop.call_at(due_s, self._lingered, loop)
        else:
            self._begin()

    def _begin(self) -> None:
        self._stop_timer()
        if self._entries and self._writer is None:
            loop = asyncio.get_running_loop()
            self._writer = loop.create_task(self._write(), name="oem-exec-recorder")

    async def _write(self) -> None:
        try:
            while self._entries and self.failure is None:
                if self._rides:  # what was learnt earlier is written earlier
                    self._grounded = asyncio.get_running_loop().create_future()
                    await self._grounded
                batch, upto, self._entries = self._entries, self._taken, []
                await self._log(batch)
                await self._save(batch, lazy=not any(e.durable for e in batch))
                for entry in batch:
                    if entry.contradiction is not None:
                        await self._store.quarantine(entry.contradiction)
                if self._saving:
                    await asyncio.wait(self._saving)
                self._reached(upto)
        except ExecError as error:
            self._fail(error)
        finally:
            self._writer = None

    async def _log(self, batch: Sequence[Entry]) -> None:
        if self._journal is None:
            return
        if self._hand_in is None:
            await asyncio.gather(*(self.append(e.kind, e.body) for e in batch))
            return
        self._hand_over(batch[:-1])
        await self.append(batch[-1].kind, batch[-1].body)

    def _hand_over(self, entries: Sequence[Entry]) -> None:
        if self._hand_in is None:
            return
        for entry in entries:
            try:
                self._hand_in(entry.kind, entry.body)
            except Exception as error:
                raise self._refused(entry.kind, error) from error

    def _save(self, batch: Sequence[Entry], *, lazy: bool) -> Awaitable[object]:
        newest = {e.order.client_order_id: e.order for e in batch if e.order is not None}
        return self._store.save(newest.values(), [f for e in batch for f in e.fills], lazy=lazy)

    # inside, where it ends well or not

    def _reached(self, upto: int) -> None:
        self._done = max(self._done, upto)
        while self._waiting and self._waiting[0][0] <= self._done:
            _wake(self._waiting.popleft()[1])

    def _refused(self, kind: str, error: Exception) -> JournalFailed:
        failure = JournalFailed(
            f"the decision log refused an entry: {error}",
            where=kind,
            remedy="free the disk or repair the log, then start the daemon again; "
            "no order is sent without its entry",
        )
        self._fail(failure)
        return failure

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error if isinstance(error, ExecError) else _defect(error)
        while self._waiting:
            _wake(self._waiting.popleft()[1])
        if self._grounded is not None:
            _wake(self._grounded)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _retrieved(future: asyncio.Future[int]) -> None:
    if not future.cancelled():
        future.exception()  # the log's refusal is what the caller hears of


def _defect(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(
        f"the order store failed: {error!r}",
        where="save",
        remedy="report this with the log; trading has stopped",
    )
