"""Bars of one symbol as columns, and how they are read from Parquet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.names import TIMEFRAME_NS, data_name, file_symbol
from oem_risk.data.schema import DataKind, Stored, read_stored, require_one_length
from oem_risk.errors import DataProblem

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of one symbol, oldest first.

    Attributes:
        symbol: Symbol such as `BTC/USDT`.
        timeframe: A key of `TIMEFRAME_NS`.
        open_ns: Opening times, UTC nanoseconds, shape (bars,).
        open: Prices in quote units, shape (bars,); so are high, low and close.
        volume: Traded base units, shape (bars,).
        source: Where they came from.
        sha384: Hash of the file or of the generator's parameters, hex.
        synthetic: Whether they were generated.
        venue: Venue such as `binance`; empty where unknown.
        notes: What was mended on the way in.
    """

    symbol: str
    timeframe: str
    open_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    source: str
    sha384: str
    synthetic: bool
    venue: str = ""
    notes: tuple[str, ...] = ()

    kind = DataKind.BARS

    def __post_init__(self) -> None:
        require_one_length(
            self.source, self.open_ns, self.volume, *(getattr(self, name) for name in PRICES)
        )

    def __len__(self) -> int:
        return len(self.open_ns)

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """The opening times, under the name that all kinds share."""
        return self.open_ns

    @property
    def interval_ns(self) -> int:
        return TIMEFRAME_NS[self.timeframe]

    def take(self, index: NDArray[np.int64] | slice) -> Bars:
        """Return the bars at `index`."""
        return replace(
            self,
            open_ns=self.open_ns[index],
            volume=self.volume[index],
            **{name: getattr(self, name)[index] for name in PRICES},
        )

    def last(self, count: int) -> Bars:
        """Return the newest `count` bars."""
        return self.take(slice(max(0, len(self) - count), None))


def bar_file(folder: Path, venue: str, symbol: str, timeframe: str) -> Path:
    """Return the file of a symbol's bars under `folder` or its `bars/`.

    Raises:
        DataProblem: There is no such file; the ones that are there are named.
    """
    name = f"{venue}_{file_symbol(symbol)}_{timeframe}.parquet"
    for place in (folder, folder / "bars"):
        if (place / name).is_file():
            return place / name
    there = sorted(p.name for p in [*folder.glob("*.parquet"), *folder.glob("bars/*.parquet")])
    raise DataProblem(
        f"no bars of {symbol} at {timeframe} from {venue}",
        where=str(folder / name),
        remedy=f"choose one of the {len(there)} files there: {', '.join(there[:6])}"
        if there
        else "name a folder that holds venue_SYMBOL_timeframe.parquet files",
    )


def read_bars(folder: Path, *, venue: str, symbol: str, timeframe: str) -> Bars:
    """Return the recorded bars of one symbol.

    Args:
        folder: Folder of Parquet files, or one whose `bars/` holds them.
        venue: Venue part of the file name.
        symbol: Symbol such as `BTC/USDT`.
        timeframe: `1m`, `5m`, `15m`, `1h` or `1d`.

    Raises:
        DataProblem: No such file, not Parquet, a column is missing, or there is no row.
    """
    return read_bar_file(bar_file(folder, venue, symbol, timeframe), symbol=symbol)


def read_bar_file(path: Path, *, symbol: str | None = None) -> Bars:
    """Return the bars of one Parquet file.

    Args:
        path: Named `venue_SYMBOL_timeframe[_window].parquet`, or describing itself.
        symbol: Symbol to give the bars; None takes the file's own.

    Raises:
        DataProblem: No such file, not Parquet, a column is missing, or there is no row.
    """
    return bars_of(read_stored(path, DataKind.BARS), path, symbol=symbol)


def bars_of(stored: Stored, path: Path, *, symbol: str | None = None) -> Bars:
    """Return stored rows as bars; what the file does not say of itself its name says."""
    about = stored.about
    if not {"venue", "symbol", "timeframe"} <= about.keys():
        name = data_name(path.stem, DataKind.BARS)
        about = {"venue": name.venue, "symbol": name.symbol, "timeframe": name.timeframe, **about}
    if about["timeframe"] not in TIMEFRAME_NS:
        raise DataProblem(
            f"the file's timeframe {about['timeframe']!r} is unknown",
            where=str(path),
            remedy="use one of " + ", ".join(TIMEFRAME_NS),
        )
    return Bars(
        symbol=symbol or str(about["symbol"]),
        timeframe=str(about["timeframe"]),
        open_ns=stored.time_ns,
        source=path.name,
        sha384=stored.sha384,
        synthetic=about.get("synthetic") is True,
        venue=str(about["venue"]),
        notes=tuple(map(str, _list(about.get("notes")))),
        **{name: stored.real(name) for name in (*PRICES, "volume")},
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def common_times(series: list[Bars]) -> list[Bars]:
    """Return the series cut to the opening times that all of them have.

    Raises:
        DataProblem: They have no time in common.
    """
    times = series[0].open_ns
    if all(np.array_equal(times, bars.open_ns) for bars in series[1:]) and len(times):
        return list(series)
    # sorted without repetition, as sound bars are, they need no hashing
    sound = all((np.diff(bars.open_ns) > 0).all() for bars in series)
    for bars in series[1:]:
        times = np.intersect1d(times, bars.open_ns, assume_unique=sound)
    if len(times) == 0:
        raise DataProblem(
            "the symbols have no time in common",
            where=", ".join(bars.source for bars in series),
            remedy="use files of the same interval that overlap",
        )
    if sound:
        return [bars.take(np.searchsorted(bars.open_ns, times)) for bars in series]
    return [bars.take(np.flatnonzero(np.isin(bars.open_ns, times))) for bars in series]
