"""Contracts that are counted in quote units and settle in the base asset."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    Benchmark,
    Component,
    CostRules,
    CostScenario,
    DelayConvention,
    FeeBook,
    FillRow,
    InputError,
    LedgerRows,
    Liquidity,
    OrderRow,
    Side,
    TableCosts,
    TcoTables,
    analyze,
    cost_tables,
    ledger_rows,
    read_table,
    shortfall,
    stress_costs,
    worst_orders,
)
from oem_tco.analysis.markouts import ledger_markouts
from oem_tco.analysis.worst import executed_bps
from oem_tco.money import MINOR_PER_UNIT
from oem_tco.report.cost_sheet import cost_sheet
from tco_support import NOON_NS, fill, order
from tco_tables import fills_of, orders_of, parts_of, plain_parts

D = Decimal
INVERSE = {"market": "inverse", "symbol": "BTC/USD:BTC", "currency": "BTC", "venue": "bybit"}
SECOND = 10**9


def contract(**changes: object) -> OrderRow:
    """A buy of 12,000 USD of contracts decided at 30,000, arrived at 31,000."""
    return order(**{
        **INVERSE, "quantity": D(12_000), "decision_price": D(30_000),
        "arrival_price": D(31_000), "end_price": D(40_000), **changes,
    })  # fmt: skip


def bought(**changes: object) -> FillRow:
    """A taker's fill of 8,000 USD at 32,000, best ask 31,800."""
    return fill(**{
        "quantity": D(8_000), "price": D(32_000), "bid": D(31_600), "ask": D(31_800),
        "fee_amount": D("0.0001"), "fee_asset": "BTC", **changes,
    })  # fmt: skip


def minor(*parts: tuple[int, int, int]) -> int:
    """Sum of sign x quantity / price, each rounded once."""
    return sum(sign * round(Fraction(q * MINOR_PER_UNIT, p)) for sign, q, p in parts)


def test_every_part_is_in_the_asset_it_settles_in() -> None:
    found = shortfall(contract(), [bought()])
    assert found.parts == {
        Component.DELAY: minor((1, 8_000, 30_000), (-1, 8_000, 31_000))
        + minor((1, 4_000, 30_000), (-1, 4_000, 31_000)),
        Component.SPREAD: minor((1, 8_000, 31_700), (-1, 8_000, 31_800)),
        Component.IMPACT_TEMPORARY: minor((1, 8_000, 31_800), (-1, 8_000, 32_000)),
        Component.IMPACT_PERMANENT: minor((1, 8_000, 31_000), (-1, 8_000, 31_700)),
        Component.FEES: 10_000,
        Component.FUNDING: 0,
        Component.OPPORTUNITY: minor((1, 4_000, 31_000), (-1, 4_000, 40_000)),
    }
    assert all(amount >= 0 for amount in found.parts.values())
    assert sum(found.parts.values()) == found.total
    assert found.notional == minor((1, 8_000, 30_000), (1, 4_000, 30_000))


def test_a_seller_of_the_same_prices_gains_what_a_buyer_loses() -> None:
    one = fill(quantity=D(12_000), price=D(32_000), fee_amount=D(0), bid=None)
    buyer, seller = (shortfall(contract(side=side), [one]).total for side in Side)
    assert buyer == -seller == minor((1, 12_000, 30_000), (-1, 12_000, 32_000))


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), convention=st.sampled_from(DelayConvention))
def test_tables_and_plain_ledger_agree_and_parts_sum(
    seed: int, convention: DelayConvention
) -> None:
    draw = random.Random(seed)
    orders, fills = [], []
    for number in range(4):
        kind = {} if draw.random() < 0.3 else INVERSE
        row = order(
            order_id=f"o{number}",
            side=draw.choice(list(Side)),
            quantity=D(draw.randint(100, 10**6)) / 10,
            decision_price=D(draw.randint(1, 10**7)) / 100,
            arrival_price=D(draw.randint(1, 10**7)) / 100,
            end_price=D(draw.randint(1, 10**7)) / 100,
            **kind,
        )
        orders.append(row)
        for part in range(draw.randint(0, 3)):
            bid = D(draw.randint(1, 10**7)) / 100
            fills.append(
                fill(
                    fill_id=f"f{number}.{part}", order_id=row.order_id, quantity=row.quantity / 4,
                    price=D(draw.randint(1, 10**7)) / 100, fee_asset=row.currency,
                    fee_amount=D(draw.randint(-99, 99)) / 10**6, bid=bid, ask=bid + 1,
                    liquidity=draw.choice(list(Liquidity)),
                )
            )  # fmt: skip
    costs = cost_tables(
        TcoTables(orders_of(orders), fills_of(fills)), CostRules(convention=convention)
    )
    plain = analyze(LedgerRows(tuple(orders), tuple(fills)), convention=convention)
    assert parts_of(costs.orders) == {s.order.order_id: plain_parts(s) for s in plain.orders}
    for found in plain.orders:
        assert sum(found.parts.values()) == found.total


