"""Tables cut into parts that can be costed anywhere, and put together to the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oem_tco.errors import InputError
from oem_tco.inputs.decode import Coded, code_text, id_text
from oem_tco.inputs.findings import FindingCode, Findings
from oem_tco.inputs.ids import all_different, positions
from oem_tco.inputs.read import InputTable
from oem_tco.tables.costs import (
    CostRules,
    TableCosts,
    TcoTables,
    cost_tables,
    name_currencies,
    text_column,
)
from oem_tco.terms import Benchmark

Ints = npt.NDArray[np.int64]


def split_tables(tables: TcoTables, parts: int) -> list[TcoTables]:
    """Cut tables into parts by symbol, each with all it needs.

    Orders of a symbol stay together, with their fills, quotes, funding and volume: so do holdings
    that funding is shared over. Rows of one id that stand with two symbols go to the first part.

    Args:
        tables: The tables.
        parts: How many parts, at least 1; some may be without orders.
    """
    if parts < 1:
        raise InputError(f"{parts} parts", where="parts", remedy="give at least 1")
    orders = tables.orders
    symbol = code_text(orders.arrays["symbol"])
    ids = id_text(orders.arrays["order_id"])
    fill_ids, of_order = (id_text(tables.fills.arrays[n]) for n in ("fill_id", "order_id"))
    part = symbol.codes.astype(np.int64) % parts
    part[symbol.codes < 0] = 0
    _entangle(part, symbol, ids, _twice(ids))
    first = _first_of(ids)
    owner = positions(of_order, ids.take(pa.array(first)))
    of_fill = np.where(owner >= 0, part[first[owner]] if len(first) else 0, 0)
    again = _twice(fill_ids)
    touched = owner[again]
    if len(touched):
        _entangle(part, symbol, ids, first[touched[touched >= 0]])
        of_fill = np.where(owner >= 0, part[first[owner]] if len(first) else 0, 0)
        of_fill[again] = 0
    symbols = {w: int(part[np.argmax(symbol.codes == c)]) for c, w in enumerate(symbol.words)}
    return [
        TcoTables(
            orders.take(np.flatnonzero(part == one)),
            tables.fills.take(np.flatnonzero(of_fill == one)),
            quotes=_by_symbol(tables.quotes, symbols, one),
            funding=_by_symbol(tables.funding, symbols, one),
            volume=_by_symbol(tables.volume, symbols, one),
            rates=tables.rates,
        )
        for one in range(parts)
    ]


def cost_partitions(
    partitions: Sequence[TcoTables],
    rules: CostRules | None = None,
    executor: Executor | None = None,
) -> TableCosts:
    """Cost parts anywhere and put them together; the bytes are those of `cost_tables` of the whole.

    Args:
        partitions: Parts of `split_tables`.
        rules: Choices.
        executor: Where parts are costed, such as a process pool or
            `distributed.Client.get_executor()`; None for here and now.
    """
    if executor is None:
        return merge_costs([cost_tables(part, rules) for part in partitions])
    futures = [executor.submit(cost_tables, part, rules) for part in partitions]
    return merge_costs([future.result() for future in futures])


def merge_costs(costs: Sequence[TableCosts]) -> TableCosts:
    """Return the costs of parts as those of the whole.

    Args:
        costs: Costs of parts of the same tables under the same rules.
    """
    if not costs:
        raise InputError("no costs", where="costs", remedy="give at least one part")
    orders = _canonical(pa.concat_tables([c.orders for c in costs]))
    fills = _canonical(pa.concat_tables([c.fills for c in costs]))
    by_order = pc.sort_indices(
        orders, [("decision_time_ns", "ascending"), ("order_id", "ascending")]
    )
    by_fill = pc.sort_indices(fills, [("time_ns", "ascending"), ("fill_id", "ascending")])
    orders, fills = _taken(orders, by_order), _taken(fills, by_fill)
    rows = np.concatenate([c.order_rows for c in costs])[by_order.to_numpy()]
    findings = Findings(
        f for c in costs for f in c.findings if f.code is not FindingCode.MIXED_CURRENCIES
    )
    name_currencies(findings, orders, rows)
    return TableCosts(
        costs[0].convention,
        orders,
        fills,
        findings,
        rows,
        _benchmarks([c.benchmarks for c in costs if c.benchmarks is not None], orders),
        _markouts([c.markouts for c in costs if c.markouts is not None], fills),
    )


def _benchmarks(tables: list[pa.Table], orders: pa.Table) -> pa.Table | None:
    if not tables:
        return None
    table = pa.concat_tables(tables).combine_chunks()
    names = [b.value for b in Benchmark]
    kind = pc.index_in(table.column("benchmark"), value_set=pa.array(names)).to_numpy()
    return _taken(table, pa.array(np.lexsort((_rank(table, orders, "order_id"), kind))))


def _markouts(tables: list[pa.Table], fills: pa.Table) -> pa.Table | None:
    if not tables:
        return None
    table = pa.concat_tables(tables).combine_chunks()
    horizon = table.column("horizon_ns").to_numpy()
    return _taken(table, pa.array(np.lexsort((_rank(table, fills, "fill_id"), horizon))))


def _rank(table: pa.Table, among: pa.Table, name: str) -> Ints:
    return positions(*(t.column(name).combine_chunks() for t in (table, among)))


def _taken(table: pa.Table, rows: pa.Array) -> pa.Table:
    return table.take(rows).combine_chunks()


def _canonical(table: pa.Table) -> pa.Table:
    """Return a table with one chunk a column, and text columns with the words that occur."""
    columns: dict[str, pa.Array] = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            coded = code_text(column.unify_dictionaries().combine_chunks())
            columns[name] = text_column(coded)
        else:
            columns[name] = column.combine_chunks()
    return pa.table(columns)


def _twice(ids: pa.Array) -> Ints:
    """Return the rows whose id occurs more than once."""
    if all_different(ids):
        return np.zeros(0, np.int64)
    counted = ids.value_counts()
    again = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    return np.flatnonzero(pc.is_in(ids, value_set=again).to_numpy(zero_copy_only=False))


def _first_of(ids: pa.Array) -> Ints:
    """Return one row for every id."""
    if all_different(ids):
        return np.arange(len(ids))
    table = pa.table({"id": ids, "row": np.arange(len(ids))})
    found = table.group_by("id", use_threads=False).aggregate([("row", "min")])
    return np.sort(found.column("row_min").to_numpy())


def _entangle(part: Ints, symbol: Coded, ids: pa.Array, rows: Ints) -> None:
    """Move all orders of the symbols of some rows, and of their ids, to the first part."""
    if not len(rows):
        return
    same = pc.is_in(ids, value_set=ids.take(pa.array(rows))).to_numpy(zero_copy_only=False)
    part[np.isin(symbol.codes, symbol.codes[same])] = 0
    part[same] = 0


def _by_symbol(table: InputTable | None, symbols: dict[str, int], part: int) -> InputTable | None:
    if table is None:
        return None
    coded = code_text(table.arrays["symbol"])
    mine = coded.lookup(symbols, 0) == part  # symbols without orders are checked in the first part
    return table.take(np.flatnonzero(mine))
