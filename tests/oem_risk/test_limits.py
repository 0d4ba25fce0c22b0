"""The pre-trade engine: what each limit stops, and what always passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import (
    Exposure,
    OperatorRequired,
    OrderFacts,
    ProfileProblem,
    RiskEngine,
    RiskReason,
    TradingState,
    profile_from,
    shipped_profile,
    shipped_profiles,
)

FLAT = Exposure(100_000.0, {}, 0.0, 0.0, 0.0, 0)


def exposed(**changes: object) -> Exposure:
    fields = {name: getattr(FLAT, name) for name in FLAT.__slots__}
    return Exposure(**{**fields, **changes})


@pytest.mark.parametrize(
    ("order", "exposure", "reason"),
    [
        (OrderFacts("B", 0.7, 50_000.0), FLAT, RiskReason.ORDER_SIZE),
        (OrderFacts("B", 0.8, 50_000.0), FLAT, RiskReason.POSITION),
        (OrderFacts("B", 0.4, 50_000.0), exposed(gross_notional=90_000.0), RiskReason.LEVERAGE),
        (OrderFacts("B", 0.1, 50_000.0), exposed(open_positions=6), RiskReason.OPEN_POSITIONS),
        (
            OrderFacts("B", 0.1, 50_000.0),
            exposed(equity=97_000.0, daily_pnl=-3_000.0),
            RiskReason.DAILY_LOSS,
        ),
        (OrderFacts("B", 0.1, 50_000.0), exposed(drawdown=0.15), RiskReason.DRAWDOWN),
        (OrderFacts("B", 0.1, 50_000.0, cost_high_bps=31.0), FLAT, RiskReason.COST),
        (OrderFacts("B", 0.1, 50_000.0), exposed(equity=0.0), RiskReason.NO_EQUITY),
        (OrderFacts("B", float("nan"), 50_000.0), FLAT, RiskReason.NOT_A_NUMBER),
        (OrderFacts("B", 0.1, -1.0), FLAT, RiskReason.NOT_A_NUMBER),
    ],
)
def test_each_limit_stops_its_order(
    order: OrderFacts, exposure: Exposure, reason: RiskReason
) -> None:
    verdict = RiskEngine(shipped_profile("balanced")).check(order, exposure)
    assert not verdict.allowed
    assert reason in verdict.reasons


def test_a_small_order_of_a_flat_site_passes_with_room() -> None:
    verdict = RiskEngine(shipped_profile("balanced")).check(OrderFacts("B", 0.1, 50_000.0), FLAT)
    assert verdict.allowed
    assert verdict.reasons == ()
    assert min(verdict.margins.values()) > 0


@given(
    held=st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6),
    share=st.floats(0.001, 1.0),
    drawdown=st.floats(0, 0.99),
    state=st.sampled_from(TradingState),
)
def test_an_order_that_only_reduces_always_passes(
    held: float, share: float, drawdown: float, state: TradingState
) -> None:
    engine = RiskEngine(shipped_profile("conservative"), state)
    exposure = exposed(positions={"B": (held, 1.0)}, drawdown=drawdown, daily_pnl=-1e6)
    verdict = engine.check(OrderFacts("B", -held * share, 1.0, 1e9), exposure)
    assert verdict.allowed
    assert verdict.reduces


def test_turning_a_holding_over_is_not_reducing() -> None:
    engine = RiskEngine(shipped_profile("balanced"), TradingState.REDUCING)
    exposure = exposed(positions={"B": (0.1, 50_000.0)}, open_positions=1)
    verdict = engine.check(OrderFacts("B", -0.2, 50_000.0), exposure)
    assert verdict.reasons == (RiskReason.REDUCING_ONLY,)


def test_the_kill_switch_tightens_by_machine_and_loosens_by_person() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    assert engine.trip(TradingState.HALTED)
    assert not engine.trip(TradingState.REDUCING)
    assert engine.check(OrderFacts("B", 0.1, 1.0), FLAT).reasons == (RiskReason.HALTED,)
    with pytest.raises(OperatorRequired):
        engine.reset("  ")
    engine.reset("anna")
    assert engine.state is TradingState.ACTIVE


def test_the_four_profiles_are_shipped_mildest_first() -> None:
    names = [profile.name for profile in shipped_profiles()]
    assert names == ["conservative", "balanced", "aggressive", "manual"]
    limits = [profile.max_drawdown for profile in shipped_profiles()[:3]]
    assert limits == sorted(limits)


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProfileProblem, match="conservative, balanced, aggressive, manual"):
        shipped_profile("reckless")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"max_order": -1}, "max_order"),
        ({"max_positon": 1}, "max_positon"),
        ({"max_position": 3.0}, "max_position may not exceed max_leverage"),
        ({"max_order": 3.0}, "max_order may not exceed max_leverage"),
        ({"max_daily_loss": 0.5}, "max_daily_loss may not exceed max_drawdown"),
        ({"max_position": 0.1}, "max_order may not exceed max_position"),
        ({"max_daily_cost": 0.04}, "max_daily_cost may not exceed max_daily_loss"),
        ({"volatility_target": 0.7}, "volatility_target is 3.66% a day"),
        ({"max_drawdown": float("nan")}, "max_drawdown"),
        ({"max_daily_cost": 0.0}, "max_daily_cost"),
    ],
)
def test_each_wrong_field_of_a_profile_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ProfileProblem, match=named):
        profile_from({**shipped_profile("balanced").model_dump(), **change})


def test_all_contradictions_are_named_at_once() -> None:
    with pytest.raises(ProfileProblem) as refused:
        profile_from(
            {**shipped_profile("balanced").model_dump(), "max_position": 3.0, "max_order": 4.0,
             "max_daily_loss": 0.2, "max_daily_cost": 0.3, "volatility_target": 5.0}
        )  # fmt: skip
    assert str(refused.value).count("; ") >= 4
    for field in ("max_position", "max_order", "max_daily_loss", "max_daily_cost", "volatility"):
        assert field in str(refused.value)


def test_the_cost_budget_is_the_daily_loss_unless_it_is_given() -> None:
    values = shipped_profile("balanced").model_dump()
    assert profile_from(values).cost_budget == 0.01
    assert profile_from({**values, "max_daily_cost": None}).cost_budget == 0.03


def test_the_days_costs_and_the_orders_must_fit_in_the_budget() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    order = OrderFacts("B", 0.5, 50_000.0, cost_high_bps=20.0)  # 50 of a budget of 1,000
    assert engine.check(order, exposed(cost_today=949.0)).allowed
    refused = engine.check(order, exposed(cost_today=951.0))
    assert refused.reasons == (RiskReason.COST_BUDGET,)
    assert refused.margins["cost_budget"] == pytest.approx(-1 / 1_000)


def test_the_volatility_target_holds_the_holdings_as_if_they_moved_as_one() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    # 20 % of 100,000: 20,000 of notional times volatility
    order = OrderFacts("B", 0.5, 50_000.0, volatility=0.6)  # adds 15,000
    held = exposed(volatility_notional=4_999.0, positions={"A": (1.0, 10_000.0)})
    assert engine.check(order, held).allowed
    refused = engine.check(order, exposed(volatility_notional=5_001.0))
    assert refused.reasons == (RiskReason.VOLATILITY,)
    # an unknown volatility is said by the absence of its margin
    assert "volatility" not in engine.check(order, FLAT).margins
    unknown = engine.check(order, exposed(volatility_notional=float("nan")))
    assert unknown.reasons == (RiskReason.NOT_A_NUMBER,)


def test_every_reason_against_an_order_is_given_at_once() -> None:
    engine = RiskEngine(shipped_profile("balanced"), TradingState.HALTED)
    worst = Exposure(
        100_000.0, {"A": (1.0, 1e6)}, -1e5, 0.9, 1e6, 60, cost_today=1e4, volatility_notional=1e6
    )
    found = engine.check(OrderFacts("B", 10.0, 50_000.0, 99.0, 0.9), worst)
    limits = {RiskReason.NOT_A_NUMBER, RiskReason.NO_EQUITY, RiskReason.REDUCING_ONLY}
    assert set(found.reasons) == set(RiskReason) - limits
    assert len(found.reasons) == len(set(found.reasons))
    broke = engine.check(OrderFacts("B", float("nan"), 50_000.0, 99.0), replace(worst, equity=0.0))
    assert {
        RiskReason.NOT_A_NUMBER,
        RiskReason.NO_EQUITY,
        RiskReason.HALTED,
        RiskReason.DRAWDOWN,
        RiskReason.COST,
        RiskReason.OPEN_POSITIONS,
    } <= set(broke.reasons)


@given(
    numbers=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 9),
    held=st.floats(allow_nan=True, allow_infinity=True),
    state=st.sampled_from(TradingState),
)
def test_prop_no_number_is_refused_without_a_reason_or_passed_with_one(
    numbers: tuple[float, ...], held: float, state: TradingState
) -> None:
    quantity, price, cost, volatility, equity, pnl, fall, gross, spent = numbers
    engine = RiskEngine(shipped_profile("balanced"), state)
    found = engine.check(
        OrderFacts("B", quantity, price, cost, volatility),
        Exposure(equity, {"B": (held, 1.0)}, pnl, fall, gross, 1, spent, volatility),
    )
    assert found.allowed == (not found.reasons)
    assert all(math.isfinite(room) for room in found.margins.values())
    if found.allowed and not found.reduces:
        assert all(room >= 0 for room in found.margins.values())


@given(share=st.floats(0.5, 2.0), field=st.sampled_from(["order_size", "position", "leverage"]))
def test_prop_a_limit_passes_what_is_inside_and_refuses_what_is_not(
    share: float, field: str
) -> None:
    limits = profile_from(
        {**shipped_profile("manual").model_dump(), "max_leverage": 0.25, "max_position": 0.25}
    )
    found = RiskEngine(limits).check(OrderFacts("B", 250.0 * share, 100.0), FLAT)
    assert (RiskReason(field) in found.reasons) == (share > 1.0)
    assert found.margins[field] == pytest.approx(1 - share)


def test_the_drawdown_limit_trips_the_switch_until_a_person_resets_it() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    assert not engine.observe(exposed(drawdown=0.149))
    assert engine.observe(exposed(drawdown=0.15))
    assert not engine.observe(exposed(drawdown=0.2))
    # the equity recovers, the switch does not
    assert engine.check(OrderFacts("B", 0.1, 1.0), FLAT).reasons == (RiskReason.REDUCING_ONLY,)
    assert engine.position.by == "engine"
    assert "15.00%" in engine.position.reason
    engine.reset("anna", "looked at the loss")
    assert (engine.position.by, engine.position.reason) == ("anna", "looked at the loss")


@pytest.mark.parametrize("field", ["daily_pnl", "drawdown", "gross_notional"])
def test_an_unknown_loss_refuses_all_but_reducing_orders(field: str) -> None:
    known = Exposure(100_000.0, {"BTC/USDT": (1.0, 100.0)}, 0.0, 0.0, 100.0, 1)
    unknown = replace(known, **{field: float("nan")})
    engine = RiskEngine(shipped_profile("balanced"))
    opening = engine.check(OrderFacts("BTC/USDT", 1.0, 100.0), unknown)
    assert opening.reasons == (RiskReason.NOT_A_NUMBER,)
    assert engine.check(OrderFacts("BTC/USDT", -1.0, 100.0), unknown).allowed


def test_the_days_loss_is_of_the_equity_the_day_began_with() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    order = OrderFacts("B", 0.1, 50_000.0)
    # 2.91 % of 103,000 lost; 3 % of 100,000 lost
    assert engine.check(order, exposed(daily_pnl=-3_000.0)).allowed
    reached = engine.check(order, exposed(equity=97_000.0, daily_pnl=-3_000.0))
    assert reached.reasons == (RiskReason.DAILY_LOSS,)
    assert engine.check(order, exposed(daily_pnl=3_000.0)).margins["daily_loss"] > 1


def test_an_order_that_turns_a_holding_over_is_held_to_what_it_opens() -> None:
    engine = RiskEngine(shipped_profile("balanced"))
    held = exposed(positions={"B": (0.6, 50_000.0)}, gross_notional=30_000.0, open_positions=1)
    assert engine.check(OrderFacts("B", -1.2, 50_000.0), held).allowed
    over = engine.check(OrderFacts("B", -1.3, 50_000.0), held)
    assert over.reasons == (RiskReason.ORDER_SIZE,)  # 35,000 is within the position limit
    # once nothing may be added, the part that closes must come alone
    stopped = replace(held, drawdown=0.2)
    assert engine.check(OrderFacts("B", -1.2, 50_000.0), stopped).reasons == (RiskReason.DRAWDOWN,)
    assert engine.check(OrderFacts("B", -0.6, 50_000.0), stopped).allowed


def test_reducing_and_then_reversing_in_two_orders_is_judged_twice() -> None:
    engine = RiskEngine(shipped_profile("balanced"), TradingState.REDUCING)
    held = exposed(positions={"B": (0.4, 50_000.0)}, gross_notional=20_000.0, open_positions=1)
    assert engine.check(OrderFacts("B", -0.4, 50_000.0), held).reduces
    after = exposed(positions={"B": (0.0, 50_000.0)})
    again = engine.check(OrderFacts("B", -0.4, 50_000.0), after)
    assert again.reasons == (RiskReason.REDUCING_ONLY,)


def test_a_holding_that_is_no_number_makes_no_order_reducing() -> None:
    engine = RiskEngine(shipped_profile("balanced"), TradingState.HALTED)
    for held in (math.inf, -math.inf, math.nan):
        unknown = exposed(positions={"B": (held, 1.0)})
        for side in (1.0, -1.0):
            found = engine.check(OrderFacts("B", side * 1e9, 1.0), unknown)
            assert not found.allowed
            assert RiskReason.NOT_A_NUMBER in found.reasons


@pytest.mark.parametrize(
    ("order", "exposure"),
    [
        (OrderFacts("B", 0.1, 50_000.0), exposed(gross_notional=-1e9)),
        (OrderFacts("B", 0.1, 50_000.0), exposed(drawdown=-0.5)),
        (OrderFacts("B", 0.1, 50_000.0), exposed(open_positions=-9)),
        (OrderFacts("B", 0.1, 50_000.0, volatility=-0.5), exposed(volatility_notional=1.0)),
        (OrderFacts("B", 0.1, 50_000.0, volatility=0.5), exposed(volatility_notional=-1e9)),
    ],
)
def test_a_negative_number_makes_no_room(order: OrderFacts, exposure: Exposure) -> None:
    found = RiskEngine(shipped_profile("balanced")).check(order, exposure)
    assert found.reasons == (RiskReason.NOT_A_NUMBER,)


@given(
    held=st.floats(-3.0, 3.0),
    quantity=st.floats(-6.0, 6.0).filter(lambda x: abs(x) > 1e-6),
    others=st.floats(0, 2e5),
    pnl=st.floats(-2e4, 2e4),
    fall=st.floats(0, 0.3),
    count=st.integers(1, 8),
    cost=st.floats(0, 40),
    spent=st.floats(0, 2e3),
)
def test_prop_what_passes_leaves_every_limit_held_or_the_holding_smaller(
    held: float, quantity: float, others: float, pnl: float, fall: float, count: int, cost: float,
    spent: float,
) -> None:  # fmt: skip
    limits, price = shipped_profile("balanced"), 10_000.0
    before = Exposure(
        100_000.0, {"B": (held, price)}, pnl, fall, others + abs(held) * price, count, spent
    )
    found = RiskEngine(limits).check(OrderFacts("B", quantity, price, cost), before)
    after = abs(held + quantity)
    if found.reduces:
        assert found.allowed
        assert after <= abs(held)
        assert (held + quantity) * held >= 0
    elif found.allowed:
        slack = 1 + 1e-9
        assert after * price <= limits.max_position * 1e5 * slack
        assert others + after * price <= limits.max_leverage * 1e5 * slack
        assert fall < limits.max_drawdown
        assert -pnl < limits.max_daily_loss * (1e5 - pnl) * slack
        assert count + (held == 0) <= limits.max_open_positions
        assert cost <= limits.max_cost_bps * slack
        assert spent + abs(quantity) * price * cost * 1e-4 <= limits.cost_budget * 1e5 * slack
