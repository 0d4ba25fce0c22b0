"""What traded in a simulated market: minutes of prices and volumes, and the last day's total."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from oem_exec.model.market import Candle

MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
_ZERO = Decimal(0)


class Tape:
    """Trades and bars as candles, the newest of them kept.

    Args:
        keep: Candles kept; a day of minutes by default, so that the day's volume is whole.
    """

    def __init__(self, keep: int = 1441) -> None:
        self._closed: deque[Candle] = deque(maxlen=keep)
        # the newest candle, taken apart: trades come by the thousand
        self._ends_ns = 0
        self._open_ns = 0
        self._interval_ns = MINUTE_NS
        self._first = self._high = self._low = self._last = _ZERO
        self._volume = _ZERO

    def trade(self, price: Decimal, quantity: Decimal, time_ns: int) -> None:
        """Add one trade to the candle of its minute; a late one goes to the newest candle."""
        if time_ns >= self._ends_ns:
            start = time_ns - time_ns % MINUTE_NS
            self._begin(Candle(max(start, self._ends_ns), price, price, price, price, quantity))
            return
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._last = price
        self._volume += quantity

    def bar(self, candle: Candle) -> None:
        """Add a whole bar in place of what traded inside it; one from the past is left out."""
        while (newest := self._newest()) is not None and newest.open_ns >= candle.open_ns:
            if newest.close_ns > candle.close_ns:
                return
            self._drop()
        if newest is None or candle.open_ns >= newest.close_ns:
            self._begin(candle)

    def _begin(self, candle: Candle) -> None:
        newest = self._newest()
        if newest is not None:
            self._closed.append(newest)
        self._take(candle)

    def _take(self, candle: Candle) -> None:
        self._open_ns, self._interval_ns = candle.open_ns, candle.interval_ns
        self._ends_ns = candle.close_ns
        self._first, self._high, self._low = candle.open, candle.high, candle.low
        self._last, self._volume = candle.close, candle.volume

    def _drop(self) -> None:
        if self._closed:
            self._take(self._closed.pop())
        else:
            self._ends_ns = 0

    def _newest(self) -> Candle | None:
        if not self._ends_ns:
            return None
        return Candle(
            self._open_ns,
            self._first,
            self._high,
            self._low,
            self._last,
            self._volume,
            self._interval_ns,
        )

    def _all(self) -> list[Candle]:
        newest = self._newest()
        return list(self._closed) if newest is None else [*self._closed, newest]

    def candles(self, count: int, now_ns: int) -> tuple[Candle, ...]:
        """Return the newest candles that are over by `now_ns`, oldest first."""
        closed = [candle for candle in self._all() if candle.close_ns <= now_ns]
        return tuple(closed[-count:])

    def volume(self, now_ns: int, window_ns: int = DAY_NS) -> Decimal:
        """Return the quantity traded in the window that ends now."""
        return sum((c.volume for c in self._in(now_ns, window_ns)), _ZERO)

    def quote_volume(self, now_ns: int, window_ns: int = DAY_NS) -> Decimal:
        """Return the value traded in the window, each candle at its close."""
        return sum((c.volume * c.close for c in self._in(now_ns, window_ns)), _ZERO)

    def span(self, now_ns: int, window_ns: int = DAY_NS) -> Candle | None:
        """Return the window as one candle, None when nothing traded in it."""
        inside = self._in(now_ns, window_ns)
        if not inside:
            return None
        return Candle(
            inside[0].open_ns,
            inside[0].open,
            max(c.high for c in inside),
            min(c.low for c in inside),
            inside[-1].close,
            sum((c.volume for c in inside), _ZERO),
            now_ns - inside[0].open_ns,
        )

    def _in(self, now_ns: int, window_ns: int) -> list[Candle]:
        return [c for c in self._all() if now_ns - window_ns < c.close_ns and c.open_ns <= now_ns]
