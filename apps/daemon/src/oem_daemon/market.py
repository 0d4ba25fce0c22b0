"""What the daemon asks of a market, whether it is replayed or live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from oem_daemon.strategies.signal import FloatArray
from oem_exec import BookSnapshot

PAPER = "paper"
"""Name of the paper venue in orders and fills."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One closed bar of one symbol.

    Attributes:
        close_ns: UTC nanoseconds at which the bar closed.
        open: Opening price in quote units; so are high, low and close.
        volume: Traded quantity in base units.
    """

    close_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Closes(Protocol):
    """What strategies look back on."""

    def closes(self, symbol: str, count: int) -> FloatArray:
        """Return the last `count` closing prices up to the newest closed bar, oldest first.

        Fewer where there are fewer.
        """
        ...


class Market(Closes, Protocol):
    """Bars as they close, and the book right now."""

    @property
    def venue(self) -> str:
        """Return the venue whose book is shown."""
        ...

    @property
    def problem(self) -> str:
        """Return why there is no newer bar; empty while all is well."""
        ...

    @property
    def interval_ns(self) -> int:
        """Return the length of a bar."""
        ...

    def latency_ms(self, venue: str, symbol: str) -> float:
        """Return the time to expect from a decision to a venue's matching, milliseconds."""
        ...

    def current(self) -> Mapping[str, Bar]:
        """Return the newest closed bar of every symbol; empty before the first."""
        ...

    async def advance(self) -> Mapping[str, Bar] | None:
        """Return the next closed bar of every symbol; None when there will be no more."""
        ...

    async def books(self, symbol: str, venues: Sequence[str]) -> Mapping[str, BookSnapshot]:
        """Return fresh books with both sides of those venues that show one, in their order.

        Raises:
            StaleMarketData: None of them does.
        """
        ...

    async def book(self, symbol: str) -> BookSnapshot:
        """Return a fresh book with both sides; raises `StaleMarketData` when there is none."""
        ...

    async def stop(self) -> None:
        """End the market: an `advance` under way returns None."""
        ...
