"""Cost tables from the site's ledger, and onto disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oem_tco.errors import LedgerError
from oem_tco.inputs.read import InputTable, read_table
from oem_tco.money import bps, minor_text
from oem_tco.tables.costs import TableCosts
from oem_tco.terms import COMPONENTS


def ledger_tables(folder: Path) -> tuple[InputTable, InputTable]:
    """Return orders and fills of the daemon's ledger; a later row of an order is a newer one.

    Args:
        folder: Folder of `orders.csv` and `fills.csv`.

    Raises:
        LedgerError: A file is missing.
        InputError: A file cannot be read or lacks a column.
    """
    for name in ("orders.csv", "fills.csv"):
        if not (folder / name).is_file():
            raise LedgerError(
                "there is no cost ledger",
                where=str(folder / name),
                remedy="trade first, or name --orders and --fills",
            )
    orders = read_table("orders", folder / "orders.csv")
    revision = pa.array(np.arange(orders.rows))
    newest = InputTable(orders.name, orders.rows, {**orders.arrays, "revision": revision})
    return newest, read_table("fills", folder / "fills.csv")


def order_totals(costs: TableCosts) -> dict[str, dict[str, tuple[str, float]]]:
    """Return components and total by currency: exact amount as text, and basis points.

    Args:
        costs: Costs of tables.

    Returns:
        Currency to name to amount and bps of the wanted quantity at the decision prices.
    """
    currency = np.array(costs.orders.column("currency").cast(pa.string()).to_pylist(), object)
    names = [*(component.value for component in COMPONENTS), "total"]
    found: dict[str, dict[str, tuple[str, float]]] = {}
    for word in sorted(set(currency.tolist())):
        mine = pa.array(np.flatnonzero(currency == word))
        orders = costs.orders.take(mine)
        notional = sum(orders.column("notional_minor").to_pylist())
        sums = {name: sum(orders.column(f"{name}_minor").to_pylist()) for name in names}
        found[word] = {name: (minor_text(v), bps(v, notional)) for name, v in sums.items()}
    return found


def write_costs(costs: TableCosts, folder: Path, *, rows_per_group: int = 1 << 20) -> list[Path]:
    """Write cost tables as Parquet; the same costs have the same bytes.

    Args:
        costs: Costs of tables.
        folder: Where to; it is made.
        rows_per_group: Rows of a row group, the piece that `group_partitions` holds in memory.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in (
        ("orders", costs.orders),
        ("fills", costs.fills),
        ("findings", costs.findings.table()),
        ("benchmarks", costs.benchmarks),
        ("markouts", costs.markouts),
    ):
        if table is None:
            continue
        kind = f"minor units, 10^-8 of the currency; delay: {costs.convention.value}"
        described = table.replace_schema_metadata({"amounts": kind})
        path = folder / f"{name}.parquet"
        write_partition(described, path, rows_per_group=rows_per_group)
        written.append(path)
    return written


def write_partition(table: pa.Table, path: Path, *, rows_per_group: int = 1 << 20) -> None:
    """Write one table as Parquet, text columns as dictionaries and amounts plain: quick to read.

    Args:
        table: The table.
        path: The file.
        rows_per_group: Rows of a row group.
    """
    text = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    pq.write_table(
        table, path, row_group_size=rows_per_group, use_dictionary=text, compression="lz4"
    )
