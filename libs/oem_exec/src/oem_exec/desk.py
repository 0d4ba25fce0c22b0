"""The orders under way: applies evidence, writes log and store, tells listeners and metrics."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from oem_exec.errors import ExecError, JournalFailed, StoreUnavailable
from oem_exec.evidence import Applied, apply_evidence, apply_trades, words_of
from oem_exec.journal import Journal
from oem_exec.metrics import RouterMetrics
from oem_exec.model.fill import Fill
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.store.protocol import Contradiction, OrderStore
from oem_exec.venue import VenueOrder
from oem_security.clock import Clock

EventKind = Literal["intent", "outcome", "fill", "reconciled", "canceled", "amended", "quarantined"]


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order, for streams and ledgers."""

    kind: EventKind
    order: Order
    fill: Fill | None = None


@dataclass(slots=True)
class _Entry:
    kind: str
    order: Order | None
    fills: tuple[Fill, ...]
    contradiction: Contradiction | None
    durable: bool = True


class Desk:
    """Keeps the newest knowledge of every order under way.

    What is learnt goes to the journal first and to the store after it: a crash in between is
    repaired by reconciliation, which writes it to the journal again. Once either refuses, the
    desk is failed for good and every later admission raises.

    Args:
        store: Durable orders.
        journal: The decision log; None keeps none.
        metrics: Where to count; None counts nothing.
        clock: Time of changes.
        recent: Finished orders kept in memory for quick answers.
        remembering: Venues that can be asked again after a power cut.
    """

    def __init__(
        self,
        store: OrderStore,
        journal: Journal | None,
        metrics: RouterMetrics | None,
        clock: Clock,
        recent: int = 4096,
        remembering: frozenset[str] = frozenset(),
    ) -> None:
        self.listeners: list[Callable[[OrderEvent], None]] = []
        self._store = store
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._recent_size = recent
        self._remembering = remembering
        self._live: dict[str, Order] = {}
        self._recent: OrderedDict[str, Order] = OrderedDict()
        self._latest: dict[str, str] = {}
        self._entries: list[_Entry] = []
        self._batch: asyncio.Event | None = None
        self._writer: asyncio.Task[None] | None = None
        self._failure: ExecError | None = None
        self._reported: set[tuple[str, str]] = set()

    @property
    def failure(self) -> ExecError | None:
        """Return why trading stopped, None while it goes on."""
        return self._failure

    def check(self) -> None:
        """Raise why trading stopped, if it did."""
        if self._failure is not None:
            raise self._failure

    def load(self) -> tuple[Order, ...]:
        """Take every unsettled order of the store and return them, oldest first."""
        found = self._store.unsettled()
        for order in found:
            self._keep(order)
        self._reported = {(c.client_order_id, c.what) for c in self._store.contradictions()}
        return found

    # knowledge

    def get(self, client_order_id: str) -> Order | None:
        """Return an order by the id the venue sees."""
        found = self._live.get(client_order_id) or self._recent.get(client_order_id)
        return found or self._store.order(client_order_id)

    def latest(self, intent_id: str) -> Order | None:
        """Return the newest order of an intent."""
        client_id = self._latest.get(intent_id)
        if client_id is not None and (found := self.get(client_id)) is not None:
            return found
        attempts = self._store.attempts(intent_id)
        return attempts[-1] if attempts else None

    def live(self) -> tuple[Order, ...]:
        """Return all unsettled orders, oldest first."""
        return tuple(self._live.values())

    def venue_order_ids(self, venue: str) -> frozenset[str]:
        """Return the venue's own ids of all orders of the store and of those under way."""
        here = {o.venue_order_id for o in self.known() if o.venue == venue}
        return self._store.order_ids(venue) | here

    def known(self) -> tuple[Order, ...]:
        """Return the orders in memory, unsettled and recent, oldest first."""
        return tuple(
            sorted((*self._recent.values(), *self._live.values()), key=lambda o: o.sent_ns)
        )

    # changes

    async def admit(self, order: Order) -> bool:
        """Make a new order durable in store and journal; False when its intent has that attempt.

        Raises:
            JournalFailed: The decision log refused; nothing may be sent.
            StoreUnavailable: The store refused; nothing may be sent.
        """
        self.check()
        if self._journal is None:
            inserted = await self._insert(order)
        else:
            # both wait for the disk, so they wait together; a log entry whose insert failed is
            # an intent that was never sent, which is what it says
            inserted, _ = await asyncio.gather(
                self._insert(order), self._append("order.intent", _intent_body(order))
            )
        if inserted:
            self._keep(order)
            self._emit(OrderEvent("intent", order))
        return inserted

    def learn(self, client_order_id: str, seen: VenueOrder, kind: EventKind) -> Order:
        """Apply a venue's words about an order and record what changed."""
        order = self._require(client_order_id)
        return self._take(order, apply_evidence(order, seen, self._clock.now_ns()), kind, seen)

    def learn_trades(self, client_order_id: str, fills: tuple[Fill, ...]) -> Order:
        """Apply a list of an order's trades."""
        order = self._require(client_order_id)
        applied = apply_trades(order, fills, self._clock.now_ns())
        return self._take(order, applied, "fill", fills)

    def change(self, order: Order, kind: EventKind) -> Order:
        """Record an order that was changed on other grounds than a venue's words."""
        before = self._live.get(order.client_order_id)
        self._keep(order)
        self._record(f"order.{kind}", order, ())
        self._count(before, order, kind)
        self._emit(OrderEvent(kind, order))
        return order

    def contradict(self, venue: str, client_order_id: str, what: str, evidence: object) -> None:
        """Keep evidence that fits no order, once per order and wording."""
        order = self._live.get(client_order_id)
        if (client_order_id, what) in self._reported:
            return
        self._reported.add((client_order_id, what))
        found = Contradiction(
            self._clock.now_ns(), venue, client_order_id, what, words_of(evidence)
        )
        self._record("order.quarantined", order, (), found)

    async def drain(self) -> None:
        """Return when everything learnt so far is durable, or recording has failed."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})

    async def durable(self) -> None:
        """Return when everything learnt so far is durable; raises when recording failed."""
        # batches are written one after the other: the newest one's end is the end of all
        if self._batch is not None:
            await self._batch.wait()
        self.check()

    async def note(self, kind: str, body: dict[str, object]) -> None:
        """Append an entry of the router itself to the journal."""
        if self._journal is not None:
            await self._append(kind, body)

    # inside

    def _require(self, client_order_id: str) -> Order:
        order = self.get(client_order_id)
        if order is None:
            raise AssertionError(f"no order {client_order_id}: callers hold only admitted orders")
        return order

    def _take(self, before: Order, applied: Applied, kind: EventKind, evidence: object) -> Order:
        after = applied.order
        contradiction = None
        key = (before.client_order_id, applied.contradiction)
        if applied.contradiction and key not in self._reported:
            self._reported.add(key)
            contradiction = Contradiction(
                self._clock.now_ns(),
                before.venue,
                before.client_order_id,
                applied.contradiction,
                words_of(evidence),
            )
        moved = (
            after.state is not before.state
            or after.filled_quantity != before.filled_quantity
            or after.venue_order_id != before.venue_order_id
            or after.quantity != before.quantity
            or after.price != before.price
            or after.settled != before.settled
        )
        if after.state is OrderState.QUARANTINED and before.state is not after.state:
            kind = "quarantined"
        if not moved and not applied.fills and contradiction is None:
            return before
        self._keep(after)
        name = "quarantined" if contradiction is not None else kind
        self._record(f"order.{name}", after, applied.fills, contradiction)
        self._count(before, after, kind)
        if moved:
            self._emit(OrderEvent(kind, after))
        for fill in applied.fills:
            self._emit(OrderEvent("fill", after, fill))
        return after

    def _keep(self, order: Order) -> None:
        key = order.client_order_id
        latest = self._latest.get(order.intent_id)
        newest = self._live.get(latest) or self._recent.get(latest) if latest else None
        if newest is None or newest.attempt <= order.attempt:
            self._latest[order.intent_id] = key
        if not order.settled:
            self._live[key] = order
            return
        self._live.pop(key, None)
        self._recent[key] = order
        self._recent.move_to_end(key)
        while len(self._recent) > self._recent_size:
            _, gone = self._recent.popitem(last=False)
            if self._latest.get(gone.intent_id) == gone.client_order_id:
                del self._latest[gone.intent_id]

    def _count(self, before: Order | None, after: Order, kind: EventKind) -> None:
        metrics = self._metrics
        if metrics is None or before is None:
            return
        venue = after.venue
        if before.state is OrderState.SUBMITTING and after.state is not before.state:
            metrics.order(venue, after.state.value)
        if kind == "reconciled" and before.state is not after.state:
            metrics.reconciled(venue, after.state.value)
        if OrderState.UNKNOWN in {before.state, after.state}:
            metrics.unknown(venue, self.count_unknown(venue))
        if after.settled and not before.settled and after.venue_order_id:
            metrics.finished(venue, float(after.filled_quantity / after.quantity))

    def count_unknown(self, venue: str) -> int:
        """Return how many orders of a venue have an unknown outcome."""
        return sum(
            1 for o in self._live.values() if o.venue == venue and o.state is OrderState.UNKNOWN
        )

    def _emit(self, event: OrderEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def _record(
        self,
        kind: str,
        order: Order | None,
        fills: tuple[Fill, ...],
        contradiction: Contradiction | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        # what a venue said can be asked again; a decision of ours cannot
        durable = (
            contradiction is not None
            or order is None
            or order.venue not in self._remembering
            or order.cancel_requested
            or order.asked_quantity is not None
        )
        if not self._entries or self._batch is None:
            self._batch = asyncio.Event()
        self._entries.append(_Entry(kind, order, fills, contradiction, durable))
        if self._writer is None or self._writer.done():
            self._writer = loop.create_task(self._write(), name="oem-exec-recorder")

    async def _write(self) -> None:
        while self._entries:
            batch, self._entries = self._entries, []
            written = self._batch
            try:
                self.check()
                if self._journal is not None:
                    await asyncio.gather(*(self._append(e.kind, _body(e)) for e in batch))
                newest = {e.order.client_order_id: e.order for e in batch if e.order is not None}
                fills = [fill for e in batch for fill in e.fills]
                lazy = not any(e.durable for e in batch)
                await self._guard_store(self._store.save(newest.values(), fills, lazy=lazy))
                for e in batch:
                    if e.contradiction is not None:
                        await self._guard_store(self._store.quarantine(e.contradiction))
            except ExecError as error:
                self._failure = self._failure or error
            if written is not None:
                written.set()

    async def _append(self, kind: str, body: dict[str, object]) -> None:
        if self._journal is None:
            return
        try:
            await self._journal.append(kind, body)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            failure = JournalFailed(
                f"the decision log refused an entry: {error}",
                where=kind,
                remedy="free the disk or repair the log, then start the daemon again; "
                "no order is sent without its entry",
            )
            self._failure = self._failure or failure
            raise failure from error

    async def _insert(self, order: Order) -> bool:
        return await self._guard_store(self._store.insert(order))

    async def _guard_store(self, writing: Awaitable[bool | None]) -> bool:
        try:
            return bool(await writing)
        except StoreUnavailable as error:
            self._failure = self._failure or error
            raise


def _intent_body(order: Order) -> dict[str, object]:
    return {
        "intent": order.intent.as_json(),
        "client_order_id": order.client_order_id,
        "venue": order.venue,
        "attempt": order.attempt,
        "quantity": str(order.quantity),
        "price": None if order.price is None else str(order.price),
    }


def _body(entry: _Entry) -> dict[str, object]:
    body: dict[str, object] = {}
    order = entry.order
    if order is not None:
        body = {
            "intent_id": order.intent_id,
            "client_order_id": order.client_order_id,
            "venue": order.venue,
            "venue_order_id": order.venue_order_id,
            "state": order.state.value,
            "filled_quantity": str(order.filled_quantity),
            "reason": order.reason,
            "latency_ns": order.latency_ns,
        }
        if entry.fills:
            body["fills"] = [fill.as_json() for fill in entry.fills]
    if entry.contradiction is not None:
        body["contradiction"] = entry.contradiction.what
        body["venue"] = entry.contradiction.venue
        body["evidence"] = entry.contradiction.evidence
    return body


def unsent(order: Order, reason: str, now_ns: int) -> Order:
    """Return an order as refused before anything was sent for it."""
    return replace(order.moved(OrderState.REJECTED, now_ns, reason=reason), settled=True)
