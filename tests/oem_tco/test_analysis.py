"""Groups partition the orders, outliers stay in the sums, and stories tell what the parts say."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    Component,
    Dimension,
    FillRow,
    InputError,
    LedgerRows,
    TcoResult,
    analyze,
    executed_bps,
    find_outliers,
    group_costs,
    ledger_volatility,
    realised_cost_bps,
    worst_orders,
)
from oem_tco.analysis.groups import DAY_NS, HOUR_NS, bucket_name, quantile
from oem_tco.analysis.outliers import modified_scores
from tco_history import history
from tco_support import NOON_NS, fill, order

D = Decimal


ROWS = history(120)
RESULT = analyze(ROWS)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(list(Dimension)), unique=True, max_size=4))
def test_prop_groups_of_any_dimensions_partition_the_orders(by: list[Dimension]) -> None:
    groups = group_costs(RESULT, by, bucket_ns=3 * HOUR_NS)
    assert sum(g.costs.orders for g in groups) == len(RESULT.orders)
    assert sum(g.costs.fills for g in groups) == len(ROWS.fills)
    assert sum(g.costs.total for g in groups) == sum(s.total for s in RESULT.orders)
    for component in Component:
        whole = sum(s.parts[component] for s in RESULT.orders)
        assert sum(g.costs.parts[component] for g in groups) == whole
    assert len({(g.key, g.currency) for g in groups}) == len(groups)
    assert all(g.low_bps <= g.median_bps <= g.high_bps for g in groups)


def test_currencies_are_never_added() -> None:
    assert [g.currency for g in group_costs(RESULT, [])] == ["EUR", "USDT"]


def test_groups_do_not_depend_on_the_order_of_the_rows() -> None:
    mixed = LedgerRows(
        tuple(reversed(ROWS.orders)), tuple(sorted(ROWS.fills, key=lambda f: f.price))
    )
    by = [Dimension.VENUE, Dimension.TIME_BUCKET]
    assert group_costs(analyze(mixed), by) == group_costs(RESULT, by)


def test_time_buckets_begin_at_utc_midnight_and_before_1970_too() -> None:
    late = order(order_id="a", decision_time_ns=DAY_NS - 1)
    early = order(order_id="b", decision_time_ns=-1)
    result = analyze(LedgerRows((late, early), ()))
    names = [g.key[0] for g in group_costs(result, [Dimension.TIME_BUCKET])]
    assert names == ["1969-12-31", "1970-01-01"]
    assert [g.key[0] for g in group_costs(result, ["hour"])] == ["23"]
    assert bucket_name(90 * 10**9, 30 * 10**9) == "1970-01-01T00:01:30Z"
    assert bucket_name(5, 5) == "1970-01-01T00:00:00.000000005Z"


@pytest.mark.parametrize("by", [["colour"], ["venue", "venue"]])
def test_a_dimension_that_is_not_one_is_refused(by: list[str]) -> None:
    with pytest.raises(InputError):
        group_costs(RESULT, by)


def test_a_bucket_of_no_length_is_refused() -> None:
    with pytest.raises(InputError, match="bucket"):
        group_costs(RESULT, ["time_bucket"], bucket_ns=0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_prop_quantiles_agree_with_numpy(values: list[float], share: float) -> None:
    values.sort()
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-6)


def dear(count: int, *, fee: str) -> TcoResult:
    """Orders alike that differ by a cent of fee, the last with a fee of its own."""
    orders = [order(order_id=f"o{n}", decision_time_ns=n) for n in range(count)]
    fills = [
        fill(fill_id=f"f{n}", order_id=f"o{n}", fee_amount=D(n) / 100 if n < count - 1 else D(fee))
        for n in range(count)
    ]
    return analyze(LedgerRows(tuple(orders), tuple(fills)))


def test_an_outlier_is_marked_and_stays_in_every_total() -> None:
    result = dear(9, fee="60")
    (found,) = find_outliers(result)
    assert found.order_id == "o8"
    assert found.score > 3.5
    assert found.group == ("paper", "BTC/USDT")
    (whole,) = group_costs(result, [])
    assert whole.costs.orders == 9
    assert whole.costs.parts[Component.FEES] == sum(s.parts[Component.FEES] for s in result.orders)


def test_a_gain_can_be_an_outlier_too() -> None:
    (found,) = find_outliers(dear(9, fee="-60"))
    assert found.score < -3.5


def test_four_orders_are_too_few_to_call_one_unusual() -> None:
    assert find_outliers(dear(4, fee="60")) == ()


def test_scores_are_those_of_the_source_and_stand_in_when_most_values_are_equal() -> None:
    # 0.6745 (x - median) / MAD by hand: median 3, MAD 1
    _, scores = modified_scores([1, 2, 3, 4, 5])
    assert scores == pytest.approx([-1.349, -0.6745, 0, 0.6745, 1.349])
    middle, scores = modified_scores([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 9.0])
    assert middle == 2.0
    assert scores[-1] == pytest.approx(7 / (1.253314 * 1.0))
    assert modified_scores([7.0] * 9)[1] == [0.0] * 9
    assert math.isnan(modified_scores([])[0])


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_must_be_a_positive_number(limit: float) -> None:
    with pytest.raises(InputError):
        find_outliers(RESULT, limit=limit)


def test_the_worst_orders_are_ranked_by_money_or_by_basis_points() -> None:
    small = order(order_id="small", quantity=D(4), end_price=None)
    large = order(order_id="large", quantity=D(100), end_price=D("102"))
    fills = (fill(order_id="small", price=D(120)),)
    result = analyze(LedgerRows((small, large), fills))
    by_money = [w.order_id for w in worst_orders(result, fills, count=1)]
    by_bps = [w.order_id for w in worst_orders(result, fills, count=1, rank="bps")]
    assert (by_money, by_bps) == (["large"], ["small"])


def test_the_story_says_what_happened_and_what_it_cost() -> None:
    row = order(
        est_low_bps=10.0,
        est_expected_bps=20.0,
        est_high_bps=30.0,
        decision_time_ns=NOON_NS,
        arrival_time_ns=NOON_NS + 2_500_000,
    )
    part = fill(time_ns=NOON_NS + 5_000_000)
    (worst,) = worst_orders(analyze(LedgerRows((row,), (part,))), (part,))
    told = " ".join(worst.story)
    assert "2023-11-15T12:00:00Z: trend decided to buy 10 BTC/USDT on paper" in told
    assert "It arrived 2.5 ms later; the mid was 100.00 bps worse." in told
    assert "40.0% was filled in 1 part (0 as maker) at 103 on average" in told
    assert "6 was never filled; the mid ended at 105." in told
    assert "It cost 42.40000000 USDT, 424.00 bps: opportunity on the unfilled part 240.00" in told
    assert "What was filled cost 310.00 bps, above the estimate of 10.00 to 30.00 bps." in told


def test_gains_are_never_among_the_worst_and_orders_without_fills_have_a_story() -> None:
    gain = order(order_id="gain", end_price=D(90))
    loss = order(order_id="loss", end_price=D(110))
    (worst,) = worst_orders(analyze(LedgerRows((gain, loss), ())), ())
    assert worst.order_id == "loss"
    assert "Nothing of it was filled; it ended as filled." in worst.story


@pytest.mark.parametrize("wrong", [{"count": -1}, {"rank": "colour"}])
def test_a_wrong_question_for_the_worst_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        worst_orders(RESULT, (), **wrong)  # type: ignore[arg-type]


def test_what_was_filled_cost_the_same_by_the_ledger_and_by_the_fills() -> None:
    of_order: dict[str, list[FillRow]] = {}
    for one in ROWS.fills:
        of_order.setdefault(one.order_id, []).append(one)
    for found in RESULT.orders:
        own = of_order.get(found.order.order_id, [])
        if not own:
            assert executed_bps(found) is None
            continue
        wanted = realised_cost_bps(
            found.order.side,
            found.order.decision_price,
            [(f.price, f.quantity, f.fee_amount) for f in own],
        )
        assert executed_bps(found) == pytest.approx(wanted, abs=1e-6)


def test_volatility_is_that_of_the_walk_the_mids_came_from() -> None:
    draw = random.Random(5)
    price, at = 100.0, NOON_NS
    orders = []
    for number in range(1_500):
        mids = []
        for seconds in (30.0, 2.0, 5.0):
            price *= math.exp(draw.gauss(0.0, 3e-4 * math.sqrt(seconds)))
            at += int(seconds * 1e9)
            mids.append((at, D(repr(price))))
        (t0, p0), (t1, p1), (t2, p2) = mids
        orders.append(
            replace(
                order(order_id=f"o{number}"), decision_time_ns=t0, decision_price=p0,
                arrival_time_ns=t1, arrival_price=p1, end_time_ns=t2, end_price=p2,
            )
        )  # fmt: skip
    (known,) = ledger_volatility(orders, ()).values()
    assert known.moves == 4_499
    # 3 bps per sqrt(s); the estimator's standard error is about 2 %
    assert known.bps_per_sqrt_s == pytest.approx(3.0, rel=0.06)
    assert ledger_volatility(orders[:2], ()) == {}


def test_executed_cost_is_exact_for_a_third_of_a_lot() -> None:
    row = order(quantity=D("0.3"), end_price=None, arrival_price=D(100))
    one = fill(quantity=D("0.1"), price=D("100.3"), fee_amount=D(0))
    (found,) = analyze(LedgerRows((row,), (one,))).orders
    assert executed_bps(found) == float(Fraction(30))
