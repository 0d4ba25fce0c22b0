"""Decisions in the decision log: one record a step, and a replay that recomputes each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from oem_tco.decision.facts import DecisionInputs
from oem_tco.decision.orchestrator import Decision, DecisionOrchestrator, Verdict
from oem_tco.decision.policy import DecisionPolicy
from oem_tco.errors import ReplayError

STEP = "decision.step"
VERDICT = "decision.verdict"


@dataclass(frozen=True, slots=True)
class Difference:
    """A logged decision that recomputes to something else: where, which field, both values."""

    where: str
    field: str
    logged: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How many decisions were recomputed, and which differ."""

    checked: int
    differences: tuple[Difference, ...]


def decision_records(
    inputs: DecisionInputs, decision: Decision, policy: DecisionPolicy
) -> list[tuple[str, dict[str, Any]]]:
    """Return what goes to the decision log, as (kind, body), in order.

    Every step has its own record; the last one alone is enough to recompute the decision.
    """
    record = inputs.to_record()
    identity = {"decision_id": decision.decision_id}
    steps = [
        (STEP, {**identity, "step": name, "facts": record[name]})
        for name in ("candidate", "estimate", "risk", "compliance", "stress")
    ]
    verdict = {
        **decision.to_record(),
        "tco": {
            "expected_bps": inputs.estimate.expected_bps,
            "low_bps": inputs.estimate.low_bps,
            "high_bps": inputs.estimate.high_bps,
            "schedule_version": inputs.estimate.schedule_version,
        },
        "inputs": record,
        "policy": policy.model_dump(mode="json"),
    }
    return [*steps, (VERDICT, verdict)]


def replay(records: Iterable[tuple[str, str, Mapping[str, Any]]]) -> ReplayResult:
    """Recompute every logged decision from its own inputs and policy.

    Args:
        records: (where, kind, body) of log records; other kinds are passed over.

    Raises:
        ReplayError: A verdict record is not one that this library wrote.
    """
    checked = 0
    differences: list[Difference] = []
    for where, kind, body in records:
        if kind != VERDICT:
            continue
        checked += 1
        try:
            inputs = DecisionInputs.from_record(body["inputs"])
            policy = DecisionPolicy.model_validate(body["policy"])
            logged = {name: body[name] for name in _FIELDS}
        except (KeyError, TypeError, ValueError, ValidationError, ArithmeticError) as error:
            raise ReplayError(
                f"not a decision record: {type(error).__name__} {error}",
                where=where,
                remedy="verify the log first: oem journal verify",
            ) from None
        fresh = DecisionOrchestrator(policy).decide(inputs).to_record()
        if logged["reasons"] == ["alternative"] and fresh["verdict"] == Verdict.ACCEPT.value:
            # it was good enough alone, and another of its group, in a record of its own, was better
            fresh |= {"verdict": Verdict.DO_NOTHING.value, "reasons": logged["reasons"]}
        differences += [
            Difference(where, name, logged[name], fresh[name])
            for name in _FIELDS
            if fresh[name] != logged[name]
        ]
    return ReplayResult(checked, tuple(differences))


_FIELDS = (
    "decision_id",
    "verdict",
    "reasons",
    "margins",
    "net_edge_bps",
    "net_edge_low_bps",
    "stressed_net_edge_bps",
)
