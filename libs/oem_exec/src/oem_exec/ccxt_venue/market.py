"""The public market data of one exchange through the venue's own ccxt object."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from oem_exec.ccxt_venue.parse import Unusable, decimal_of
from oem_exec.model.market import Candle, FundingQuote, Ticker
from oem_exec.venue import BookSnapshot, Capabilities, Refused, Unknown

T = TypeVar("T")
_MS = 1_000_000
_MINUTE_MS = 60_000


class _Venue(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown: ...


class CcxtMarket:
    """Book, ticker, candles and funding of one venue, as market intelligence asks for them.

    Args:
        venue: The venue; its name, its capabilities and its book are used.
        exchange: Its ccxt object.
        judge: What an exception of a call proves.
    """

    def __init__(
        self, venue: _Venue, exchange: Any, judge: Callable[[Exception], Refused | Unknown]
    ) -> None:
        self._venue = venue
        self._ccxt = exchange
        self._judge = judge

    @property
    def name(self) -> str:
        return self._venue.name

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        return await self._venue.book(symbol, depth)

    async def ticker(self, symbol: str) -> Ticker | Unknown | Refused | None:
        return await self._read("fetchTicker", "fetch_ticker", _ticker, symbol)

    async def candles(
        self, symbol: str, count: int
    ) -> tuple[Candle, ...] | Unknown | Refused | None:
        return await self._read("fetchOHLCV", "fetch_ohlcv", _candles, symbol, "1m", None, count)

    async def funding(self, symbol: str) -> FundingQuote | Unknown | Refused | None:
        if ":" not in symbol:
            return None
        return await self._read("fetchFundingRate", "fetch_funding_rate", _funding, symbol)

    async def _read(
        self, feature: str, method: str, parse: Callable[[Any], T], *arguments: object
    ) -> T | Unknown | Refused | None:
        """Call one of ccxt's unified methods; None where the exchange does not have it."""
        if not self._ccxt.has.get(feature):
            return None
        call: Callable[..., Awaitable[Any]] = getattr(self._ccxt, method)
        try:
            return parse(await call(*arguments))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises anything on bad bodies
            return self._judge(error)


def _ticker(raw: Mapping[str, Any]) -> Ticker:
    volume = decimal_of(raw.get("baseVolume"))
    if volume is None or volume < 0:
        raise Unusable("a ticker without volume")
    return Ticker(
        str(raw.get("symbol") or ""),
        decimal_of(raw.get("last")),
        volume,
        decimal_of(raw.get("quoteVolume")),
        int(raw.get("timestamp") or 0) * _MS,
    )


def _candles(raws: list[list[Any]]) -> tuple[Candle, ...]:
    found = []
    for raw in raws:
        numbers = [decimal_of(value) for value in raw[1:6]]
        if len(numbers) < 5 or any(number is None for number in numbers):
            raise Unusable("a candle without numbers")
        o, h, low, c, v = (number or Decimal(0) for number in numbers)
        found.append(Candle(int(raw[0]) * _MS, o, h, low, c, v, _MINUTE_MS * _MS))
    return tuple(sorted(found, key=lambda candle: candle.open_ns))


def _funding(raw: Mapping[str, Any]) -> FundingQuote:
    rate = decimal_of(raw.get("fundingRate"))
    if rate is None:
        raise Unusable("a funding quote without rate")
    return FundingQuote(
        str(raw.get("symbol") or ""),
        rate,
        int(raw.get("fundingTimestamp") or raw.get("nextFundingTimestamp") or 0) * _MS,
        decimal_of(raw.get("markPrice")),
        int(raw.get("timestamp") or 0) * _MS,
    )
