"""A recorded or generated market that is traded on paper, bar by bar, at its own times."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from oem_daemon.errors import DataError
from oem_daemon.market import Bar
from oem_daemon.strategies.signal import FloatArray
from oem_exec import BookSnapshot, IntelField, MarketIntelAggregator, PaperVenue


@dataclass(frozen=True, slots=True)
class BarSeries:
    """The bars of one symbol as columns, oldest first.

    Attributes:
        symbol: Symbol such as `BTC/USDT`.
        open_ns: Bar opening times, shape (bars,), strictly increasing.
        interval_ns: Length of a bar.
        open: Prices, shape (bars,); so are high, low and close.
        volume: Base units, shape (bars,).
        source: Where the bars came from: a file name, or `synthetic(seed=…)`.
        synthetic: Whether the bars were generated.
    """

    symbol: str
    open_ns: np.ndarray[tuple[int], np.dtype[np.int64]]
    interval_ns: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    source: str
    synthetic: bool

    def __len__(self) -> int:
        return len(self.open_ns)

    def bar(self, index: int) -> Bar:
        """Return bar `index`; prices are exact decimals of the recorded floats' shortest form."""

        def exact(column: FloatArray) -> Decimal:
            return Decimal(repr(float(column[index])))

        return Bar(
            close_ns=int(self.open_ns[index]) + self.interval_ns,
            open=exact(self.open),
            high=exact(self.high),
            low=exact(self.low),
            close=exact(self.close),
            volume=exact(self.volume),
        )


class MarketFeed:
    """Hands out bars cycle by cycle; every symbol at the same time.

    Args:
        series: Bars by symbol, already cut to common opening times.
        warmup: Bars known before the first cycle.
    """

    def __init__(self, series: Mapping[str, BarSeries], warmup: int) -> None:
        lengths = {symbol: len(bars) for symbol, bars in series.items()}
        if not lengths or min(lengths.values()) <= warmup:
            raise DataError(
                f"{min(lengths.values(), default=0)} bars, and the strategies need {warmup}",
                where=", ".join(lengths) or "market_data",
                remedy="set a longer market_data.bars or a finer timeframe",
            )
        first = next(iter(series.values()))
        for symbol, bars in series.items():
            if not np.array_equal(bars.open_ns, first.open_ns):
                raise DataError(
                    "bars of two symbols do not stand at the same times",
                    where=f"{first.symbol}, {symbol}",
                    remedy="use files of the same interval and span",
                )
        self.series = dict(series)
        self.interval_ns = first.interval_ns
        self._cursor = warmup - 1

    @property
    def cycles_left(self) -> int:
        return len(next(iter(self.series.values()))) - 1 - self._cursor

    @property
    def synthetic(self) -> bool:
        return any(bars.synthetic for bars in self.series.values())

    def advance(self) -> dict[str, Bar]:
        """Move to the next bar and return it for every symbol."""
        self._cursor += 1
        return self.current()

    def current(self) -> dict[str, Bar]:
        """Return the newest closed bar of every symbol."""
        return {symbol: bars.bar(self._cursor) for symbol, bars in self.series.items()}

    def closes(self, symbol: str, count: int) -> FloatArray:
        """Return the last `count` closing prices up to the newest closed bar, oldest first."""
        return self.series[symbol].close[max(self._cursor + 1 - count, 0) : self._cursor + 1]

    def past(self, symbol: str, count: int) -> Iterator[Bar]:
        """Yield the newest `count` closed bars of a symbol, oldest first."""
        bars = self.series[symbol]
        return (bars.bar(i) for i in range(max(self._cursor + 1 - count, 0), self._cursor + 1))

    def seek(self, close_ns: int) -> None:
        """Go on after the bar that closed at `close_ns`, as a restarted daemon must."""
        times = next(iter(self.series.values())).open_ns + self.interval_ns
        past = int(np.searchsorted(times, close_ns, side="right")) - 1
        self._cursor = min(max(self._cursor, past), len(times) - 1)


class MarketClock:
    """Market time: stands at the close of the newest bar and runs on with the real clock.

    A replayed history is traded at the history's times, so that costs, days and fee schedules
    are those of the market that is shown, not of the machine that replays it.
    """

    def __init__(self, start_ns: int) -> None:
        self._base_ns = start_ns
        self._since = time.monotonic_ns()

    def move_to(self, time_ns: int) -> None:
        """Set market time; never backwards."""
        self._base_ns = max(time_ns, self.now_ns())
        self._since = time.monotonic_ns()

    def now_ns(self) -> int:
        return self._base_ns + (time.monotonic_ns() - self._since)


class ReplayedMarket:
    """Moves feed, clock and paper venue on together, and lets market intelligence see it.

    Args:
        feed: The bars.
        clock: Market time; moved to the close of each bar.
        paper: The venue that fills orders from the bars.
        intel: The shared picture of the paper venue's markets.
        latency_ms: The paper venue's latency.
        history: Bars before the first cycle that the paper venue shows as past.
    """

    def __init__(
        self,
        feed: MarketFeed,
        clock: MarketClock,
        paper: PaperVenue,
        intel: MarketIntelAggregator,
        *,
        latency_ms: float,
        history: int,
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._paper = paper
        self._intel = intel
        self._latency_ms = latency_ms
        self._stopped = False
        for symbol in feed.series:
            self._show(symbol, feed.past(symbol, history))

    @property
    def venue(self) -> str:
        return self._paper.name

    @property
    def problem(self) -> str:
        return ""

    @property
    def interval_ns(self) -> int:
        return self._feed.interval_ns

    def latency_ms(self, venue: str, symbol: str) -> float:  # noqa: ARG002 - the same for all
        return self._latency_ms

    def current(self) -> Mapping[str, Bar]:
        return self._feed.current()

    def closes(self, symbol: str, count: int) -> FloatArray:
        return self._feed.closes(symbol, count)

    async def advance(self) -> Mapping[str, Bar] | None:
        if self._stopped or not self._feed.cycles_left:
            return None
        bars = self._feed.advance()
        for symbol, bar in bars.items():
            self._show(symbol, [bar])
            await self._intel.refresh(self.venue, symbol)
        return bars

    async def books(
        self,
        symbol: str,
        venues: Sequence[str],  # noqa: ARG002 - a replay has one
    ) -> Mapping[str, BookSnapshot]:
        return {self.venue: await self.book(symbol)}

    async def book(self, symbol: str) -> BookSnapshot:
        reading = await self._intel.refresh(self.venue, symbol, (IntelField.BOOK,))
        return reading.book

    async def stop(self) -> None:
        self._stopped = True

    def _show(self, symbol: str, bars: Iterable[Bar]) -> None:
        for bar in bars:
            self._clock.move_to(bar.close_ns)
            self._paper.feed_bar(
                symbol,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.close_ns,
                self.interval_ns,
            )
