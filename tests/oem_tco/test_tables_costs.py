"""Whole tables are costed as the plain ledger costs each order, in any order of the rows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import DelayConvention, FillRow, Liquidity, OrderRow, Side, shortfall
from oem_tco.inputs.read import InputTable, read_table
from oem_tco.tables.costs import CostRules, TcoTables, cost_tables
from tco_support import fill, order
from tco_tables import fills_of, orders_of, parts_of, plain_parts

# several decimals, so that columns of few and of many digits meet
PRICES = st.one_of(
    st.decimals("0.00000001", "99999", places=8), st.decimals("0.5", "5e5", places=2)
)
SIZES = st.one_of(st.decimals("0.00000001", "50", places=8), st.decimals("1", "5000", places=0))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[OrderRow, list[FillRow]]]:
    """Orders with partial fills, sound, crossed and missing quotes, and fees in several assets."""
    made = []
    for number in range(draw(st.integers(1, 5))):
        sizes = draw(st.lists(SIZES, max_size=5))
        row = order(
            order_id=f"o{number}",
            side=draw(st.sampled_from(Side)),
            quantity=sum(sizes, draw(st.just(Decimal(0)) | SIZES)) or Decimal(1),
            decision_price=draw(PRICES),
            arrival_price=draw(PRICES),
            decision_time_ns=draw(st.integers(1, 3)),
            arrival_time_ns=4,
            end_price=draw(st.none() | PRICES),
            end_time_ns=None,
        )
        fills = [
            fill(
                fill_id=f"f{number}.{index}",
                order_id=row.order_id,
                time_ns=draw(st.integers(5, 9)),
                quantity=size,
                price=draw(PRICES),
                bid=draw(st.none() | PRICES),
                ask=draw(st.none() | PRICES),
                liquidity=draw(st.sampled_from(Liquidity)),
                fee_amount=draw(st.decimals("-5", "5", places=8)),
                fee_asset=draw(st.sampled_from(["USDT", "BTC", "BNB"])),
                fee_rate_to_quote=draw(PRICES),
            )
            for index, size in enumerate(sizes)
        ]
        made.append((row, fills))
    return made


@settings(max_examples=12)
@given(histories(), st.sampled_from(DelayConvention), st.randoms())
def test_tables_cost_what_the_plain_ledger_says(
    made: list[tuple[OrderRow, list[FillRow]]], convention: DelayConvention, random: Random
) -> None:
    fills = [one for _, several in made for one in several]
    rules = CostRules(convention=convention)
    costs = cost_tables(TcoTables(orders_of(row for row, _ in made), fills_of(fills)), rules)
    assert parts_of(costs.orders) == {
        row.order_id: plain_parts(shortfall(row, several, convention=convention))
        for row, several in made
    }
    for row in costs.orders.to_pylist():
        parts = [v for k, v in row.items() if k.endswith("_minor") and "fees_" not in k]
        notional, *named, total = parts
        assert sum(named) + row["fees_minor"] == total
        assert notional > 0 or row["quantity"] * row["decision_price"] < Decimal("1e-8")
    mixed = list(made)
    random.shuffle(mixed)
    random.shuffle(fills)
    again = cost_tables(TcoTables(orders_of(row for row, _ in mixed), fills_of(fills)), rules)
    assert bytes_of(again.orders) == bytes_of(costs.orders)
    assert bytes_of(again.fills) == bytes_of(costs.fills)
    names = ["code", "treatment", "table", "column", "text", "name"]
    assert sorted(map(str, again.findings.table().select(names).to_pylist())) == sorted(
        map(str, costs.findings.table().select(names).to_pylist())
    )


def bytes_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(0, 3)), max_size=20),
       st.integers(0, 12), st.sampled_from(["", "a"]), st.randoms())  # fmt: skip
def test_the_quote_is_the_last_before_the_fill(
    quotes: list[tuple[int, int, int]], at: int, venue: str, random: Random
) -> None:
    rows = [
        {"symbol": "X/Y", "time_ns": time, "bid": float(bid), "ask": float(bid + width),
         "venue": ["", "a", "b"][bid % 3]}
        for time, bid, width in quotes
    ]  # fmt: skip
    own = [r for r in rows if r["venue"] == venue]
    valid = [r for r in (own or [r for r in rows if r["venue"] == ""]) if r["time_ns"] <= at]
    random.shuffle(rows)
    wanted = min(valid, key=lambda r: (-r["time_ns"], r["bid"], -r["ask"]), default=None)
    row = order(symbol="X/Y", venue=venue, arrival_time_ns=0, decision_time_ns=0)
    done = fill(time_ns=at, bid=None, ask=None, liquidity=Liquidity.TAKER)
    named = {name: pa.array([r[name] for r in rows]) for name in rows[0]} if rows else NO_QUOTES
    costs = cost_tables(
        TcoTables(orders_of([row]), fills_of([done]), read_table("quotes", pa.table(named)))
    )
    if wanted is not None:
        done = replace(done, bid=Decimal(wanted["bid"]), ask=Decimal(wanted["ask"]))
    assert parts_of(costs.orders) == {"o1": plain_parts(shortfall(row, [done]))}


NO_QUOTES = {
    "symbol": pa.array([], pa.string()),
    "time_ns": pa.array([], pa.int64()),
    "bid": pa.array([], pa.float64()),
    "ask": pa.array([], pa.float64()),
    "venue": pa.array([], pa.string()),
}


@pytest.mark.parametrize("storage", ["float64", "decimal", "text"])
def test_a_price_is_the_same_however_it_is_stored(storage: str) -> None:
    rows = [order(decision_price=Decimal("61837.63"), arrival_price=Decimal("61837.64"),
                  end_price=Decimal("61840.005"), quantity=Decimal("0.12345678"))]  # fmt: skip
    done = [fill(quantity=Decimal("0.12"), price=Decimal("61838.1"), bid=None, ask=None)]
    orders, fills = orders_of(rows), fills_of(done)
    assert parts_of(
        cost_tables(TcoTables(stored(orders, storage), stored(fills, storage))).orders
    ) == {"o1": plain_parts(shortfall(rows[0], done))}


def stored(table: InputTable, storage: str) -> InputTable:
    kind = {"float64": pa.float64(), "decimal": pa.decimal128(24, 9), "text": pa.string()}[storage]
    arrow = table.arrow()
    for name in ("quantity", "decision_price", "arrival_price", "end_price", "price", "fee_amount"):
        if name in arrow.column_names:
            at = arrow.column_names.index(name)
            arrow = arrow.set_column(at, name, arrow.column(name).cast(kind))
    return read_table(table.name, arrow)
