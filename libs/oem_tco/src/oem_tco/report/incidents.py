"""The incidents report: what went wrong or was stopped, when it began, and when it was over."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oem_security.clock import NS_PER_SECOND
from oem_tco.report.sheet import Cell, Column, Kind, Sheet, cells_of

INCIDENT_COLUMNS: tuple[Column, ...] = (
    Column("incident_id"),
    Column("kind"),
    Column("severity"),
    Column("began_utc", Kind.TIME, "RFC 3339, the log's clock"),
    Column("ended_utc", Kind.TIME, "RFC 3339; empty while it is open"),
    Column("lasted_seconds", Kind.NUMBER, "s; empty while it is open"),
    Column("log"),
    Column("log_record", Kind.INTEGER, "sequence number in the log"),
    Column("about"),
    Column("what"),
    Column("operator"),
    Column("critical", Kind.INTEGER, "0 or 1", summed=True),
    Column("major", Kind.INTEGER, "0 or 1", summed=True),
    Column("minor", Kind.INTEGER, "0 or 1", summed=True),
    Column("open", Kind.INTEGER, "0 or 1", summed=True),
)
"""The columns, in the order of the file."""


class Severity(enum.StrEnum):
    """How much an incident matters, most first."""

    CRITICAL = "critical"
    """Trading stopped, or an order's fate needs a person."""
    MAJOR = "major"
    """A promise was in danger: an unknown outcome, a damaged log."""
    MINOR = "minor"
    """Something was refused, as it should be."""


class IncidentKind(enum.StrEnum):
    """What can happen; the reference page is generated from these."""

    KILL_SWITCH = "kill_switch"
    """The kill switch was thrown; over when trading is active again."""
    ORDER_QUARANTINED = "order_quarantined"
    """The venue contradicts itself about an order; over when it leaves quarantine."""
    ORDER_UNKNOWN = "order_unknown"
    """An order's outcome was not known; over when evidence settled it."""
    START_UNRESOLVED = "start_unresolved"
    """On start, orders could not be settled, or were not of this site."""
    LOG_RECOVERED = "log_recovered"
    """A torn last line of a log was put aside; nothing that was acknowledged is lost."""
    ORDER_REJECTED = "order_rejected"
    """A venue or a check before sending refused an order."""
    RISK_REFUSED = "risk_refused"
    """The risk engine refused an order at the last gate."""
    ACCESS_DENIED = "access_denied"
    """Someone asked for what their token does not grant."""
    DECISION_UNSOUND = "decision_unsound"
    """A decision was asked for with numbers that are none."""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return _SEVERITIES[self]


_SEVERITIES = {
    IncidentKind.KILL_SWITCH: Severity.CRITICAL,
    IncidentKind.ORDER_QUARANTINED: Severity.CRITICAL,
    IncidentKind.ORDER_UNKNOWN: Severity.MAJOR,
    IncidentKind.START_UNRESOLVED: Severity.MAJOR,
    IncidentKind.LOG_RECOVERED: Severity.MAJOR,
    IncidentKind.ORDER_REJECTED: Severity.MINOR,
    IncidentKind.RISK_REFUSED: Severity.MINOR,
    IncidentKind.ACCESS_DENIED: Severity.MINOR,
    IncidentKind.DECISION_UNSOUND: Severity.MINOR,
}


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of a signed log, as the report reads it.

    Attributes:
        log: Name of the log.
        seq: Sequence number.
        time_ns: The log's clock, UTC nanoseconds.
        kind: Kind of the record.
        body: Its body.
    """

    log: str
    seq: int
    time_ns: int
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Attributes:
        kind: What happened.
        began_ns: When, by the log's clock.
        ended_ns: When it was over; None while it is open. What is over at once ends as it began.
        log: Log it stands in; `seq` is its record's number.
        about: Order, decision or subject it concerns.
        what: What happened, in words.
        operator: Who did it, where someone did.
    """

    kind: IncidentKind
    began_ns: int
    ended_ns: int | None
    log: str
    seq: int
    about: str
    what: str
    operator: str = ""

    @property
    def incident_id(self) -> str:
        return f"{self.log}#{self.seq}"


def find_incidents(records: Iterable[LogRecord]) -> tuple[Incident, ...]:
    """Return the incidents of one or several logs, by beginning.

    Args:
        records: Records of every log, each log's in its own order; logs may come one after
            another. A second kill-switch record that keeps it thrown belongs to the same incident.
    """
    found: list[Incident] = []
    lasting: dict[tuple[str, IncidentKind, str], int] = {}
    for record in records:
        _end(record, found, lasting)
        made = _begin(record)
        if made is None or (record.log, made.kind, made.about) in lasting:
            continue
        if made.ended_ns is None:
            lasting[record.log, made.kind, made.about] = len(found)
        found.append(made)
    return tuple(sorted(found, key=lambda i: (i.began_ns, i.log, i.seq)))


