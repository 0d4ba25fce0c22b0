"""What one partition adds to groups, a row group at a time; runs in any thread or process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from oem_tco.errors import InputError
from oem_tco.inputs.decode import code_text
from oem_tco.inputs.fixed import Bools
from oem_tco.tables.exact import Ints, group_sums

Source: TypeAlias = Path | str | pa.Table
"""One partition: a Parquet file, or a table."""
BITS = 19  # bins 0.8 % wide
MASK = 2**BITS - 1
_AT_ONCE = 8  # partials that are held before they are put together
CLOCK = {"hour": 3600 * 10**9, "day": 86_400 * 10**9}
_SHIFT = 64 - BITS
_HALF = np.int32(2 ** (BITS - 1))


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What is grouped.

    Attributes:
        keys: Text columns, or `hour` (of the day, UTC) and `day` (date) of the column `clock`.
            `currency` is added where the table has it: amounts of two currencies never add up.
        quantiles: Shares in (0, 1]; each gives the smallest value that at least this share of
            the values does not exceed.
        value: Columns whose ratio in basis points the quantiles are of.
        amounts: Columns to sum; empty for every column that ends in `_minor`.
        clock: Column of UTC nanoseconds.
    """

    keys: tuple[str, ...]
    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)
    value: tuple[str, str] = ("total_minor", "notional_minor")
    amounts: tuple[str, ...] = ()
    clock: str = "time_ns"

    def __post_init__(self) -> None:
        if any(not 0 < q <= 1 for q in self.quantiles):
            raise InputError(
                f"quantiles {self.quantiles}", where="quantiles", remedy="give shares in (0, 1]"
            )


@dataclass(slots=True)
class Partial:
    """What one partition adds: groups, counts, sums, and how many values lie in each bin.

    Attributes:
        names: Words of the keys of each group.
        rows: Rows of each group; values of those that have one.
        sums: Exact sums, shape (groups, amounts).
        cells: Group and bin of each count in `cell_counts`, as `group << 19 | bin`.
    """

    names: list[tuple[str, ...]]
    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    sums: npt.NDArray[np.object_]
    cells: npt.NDArray[np.int64]
    cell_counts: npt.NDArray[np.int64]


def partial_groups(source: Source, spec: GroupSpec) -> Partial:
    """Return what one partition adds to the groups; runs in any process.

    Args:
        source: The partition.
        spec: Keys, amounts and value.
    """
    return folded(
        _partial(table, spec) for table in _chunks(source, spec, (*spec.amounts, *spec.value))
    )


def _partial(table: pa.Table, spec: GroupSpec) -> Partial:
    names, code = _groups(table, spec)
    sums = np.empty((len(names), len(spec.amounts)), object)
    for at, name in enumerate(spec.amounts):
        sums[:, at] = _sums(table.column(name), code, len(names))
    value, known = _values(table, spec)
    grid = _bins(value)
    if not known.all():
        grid, code_of = grid[known], code[known]
    else:
        code_of = code
    cells, counts = _counted(code_of, grid, len(names))
    return Partial(
        names,
        np.bincount(code, minlength=len(names)),
        np.bincount(code_of, minlength=len(names)),
        sums,
        cells,
        counts,
    )


