"""The cases of a venue's certification: each does one thing and says what it saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from oem_exec.budget import SharedBudgets
from oem_exec.errors import ExecError, InvalidOrder
from oem_exec.model.enums import OrderType, Side, TimeInForce, UnknownCause
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.router import LiveExecutionRouter, RouterSettings
from oem_exec.routes import Route, RouteTable
from oem_exec.store.sqlite import SqliteOrderStore
from oem_exec.venue import BookSnapshot, CancelAnswer, PlaceAnswer, Unknown, Venue
from oem_security.clock import Clock

_ENDED_UNFILLED = frozenset({OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED})
_LIMIT_WAIT_NS = 900_000_000


class CaseFailed(Exception):
    """What was seen is not what must be seen."""


class NotOffered(Exception):
    """The case cannot be brought about at this venue, and why."""


class Disturbed:
    """A venue whose next answer to one kind of request is lost, or whose request is never sent."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.lose: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def place(self, order: Order) -> PlaceAnswer:
        lost = self.lose.pop("place", "")
        if lost == "request":
            return Unknown(UnknownCause.CONNECTION, "certification: the request is lost")
        answer = await self._venue.place(order)
        return _lost() if lost else answer

    async def cancel(self, order: Order) -> CancelAnswer:
        lost = self.lose.pop("cancel", "")
        answer = await self._venue.cancel(order)
        return _lost() if lost else answer

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        lost = self.lose.pop("amend", "")
        answer = await self._venue.amend(order, quantity, price)
        return _lost() if lost else answer


class Bench:
    """What the cases work with: the venue, a router of their own, and orders priced to the book."""

    def __init__(
        self,
        venue: Venue,
        symbol: str,
        folder: Path,
        clock: Clock,
        run: str,
        provoke_limit: Callable[[], Awaitable[None]] | None,
        largest_notional: Decimal | None,
    ) -> None:
        self.venue = Disturbed(venue)
        self.run = run
        self.provoke_limit = provoke_limit
        self.largest_notional = largest_notional
        self._symbol = symbol
        self._clock = clock
        self.store = SqliteOrderStore.open(folder / "certification.sqlite")
        self._budgets = SharedBudgets(
            folder / "budgets", {venue.name: venue.capabilities.limits}, burst_share=0.2
        )
        self.router = self.new_router()

    def new_router(self) -> LiveExecutionRouter:
        """Return a router over the same store and venue, as after a restart."""
        window = self.venue.capabilities
        patience = 3 * (window.receive_window_s + window.visibility_delay_s) + 10
        return LiveExecutionRouter(
            self.store,
            [self.venue],
            RouteTable((Route(venues=(self.venue.name,)),)),
            clock=self._clock,
            settings=RouterSettings(resolve_patience_s=patience, start_patience_s=patience),
            budgets=self._budgets,
        )

    async def close(self) -> None:
        await self.router.stop()
        self.store.close()
        self._budgets.close()

    async def instrument(self) -> Instrument:
        instruments: Mapping[str, Instrument] = await self.venue.instruments()
        found = instruments.get(self._symbol)
        if found is None:
            raise ExecError("not traded here", where=self._symbol, remedy="name another symbol")
        return found

    async def book(self) -> BookSnapshot:
        book = await self.venue.book(self._symbol, 5)
        if not isinstance(book, BookSnapshot) or not book.bids or not book.asks:
            raise ExecError("no book", where=self._symbol, remedy="certify on a liquid symbol")
        return book

    async def smallest(self) -> Decimal:
        """Return a quantity a little above what the venue takes at least."""
        rules, book = await self.instrument(), await self.book()
        unit = book.bids[0][0] * rules.contract_size
        return rules.round_quantity(
            max(rules.min_quantity, rules.min_notional * 2 / unit) + rules.lot_size
        )

    async def price(self, place: str) -> Decimal:
        """Return a price far below the book, or through the best ask."""
        rules, book = await self.instrument(), await self.book()
        if place == "far":
            return rules.round_price(book.bids[0][0] * Decimal("0.97"))
        return rules.round_price(book.asks[0][0] * Decimal("1.01"))

    async def submit(
        self,
        name: str,
        place: str = "far",
        kind: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **more: Any,
    ) -> Order:
        """Submit a buy; `more` replaces fields of the intent."""
        offered = self.venue.capabilities
        if kind not in offered.order_types:
            raise NotOffered(f"no {kind} orders")
        if time_in_force not in offered.times_in_force:
            raise NotOffered(f"no {time_in_force}")
        intent = OrderIntent(
            f"{self.run}-{name}",
            self._symbol,
            Side.BUY,
            more.pop("quantity", None) or await self.smallest(),
            kind,
            await self.price(place) if kind.needs_price else None,
            time_in_force=time_in_force,
            stop_price=more.pop("stop_price", None),
        )
        return await self.router.submit(replace(intent, **more))

    async def seen_again(self, order: Order) -> Order:
        """Return an order after the venue was asked about it once more."""
        await self.router.poll()
        return self.router.order(order.intent_id)


