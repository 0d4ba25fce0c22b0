"""Costs of many partitions by any keys: exact sums and exact quantiles in bounded memory.

Two passes over the partitions. The first sums and counts, and counts how many values lie in each
bin of a logarithmic grid (the upper bits of a float64, which sort as the numbers do). The second
reads the values of those few bins in which a quantile lies. Sums are integers and counts add up in
any order, so the result is the same for any partitions, row order and number of workers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from oem_tco.errors import InputError
from oem_tco.inputs.decode import code_text
from oem_tco.inputs.fixed import Bools
from oem_tco.tables.exact import Ints, group_sums, minor_column

Source: TypeAlias = Path | str | pa.Table
"""One partition: a Parquet file, or a table."""
_BITS = 19  # bins 0.8 % wide
_SHIFT = np.uint64(64 - _BITS)
_MASK = 2**_BITS - 1
_AT_ONCE = 8  # partials that are held before they are put together
_CLOCK = {"hour": 3600 * 10**9, "day": 86_400 * 10**9}


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


def group_partitions(
    sources: Sequence[Source], spec: GroupSpec, executor: Executor | None = None
) -> pa.Table:
    """Group the rows of partitions.

    Args:
        sources: Partitions of fills or orders as `cost_tables` gives them.
        spec: Keys, amounts and quantiles.
        executor: Where partitions are worked on, such as a process pool or
            `distributed.Client.get_executor()`; None for here and now.

    Returns:
        One row a group, by the words of its keys: keys, `rows`, the sums as decimal128(38, 0) in
        minor units, `value_bps` (ratio of the sums of `value`) and one column a quantile, such as
        `q0.5_bps`.

    Raises:
        InputError: A column is missing or holds what it cannot hold.

    Example:
        >>> fills = pa.table({"venue": ["a", "b", "a"], "total_minor": [1, 2, 3],
        ...                   "notional_minor": [1000, 1000, 1000]})
        >>> group_partitions([fills], GroupSpec(("venue",), (0.5,))).to_pylist()[0]["q0.5_bps"]
        10.0
    """
    if not sources:
        raise InputError("no partition", where="sources", remedy="give at least one")
    spec = _completed(sources[0], spec)
    threads = executor is None  # workers share the cores already
    total = _folded(_run(executor, partial_groups, sources, (spec, threads)))
    wanted, ranks = _targets(total, spec)
    more = (spec, total.names, wanted, threads)
    found = list(_run(executor, values_in_bins, sources, more))
    return _table(total, spec, _select(total, spec, wanted, ranks, found))


def _run(
    executor: Executor | None, work: Any, sources: Sequence[Source], more: tuple[Any, ...]
) -> Iterator[Any]:
    """Yield what the work returns for each source, in their order; nothing is kept."""
    if executor is None:
        for source in sources:
            yield work(source, *more)
        return
    futures = deque(executor.submit(work, source, *more) for source in sources)
    while futures:
        yield futures.popleft().result()


def _folded(parts: Iterable[Partial]) -> Partial:
    """Return partials put together as they come, so that only a few are held at once."""
    held: list[Partial] = []
    for part in parts:
        held.append(part)
        if len(held) == _AT_ONCE:
            held = [merge_partials(held)]
    return merge_partials(held)


def _completed(source: Source, spec: GroupSpec) -> GroupSpec:
    """Return the spec with the currency among its keys and every amount named."""
    names = source.column_names if isinstance(source, pa.Table) else pq.read_schema(source).names
    keys = spec.keys
    if "currency" in names and "currency" not in keys:
        keys = (*keys, "currency")
    amounts = spec.amounts or tuple(name for name in names if name.endswith("_minor"))
    missing = [
        name
        for name in (*keys, *amounts, *spec.value)
        if name not in names and not (name in _CLOCK and spec.clock in names)
    ]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}", where="partition", remedy="name columns it has"
        )
    return GroupSpec(keys, spec.quantiles, spec.value, amounts, spec.clock)


def partial_groups(source: Source, spec: GroupSpec, threads: bool = True) -> Partial:
    """Return what one partition adds to the groups; runs in any process.

    Args:
        source: The partition.
        spec: Keys, amounts and value.
        threads: Whether files are read with several threads.
    """
    return _folded(
        _partial(table, spec)
        for table in _chunks(source, spec, (*spec.amounts, *spec.value), threads)
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
    threads: bool = True,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return cells and values of the rows in the wanted bins of a partition; in any process.

    Args:
        source: The partition.
        spec: Keys and value.
        names: Groups in the order that cells count them.
        wanted: Bin of every group and quantile, shape (groups, quantiles); -1 for none.
        threads: Whether files are read with several threads.
    """
    place = {name: at for at, name in enumerate(names)}
    cells, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for table in _chunks(source, spec, spec.value, threads):
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
        cells.append(group << _BITS | grid[rows].astype(np.int64))
        values.append(value[rows])
    return np.concatenate(cells), np.concatenate(values)


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
        cells.append(moved[part.cells >> _BITS] << _BITS | part.cells & _MASK)
        counts.append(part.cell_counts)
    every, inverse = np.unique(np.concatenate(cells), return_inverse=True)
    total = np.zeros(len(every), np.int64)
    np.add.at(total, inverse, np.concatenate(counts))
    return Partial(names, rows, values, sums, every, total)


