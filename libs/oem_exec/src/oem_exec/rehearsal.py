"""A venue whose questions go to the exchange and whose orders do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from oem_exec.model.enums import RefusalReason, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.order import Order
from oem_exec.simulation.paper import PaperVenue
from oem_exec.venue import (
    BookSnapshot,
    CancelAnswer,
    Capabilities,
    LookupAnswer,
    NotFound,
    PlaceAnswer,
    Refused,
    Unknown,
    Venue,
    VenueOrder,
)
from oem_security.clock import Clock


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One request that was not sent."""

    kind: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    quantity: str
    price: str | None

    @classmethod
    def of(cls, kind: str, order: Order) -> Rehearsed:
        """Return what a request about an order would have said."""
        intent = order.intent
        return cls(
            kind,
            order.client_order_id,
            intent.symbol,
            intent.side.value,
            intent.type.value,
            intent.time_in_force.value,
            str(order.quantity),
            None if order.price is None else str(order.price),
        )


class RehearsalVenue:
    """Takes instruments and books from a real venue and executes orders on paper in their place.

    The paper book is the venue's own at the moment of each order, with its precision, minima and
    fees. `place`, `cancel` and `amend` of the real venue are never called.

    Args:
        venue: The venue that is asked.
        clock: Time of the paper executions.
        depth: Levels of the book that are read for each order.
    """

    def __init__(self, venue: Venue, clock: Clock, depth: int = 50) -> None:
        self._venue = venue
        self._clock = clock
        self._depth = depth
        self._paper: PaperVenue | None = None
        self.rehearsed: list[Rehearsed] = []

    @property
    def name(self) -> str:
        return self._venue.name

    @property
    def capabilities(self) -> Capabilities:
        # the orders of a rehearsal are gone with it
        return replace(self._venue.capabilities, remembers=False)

    async def instruments(self) -> Mapping[str, Instrument]:
        return await self._venue.instruments()

    async def place(self, order: Order) -> PlaceAnswer:
        self.rehearsed.append(Rehearsed.of("place", order))
        book = await self._venue.book(order.intent.symbol, self._depth)
        if not isinstance(book, BookSnapshot):
            return Refused(RefusalReason.NOT_SENT, f"no book to rehearse on: {book.text}")
        paper = await self._on_paper()
        # the simulation refuses prices off the tick; a venue's own book never has any
        paper.feed_book(book.symbol, book.bids, book.asks, self._clock.now_ns())
        return await paper.place(order)

    async def cancel(self, order: Order) -> CancelAnswer:
        self.rehearsed.append(Rehearsed.of("cancel", order))
        return await (await self._on_paper()).cancel(order)

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        self.rehearsed.append(Rehearsed.of("amend", replace(order, quantity=quantity, price=price)))
        return await (await self._on_paper()).amend(order, quantity, price)

    async def lookup(self, order: Order) -> LookupAnswer:
        return NotFound() if self._paper is None else await self._paper.lookup(order)

    async def trades(self, order: Order) -> tuple[Fill, ...] | Unknown:
        if self._paper is None:
            return Unknown(UnknownCause.UNCLASSIFIED, "nothing was rehearsed yet")
        return await self._paper.trades(order)

    async def open_orders(self) -> tuple[VenueOrder, ...] | Unknown:
        return () if self._paper is None else await self._paper.open_orders()

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        return await self._venue.book(symbol, depth)

    async def close(self) -> None:
        """Nothing of the rehearsal is open; the real venue is its owner's to close."""

    async def _on_paper(self) -> PaperVenue:
        if self._paper is None:
            instruments = (await self._venue.instruments()).values()
            self._paper = PaperVenue(instruments, clock=self._clock, name=self.name)
        return self._paper
