"""Trading hours: past midnight, by weekday, closed dates, and the room to the next bell."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco.decision.policy import ComplianceRules
from oem_tco.decision.rules import hours_room, is_open

HOUR_NS = 3_600 * 10**9


def at(text: str, extra_ns: int = 0) -> int:
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 10**9 + extra_ns


def rules(**fields: Any) -> ComplianceRules:
    return ComplianceRules.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "moment", "open_"),
    [
        ({}, "2026-01-01T03:00", True),
        ({"hours_utc": (8, 20)}, "2026-01-01T08:00", True),
        ({"hours_utc": (8, 20)}, "2026-01-01T20:00", False),
        ({"hours_utc": (0, 24)}, "2026-01-01T23:59:59", True),
        ({"hours_utc": (22, 6)}, "2026-01-01T23:00", True),
        ({"hours_utc": (22, 6)}, "2026-01-01T05:59:59", True),
        ({"hours_utc": (22, 6)}, "2026-01-01T06:00", False),
        ({"weekdays": (1, 2, 3, 4, 5)}, "2026-01-02T12:00", True),  # a Friday
        ({"weekdays": (1, 2, 3, 4, 5)}, "2026-01-03T00:00", False),
        # Friday's night session goes on into Saturday, Sunday's does not exist
        ({"weekdays": (1, 2, 3, 4, 5), "hours_utc": (22, 6)}, "2026-01-03T05:00", True),
        ({"weekdays": (1, 2, 3, 4, 5), "hours_utc": (22, 6)}, "2026-01-05T05:00", False),
        ({"closed_dates": ["2026-01-01"]}, "2026-01-01T12:00", False),
        ({"closed_dates": ["2026-01-01"]}, "2026-01-02T00:00", True),
    ],
)
def test_trading_is_open_when_the_rules_say(
    fields: dict[str, Any], moment: str, open_: bool
) -> None:
    assert is_open(rules(**fields), at(moment)) is open_


def test_the_last_nanosecond_is_open_and_the_next_is_closed() -> None:
    day = rules(hours_utc=(8, 20))
    assert is_open(day, at("2026-01-01T20:00", -1))
    assert not is_open(day, at("2026-01-01T20:00"))
    assert hours_room(day, at("2026-01-01T20:00", -1)) == 1 / HOUR_NS


@pytest.mark.parametrize(
    ("fields", "moment", "room"),
    [
        ({"hours_utc": (8, 20)}, "2026-01-01T12:00", 8.0),
        ({"hours_utc": (8, 20)}, "2026-01-01T07:30", -0.5),
        ({"hours_utc": (8, 20)}, "2026-01-01T21:00", -11.0),
        ({"hours_utc": (22, 6)}, "2026-01-01T23:00", 7.0),
        ({"weekdays": (1, 2, 3, 4, 5)}, "2026-01-01T12:00", 36.0),  # to Friday midnight
        ({"weekdays": (1,)}, "2026-01-06T00:00", -144.0),
        ({"closed_dates": ["2026-01-10"]}, "2026-01-09T12:00", 12.0),
        ({"closed_dates": ["2030-01-01"]}, "2026-01-01T00:00", 192.0),
    ],
)
def test_the_room_is_the_time_to_closing_or_to_opening(
    fields: dict[str, Any], moment: str, room: float
) -> None:
    assert hours_room(rules(**fields), at(moment)) == pytest.approx(room)


@given(
    st.integers(0, 23),
    st.integers(0, 24),
    st.sets(st.integers(1, 7)),
    st.integers(0, 20 * 365 * 24 * 3_600 * 10**9),
)
def test_prop_the_room_has_the_sign_of_being_open(
    start: int, end: int, days: set[int], time_ns: int
) -> None:
    if start == end:
        return
    held = rules(hours_utc=(start, end), weekdays=tuple(days))
    room = hours_room(held, time_ns)
    assert (room > 0) is is_open(held, time_ns)
    if abs(room) < 191:
        # at the bell it changes
        bell = time_ns + round(abs(room) * HOUR_NS)
        assert is_open(held, bell + 10**6) is not is_open(held, time_ns)
