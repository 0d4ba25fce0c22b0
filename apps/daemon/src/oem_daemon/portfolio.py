"""What the site holds: cash, positions, profit and loss, all from fills and marks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

UNMEASURED_VOLATILITY = 1.0
"""Annualised volatility that limits assume of a symbol without bars: more than most coins have, so
that the volatility target still bites."""
NS_PER_DAY = 86_400 * 1_000_000_000


@dataclass(slots=True)
class Position:
    """The holding of one symbol.

    Attributes:
        quantity: Signed quantity in base units.
        average_price: Average entry price of the open quantity, in quote units.
        realized: Realised profit and loss in quote units, before fees.
        mark: Last known price, in quote units.
        volatility: Annualised volatility of the symbol as last measured; nan before the first.
    """

    quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    mark: Decimal = Decimal(0)
    volatility: float = math.nan

    @property
    def limit_volatility(self) -> float:
        """Volatility that limits are held to: as measured, or what is assumed until then."""
        return UNMEASURED_VOLATILITY if math.isnan(self.volatility) else self.volatility

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


@dataclass(frozen=True, slots=True)
class Watermarks:
    """What daily loss, drawdown and the day's costs are measured from.

    Attributes:
        day: UTC day since 1970 of the last mark.
        equity_at_day_start: Equity when that day began, in quote units.
        costs_at_day_start: Fees and slippage paid until then.
        peak_equity: Highest equity so far.
        slippage_paid: Slippage so far; fees follow from the fills.
    """

    day: int
    equity_at_day_start: Decimal
    costs_at_day_start: Decimal
    peak_equity: Decimal
    slippage_paid: Decimal

    def to_record(self) -> dict[str, object]:
        """Return the marks in JSON's types."""
        return {
            "day": self.day,
            "equity_at_day_start": str(self.equity_at_day_start),
            "costs_at_day_start": str(self.costs_at_day_start),
            "peak_equity": str(self.peak_equity),
            "slippage_paid": str(self.slippage_paid),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Watermarks:
        """Return the marks of `to_record`; KeyError, ValueError or ArithmeticError otherwise."""
        return cls(
            int(str(record["day"])),
            Decimal(str(record["equity_at_day_start"])),
            Decimal(str(record["costs_at_day_start"])),
            Decimal(str(record["peak_equity"])),
            Decimal(str(record["slippage_paid"])),
        )


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
    slippage_paid: Decimal = Decimal(0)
    peak_equity: Decimal = Decimal(0)
    _day: int = -1
    _equity_at_day_start: Decimal = Decimal(0)
    _costs_at_day_start: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        self.cash = self.initial_cash
        self.peak_equity = self.initial_cash
        self._equity_at_day_start = self.initial_cash

    def position(self, symbol: str) -> Position:
        """Return the position of a symbol, empty when it was never traded."""
        return self.positions.setdefault(symbol, Position())

    def apply_fill(
        self,
        symbol: str,
        signed_quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        fee_in_base: Decimal = Decimal(0),
    ) -> None:
        """Book one fill.

        Args:
            symbol: Symbol.
            signed_quantity: Base units, positive when bought.
            price: In quote units.
            fee: In quote units, positive when paid.
            fee_in_base: The same fee in base units where the venue took it from what was traded.
        """
        position = self.position(symbol)
        position.apply(signed_quantity, price)
        self.cash -= signed_quantity * price
        if fee_in_base:
            position.apply(-fee_in_base, price)
        else:
            self.cash -= fee
        self.fees_paid += fee

    def apply_slippage(self, amount: Decimal) -> None:
        """Count what a fill cost against the mid it met, in quote units: part of the day's costs.

        It is in the fill's price, so cash does not change.
        """
        self.slippage_paid += amount

    def mark(
        self,
        prices: Mapping[str, Decimal],
        time_ns: int,
        volatility: Mapping[str, float] | None = None,
    ) -> None:
        """Take new prices and volatilities; a new UTC day starts a new daily loss."""
        for symbol, price in prices.items():
            self.position(symbol).mark = price
        for symbol, measured in (volatility or {}).items():
            self.position(symbol).volatility = measured
        equity = self.equity
        day = time_ns // NS_PER_DAY
        if day > self._day:  # a clock set back does not give the day's loss back
            self._day, self._equity_at_day_start = day, equity
            self._costs_at_day_start = self.fees_paid + self.slippage_paid
        self.peak_equity = max(self.peak_equity, equity)

    @property
    def watermarks(self) -> Watermarks:
        """What losses are measured from, for the next process."""
        return Watermarks(
            self._day,
            self._equity_at_day_start,
            self._costs_at_day_start,
            self.peak_equity,
            self.slippage_paid,
        )

    def resume(self, marks: Watermarks) -> None:
        """Measure losses from where an earlier process did; after the fills were booked."""
        self._day = marks.day
        self._equity_at_day_start = marks.equity_at_day_start
        self._costs_at_day_start = marks.costs_at_day_start
        self.peak_equity = max(self.peak_equity, marks.peak_equity)
        self.slippage_paid = marks.slippage_paid

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
    def cost_today(self) -> Decimal:
        """Fees and slippage since the start of the UTC day, in quote units."""
        return self.fees_paid + self.slippage_paid - self._costs_at_day_start

    @property
    def volatility_notional(self) -> float:
        """Sum of the absolute notionals, each times the volatility limits are held to."""
        return sum(
            (abs(float(p.notional)) * p.limit_volatility for p in self.positions.values()), 0.0
        )

    @property
    def drawdown(self) -> Decimal:
        """Loss from the peak as a fraction of the peak, in [0, 1] while equity is positive."""
        return (
            (self.peak_equity - self.equity) / self.peak_equity if self.peak_equity else Decimal(0)
        )

    @property
    def leverage(self) -> Decimal:
        return self.gross_notional / self.equity if self.equity > 0 else Decimal("Infinity")
