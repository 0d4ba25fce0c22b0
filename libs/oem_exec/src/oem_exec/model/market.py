"""What a venue says about a market beside its book: volume, candles, funding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Ticker:
    """A market's last day.

    Attributes:
        symbol: Unified symbol.
        last: Last traded price in quote units; None before the first trade.
        volume_base: Base units (contracts for derivatives) traded in the last 24 hours.
        volume_quote: Quote units traded in the last 24 hours; None where the venue does not say.
        time_ns: The venue's time, UTC nanoseconds; 0 where it does not say.
    """

    symbol: str
    last: Decimal | None
    volume_base: Decimal
    volume_quote: Decimal | None = None
    time_ns: int = 0


@dataclass(frozen=True, slots=True)
class Candle:
    """What traded in one interval.

    Attributes:
        open_ns: When the interval began, UTC nanoseconds.
        open: First price; high, low and close likewise, in quote units.
        volume: Base units traded.
        interval_ns: How long it is, nanoseconds.
    """

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    interval_ns: int = 60_000_000_000

    @property
    def close_ns(self) -> int:
        """Return when the interval ended, UTC nanoseconds."""
        return self.open_ns + self.interval_ns


@dataclass(frozen=True, slots=True)
class FundingQuote:
    """The funding of a perpetual as the venue shows it.

    Attributes:
        symbol: Unified symbol.
        rate: Fraction of the position's value that longs pay to shorts at the next settlement.
        next_ns: When that settlement is, UTC nanoseconds; 0 where the venue does not say.
        mark: Mark price; None where the venue does not say.
        time_ns: The venue's time, UTC nanoseconds; 0 where it does not say.
    """

    symbol: str
    rate: Decimal
    next_ns: int = 0
    mark: Decimal | None = None
    time_ns: int = 0
