"""Accept a candidate, reject it, or do nothing: a pure function of its inputs and the policy."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oem_tco.decision.facts import Candidate, CandidateKind, ComplianceFacts, DecisionInputs
from oem_tco.decision.policy import ComplianceRules, DecisionPolicy


class Verdict(enum.StrEnum):
    """What becomes of a candidate."""

    ACCEPT = "accept"
    REJECT = "reject"
    DO_NOTHING = "do_nothing"


class Reason(enum.StrEnum):
    """Why a candidate is not accepted; the reference page is generated from these."""

    NOT_A_NUMBER = "not_a_number"
    """A number is not finite, the probability not in [0, 1], or an error or a time negative."""
    NET_EDGE = "net_edge"
    """The edge after costs, less the caution, is below its threshold."""
    PROBABILITY = "probability"
    """The probability of a gain is below its threshold."""
    COST = "cost"
    """The upper end of the cost interval is above its threshold."""
    STRESS = "stress"
    """The net edge in the worst stress scenario is below its threshold."""
    RISK = "risk"
    """The risk engine refuses it; its own reasons are in the inputs."""
    KILL_SWITCH = "kill_switch"
    """The kill switch does not let it pass."""
    LICENCE = "licence"
    """The licence is not valid or does not grant what this mode needs."""
    SYMBOL = "symbol"
    """The symbol is not allowed."""
    HOURS = "hours"
    """It is outside trading hours."""
    KYC = "kyc"
    """The client is not identified."""
    AML = "aml"
    """The client did not pass the screening."""
    ALTERNATIVE = "alternative"
    """Another candidate of its group is better."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision with every reason against it and the distance to every threshold.

    Attributes:
        decision_id: The candidate's id.
        verdict: What becomes of the candidate.
        reasons: Every reason against it, in the order of `Reason`; empty when accepted.
        margins: Threshold to distance, positive is room; bps or probability.
        net_edge_bps: Expected edge less expected cost.
        net_edge_low_bps: The same, with edge and cost at the bad end of their intervals.
        stressed_net_edge_bps: Net edge in the worst stress scenario.
    """

    decision_id: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    margins: dict[str, float]
    net_edge_bps: float
    net_edge_low_bps: float
    stressed_net_edge_bps: float

    @property
    def accepted(self) -> bool:
        return self.verdict is Verdict.ACCEPT

    def to_record(self) -> dict[str, object]:
        return {
            "decision_id": self.decision_id,
            "verdict": self.verdict.value,
            "reasons": [reason.value for reason in self.reasons],
            "margins": dict(self.margins),
            "net_edge_bps": self.net_edge_bps,
            "net_edge_low_bps": self.net_edge_low_bps,
            "stressed_net_edge_bps": self.stressed_net_edge_bps,
        }


class DecisionOrchestrator:
    """Holds candidates to a policy; the same inputs always give the same decision.

    Args:
        policy: Thresholds, stress scenarios and compliance rules.
    """

    def __init__(self, policy: DecisionPolicy) -> None:
        self.policy = policy
        self._thresholds = {name: policy.thresholds(name) for name in policy.profiles}

    def decide(self, inputs: DecisionInputs) -> Decision:
        """Return the decision on one candidate."""
        made, cost = inputs.candidate, inputs.estimate
        limits = self._thresholds.get(made.profile, self.policy.defaults)
        numbers = (
            made.expected_edge_bps,
            made.edge_sigma_bps,
            made.probability,
            cost.expected_bps,
            cost.high_bps,
            inputs.stress.worst_latency_ms,
            inputs.stress.volatility_bps_per_sqrt_s,
        )
        # min() passes over a nan, so an unknown volatility would look like no stress at all
        sound = all(map(math.isfinite, numbers)) and 0 <= made.probability <= 1
        sound = sound and min(made.edge_sigma_bps, *numbers[-2:]) >= 0
        if not sound:
            broken = (Reason.NOT_A_NUMBER,)
            return Decision(made.candidate_id, Verdict.REJECT, broken, {}, 0.0, 0.0, 0.0)
        net = made.expected_edge_bps - cost.expected_bps
        low = made.expected_edge_bps - made.edge_sigma_bps - cost.high_bps
        stressed = self._stressed(inputs)
        entry = made.kind is CandidateKind.ENTRY
        # an exit gives up risk: it must be affordable, but it need not promise a gain
        max_cost = limits.max_cost_bps * (1 if entry else 2)
        margins = {Reason.COST.value: max_cost - cost.high_bps}
        if entry:
            cautious = net - limits.caution * made.edge_sigma_bps
            margins[Reason.NET_EDGE.value] = cautious - limits.min_net_edge_bps
            margins[Reason.PROBABILITY.value] = made.probability - limits.min_probability
            margins[Reason.STRESS.value] = stressed - limits.min_stressed_net_edge_bps
        against = {Reason(name) for name, room in margins.items() if room < 0}
        against.update(_blocks(inputs))
        against.update(_compliance(self.policy.compliance, inputs.compliance, made))
        reasons = tuple(reason for reason in Reason if reason in against)
        verdict = Verdict.REJECT if reasons else Verdict.ACCEPT
        return Decision(made.candidate_id, verdict, reasons, margins, net, low, stressed)

    def choose(self, alternatives: Sequence[DecisionInputs]) -> tuple[Decision, ...]:
        """Decide on alternatives of one group: at most the best of them is accepted.

        Doing nothing has a net edge of 0: an entry that is worse than that is rejected by its own
        threshold, and an accepted one that another beats becomes DO_NOTHING.
        """
        decisions = [self.decide(inputs) for inputs in alternatives]
        accepted = [d for d in decisions if d.accepted]
        if len(accepted) < 2:
            return tuple(decisions)
        best = max(accepted, key=lambda d: (d.net_edge_low_bps, d.net_edge_bps, d.decision_id))
        return tuple(
            d
            if d is best or not d.accepted
            else replace(d, verdict=Verdict.DO_NOTHING, reasons=(Reason.ALTERNATIVE,))
            for d in decisions
        )

    def _stressed(self, inputs: DecisionInputs) -> float:
        made, cost, stress = inputs.candidate, inputs.estimate, inputs.stress
        worst = made.expected_edge_bps - cost.expected_bps
        for scenario in self.policy.stress:
            latency = scenario.latency_ms
            wait_ms = stress.worst_latency_ms if latency is None else latency
            slip = stress.volatility_bps_per_sqrt_s * math.sqrt(wait_ms / 1000.0)
            shocked = cost.expected_bps * scenario.cost_multiplier + slip
            worst = min(worst, made.expected_edge_bps - shocked)
        return worst


def _blocks(inputs: DecisionInputs) -> Iterator[Reason]:
    risk, entry = inputs.risk, inputs.candidate.kind is CandidateKind.ENTRY
    if not risk.allowed:
        yield Reason.RISK
    # a word that is not known stops everything: the switch fails closed
    if risk.kill_switch != "active" and (risk.kill_switch != "reducing" or entry):
        yield Reason.KILL_SWITCH


def _compliance(
    rules: ComplianceRules, facts: ComplianceFacts, made: Candidate
) -> Iterator[Reason]:
    needed = set(rules.required_features.get(facts.mode, ()))
    if not facts.licence_valid or needed - facts.licence_features:
        yield Reason.LICENCE
    if made.symbol in rules.forbidden_symbols or (
        rules.allowed_symbols and made.symbol not in rules.allowed_symbols
    ):
        yield Reason.SYMBOL
    if rules.hours_utc is not None:
        hour = dt.datetime.fromtimestamp(made.decision_time_ns // 10**9, dt.UTC).hour
        if not rules.hours_utc[0] <= hour < rules.hours_utc[1]:
            yield Reason.HOURS
    if rules.require_kyc and not facts.kyc_ok:
        yield Reason.KYC
    if rules.require_aml and not facts.aml_ok:
        yield Reason.AML
