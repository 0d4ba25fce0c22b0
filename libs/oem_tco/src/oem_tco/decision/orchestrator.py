"""Accept a candidate, reject it, or do nothing: a pure function of its inputs and the policy."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oem_tco.decision.facts import CandidateKind, DecisionInputs
from oem_tco.decision.policy import DecisionPolicy, RankBy, Thresholds
from oem_tco.decision.rules import compliance_reasons, compliance_room
from oem_tco.jsontext import number_text


class Verdict(enum.StrEnum):
    """What becomes of a candidate."""

    ACCEPT = "accept"
    REJECT = "reject"
    DO_NOTHING = "do_nothing"


class Reason(enum.StrEnum):
    """Why a candidate is not accepted; the reference page is generated from these."""

    NOT_A_NUMBER = "not_a_number"
    """A number is not finite, the probability not in [0, 1], an error or a latency negative, or the
    time of the decision beyond 64 bits of nanoseconds."""
    ESTIMATE = "estimate"
    """The cost estimate is of another symbol, side or quantity."""
    NET_EDGE = "net_edge"
    """The edge after costs, over doing nothing and less the caution, is below its threshold."""
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
    """The licence is not valid, ends too soon, or does not grant what this mode needs."""
    SYMBOL = "symbol"
    """The symbol is not allowed."""
    HOURS = "hours"
    """It is outside trading hours."""
    KYC = "kyc"
    """The client is not identified."""
    AML = "aml"
    """The client did not pass the screening."""
    NOTHING = "nothing"
    """Doing nothing earns as much or more."""
    ALTERNATIVE = "alternative"
    """Another candidate of its group is better."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision with every reason against it and the distance to every threshold.

    Attributes:
        decision_id: The candidate's id.
        verdict: What becomes of the candidate.
        reasons: Every reason against it, in the order of `Reason`; empty when accepted.
        margins: Threshold to distance, positive is room: `net_edge`, `cost`, `stress` and
            `nothing` in bps, `probability` as a share, `hours` and `licence` (days) where the
            policy has them, and each limit of the risk engine as `risk.NAME` in its own unit.
        net_edge_bps: Expected edge less expected cost.
        net_edge_low_bps: The same, with edge and cost at the bad end of their intervals.
        stressed_net_edge_bps: Net edge in the worst stress scenario.
        worst_scenario: Name of that scenario; empty where none is worse than the expectation.
        score: What alternatives are ranked by: the bad end of the net edge over doing nothing, in
            bps or in quote units, as the policy says.
    """

    decision_id: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    margins: dict[str, float]
    net_edge_bps: float
    net_edge_low_bps: float
    stressed_net_edge_bps: float
    worst_scenario: str = ""
    score: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.verdict is Verdict.ACCEPT

    def to_record(self) -> dict[str, object]:
        return {
            "decision_id": self.decision_id,
            "verdict": self.verdict.value,
            "reasons": [reason.value for reason in self.reasons],
            "margins": {name: number_text(room) for name, room in self.margins.items()},
            "net_edge_bps": number_text(self.net_edge_bps),
            "net_edge_low_bps": number_text(self.net_edge_low_bps),
            "stressed_net_edge_bps": number_text(self.stressed_net_edge_bps),
            "worst_scenario": self.worst_scenario,
            "score": number_text(self.score),
        }


class DecisionOrchestrator:
    """Holds candidates to a policy; the same inputs always give the same decision.

    Args:
        policy: Thresholds, stress scenarios and compliance rules.
    """

    def __init__(self, policy: DecisionPolicy) -> None:
        self.policy = policy
        self._thresholds = {name: policy.thresholds(name) for name in policy.profiles}
        self._by_amount = policy.rank_by is RankBy.AMOUNT

    def decide(self, inputs: DecisionInputs) -> Decision:
        """Return the decision on one candidate, as if it had no alternative but doing nothing.

        An entry must reach every threshold. An exit gives up risk: it must be affordable, and
        better than holding on where the candidate says what that earns, but it need not promise a
        gain or survive the stress.
        """
        made, cost = inputs.candidate, inputs.estimate
        if not _sound(inputs):
            broken = (Reason.NOT_A_NUMBER,)
            return Decision(made.candidate_id, Verdict.REJECT, broken, {}, 0.0, 0.0, 0.0)
        limits = self._thresholds.get(made.profile, self.policy.defaults)
        net = made.expected_edge_bps - cost.expected_bps
        low = made.expected_edge_bps - made.edge_sigma_bps - cost.high_bps
        stressed, scenario = self._stressed(inputs)
        nothing = made.nothing_edge_bps
        against = set(_blocks(inputs))
        margins = self._margins(inputs, limits, net, stressed)
        against.update(reason for name, reason in _HELD if margins.get(name, 0.0) < 0)
        # what is worth no more than doing nothing is not done, whatever the threshold allows
        if margins.get("nothing", 1.0) <= 0:
            against.add(Reason.NOTHING)
        rules, facts = self.policy.compliance, inputs.compliance
        against.update(map(Reason, compliance_reasons(rules, facts, made)))
        compliance_room(rules, facts, made, margins)
        for name, room in inputs.risk.margins.items():
            margins[f"risk.{name}"] = room
        score = low - (nothing or 0.0)
        if self._by_amount:
            score *= float(cost.notional) / 10_000
        reasons = tuple(reason for reason in Reason if reason in against) if against else ()
        verdict = Verdict.ACCEPT
        if reasons:
            idle = reasons == (Reason.NOTHING,)
            verdict = Verdict.DO_NOTHING if idle else Verdict.REJECT
        return Decision(
            made.candidate_id, verdict, reasons, margins, net, low, stressed, scenario, score
        )

    def choose(self, alternatives: Sequence[DecisionInputs]) -> tuple[Decision, ...]:
        """Decide on alternatives that exclude each other: at most the best of them is accepted.

        Each is decided alone first, so that it stands against doing nothing; of those that pass,
        the one of the highest score is accepted and the others become DO_NOTHING. Equal scores go
        to the higher net edge, then to the smaller id, in whatever order they are given.
        """
        decisions = [self.decide(inputs) for inputs in alternatives]
        best = best_of(decisions)
        return tuple(lost(d) if d.accepted and d is not best else d for d in decisions)

    def decide_all(self, candidates: Sequence[DecisionInputs]) -> tuple[Decision, ...]:
        """Decide on candidates of any groups; an empty group name stands alone.

        Returns:
            One decision for each, in their order.
        """
        members: dict[str, list[int]] = {}
        for place, inputs in enumerate(candidates):
            if inputs.candidate.group:
                members.setdefault(inputs.candidate.group, []).append(place)
        decisions = [self.decide(inputs) for inputs in candidates]
        for places in members.values():
            best = best_of([decisions[place] for place in places])
            for place in places:
                if decisions[place].accepted and decisions[place] is not best:
                    decisions[place] = lost(decisions[place])
        return tuple(decisions)

    def _margins(
        self, inputs: DecisionInputs, limits: Thresholds, net: float, stressed: float
    ) -> dict[str, float]:
        made, cost = inputs.candidate, inputs.estimate
        nothing = made.nothing_edge_bps
        sigma = math.hypot(made.edge_sigma_bps, cost.sigma_bps) if limits.caution else 0.0
        over = net - (nothing or 0.0) - limits.caution * sigma
        if made.kind is CandidateKind.ENTRY:
            return {
                "cost": limits.max_cost_bps - cost.high_bps,
                "net_edge": over - limits.min_net_edge_bps,
                "probability": made.probability - limits.min_probability,
                "stress": stressed - limits.min_stressed_net_edge_bps,
                "nothing": over,
            }
        margins = {"cost": limits.max_cost_bps * limits.exit_cost_factor - cost.high_bps}
        if nothing is not None:
            margins["nothing"] = over
        return margins

    def _stressed(self, inputs: DecisionInputs) -> tuple[float, str]:
        made, cost, stress = inputs.candidate, inputs.estimate, inputs.stress
        edge, expected = made.expected_edge_bps, cost.expected_bps
        worst, name = edge - expected, ""
        for scenario in self.policy.stress:
            latency = scenario.latency_ms
            wait_ms = stress.worst_latency_ms if latency is None else latency
            slip = stress.volatility_bps_per_sqrt_s * math.sqrt(wait_ms / 1000.0)
            # a shock does not multiply a gain
            shocked = expected * scenario.cost_multiplier if expected > 0 else expected
            if edge - shocked - slip < worst:
                worst, name = edge - shocked - slip, scenario.name
        return worst, name


def best_of(decisions: Sequence[Decision]) -> Decision | None:
    """Return the accepted decision of the highest score; None where none is accepted."""
    accepted = [d for d in decisions if d.accepted]
    if not accepted:
        return None
    return min(accepted, key=lambda d: (-d.score, -d.net_edge_bps, d.decision_id))


def lost(decision: Decision) -> Decision:
    """Return an accepted decision as one that another of its group beat."""
    return replace(decision, verdict=Verdict.DO_NOTHING, reasons=(Reason.ALTERNATIVE,))


_HELD = (
    ("net_edge", Reason.NET_EDGE),
    ("probability", Reason.PROBABILITY),
    ("cost", Reason.COST),
    ("stress", Reason.STRESS),
)


def _sound(inputs: DecisionInputs) -> bool:
    """Return whether every number is one; min() passes over a nan, so each is asked."""
    made, cost, stress = inputs.candidate, inputs.estimate, inputs.stress
    numbers = (
        made.expected_edge_bps,
        made.edge_sigma_bps,
        made.probability,
        cost.expected_bps,
        cost.sigma_bps,
        cost.low_bps,
        cost.high_bps,
        stress.worst_latency_ms,
        stress.volatility_bps_per_sqrt_s,
    )
    if not all(map(math.isfinite, numbers)) or not 0 <= made.probability <= 1:
        return False
    if made.nothing_edge_bps is not None and not math.isfinite(made.nothing_edge_bps):
        return False
    if not (made.quantity.is_finite() and made.quantity > 0 and cost.notional.is_finite()):
        return False
    if not -(2**63) <= made.decision_time_ns < 2**63:
        return False
    low = min(made.edge_sigma_bps, cost.sigma_bps, *numbers[-2:])
    return low >= 0 and cost.low_bps <= cost.high_bps and _finite(inputs.risk.margins)


def _finite(margins: Mapping[str, float]) -> bool:
    # a limit without a bound has infinite room; only a nan says nothing
    return not any(room != room for room in margins.values())


def _blocks(inputs: DecisionInputs) -> Iterator[Reason]:
    made, cost, risk = inputs.candidate, inputs.estimate, inputs.risk
    same = (cost.symbol, cost.side, cost.quantity) == (made.symbol, made.side, made.quantity)
    if not same:
        yield Reason.ESTIMATE
    if not risk.allowed:
        yield Reason.RISK
    # a word that is not known stops everything: the switch fails closed
    entry = made.kind is CandidateKind.ENTRY
    if risk.kill_switch != "active" and (risk.kill_switch != "reducing" or entry):
        yield Reason.KILL_SWITCH
