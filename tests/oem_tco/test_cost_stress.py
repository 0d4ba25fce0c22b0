"""Cost stress: one named part moves in each scenario, never down, and every assumption is named."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oem_tco import (
    DEFAULT_COST_SCENARIOS,
    Component,
    CostScenario,
    FeeBook,
    FillRow,
    LedgerRows,
    Liquidity,
    OrderRow,
    Side,
    StressReport,
    analyze,
    stress_costs,
)
from tco_support import NOON_NS, fill, order

D = Decimal
BOOK = FeeBook.shipped()


def row(**changes: object) -> OrderRow:
    """A buy of 10 at 100 on Binance's spot market, in 2023."""
    return order(
        venue="binance",
        decision_time_ns=NOON_NS,
        arrival_time_ns=NOON_NS + 1,
        end_time_ns=NOON_NS + 9,
        arrival_price=D(100),
        end_price=D(100),
        **changes,
    )


def taken(**changes: object) -> FillRow:
    """All of it, taken two quote units beyond an ask one unit over the mid, half the fee paid."""
    values: dict[str, object] = {
        "time_ns": NOON_NS + 5, "quantity": D(10), "price": D(103), "bid": D(99),
        "ask": D(101), "fee_amount": D("0.515"), **changes,
    }  # fmt: skip
    return fill(**values)


def stress(scenario: CostScenario, *fills: FillRow, owner: OrderRow | None = None) -> StressReport:
    result = analyze(LedgerRows((owner or row(),), fills))
    return stress_costs(result, fills, BOOK, scenarios=[scenario])


def added(report: StressReport, component: Component) -> Decimal:
    (cost,) = report.costs
    assert cost.total == cost.base + sum(cost.added.values())
    others = {c: a for c, a in cost.added.items() if c is not component}
    assert not any(others.values())
    return D(cost.added[component]) / 10**8


def test_losing_the_tier_charges_the_entry_tier_of_that_day() -> None:
    # 10 x 103 at 0.1 % is 1.03; 0.515 was paid
    scenario = CostScenario(name="s", fee_tier_lost=True)
    report = stress(scenario, taken())
    assert added(report, Component.FEES) == D("0.515")
    assert report.notes == ()


def test_losing_the_tier_never_lowers_a_fee_that_was_higher() -> None:
    scenario = CostScenario(name="s", fee_tier_lost=True)
    assert added(stress(scenario, taken(fee_amount=D(9))), Component.FEES) == 0


def test_a_rebate_is_lost_with_its_tier() -> None:
    scenario = CostScenario(name="s", fee_tier_lost=True)
    made = taken(liquidity=Liquidity.MAKER, price=D(99), fee_amount=D("-0.1"))
    assert added(stress(scenario, made), Component.FEES) == D("0.99") + D("0.1")


def test_without_a_schedule_the_upper_end_of_the_estimate_is_charged_and_named() -> None:
    scenario = CostScenario(name="s", fee_tier_lost=True)
    report = stress(scenario, taken(), owner=row(market="linear"))
    assert added(report, Component.FEES) > D("0.515")
    assert "upper end of an estimate" in report.notes[0]
    assert report.notes[0].endswith(": 1")


def test_a_paper_venue_is_charged_the_schedule_it_imitates() -> None:
    fills = (taken(),)
    result = analyze(LedgerRows((row(scheduler="x"),), fills))
    report = stress_costs(
        result,
        fills,
        BOOK,
        scenarios=[CostScenario(name="s", fee_tier_lost=True)],
        fee_venues={"binance": "nowhere"},
    )
    assert "no schedule for nowhere/spot" in report.notes[0]


def test_a_wider_spread_costs_takers_the_factor_and_gives_makers_nothing() -> None:
    scenario = CostScenario(name="s", spread_factor=3.0)
    assert added(stress(scenario, taken()), Component.SPREAD) == 20  # 2 more of half a spread, x 10
    made = taken(liquidity=Liquidity.MAKER, price=D(99))
    assert added(stress(scenario, made), Component.SPREAD) == 0


def test_a_fill_without_a_quote_is_charged_a_stated_spread() -> None:
    scenario = CostScenario(name="s", spread_factor=2.0)
    report = stress(scenario, taken(bid=None, ask=None))
    assert added(report, Component.SPREAD) == D(1030) * D("0.0005")
    assert report.notes == ("s, fills without a valid quote, half spread of 5 bps assumed: 1",)


