"""Decisions in the decision log: one record a step, and a replay that recomputes each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from oem_tco.decision.facts import DecisionInputs
from oem_tco.decision.orchestrator import Decision, DecisionOrchestrator, best_of, lost
from oem_tco.decision.policy import DecisionPolicy
from oem_tco.errors import ReplayError
from oem_tco.jsontext import number_text
from oem_tco.pretrade.cost_estimate import CostEstimate

STEP = "decision.step"
CHOICE = "decision.choice"
VERDICT = "decision.verdict"
_STEPS = ("candidate", "estimate", "risk", "compliance", "stress")


@dataclass(frozen=True, slots=True)
class Difference:
    """A logged decision that recomputes to something else: where, which field, both values."""

    where: str
    field: str
    logged: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        checked: Decisions that were recomputed.
        differences: What differs; alternatives are compared where their choice stands.
        choices: Choices between alternatives that were recomputed.
    """

    checked: int
    differences: tuple[Difference, ...]
    choices: int = 0


def decision_records(
    inputs: DecisionInputs, decision: Decision, policy: DecisionPolicy
) -> list[tuple[str, dict[str, Any]]]:
    """Return what goes to the decision log for one candidate, as (kind, body), in order.

    Every step has its own record with the cost figures it stood on; the last one alone is enough
    to recompute the decision. For alternatives use `choice_records`.
    """
    record = inputs.to_record()
    tco = _figures(inputs.estimate)
    identity = {"decision_id": decision.decision_id}
    steps = [
        (STEP, {**identity, "step": name, "facts": record[name], "tco": tco}) for name in _STEPS
    ]
    verdict = {
        **decision.to_record(),
        "tco": tco,
        "inputs": record,
        "policy": policy.model_dump(mode="json"),
    }
    return [*steps, (VERDICT, verdict)]


def _figures(cost: CostEstimate) -> dict[str, Any]:
    return {
        "expected_bps": number_text(cost.expected_bps),
        "low_bps": number_text(cost.low_bps),
        "high_bps": number_text(cost.high_bps),
        "confidence": number_text(cost.confidence),
        "provenance": cost.provenance.value if cost.components else "",
        "schedule_version": cost.schedule_version,
    }


def choice_records(
    alternatives: Sequence[DecisionInputs], decisions: Sequence[Decision], policy: DecisionPolicy
) -> list[tuple[str, dict[str, Any]]]:
    """Return what goes to the decision log for alternatives of one group, as (kind, body).

    The steps and verdicts of each come first, in their order, then one record that names them all
    and the one that was taken, so that the choice itself can be recomputed.

    Args:
        alternatives: What `choose` was asked.
        decisions: What it answered, in the same order.
        policy: The policy it holds.
    """
    records = [
        record
        for inputs, decision in zip(alternatives, decisions, strict=True)
        for record in decision_records(inputs, decision, policy)
    ]
    taken = next((d.decision_id for d in decisions if d.accepted), "")
    body = {
        "group": next((i.candidate.group for i in alternatives), ""),
        "members": [d.decision_id for d in decisions],
        "taken": taken,
        "scores": {d.decision_id: d.score for d in decisions},
        "rank_by": policy.rank_by.value,
    }
    return [*records, (CHOICE, body)]


def replay(records: Iterable[tuple[str, str, Mapping[str, Any]]]) -> ReplayResult:
    """Recompute every logged decision from its own inputs and policy, and every choice.

    A decision that says another of its group was better must be named by a choice in which that
    is so: a log in which it stands alone differs. The steps before a verdict must hold the facts
    and cost figures that it was made from, each step once; steps without a verdict are those of a
    process that ended before it had decided, and are passed over.

    Args:
        records: (where, kind, body) of log records; other kinds are passed over.

    Raises:
        ReplayError: A verdict or choice record is not one that this library wrote.
    """
    replayed = _Replay()
    for where, kind, body in records:
        if kind == STEP:
            replayed.step(where, body)
        elif kind == VERDICT:
            replayed.verdict(where, body)
        elif kind == CHOICE:
            replayed.choice(where, body)
    return replayed.result()


_FIELDS = (
    "decision_id",
    "verdict",
    "reasons",
    "margins",
    "net_edge_bps",
    "net_edge_low_bps",
    "stressed_net_edge_bps",
    "worst_scenario",
    "score",
)


@dataclass(frozen=True, slots=True)
class _Logged:
    where: str
    fields: dict[str, Any]
    fresh: Decision
    group: str
    rank_by: str