def _lost() -> Unknown:
    return Unknown(UnknownCause.CONNECTION, "certification: the answer is lost")


def _hold(what: str, *, holds: bool) -> str:
    if not holds:
        raise CaseFailed(what)
    return what


# life of an order


async def accept(bench: Bench) -> str:
    """A limit order far from the market rests, and the venue gives it an id."""
    order = await bench.submit("accept")
    return _hold(order.state, holds=order.state is OrderState.OPEN and bool(order.venue_order_id))


async def fill(bench: Bench) -> str:
    """A limit order through the market is filled, and every unit is explained by a trade."""
    order = await bench.seen_again(await bench.submit("fill", "through"))
    fees = ", ".join(f"{amount} {asset}" for asset, amount in order.fees)
    seen = f"{order.state} at {order.average_price}, fees {fees or 'none'}"
    return _hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def market_order(bench: Bench) -> str:
    """A market order is filled, and every unit is explained by a trade."""
    order = await bench.seen_again(await bench.submit("market", kind=OrderType.MARKET))
    seen = f"{order.state} {order.filled_quantity}"
    return _hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def partial_fill(bench: Bench) -> str:
    """Take the whole best level and rest behind it; then cancel what is left."""
    book, rules = await bench.book(), await bench.instrument()
    price, size = book.asks[0]
    quantity = rules.round_quantity(size) + await bench.smallest()
    cost = rules.notional(price, quantity)
    if bench.largest_notional is not None and cost > bench.largest_notional:
        raise NotOffered(f"the best level would cost {cost:.2f} {rules.quote}")
    order = await bench.submit("partial", quantity=quantity, price=price)
    order = await bench.seen_again(order)
    seen = f"{order.state} {order.filled_quantity} of {order.quantity}"
    if order.state is not OrderState.PARTIALLY_FILLED:
        await bench.router.cancel(order.intent_id)
        raise CaseFailed(seen)
    ended = await bench.seen_again(await bench.router.cancel(order.intent_id))
    explained = sum((one.quantity for one in ended.fills), Decimal(0))
    holds = (
        ended.state is OrderState.CANCELED
        and 0 < order.filled_quantity <= ended.filled_quantity < quantity
        and explained == ended.filled_quantity
        and ended.settled
    )
    return _hold(f"{seen}; then {ended.state}, {explained} in trades", holds=holds)


