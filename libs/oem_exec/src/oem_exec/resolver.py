"""Finding out what became of orders: only the venue's own evidence moves one out of unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random

from oem_exec.backoff import Backoff
from oem_exec.desk import Desk, EventKind
from oem_exec.evidence import NEVER_EXISTED, ended, quarantined
from oem_exec.gateway import Gateway
from oem_exec.model.enums import UnknownCause
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.venue import Found, NotFound
from oem_security.clock import Clock

_SECOND = 1_000_000_000
_MISSING_READS = 5
"""Look-ups in a row that must miss an accepted order, over more than the venue's visibility delay,
before a person is called."""
_ORPHAN_WINDOW_NS = 3600 * _SECOND
"""How far back the account's trades are compared with the store at each reconciliation."""
_SKEW_NS = 5 * _SECOND
"""Largest difference assumed between the venue's clock and ours when trades are compared."""


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What reconciliation found.

    Attributes:
        checked: Orders looked at.
        resolved: Orders that were not final before and whose state is certain now.
        unresolved: Orders that are still unknown; they are neither repeated nor forgotten.
        quarantined: Orders about which the venue contradicts itself.
        foreign: Open orders of the account that this store does not know, as `venue:id`, and
            trades of the account that belong to none of its orders, as `venue:trade:id`.
    """

    checked: int
    resolved: tuple[Order, ...]
    unresolved: tuple[Order, ...]
    quarantined: tuple[Order, ...]
    foreign: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the report in JSON's types."""
        return {
            "checked": self.checked,
            "resolved": [o.as_json() for o in self.resolved],
            "unresolved": [o.as_json() for o in self.unresolved],
            "quarantined": [o.as_json() for o in self.quarantined],
            "foreign": list(self.foreign),
        }


