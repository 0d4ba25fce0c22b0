"""LEAN's data folder: `crypto/VENUE/RESOLUTION/[SYMBOL/]FILE.zip` and `margin_interest/SYMBOL.csv`.

Minutes and seconds count milliseconds from midnight of the day in the file's name; hours and days
carry `YYYYMMDD HH:MM`. All of it is UTC for crypto.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.importers.candles import bars_from, told
from oem_risk.data.importers.rows import ImportHints, Notes, cells, column, text_of
from oem_risk.data.join import in_order
from oem_risk.data.names import TIMEFRAME_NS, symbol_of
from oem_risk.data.store import Series
from oem_risk.data.ticks import Funding, Quotes
from oem_risk.errors import DataProblem

_TYPES = ("crypto", "cryptofuture")
_RESOLUTIONS = {"second": "1s", "minute": "1m", "hour": "1h", "daily": "1d"}
_DAY_FILE = re.compile(r"^(?P<day>\d{8})_(?P<what>trade|quote)$")
_LONG_FILE = re.compile(r"^(?P<symbol>[a-z0-9]+)_(?P<what>trade|quote)$")


class Lean:
    """Trades become bars, quotes become quotes at the bar's end, margin interest funding."""

    name = "lean"

    def fits(self, path: Path) -> bool:
        if _interest(path):
            return True
        named = _DAY_FILE.match(path.stem) or _LONG_FILE.match(path.stem)
        return path.suffix == ".zip" and bool(named) and _resolution(path) != ""

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        rows = cells(text_of(path).splitlines(), least=2, where=path.name)
        if not rows:
            raise DataProblem("the file has no rows", where=str(path), remedy="download it again")
        hints = _told_by_folders(path, hints)
        if _interest(path):
            return (_funding(rows, path, hints),)
        day = _DAY_FILE.match(path.stem)
        times = _from_midnight(rows, day["day"], path) if day else _dated(rows, path)
        if path.stem.endswith("_quote"):
            return (_quotes(rows, times, path, hints),)
        return (_bars(rows, times, path, hints),)


def _bars(rows: list[list[str]], times: NDArray[np.int64], path: Path, hints: ImportHints) -> Bars:
    _require_cells(rows, 6, path)
    columns = [column(rows, i, where=path.name) for i in range(1, 6)]
    return bars_from(
        [times.astype(np.float64), *columns], hints, Notes(), source=path.name, time_ns=times
    )


def _quotes(
    rows: list[list[str]], times: NDArray[np.int64], path: Path, hints: ImportHints
) -> Quotes:
    _require_cells(rows, 11, path)
    notes = Notes()
    notes.add("closing bid and ask of each bar, at the bar's end")
    both = np.array([all(row[i] for i in (4, 5, 9, 10)) for row in rows])
    if not both.all():
        notes.add(f"{int((~both).sum())} bars without bid or ask were left out")
        rows = [row for row, fine in zip(rows, both, strict=True) if fine]
        times = times[both]
    bid, bid_size, ask, ask_size = (column(rows, i, where=path.name) for i in (4, 5, 9, 10))
    ends = times + TIMEFRAME_NS[hints.timeframe]
    return in_order(
        Quotes(
            hints.venue, hints.symbol, ends, bid, bid_size, ask, ask_size, path.name,
            notes=tuple(notes.lines),
        )
    )  # fmt: skip


def _funding(rows: list[list[str]], path: Path, hints: ImportHints) -> Funding:
    times = _dated(rows, path)
    rate = column(rows, 1, where=path.name)
    mark = np.full(len(rows), np.nan)
    return in_order(Funding(hints.venue, hints.symbol, times, rate, mark, path.name))


def _require_cells(rows: list[list[str]], least: int, path: Path) -> None:
    short = next((i for i, row in enumerate(rows, 1) if len(row) < least), 0)
    if short:
        raise DataProblem(
            f"the line has fewer than {least} cells",
            where=f"{path.name}, row {short}",
            remedy="download the file again",
        )


def _told_by_folders(path: Path, hints: ImportHints) -> ImportHints:
    parts = [part.lower() for part in path.parts]
    kind = next((p for p in reversed(parts[:-1]) if p in _TYPES), "crypto")
    place = max((i for i, p in enumerate(parts[:-1]) if p in _TYPES), default=-1)
    venue = parts[place + 1] if place >= 0 and len(parts) > place + 2 else "unknown"
    if _interest(path):
        name = path.stem
    else:
        named = None if _DAY_FILE.match(path.stem) else _LONG_FILE.match(path.stem)
        name = named["symbol"] if named else path.parent.name
    symbol = hints.symbol or symbol_of(name + ("-PERP" if kind == "cryptofuture" else ""))
    timeframe = "" if _interest(path) else _RESOLUTIONS.get(_resolution(path), "")
    return told(hints, venue=venue, symbol=symbol, timeframe=timeframe)


def _interest(path: Path) -> bool:
    return path.suffix == ".csv" and path.parent.name == "margin_interest"


def _resolution(path: Path) -> str:
    folders = [part.lower() for part in path.parts[-3:-1]]
    return next((name for name in folders if name in _RESOLUTIONS), "")


def _from_midnight(rows: list[list[str]], day: str, path: Path) -> NDArray[np.int64]:
    midnight = _moment(day, "%Y%m%d", where=path.name)
    offsets = column(rows, 0, where=path.name)
    if (offsets < 0).any() or (offsets >= 86_400_000).any():
        raise DataProblem(
            "a time lies outside the day of the file's name",
            where=path.name,
            remedy="the first column counts milliseconds from midnight; download the file again",
        )
    times: NDArray[np.int64] = midnight + offsets.astype(np.int64) * 1_000_000
    return times


def _dated(rows: list[list[str]], path: Path) -> NDArray[np.int64]:
    form = "%Y%m%d %H:%M:%S" if rows[0][0].count(":") == 2 else "%Y%m%d %H:%M"
    moments = [
        _moment(row[0], form, where=f"{path.name}, row {i}") for i, row in enumerate(rows, 1)
    ]
    return np.array(moments, dtype=np.int64)


def _moment(text: str, form: str, *, where: str) -> int:
    try:
        moment = dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
    except ValueError:
        raise DataProblem(
            f"{text!r} is not a time of the form {form}", where=where, remedy="mend the row"
        ) from None
    return int(moment.timestamp()) * 10**9
