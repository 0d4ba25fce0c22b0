"""The columns of each kind of market data, and how they come from and go to Parquet.

    bars     timestamp (opening time), open, high, low, close, volume (base units)
    trades   timestamp, price, size, side (of the aggressor; null where the venue does not say)
    quotes   timestamp, bid, bid_size, ask, ask_size
    funding  timestamp (as published), rate (per interval), mark (null where none)
    books    timestamp, side, price, size (absolute, 0 deletes), is_snapshot, seq (-1: none)

Times are UTC. The file's own metadata says where the rows came from and whether they were
generated, so that the mark of synthetic data survives the way through a file.
"""

from __future__ import annotations

import enum
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from oem_risk.errors import DataProblem, TimeUnitMistake
from oem_security.files import write_atomic

SANE_NS = (1_230_768_000 * 10**9, 4_102_444_800 * 10**9)
"""2009, the year of the first bitcoin, to 2100; market data stands between."""
UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
METADATA = b"oem"


class DataKind(enum.StrEnum):
    """What the rows of a file are."""

    BARS = "bars"
    TRADES = "trades"
    QUOTES = "quotes"
    FUNDING = "funding"
    BOOKS = "books"


_REAL = pa.float64()
COLUMNS: dict[DataKind, dict[str, pa.DataType]] = {
    # books first: their columns contain those of trades
    DataKind.BOOKS: {
        "side": pa.string(), "price": _REAL, "size": _REAL,
        "is_snapshot": pa.bool_(), "seq": pa.int64(),
    },
    DataKind.BARS: dict.fromkeys(("open", "high", "low", "close", "volume"), _REAL),
    DataKind.TRADES: {"price": _REAL, "size": _REAL, "side": pa.string()},
    DataKind.QUOTES: dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), _REAL),
    DataKind.FUNDING: {"rate": _REAL, "mark": _REAL},
}  # fmt: skip
"""Columns beside `timestamp`, by kind."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What one Parquet file holds.

    Attributes:
        kind: What the rows are.
        time_ns: UTC nanoseconds, shape (rows,), in the order of the file.
        columns: The other columns, shape (rows,) each; numbers as float64 with NaN for null.
        about: What the file says of itself: venue, symbol, timeframe, source, synthetic, notes.
        sha384: Hash of the file, hex.
    """

    kind: DataKind
    time_ns: NDArray[np.int64]
    columns: dict[str, NDArray[np.generic]]
    about: dict[str, object]
    sha384: str

    def real(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers."""
        return self.columns[name].astype(np.float64)


def unit_of(raw: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the nanoseconds of one step of each number; 0 where no unit gives a sane time.

    The units lie a factor of 1000 apart and sane times within a factor of 4, so that at most one
    fits.

    Example:
        >>> unit_of(np.array([1_700_000_000, 1_700_000_000_000, 7])).tolist()
        [1000000000, 1000000, 0]
    """
    low, high = SANE_NS
    found = np.zeros(len(raw), dtype=np.int64)
    for step in UNIT_NS.values():
        found[(raw >= low // step) & (raw <= high // step)] = step
    return found


def times_of(column: pa.ChunkedArray, *, where: str) -> NDArray[np.int64]:
    """Return UTC nanoseconds of a timestamp column.

    Args:
        column: Timestamps of any unit, or whole numbers whose unit their size tells.
        where: The file, for errors.

    Raises:
        DataProblem: The column holds nulls, or is neither a time nor whole numbers.
        TimeUnitMistake: Times lie outside 2009 to 2100, or mix units.
    """
    if column.null_count:
        raise DataProblem(
            f"{column.null_count} rows have no timestamp",
            where=where,
            remedy="leave those rows out or fetch the file again",
        )
    if pa.types.is_timestamp(column.type):
        step = UNIT_NS[column.type.unit]
    elif pa.types.is_integer(column.type):
        step = 0
    else:
        raise DataProblem(
            f"the timestamp column is of type {column.type}",
            where=where,
            remedy="store UTC times as timestamp[ms] or timestamp[ns]",
        )
    raw = column.cast(pa.int64()).to_numpy().astype(np.int64)
    units = unit_of(raw)
    if step == 0 and len(raw):
        step = int(units[0]) or UNIT_NS["ms"]
    wrong = units != step
    if wrong.any():
        raise TimeUnitMistake(
            int(wrong.sum()), len(raw), _reading(int(units[wrong][0]), step), where=where
        )
    times: NDArray[np.int64] = raw * step
    return times


def _reading(fits: int, step: int) -> str:
    names = {ns: name for name, ns in UNIT_NS.items()}
    if not fits:
        return "they lie outside 2009 to 2100 in every unit"
    return f"they are {names[fits]} read as {names[step]}"


def read_stored(path: Path, kind: DataKind) -> Stored:
    """Return the rows of a Parquet file of the given kind.

    Raises:
        DataProblem: Not Parquet, a column is missing or of the wrong type, or no row.
        TimeUnitMistake: The times are of another unit than the file says.
    """
    data = _read(path)
    try:
        # ParquetFile, because read_table imports pyarrow.dataset, which takes long
        table = pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataProblem(
            f"not a Parquet file: {str(error).splitlines()[0][:120]}",
            where=str(path),
            remedy="fetch or convert the file again: oem data import",
        ) from None
    wanted = COLUMNS[kind]
    missing = [name for name in ("timestamp", *wanted) if name not in table.column_names]
    if missing:
        raise DataProblem(
            f"columns are missing: {', '.join(missing)}",
            where=str(path),
            remedy=f"{kind.value} need timestamp, {', '.join(wanted)}",
        )
    if table.num_rows == 0:
        raise DataProblem("the file has no rows", where=str(path), remedy="choose another file")
    columns = {
        name: _column(table.column(name), form, where=f"{path}, column {name}")
        for name, form in wanted.items()
    }
    return Stored(
        kind=kind,
        time_ns=times_of(table.column("timestamp"), where=str(path)),
        columns=columns,
        about=_about(table.schema.metadata, str(path)),
        sha384=hashlib.sha384(data).hexdigest(),
    )


def kind_of(path: Path) -> DataKind:
    """Return the kind whose columns a Parquet file has.

    Raises:
        DataProblem: Not Parquet, or the columns fit no kind.
    """
    names = _names(path)
    for kind in COLUMNS:
        if {"timestamp", *COLUMNS[kind]} <= names:
            return kind
    raise DataProblem(
        f"the columns {', '.join(sorted(names))} are those of no kind of market data",
        where=str(path),
        remedy="; ".join(f"{k.value}: {', '.join(c)}" for k, c in COLUMNS.items()),
    )


def require_one_length(source: str, *columns: NDArray[np.generic]) -> None:
    """Refuse columns that are not all of one dimension and one length.

    Raises:
        DataProblem: They are not.
    """
    shapes = {column.shape for column in columns}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise DataProblem(
            f"the columns have the shapes {', '.join(map(str, sorted(shapes)))}",
            where=source,
            remedy="give one value of each column for each row",
        )


def has_kind(path: Path) -> bool:
    """Return whether a Parquet file has the columns of some kind of market data.

    Raises:
        DataProblem: Not Parquet.
    """
    names = _names(path)
    return any({"timestamp", *columns} <= names for columns in COLUMNS.values())


def origin_of(path: Path) -> str:
    """Return where a Parquet file says its rows came from; empty where it says nothing."""
    return str(_about(pq.read_schema(path).metadata, str(path)).get("source", ""))


def write_stored(
    path: Path,
    kind: DataKind,
    time_ns: NDArray[np.int64],
    columns: Mapping[str, NDArray[np.generic] | Sequence[str | None]],
    about: Mapping[str, object],
) -> str:
    """Write rows as Parquet (zstd) in one step, and return the file's SHA-384.

    Args:
        path: The file; an older one is replaced whole.
        kind: What the rows are.
        time_ns: UTC nanoseconds; stored as milliseconds where that loses nothing.
        columns: Exactly the columns of the kind.
        about: What the file says of itself, JSON values.

    Raises:
        StorageError: The disk refused; the old file is untouched.
    """
    unit = "ms" if not (time_ns % UNIT_NS["ms"]).any() else "ns"
    stamps = pa.array(time_ns // UNIT_NS[unit], pa.int64()).cast(pa.timestamp(unit, "UTC"))
    arrays = {"timestamp": stamps}
    for name, form in COLUMNS[kind].items():
        arrays[name] = pa.array(columns[name], form, from_pandas=True)
    note = json.dumps({"kind": kind.value, **about}, sort_keys=True, ensure_ascii=False)
    table = pa.table(arrays).replace_schema_metadata({METADATA: note.encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    data = buffer.getvalue()
    write_atomic(path, data)
    return hashlib.sha384(data).hexdigest()


def _names(path: Path) -> set[str]:
    try:
        return set(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataProblem(
            f"not a Parquet file: {str(error).splitlines()[0][:120]}",
            where=str(path),
            remedy="fetch or convert the file again: oem data import",
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataProblem("there is no such file", where=str(path), remedy="check the path") from (
            None
        )
    except IsADirectoryError:
        raise DataProblem(
            "that is a folder", where=str(path), remedy="name one Parquet file"
        ) from None


def _column(column: pa.ChunkedArray, form: pa.DataType, *, where: str) -> NDArray[np.generic]:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    try:
        cast = column.cast(form)
    except pa.ArrowInvalid:
        raise DataProblem(
            f"the column is of type {column.type}, not {form}",
            where=where,
            remedy="convert the file again: oem data import",
        ) from None
    if pa.types.is_integer(form):
        cast = cast.fill_null(-1)
    elif pa.types.is_boolean(form):
        cast = cast.fill_null(False)
    return np.asarray(cast.to_numpy(zero_copy_only=False))


def _about(metadata: Mapping[bytes, bytes] | None, where: str) -> dict[str, object]:
    note = (metadata or {}).get(METADATA)
    if note is None:
        return {}
    try:
        about = json.loads(note)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise DataProblem(
            "the file's own description is damaged",
            where=where,
            remedy="import or fetch the file again",
        )
    return about