@pytest.mark.parametrize(("exponent", "factor"), [(1.0, 4), (0.5, 2)])
def test_a_thinner_book_multiplies_what_lay_beyond_the_touch(exponent: float, factor: int) -> None:
    scenario = CostScenario(name="s", depth_divisor=4.0, depth_exponent=exponent)
    beyond = 2 * 10
    wanted = beyond * (factor - 1)
    assert added(stress(scenario, taken()), Component.IMPACT_TEMPORARY) == wanted


def test_a_thinner_book_costs_a_fill_at_the_touch_too() -> None:
    scenario = CostScenario(name="s", depth_divisor=5.0)
    report = stress(scenario, taken(price=D(101)))
    # five levels a half spread of 1 apart: two of them on average, x 10
    assert added(report, Component.IMPACT_TEMPORARY) == 20
    assert "at the touch" in report.notes[0]


def test_a_sell_walks_the_bids() -> None:
    scenario = CostScenario(name="s", depth_divisor=3.0)
    report = stress(scenario, taken(price=D(97)), owner=row(side=Side.SELL))
    assert added(report, Component.IMPACT_TEMPORARY) == 2 * 10 * 2


def test_latency_moves_the_mid_against_the_order_by_the_root_of_time() -> None:
    one = added(stress(CostScenario(name="s", latency_ms=1_000), taken()), Component.DELAY)
    four = added(stress(CostScenario(name="s", latency_ms=4_000), taken()), Component.DELAY)
    # three moves are too few to know the volatility: 1.25 bps per sqrt(s) of 1,000
    assert float(one) == pytest.approx(1_000 * 1.25e-4)
    assert float(four) == pytest.approx(2 * float(one))


def test_volatility_is_measured_where_the_ledger_has_seen_enough_mids() -> None:
    orders = tuple(
        row(order_id=f"o{n}").__class__(
            **{
                **{f: getattr(row(), f) for f in OrderRow.__dataclass_fields__},
                "order_id": f"o{n}",
                "decision_time_ns": NOON_NS + n * 4 * 10**9,
                "arrival_time_ns": NOON_NS + n * 4 * 10**9,
                "end_time_ns": None,
                "end_price": None,
                "decision_price": D(100) + n % 2,
                "arrival_price": D(100) + n % 2,
            }
        )
        for n in range(20)
    )
    result = analyze(LedgerRows(orders, ()))
    report = stress_costs(result, (), BOOK, scenarios=[CostScenario(name="s", latency_ms=4_000)])
    assert report.notes == ()
    move = math.log(1.01)  # each 4 s
    (cost,) = report.costs
    assert cost.total_bps - cost.base_bps == pytest.approx(move * 10_000, rel=1e-6)


def test_several_at_once_add_up_and_groups_partition_them() -> None:
    fills = tuple(taken(fill_id=f"f{n}", order_id=f"o{n}") for n in range(4))
    orders = tuple(row(order_id=f"o{n}", strategy="ab"[n % 2]) for n in range(4))
    result = analyze(LedgerRows(orders, fills))
    whole = stress_costs(result, fills, BOOK)
    parts = stress_costs(result, fills, BOOK, by=["strategy"])
    assert [c.scenario for c in whole.costs] == [s.name for s in DEFAULT_COST_SCENARIOS]
    for cost in whole.costs:
        groups = [c for c in parts.costs if c.scenario == cost.scenario]
        assert [g.key for g in groups] == [("a",), ("b",)]
        assert sum(g.total for g in groups) == cost.total
    *single, together = whole.costs
    assert together.total - together.base == sum(c.total - c.base for c in single)
    assert parts.notes == whole.notes


@given(
    st.floats(1, 50), st.floats(1, 50), st.floats(0, 10_000), st.sampled_from(list(Side)),
    st.sampled_from(list(Liquidity)), st.integers(95, 105),
)  # fmt: skip
def test_prop_a_stress_never_makes_an_order_cheaper(
    spread: float, depth: float, latency: float, side: Side, liquidity: Liquidity, price: int
) -> None:
    scenario = CostScenario(
        name="s", fee_tier_lost=True, spread_factor=spread, depth_divisor=depth, latency_ms=latency
    )
    report = stress(scenario, taken(price=D(price), liquidity=liquidity), owner=row(side=side))
    (cost,) = report.costs
    assert min(cost.added.values()) >= 0
    assert cost.total >= cost.base


@pytest.mark.parametrize(
    "wrong",
    [
        {"spread_factor": 0.5},
        {"depth_divisor": math.inf},
        {"latency_ms": -1},
        {"adverse_sigmas": math.nan},
        {"colour": 1},
    ],
)
def test_a_scenario_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        CostScenario(name="s", **wrong)  # type: ignore[arg-type]