def _chunks(
    source: Source, spec: GroupSpec, columns: Sequence[str], threads: bool
) -> Iterator[pa.Table]:
    """Yield a partition piece by piece: a row group of a file at a time, or the table."""
    clock = [spec.clock] if any(key in _CLOCK for key in spec.keys) else []
    wanted = [*dict.fromkeys([*spec.keys, *columns, *clock])]
    if isinstance(source, pa.Table):
        yield source.select([name for name in wanted if name in source.column_names])
        return
    try:
        with pq.ParquetFile(source, memory_map=True) as file:
            names = [name for name in wanted if name in file.schema_arrow.names]
            for at in range(file.num_row_groups):
                yield file.read_row_group(at, columns=names, use_threads=threads)
    except (pa.ArrowException, FileNotFoundError) as error:
        raise InputError(
            f"it cannot be read: {str(error).splitlines()[0]}",
            where=str(source),
            remedy="give Parquet files as `oem tco cost` writes them",
        ) from None


def _groups(table: pa.Table, spec: GroupSpec) -> tuple[list[tuple[str, ...]], Ints]:
    """Return the groups of a piece, and the group of every row."""
    code: npt.NDArray[np.integer] = np.zeros(table.num_rows, np.int64)
    words: list[tuple[str, ...]] = []
    for key in spec.keys:
        if key in table.column_names:
            column = table.column(key)
            if pa.types.is_dictionary(column.type):
                column = column.unify_dictionaries()
            coded = code_text(column.combine_chunks())
            code *= len(coded.words) + 1
            code += coded.codes + 1
            words.append(("", *coded.words))
        else:
            stamp, texts = _clock(table.column(spec.clock), key)
            code *= len(texts)
            code += stamp
            words.append(texts)
    size = int(np.prod([len(w) for w in words], dtype=object)) if words else 1
    if size <= 10**6:
        used = np.flatnonzero(np.bincount(code, minlength=size))
        position = np.zeros(size, np.int64)
        position[used] = np.arange(len(used))
        of_row: Ints = position[code]
    else:
        used, inverse = np.unique(code, return_inverse=True)
        of_row = inverse.astype(np.int64)
    names = []
    for one in used.tolist():
        name: list[str] = []
        for texts in reversed(words):
            one, at = divmod(one, len(texts))
            name.append(texts[at])
        names.append(tuple(reversed(name)))
    return names, of_row


