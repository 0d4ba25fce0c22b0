"""Published fee and shortfall figures (items 13, 14 and 15)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from oem_tco import (
    Component,
    FeeAccount,
    FeeBook,
    TcoTables,
    cost_tables,
    funding_cost,
    read_table,
    shortfall,
)
from oem_tco.money import MINOR_PER_UNIT, to_minor
from tco_support import fill, order
from tco_tables import fills_of, orders_of, parts_of, plain_parts

BOOK = FeeBook.shipped()
CHANGED = dt.date(2022, 6, 1)
LADDER = [
    ("Regular", "0.1", "0.1"),
    ("VIP 1", "0.09", "0.10"),
    ("VIP 2", "0.08", "0.10"),
    ("VIP 3", "0.07", "0.10"),
    *((f"VIP {level}", "0.02", "0.04") for level in range(4, 10)),
]


@pytest.mark.parametrize(("tier", "maker", "taker"), LADDER)
def test_binance_spot_from_2022_06_01(tier: str, maker: str, taker: str) -> None:
    for liquidity, percent in (("maker", maker), ("taker", taker)):
        plain = BOOK.commission("binance", "spot", liquidity, CHANGED, FeeAccount(tier=tier))
        in_bnb = FeeAccount(tier=tier, pay_fees_in="BNB")
        reduced = BOOK.commission("binance", "spot", liquidity, CHANGED, in_bnb)
        assert plain.rate * 100 == Decimal(percent)
        assert reduced.rate == plain.rate * Decimal("0.75")


def test_binance_vip4_the_day_before() -> None:
    day, vip4 = dt.date(2022, 5, 31), FeeAccount(tier="VIP 4")
    rates = [
        BOOK.commission("binance", "spot", kind, day, vip4).rate for kind in ("maker", "taker")
    ]
    assert rates == [Decimal("0.0007"), Decimal("0.0009")]


def test_wagner_shortfall() -> None:
    row = order(
        quantity=Decimal(5000),
        decision_price=Decimal(10),
        arrival_price=Decimal("10.25"),
        end_price=Decimal(11),
    )
    done = fill(
        quantity=Decimal(4000), price=Decimal("10.50"), fee_amount=Decimal(80), bid=None, ask=None
    )
    found = shortfall(row, [done])
    whole_table = cost_tables(TcoTables(orders_of([row]), fills_of([done])))
    assert parts_of(whole_table.orders) == {"o1": plain_parts(found)}
    trading = (Component.SPREAD, Component.IMPACT_TEMPORARY, Component.IMPACT_PERMANENT)
    assert found.parts[Component.DELAY] == 1250 * MINOR_PER_UNIT
    assert sum(found.parts[part] for part in trading) == 1000 * MINOR_PER_UNIT
    assert found.parts[Component.OPPORTUNITY] == 750 * MINOR_PER_UNIT
    assert found.parts[Component.FEES] == 80 * MINOR_PER_UNIT
    assert found.total == 3080 * MINOR_PER_UNIT


def test_a_fee_is_exact_to_the_minor_unit() -> None:
    fee = Decimal("0.5") * Decimal("95900.1") * Decimal("0.00055")
    done = fill(quantity=Decimal("0.5"), price=Decimal("95900.1"), fee_amount=fee)
    parts = shortfall(order(quantity=Decimal("0.5")), [done]).parts
    assert parts[Component.FEES] == to_minor(Decimal("26.3725275"))


def test_funding_of_a_position_at_its_mark() -> None:
    """Position value 129,384.12 x 0.0642 at a rate of 0.03 %: 2.49193815 (item 15)."""
    paid = funding_cost(Decimal("129384.12"), Decimal("0.0642"), Decimal("0.0003"))
    assert round(paid, 8) == Decimal("2.49193815")
    settled = pa.table(
        {"symbol": ["BTC/USDT"], "time_ns": [60 * 10**9], "rate": ["0.0003"], "mark": ["129384.12"]}
    )
    held = order(market="linear", quantity=Decimal("0.0642"), end_time_ns=None)
    tables = TcoTables(
        orders_of([held]),
        fills_of([fill(quantity=Decimal("0.0642"))]),
        funding=read_table("funding", settled),
    )
    costs = cost_tables(tables).orders
    assert costs.column("funding_minor").to_pylist() == [to_minor(Decimal("2.49193815"))]
    named = sum(costs.column(f"{c.value}_minor").to_pylist()[0] for c in Component)
    assert costs.column("total_minor").to_pylist() == [named]
