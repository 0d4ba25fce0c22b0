"""History from any exchange ccxt knows, over its REST interface; the extra `oem-risk[fetch]`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.ccxt_pages import WINDOWS, most_rows, windowed
from oem_risk.data.ccxt_single import single_exchange
from oem_risk.data.fetch import FetchRequest
from oem_risk.data.importers.rows import column
from oem_risk.data.schema import DataKind
from oem_risk.data.store import Series
from oem_risk.data.ticks import SIDES, Funding, Trades
from oem_risk.errors import DataProblem, FetchProblem, VenueBusy

_MS = 10**6


class CcxtHistory:
    """A venue's public history through ccxt; no key is needed.

    Args:
        venue: ccxt's id of the exchange, such as `binance` or `kraken`.
        url: Address to ask instead of the venue's own, such as that of a proxy or of an imitation
            exchange on loopback; paths stay as they are.
        timeout_s: Longest wait for one answer, seconds, > 0.
        pause_s: Least time between two requests, seconds, >= 0; None for the venue's own limit, as
            ccxt knows it. One's own proxy may need less.

    Raises:
        DataProblem: ccxt is not installed, knows no such exchange, or a time is out of its range.
    """

    def __init__(
        self, venue: str, *, url: str = "", timeout_s: float = 20.0, pause_s: float | None = None
    ) -> None:
        if not timeout_s > 0:
            raise DataProblem(
                "the time-out is not positive", where="timeout_s", remedy="give some seconds"
            )
        if pause_s is not None and not 0 <= pause_s < math.inf:
            raise DataProblem(
                "the pause is not a time", where="pause_s", remedy="give seconds, or None"
            )
        single = single_exchange(venue)
        self._errors = single.errors
        settings: dict[str, object] = {"enableRateLimit": True, "timeout": int(timeout_s * 1000)}
        if pause_s is not None:
            settings["rateLimit"] = pause_s * 1000
        self._exchange: Any = single.exchange(settings)
        if url:
            self._exchange.urls["api"] = _moved(self._exchange.urls["api"], url.rstrip("/"))
        self._venue = venue

    @property
    def venue(self) -> str:
        return self._venue

    def most_rows(self, request: FetchRequest) -> int:
        return most_rows(self._exchange, request.kind, self._venue, request.symbol)

    def page(self, request: FetchRequest, since_ns: int, rows: int) -> Series | None:
        rows = min(rows, self.most_rows(request))
        found = self._asked(request, lambda: self._rows(request, since_ns // _MS, rows))
        if not found:
            return None
        if request.kind is DataKind.BARS:
            return self._bars(found, request)
        found.sort(key=lambda row: row.get("timestamp") or 0)
        if request.kind is DataKind.TRADES:
            return self._trades(found, request)
        return self._funding(found, request)

    def _rows(self, request: FetchRequest, since_ms: int, rows: int) -> list[Any]:
        symbol, exchange = request.symbol, self._exchange
        if request.kind is DataKind.BARS:
            bars: list[Any] = exchange.fetch_ohlcv(symbol, request.timeframe, since_ms, rows)
            return bars
        fetch = (
            exchange.fetch_trades
            if request.kind is DataKind.TRADES
            else exchange.fetch_funding_rate_history
        )
        window = WINDOWS.get((request.kind, self._venue))
        if window is None:
            found: list[Any] = fetch(symbol, since_ms, rows)
            return found
        return windowed(lambda end: fetch(symbol, since_ms, rows, end), window, since_ms, rows)

    def _asked(self, request: FetchRequest, ask: Callable[[], Any]) -> Any:
        errors = self._errors
        try:
            return ask()
        except (errors.BadSymbol, errors.NotSupported, errors.BadRequest) as error:
            raise FetchProblem(
                f"{self._venue} has no {request.kind.value} of {request.symbol}: "
                f"{_first_line(error)}",
                where=self._venue,
                remedy="check symbol and timeframe, or ask another venue",
            ) from None
        except errors.NetworkError as error:
            raise VenueBusy(_first_line(error), where=self._venue) from None
        except errors.BaseError as error:
            raise FetchProblem(
                f"{self._venue} refused: {_first_line(error)}",
                where=request.symbol,
                remedy="read the venue's answer; what came so far is kept",
            ) from None

    def _bars(self, found: list[list[Any]], request: FetchRequest) -> Bars:
        found.sort(key=lambda row: row[0])
        columns = [column(found, i, where=self._venue) for i in range(6)]
        return Bars(
            symbol=request.symbol,
            timeframe=request.timeframe,
            open_ns=_ns(columns[0]),
            open=columns[1],
            high=columns[2],
            low=columns[3],
            close=columns[4],
            volume=columns[5],
            source=self._venue,
            sha384="",
            synthetic=False,
            venue=self._venue,
        )

    def _trades(self, found: list[dict[str, Any]], request: FetchRequest) -> Trades:
        rows = [(row["timestamp"], row["price"], row["amount"]) for row in found]
        times, price, size = (column(rows, i, where=self._venue) for i in range(3))
        sides = [row.get("side") if row.get("side") in SIDES else None for row in found]
        side = np.array(sides, dtype=object)
        return Trades(self._venue, request.symbol, _ns(times), price, size, side, self._venue)

    def _funding(self, found: list[dict[str, Any]], request: FetchRequest) -> Funding:
        rows = [(row["timestamp"], row["fundingRate"]) for row in found]
        times, rate = (column(rows, i, where=self._venue) for i in range(2))
        mark = np.array([_mark(row) for row in found], dtype=np.float64)
        return Funding(self._venue, request.symbol, _ns(times), rate, mark, self._venue)


def _ns(milliseconds: NDArray[np.float64]) -> NDArray[np.int64]:
    times: NDArray[np.int64] = np.round(milliseconds).astype(np.int64) * _MS
    return times


def _mark(row: dict[str, Any]) -> float:
    info = row.get("info")
    value = info.get("markPrice") if isinstance(info, dict) else None
    try:
        return float(value) if value not in (None, "") else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def _moved(urls: Any, base: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) else urls


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
