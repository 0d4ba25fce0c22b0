"""Bars as archives and programs publish them: Binance Vision, CryptoDataDownload, ccxt."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.importers.rows import (
    ImportHints,
    Notes,
    cells,
    column,
    text_of,
    unix_times,
)
from oem_risk.data.join import in_order
from oem_risk.data.names import TIMEFRAME_NS, symbol_of
from oem_risk.data.store import Series
from oem_risk.data.ticks import Funding
from oem_risk.errors import DataProblem

_KLINES = re.compile(r"^(?P<symbol>[A-Z0-9_]+)-(?P<timeframe>\d+[smhd])-\d{4}-\d{2}(-\d{2})?$")
_FUNDING = re.compile(r"^(?P<symbol>[A-Z0-9_]+)-fundingRate-\d{4}-\d{2}(-\d{2})?$")
_PAIR = re.compile(
    r"^(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)(_(?P<settle>[A-Z0-9]+))?-(?P<timeframe>\d+[smhd])"
    r"(-(?P<candle>futures|mark|index|spot))?$"
)
_CDD_VENUES = (
    "binance", "bitfinex", "bitstamp", "bybit", "coinbase", "gemini", "kraken", "okx",
)  # fmt: skip
_CDD_WORDS = {"d": "1d", "day": "1d", "1h": "1h", "hour": "1h", "minute": "1m", "1min": "1m"}


def bars_from(
    columns: Sequence[NDArray[np.float64]],
    hints: ImportHints,
    notes: Notes,
    *,
    source: str,
    time_ns: NDArray[np.int64] | None = None,
) -> Bars:
    """Return bars of columns time, open, high, low, close, volume, in order.

    Args:
        columns: The six columns; the first is not used where `time_ns` is given.
        hints: Venue, symbol and timeframe, all told.
        notes: What was mended so far.
        source: Name of the file.
        time_ns: Opening times, UTC nanoseconds; None reads them from the first column.
    """
    if hints.timeframe not in TIMEFRAME_NS:
        raise DataProblem(
            f"the timeframe {hints.timeframe!r} is unknown" if hints.timeframe
            else "the file does not tell its timeframe",
            where=source,
            remedy="name it with --timeframe: " + ", ".join(TIMEFRAME_NS),
        )  # fmt: skip
    times = unix_times(columns[0], notes, where=source) if time_ns is None else time_ns
    bars = Bars(
        symbol=hints.symbol,
        timeframe=hints.timeframe,
        open_ns=times,
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
        source=source,
        sha384="",
        synthetic=False,
        venue=hints.venue,
        notes=tuple(notes.lines),
    )
    return in_order(bars)


def told(hints: ImportHints, *, venue: str, symbol: str, timeframe: str = "") -> ImportHints:
    """Return the hints, with what the file says where the caller said nothing."""
    return ImportHints(hints.venue or venue, hints.symbol or symbol, hints.timeframe or timeframe)


class BinanceVision:
    """Klines and funding rates from Binance's archive (CSV or zip).

    Klines have a heading or not, and times in milliseconds or, from 2025 on, in microseconds. The
    name does not say whether a pair is spot or a future; spot is taken unless the venue is named.
    """

    name = "binance_vision"

    def fits(self, path: Path) -> bool:
        return bool(_KLINES.match(path.stem) or _FUNDING.match(path.stem)) and path.suffix in (
            ".csv", ".zip",
        )  # fmt: skip

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        lines = text_of(path).splitlines()
        if _FUNDING.match(path.stem):
            return (self._funding(lines, path, hints),)
        match = _KLINES.match(path.stem)
        symbol, timeframe = (match["symbol"], match["timeframe"]) if match else ("", "")
        notes = Notes()
        start = 1 if lines and lines[0].startswith("open_time") else 0
        rows = cells(lines[start:], least=6, where=path.name, first=start + 1)
        _require_rows(rows, path)
        if not hints.venue:
            notes.add("the file does not tell spot from futures, spot was taken")
        hints = told(
            hints, venue="binance", timeframe=timeframe, symbol=hints.symbol or symbol_of(symbol)
        )
        columns = [column(rows, i, where=path.name) for i in range(6)]
        return (bars_from(columns, hints, notes, source=path.name),)

    def _funding(self, lines: list[str], path: Path, hints: ImportHints) -> Funding:
        start = 1 if lines and lines[0].startswith("calc_time") else 0
        rows = cells(lines[start:], least=3, where=path.name, first=start + 1)
        _require_rows(rows, path)
        notes = Notes()
        match = _FUNDING.match(path.stem)
        symbol = hints.symbol or symbol_of(f"{match['symbol'] if match else ''}-PERP")
        hints = told(hints, venue="binanceusdm", symbol=symbol)
        times = unix_times(column(rows, 0, where=path.name), notes, where=path.name)
        rate = column(rows, 2, where=path.name)
        mark = np.full(len(rows), np.nan)
        return in_order(
            Funding(
                hints.venue, hints.symbol, times, rate, mark, path.name, notes=tuple(notes.lines)
            )
        )


class CryptoDataDownload:
    """Bars from CryptoDataDownload: a banner, newest first, seconds and milliseconds mixed."""

    name = "cryptodatadownload"

    def fits(self, path: Path) -> bool:
        if path.suffix != ".csv":
            return False
        with path.open("rb") as stream:
            return b"cryptodatadownload" in stream.readline(200).lower()

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        lines = text_of(path).splitlines()
        if len(lines) < 3:
            raise DataProblem("the file has no rows", where=str(path), remedy="download it again")
        heading = [cell.strip().lower() for cell in lines[1].split(",")]
        wanted = ("unix", "date", "symbol", "open", "high", "low", "close")
        missing = [name for name in wanted if name not in heading]
        volume = next((i for i, name in enumerate(heading) if name.startswith("volume ")), None)
        if missing or volume is None:
            raise DataProblem(
                f"the heading lacks {', '.join(missing) or 'a volume'}",
                where=f"{path.name}, line 2",
                remedy="download the file again",
            )
        rows = cells(lines[2:], least=len(wanted) + 1, where=path.name, first=3)
        notes = Notes()
        symbol = hints.symbol or symbol_of(rows[0][heading.index("symbol")])
        perp = "futures" in path.stem.lower() and ":" not in symbol
        words = path.stem.lower().split("_")
        timeframe = next((_CDD_WORDS[w] for w in reversed(words) if w in _CDD_WORDS), "")
        venue = next((word for word in words if word in _CDD_VENUES), "")
        hints = told(
            hints,
            venue=f"{venue}usdm" if perp and venue == "binance" else venue or "unknown",
            symbol=f"{symbol}:{symbol.split('/')[1]}" if perp else symbol,
            timeframe=timeframe,
        )
        places = [heading.index(name) for name in ("unix", "open", "high", "low", "close")]
        columns = [column(rows, i, where=path.name) for i in (*places, volume)]
        return (bars_from(columns, hints, notes, source=path.name),)


class CandleJson:
    """Rows `[time, open, high, low, close, volume]` in JSON, as ccxt and freqtrade keep them."""

    name = "ccxt_json"

    def fits(self, path: Path) -> bool:
        return path.suffix in (".json", ".gz") and bool(_PAIR.match(_plain_stem(path)))

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        rows = json_rows(path)
        match = _PAIR.match(_plain_stem(path))
        columns = [column(rows, i, where=path.name) for i in range(6)]
        hints = pair_hints(hints, match)
        return (bars_from(columns, hints, Notes(), source=path.name),)


def pair_hints(hints: ImportHints, match: re.Match[str] | None) -> ImportHints:
    """Return the hints with what a name like `XRP_USDT_USDT-1h-mark` says."""
    if match is None:
        return told(hints, venue="unknown", symbol="")
    symbol = f"{match['base']}/{match['quote']}"
    if match["settle"]:
        symbol += f":{match['settle']}"
    if match["candle"] in ("mark", "index"):
        symbol += f"-{match['candle'].upper()}"
    return told(hints, venue="unknown", symbol=symbol, timeframe=match["timeframe"])


def json_rows(path: Path) -> list[list[object]]:
    """Return the rows of a JSON list of lists.

    Raises:
        DataProblem: Not JSON, not a list of lists, or empty.
    """
    try:
        rows = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise DataProblem(
            f"not JSON: {error}", where=str(path), remedy="export or download the file again"
        ) from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise DataProblem(
            "the file is not a list of rows", where=str(path), remedy="export the file again"
        )
    return rows


def _plain_stem(path: Path) -> str:
    return path.name.split(".")[0]


def _require_rows(rows: Sequence[object], path: Path) -> None:
    if not rows:
        raise DataProblem("the file has no rows", where=str(path), remedy="download it again")
