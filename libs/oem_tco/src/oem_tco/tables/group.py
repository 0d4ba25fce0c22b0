"""Costs of many partitions by any keys: exact sums and exact quantiles in bounded memory.

Two passes over the partitions. The first sums and counts, and counts how many values lie in each
bin of a logarithmic grid (the upper bits of a float64, which sort as the numbers do). The second
reads the values of those few bins in which a quantile lies. Sums are integers and counts add up in
any order, so the result is the same for any partitions, row order and number of workers.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from oem_tco.errors import InputError
from oem_tco.tables.exact import minor_column
from oem_tco.tables.group_pieces import (
    BITS,
    CLOCK,
    MASK,
    GroupSpec,
    Partial,
    Source,
    folded,
    partial_groups,
    values_in_bins,
)

_THREADS = 4  # each holds one partition's row group


def group_partitions(
    sources: Sequence[Source], spec: GroupSpec, executor: Executor | None = None
) -> pa.Table:
    """Group the rows of partitions.

    Args:
        sources: Partitions of fills or orders as `cost_tables` gives them.
        spec: Keys, amounts and quantiles.
        executor: Where partitions are worked on, such as a process pool or
            `distributed.Client.get_executor()`; None for up to four threads of this process.

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
    if executor is None:
        threads = min(_THREADS, len(sources), os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            return _grouped(sources, spec, pool, threads)
    return _grouped(sources, spec, executor, len(sources))


def _grouped(
    sources: Sequence[Source], spec: GroupSpec, executor: Executor, ahead: int
) -> pa.Table:
    total = folded(_run(executor, ahead, partial_groups, sources, (spec,)))
    wanted, ranks = _targets(total, spec)
    found = list(_run(executor, ahead, values_in_bins, sources, (spec, total.names, wanted)))
    return _table(total, spec, _select(total, spec, wanted, ranks, found))


def _run(
    executor: Executor, ahead: int, work: Any, sources: Sequence[Source], more: tuple[Any, ...]
) -> Iterator[Any]:
    """Yield what the work returns for each source, in their order; so many are begun ahead."""
    futures: deque[Any] = deque()
    for source in sources:
        if len(futures) >= ahead:
            yield futures.popleft().result()
        futures.append(executor.submit(work, source, *more))
    while futures:
        yield futures.popleft().result()


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
        if name not in names and not (name in CLOCK and spec.clock in names)
    ]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}", where="partition", remedy="name columns it has"
        )
    return GroupSpec(keys, spec.quantiles, spec.value, amounts, spec.clock)


def _targets(
    total: Partial, spec: GroupSpec
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the bin in which each quantile of each group lies, and its rank among that bin."""
    shape = (len(total.names), len(spec.quantiles))
    wanted, ranks = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
    group = total.cells >> BITS
    for at in range(shape[0]):
        mine = slice(*np.searchsorted(group, [at, at + 1]).tolist())
        below = np.cumsum(total.cell_counts[mine])
        count = int(total.values[at])
        for column, q in enumerate(spec.quantiles if count else ()):
            rank = math.ceil(Fraction(str(q)) * count)
            cell = int(np.searchsorted(below, rank))
            wanted[at, column] = total.cells[mine][cell] & MASK
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
                start = int(np.searchsorted(cells, at << BITS | int(wanted[at, column])))
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
