"""What market intelligence needs from a venue, and the few things it can answer."""

from __future__ import annotations

import enum
from typing import Protocol

from oem_exec.model.market import Candle, FundingQuote, Ticker
from oem_exec.venue import BookSnapshot, Capabilities, Refused, RequestKind, Unknown

NoAnswer = Unknown | Refused | None
"""Not known now, refused at the door, or not offered by the venue at all."""


class IntelField(enum.StrEnum):
    """What is polled, each at its own pace."""

    BOOK = "book"
    TICKER = "ticker"
    CANDLES = "candles"
    FUNDING = "funding"

    @property
    def request(self) -> RequestKind:
        """Return the kind of request, whose weight the venue's budget knows."""
        return RequestKind(self.value)


class MarketSource(Protocol):
    """The public market data of one venue over REST."""

    @property
    def name(self) -> str:
        """Return the venue's name."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return the venue's capabilities, for the weights of requests."""
        ...

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        """Return the order book."""
        ...

    async def ticker(self, symbol: str) -> Ticker | NoAnswer:
        """Return last price and volume of the last day."""
        ...

    async def candles(self, symbol: str, count: int) -> tuple[Candle, ...] | NoAnswer:
        """Return the newest candles, oldest first; live venues give minutes."""
        ...

    async def funding(self, symbol: str) -> FundingQuote | NoAnswer:
        """Return the funding of a perpetual; None for anything else."""
        ...
