"""Tables of orders and fills made from ledger rows, and what the plain ledger says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pyarrow as pa

from oem_tco import FillRow, OrderRow, Shortfall
from oem_tco.inputs.read import InputTable, read_table
from oem_tco.terms import COMPONENTS


def orders_of(rows: Iterable[OrderRow], **extra: list[Any]) -> InputTable:
    """The orders as a table; decimals as text, as a CSV file has them."""
    return read_table("orders", _table(rows, OrderRow, extra))


def fills_of(rows: Iterable[FillRow]) -> InputTable:
    """The fills as a table."""
    return read_table("fills", _table(rows, FillRow, {}))


def _table(rows: Iterable[Any], kind: type[Any], extra: dict[str, list[Any]]) -> pa.Table:
    given = list(rows)
    columns: dict[str, Any] = {}
    for field in fields(kind):
        values = [getattr(row, field.name) for row in given]
        if field.name.endswith("_ns"):
            columns[field.name] = pa.array(values, pa.int64())
        elif field.name.endswith("_bps"):
            columns[field.name] = pa.array(values, pa.float64())
        else:
            columns[field.name] = pa.array(
                [None if v is None else str(v) for v in values], pa.string()
            )
    return pa.table({**columns, **extra})


def parts_of(costs: pa.Table) -> dict[str, tuple[int, ...]]:
    """Order id to its components, total and notional, minor units."""
    names = [f"{c.value}_minor" for c in COMPONENTS] + ["total_minor", "notional_minor"]
    columns = [costs.column(name).to_pylist() for name in names]
    return dict(zip(costs.column("order_id").to_pylist(), zip(*columns, strict=True), strict=True))


def plain_parts(found: Shortfall) -> tuple[int, ...]:
    """The same numbers from the plain ledger."""
    return (*(found.parts[c] for c in COMPONENTS), found.total, found.notional)
