"""Benchmarks and markouts against sums done by hand, and on a recorded market."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    Benchmark,
    CostRules,
    TableCosts,
    TcoTables,
    cost_tables,
    markout_curve,
    read_table,
)
from oem_tco.money import MINOR_PER_UNIT
from oem_tco.tables.benchmarks import rounded
from tco_support import fill, order
from tco_tables import fills_of, orders_of

SECOND = 10**9
DAY = 86_400 * SECOND
START = 20_000 * DAY  # a midnight


def quotes_at(moments: list[tuple[int, str, str]]) -> pa.Table:
    return pa.table(
        {
            "symbol": ["BTC/USDT"] * len(moments),
            "time_ns": pa.array([START + at for at, _, _ in moments], pa.int64()),
            "bid": [bid for _, bid, _ in moments],
            "ask": [ask for _, _, ask in moments],
        }
    )


def costed(quotes: pa.Table, volume: pa.Table | None = None, stop: int = 10) -> TableCosts:
    row = order(
        decision_time_ns=START + SECOND,
        arrival_time_ns=START + 2 * SECOND,
        end_time_ns=START + stop * SECOND,
    )
    done = [
        fill(fill_id="f1", time_ns=START + 3 * SECOND, quantity=Decimal(4), bid=None, ask=None),
        fill(fill_id="f2", time_ns=START + 5 * SECOND, quantity=Decimal(2), bid=None, ask=None),
    ]
    tables = TcoTables(
        orders_of([row]),
        fills_of(done),
        read_table("quotes", quotes),
        volume=None if volume is None else read_table("volume", volume),
    )
    rules = CostRules(benchmarks=tuple(Benchmark), markouts_ns=(SECOND, 4 * SECOND))
    return cost_tables(tables, rules)


def test_each_benchmark_has_its_price_and_cost() -> None:
    quotes = quotes_at(
        [(0, "99", "101"), (4 * SECOND, "109", "111"), (6 * SECOND, "120", "119"),
         (8 * SECOND, "119", "121"), (DAY - 30 * SECOND, "129", "131"), (DAY, "1", "2")]
    )  # fmt: skip
    volume = pa.table(
        {
            "symbol": ["BTC/USDT"] * 4,
            "time_ns": [START, START + 2 * SECOND, START + 10 * SECOND, START + DAY],
            "price": [90.0, 100.0, 110.0, 1.0],
            "volume": [2.0, 1.0, 3.0, 99.0],
        }
    )
    table = costed(quotes, volume).benchmarks
    assert table is not None
    # 2 s of 100, 4 s of 110 (the crossed quote does not count), 2 s of 120
    twap = Fraction(2 * 100 + 4 * 110 + 2 * 120, 8)
    expected = {
        "arrival": Fraction(101),
        "decision": Fraction(100),
        "mid": Fraction(4 * 100 + 2 * 110, 6),
        "twap": twap,
        "vwap": Fraction(2 * 90 + 100 + 3 * 110, 6),
        "interval": Fraction(100 + 3 * 110, 4),
        "close": Fraction(130),
    }
    assert table.column("benchmark").to_pylist() == list(expected)
    for row in table.to_pylist():
        price = expected[row["benchmark"]]
        assert row["price"] == round(Decimal(price.numerator) / price.denominator, 18)
        assert row["cost_minor"] == round((6 * 103 - 6 * price) * MINOR_PER_UNIT)
        assert row["notional_minor"] == round(6 * price * MINOR_PER_UNIT)


def test_what_the_tables_do_not_give_is_empty_and_named() -> None:
    found = costed(quotes_at([(40 * SECOND, "99", "101")]))
    table = found.benchmarks
    assert table is not None
    empty = table.filter(table.column("cost_minor").is_null()).column("benchmark").to_pylist()
    assert empty == ["mid", "twap", "vwap", "interval", "close"]
    named = {f.column for f in found.findings if f.code.value == "no_benchmark"}
    assert named == set(empty)


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9), st.integers(0, 3)), min_size=1))
def test_twap_is_the_integral_of_the_mid(quotes: list[tuple[int, int, int]]) -> None:
    moments = [(at * SECOND, str(bid), str(bid + width)) for at, bid, width in quotes]
    table = costed(quotes_at(moments)).benchmarks
    assert table is not None
    price = dict(
        zip(table.column("benchmark").to_pylist(), table.column("price").to_pylist(), strict=True)
    )
    # of quotes at one second the lowest bid, then the highest ask holds
    held: dict[int, Fraction] = {}
    for at, bid, width in sorted(quotes, key=lambda q: (-q[1], q[2])):
        held[at] = Fraction(2 * bid + width, 2)
    known = [max((t for t in held if t <= second), default=-1) for second in range(2, 10)]
    if known[0] < 0:
        assert price["twap"] is None
    else:
        mean = sum((held[t] for t in known), Fraction(0)) / 8
        assert price["twap"] == Decimal(rounded(mean.numerator * 10**18, mean.denominator)).scaleb(
            -18
        )


def test_a_gap_in_the_quotes_leaves_no_twap() -> None:
    def twap(moments: list[tuple[int, str, str]], stop: int) -> Decimal | None:
        table = costed(quotes_at(moments), stop=stop).benchmarks
        assert table is not None
        found = {r["benchmark"]: r["price"] for r in table.to_pylist()}["twap"]
        return None if found is None else Decimal(found)

    steady = [(0, "99", "101"), (60 * SECOND, "109", "111")]
    mean = rounded((100 * 58 + 110 * 60) * 10**18, 118)
    assert twap(steady, 120) == Decimal(mean).scaleb(-18)
    assert twap(steady, 121) is None  # nothing is known of the last second
    assert twap([(0, "99", "101"), (61 * SECOND, "109", "111")], 100) is None
    assert twap([(0, "99", "101"), (61 * SECOND, "109", "111")], 60) == 100


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_effective_spread_is_the_realised_one_and_the_price_impact(side: str) -> None:
    # Huang, Stoll 1996: price to mid, price to later mid, and mid to later mid
    quotes = quotes_at([(0, "99", "101"), (6 * SECOND, "102", "104")])
    table = pa.table(
        {
            "order_id": ["o"], "symbol": ["BTC/USDT"], "side": [side], "quantity": ["3"],
            "currency": ["USDT"], "decision_time_ns": [START], "decision_price": ["100"],
            "arrival_time_ns": [START], "arrival_price": ["100"],
        }
    )  # fmt: skip
    done = pa.table(
        {
            "fill_id": ["f"], "order_id": ["o"], "time_ns": [START + SECOND],
            "price": ["101.5" if side == "buy" else "98.5"], "quantity": ["2"],
            "liquidity": ["taker"], "fee_amount": ["0"], "fee_asset": ["USDT"],
        }
    )  # fmt: skip
    tables = TcoTables(
        read_table("orders", table), read_table("fills", done), read_table("quotes", quotes)
    )
    costs = cost_tables(tables, CostRules(markouts_ns=(5 * SECOND,)))
    assert costs.markouts is not None
    row = costs.fills.to_pylist()[0]
    effective = row["spread_minor"] + row["impact_temporary_minor"]
    realised = -costs.markouts.to_pylist()[0]["markout_minor"]
    sign = 1 if side == "buy" else -1
    assert effective == 3 * MINOR_PER_UNIT
    assert effective - realised == sign * (103 - 100) * 2 * MINOR_PER_UNIT


def test_markouts_are_gains_and_stale_quotes_give_none() -> None:
    quotes = quotes_at([(0, "99", "101"), (4 * SECOND, "109", "111")])
    table = costed(quotes).markouts
    assert table is not None
    by_key = {(r["fill_id"], r["horizon_ns"]): r["markout_minor"] for r in table.to_pylist()}
    assert by_key == {
        ("f1", SECOND): 4 * 7 * MINOR_PER_UNIT,  # bought at 103, the mid after 1 s is 110
        ("f2", SECOND): 2 * 7 * MINOR_PER_UNIT,
        ("f1", 4 * SECOND): 4 * 7 * MINOR_PER_UNIT,
        ("f2", 4 * SECOND): 2 * 7 * MINOR_PER_UNIT,
    }
    curve = markout_curve(table)
    assert [(one.horizon_ns, one.fills) for one in curve] == [(SECOND, 2), (4 * SECOND, 2)]
    assert curve[0].mean_bps == pytest.approx(1e4 * 7 / 103)
    assert curve[0].low_bps <= curve[0].mean_bps <= curve[0].high_bps
    late = cost_tables(
        TcoTables(
            orders_of([order(decision_time_ns=START, arrival_time_ns=START)]),
            fills_of([fill(time_ns=START + SECOND, bid=None, ask=None)]),
            read_table("quotes", quotes_at([(0, "99", "101")])),
        ),
        CostRules(markouts_ns=(59 * SECOND, 60 * SECOND)),
    ).markouts
    assert late is not None
    assert late.column("markout_minor").to_pylist() == [-4 * 3 * MINOR_PER_UNIT, None]


def test_on_a_recorded_market_the_mid_is_a_fair_price(shared_data: Path) -> None:
    """Every recorded trade as a taker's fill: it pays about half the spread, seen from the mid."""
    trades = pa.parquet.read_table(shared_data / "trades" / "binance_BTCUSDT.parquet").slice(
        2000, 4000
    )
    names = [f"t{i}" for i in range(len(trades))]
    stamps = trades.column("timestamp")
    currency, symbol = pa.array(["USDT"] * len(names)), pa.array(["BTC/USDT"] * len(names))
    none = pa.nulls(len(names), pa.float64())
    orders = pa.table(
        {
            "order_id": names, "symbol": symbol, "side": trades.column("side").cast(pa.string()),
            "quantity": trades.column("size"), "currency": currency, "decision_time_ns": stamps,
            "decision_price": none, "arrival_time_ns": stamps, "arrival_price": none,
        }
    )  # fmt: skip
    fills = pa.table(
        {
            "fill_id": names, "order_id": names, "time_ns": stamps, "price": trades.column("price"),
            "quantity": trades.column("size"), "liquidity": ["taker"] * len(names),
            "fee_amount": [0.0] * len(names), "fee_asset": currency,
        }
    )  # fmt: skip
    costs = cost_tables(
        TcoTables(
            read_table("orders", orders),
            read_table("fills", fills),
            read_table(
                "quotes", shared_data / "quotes" / "binance_BTCUSDT.parquet",
                columns={"time_ns": "timestamp"}, constants={"symbol": "BTC/USDT"},
            ),
        ),
        CostRules(markouts_ns=(SECOND,), benchmarks=(Benchmark.MID,)),
    )  # fmt: skip
    assert costs.orders.num_rows == len(names)
    spread = sum(costs.orders.column("spread_minor").to_pylist())
    notional = sum(costs.orders.column("notional_minor").to_pylist())
    assert 0 < 1e4 * spread / notional < 0.05  # the median spread there is 0.002 bp
    assert {f.code.value for f in costs.findings} <= {
        "no_decision_price", "no_arrival_price", "tied_quotes",
    }  # fmt: skip
    assert costs.markouts is not None
    assert markout_curve(costs.markouts)[0].fills == len(names)
