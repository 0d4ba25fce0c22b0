"""What a decision is made from: plain values, nothing else."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from oem_tco.pretrade.estimate import CostEstimate
from oem_tco.terms import Side


class CandidateKind(enum.StrEnum):
    """Whether a candidate takes on risk or gives it up."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trade that a strategy proposes.

    Attributes:
        candidate_id: Unique id; it becomes the decision's and the order's.
        decision_time_ns: Market time, UTC nanoseconds.
        strategy: Who proposes it; so are profile and scheduler names.
        symbol: Symbol; venue is where it would trade.
        side: Direction.
        quantity: Base units, positive.
        reference_price: Mid at the decision.
        expected_edge_bps: Expected gross gain in bps of the notional, before costs.
        edge_sigma_bps: Its standard error, >= 0.
        probability: Probability of a gain, in [0, 1].
        kind: Entry or exit.
        group: Candidates of one group exclude each other.
    """

    candidate_id: str
    decision_time_ns: int
    strategy: str
    profile: str
    symbol: str
    venue: str
    side: Side
    quantity: Decimal
    reference_price: Decimal
    expected_edge_bps: float
    edge_sigma_bps: float
    probability: float
    kind: CandidateKind = CandidateKind.ENTRY
    order_type: str = "market"
    scheduler: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """The risk engine's verdict: allowed or not, every reason, room to each limit."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    kill_switch: str = "active"


@dataclass(frozen=True, slots=True)
class ComplianceFacts:
    """What is known of licence and client when the decision is made."""

    licence_features: frozenset[str] = frozenset()
    licence_valid: bool = True
    kyc_ok: bool = True
    aml_ok: bool = True
    mode: str = "paper"


@dataclass(frozen=True, slots=True)
class StressFacts:
    """The market the stress scenarios are applied to.

    Attributes:
        worst_latency_ms: Longest time from decision to matching that must be survived.
        volatility_bps_per_sqrt_s: Standard deviation of the mid over one second, bps.
    """

    worst_latency_ms: float
    volatility_bps_per_sqrt_s: float


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """Everything one decision depends on."""

    candidate: Candidate
    estimate: CostEstimate
    risk: RiskFacts
    compliance: ComplianceFacts
    stress: StressFacts

    def to_record(self) -> dict[str, Any]:
        """Return the inputs as JSON-ready values; floats keep every bit."""
        made = self.candidate
        return {
            "candidate": {
                "candidate_id": made.candidate_id,
                "decision_time_ns": made.decision_time_ns,
                "strategy": made.strategy,
                "profile": made.profile,
                "symbol": made.symbol,
                "venue": made.venue,
                "side": made.side.value,
                "quantity": str(made.quantity),
                "reference_price": str(made.reference_price),
                "expected_edge_bps": made.expected_edge_bps,
                "edge_sigma_bps": made.edge_sigma_bps,
                "probability": made.probability,
                "kind": made.kind.value,
                "order_type": made.order_type,
                "scheduler": made.scheduler,
                "group": made.group,
            },
            "estimate": self.estimate.to_record(),
            "risk": {
                "allowed": self.risk.allowed,
                "reasons": list(self.risk.reasons),
                "margins": dict(self.risk.margins),
                "kill_switch": self.risk.kill_switch,
            },
            "compliance": {
                "licence_features": sorted(self.compliance.licence_features),
                "licence_valid": self.compliance.licence_valid,
                "kyc_ok": self.compliance.kyc_ok,
                "aml_ok": self.compliance.aml_ok,
                "mode": self.compliance.mode,
            },
            "stress": {
                "worst_latency_ms": self.stress.worst_latency_ms,
                "volatility_bps_per_sqrt_s": self.stress.volatility_bps_per_sqrt_s,
            },
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> DecisionInputs:
        """Return the inputs of `to_record`; KeyError, TypeError or ValueError if it is not one."""
        made = dict(record["candidate"])
        made["side"] = Side(made["side"])
        made["kind"] = CandidateKind(made["kind"])
        made["quantity"] = Decimal(made["quantity"])
        made["reference_price"] = Decimal(made["reference_price"])
        risk = record["risk"]
        compliance = dict(record["compliance"])
        compliance["licence_features"] = frozenset(compliance["licence_features"])
        return cls(
            Candidate(**made),
            CostEstimate.from_record(record["estimate"]),
            RiskFacts(
                risk["allowed"], tuple(risk["reasons"]), dict(risk["margins"]), risk["kill_switch"]
            ),
            ComplianceFacts(**compliance),
            StressFacts(**record["stress"]),
        )
