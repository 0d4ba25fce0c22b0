"""What the router needs from a venue, and the few things a venue can answer."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from oem_exec.model.enums import InstrumentKind, OrderType, RefusalReason, TimeInForce, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """What a venue says about one order.

    Attributes:
        client_order_id: The id we gave it; empty where the venue does not repeat it.
        venue_order_id: The venue's own id.
        symbol: Unified symbol.
        state: OPEN, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or REJECTED.
        filled_quantity: Executed so far.
        filled_notional: Executed so far in quote units; None where the venue does not say.
        quantity: Ordered quantity; None where the venue does not say.
        price: Limit price; None for market orders.
        fills: The trades, where the answer carries them; the order may have more.
        time_ns: The venue's time of this state, 0 where it does not say.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    state: OrderState
    filled_quantity: Decimal = Decimal(0)
    filled_notional: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    time_ns: int = 0


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """One trade of the account, whoever's order it was; its fill names no client order id."""

    venue_order_id: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue has the order."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue does not have the order, and says so in its own words or by its own status."""

    reason: RefusalReason
    text: str = ""
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say yet whether the venue acted on the request."""

    cause: UnknownCause
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The venue's evidence about an order; more than one entry means one id for several orders."""

    orders: tuple[VenueOrder, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """Every place where the venue would show the order was read, and it is in none."""


PlaceAnswer = Accepted | Refused | Unknown
CancelAnswer = Accepted | Refused | Unknown
LookupAnswer = Found | NotFound | Unknown


class RequestKind(enum.StrEnum):
    """What a request is for; budgets know its weight, cancels go first."""

    PLACE = "place"
    CANCEL = "cancel"
    AMEND = "amend"
    LOOKUP = "lookup"
    OPEN_ORDERS = "open_orders"
    TRADES = "trades"
    BOOK = "book"
    TICKER = "ticker"
    CANDLES = "candles"
    FUNDING = "funding"
    MARKETS = "markets"
    TIME = "time"


class AmendMode(enum.StrEnum):
    """How an order is changed."""

    IN_PLACE = "in_place"
    """The venue changes the order; it keeps its ids."""
    CANCEL_REPLACE = "cancel_replace"
    """The router cancels, waits for evidence, and sends the rest as a new order."""


class DuplicateIds(enum.StrEnum):
    """What a venue does with a client order id it has seen."""

    REFUSED = "refused"
    REFUSED_WHILE_OPEN = "refused_while_open"
    RETURNS_EXISTING = "returns_existing"


@dataclass(frozen=True, slots=True)
class Limit:
    """One of a venue's rate limits.

    Attributes:
        bucket: Name of the counter, such as `weight` or `orders`.
        units: Units the venue allows in any window.
        window_s: Length of the window, seconds.
    """

    bucket: str
    units: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do and how; the reference page is generated from these.

    Attributes:
        set_client_id: How a client order id is given to the venue.
        find_by_client_id: How an order is looked up by it.
        visibility_delay_s: How long an accepted order may stay invisible to look-ups.
        receive_window_s: How long after signing the venue may still accept a request.
        amend: How an order is changed.
        post_only: How a post-only order is asked for.
        duplicate_ids: What happens to a client order id used twice.
        sequential: Requests of one key must reach the venue one after the other.
        answers_with_fills: An accepted order's answer carries its fills.
        answers_at_once: A call never waits for anything, so it needs no time-out.
        remembers: Orders outlive this process; a paper venue's do not.
        definite_errors: ccxt error classes that prove a refusal, by name.
        definite_text: Pattern of texts that prove a refusal where ccxt knows only `ExchangeError`:
            the venue's complete list of order errors, which a cut body cannot contain.
        order_types: Order types the venue takes.
        times_in_force: Times in force the venue takes.
        kinds: Instruments that are routed to it.
        limits: Its rate limits.
        costs: Request kind to bucket to units; what is missing costs 1 in the first bucket.
    """

    set_client_id: str
    find_by_client_id: str
    visibility_delay_s: float
    receive_window_s: float
    amend: AmendMode = AmendMode.CANCEL_REPLACE
    post_only: str = ""
    duplicate_ids: DuplicateIds = DuplicateIds.REFUSED
    sequential: bool = False
    answers_with_fills: bool = False
    answers_at_once: bool = False
    remembers: bool = True
    definite_errors: frozenset[str] = frozenset()
    definite_text: str = ""
    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    kinds: frozenset[InstrumentKind] = frozenset({InstrumentKind.SPOT})
    limits: tuple[Limit, ...] = ()
    costs: Mapping[RequestKind, Mapping[str, int]] = field(default_factory=dict)

    def cost(self, kind: RequestKind) -> Mapping[str, int]:
        """Return bucket to units for one request of this kind."""
        if kind in self.costs:
            return self.costs[kind]
        return {self.limits[0].bucket: 1} if self.limits else {}


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """A venue's order book at one moment, best levels first."""

    symbol: str
    bids: Sequence[tuple[Decimal, Decimal]]
    asks: Sequence[tuple[Decimal, Decimal]]
    time_ns: int


class TellsTrades(Protocol):
    """What a venue may also do: list the account's trades, so that orphans among them are found."""

    async def account_trades(self, symbol: str, since_ns: int) -> tuple[VenueTrade, ...] | Unknown:
        """Return the account's trades of a symbol since a moment, oldest first."""
        ...


class Venue(Protocol):
    """An exchange, real or simulated. Its answers are values; it raises only for defects."""

    @property
    def name(self) -> str:
        """Return the venue's name in routes, metrics and logs."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return what the venue can do."""
        ...

    async def instruments(self) -> Mapping[str, Instrument]:
        """Return symbol to instrument; raises `VenueUnavailable` when it cannot be learnt."""
        ...

    async def place(self, order: Order) -> PlaceAnswer:
        """Send an order that is durable already."""
        ...

    async def cancel(self, order: Order) -> CancelAnswer:
        """Cancel; `Refused` when there is nothing left to cancel."""
        ...

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        """Change quantity and price in place, where `Capabilities.amend` says so."""
        ...

    async def lookup(self, order: Order) -> LookupAnswer:
        """Return the venue's evidence about the order, found by its client order id."""
        ...

    async def trades(self, order: Order) -> tuple[Fill, ...] | Unknown:
        """Return all trades of an order."""
        ...

    async def open_orders(self) -> tuple[VenueOrder, ...] | Unknown:
        """Return all open orders of the account."""
        ...

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        """Return the order book."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
