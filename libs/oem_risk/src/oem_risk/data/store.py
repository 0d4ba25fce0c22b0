"""Series of market data in a folder: one Parquet file each, named by what it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from oem_risk.data.bars import Bars, bars_of
from oem_risk.data.names import data_name, file_symbol
from oem_risk.data.schema import COLUMNS, DataKind, Stored, kind_of, read_stored, write_stored
from oem_risk.data.ticks import BookUpdates, Funding, Quotes, Trades

Series: TypeAlias = Bars | Trades | Quotes | Funding | BookUpdates
"""Any kind of market data of one symbol."""


def series_path(folder: Path, series: Series) -> Path:
    """Return where a series belongs: `folder/kind/venue_SYMBOL[_timeframe].parquet`."""
    timeframe = series.timeframe if isinstance(series, Bars) else ""
    return market_path(folder, series.kind, series.venue, series.symbol, timeframe)


def market_path(folder: Path, kind: DataKind, venue: str, symbol: str, timeframe: str) -> Path:
    """Return where a market's data belongs; `timeframe` is empty for other kinds than bars."""
    tail = f"_{timeframe}" if timeframe else ""
    return folder / kind.value / f"{venue or 'unknown'}_{file_symbol(symbol)}{tail}.parquet"


def write_series(series: Series, path: Path) -> Series:
    """Write a series as Parquet and return it with the file's hash.

    Venue, symbol, source and the mark of synthetic data go into the file's metadata.

    Args:
        series: Any kind of market data.
        path: The file; see `series_path`. An older one is replaced whole.

    Raises:
        StorageError: The disk refused.
    """
    about: dict[str, object] = {
        "venue": series.venue,
        "symbol": series.symbol,
        "source": series.source,
        "synthetic": series.synthetic,
        "notes": list(series.notes),
    }
    if isinstance(series, Bars):
        about["timeframe"] = series.timeframe
    columns = {name: getattr(series, name) for name in COLUMNS[series.kind]}
    digest = write_stored(path, series.kind, series.time_ns, columns, about)
    return replace(series, sha384=digest)


def read_series(path: Path, kind: DataKind | None = None) -> Series:
    """Return the series of one Parquet file.

    Args:
        path: The file.
        kind: What its rows are; None tells it from the columns.

    Raises:
        DataProblem: No such file, not Parquet, columns of no kind, or no row.
        TimeUnitMistake: The times are of another unit than the file says.
    """
    if not path.is_file():
        read_stored(path, kind or DataKind.BARS)
    stored = read_stored(path, kind or kind_of(path))
    return bars_of(stored, path) if stored.kind is DataKind.BARS else _ticks_of(stored, path)


def _ticks_of(stored: Stored, path: Path) -> Series:
    about = stored.about
    if not {"venue", "symbol"} <= about.keys():
        name = data_name(path.stem, stored.kind)
        about = {"venue": name.venue, "symbol": name.symbol, **about}
    shared = (str(about["venue"]), str(about["symbol"]), stored.time_ns)
    real, source = stored.real, path.name
    series: Trades | Quotes | Funding | BookUpdates
    if stored.kind is DataKind.TRADES:
        series = Trades(*shared, real("price"), real("size"), _words(stored), source)
    elif stored.kind is DataKind.QUOTES:
        prices = (real("bid"), real("bid_size"), real("ask"), real("ask_size"))
        series = Quotes(*shared, *prices, source)
    elif stored.kind is DataKind.FUNDING:
        series = Funding(*shared, real("rate"), real("mark"), source)
    else:
        snapshot = stored.columns["is_snapshot"].astype(np.bool_)
        series = BookUpdates(
            *shared, _words(stored), real("price"), real("size"), snapshot,
            stored.columns["seq"].astype(np.int64), source,
        )  # fmt: skip
    notes = about.get("notes")
    return replace(
        series,
        sha384=stored.sha384,
        synthetic=about.get("synthetic") is True,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _words(stored: Stored) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    return stored.columns["side"].astype(object)
