"""The pre-trade engine: what each limit stops, and what always passes."""

from __future__ import annotations

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
        (OrderFacts("B", 0.1, 50_000.0), exposed(daily_pnl=-3_000.0), RiskReason.DAILY_LOSS),
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
    ],
)
def test_each_wrong_field_of_a_profile_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ProfileProblem, match=named):
        profile_from({**shipped_profile("balanced").model_dump(), **change})


@pytest.mark.parametrize("field", ["daily_pnl", "drawdown", "gross_notional"])
def test_an_unknown_loss_refuses_all_but_reducing_orders(field: str) -> None:
    known = Exposure(100_000.0, {"BTC/USDT": (1.0, 100.0)}, 0.0, 0.0, 100.0, 1)
    unknown = replace(known, **{field: float("nan")})
    engine = RiskEngine(shipped_profile("balanced"))
    opening = engine.check(OrderFacts("BTC/USDT", 1.0, 100.0), unknown)
    assert opening.reasons == (RiskReason.NOT_A_NUMBER,)
    assert engine.check(OrderFacts("BTC/USDT", -1.0, 100.0), unknown).allowed
