"""How venues page: how many rows an answer holds, and which answer a span from its end.

Asked for more rows than it gives, a venue that answers "the newest up to then" leaves out the
oldest without a word. So every venue is asked for as many rows as it gives, and those that need an
end of the span are given one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oem_risk.data.schema import DataKind

UNKNOWN_ROWS = 100
"""Rows of an answer where nothing is known: few, so that none is stepped over."""
_MOST = {
    (DataKind.FUNDING, "binance"): 1_000,
    (DataKind.FUNDING, "binanceusdm"): 1_000,
    (DataKind.FUNDING, "binancecoinm"): 1_000,
    (DataKind.FUNDING, "bybit"): 200,
    (DataKind.FUNDING, "okx"): 100,
    (DataKind.TRADES, "okx"): 500,
}
_HOUR_MS = 3_600_000
_LEAST_WINDOW_MS = 1_000


@dataclass(frozen=True, slots=True)
class Window:
    """An end of the span that a venue must be told.

    Attributes:
        parameter: Its name in ccxt's `params`.
        length_ms: Longest span asked for.
    """

    parameter: str
    length_ms: int


def _funding_window(venue: str, parameter: str) -> Window:
    # paid hourly at the most; both ends of a span may count
    return Window(parameter, (_MOST[DataKind.FUNDING, venue] - 1) * _HOUR_MS)


WINDOWS = {
    (DataKind.FUNDING, "okx"): _funding_window("okx", "after"),
    (DataKind.FUNDING, "bybit"): _funding_window("bybit", "until"),
    (DataKind.TRADES, "coinbase"): Window("until", _HOUR_MS),
}


def most_rows(exchange: Any, kind: DataKind, venue: str, symbol: str) -> int:
    """Return how many rows one answer of a venue holds at most.

    Args:
        exchange: ccxt's exchange; it knows how many bars come at once.
        kind: Bars, trades or funding.
        venue: ccxt's id.
        symbol: Symbol such as `BTC/USDT` or, of a perpetual, `BTC/USDT:USDT`.
    """
    if kind is not DataKind.BARS:
        return _MOST.get((kind, venue), 1_000 if kind is DataKind.TRADES else UNKNOWN_ROWS)
    features = getattr(exchange, "features", None)
    found = (
        features.get("swap" if ":" in symbol else "spot") if isinstance(features, dict) else None
    )
    if ":" in symbol and isinstance(found, dict):
        base, settle = symbol.split("/")[0], symbol.split(":")[1]
        found = found.get("inverse" if settle == base else "linear")
    bars = found.get("fetchOHLCV") if isinstance(found, dict) else None
    limit = bars.get("limit") if isinstance(bars, dict) else None
    return int(limit) if limit else UNKNOWN_ROWS


def windowed(
    ask: Callable[[dict[str, int]], list[Any]], window: Window, since_ms: int, rows: int
) -> list[Any]:
    """Return the rows of a span that a venue answers from its end, all of them.

    Args:
        ask: Asks the venue with further parameters.
        window: What end it wants.
        since_ms: Start of the span.
        rows: Rows of a full answer: such a one may lack its oldest, so a shorter span is asked.
    """
    length = window.length_ms
    while True:
        found = ask({window.parameter: since_ms + length})
        if len(found) < rows or length <= _LEAST_WINDOW_MS:
            return found
        length = max(length // 4, _LEAST_WINDOW_MS)
