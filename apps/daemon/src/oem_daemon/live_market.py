"""The venues' own market: minute bars as they close, and books read when they are needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from oem_daemon.market import Bar
from oem_daemon.strategies.signal import FloatArray
from oem_exec import (
    BookSnapshot,
    Budgets,
    Candle,
    IntelField,
    MarketIntelAggregator,
    MarketSource,
    StaleMarketData,
)
from oem_security.clock import Clock

MINUTE_NS = 60_000_000_000
UNMEASURED_LATENCY_MS = 1_000.0
_BOOK = (IntelField.BOOK,)


class LiveMarket:
    """Bars of the first venue that shows them, books through the shared market intelligence.

    Args:
        sources: The venues' public market data, the preferred venue first.
        symbols: Symbols that are traded.
        intel: The shared picture of all markets, for books.
        budgets: Rate limits shared with the router.
        clock: Time.
        warmup: Closed bars that must be there before the first cycle.
        retry_s: Pause between two questions for a bar that should have closed.
    """

    interval_ns = MINUTE_NS

    def __init__(
        self,
        sources: Sequence[MarketSource],
        symbols: Sequence[str],
        *,
        intel: MarketIntelAggregator,
        budgets: Budgets,
        clock: Clock,
        warmup: int,
        retry_s: float = 2.0,
    ) -> None:
        self.problem = ""
        """Why there is no newer bar; empty while all is well."""
        self._sources = tuple(sources)
        self._symbols = tuple(symbols)
        self._intel = intel
        self._budgets = budgets
        self._clock = clock
        self._warmup = warmup
        self._retry_s = retry_s
        self._bars: dict[str, list[Bar]] = {}
        self._closes: dict[str, FloatArray] = {}
        self._stopped = asyncio.Event()

    @property
    def venue(self) -> str:
        return self._sources[0].name

    def latency_ms(self, venue: str, symbol: str) -> float:
        """Return a venue's median round trip as measured; before the first, a careful second."""
        measured_s = self._intel.reading(venue, symbol).round_trip_s
        return UNMEASURED_LATENCY_MS if measured_s is None else measured_s * 1000

    def current(self) -> Mapping[str, Bar]:
        return {symbol: bars[-1] for symbol, bars in self._bars.items()}

    def closes(self, symbol: str, count: int) -> FloatArray:
        return self._closes.get(symbol, np.empty(0))[-count:]

    async def advance(self) -> Mapping[str, Bar] | None:
        """Wait for the next minute that has closed for every symbol.

        A minute that was missed because the last cycle took longer is part of the history, not a
        cycle of its own: nobody trades on what is past.
        """
        while not self._stopped.is_set():
            newest = max((bars[-1].close_ns for bars in self._bars.values()), default=0)
            if await self._read() > newest:
                return self.current()
            await self._pause(newest)
        return None

    async def books(self, symbol: str, venues: Sequence[str]) -> Mapping[str, BookSnapshot]:
        async def read(venue: str) -> BookSnapshot | None:
            with contextlib.suppress(StaleMarketData):
                return (await self._intel.refresh(venue, symbol, _BOOK)).book
            return None

        found = await asyncio.gather(*map(read, venues))
        books = {venue: book for venue, book in zip(venues, found, strict=True) if book}
        if not books:
            raise StaleMarketData(
                f"no venue of the route shows a fresh book of {symbol}",
                where=", ".join(venues),
                remedy="see why in the market's figures: oem daemon status",
            )
        return books

    async def book(self, symbol: str) -> BookSnapshot:
        for source in self._sources[:-1]:
            with contextlib.suppress(StaleMarketData):
                return (await self._intel.refresh(source.name, symbol, _BOOK)).book
        return (await self._intel.refresh(self._sources[-1].name, symbol, _BOOK)).book

    async def stop(self) -> None:
        self._stopped.set()

    async def _pause(self, newest: int) -> None:
        due_s = (newest + MINUTE_NS - self._clock.now_ns()) / 1e9
        try:
            async with asyncio.timeout(min(max(due_s, self._retry_s), 60.0)):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _read(self) -> int:
        """Read the newest bars of every symbol; returns the close they have in common, or 0."""
        for source in self._sources:
            found = {symbol: await self._closed(source, symbol) for symbol in self._symbols}
            if all(len(bars) >= self._warmup for bars in found.values()):
                return self._take(found)
            if short := [s for s, bars in found.items() if len(bars) < self._warmup]:
                self.problem = (
                    f"{source.name} shows {len(found[short[0]])} closed minutes of {short[0]}, "
                    f"and the strategies need {self._warmup}"
                )
        return 0

    async def _closed(self, source: MarketSource, symbol: str) -> list[Bar]:
        if cost := source.capabilities.cost(IntelField.CANDLES.request):
            await self._budgets.acquire(source.name, cost)
        answer = await source.candles(symbol, self._warmup + 2)
        if not isinstance(answer, tuple):
            return []
        now = self._clock.now_ns()
        return [_bar(candle) for candle in answer if candle.close_ns <= now]

    def _take(self, found: Mapping[str, list[Bar]]) -> int:
        common = set.intersection(*({bar.close_ns for bar in bars} for bars in found.values()))
        if not common:
            self.problem = "the venue's bars of two symbols do not stand at the same times"
            return 0
        last = max(common)
        self.problem = ""
        for symbol, bars in found.items():
            self._bars[symbol] = kept = [bar for bar in bars if bar.close_ns <= last]
            self._closes[symbol] = np.array([float(bar.close) for bar in kept])
        return last


def _bar(candle: Candle) -> Bar:
    return Bar(
        close_ns=candle.close_ns,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
    )
