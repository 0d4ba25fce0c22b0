"""The orders under way: applies evidence, writes log and store, tells listeners and metrics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from oem_exec.errors import ExecError
from oem_exec.evidence import Applied, apply_evidence, apply_trades, words_of
from oem_exec.journal import Journal
from oem_exec.metrics import RouterMetrics
from oem_exec.model.fill import Fill
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.recorder import Entry, Recorder
from oem_exec.store.protocol import Contradiction, KillSwitch, OrderStore
from oem_exec.venue import VenueOrder
from oem_security.clock import Clock

EventKind = Literal["intent", "outcome", "fill", "reconciled", "canceled", "amended", "quarantined"]


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order, for streams and ledgers."""

    kind: EventKind
    order: Order
    fill: Fill | None = None


class Desk:
    """Keeps the newest knowledge of every order under way.

    What is learnt is written by a `Recorder`, the journal first and the store after it. Once
    either refuses, the desk is failed for good and every later admission raises.

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
        self._recorder = Recorder(store, journal)
        self._reported: set[tuple[str, str]] = set()

    @property
    def failure(self) -> ExecError | None:
        """Return why trading stopped, None while it goes on."""
        return self._recorder.failure

    def check(self) -> None:
        """Raise why trading stopped, if it did."""
        self._recorder.check()

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

    def known_intent(self, intent_id: str) -> tuple[Order | None, KillSwitch | None]:
        """Return the newest order of an intent, and the kill switch where the store was read."""
        if intent_id in self._latest:
            return self.latest(intent_id), None
        known, switch = self._store.glance(intent_id)
        return (self.latest(intent_id) if known else None), switch

    def live(self) -> tuple[Order, ...]:
        """Return all unsettled orders, oldest first."""
        return tuple(self._live.values())

    def ours(self, venue: str, venue_order_ids: Iterable[str]) -> frozenset[str]:
        """Return which of a venue's order ids are those of orders of the store or under way."""
        here = {o.venue_order_id for o in self.known() if o.venue == venue}
        asked = frozenset(venue_order_ids)
        return self._store.known_ids(venue, asked - here) | asked & here

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
        body = {} if self._journal is None else _intent_body(order)
        inserted = await self._recorder.admit(order, body)
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
        """Return when everything learnt so far is written, or recording has failed."""
        await self._recorder.drain()

    async def durable(self) -> None:
        """Return when everything learnt so far is written; raises when recording failed."""
        await self._recorder.durable()

    async def note(self, kind: str, body: dict[str, object]) -> None:
        """Append an entry of the router itself to the journal."""
        await self._recorder.append(kind, body)

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
        # what a venue said can be asked again; a decision of ours cannot
        durable = (
            contradiction is not None
            or order is None
            or order.venue not in self._remembering
            or order.cancel_requested
            or order.asked_quantity is not None
        )
        body = {} if self._journal is None else _body(order, fills, contradiction)
        self._recorder.record(Entry(kind, order, fills, contradiction, durable, body))


def _intent_body(order: Order) -> dict[str, object]:
    return {
        "intent": order.intent.as_json(),
        "client_order_id": order.client_order_id,
        "venue": order.venue,
        "attempt": order.attempt,
        "quantity": str(order.quantity),
        "price": None if order.price is None else str(order.price),
    }


def _body(
    order: Order | None, fills: tuple[Fill, ...], contradiction: Contradiction | None
) -> dict[str, object]:
    body: dict[str, object] = {}
    if order is not None:
        body = {
            "intent_id": order.intent.intent_id,
            "client_order_id": order.client_order_id,
            "venue": order.venue,
            "venue_order_id": order.venue_order_id,
            "state": order.state.value,
            "filled_quantity": str(order.filled_quantity),
            "reason": order.reason,
            "latency_ns": order.latency_ns,
        }
        if fills:
            body["fills"] = [fill.as_json() for fill in fills]
    if contradiction is not None:
        body["contradiction"] = contradiction.what
        body["venue"] = contradiction.venue
        body["evidence"] = contradiction.evidence
    return body


def unsent(order: Order, reason: str, now_ns: int) -> Order:
    """Return an order as refused before anything was sent for it."""
    return replace(order.moved(OrderState.REJECTED, now_ns, reason=reason), settled=True)
