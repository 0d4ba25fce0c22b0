"""What the site holds: cash, positions, profit and loss, all from fills and marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

NS_PER_DAY = 86_400 * 1_000_000_000


@dataclass(slots=True)
class Position:
    """The holding of one symbol.

    Attributes:
        quantity: Signed quantity in base units.
        average_price: Average entry price of the open quantity, in quote units.
        realized: Realised profit and loss in quote units, before fees.
        mark: Last known price, in quote units.
    """

    quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    mark: Decimal = Decimal(0)

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.mark

    @property
    def unrealized(self) -> Decimal:
        return self.quantity * (self.mark - self.average_price)

    def apply(self, signed_quantity: Decimal, price: Decimal) -> None:
        """Book a fill: average in on the same side, realise on the opposite one."""
        before = self.quantity
        after = before + signed_quantity
        if before == 0 or (before > 0) == (signed_quantity > 0):
            cost = before * self.average_price + signed_quantity * price
            self.average_price = cost / after
        else:
            closed = min(abs(signed_quantity), abs(before))
            direction = 1 if before > 0 else -1
            self.realized += closed * (price - self.average_price) * direction
            if abs(signed_quantity) > abs(before):
                self.average_price = price
            elif after == 0:
                self.average_price = Decimal(0)
        self.quantity = after
        self.mark = price


@dataclass(slots=True)
class Portfolio:
    """Cash and positions of the site, in one quote currency.

    Attributes:
        initial_cash: Cash at the start, in quote units.
    """

    initial_cash: Decimal
    positions: dict[str, Position] = field(default_factory=dict)
    cash: Decimal = Decimal(0)
    fees_paid: Decimal = Decimal(0)
    peak_equity: Decimal = Decimal(0)
    _day: int = -1
    _equity_at_day_start: Decimal = Decimal(0)
    _fees_at_day_start: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        self.cash = self.initial_cash
        self.peak_equity = self.initial_cash
        self._equity_at_day_start = self.initial_cash

    def position(self, symbol: str) -> Position:
        """Return the position of a symbol, empty when it was never traded."""
        return self.positions.setdefault(symbol, Position())

    def apply_fill(
        self, symbol: str, signed_quantity: Decimal, price: Decimal, fee: Decimal
    ) -> None:
        """Book one fill; `fee` is in quote units, positive when paid."""
        self.position(symbol).apply(signed_quantity, price)
        self.cash -= signed_quantity * price + fee
        self.fees_paid += fee

    def mark(self, prices: Mapping[str, Decimal], time_ns: int) -> None:
        """Take new prices; a new UTC day starts a new daily loss."""
        for symbol, price in prices.items():
            self.position(symbol).mark = price
        equity = self.equity
        day = time_ns // NS_PER_DAY
        if day != self._day:
            self._day, self._equity_at_day_start = day, equity
            self._fees_at_day_start = self.fees_paid
        self.peak_equity = max(self.peak_equity, equity)

    @property
    def equity(self) -> Decimal:
        return self.cash + sum((p.notional for p in self.positions.values()), Decimal(0))

    @property
    def gross_notional(self) -> Decimal:
        return sum((abs(p.notional) for p in self.positions.values()), Decimal(0))

    @property
    def open_positions(self) -> int:
        return sum(1 for p in self.positions.values() if p.quantity)

    @property
    def daily_pnl(self) -> Decimal:
        return self.equity - self._equity_at_day_start

    @property
    def fees_today(self) -> Decimal:
        return self.fees_paid - self._fees_at_day_start

    @property
    def drawdown(self) -> Decimal:
        """Loss from the peak as a fraction of the peak, in [0, 1] while equity is positive."""
        return (
            (self.peak_equity - self.equity) / self.peak_equity if self.peak_equity else Decimal(0)
        )

    @property
    def leverage(self) -> Decimal:
        return self.gross_notional / self.equity if self.equity > 0 else Decimal("Infinity")
