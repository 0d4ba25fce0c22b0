"""Every reason is given, exits may leave, unknown words stop, and a log replays bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from oem_security import Journal, Keyring, read_journal
from oem_tco import (
    CandidateKind,
    ComplianceFacts,
    DecisionInputs,
    DecisionOrchestrator,
    DecisionPolicy,
    Reason,
    ReplayError,
    RiskFacts,
    StressFacts,
    Verdict,
    choice_records,
    decision_records,
    replay,
)
from oem_tco.decision.policy import ComplianceRules
from tco_support import NOON_NS, candidate, cost, inputs

POLICY = DecisionPolicy()
CALM = StressFacts(worst_latency_ms=500.0, volatility_bps_per_sqrt_s=1.0)


def test_a_good_candidate_is_accepted_with_room_to_every_threshold() -> None:
    decision = DecisionOrchestrator(POLICY).decide(inputs())
    assert decision.accepted
    assert decision.reasons == ()
    wanted = {"cost", "net_edge", "probability", "stress", "nothing", "risk.position"}
    assert set(decision.margins) == wanted
    assert all(room > 0 for room in decision.margins.values())
    assert decision.margins["risk.position"] == 0.4
    assert decision.worst_scenario == "cost_shock"
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
        (
            {
                "candidate": candidate(symbol="DOGEUSDT"),
                "estimate": replace(cost(), symbol="DOGEUSDT"),
            },
            Reason.SYMBOL,
        ),
        ({"estimate": replace(cost(), symbol="ETHUSDT")}, Reason.ESTIMATE),
        ({"estimate": replace(cost(), side="sell")}, Reason.ESTIMATE),
        ({"estimate": replace(cost(), quantity=Decimal(1))}, Reason.ESTIMATE),
        ({"compliance": ComplianceFacts(frozenset({"paper"}), mode="moon")}, Reason.LICENCE),
        ({"compliance": ComplianceFacts(frozenset({"paper"}), mode="live")}, Reason.LICENCE),
        (
            {"compliance": ComplianceFacts(frozenset({"paper"}), licence_days_left=-0.1)},
            Reason.LICENCE,
        ),
        (
            {"compliance": ComplianceFacts(frozenset({"paper"}), licence_days_left=math.nan)},
            Reason.LICENCE,
        ),
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
        {"candidate": candidate(nothing_edge_bps=math.inf)},
        {"candidate": candidate(quantity=Decimal("NaN"))},
        {"candidate": candidate(quantity=Decimal(0))},
        {"estimate": replace(cost(), sigma_bps=math.nan)},
        {"estimate": replace(cost(), low_bps=12.0, high_bps=11.0)},
        {"risk": RiskFacts(allowed=True, margins={"position": math.nan})},
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


def _group() -> list[DecisionInputs]:
    return [
        inputs(candidate(candidate_id=name, expected_edge_bps=edge, group="g"))
        for name, edge in (("a", 30.0), ("b", 50.1), ("c", 0.0))
    ]


Log = list[tuple[str, str, dict[str, Any]]]


def _through_json(records: list[tuple[str, dict[str, Any]]]) -> Log:
    # as the journal keeps it
    return [(f"log:{n}", kind, json.loads(json.dumps(b))) for n, (kind, b) in enumerate(records)]


def _log() -> Log:
    group = _group()
    decisions = DecisionOrchestrator(POLICY).choose(group)
    return _through_json(choice_records(group, decisions, POLICY))


def test_a_log_replays_bit_for_bit() -> None:
    result = replay(_log())
    assert (result.checked, result.choices) == (3, 1)
    assert result.differences == ()


def test_every_step_carries_the_cost_it_stood_on() -> None:
    steps = [(k, b) for _, k, b in _log() if k == "decision.step"]
    assert [b["step"] for _, b in steps[:5]] == [
        "candidate", "estimate", "risk", "compliance", "stress",
    ]  # fmt: skip
    assert all(b["tco"]["schedule_version"] == "paper/spot/1" for _, b in steps)
    assert steps[0][1]["tco"]["expected_bps"] == cost().expected_bps


def test_a_decision_on_what_is_not_a_number_can_be_logged_and_replayed(tmp_path: Path) -> None:
    unsound = [
        inputs(candidate(candidate_id="n", expected_edge_bps=math.nan)),
        inputs(candidate(candidate_id="i"), estimate=replace(cost(), high_bps=math.inf)),
        inputs(candidate(candidate_id="m"), risk=RiskFacts(allowed=True, margins={"x": math.inf})),
    ]
    orchestrator = DecisionOrchestrator(POLICY)
    keyring = Keyring.create(tmp_path / "keys")
    with Journal.open(tmp_path / "log.jsonl", keyring, subject="decisions") as journal:
        for one in unsound:
            for kind, body in decision_records(one, orchestrator.decide(one), POLICY):
                journal.append(kind, body)
    records = [(str(r.seq), r.kind, r.body) for r in read_journal(tmp_path / "log.jsonl", keyring)]
    result = replay(records)
    assert result.checked == 3
    assert result.differences == ()


def test_a_lost_alternative_that_no_choice_names_is_a_difference() -> None:
    alone = [item for item in _log() if item[1] != "decision.choice"]
    assert [(d.field, d.logged) for d in replay(alone).differences] == [
        ("verdict", "do_nothing"),
        ("reasons", ["alternative"]),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("taken", "a"), ("taken", ""), ("scores", {"a": 1.0}), ("members", ["a", "b", "z"])],
)
def test_a_changed_choice_is_a_difference(field: str, value: object) -> None:
    log = _log()
    log[-1][2][field] = value
    assert field in {d.field for d in replay(log).differences}


def test_a_verdict_that_stands_twice_is_compared_twice() -> None:
    log = _log()
    forged = [(where, kind, dict(body)) for where, kind, body in log if kind == "decision.verdict"]
    forged[0][2]["net_edge_bps"] = 99.0
    result = replay([*forged, *log])
    assert (result.checked, result.choices) == (6, 1)
    assert ("log:5", "net_edge_bps") in {(d.where, d.field) for d in result.differences}


def test_leaving_the_best_out_of_a_choice_is_a_difference() -> None:
    log = _log()
    body = log[-1][2]
    body.update(members=["a", "c"], taken="a")
    body["scores"].pop("b")
    found = {(d.where, d.field) for d in replay(log).differences}
    # a would have been accepted without b, and its own record says that another was better
    assert any(field == "verdict" for _, field in found)


def test_alternatives_of_several_groups_are_decided_together() -> None:
    made = [
        inputs(candidate(candidate_id=name, expected_edge_bps=edge, group=group))
        for name, edge, group in (
            ("a", 50.0, "x"), ("b", 40.0, "y"), ("c", 60.0, "x"), ("d", 45.0, ""), ("e", 45.0, ""),
        )
    ]  # fmt: skip
    verdicts = [d.verdict.value for d in DecisionOrchestrator(POLICY).decide_all(made)]
    assert verdicts == ["do_nothing", "accept", "accept", "accept", "accept"]


def test_equal_alternatives_go_to_the_smaller_id() -> None:
    made = [inputs(candidate(candidate_id=name, group="g")) for name in ("b", "a", "c")]
    for order in (made, made[::-1]):
        accepted = [d.decision_id for d in DecisionOrchestrator(POLICY).choose(order) if d.accepted]
        assert accepted == ["a"]


def test_variants_of_different_size_can_be_ranked_by_money() -> None:
    small = inputs(candidate(candidate_id="small", expected_edge_bps=50.0))
    estimate = replace(cost(), quantity=Decimal(1), notional=Decimal(100))
    large = inputs(
        candidate(candidate_id="large", quantity=Decimal(1), expected_edge_bps=45.0),
        estimate=estimate,
    )
    for rank, best in (("bps", "small"), ("amount", "large")):
        policy = DecisionPolicy.model_validate({"rank_by": rank})
        chosen = DecisionOrchestrator(policy).choose([small, large])
        assert [d.decision_id for d in chosen if d.accepted] == [best]


def test_an_entry_worth_no_more_than_doing_nothing_is_not_done() -> None:
    policy = DecisionPolicy.model_validate({"defaults": {"min_net_edge_bps": -50.0}})
    orchestrator = DecisionOrchestrator(policy)
    even = candidate(expected_edge_bps=cost().expected_bps)
    decision = orchestrator.decide(inputs(even))
    assert (decision.verdict, decision.reasons) == (Verdict.DO_NOTHING, (Reason.NOTHING,))
    assert decision.margins["nothing"] == 0.0
    better = replace(even, expected_edge_bps=cost().expected_bps + 0.001)
    assert orchestrator.decide(inputs(better)).accepted
    waiting = replace(better, nothing_edge_bps=1.0)
    assert orchestrator.decide(inputs(waiting)).reasons == (Reason.NOTHING,)


def test_an_exit_is_held_against_holding_on_where_that_is_known() -> None:
    leaving = candidate(kind=CandidateKind.EXIT, expected_edge_bps=0.0)
    orchestrator = DecisionOrchestrator(POLICY)
    assert orchestrator.decide(inputs(leaving)).accepted
    losing = replace(leaving, nothing_edge_bps=-30.0)
    assert orchestrator.decide(inputs(losing)).accepted
    winning = replace(leaving, nothing_edge_bps=5.0)
    decision = orchestrator.decide(inputs(winning))
    assert (decision.verdict, decision.reasons) == (Verdict.DO_NOTHING, (Reason.NOTHING,))


def test_an_entry_and_an_exit_can_exclude_each_other() -> None:
    entry = inputs(candidate(candidate_id="in", expected_edge_bps=20.0, group="g"))
    leave = inputs(
        candidate(candidate_id="out", expected_edge_bps=0.0, kind=CandidateKind.EXIT, group="g",
                  nothing_edge_bps=-60.0)
    )  # fmt: skip
    chosen = DecisionOrchestrator(POLICY).choose([entry, leave])
    assert [d.verdict.value for d in chosen] == ["do_nothing", "accept"]


def test_caution_takes_off_the_error_of_edge_and_cost_together() -> None:
    policy = DecisionPolicy.model_validate({"defaults": {"caution": 2.0}})
    facts = inputs(estimate=replace(cost(), sigma_bps=12.0))
    decision = DecisionOrchestrator(policy).decide(facts)
    net = 40.0 - cost().expected_bps
    assert decision.margins["nothing"] == pytest.approx(net - 2.0 * 13.0)  # hypot(5, 12)


def test_a_shock_never_makes_a_rebate_larger() -> None:
    rebate = replace(cost(), expected_bps=-3.0, low_bps=-4.0, high_bps=-2.0)
    calm = inputs(estimate=rebate, stress=StressFacts(0.0, 0.0))
    decision = DecisionOrchestrator(POLICY).decide(calm)
    assert decision.stressed_net_edge_bps == decision.net_edge_bps == 43.0
    assert decision.worst_scenario == ""
    # a slow shock takes the slippage off, and leaves the rebate as it is
    slow = {"stress": [{"name": "slow_shock", "cost_multiplier": 2, "latency_ms": 1_000}]}
    orchestrator = DecisionOrchestrator(DecisionPolicy.model_validate(slow))
    decision = orchestrator.decide(inputs(estimate=rebate, stress=StressFacts(0.0, 1.0)))
    assert decision.stressed_net_edge_bps == 42.0


def test_the_worst_scenario_is_named_with_its_net_edge() -> None:
    slow = inputs(stress=StressFacts(10_000.0, 20.0))
    decision = DecisionOrchestrator(POLICY).decide(slow)
    assert decision.worst_scenario == "worst_latency"
    wanted = 40.0 - cost().expected_bps - 20.0 * math.sqrt(10.0)
    assert decision.stressed_net_edge_bps == pytest.approx(wanted)


def test_a_profile_can_let_its_exits_cost_more() -> None:
    policy = DecisionPolicy.model_validate({"profiles": {"balanced": {"exit_cost_factor": 3}}})
    dear = replace(cost(), high_bps=100.0)
    leaving = candidate(kind=CandidateKind.EXIT)
    assert DecisionOrchestrator(policy).decide(inputs(leaving, estimate=dear)).accepted
    assert not DecisionOrchestrator(POLICY).decide(inputs(leaving, estimate=dear)).accepted


def test_exits_leave_closed_symbols_and_hours_where_the_policy_lets_them() -> None:
    rules: dict[str, Any] = {"forbidden_symbols": ["BTCUSDT"], "hours_utc": [1, 2]}
    leaving = inputs(candidate(kind=CandidateKind.EXIT))
    closed = DecisionPolicy.model_validate({"compliance": rules})
    assert DecisionOrchestrator(closed).decide(leaving).reasons == (Reason.SYMBOL, Reason.HOURS)
    opened = DecisionPolicy.model_validate({"compliance": {**rules, "exits_pass": True}})
    assert DecisionOrchestrator(opened).decide(leaving).accepted
    assert not DecisionOrchestrator(opened).decide(inputs()).accepted


def test_the_room_to_closing_and_to_the_end_of_the_licence_are_margins() -> None:
    rules = {"hours_utc": [8, 20], "min_licence_days": 7}
    policy = DecisionPolicy.model_validate({"compliance": rules})
    facts = ComplianceFacts(frozenset({"paper"}), licence_days_left=10.0)
    decision = DecisionOrchestrator(policy).decide(inputs(compliance=facts))
    assert (decision.margins["hours"], decision.margins["licence"]) == (8.0, 3.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"compliance": {"hours_utc": [5, 5]}},
        {"compliance": {"hours_utc": [24, 5]}},
        {"compliance": {"weekdays": [0]}},
        {"compliance": {"allowed_symbols": ["A"], "forbidden_symbols": ["A"]}},
        {"stress": [{"name": "a"}, {"name": "a"}]},
        {"stress": [{"name": "a", "latency_ms": math.inf}]},
        {"defaults": {"exit_cost_factor": 0.5}},
        {"rank_by": "luck"},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DecisionPolicy.model_validate(wrong)


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(0, 50), st.floats(0, 1), st.sampled_from("xy")),
        min_size=1,
        max_size=6,
    )
)
def test_prop_at_most_one_of_a_group_is_accepted_and_every_log_replays(
    edges: list[tuple[float, float, float, str]],
) -> None:
    made = [
        inputs(
            candidate(candidate_id=f"c{n}", expected_edge_bps=edge, edge_sigma_bps=sigma,
                      probability=p, group=group)
        )
        for n, (edge, sigma, p, group) in enumerate(edges)
    ]  # fmt: skip
    orchestrator = DecisionOrchestrator(POLICY)
    records = []
    for group in ("x", "y"):
        own = [one for one in made if one.candidate.group == group]
        decisions = orchestrator.choose(own)
        assert sum(d.accepted for d in decisions) <= 1
        records += choice_records(own, decisions, POLICY)
    result = replay(_through_json(records))
    assert result.checked == len(made)
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


def _steps(log: Log) -> list[dict[str, Any]]:
    return [body for _, kind, body in log if kind == "decision.step"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda log: _steps(log)[2]["facts"].update(allowed=False), "risk.facts"),
        (lambda log: _steps(log)[1]["facts"]["components"].clear(), "estimate.facts"),
        (lambda log: _steps(log)[3]["tco"].update(expected_bps=1.0), "compliance.tco"),
        (lambda log: _steps(log)[4].update(step="risk"), "steps"),
        (lambda log: _steps(log)[4].update(decision_id="elsewhere"), "steps"),
        (lambda log: log.insert(0, log[0]), "steps"),
        (lambda log: log[5][2]["tco"].update(provenance="measured?"), "tco"),
        (lambda log: log[5][2]["inputs"]["candidate"].update(venue="other"), "candidate.facts"),
        (lambda log: log[-1][2].update(group="other"), "group"),
        (lambda log: log[-1][2].update(rank_by="amount"), "rank_by"),
    ],
)
def test_a_step_or_choice_that_tells_another_story_than_its_verdict_is_a_difference(
    change: Callable[[Log], object], field: str
) -> None:
    log = _log()
    change(log)
    assert field in {d.field for d in replay(log).differences}


def test_steps_of_a_process_that_ended_before_its_verdict_are_passed_over() -> None:
    log = _log()
    result = replay([*log, ("log:99", "decision.step", {**log[0][2], "decision_id": "cut"})])
    assert (result.checked, result.differences) == (3, ())


@pytest.mark.parametrize("value", [None, "x", -1, 1e308, 10**30, True, [], {"a": 1}, "nan"])
@pytest.mark.parametrize(
    "path",
    [
        ("inputs", "candidate", "decision_time_ns"),
        ("inputs", "candidate", "profile"),
        ("inputs", "compliance", "licence_valid"),
        ("inputs", "compliance", "mode"),
        ("inputs", "risk", "allowed"),
        ("inputs", "risk", "margins"),
        ("inputs", "stress"),
        ("policy", "stress"),
        ("tco",),
    ],
)
def test_a_record_with_any_other_cell_is_refused_or_differs(
    path: tuple[str, ...], value: object
) -> None:
    log = _log()
    part = log[5][2]
    for name in path[:-1]:
        part = part[name]
    if part[path[-1]] == value and type(part[path[-1]]) is type(value):
        return
    part[path[-1]] = value
    try:
        result = replay(log)
    except ReplayError:
        return
    assert result.differences


def test_a_decision_far_beyond_any_clock_is_refused() -> None:
    policy = POLICY.model_copy(update={"compliance": ComplianceRules(weekdays=(1,))})
    far = inputs(candidate(decision_time_ns=10**30))
    assert DecisionOrchestrator(policy).decide(far).reasons == (Reason.NOT_A_NUMBER,)


def test_an_edge_beyond_a_float_can_be_logged_and_replayed() -> None:
    gain = replace(cost(), expected_bps=-1.7e308, low_bps=-1.7e308)
    one = inputs(candidate(expected_edge_bps=1.7e308), estimate=gain)
    records = decision_records(one, DecisionOrchestrator(POLICY).decide(one), POLICY)
    json.dumps([body for _, body in records], allow_nan=False)
    assert replay(_through_json(records)).differences == ()
