"""Whether a policy's own rules bite: a candidate for each reason, made to break just that rule."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from oem_tco.decision.facts import (
    Candidate,
    CandidateKind,
    ComplianceFacts,
    DecisionInputs,
    RiskFacts,
    StressFacts,
)
from oem_tco.decision.orchestrator import Decision, DecisionOrchestrator, Reason
from oem_tco.decision.policy import ComplianceRules, DecisionPolicy, Thresholds
from oem_tco.decision.record import ReplayResult, choice_records, replay
from oem_tco.decision.rules import is_open
from oem_tco.pretrade.cost_estimate import CostEstimate
from oem_tco.terms import Side

_HOUR_NS = 3_600 * 10**9
_SEARCH_HOURS = 9 * 24
ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class SmokeCase:
    """One candidate and whether the policy judged it as it must.

    Attributes:
        profile: Profile it was held to; empty for the defaults.
        rule: Reason it is meant to be refused for, or `accepted`.
        ok: Whether it was.
        reasons: What it was refused for.
    """

    profile: str
    rule: str
    ok: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """The outcome of a smoke run.

    Attributes:
        cases: Every case.
        without_rule: Reasons for which this policy has no rule that could bite.
        replayed: Replay of everything that was decided, through JSON.
    """

    cases: tuple[SmokeCase, ...]
    without_rule: tuple[Reason, ...]
    replayed: ReplayResult

    @property
    def ok(self) -> bool:
        return all(case.ok for case in self.cases) and not self.replayed.differences


def smoke(policy: DecisionPolicy, *, mode: str = "paper", at_ns: int) -> SmokeResult:
    """Hold one candidate for each rule to a policy, for its defaults and for every profile.

    Args:
        policy: The policy.
        mode: Mode whose licence rule is tried; it must be one the policy names.
        at_ns: Time to begin looking for open and closed hours at, UTC nanoseconds.

    Returns:
        Cases, the rules this policy does not have, and whether all of it replays.
    """
    orchestrator = DecisionOrchestrator(policy)
    cases: list[SmokeCase] = []
    records = []
    tried: set[Reason] = set()
    for profile in ("", *policy.profiles):
        good = _good(policy, profile, mode, at_ns)
        for rule, group in _cases(policy, policy.thresholds(profile), good):
            decisions = orchestrator.choose(group)
            records += choice_records(group, decisions, policy)
            cases.append(_judged(profile, rule, decisions))
            if rule is not None:
                tried.add(rule)
    kept = [(f"case {n}", kind, json.loads(json.dumps(b))) for n, (kind, b) in enumerate(records)]
    missing = tuple(reason for reason in Reason if reason not in tried)
    return SmokeResult(tuple(cases), missing, replay(kept))


def _judged(profile: str, rule: Reason | None, decisions: tuple[Decision, ...]) -> SmokeCase:
    last = decisions[-1]
    ok = last.accepted if rule is None else not last.accepted and rule in last.reasons
    return SmokeCase(profile, ACCEPTED if rule is None else rule.value, ok, last.reasons)


def _good(policy: DecisionPolicy, profile: str, mode: str, at_ns: int) -> DecisionInputs:
    """Return inputs that reach every threshold of a profile with plenty of room."""
    limits, rules = policy.thresholds(profile), policy.compliance
    forbidden = set(rules.forbidden_symbols)
    named = (s for s in (*rules.allowed_symbols, "SMOKE/TEST") if s not in forbidden)
    symbol = next(named, "SMOKE/TEST")
    cost = limits.max_cost_bps / 4
    made = Candidate(
        candidate_id="smoke",
        decision_time_ns=_moment(rules, at_ns, open_=True) or at_ns,
        strategy="smoke",
        profile=profile,
        symbol=symbol,
        venue="smoke",
        side=Side.BUY,
        quantity=Decimal(1),
        reference_price=Decimal(100),
        # more than any threshold and any multiple of the cost that a policy may hold
        expected_edge_bps=1e7,
        edge_sigma_bps=0.0,
        probability=1.0,
        group="smoke",
    )
    estimate = CostEstimate(
        "smoke", symbol, "buy", Decimal(1), (), cost, 0.0, cost, cost, 0.8, Decimal(100),
        Decimal(100),
    )  # fmt: skip
    features = frozenset(rules.required_features.get(mode, ()))
    facts = ComplianceFacts(features, mode=mode, licence_days_left=rules.min_licence_days + 1.0)
    return DecisionInputs(made, estimate, RiskFacts(allowed=True), facts, StressFacts(1e3, 0.0))


def _cases(
    policy: DecisionPolicy, limits: Thresholds, good: DecisionInputs
) -> Iterator[tuple[Reason | None, list[DecisionInputs]]]:
    """Yield the reason a case is made for and its candidates, the judged one last."""
    made, cost, rules = good.candidate, good.estimate, policy.compliance

    def but(**changes: object) -> list[DecisionInputs]:
        return [replace(good, candidate=replace(made, **changes))]  # type: ignore[arg-type]

    yield None, [good]
    yield None, but(kind=CandidateKind.EXIT, expected_edge_bps=0.0)
    yield Reason.NOT_A_NUMBER, but(expected_edge_bps=math.nan)
    yield Reason.ESTIMATE, [replace(good, estimate=replace(cost, quantity=Decimal(2)))]
    short = cost.expected_bps + limits.min_net_edge_bps - 1e-3
    yield Reason.NET_EDGE, but(expected_edge_bps=short)
    if limits.min_probability > 0:
        yield Reason.PROBABILITY, but(probability=limits.min_probability * 0.999)
    dear = replace(cost, high_bps=limits.max_cost_bps * 1.001)
    yield Reason.COST, [replace(good, estimate=dear)]
    if any(s.latency_ms is None or s.latency_ms > 0 for s in policy.stress):
        yield Reason.STRESS, [replace(good, stress=StressFacts(1e3, 1e12))]
    yield Reason.RISK, [replace(good, risk=RiskFacts(allowed=False, reasons=("smoke",)))]
    for switch in ("halted", "reducing", "?"):
        yield Reason.KILL_SWITCH, [replace(good, risk=RiskFacts(True, kill_switch=switch))]
    yield Reason.LICENCE, [replace(good, compliance=replace(good.compliance, mode="?"))]
    if rules.forbidden_symbols or rules.allowed_symbols:
        bad = next(iter(rules.forbidden_symbols), "NOT/ALLOWED")
        moved = replace(made, symbol=bad)
        foreign = replace(good, candidate=moved, estimate=replace(cost, symbol=bad))
        yield Reason.SYMBOL, [foreign]
    closed = _moment(rules, made.decision_time_ns, open_=False)
    if closed is not None:
        yield Reason.HOURS, but(decision_time_ns=closed)
    if rules.require_kyc:
        yield Reason.KYC, [replace(good, compliance=replace(good.compliance, kyc_ok=False))]
    if rules.require_aml:
        yield Reason.AML, [replace(good, compliance=replace(good.compliance, aml_ok=False))]
    yield Reason.NOTHING, but(nothing_edge_bps=made.expected_edge_bps)
    yield Reason.ALTERNATIVE, [*but(candidate_id="better", expected_edge_bps=2e7), good]


def _moment(rules: ComplianceRules, at_ns: int, *, open_: bool) -> int | None:
    """Return the first full hour from a time on at which trading is open, or closed."""
    for hour in range(_SEARCH_HOURS):
        moment = at_ns + hour * _HOUR_NS
        if is_open(rules, moment) is open_:
            return moment
    return None
