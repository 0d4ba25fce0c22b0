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
        self._candles: deque[Candle] = deque(maxlen=keep)

    def trade(self, price: Decimal, quantity: Decimal, time_ns: int) -> None:
        """Add one trade to the candle of its minute; a late one goes to the newest candle."""
        start = time_ns - time_ns % MINUTE_NS
        newest = self._candles[-1] if self._candles else None
        if newest is None or start >= newest.close_ns:
            self._candles.append(Candle(start, price, price, price, price, quantity))
            return
        self._candles[-1] = Candle(
            newest.open_ns,
            newest.open,
            max(newest.high, price),
            min(newest.low, price),
            price,
            newest.volume + quantity,
            newest.interval_ns,
        )

    def bar(self, candle: Candle) -> None:
        """Add a whole bar in place of what traded inside it; one from the past is left out."""
        while self._candles and self._candles[-1].open_ns >= candle.open_ns:
            if self._candles[-1].close_ns > candle.close_ns:
                return
            self._candles.pop()
        if not self._candles or candle.open_ns >= self._candles[-1].close_ns:
            self._candles.append(candle)

    def candles(self, count: int, now_ns: int) -> tuple[Candle, ...]:
        """Return the newest candles that are over by `now_ns`, oldest first."""
        closed = [candle for candle in self._candles if candle.close_ns <= now_ns]
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
        return [c for c in self._candles if now_ns - window_ns < c.close_ns and c.open_ns <= now_ns]
