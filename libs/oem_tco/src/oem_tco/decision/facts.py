"""What a decision is made from: plain values, nothing else."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from oem_tco.jsontext import number_text
from oem_tco.pretrade.cost_estimate import CostEstimate
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
        group: Candidates of one group exclude each other: at most one of them is accepted.
        nothing_edge_bps: What doing nothing is expected to earn on the same notional, bps: for an
            exit, holding on. None is 0 for an entry; an exit is then not held against it.
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
    nothing_edge_bps: float | None = None


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """The risk engine's verdict.

    Attributes:
        allowed: Whether it lets the candidate pass.
        reasons: Every reason against it, in the engine's own words.
        margins: Limit to the room left, negative is beyond it.
        kill_switch: `active`, `reducing` or `halted`; any other word stops everything.
    """

    allowed: bool
    reasons: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    kill_switch: str = "active"


@dataclass(frozen=True, slots=True)
class ComplianceFacts:
    """What is known of licence and client when the decision is made.

    Attributes:
        licence_features: What the licence grants.
        licence_valid: Whether it holds at all.
        kyc_ok: Whether the client is identified; so is `aml_ok` for screening.
        mode: `demo`, `paper` or `live`.
        licence_days_left: Days until the licence ends; None where it has no end or none is known.
    """

    licence_features: frozenset[str] = frozenset()
    licence_valid: bool = True
    kyc_ok: bool = True
    aml_ok: bool = True
    mode: str = "paper"
    licence_days_left: float | None = None


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
                "expected_edge_bps": number_text(made.expected_edge_bps),
                "edge_sigma_bps": number_text(made.edge_sigma_bps),
                "probability": number_text(made.probability),
                "kind": made.kind.value,
                "order_type": made.order_type,
                "scheduler": made.scheduler,
                "group": made.group,
                "nothing_edge_bps": None
                if made.nothing_edge_bps is None
                else number_text(made.nothing_edge_bps),
            },
            "estimate": self.estimate.to_record(),
            "risk": {
                "allowed": self.risk.allowed,
                "reasons": list(self.risk.reasons),
                "margins": {name: number_text(room) for name, room in self.risk.margins.items()},
                "kill_switch": self.risk.kill_switch,
            },
            "compliance": {
                "licence_features": sorted(self.compliance.licence_features),
                "licence_valid": self.compliance.licence_valid,
                "kyc_ok": self.compliance.kyc_ok,
                "aml_ok": self.compliance.aml_ok,
                "mode": self.compliance.mode,
                "licence_days_left": None
                if self.compliance.licence_days_left is None
                else number_text(self.compliance.licence_days_left),
            },
            "stress": {
                "worst_latency_ms": number_text(self.stress.worst_latency_ms),
                "volatility_bps_per_sqrt_s": number_text(self.stress.volatility_bps_per_sqrt_s),
            },
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> DecisionInputs:
        """Return the inputs of `to_record`; KeyError, TypeError or ValueError if it is not one."""
        made = _typed(record, "candidate", _CANDIDATE)
        made["side"] = Side(made["side"])
        made["kind"] = CandidateKind(made["kind"])
        made["quantity"] = Decimal(made["quantity"])
        made["reference_price"] = Decimal(made["reference_price"])
        for name in ("expected_edge_bps", "edge_sigma_bps", "probability"):
            made[name] = float(made[name])
        if made.get("nothing_edge_bps") is not None:
            made["nothing_edge_bps"] = float(made["nothing_edge_bps"])
        risk = _typed(record, "risk", {"allowed": bool, "kill_switch": str, "margins": dict})
        compliance = _typed(record, "compliance", _COMPLIANCE)
        stress = _typed(record, "stress", {})
        compliance["licence_features"] = frozenset(compliance["licence_features"])
        if compliance.get("licence_days_left") is not None:
            compliance["licence_days_left"] = float(compliance["licence_days_left"])
        return cls(
            Candidate(**made),
            CostEstimate.from_record(record["estimate"]),
            RiskFacts(
                risk["allowed"],
                tuple(risk["reasons"]),
                {name: float(room) for name, room in risk["margins"].items()},
                risk["kill_switch"],
            ),
            ComplianceFacts(**compliance),
            StressFacts(**{name: float(value) for name, value in stress.items()}),
        )


_CANDIDATE: dict[str, type] = {
    "decision_time_ns": int,
    **dict.fromkeys(
        ("candidate_id", "strategy", "profile", "symbol", "venue", "order_type", "scheduler",
         "group"), str,
    ),
}  # fmt: skip
_COMPLIANCE: dict[str, type] = {
    **dict.fromkeys(("licence_valid", "kyc_ok", "aml_ok"), bool),
    "mode": str,
}


def _typed(record: Mapping[str, Any], name: str, types: Mapping[str, type]) -> dict[str, Any]:
    """Return a part of a record; TypeError where a field is of another type than was written."""
    part = record[name]
    if not isinstance(part, Mapping):
        raise TypeError(f"{name} is no object")
    for cell, kind in types.items():
        # a word where a flag stood would count as true, and a flag is an int to Python
        if type(part[cell]) is not kind:
            raise TypeError(f"{name}.{cell} is no {kind.__name__}")
    return dict(part)