def tables(quotes: bool = True, funding: bool = True, side: str = "sell") -> TableCosts:
    def at(second: int) -> int:
        return NOON_NS + second * SECOND

    named = {"symbol": ["BTC/USD:BTC"]}
    made = pa.table(
        {
            **named, "order_id": ["o"], "side": [side], "quantity": ["9000"], "currency": ["BTC"],
            "market": ["INVERSE"], "decision_time_ns": [NOON_NS], "decision_price": ["30000"],
            "arrival_time_ns": [NOON_NS], "arrival_price": ["30000"], "end_time_ns": [at(20)],
        }
    )  # fmt: skip
    done = pa.table(
        {
            "fill_id": ["f"], "order_id": ["o"], "time_ns": [at(10)], "price": ["29900"],
            "quantity": ["9000"], "liquidity": ["taker"], "fee_amount": ["0"], "fee_asset": ["BTC"],
        }
    )  # fmt: skip
    book = pa.table(
        {
            "symbol": ["BTC/USD:BTC"] * 2, "time_ns": [NOON_NS, at(15)],
            "bid": ["29990", "28990"], "ask": ["30010", "29010"],
        }
    )  # fmt: skip
    due = pa.table({**named, "time_ns": [at(60)], "rate": ["0.0001"], "mark": ["28000"]})
    rules = CostRules(benchmarks=(Benchmark.MID, Benchmark.TWAP), markouts_ns=(5 * SECOND,))
    return cost_tables(
        TcoTables(
            read_table("orders", made), read_table("fills", done),
            read_table("quotes", book) if quotes else None,
            funding=read_table("funding", due) if funding else None,
        ),
        rules,
    )  # fmt: skip


@pytest.mark.parametrize(("side", "sign"), [("sell", 1), ("buy", -1)])
def test_funding_benchmarks_and_markouts_are_of_the_reciprocal_price(side: str, sign: int) -> None:
    costs = tables(side=side)
    row = costs.orders.to_pylist()[0]
    # a short receives a positive rate: 9,000 / 28,000 x 0.0001 of the base asset
    assert row["funding_minor"] == -sign * round(Fraction(9_000 * 10_000, 28_000))
    assert costs.benchmarks is not None
    mid, twap = costs.benchmarks.to_pylist()
    assert (mid["price"], twap["price"]) == (30_000, 29_750)
    assert mid["cost_minor"] == sign * minor((1, 9_000, 29_900), (-1, 9_000, 30_000))
    assert twap["cost_minor"] == sign * minor((1, 9_000, 29_900), (-1, 9_000, 29_750))
    assert costs.markouts is not None
    # it sold at 29,900 and the mid fell to 29,000: a gain for the seller
    gain = costs.markouts.to_pylist()[0]["markout_minor"]
    assert gain == sign * minor((1, 9_000, 29_000), (-1, 9_000, 29_900))


def test_an_inverse_contract_in_another_currency_is_refused_and_not_mistaken() -> None:
    with pytest.raises(InputError, match="settles in BTC"):
        contract(currency="USD")
    good = orders_of([contract()])
    cells = good.arrow().set_column(
        good.arrow().column_names.index("currency"), "currency", pa.array(["USD"])
    )
    costs = cost_tables(TcoTables(read_table("orders", cells), fills_of([bought()])))
    assert costs.orders.num_rows == 0
    assert "wrong_settlement" in {f.code.value for f in costs.findings}


def test_report_stress_and_story_are_in_the_settlement_asset() -> None:
    rows = LedgerRows((contract(),), (bought(),))
    result = analyze(rows)
    sheet = cost_sheet(result)
    assert sheet.rows[0][sheet.place("quantity_unit")] == "USD"
    paid = executed_bps(result.orders[0])
    value = Fraction(8_000, 30_000)
    wanted = (value - Fraction(8_000, 32_000) + Fraction(1, 10_000)) / value * 10_000
    assert paid == pytest.approx(float(wanted), abs=1e-3)
    story = " ".join(worst_orders(result, rows.fills)[0].story)
    assert "12000 contracts of BTC/USD:BTC" in story
    assert "at 32000 on average" in story
    report = stress_costs(
        result, rows.fills, FeeBook.shipped(),
        scenarios=[
            CostScenario(name="wide", spread_factor=2.0),
            CostScenario(name="thin", depth_divisor=2.0),
        ],
    )  # fmt: skip
    wide, thin = report.costs
    assert wide.added[Component.SPREAD] == result.orders[0].parts[Component.SPREAD]
    assert thin.added[Component.IMPACT_TEMPORARY] == pytest.approx(
        result.orders[0].parts[Component.IMPACT_TEMPORARY], abs=1
    )


def test_a_ledgers_own_markouts_have_the_sign_of_the_tables() -> None:
    sold = bought(price=D(29_900), bid=None, ask=None, time_ns=NOON_NS)
    again = bought(fill_id="g", time_ns=NOON_NS + SECOND, bid=D(28_990), ask=D(29_010))
    row = contract(side=Side.SELL, decision_time_ns=NOON_NS, arrival_time_ns=NOON_NS)
    curve = ledger_markouts([row], [sold, again], horizons_ns=[SECOND])["BTC/USD:BTC"]
    assert curve[0].mean_bps == pytest.approx(1e4 * (29_900 / 29_000 - 1), rel=1e-6)


def test_tables_can_be_written_as_a_ledger() -> None:
    rows, _ = ledger_rows(TcoTables(orders_of([contract()]), fills_of([bought()])))
    assert analyze(rows).total.total == shortfall(contract(), [bought()]).total
