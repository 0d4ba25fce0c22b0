"""The decisions report: every logged decision with numbers, reasons and room to its thresholds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oem_tco.decision.facts import DecisionInputs
from oem_tco.decision.orchestrator import Verdict
from oem_tco.decision.record import VERDICT
from oem_tco.errors import ReplayError
from oem_tco.report.sheet import Cell, Column, Kind, Sheet, cells_of, wrong

_ROOM = ("net_edge", "probability", "cost", "stress")

DECISION_COLUMNS: tuple[Column, ...] = (
    Column("decision_id"),
    Column("market_utc", Kind.TIME, "RFC 3339, market time"),
    Column("logged_utc", Kind.TIME, "RFC 3339, the log's clock"),
    Column("log_record", Kind.INTEGER, "sequence number in the log"),
    Column("strategy"),
    Column("profile"),
    Column("scheduler"),
    Column("venue"),
    Column("symbol"),
    Column("side"),
    Column("kind"),
    Column("group"),
    Column("verdict"),
    Column("reasons", Kind.TEXT, "semicolon between reasons"),
    Column("accepted", Kind.INTEGER, "0 or 1", summed=True),
    Column("rejected", Kind.INTEGER, "0 or 1", summed=True),
    Column("nothing_done", Kind.INTEGER, "0 or 1", summed=True),
    Column("expected_edge_bps", Kind.NUMBER, "bps of notional"),
    Column("probability", Kind.NUMBER, "share"),
    Column("est_low_bps", Kind.NUMBER, "bps of notional"),
    Column("est_expected_bps", Kind.NUMBER, "bps of notional"),
    Column("est_high_bps", Kind.NUMBER, "bps of notional"),
    Column("net_edge_bps", Kind.NUMBER, "bps of notional"),
    Column("net_edge_low_bps", Kind.NUMBER, "bps of notional"),
    Column("stressed_net_edge_bps", Kind.NUMBER, "bps of notional"),
    Column("room_net_edge_bps", Kind.NUMBER, "bps above the threshold"),
    Column("room_probability", Kind.NUMBER, "share above the threshold"),
    Column("room_cost_bps", Kind.NUMBER, "bps below the threshold"),
    Column("room_stress_bps", Kind.NUMBER, "bps above the threshold"),
    Column("risk_allowed", Kind.TEXT, "yes or no"),
    Column("schedule_version"),
    Column("policy_sha384", Kind.TEXT, "first 16 digits of the policy's digest"),
)
"""The columns, in the order of the file."""


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One verdict as it stands in a decision log.

    Attributes:
        where: File and line, for errors.
        seq: Sequence number of its record.
        time_ns: The log's clock, UTC nanoseconds.
        inputs: What it was made from.
        body: The record's body.
    """

    where: str
    seq: int
    time_ns: int
    inputs: DecisionInputs
    body: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.body["verdict"])

    @property
    def policy_digest(self) -> str:
        text = json.dumps(self.body["policy"], sort_keys=True, separators=(",", ":"))
        return hashlib.sha384(text.encode()).hexdigest()[:16]


def logged_decisions(
    records: Iterable[tuple[str, int, int, str, Mapping[str, Any]]],
) -> tuple[LoggedDecision, ...]:
    """Return the verdicts of a decision log, in its order.

    Args:
        records: (where, sequence number, time in UTC nanoseconds, kind, body); other kinds are
            passed over.

    Raises:
        ReplayError: A verdict record is not one that this library wrote.
    """
    found = []
    for where, seq, time_ns, kind, body in records:
        if kind != VERDICT:
            continue
        try:
            inputs = DecisionInputs.from_record(body["inputs"])
            one = LoggedDecision(where, seq, time_ns, inputs, body)
            cells_of(DECISION_COLUMNS, _cells(one))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise ReplayError(
                f"not a decision record: {type(error).__name__} {error}",
                where=where,
                remedy="verify the log first: oem journal verify",
            ) from None
        found.append(one)
    return tuple(found)


def decision_sheet(decisions: Sequence[LoggedDecision]) -> Sheet:
    """Return the table of the report, in the order of the log."""
    return Sheet(
        DECISION_COLUMNS, tuple(cells_of(DECISION_COLUMNS, _cells(one)) for one in decisions)
    )


def check_decisions(sheet: Sheet, where: str) -> None:
    """Check what holds within each line.

    Raises:
        ReportError: Verdict, its count and its reasons do not agree.
    """
    at = {name: sheet.place(name) for name in ("verdict", "reasons", *_COUNTED.values())}
    for number, row in enumerate(sheet.rows, start=2):
        verdict = str(row[at["verdict"]])
        counted = [name for name in _COUNTED.values() if row[at[name]] == 1]
        known = verdict in _COUNTED and counted == [_COUNTED[verdict]]
        if not known or (row[at["reasons"]] is None) is not (verdict == Verdict.ACCEPT.value):
            raise wrong("verdict, count and reasons do not agree", f"{where}:{number}")


_COUNTED = {
    Verdict.ACCEPT.value: "accepted",
    Verdict.REJECT.value: "rejected",
    Verdict.DO_NOTHING.value: "nothing_done",
}


def _cells(one: LoggedDecision) -> dict[str, Cell]:
    made, cost, body = one.inputs.candidate, one.inputs.estimate, one.body
    margins = body["margins"]
    room = {name: float(margins[name]) if name in margins else None for name in _ROOM}
    return {
        "decision_id": str(body["decision_id"]),
        "market_utc": made.decision_time_ns,
        "logged_utc": one.time_ns,
        "log_record": one.seq,
        "strategy": made.strategy,
        "profile": made.profile,
        "scheduler": made.scheduler,
        "venue": made.venue,
        "symbol": made.symbol,
        "side": made.side.value,
        "kind": made.kind.value,
        "group": made.group,
        "verdict": one.verdict.value,
        "reasons": ";".join(map(str, body["reasons"])),
        **{name: int(_COUNTED[one.verdict.value] == name) for name in _COUNTED.values()},
        "expected_edge_bps": made.expected_edge_bps,
        "probability": made.probability,
        "est_low_bps": cost.low_bps,
        "est_expected_bps": cost.expected_bps,
        "est_high_bps": cost.high_bps,
        "net_edge_bps": float(body["net_edge_bps"]),
        "net_edge_low_bps": float(body["net_edge_low_bps"]),
        "stressed_net_edge_bps": float(body["stressed_net_edge_bps"]),
        "room_net_edge_bps": room["net_edge"],
        "room_probability": room["probability"],
        "room_cost_bps": room["cost"],
        "room_stress_bps": room["stress"],
        "risk_allowed": "yes" if one.inputs.risk.allowed else "no",
        "schedule_version": cost.schedule_version,
        "policy_sha384": one.policy_digest,
    }