class _Replay:
    """What a replay has seen so far; verdicts wait for the choice that may explain them."""

    def __init__(self) -> None:
        self._checked = 0
        self._choices = 0
        self._differences: list[Difference] = []
        self._waiting: dict[str, _Logged] = {}
        self._steps: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}

    def step(self, where: str, body: Mapping[str, Any]) -> None:
        self._steps.setdefault(str(body.get("decision_id")), []).append((where, body))

    def verdict(self, where: str, body: Mapping[str, Any]) -> None:
        self._checked += 1
        try:
            inputs = DecisionInputs.from_record(body["inputs"])
            policy = DecisionPolicy.model_validate(body["policy"])
            logged = {name: body[name] for name in _FIELDS}
            tco = body["tco"]
        except (
            KeyError, TypeError, ValueError, AttributeError, ValidationError, ArithmeticError,
        ) as error:  # fmt: skip
            raise _unreadable(where, error) from None
        fresh = DecisionOrchestrator(policy).decide(inputs)
        one = _Logged(where, logged, fresh, inputs.candidate.group, policy.rank_by.value)
        figures = _figures(inputs.estimate)
        if tco != figures:
            self._differences.append(Difference(where, "tco", tco, figures))
        self._held(where, str(logged["decision_id"]), inputs.to_record(), figures)
        if inputs.candidate.group:
            # its choice, if it had one, stands after it
            name = str(logged["decision_id"])
            if name in self._waiting:
                self._alone(name)
            self._waiting[name] = one
        else:
            self._compare(one, one.fresh)

    def choice(self, where: str, body: Mapping[str, Any]) -> None:
        self._choices += 1
        try:
            names, taken = [str(name) for name in body["members"]], str(body["taken"])
            scores = {str(name): float(score) for name, score in body["scores"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unreadable(where, error) from None
        members = [self._waiting.pop(name) for name in names if name in self._waiting]
        if len(members) < len(names):
            known = {str(one.fields["decision_id"]) for one in members}
            missing = [name for name in names if name not in known]
            self._differences.append(Difference(where, "members", names, f"no verdict: {missing}"))
        best = best_of([one.fresh for one in members])
        for one in members:
            beaten = one.fresh.accepted and one.fresh is not best
            self._compare(one, lost(one.fresh) if beaten else one.fresh)
        found = {one.fresh.decision_id: one.fresh.score for one in members}
        recomputed: list[tuple[str, object, object]] = [
            ("taken", taken, best.decision_id if best else ""),
            ("scores", scores, found),
        ]
        for one in members[:1]:
            recomputed.append(("group", body.get("group"), one.group))
            recomputed.append(("rank_by", body.get("rank_by"), one.rank_by))
        self._differences += [
            Difference(where, name, logged, fresh)
            for name, logged, fresh in recomputed
            if logged != fresh
        ]

    def result(self) -> ReplayResult:
        for name in list(self._waiting):
            self._alone(name)
        return ReplayResult(self._checked, tuple(self._differences), self._choices)

    def _held(
        self, where: str, name: str, facts: Mapping[str, Any], figures: dict[str, Any]
    ) -> None:
        """Hold the steps that led to a verdict to what it was made from."""
        steps = self._steps.pop(name, [])
        for place, body in steps:
            step = body.get("step")
            wanted = facts.get(step) if isinstance(step, str) else None
            for field, logged, fresh in (
                (f"{step}.facts", body.get("facts"), wanted),
                (f"{step}.tco", body.get("tco"), figures),
            ):
                if logged != fresh:
                    self._differences.append(Difference(place, field, logged, fresh))
        names = [body.get("step") for _, body in steps]
        if steps and names != list(_STEPS):
            self._differences.append(Difference(where, "steps", names, list(_STEPS)))

    def _alone(self, name: str) -> None:
        """Compare what no choice named: it was decided alone, and must say so."""
        one = self._waiting.pop(name)
        self._compare(one, one.fresh)

    def _compare(self, one: _Logged, fresh: Decision) -> None:
        made = fresh.to_record()
        self._differences += [
            Difference(one.where, name, one.fields[name], made[name])
            for name in _FIELDS
            if made[name] != one.fields[name]
        ]


def _unreadable(where: str, error: Exception) -> ReplayError:
    return ReplayError(
        f"not a decision record: {type(error).__name__} {error}",
        where=where,
        remedy="verify the log first: oem journal verify",
    )