class Resolver:
    """Looks orders up until the venue's evidence decides.

    Args:
        desk: Where evidence is applied.
        gateways: Venue name to gateway.
        clock: Time; not-found counts only after an order's visibility and receive window.
        backoff: Waits between look-ups.
        rng: Jitter.
    """

    def __init__(
        self,
        desk: Desk,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        backoff: Backoff,
        rng: Random,
    ) -> None:
        self._desk = desk
        self._gateways = gateways
        self._clock = clock
        self._backoff = backoff
        self._rng = rng
        self._missing: dict[str, tuple[int, int]] = {}

    async def look(self, order: Order, kind: EventKind = "reconciled") -> Order:
        """Ask the venue once and return the order as it is known then."""
        gateway = self._gateways.get(order.venue)
        if gateway is None:
            return order
        asked_ns = self._clock.now_ns()
        answer = await gateway.lookup(order)
        order = self._desk.get(order.client_order_id) or order
        if isinstance(answer, Found):
            self._missing.pop(order.client_order_id, None)
            return await self._found(gateway, order, answer, kind)
        if isinstance(answer, NotFound):
            return self._not_found(gateway, order, asked_ns)
        return order

    async def until_certain(self, order: Order, patience_s: float) -> Order:
        """Ask until the order's state is certain or the patience is over."""
        deadline = self._clock.now_ns() + int(patience_s * _SECOND)
        attempt = 0
        while not certain(order) and self._clock.now_ns() < deadline:
            order = await self.look(order)
            if not certain(order):
                await asyncio.sleep(self._wait_s(order, attempt))
                attempt += 1
        return order

    def _wait_s(self, order: Order, attempt: int) -> float:
        wait = self._backoff.wait_s(attempt, self._rng)
        # once the window is over the next look-up decides, so there is no use in waiting longer
        over = (order.valid_until_ns - self._clock.now_ns()) / _SECOND
        return min(wait, over + 0.001) if over > 0 else wait

    async def _found(self, gateway: Gateway, order: Order, answer: Found, kind: EventKind) -> Order:
        if len({seen.venue_order_id for seen in answer.orders}) > 1:
            ids = ", ".join(seen.venue_order_id for seen in answer.orders)
            applied = quarantined(order, f"two orders for one id: {ids}", self._clock.now_ns())
            self._desk.contradict(
                order.venue, order.client_order_id, applied.contradiction, answer.orders
            )
            return self._desk.change(applied.order, "quarantined")
        order = self._desk.learn(order.client_order_id, answer.orders[0], kind)
        return await self.explain(order, gateway)

    async def explain(self, order: Order, gateway: Gateway) -> Order:
        """Fetch the trades behind executions that are known only as a sum."""
        if order.state is OrderState.QUARANTINED:
            return order
        known = sum(fill.quantity for fill in order.fills)
        if known == order.filled_quantity:
            return order
        fills = await gateway.trades(order)
        if isinstance(fills, tuple):
            return self._desk.learn_trades(order.client_order_id, fills)
        return order

    def _not_found(self, gateway: Gateway, order: Order, asked_ns: int) -> Order:
        now = self._clock.now_ns()
        if order.state in {OrderState.SUBMITTING, OrderState.UNKNOWN}:
            if asked_ns <= order.valid_until_ns:
                return order  # the venue could still accept it late, or not show it yet
            return self._desk.change(
                ended(order, OrderState.ABSENT, "never accepted: not found", now), "reconciled"
            )
        if not order.state.open:
            return order
        if not gateway.capabilities.remembers:
            gone = ended(order, OrderState.EXPIRED, "the paper venue was restarted", now)
            return self._desk.change(replace(gone, settled=True), "reconciled")
        missed, since_ns = self._missing.get(order.client_order_id, (0, asked_ns))
        self._missing[order.client_order_id] = (missed + 1, since_ns)
        delay_ns = int(gateway.capabilities.visibility_delay_s * _SECOND)
        if missed + 1 < _MISSING_READS or asked_ns - since_ns <= delay_ns:
            return order  # a new order, or a reader that lags behind
        applied = quarantined(order, "an accepted order cannot be found any more", now)
        self._desk.contradict(order.venue, order.client_order_id, applied.contradiction, "")
        return self._desk.change(applied.order, "quarantined")

    async def foreign(self) -> tuple[str, ...]:
        """Return open orders at the venues that the store does not know, as `venue:id`."""
        found: list[str] = []
        for name, gateway in self._gateways.items():
            seen = await gateway.open_orders()
            if not isinstance(seen, tuple):
                continue
            for order in seen:
                known = self._desk.get(order.client_order_id)
                if known is not None and known.state in NEVER_EXISTED:
                    self._desk.learn(order.client_order_id, order, "reconciled")
                elif known is None:
                    label = order.client_order_id or order.venue_order_id
                    found.append(f"{name}:{label}")
                    self._desk.contradict(
                        name,
                        order.client_order_id,
                        "an open order nobody here asked for",
                        order,
                    )
        return tuple(found)

    async def orphans(self, orders: Iterable[Order]) -> tuple[str, ...]:
        """Return trades of the account that belong to no order of the store, as `venue:trade:id`.

        Args:
            orders: Recent orders: their venues and symbols are looked at, back to the oldest of
                them and at most over `_ORPHAN_WINDOW_NS`, or to the oldest live order.
        """
        since: dict[tuple[str, str], int] = {}
        for order in orders:
            key = order.venue, order.intent.symbol
            since[key] = min(since.get(key, order.sent_ns), order.sent_ns)
        floor = self._clock.now_ns() - _ORPHAN_WINDOW_NS
        floor = min([floor, *(order.sent_ns for order in self._desk.live())])
        found: list[str] = []
        for (name, symbol), oldest_ns in since.items():
            if (gateway := self._gateways.get(name)) is not None:
                found += await self._orphans(gateway, symbol, max(oldest_ns, floor))
        return tuple(found)

    async def _orphans(self, gateway: Gateway, symbol: str, since_ns: int) -> list[str]:
        asked_ns = self._clock.now_ns()
        trades = await gateway.account_trades(symbol, since_ns)
        if not isinstance(trades, tuple) or not trades:
            return []
        # the trades of an order whose answer is not read yet look like nobody's
        doubtful = [o.sent_ns for o in self._desk.live() if not o.venue_order_id]
        until_ns = min([asked_ns, *doubtful]) - _SKEW_NS
        ours = self._desk.ours(gateway.name, (trade.venue_order_id for trade in trades))
        found: list[str] = []
        for trade in trades:
            fill = trade.fill
            if trade.venue_order_id in ours or not since_ns <= fill.time_ns < until_ns:
                continue
            found.append(f"{gateway.name}:trade:{fill.trade_id}")
            what = f"trade {fill.trade_id} of order {trade.venue_order_id}, which nobody here sent"
            self._desk.contradict(gateway.name, "", what, trade)
        return found


def certain(order: Order) -> bool:
    """Return whether the order's existence at the venue is decided."""
    return order.state not in {OrderState.SUBMITTING, OrderState.UNKNOWN}


def interrupted(order: Order, gateway: Gateway, now_ns: int) -> Order:
    """Return an order found in the store at start with the latest moment it could be accepted.

    Nothing of this process is on its way, but the last process may have signed a request just
    before it ended, so its receive window counts from now.
    """
    if order.state not in {OrderState.SUBMITTING, OrderState.UNKNOWN}:
        return order
    until = now_ns + window_ns(gateway)
    if order.state is OrderState.UNKNOWN:
        return replace(order, valid_until_ns=until)
    moved = order.moved(OrderState.UNKNOWN, now_ns, reason=UnknownCause.RESTART.value)
    return replace(moved, valid_until_ns=until)


def window_ns(gateway: Gateway) -> int:
    """Return how long a request may still be accepted and invisible, nanoseconds."""
    capabilities = gateway.capabilities
    return int((capabilities.receive_window_s + capabilities.visibility_delay_s) * _SECOND)


def summary(before: Iterable[Order], after: Iterable[Order]) -> ReconcileReport:
    """Return the report of a reconciliation from the orders before and after it."""
    olds, news = list(before), list(after)
    resolved = tuple(
        new
        for old, new in zip(olds, news, strict=True)
        if certain(new)
        and (not certain(old) or new.state is not old.state)
        and new.state is not OrderState.QUARANTINED
    )
    return ReconcileReport(
        checked=len(news),
        resolved=resolved,
        unresolved=tuple(o for o in news if not certain(o)),
        quarantined=tuple(o for o in news if o.state is OrderState.QUARANTINED),
    )
