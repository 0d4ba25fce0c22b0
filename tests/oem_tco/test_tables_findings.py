"""Every bad input is named with its row, and costed by a stated fallback or refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from oem_tco import (
    CostRules,
    FeeRules,
    FillRow,
    InputError,
    InputTable,
    Liquidity,
    OrderRow,
    Side,
    TableCosts,
    TcoTables,
    cost_tables,
    read_table,
    shortfall,
)
from oem_tco.money import MINOR_PER_UNIT
from tco_support import fill, order
from tco_tables import fills_of, orders_of, parts_of, plain_parts

D = Decimal
NO_QUOTE = {"bid": None, "ask": None}


def quotes(*moments: tuple[int, float | None, float | None]) -> InputTable:
    return read_table(
        "quotes",
        pa.table(
            {
                "symbol": ["BTC/USDT"] * len(moments),
                "time_ns": pa.array([at for at, _, _ in moments], pa.int64()),
                "bid": pa.array([bid for _, bid, _ in moments], pa.float64()),
                "ask": pa.array([ask for _, _, ask in moments], pa.float64()),
            }
        ),
    )


def cost(
    fills: list[FillRow],
    orders: list[OrderRow] | None = None,
    quotes: InputTable | None = None,
    rules: CostRules | None = None,
    **tables: InputTable,
) -> TableCosts:
    made = orders_of(orders or [order()])
    return cost_tables(TcoTables(made, fills_of(fills), quotes, **tables), rules)


def named(costs: TableCosts) -> dict[str, tuple[str, list[int]]]:
    """Code to treatment and rows."""
    return {f.code.value: (f.treatment.value, f.rows.tolist()) for f in costs.findings}


def blank(table: InputTable, column: str, row: int, value: Any = None) -> InputTable:
    """The table with one cell changed."""
    arrow = table.arrow()
    cells = arrow.column(column).to_pylist()
    cells[row] = value
    at = arrow.column_names.index(column)
    kind = arrow.schema.field(column).type
    return read_table(table.name, arrow.set_column(at, column, pa.array(cells, kind)))


def test_a_fill_without_an_order_is_left_out() -> None:
    costs = cost([fill(), fill(fill_id="f2", order_id="nobody")])
    assert named(costs) == {"fill_without_order": ("left_out", [1])}
    assert parts_of(costs.orders) == {"o1": plain_parts(shortfall(order(), [fill()]))}
    assert "fills.order_id: fill without order, left_out: no such order; row 1 (f2)" in map(
        str, costs.findings
    )


def test_a_fill_reported_twice_counts_once_and_a_contradiction_refuses_the_order() -> None:
    twice = cost([fill(), fill()])
    assert named(twice) == {"duplicate_fill": ("left_out", [1])}
    assert twice.orders.column("fills").to_pylist() == [1]
    other = [fill(), fill(price=D(999)), fill(fill_id="f2", order_id="o2")]
    clash = cost(other, [order(), order(order_id="o2")])
    assert clash.orders.column("order_id").to_pylist() == ["o2"]
    assert named(clash)["conflicting_fill"] == ("refused", [0, 1])
    assert named(clash)["refused_fill"] == ("refused", [0])


def test_of_amendments_the_newest_counts_and_without_a_revision_they_contradict() -> None:
    first, second = order(quantity=D(10)), order(quantity=D(7))
    table = orders_of([second, first], revision=[2, 1])
    costs = cost_tables(TcoTables(table, fills_of([fill()])))
    assert parts_of(costs.orders) == {"o1": plain_parts(shortfall(second, [fill()]))}
    assert named(costs) == {}
    clash = cost([fill()], [first, second])
    assert clash.orders.num_rows == 0
    assert named(clash)["conflicting_order"] == ("refused", [0, 1])
    assert named(cost([fill()], [first, first])) == {"duplicate_order": ("left_out", [1])}


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("quantity", "-4", "not_positive"),
        ("quantity", "0", "not_positive"),
        ("price", None, "missing_value"),
        ("price", "12x", "bad_value"),
        ("price", "1.0000000000000000001", "bad_value"),
        ("fee_rate_to_quote", "-1", "not_positive"),
        ("liquidity", "both", "unknown_word"),
        ("time_ns", None, "missing_value"),
        ("fill_id", "", "missing_value"),
    ],
)
def test_a_cell_that_cannot_be_used_refuses_its_order(column: str, value: Any, code: str) -> None:
    good = order(order_id="o2")
    fills = fills_of([fill(order_id="o2"), fill(fill_id="f2"), fill(fill_id="f3")])
    costs = cost_tables(TcoTables(orders_of([order(), good]), blank(fills, column, 1, value)))
    assert costs.orders.column("order_id").to_pylist() == ["o2"]
    found = [f for f in costs.findings if f.code.value == code]
    assert [(f.column, f.rows.tolist(), f.treatment.value) for f in found] == [
        (column, [1], "refused")
    ]
    refused = {
        f.table.value: f.rows.tolist() for f in costs.findings if f.code.value == "refused_fill"
    }
    assert refused == {"orders": [0], "fills": [2]}


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [("quantity", "-1", "not_positive"), ("side", "bye", "unknown_word"),
     ("symbol", None, "missing_value"), ("decision_time_ns", None, "missing_value")],
)  # fmt: skip
def test_an_order_that_cannot_be_used_is_refused_with_its_fills(
    column: str, value: Any, code: str
) -> None:
    orders = blank(orders_of([order(), order(order_id="o2")]), column, 0, value)
    costs = cost_tables(TcoTables(orders, fills_of([fill()])))
    assert costs.orders.column("order_id").to_pylist() == ["o2"]
    assert named(costs)[code] == ("refused", [0])
    assert named(costs)["refused_fill"] == ("refused", [0])


def test_more_filled_than_ordered_is_refused() -> None:
    costs = cost([fill(quantity=D("10.00000001"))])
    assert named(costs)["overfilled_order"] == ("refused", [0])
    assert (costs.orders.num_rows, costs.fills.num_rows) == (0, 0)


def test_a_missing_arrival_price_comes_from_the_quotes_else_from_the_decision() -> None:
    orders = blank(orders_of([order()]), "arrival_price", 0)
    fills = fills_of([fill()])
    by_quote = cost_tables(TcoTables(orders, fills, quotes((1, 100.0, 104.0))))
    assert named(by_quote)["no_arrival_price"] == ("fallback", [0])
    assert parts_of(by_quote.orders) == {
        "o1": plain_parts(shortfall(order(arrival_price=D(102)), [fill()]))
    }
    assert by_quote.orders.column("arrival_price_from").to_pylist() == ["quotes"]
    without = cost_tables(TcoTables(orders, fills))
    assert named(without)["no_arrival_price"] == ("fallback", [0])
    assert without.orders.column("delay_minor").to_pylist() == [0]
    both = blank(orders, "decision_price", 0)
    assert named(cost_tables(TcoTables(both, fills)))["no_decision_price"] == ("refused", [0])


def test_an_order_without_a_last_price_values_the_rest_at_arrival() -> None:
    costs = cost([fill()], [order(end_price=None, end_time_ns=None)])
    assert named(costs) == {"no_end_price": ("fallback", [0])}
    assert costs.orders.column("opportunity_minor").to_pylist() == [0]


@pytest.mark.parametrize(
    ("moments", "code"),
    [
        ([(5, 102.0, 101.0)], "crossed_quote"),
        ([(5, 0.0, 101.0)], "crossed_quote"),
        ([(5, None, 101.0)], "crossed_quote"),
        ([(6, 101.0, 102.0)], "no_quote"),
        ([], "no_quote"),
    ],
)
def test_without_a_sound_quote_the_price_stands(
    moments: list[tuple[int, float | None, float | None]], code: str
) -> None:
    costs = cost([fill(**NO_QUOTE)], quotes=quotes(*moments))
    found = {(f.table.value, f.code.value): f.rows.tolist() for f in costs.findings}
    assert found[("fills", code)] == [0]
    assert parts_of(costs.orders) == {"o1": plain_parts(shortfall(order(), [fill(**NO_QUOTE)]))}
    assert costs.fills.column("quote_from").to_pylist() == ["none"]


def test_an_old_quote_does_not_count() -> None:
    rules = CostRules(max_quote_age_ns=3)
    fresh = cost([fill(**NO_QUOTE)], quotes=quotes((2, 101.0, 102.0)), rules=rules)
    stale = cost([fill(**NO_QUOTE)], quotes=quotes((1, 101.0, 102.0)), rules=rules)
    assert named(fresh) == {}
    assert named(stale) == {"stale_quote": ("fallback", [0])}


def test_a_venue_clock_that_is_behind_is_named_or_put_right() -> None:
    early = [fill(time_ns=1, **NO_QUOTE)]
    known = quotes((1, 90.0, 91.0), (2, 101.0, 102.0), (4, 200.0, 201.0))
    found = cost(early, quotes=known)
    assert named(found) == {"clock_skew": ("fallback", [0])}
    assert parts_of(found.orders) == {"o1": plain_parts(shortfall(order(), [fill()]))}
    right = cost(early, quotes=known, rules=CostRules(clock_ahead_ns={"paper": -2}))
    assert named(right) == {}
    late = cost([fill(time_ns=99)])
    assert named(late) == {"clock_skew": ("noted", [0])}
    assert [f.column for f in late.findings] == ["end_time_ns"]


def rates(*rows: tuple[str, str, int, str]) -> InputTable:
    names = ("asset", "currency", "time_ns", "rate")
    return read_table("rates", pa.table({n: [r[i] for r in rows] for i, n in enumerate(names)}))


@pytest.mark.parametrize("write", [str.upper, str.title])
def test_words_mean_the_same_in_any_case(write: Any) -> None:
    # many venues write SELL and Maker; a sale must not be costed as a buy
    rows = [order(side=Side.SELL, market="linear"), order(order_id="o2", market="linear")]
    done = [fill(), fill(fill_id="f2", order_id="o2", liquidity=Liquidity.MAKER)]
    made, filled = orders_of(rows), fills_of(done)
    plain = cost_tables(TcoTables(made, filled))
    for column in ("side", "market", "order_type"):
        made = blank(made, column, 0, write(made.arrow().column(column)[0].as_py()))
    filled = blank(filled, "liquidity", 1, write("maker"))
    loud = cost_tables(TcoTables(made, filled))
    assert loud.orders.equals(plain.orders)
    assert loud.fills.equals(plain.fills)
    assert loud.orders.column("side").to_pylist() == ["sell", "buy"]


@pytest.mark.parametrize("end", [2**63 - 1, -(2**63), 4_500_000_001 * 10**9])
def test_instants_whose_differences_would_wrap_are_refused(end: int) -> None:
    # the age of a quote of 1677 seen from 2026 is beyond an int64, and wrapped to a fresh one
    away = cost([fill(**NO_QUOTE)], quotes=quotes((end, 99.0, 101.0)))
    assert named(away)["bad_value"] == ("refused", [0])
    assert named(away)["no_quote"] == ("fallback", [0])
    late = cost([fill(time_ns=end)])
    assert late.orders.num_rows == 0
    assert named(late)["bad_value"] == ("refused", [0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_quote_age_ns": -1},
        {"clock_ahead_ns": {"v": 2**63 - 1}},
        {"markouts_ns": (0,)},
        {"markouts_ns": (2**62,)},
    ],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        CostRules(**wrong)


def test_a_fee_in_a_third_asset_is_converted_at_the_time() -> None:
    paid = [fill(fee_asset="BNB", fee_amount=D("0.01"))]
    table = rates(
        ("BNB", "USDT", 1, "600.5"), ("BNB", "USDT", 5, "601.25"), ("BNB", "USDT", 6, "9")
    )
    costs = cost(paid, rates=table)
    assert named(costs) == {}
    assert costs.orders.column("fees_minor").to_pylist() == [round(D("6.0125") * MINOR_PER_UNIT)]
    assert costs.fills.column("fee_from").to_pylist() == ["measured"]
    inverse = cost(paid, rates=rates(("USDT", "BNB", 5, "0.0016")))
    assert inverse.orders.column("fees_minor").to_pylist() == [round(D("6.25") * MINOR_PER_UNIT)]


def test_a_fee_asset_without_a_rate_is_costed_by_the_schedule_with_a_range() -> None:
    venue = order(venue="binance", decision_time_ns=1)
    paid = [fill(fee_asset="XYZ", fee_amount=D(7))]
    costs = cost(paid, [venue])
    assert named(costs)["unknown_fee_asset"] == ("fallback", [0])
    assert named(costs)["no_schedule"] == ("fallback", [0])  # 1970 is before any schedule
    assert costs.fills.column("fee_from").to_pylist() == ["estimated"]
    low, fee, high = (
        costs.orders.column(n).to_pylist()[0]
        for n in ("fees_low_minor", "fees_minor", "fees_high_minor")
    )
    assert low < fee < high
    assert fee == round(D("0.001") * 4 * 103 * MINOR_PER_UNIT)
    stale = cost(
        paid, [venue], rates=rates(("XYZ", "USDT", 1, "2")),
        rules=CostRules(fees=FeeRules(max_rate_age_ns=3)),
    )  # fmt: skip
    assert {"stale_rate", "unknown_fee_asset"} <= set(named(stale))


def test_a_missing_fee_comes_from_the_schedule_in_effect_never_0() -> None:
    day = 1_735_689_600 * 10**9  # 2025-01-01
    row = order(venue="binance", decision_time_ns=day, arrival_time_ns=day, end_time_ns=None)
    table = blank(fills_of([fill(time_ns=day)]), "fee_amount", 0)
    costs = cost_tables(TcoTables(orders_of([row]), table))
    assert named(costs) == {"no_fee": ("fallback", [0])}
    assert costs.orders.column("fees_minor").to_pylist() == [round(D("0.412") * MINOR_PER_UNIT)]
    assert costs.fills.column("fee_from").to_pylist() == ["schedule"]
    unknown = cost_tables(TcoTables(orders_of([replace(row, venue="nowhere")]), table))
    assert named(unknown)["no_schedule"] == ("fallback", [0])
    assert unknown.orders.column("fees_minor").to_pylist()[0] > 0


def test_fees_in_a_venues_own_sign_are_put_right_where_its_schedule_says_so() -> None:
    orders = [order(order_id="o1", venue="okx"), order(order_id="o2", venue="binance")]
    fills = [
        fill(fill_id=f"f{i}", order_id=f"o{i}", fee_amount=D(amount))
        for i, amount in ((1, "-0.4"), (2, "0.4"))
    ]
    both = cost(fills, orders, rules=CostRules(fees=FeeRules(as_reported=True)))
    assert both.orders.column("fees_minor").to_pylist() == [40_000_000, 40_000_000]
    plain = cost(fills, orders)
    assert plain.orders.column("fees_minor").to_pylist() == [-40_000_000, 40_000_000]


def test_currencies_are_never_added_and_huge_amounts_are_refused() -> None:
    several = cost([fill()], [order(), order(order_id="o2", currency="EUR")])
    assert named(several)["mixed_currencies"] == ("noted", [0, 1])
    huge = order(order_id="o2", quantity=D(10) ** 12, side=Side.SELL)
    costs = cost([fill(), fill(fill_id="f2", order_id="o2", quantity=D(10) ** 11)], [order(), huge])
    assert named(costs)["too_large"] == ("refused", [1])
    assert parts_of(costs.orders) == {"o1": plain_parts(shortfall(order(), [fill()]))}
    open_rest = cost([fill()], [order(quantity=D(10) ** 12)])
    assert named(open_rest)["too_large"] == ("refused", [0])
