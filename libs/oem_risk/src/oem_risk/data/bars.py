"""Bars of one symbol as columns, and how they are read from Parquet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from oem_risk.errors import DataProblem

NS_PER_SECOND = 1_000_000_000
TIMEFRAME_NS = {
    "1m": 60 * NS_PER_SECOND,
    "5m": 300 * NS_PER_SECOND,
    "15m": 900 * NS_PER_SECOND,
    "1h": 3_600 * NS_PER_SECOND,
    "1d": 86_400 * NS_PER_SECOND,
}
"""Timeframe to the length of its bars, nanoseconds."""
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

    def __len__(self) -> int:
        return len(self.open_ns)

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
    name = f"{venue}_{symbol.replace('/', '')}_{timeframe}.parquet"
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
    path = bar_file(folder, venue, symbol, timeframe)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataProblem(
            f"not a Parquet file: {str(error).splitlines()[0][:120]}",
            where=str(path),
            remedy="fetch or convert the file again",
        ) from None
    missing = [c for c in ("timestamp", *PRICES, "volume") if c not in table.column_names]
    if missing:
        raise DataProblem(
            f"columns are missing: {', '.join(missing)}",
            where=str(path),
            remedy="bars need timestamp, open, high, low, close, volume",
        )
    if table.num_rows == 0:
        raise DataProblem("the file has no rows", where=str(path), remedy="choose another file")
    times = table.column("timestamp").cast(pa.timestamp("ns", "UTC")).to_numpy()
    columns = {n: table.column(n).to_numpy().astype(np.float64) for n in (*PRICES, "volume")}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha384").hexdigest()
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        open_ns=times.astype(np.int64),
        source=path.name,
        sha384=digest,
        synthetic=False,
        **columns,
    )


def common_times(series: list[Bars]) -> list[Bars]:
    """Return the series cut to the opening times that all of them have.

    Raises:
        DataProblem: They have no time in common.
    """
    times = series[0].open_ns
    for bars in series[1:]:
        times = np.intersect1d(times, bars.open_ns)
    if len(times) == 0:
        raise DataProblem(
            "the symbols have no time in common",
            where=", ".join(bars.source for bars in series),
            remedy="use files of the same interval that overlap",
        )
    return [bars.take(np.flatnonzero(np.isin(bars.open_ns, times))) for bars in series]
