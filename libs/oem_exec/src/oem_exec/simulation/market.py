"""One market of a simulated exchange, an order in it, and the exchange's refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from oem_exec.model.enums import RefusalReason, Side
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.market import FundingQuote, Ticker
from oem_exec.model.states import OrderState
from oem_exec.simulation.matching import MatchingBook
from oem_exec.simulation.tape import Tape

_ZERO = Decimal(0)


class Refusal(Exception):
    """The simulated exchange refuses a request."""

    def __init__(self, reason: RefusalReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(slots=True)
class SimOrder:
    """An order inside the exchange; it changes as it trades."""

    order_id: str
    owner: str
    client_order_id: str
    intent: OrderIntent
    quantity: Decimal
    price: Decimal | None
    created_ns: int
    state: OrderState = OrderState.OPEN
    filled: Decimal = _ZERO
    notional: Decimal = _ZERO
    fills: list[Fill] = field(default_factory=list)
    updated_ns: int = 0
    triggered: bool = True
    reason: str = ""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


@dataclass(slots=True)
class Market:
    """One instrument with its book and its last price."""

    instrument: Instrument
    book: MatchingBook = field(default_factory=MatchingBook)
    last: Decimal | None = None
    time_ns: int = 0
    tape: Tape = field(default_factory=Tape)
    funding: FundingQuote | None = None

    def ticks(self, price: Decimal) -> int:
        return int(price / self.instrument.tick_size)

    def lots(self, quantity: Decimal) -> int:
        return int(quantity / self.instrument.lot_size)

    def price(self, ticks: int) -> Decimal:
        return ticks * self.instrument.tick_size

    def quantity(self, lots: int) -> Decimal:
        return lots * self.instrument.lot_size

    @property
    def reference(self) -> Decimal | None:
        """Return the last price, else the middle of the book."""
        if self.last is not None:
            return self.last
        bid, ask = self.book.best(Side.BUY), self.book.best(Side.SELL)
        if bid is None or ask is None:
            return None
        return self.price(bid + ask) / 2

    def ticker(self, now_ns: int) -> Ticker:
        """Return the last price and what was traded in the day before a moment."""
        return Ticker(
            self.instrument.symbol,
            self.reference,
            self.tape.volume(now_ns),
            self.tape.quote_volume(now_ns),
            self.time_ns,
        )