def incident_sheet(incidents: Sequence[Incident]) -> Sheet:
    """Return the table of the report."""
    return Sheet(
        INCIDENT_COLUMNS, tuple(cells_of(INCIDENT_COLUMNS, _cells(one)) for one in incidents)
    )


def _begin(record: LogRecord) -> Incident | None:
    """Return the incident that a record begins, open where its end is another record's."""
    found = _of_order(record) if record.kind.startswith("order.") else _of_log(record)
    if found is None:
        return None
    kind, about, words, lasts = found
    return Incident(
        kind,
        record.time_ns,
        None if lasts else record.time_ns,
        record.log,
        record.seq,
        about,
        words,
        str(record.body.get("operator", "")),
    )


_Found = tuple[IncidentKind, str, str, bool]
"""Kind, what it is about, words, and whether it lasts until another record."""


def _of_order(record: LogRecord) -> _Found | None:
    body = record.body
    order = str(body.get("client_order_id") or body.get("decision_id") or "")
    state, why = str(body.get("state", "")), str(body.get("reason") or body.get("why") or "")
    if record.kind == "order.quarantined" or state == "quarantined":
        words = str(body.get("contradiction") or why or "contradictory evidence")
        return IncidentKind.ORDER_QUARANTINED, order, words, True
    if state == "unknown":
        return IncidentKind.ORDER_UNKNOWN, order, why or "outcome not known", True
    if state == "rejected" or record.kind == "order.refused":
        return IncidentKind.ORDER_REJECTED, order, why or "refused", False
    return None


def _of_log(record: LogRecord) -> _Found | None:
    body = record.body
    match record.kind:
        case "router.kill_state" if body.get("state") != "active":
            words = f"kill switch {body.get('state')}: {body.get('reason') or 'no reason given'}"
            return IncidentKind.KILL_SWITCH, "trading", words, True
        case "router.start" if any(body.get(name) for name in _UNSETTLED):
            counts = ", ".join(f"{len(body.get(name) or ())} {name}" for name in _UNSETTLED)
            return IncidentKind.START_UNRESOLVED, "start", f"orders on start: {counts}", False
        case "risk.check" if body.get("allowed") is False:
            return IncidentKind.RISK_REFUSED, str(body.get("decision_id", "")), _why(body), False
        case "operator.order" if _refused(body):
            about = str(body.get("client_order_id", ""))
            return IncidentKind.RISK_REFUSED, about, _why(body["risk"]), False
        case "journal.recovered":
            return IncidentKind.LOG_RECOVERED, record.log, "a torn last line was put aside", False
        case "rbac.denied":
            words = f"{body.get('scope', '')}: {body.get('why') or 'denied'}"
            return IncidentKind.ACCESS_DENIED, str(body.get("subject", "")), words, False
        case "decision.verdict" if "not_a_number" in (body.get("reasons") or ()):
            about, words = str(body.get("decision_id", "")), "a number of its inputs is none"
            return IncidentKind.DECISION_UNSOUND, about, words, False
    return None


_UNSETTLED = ("unresolved", "quarantined", "foreign")


def _why(verdict: Mapping[str, Any]) -> str:
    return ", ".join(map(str, verdict.get("reasons") or ())) or "no reason stated"


def _end(
    record: LogRecord,
    found: list[Incident],
    lasting: dict[tuple[str, IncidentKind, str], int],
) -> None:
    """End the open incidents that a record is the end of."""
    state = str(record.body.get("state", ""))
    ended: list[tuple[IncidentKind, str]] = []
    if record.kind == "router.kill_state" and state == "active":
        ended = [(IncidentKind.KILL_SWITCH, "trading")]
    elif record.kind.startswith("order."):
        order = str(record.body.get("client_order_id", ""))
        held = record.kind == "order.quarantined" or state == "quarantined"
        if held or (state and state not in ("unknown", "submitting")):
            ended.append((IncidentKind.ORDER_UNKNOWN, order))
            if not held:
                ended.append((IncidentKind.ORDER_QUARANTINED, order))
    for kind, about in ended:
        place = lasting.pop((record.log, kind, about), None)
        if place is not None:
            found[place] = replace(found[place], ended_ns=record.time_ns)


def _refused(body: Mapping[str, Any]) -> bool:
    risk = body.get("risk")
    return isinstance(risk, Mapping) and risk.get("allowed") is False


def _cells(one: Incident) -> dict[str, Cell]:
    lasted = None if one.ended_ns is None else (one.ended_ns - one.began_ns) / NS_PER_SECOND
    return {
        "incident_id": one.incident_id,
        "kind": one.kind.value,
        "severity": one.kind.severity.value,
        "began_utc": one.began_ns,
        "ended_utc": one.ended_ns,
        "lasted_seconds": lasted,
        "log": one.log,
        "log_record": one.seq,
        "about": one.about,
        "what": one.what,
        "operator": one.operator,
        **{severity.value: int(one.kind.severity is severity) for severity in Severity},
        "open": int(one.ended_ns is None),
    }
