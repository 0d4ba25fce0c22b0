"""One intent over several venues at once: split by all-in cost, each part an order of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from oem_exec.desk import OrderEvent
from oem_exec.errors import ExecError, IntentConflict, InvalidOrder, StaleMarketData, UnknownOrder
from oem_exec.intel.aggregator import MarketIntelAggregator
from oem_exec.intel.source import IntelField
from oem_exec.model.enums import OrderType, Side, TimeInForce
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.router import LiveExecutionRouter
from oem_exec.split import CostOf, Slice, VenueBook, split_order, taker_cost

_MOST_PARTS = 16
_LONGEST_ID = 60
_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
_ZERO = Decimal(0)

CostModel = Callable[[Side, Sequence[tuple[str, Instrument]]], CostOf]
"""(side, venues with their instruments) to the all-in price of a unit at each venue."""


@dataclass(frozen=True, slots=True)
class SplitOrder:
    """What one intent became at several venues.

    Attributes:
        intent: What the caller wanted.
        orders: Its parts, the first under the intent's own id.
        left_out: Venue of the route to the reason why it got nothing.
        errors: Id of a part to the reason why nothing of it was sent.
    """

    intent: OrderIntent
    orders: tuple[Order, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def filled_quantity(self) -> Decimal:
        """Return what was executed over all venues so far."""
        return sum((order.filled_quantity for order in self.orders), _ZERO)

    @property
    def unsent(self) -> Decimal:
        """Return the quantity no venue was ever asked for; a new intent may ask for it."""
        asked = sum((order.intent.quantity for order in self.orders), _ZERO)
        return self.intent.quantity - asked

    @property
    def average_price(self) -> Decimal | None:
        """Return the mean price of what was executed; None when nothing was."""
        notional = sum(((o.average_price or _ZERO) * o.filled_quantity for o in self.orders), _ZERO)
        return notional / self.filled_quantity if self.filled_quantity else None

    def as_json(self) -> dict[str, object]:
        """Return the whole in JSON's types."""
        return {
            "intent": self.intent.as_json(),
            "orders": [order.as_json() for order in self.orders],
            "filled_quantity": str(self.filled_quantity),
            "unsent": str(self.unsent),
            "left_out": dict(self.left_out),
            "errors": dict(self.errors),
        }


