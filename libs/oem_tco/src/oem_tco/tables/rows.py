"""Costed tables as rows of the plain ledger, with every fallback filled in."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from oem_tco.errors import LedgerError
from oem_tco.inputs.findings import FindingCode, Findings
from oem_tco.ledger.analysis import TcoResult, result_of
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.ledger.store import CostLedger, LedgerRows
from oem_tco.money import from_minor
from oem_tco.tables.costs import CostRules, TableCosts, TcoTables, priced
from oem_tco.tables.decompose import fill_quotes
from oem_tco.tables.exact import worth_minor
from oem_tco.tables.fees import RateTable, fill_fees
from oem_tco.tables.prepare import NAMES, read_fills, read_orders
from oem_tco.tables.quotes import QuoteBook
from oem_tco.terms import COMPONENTS, Liquidity, OrderType, Side


def ledger_rows(tables: TcoTables, rules: CostRules | None = None) -> tuple[LedgerRows, Findings]:
    """Return orders and fills of tables as the plain ledger keeps them.

    Prices and quotes are those that `cost_tables` uses, fees are in the quote currency. Funding has
    no place in these rows.

    Args:
        tables: The tables.
        rules: Choices, as for `cost_tables`.

    Returns:
        The rows of every order that can be costed, and what was found in the input.
    """
    rules = rules or CostRules()
    findings = Findings()
    orders = read_orders(tables.orders, findings)
    quotes = None
    if tables.quotes is not None:
        quotes = QuoteBook(tables.quotes, findings, rules.max_quote_age_ns)
    rates = None if tables.rates is None else RateTable(tables.rates, findings)
    orders, _ = priced(orders, quotes)
    orders, fills = read_fills(tables.fills, orders, findings, dict(rules.clock_ahead_ns))
    inverse = orders.inverse[fills.order]
    notional, _ = worth_minor(fills.price, fills.quantity, inverse)
    fees = fill_fees(orders, fills, notional, rules.fees, rates)
    bid, ask, _ = fill_quotes(orders, fills, quotes)
    decoder = orders.decoder
    decisions = decoder.ids("decision_id").to_pylist()
    estimates: dict[str, list[float]] = {
        name: decoder.numbers(name)[orders.row].tolist()
        for name in ("est_low_bps", "est_expected_bps", "est_high_bps")
    }
    names = orders.ids.to_pylist()
    order_rows = []
    for at, order_id in enumerate(names):
        words: dict[str, Any] = {name: orders.names[name].text(at) for name in NAMES}
        words["side"] = Side(words["side"].lower())
        words["order_type"] = OrderType(words["order_type"].lower())
        words |= {name: None if np.isnan(v[at]) else v[at] for name, v in estimates.items()}
        order_rows.append(
            OrderRow(
                order_id=order_id,
                decision_id=decisions[int(orders.row[at])],
                quantity=_known(orders.quantity.decimal(at)),
                decision_time_ns=int(orders.decided_ns[at]),
                decision_price=_known(orders.prices["decision_price"].decimal(at)),
                arrival_time_ns=int(orders.arrived_ns[at]),
                arrival_price=_known(orders.prices["arrival_price"].decimal(at)),
                end_time_ns=int(orders.ended_ns[at]) if orders.has_end[at] else None,
                end_price=orders.prices["end_price"].decimal(at),
                **words,
            )
        )
    fill_rows = tuple(
        FillRow(
            fill_id=fill_id,
            order_id=names[order],
            time_ns=int(fills.at_ns[at]),
            price=_known(fills.price.decimal(at)),
            quantity=_known(fills.quantity.decimal(at)),
            liquidity=Liquidity.MAKER if fills.maker[at] else Liquidity.TAKER,
            fee_amount=from_minor(int(fees.amount[at])),
            fee_asset=order_rows[order].currency,
            bid=bid.decimal(at),
            ask=ask.decimal(at),
        )
        for at, (fill_id, order) in enumerate(
            zip(fills.ids.to_pylist(), fills.order.tolist(), strict=True)
        )
    )
    return LedgerRows(tuple(order_rows), fill_rows), findings


def cost_result(costs: TableCosts, rows: LedgerRows) -> TcoResult:
    """Return costed tables as the analysis that a report shows, funding included.

    Args:
        costs: Costs of the tables.
        rows: Rows of the same tables and rules, from `ledger_rows`.
    """
    known = {order.order_id: order for order in rows.orders}
    table = costs.orders
    names = table.column("order_id").to_pylist()
    parts = [table.column(f"{component.value}_minor").to_pylist() for component in COMPONENTS]
    columns = [table.column(n).to_pylist() for n in ("total_minor", "notional_minor", "fills")]
    filled = table.column("filled").to_pylist()
    costed = []
    for at, name in enumerate(names):
        order = known[name]
        total, notional, fills = (column[at] for column in columns)
        mine = dict(zip(COMPONENTS, (part[at] for part in parts), strict=True))
        done = filled[at].normalize() + 0  # 18 digits in the table, those it has in the report
        costed.append((Shortfall(order, mine, total, notional, done), fills))
    said = [str(f) for f in costs.findings if f.code is not FindingCode.MIXED_CURRENCIES]
    return result_of(costed, costs.convention, said)


def write_ledger(rows: LedgerRows, folder: Path) -> list[Path]:
    """Write rows as a new ledger, which `oem tco analyze --ledger` reads.

    Args:
        rows: The rows.
        folder: Where to; it is made.

    Raises:
        LedgerError: There is a ledger already, or the disk refuses.
    """
    paths = [folder / "orders.csv", folder / "fills.csv"]
    if any(path.exists() for path in paths):
        raise LedgerError(
            "there is a cost ledger already", where=str(folder), remedy="name an empty folder"
        )
    ledger = CostLedger.open(folder)
    for order in rows.orders:
        ledger.record_order(order)
    for fill in rows.fills:
        ledger.record_fill(fill)
    ledger.close()
    return paths


def _known(value: Decimal | None) -> Decimal:
    """Return a value that the preparation has made sure of."""
    if value is None:
        raise LedgerError("a checked cell is empty", where="row", remedy="report this defect")
    return value