def values_in_bins(
    source: Source,
    spec: GroupSpec,
    names: list[tuple[str, ...]],
    wanted: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return cells and values of the rows in the wanted bins of a partition; in any process.

    Args:
        source: The partition.
        spec: Keys and value.
        names: Groups in the order that cells count them.
        wanted: Bin of every group and quantile, shape (groups, quantiles); -1 for none.
    """
    place = {name: at for at, name in enumerate(names)}
    cells, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for table in _chunks(source, spec, spec.value):
        mine, code = _groups(table, spec)
        value, known = _values(table, spec)
        grid = _bins(value)
        bins = wanted[[place[name] for name in mine]]
        inside = np.zeros(len(grid), np.bool_)
        for column in np.ascontiguousarray(bins.T):
            inside |= column[code] == grid
        inside &= known
        rows = np.flatnonzero(inside)
        group = np.array([place[name] for name in mine], np.int64)[code[rows]]
        cells.append(group << BITS | grid[rows].astype(np.int64))
        values.append(value[rows])
    return np.concatenate(cells), np.concatenate(values)


def folded(parts: Iterable[Partial]) -> Partial:
    """Return partials put together as they come, so that only a few are held at once."""
    held: list[Partial] = []
    for part in parts:
        held.append(part)
        if len(held) == _AT_ONCE:
            held = [merge_partials(held)]
    return merge_partials(held)


def merge_partials(parts: Sequence[Partial]) -> Partial:
    """Return partials put together, groups by the words of their keys."""
    parts = [part for part in parts if part.names]
    names = sorted({name for part in parts for name in part.names})
    place = {name: at for at, name in enumerate(names)}
    rows, values = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    width = max((part.sums.shape[1] for part in parts), default=0)
    sums = np.zeros((len(names), width), object)
    cells, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part in parts:
        moved = np.array([place[name] for name in part.names], np.int64)
        rows[moved] += part.rows
        values[moved] += part.values
        sums[moved] += part.sums
        cells.append(moved[part.cells >> BITS] << BITS | part.cells & MASK)
        counts.append(part.cell_counts)
    together, counted = np.concatenate(cells), np.concatenate(counts)
    order = np.argsort(together, kind="stable")  # runs in order already: quick
    together = together[order]
    first = np.flatnonzero(np.diff(together, prepend=-1))
    total = np.add.reduceat(counted[order], first) if len(first) else counted
    return Partial(names, rows, values, sums, together[first], total)


def _chunks(source: Source, spec: GroupSpec, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield a partition piece by piece: a row group of a file at a time, or the table."""
    clock = [spec.clock] if any(key in CLOCK for key in spec.keys) else []
    wanted = [*dict.fromkeys([*spec.keys, *columns, *clock])]
    if isinstance(source, pa.Table):
        yield source.select([name for name in wanted if name in source.column_names])
        return
    try:
        with pq.ParquetFile(source, memory_map=True) as file:
            names = [name for name in wanted if name in file.schema_arrow.names]
            for at in range(file.num_row_groups):
                yield file.read_row_group(at, columns=names, use_threads=False)
    except (pa.ArrowException, FileNotFoundError) as error:
        raise InputError(
            f"it cannot be read: {str(error).splitlines()[0]}",
            where=str(source),
            remedy="give Parquet files as `oem tco cost` writes them",
        ) from None


def _groups(table: pa.Table, spec: GroupSpec) -> tuple[list[tuple[str, ...]], Ints]:
    """Return the groups of a piece, and the group of every row."""
    columns: list[npt.NDArray[np.integer]] = []
    words: list[tuple[str, ...]] = []
    for key in spec.keys:
        if key in table.column_names:
            column = table.column(key)
            if pa.types.is_dictionary(column.type):
                column = column.unify_dictionaries()
            coded = code_text(column.combine_chunks())
            empty = len(coded.codes) and int(coded.codes.min()) < 0
            columns.append(coded.codes + np.int32(1) if empty else coded.codes)
            words.append(("", *coded.words) if empty else coded.words)
        else:
            stamp, texts = _clock(table.column(spec.clock), key)
            columns.append(stamp)
            words.append(texts)
    size = math.prod(len(w) for w in words)
    if size > 10**6:
        return _many_groups(table.num_rows, columns, words)
    code = np.zeros(table.num_rows, np.int32)
    for at, column in enumerate(columns):
        if at:
            code *= np.int32(len(words[at]))
        code += column.astype(np.int32, copy=False)
    used = np.flatnonzero(np.bincount(code, minlength=size))
    position = np.zeros(size, np.int64)
    position[used] = np.arange(len(used))
    names = []
    for one in used.tolist():
        name: list[str] = []
        for texts in reversed(words):
            one, at = divmod(one, len(texts))
            name.append(texts[at])
        names.append(tuple(reversed(name)))
    return names, position[code]


def _many_groups(
    rows: int, columns: list[npt.NDArray[np.integer]], words: list[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], Ints]:
    """Return the groups where a table of every possible one would be too large."""
    code, first = np.zeros(rows, np.int64), np.zeros(min(rows, 1), np.int64)
    for column, texts in zip(columns, words, strict=True):
        # numbered anew at each key, so that no product of their counts leaves int64
        code = code * len(texts) + column
        _, first, code = np.unique(code, return_index=True, return_inverse=True)
    texts_of = [[texts[at] for at in c[first]] for c, texts in zip(columns, words, strict=True)]
    return list(zip(*texts_of, strict=True)), code


def _clock(column: pa.ChunkedArray, key: str) -> tuple[Ints, tuple[str, ...]]:
    times = column.cast(pa.int64()).to_numpy()
    if key == "hour":
        return times // CLOCK["hour"] % 24, tuple(f"{hour:02d}" for hour in range(24))
    days, at = np.unique(times // CLOCK["day"], return_inverse=True)
    texts = np.array(days, "datetime64[D]").astype(str)
    return at.astype(np.int64), tuple(texts.tolist())


def _sums(column: pa.ChunkedArray, code: Ints, groups: int) -> npt.NDArray[Any]:
    """Return the exact sum of each group."""
    if pa.types.is_decimal(column.type):
        whole = np.array([int(v or 0) for v in column.to_pylist()], object)
        return group_sums(whole, code, groups)
    filled = column.fill_null(0) if column.null_count else column
    return group_sums(filled.to_numpy(), code, groups).astype(object)


def _values(table: pa.Table, spec: GroupSpec) -> tuple[npt.NDArray[np.float64], Bools]:
    """Return the value of every row in basis points, and which rows have one."""
    top, bottom = (table.column(name).cast(pa.float64(), safe=False) for name in spec.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = top.to_numpy() * 1e4 / bottom.to_numpy()
    return value + 0.0, np.isfinite(value)  # -0 and 0 are one value


def _bins(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return the bin of every value: upper bits that sort as the values do."""
    top = (values.view(np.int64) >> _SHIFT).astype(np.int32)
    # a set sign bit means that larger bits are smaller values: those are turned round
    sign = top >> 31
    top ^= sign
    sign += 1
    sign *= _HALF
    top += sign
    return top


def _counted(code: Ints, grid: npt.NDArray[np.int32], groups: int) -> tuple[Ints, Ints]:
    """Return every group and bin that occurs, as one number, and how often."""
    if not len(grid):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    seen = np.zeros(2**BITS, np.bool_)
    seen[grid] = True
    used = np.flatnonzero(seen)
    if groups * len(used) > 2 * 10**7:
        cells, counts = np.unique(code << BITS | grid.astype(np.int64), return_counts=True)
        return cells, counts
    position = np.zeros(2**BITS, np.int64)
    position[used] = np.arange(len(used))
    table = np.bincount(code * np.int64(len(used)) + position[grid], minlength=groups * len(used))
    found = np.flatnonzero(table)
    group, at = np.divmod(found, len(used))
    return group << BITS | used[at], table[found]
