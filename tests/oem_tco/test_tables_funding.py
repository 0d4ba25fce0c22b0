"""Funding goes to the orders whose fills were held, exactly, whatever the order of the rows."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    FundingRate,
    InputTable,
    Side,
    TableCosts,
    TcoTables,
    cost_tables,
    funding_of_holding,
    read_table,
)
from oem_tco.money import to_minor
from tco_support import fill, order
from tco_tables import fills_of, orders_of

D = Decimal
HOUR = 3600 * 10**9
START = 20_000 * 24 * HOUR


def settled(*rows: tuple[int, str, str | None]) -> InputTable:
    return read_table(
        "funding",
        pa.table(
            {
                "symbol": ["BTC/USDT"] * len(rows),
                "time_ns": pa.array([START + at for at, _, _ in rows], pa.int64()),
                "rate": [rate for _, rate, _ in rows],
                "mark": pa.array([mark for _, _, mark in rows], pa.string()),
            }
        ),
    )


def traded(
    trades: list[tuple[int, int]], funding: InputTable | None, market: str = "linear"
) -> TableCosts:
    """Costs of trades (hour, signed quantity), each an order of its own."""
    orders, fills = [], []
    for number, (at, quantity) in enumerate(trades):
        name = f"o{number:02d}"
        orders.append(
            order(
                order_id=name,
                market=market,
                side=Side.BUY if quantity > 0 else Side.SELL,
                quantity=D(abs(quantity)),
                decision_time_ns=START + at,
                arrival_time_ns=START + at,
                end_time_ns=None,
            )
        )
        fills.append(
            fill(fill_id=f"f{number:02d}", order_id=name, time_ns=START + at,
                 quantity=D(abs(quantity)))
        )  # fmt: skip
    return cost_tables(TcoTables(orders_of(orders), fills_of(fills), funding=funding))


def paid(costs: TableCosts) -> list[int]:
    table = costs.orders.sort_by("order_id")
    return table.column("funding_minor").to_pylist()


trades_of_a_day = st.lists(
    st.tuples(st.integers(0, 24), st.integers(-9, 9).filter(bool)), min_size=1, max_size=8
)


@settings(max_examples=15)
@given(trades_of_a_day, st.lists(st.decimals("-0.01", "0.01", places=6), min_size=3, max_size=3),
       st.decimals("0.01", "90000", places=2), st.randoms())  # fmt: skip
def test_the_shares_of_orders_sum_to_the_funding_of_the_holding(
    trades: list[tuple[int, int]], rates: list[Decimal], mark: Decimal, random: Random
) -> None:
    moves = [(hour * HOUR, quantity) for hour, quantity in trades]
    rows = [((8 * i + 8) * HOUR, str(rate), str(mark)) for i, rate in enumerate(rates)]
    costs = traded(moves, settled(*rows))
    expected = sum(
        to_minor(
            funding_of_holding([FundingRate(at, D(rate), mark)], [(at, D(q)) for at, q in moves])
        )
        for at, rate, _ in rows
    )
    assert sum(paid(costs)) == expected
    totals = costs.orders.column("total_minor").to_pylist()
    without = traded(moves, None).orders.column("total_minor").to_pylist()
    assert sum(totals) - sum(without) == expected
    random.shuffle(rows)
    assert paid(traded(moves, settled(*rows))) == paid(costs)


def test_what_is_sold_closes_what_was_bought_first() -> None:
    trades = [(1 * HOUR, 2), (2 * HOUR, 3), (3 * HOUR, -2), (9 * HOUR, -4)]
    costs = traded(trades, settled((8 * HOUR, "0.001", "100"), (16 * HOUR, "0.001", "100")))
    # at 8 h the second order's 3 are held, at 16 h the last one is short of 1
    assert paid(costs) == [to_minor(D(x)) for x in ("0", "0.3", "0", "-0.1")]


@pytest.mark.parametrize("market", ["linear", "spot"])
def test_only_perpetual_contracts_pay(market: str) -> None:
    costs = traded([(HOUR, 1)], settled((8 * HOUR, "0.001", "100")), market)
    assert paid(costs) == [0 if market == "spot" else to_minor(D("0.1"))]


def named(costs: TableCosts) -> dict[str, tuple[str, list[int]]]:
    return {f.code.value: (f.treatment.value, f.rows.tolist()) for f in costs.findings}


def test_a_timestamp_that_jitters_is_of_the_minute_it_was_meant_for() -> None:
    trades = [(8 * HOUR + 20_000_000, 1)]  # 20 ms after the hour: not held at the settlement
    jitters = settled((8 * HOUR + 47_000_000, "0.001", "100"))
    costs = traded(trades, jitters)
    assert paid(costs) == [0]
    assert named(costs) == {"funding_jitter": ("fallback", [0])}


def test_a_settlement_counts_once_and_two_rates_count_for_none() -> None:
    first, again = (8 * HOUR, "0.001", "100"), (8 * HOUR + 5_000_000, "0.001", None)
    twice = traded([(HOUR, 1)], settled(first, again))
    assert paid(twice) == [to_minor(D("0.1"))]
    assert named(twice)["funding_duplicate"] == ("left_out", [1])
    clash = traded(
        [(HOUR, 1)], settled(first, (8 * HOUR, "0.002", "100"), (16 * HOUR, "0.003", "1"))
    )
    assert paid(clash) == [to_minor(D("0.003"))]
    assert named(clash)["funding_conflict"] == ("refused", [0, 1])


def test_without_a_mark_the_quotes_or_the_last_fill_value_the_position() -> None:
    no_mark = settled((8 * HOUR, "0.001", None))
    costs = traded([(HOUR, 2)], no_mark)
    assert paid(costs) == [to_minor(D("0.001") * 2 * 103)]
    assert named(costs)["no_mark"] == ("fallback", [0])


def test_a_perpetual_contract_without_settlements_is_named() -> None:
    assert named(traded([(HOUR, 1)], None)) == {"no_funding": ("noted", [0])}