def _clock(column: pa.ChunkedArray, key: str) -> tuple[Ints, tuple[str, ...]]:
    times = column.cast(pa.int64()).to_numpy()
    if key == "hour":
        return times // _CLOCK["hour"] % 24, tuple(f"{hour:02d}" for hour in range(24))
    days, at = np.unique(times // _CLOCK["day"], return_inverse=True)
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
    top = (values.view(np.uint64) >> _SHIFT).astype(np.int32)
    # a set sign bit means that larger bits are smaller values
    half = 2 ** (_BITS - 1)
    return np.asarray(np.where(top >= half, _MASK - top, top + half), np.int32)


def _counted(code: Ints, grid: npt.NDArray[np.int32], groups: int) -> tuple[Ints, Ints]:
    """Return every group and bin that occurs, as one number, and how often."""
    if not len(grid):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    seen = np.zeros(2**_BITS, np.bool_)
    seen[grid] = True
    used = np.flatnonzero(seen)
    if groups * len(used) > 2 * 10**7:
        cells, counts = np.unique(code << _BITS | grid.astype(np.int64), return_counts=True)
        return cells, counts
    position = np.zeros(2**_BITS, np.int64)
    position[used] = np.arange(len(used))
    table = np.bincount(code * np.int64(len(used)) + position[grid], minlength=groups * len(used))
    found = np.flatnonzero(table)
    group, at = np.divmod(found, len(used))
    return group << _BITS | used[at], table[found]


def _targets(
    total: Partial, spec: GroupSpec
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the bin in which each quantile of each group lies, and its rank among that bin."""
    shape = (len(total.names), len(spec.quantiles))
    wanted, ranks = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
    group = total.cells >> _BITS
    for at in range(shape[0]):
        mine = slice(*np.searchsorted(group, [at, at + 1]).tolist())
        below = np.cumsum(total.cell_counts[mine])
        count = int(total.values[at])
        for column, q in enumerate(spec.quantiles if count else ()):
            rank = math.ceil(Fraction(str(q)) * count)
            cell = int(np.searchsorted(below, rank))
            wanted[at, column] = total.cells[mine][cell] & _MASK
            ranks[at, column] = rank - (int(below[cell - 1]) if cell else 0) - 1
    return wanted, ranks


def _select(
    total: Partial,
    spec: GroupSpec,
    wanted: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int64],
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]],
) -> npt.NDArray[np.float64]:
    cells = np.concatenate([c for c, _ in found])
    values = np.concatenate([v for _, v in found])
    order = np.lexsort((values, cells))
    cells, values = cells[order], values[order]
    out = np.full(wanted.shape, np.nan)
    for at in range(len(total.names)):
        for column in range(len(spec.quantiles)):
            if wanted[at, column] >= 0:
                start = int(np.searchsorted(cells, at << _BITS | int(wanted[at, column])))
                out[at, column] = values[start + int(ranks[at, column])]
    return out


def _table(total: Partial, spec: GroupSpec, quantiles: npt.NDArray[np.float64]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for at, key in enumerate(spec.keys):
        columns[key] = pa.array([name[at] for name in total.names], pa.string())
    columns["rows"] = pa.array(total.rows)
    for at, amount in enumerate(spec.amounts):
        columns[amount] = minor_column(total.sums[:, at])
    top, bottom = (_summed(total, spec, name) for name in spec.value)
    if top is not None and bottom is not None:
        ratio = [a * 10_000 / b if b else None for a, b in zip(top, bottom, strict=True)]
        columns["value_bps"] = pa.array(ratio, pa.float64())
    for at, q in enumerate(spec.quantiles):
        column = quantiles[:, at]
        columns[f"q{q}_bps"] = pa.array(column, mask=np.isnan(column))
    return pa.table(columns)


def _summed(total: Partial, spec: GroupSpec, name: str) -> list[int] | None:
    if name not in spec.amounts:
        return None
    return [int(v) for v in total.sums[:, spec.amounts.index(name)]]
