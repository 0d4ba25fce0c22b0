"""What the cases of a certification work with: a venue that loses answers, a router, orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from oem_exec.budget import SharedBudgets
from oem_exec.errors import ExecError
from oem_exec.model.enums import OrderType, Side, TimeInForce, UnknownCause
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.router import LiveExecutionRouter, RouterSettings
from oem_exec.routes import Route, RouteTable
from oem_exec.store.sqlite import SqliteOrderStore
from oem_exec.venue import BookSnapshot, CancelAnswer, PlaceAnswer, Unknown, Venue
from oem_security.clock import Clock


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


def hold(what: str, *, holds: bool) -> str:
    """Return what was seen; raises `CaseFailed` when it is not what must be seen."""
    if not holds:
        raise CaseFailed(what)
    return what