class SplitRouter:
    """Splits intents over the venues of their route and has the router execute the parts.

    The first part carries the intent's own id and is durable before any other part is sent, so an
    intent is split once, whatever fails: submitted again, it returns its parts as they are. Every
    part is an order under the router's promise. A part that its venue refuses definitely goes on
    to the other venues of the split, the cheapest first.

    Args:
        router: Executes the parts.
        intel: The shared market intelligence; a venue with a stale book gets nothing.
        cost_model: All-in cost of a unit; the taker fee alone by default.
    """

    def __init__(
        self,
        router: LiveExecutionRouter,
        intel: MarketIntelAggregator,
        cost_model: CostModel = taker_cost,
    ) -> None:
        self._router = router
        self._intel = intel
        self._cost_model = cost_model
        self._running: dict[str, asyncio.Task[SplitOrder]] = {}

    async def submit(self, intent: OrderIntent) -> SplitOrder:
        """Have an intent executed at the least all-in cost, once.

        Raises:
            InvalidOrder: The kind of order cannot be split, or the visible books cannot fill it.
            StaleMarketData: No venue of the route has a fresh book.
            IntentConflict: The id was used for something else, or for more than is asked now. An
                intent that asks for more than its parts did gets them back, the rest as `unsent`.
            NoRoute: No venue for its symbol and profile.
            KillSwitchEngaged: REDUCING or HALTED refuses it.
            JournalFailed: The decision log refuses entries; trading has stopped.
            StoreUnavailable: The store refuses writes; trading has stopped.
        """
        running = self._running.get(intent.intent_id)
        if running is None:
            _check_kind(intent)
            # a task of its own: a caller that gives up must not leave a split half-way
            running = asyncio.create_task(self._submit(intent))
            self._running[intent.intent_id] = running
            running.add_done_callback(lambda _: self._running.pop(intent.intent_id, None))
        found = await asyncio.shield(running)
        return _same(found, intent)

    async def cancel(self, intent_id: str) -> tuple[Order, ...]:
        """Cancel every part of an intent; raises `UnknownOrder` when there is none."""
        parts = self._parts(intent_id)
        if not parts:
            raise UnknownOrder("no such intent", where=intent_id, remedy="check the intent id")
        return tuple(await asyncio.gather(*(self._router.cancel(o.intent_id) for o in parts)))

    def order(self, intent: OrderIntent) -> SplitOrder | None:
        """Return what an intent became, None when it was never split or sent."""
        parts = self._parts(intent.intent_id)
        return _same(SplitOrder(intent, parts), intent) if parts else None

    def _parts(self, intent_id: str) -> tuple[Order, ...]:
        found = []
        for number in range(_MOST_PARTS):
            try:
                found.append(self._router.order(part_id(intent_id, number)))
            except UnknownOrder:
                if number == 0:
                    return ()
        return tuple(found)

    async def _submit(self, intent: OrderIntent) -> SplitOrder:
        known = self.order(intent)
        if known is not None:
            return known
        books, left_out = await self._books(intent)
        rules = [(book.venue, book.instrument) for book in books]
        cost_of = self._cost_model(intent.side, rules)
        slices = split_order(intent.side, intent.quantity, books, cost_of, intent.price)
        used = {one.venue for one in slices}
        left_out |= {book.venue: "not needed" for book in books if book.venue not in used}
        await self._router.note("order.split", _plan(intent, slices, left_out))
        parts = {part_id(intent.intent_id, number): one for number, one in enumerate(slices)}
        orders, errors = await self._send(intent, parts)
        return SplitOrder(intent, orders, left_out, errors)

    async def _books(self, intent: OrderIntent) -> tuple[list[VenueBook], dict[str, str]]:
        """Return the fresh books of the route's venues, and why others are left out."""
        names = self._router.routed(intent.symbol, intent.profile)
        read = set(self._intel.venues(intent.symbol))
        left_out: dict[str, str] = {n: "its market is not read" for n in names if n not in read}
        asked = [name for name in names if name in read]

        async def of(name: str) -> VenueBook | None:
            try:
                instrument = await self._router.instrument(name, intent.symbol)
                reading = await self._intel.refresh(name, intent.symbol, (IntelField.BOOK,))
                book = reading.book
            except ExecError as error:
                left_out[name] = str(error)
                return None
            if instrument is None:
                left_out[name] = f"it does not trade {intent.symbol}"
                return None
            return VenueBook(name, instrument, book)

        found = [book for book in await asyncio.gather(*map(of, asked)) if book is not None]
        if not found:
            raise StaleMarketData(
                f"no venue of the route has a fresh book of {intent.symbol}",
                where=intent.intent_id,
                remedy="; ".join(f"{venue}: {why}" for venue, why in left_out.items()),
            )
        return found, left_out

    async def _send(
        self, intent: OrderIntent, parts: Mapping[str, Slice]
    ) -> tuple[tuple[Order, ...], dict[str, str]]:
        names = [one.venue for one in parts.values()]

        def start(name: str, one: Slice) -> asyncio.Task[Order]:
            wanted = replace(intent, intent_id=name, quantity=one.quantity)
            others = [venue for venue in names if venue != one.venue]
            return asyncio.create_task(self._router.submit(wanted, venues=[one.venue, *others]))

        first, *rest = parts.items()
        tasks = {first[0]: start(*first)}
        await self._durable(first[0], tasks[first[0]])
        tasks |= {name: start(name, one) for name, one in rest}
        done = await asyncio.gather(*tasks.values(), return_exceptions=True)
        orders: list[Order] = []
        errors: dict[str, str] = {}
        for name, result in zip(tasks, done, strict=True):
            if isinstance(result, Order):
                orders.append(result)
            elif isinstance(result, ExecError):
                errors[name] = str(result)
            else:
                raise result
        return tuple(orders), errors

    async def _durable(self, name: str, task: asyncio.Task[Order]) -> None:
        """Return when an order's intent is on disk; raise what kept it from getting there."""
        admitted = asyncio.Event()

        def hear(event: OrderEvent) -> None:
            if event.kind == "intent" and event.order.intent_id == name:
                admitted.set()

        self._router.listeners.append(hear)
        waiting = asyncio.create_task(admitted.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self._router.listeners.remove(hear)
        if task.done() and not admitted.is_set():
            task.result()


def part_id(intent_id: str, number: int) -> str:
    """Return the id of an intent's part: the intent's own for the first."""
    return f"{intent_id}~{number}" if number else intent_id


def _check_kind(intent: OrderIntent) -> None:
    if intent.type not in _TYPES or intent.time_in_force is TimeInForce.FOK:
        raise InvalidOrder(
            f"a {intent.type} {intent.time_in_force} order is not split over venues",
            where=intent.intent_id,
            remedy="split market and limit orders; submit this one to the router",
        )
    if len(intent.intent_id) > _LONGEST_ID:
        raise InvalidOrder(
            "the intent id leaves no room for the parts' numbers",
            where=intent.intent_id,
            remedy=f"use at most {_LONGEST_ID} characters",
        )


def _same(found: SplitOrder, intent: OrderIntent) -> SplitOrder:
    """Return the split if its parts are parts of this intent; raises `IntentConflict`."""
    wanted = replace(intent, created_ns=0)
    whole = all(
        wanted.same_order(replace(order.intent, quantity=intent.quantity)) for order in found.orders
    )
    if not whole or found.unsent < 0 or not found.intent.same_order(intent):
        raise IntentConflict(
            "the intent id was used for another order",
            where=intent.intent_id,
            remedy="use a new intent id for a new order",
        )
    return found


def _plan(
    intent: OrderIntent, slices: Iterable[Slice], left_out: Mapping[str, str]
) -> dict[str, object]:
    return {
        "intent": intent.as_json(),
        "parts": [
            {
                "intent_id": part_id(intent.intent_id, number),
                "venue": one.venue,
                "quantity": str(one.quantity),
                "all_in_cost": str(one.cost),
            }
            for number, one in enumerate(slices)
        ],
        "left_out": dict(left_out),
    }