async def immediate_or_cancel(bench: Bench) -> str:
    """An immediate-or-cancel order that meets nothing ends at once, unfilled."""
    order = await bench.seen_again(await bench.submit("ioc", time_in_force=TimeInForce.IOC))
    return _hold(order.state, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def fill_or_kill(bench: Bench) -> str:
    """A fill-or-kill order that meets nothing ends at once, unfilled."""
    order = await bench.seen_again(await bench.submit("fok", time_in_force=TimeInForce.FOK))
    return _hold(order.state, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def post_only(bench: Bench) -> str:
    """A post-only order that would take liquidity is refused, and nothing of it trades."""
    order = await bench.seen_again(await bench.submit("post", "through", OrderType.POST_ONLY))
    seen = f"{order.state} {order.reason}"
    return _hold(seen, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def stop_waits(bench: Bench) -> str:
    """A stop-limit order above the market waits, and can be cancelled."""
    rules, high = await bench.instrument(), await bench.price("through")
    order = await bench.submit(
        "stop",
        kind=OrderType.STOP_LIMIT,
        stop_price=rules.round_price(high * Decimal("1.02")),
        price=rules.round_price(high * Decimal("1.03")),
    )
    ended = await bench.router.cancel(order.intent_id)
    seen = f"{order.state}, then {ended.state}"
    holds = order.state is OrderState.OPEN and ended.state is OrderState.CANCELED
    return _hold(seen, holds=holds and not ended.filled_quantity)


async def too_small(bench: Bench) -> str:
    """An order below the venue's minimum is refused here, before anything is sent."""
    rules = await bench.instrument()
    quantity, price = rules.lot_size, await bench.price("far")
    if quantity >= rules.min_quantity and rules.notional(price, quantity) >= rules.min_notional:
        raise NotOffered("one lot is large enough")
    try:
        order = await bench.submit("small", quantity=quantity)
    except InvalidOrder as refusal:
        return f"not sent: {refusal.what}"
    raise CaseFailed(f"sent, and {order.state}")


async def cancel(bench: Bench) -> str:
    """A resting order is cancelled."""
    order = await bench.router.cancel(f"{bench.run}-accept")
    return _hold(order.state, holds=order.state is OrderState.CANCELED)


async def cancel_after_fill(bench: Bench) -> str:
    """Cancelling a filled order leaves it filled."""
    order = await bench.router.cancel(f"{bench.run}-fill")
    return _hold(order.state, holds=order.state is OrderState.FILLED)


async def cancel_answer_lost(bench: Bench) -> str:
    """A cancel whose answer is lost is proven by a look-up."""
    order = await bench.submit("cancel-lost")
    bench.venue.lose["cancel"] = "answer"
    ended = await bench.router.cancel(order.intent_id)
    return _hold(ended.state, holds=ended.state is OrderState.CANCELED)


async def amend(bench: Bench) -> str:
    """The price of a resting order is changed, in place or by cancel and replace."""
    return await _amended(bench, "amend")


async def amend_answer_lost(bench: Bench) -> str:
    """The amendment is taken and its answer lost; where it is cancel and replace, the cancel's."""
    bench.venue.lose["amend"] = bench.venue.lose["cancel"] = "answer"
    try:
        return await _amended(bench, "amend-lost")
    finally:
        bench.venue.lose.clear()


async def _amended(bench: Bench, name: str) -> str:
    lost, bench.venue.lose = bench.venue.lose, {}
    order = await bench.submit(name)
    bench.venue.lose = lost
    rules = await bench.instrument()
    wanted = (order.price or Decimal(0)) - rules.tick_size
    after = await bench.router.amend(order.intent_id, price=wanted)
    bench.venue.lose.clear()
    after = await bench.seen_again(after)
    await bench.router.cancel(order.intent_id)
    seen = f"{after.state} at {after.price}, wanted {wanted}"
    return _hold(seen, holds=after.price == wanted and after.state is OrderState.OPEN)


# what nobody knows


async def unknown_found(bench: Bench) -> str:
    """An accepted order whose answer is lost is found, and not sent again."""
    bench.venue.lose["place"] = "answer"
    order = await bench.submit("found")
    await bench.router.cancel(order.intent_id)
    seen = f"{order.state} at attempt {order.attempt}"
    return _hold(seen, holds=order.state is OrderState.OPEN and order.attempt == 0)


async def unknown_filled(bench: Bench) -> str:
    """A filled order whose answer is lost is found with its trades."""
    bench.venue.lose["place"] = "answer"
    order = await bench.seen_again(await bench.submit("found-filled", "through"))
    seen = f"{order.state} at attempt {order.attempt}, {len(order.fills)} trades"
    return _hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def unknown_absent(bench: Bench) -> str:
    """An order that never arrived is proven absent, and only then sent again."""
    bench.venue.lose["place"] = "request"
    order = await bench.submit("absent")
    first, *rest = bench.store.attempts(order.intent_id)
    await bench.router.cancel(order.intent_id)
    seen = f"{first.state}, then {order.state} at attempt {order.attempt}"
    return _hold(seen, holds=first.state is OrderState.ABSENT and len(rest) == 1)


async def duplicate_id(bench: Bench) -> str:
    """A second order under the same id does not come into being."""
    order = await bench.submit("twice")
    again = await bench.venue.place(replace(order, venue_order_id=""))
    found = await bench.venue.lookup(order)
    await bench.router.cancel(order.intent_id)
    number = len(getattr(found, "orders", ()))
    return _hold(f"{type(again).__name__}; {number} order with this id", holds=number == 1)


async def same_intent_twice(bench: Bench) -> str:
    """The same intent submitted twice is one order."""
    first = await bench.submit("same")
    again = await bench.router.submit(first.intent)
    await bench.router.cancel(first.intent_id)
    return _hold(
        f"{first.venue_order_id} and {again.venue_order_id}",
        holds=first.client_order_id == again.client_order_id,
    )


async def rate_limit(bench: Bench) -> str:
    """A refusal by the rate limit is definite; the order is repeated once, after a pause."""
    if bench.provoke_limit is None:
        raise NotOffered("this sandbox cannot be told to refuse by its rate limit")
    await bench.provoke_limit()
    order = await bench.submit("limit")
    first, *rest = bench.store.attempts(order.intent_id)
    await bench.router.cancel(order.intent_id)
    waited = (rest[0].sent_ns - first.sent_ns) / 1e9 if rest else 0.0
    seen = f"{first.state} {first.reason[:40]}; after {waited:.2f} s {order.state}"
    holds = (
        first.state is OrderState.REJECTED
        and first.reason.startswith("rate_limited")
        and len(rest) == 1
        and order.state is OrderState.OPEN
        and rest[0].sent_ns - first.sent_ns >= _LIMIT_WAIT_NS
    )
    return _hold(seen, holds=holds)


async def restart(bench: Bench) -> str:
    """A new process finds the order that an earlier one left open."""
    order = await bench.submit("restart")
    await bench.router.poll()
    bench.router = bench.new_router()  # the old one is left as a killed process leaves it
    await bench.router.start()
    after = bench.router.order(order.intent_id)
    await bench.router.cancel(order.intent_id)
    return _hold(after.state, holds=after.state is OrderState.OPEN)


async def nothing_left(bench: Bench) -> str:
    """After the run no order of it is open, unknown or in quarantine."""
    report = await bench.router.reconcile()
    mine = [o.intent_id for o in bench.router.open_orders()]
    seen = f"open: {mine or 'none'}, unresolved: {len(report.unresolved)}"
    return _hold(seen, holds=not mine and not report.unresolved and not report.quarantined)


CASES: Mapping[str, Callable[[Bench], Awaitable[str]]] = MappingProxyType(
    {
        "accept": accept,
        "fill": fill,
        "market order": market_order,
        "partial fill, then cancel": partial_fill,
        "immediate-or-cancel ends": immediate_or_cancel,
        "fill-or-kill ends whole or not at all": fill_or_kill,
        "post-only refused when it would take": post_only,
        "stop-limit waits": stop_waits,
        "too small is not sent": too_small,
        "cancel": cancel,
        "cancel after fill": cancel_after_fill,
        "cancel with its answer lost": cancel_answer_lost,
        "amend": amend,
        "amend with its answer lost": amend_answer_lost,
        "unknown then found": unknown_found,
        "unknown then filled": unknown_filled,
        "unknown then absent": unknown_absent,
        "duplicate id": duplicate_id,
        "same intent twice": same_intent_twice,
        "rate limit": rate_limit,
        "restart with open orders": restart,
        "nothing left open": nothing_left,
    }
)
"""Name to case, in the order they are run: some use the orders of earlier ones."""
