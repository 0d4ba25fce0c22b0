"""Who may trade what, and when: each rule of a policy asked of one candidate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from oem_tco.decision.facts import Candidate, CandidateKind, ComplianceFacts
from oem_tco.decision.policy import ComplianceRules

_HOUR_NS = 3_600 * 1_000_000_000
_DAY_NS = 24 * _HOUR_NS
_EPOCH = dt.date(1970, 1, 1)
_LOOK_AHEAD_DAYS = 8


def compliance_reasons(
    rules: ComplianceRules, facts: ComplianceFacts, made: Candidate
) -> Iterator[str]:
    """Yield the name of every rule that a candidate breaks: words of `Reason`."""
    needed = rules.required_features.get(facts.mode)
    granted = needed is not None and facts.licence_features.issuperset(needed)
    days = facts.licence_days_left
    ending = days is not None and not days >= rules.min_licence_days
    if not facts.licence_valid or not granted or ending:
        yield "licence"
    if rules.require_kyc and not facts.kyc_ok:
        yield "kyc"
    if rules.require_aml and not facts.aml_ok:
        yield "aml"
    if rules.exits_pass and made.kind is CandidateKind.EXIT:
        return
    if made.symbol in rules.forbidden_symbols or (
        rules.allowed_symbols and made.symbol not in rules.allowed_symbols
    ):
        yield "symbol"
    if not is_open(rules, made.decision_time_ns):
        yield "hours"


def compliance_room(
    rules: ComplianceRules, facts: ComplianceFacts, made: Candidate, margins: dict[str, float]
) -> None:
    """Add the room to each rule that is a number: `hours` to closing and `licence` in days."""
    if _timed(rules):
        margins["hours"] = hours_room(rules, made.decision_time_ns)
    if facts.licence_days_left is not None:
        margins["licence"] = facts.licence_days_left - rules.min_licence_days


def is_open(rules: ComplianceRules, time_ns: int) -> bool:
    """Return whether trading is open at a time.

    Example:
        >>> night = ComplianceRules(hours_utc=(22, 6), weekdays=(1, 2, 3, 4, 5))
        >>> saturday_1am = 2 * 24 * _HOUR_NS + _HOUR_NS  # 1970-01-03, of Friday's session
        >>> is_open(night, saturday_1am), is_open(night, saturday_1am + 21 * _HOUR_NS)
        (True, False)
    """
    return not _timed(rules) or _open_until(rules, time_ns) is not None


def hours_room(rules: ComplianceRules, time_ns: int) -> float:
    """Return hours until trading closes, or minus the hours until it opens.

    It looks eight days ahead: 192 hours is the most it can say in either direction.
    """
    most = _LOOK_AHEAD_DAYS * _DAY_NS
    until = _open_until(rules, time_ns)
    if until is not None:
        # a session that begins where another ends goes on
        while until - time_ns < most:
            further = _open_until(rules, until)
            if further is None:
                break
            until = further
        return min(until - time_ns, most) / _HOUR_NS
    day = time_ns // _DAY_NS
    for later in range(_LOOK_AHEAD_DAYS + 1):
        session = _session(rules, day + later)
        if session is not None and session[0] > time_ns:
            return max(time_ns - session[0], -most) / _HOUR_NS
    return -most / _HOUR_NS


def _timed(rules: ComplianceRules) -> bool:
    return rules.hours_utc is not None or bool(rules.weekdays) or bool(rules.closed_dates)


def _open_until(rules: ComplianceRules, time_ns: int) -> int | None:
    """Return the end of the session a time is in, UTC nanoseconds; None when closed."""
    day = time_ns // _DAY_NS
    for began in (day, day - 1):
        session = _session(rules, began)
        if session is not None and session[0] <= time_ns < session[1]:
            return session[1]
    return None


def _session(rules: ComplianceRules, day: int) -> tuple[int, int] | None:
    """Return begin and end of the session that begins on a day since 1970, UTC nanoseconds."""
    date = _EPOCH + dt.timedelta(days=day)
    if rules.weekdays and date.isoweekday() not in rules.weekdays:
        return None
    if date in rules.closed_dates:
        return None
    start, end = rules.hours_utc or (0, 24)
    midnight = day * _DAY_NS
    return midnight + start * _HOUR_NS, midnight + (end if end > start else end + 24) * _HOUR_NS
