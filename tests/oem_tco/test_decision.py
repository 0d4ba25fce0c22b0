"""Every reason is given, exits may leave, unknown words stop, and a log replays bit for bit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from oem_tco import (
    CandidateKind,
    ComplianceFacts,
    DecisionOrchestrator,
    DecisionPolicy,
    Reason,
    ReplayError,
    RiskFacts,
    StressFacts,
    Verdict,
    decision_records,
    replay,
)
from tco_support import NOON_NS, candidate, cost, inputs

POLICY = DecisionPolicy()
CALM = StressFacts(worst_latency_ms=500.0, volatility_bps_per_sqrt_s=1.0)


def test_a_good_candidate_is_accepted_with_room_to_every_threshold() -> None:
    decision = DecisionOrchestrator(POLICY).decide(inputs())
    assert decision.accepted
    assert decision.reasons == ()
    assert set(decision.margins) == {"cost", "net_edge", "probability", "stress"}
    assert decision.net_edge_bps == 40.0 - cost().expected_bps
    assert decision.net_edge_low_bps < decision.net_edge_bps


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"candidate": candidate(expected_edge_bps=11.0)}, Reason.NET_EDGE),
        ({"candidate": candidate(probability=0.49)}, Reason.PROBABILITY),
        ({"estimate": replace(cost(), high_bps=41.0)}, Reason.COST),
        ({"stress": StressFacts(500.0, 100.0)}, Reason.STRESS),
        ({"risk": RiskFacts(allowed=False, reasons=("POSITION_LIMIT",))}, Reason.RISK),
        ({"risk": RiskFacts(allowed=True, kill_switch="halted")}, Reason.KILL_SWITCH),
        ({"risk": RiskFacts(allowed=True, kill_switch="reducing")}, Reason.KILL_SWITCH),
        ({"risk": RiskFacts(allowed=True, kill_switch="halt?")}, Reason.KILL_SWITCH),
        ({"compliance": ComplianceFacts()}, Reason.LICENCE),
        ({"compliance": ComplianceFacts(frozenset({"paper"}), kyc_ok=False)}, Reason.KYC),
        ({"compliance": ComplianceFacts(frozenset({"paper"}), aml_ok=False)}, Reason.AML),
        ({"candidate": candidate(symbol="DOGEUSDT")}, Reason.SYMBOL),
        ({"candidate": candidate(decision_time_ns=NOON_NS + 9 * 3600 * 10**9)}, Reason.HOURS),
    ],
)
def test_one_broken_rule_rejects_with_exactly_its_reason(
    changed: dict[str, Any], reason: Reason
) -> None:
    rules = {"allowed_symbols": ["BTCUSDT"], "hours_utc": [8, 20]}
    policy = DecisionPolicy.model_validate({"compliance": rules})
    decision = DecisionOrchestrator(policy).decide(replace(inputs(), **changed))
    assert decision.verdict is Verdict.REJECT
    assert decision.reasons == (reason,)


def test_all_reasons_are_given_in_a_fixed_order() -> None:
    bad = inputs(
        candidate(expected_edge_bps=0.0, probability=0.1),
        risk=RiskFacts(allowed=False, kill_switch="halted"),
        compliance=ComplianceFacts(kyc_ok=False, aml_ok=False, licence_valid=False),
    )
    reasons = DecisionOrchestrator(POLICY).decide(bad).reasons
    assert list(reasons) == [r for r in Reason if r in reasons]
    assert {Reason.NET_EDGE, Reason.RISK, Reason.KILL_SWITCH, Reason.LICENCE} <= set(reasons)


@pytest.mark.parametrize(
    "changed",
    [
        {"candidate": candidate(expected_edge_bps=math.nan)},
        {"candidate": candidate(probability=1.1)},
        {"candidate": candidate(edge_sigma_bps=-1.0)},
        {"estimate": replace(cost(), high_bps=math.inf)},
        {"stress": StressFacts(500.0, math.nan)},
        {"stress": StressFacts(-1.0, 1.0)},
    ],
)
def test_what_is_not_a_number_is_never_accepted(changed: dict[str, Any]) -> None:
    decision = DecisionOrchestrator(POLICY).decide(replace(inputs(), **changed))
    assert decision.reasons == (Reason.NOT_A_NUMBER,)


def test_an_exit_needs_no_edge_and_passes_while_reducing() -> None:
    leaving = candidate(kind=CandidateKind.EXIT, expected_edge_bps=-5.0, probability=0.0)
    reducing = RiskFacts(allowed=True, kill_switch="reducing")
    assert DecisionOrchestrator(POLICY).decide(inputs(leaving, risk=reducing)).accepted


def test_an_exit_stops_at_the_halted_switch_and_at_an_absurd_cost() -> None:
    leaving = candidate(kind=CandidateKind.EXIT)
    halted = RiskFacts(allowed=True, kill_switch="halted")
    dear = replace(cost(), high_bps=81.0)
    orchestrator = DecisionOrchestrator(POLICY)
    assert orchestrator.decide(inputs(leaving, risk=halted)).reasons == (Reason.KILL_SWITCH,)
    assert orchestrator.decide(inputs(leaving, estimate=dear)).reasons == (Reason.COST,)


def test_a_profile_is_held_to_its_own_thresholds() -> None:
    # 4 bps net: enough for balanced (2), not for conservative (6)
    edge = cost().expected_bps + 4.0
    orchestrator = DecisionOrchestrator(POLICY)
    assert orchestrator.decide(inputs(candidate(expected_edge_bps=edge))).accepted
    careful = candidate(expected_edge_bps=edge, profile="conservative")
    assert Reason.NET_EDGE in orchestrator.decide(inputs(careful)).reasons


def test_of_alternatives_only_the_best_is_accepted_in_any_order() -> None:
    group = [
        inputs(candidate(candidate_id=name, expected_edge_bps=edge, group="g"))
        for name, edge in (("a", 30.0), ("b", 50.0), ("c", 0.0))
    ]
    orchestrator = DecisionOrchestrator(POLICY)
    for order in (group, group[::-1]):
        verdicts = {d.decision_id: d.verdict for d in orchestrator.choose(order)}
        assert verdicts == {
            "a": Verdict.DO_NOTHING,
            "b": Verdict.ACCEPT,
            "c": Verdict.REJECT,
        }


def _log() -> list[tuple[str, str, dict[str, Any]]]:
    orchestrator = DecisionOrchestrator(POLICY)
    group = [
        inputs(candidate(candidate_id=name, expected_edge_bps=edge, group="g"))
        for name, edge in (("a", 30.0), ("b", 50.1), ("c", 0.0))
    ]
    records = [
        record
        for made, decision in zip(group, orchestrator.choose(group), strict=True)
        for record in decision_records(made, decision, POLICY)
    ]
    # through JSON, as the journal keeps it
    return [(f"log:{n}", kind, json.loads(json.dumps(b))) for n, (kind, b) in enumerate(records)]


def test_a_log_replays_bit_for_bit() -> None:
    result = replay(_log())
    assert result.checked == 3
    assert result.differences == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [("verdict", "accept"), ("net_edge_bps", 39.0), ("reasons", ["risk"]), ("reasons", [])],
)
def test_a_changed_verdict_is_a_difference(field: str, value: object) -> None:
    log = _log()
    where, _, body = next(item for item in log if item[2].get("verdict") == "do_nothing")
    body[field] = value
    assert where in {d.where for d in replay(log).differences}


def test_a_rejection_cannot_be_passed_off_as_a_lost_alternative() -> None:
    log = _log()
    _, _, body = next(item for item in log if item[2].get("verdict") == "reject")
    body.update(verdict="do_nothing", reasons=["alternative"])
    assert {d.field for d in replay(log).differences} == {"verdict", "reasons"}


def test_a_record_that_cannot_be_read_names_its_place() -> None:
    with pytest.raises(ReplayError, match="log:7"):
        replay([("log:7", "decision.verdict", {"inputs": {}})])
