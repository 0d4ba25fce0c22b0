"""Time as a parameter: UTC nanoseconds inside, RFC 3339 outside."""

from __future__ import annotations

import time
from typing import Protocol

NS_PER_SECOND = 1_000_000_000


class Clock(Protocol):
    """Anything that tells the time."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since the Unix epoch."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now_ns(self) -> int:
        return time.time_ns()


def rfc3339(time_ns: int) -> str:
    """Return RFC 3339 UTC text with nanoseconds, such as `2026-01-02T03:04:05.000000006Z`.

    Raises:
        ValueError: The year has not four digits.

    Example:
        >>> rfc3339(6)
        '1970-01-01T00:00:00.000000006Z'
    """
    seconds, fraction = divmod(time_ns, NS_PER_SECOND)
    if not _FIRST_S <= seconds <= _LAST_S:
        raise ValueError(f"{time_ns} ns is no time of the years 1 to 9999")
    at = time.gmtime(seconds)
    return (
        f"{at.tm_year:04d}-{at.tm_mon:02d}-{at.tm_mday:02d}"
        f"T{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}.{fraction:09d}Z"
    )


def parse_rfc3339(text: str) -> int:
    """Return UTC nanoseconds of RFC 3339 text that ends in `Z`; raises ValueError otherwise.

    Example:
        >>> parse_rfc3339("1970-01-01T00:00:01Z")
        1000000000
    """
    # no regular expression and no datetime: this runs at every start
    digits = text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]
    fraction = "" if text[19:] == "Z" else text[20:-1]
    if not (
        len(digits) == 14
        and text[4] == text[7] == "-"
        and text[10] == "T"
        and text[13] == text[16] == ":"
        and (text[19:] == "Z" or (0 < len(fraction) < 10 and text[19] == "." and text[-1] == "Z"))
        and text.isascii()
        and (digits + fraction).isdecimal()
    ):
        raise ValueError(f"not RFC 3339 in UTC: {text!r}")
    date, clock = divmod(int(digits), 1_000_000)
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (
        year
        and 1 <= month <= 12
        and 1 <= day <= _DAYS[month] - (month == 2 and not leap)
        and hour < 24
        and minute < 60
        and second < 60
    ):
        raise ValueError(f"RFC 3339 knows no such time: {text!r}")
    # days since 0000-03-01 in years that begin in March, so that a leap day is their last
    past, shifted = year - (month < 3), (month + 9) % 12
    days = past * 365 + past // 4 - past // 100 + past // 400 + (153 * shifted + 2) // 5 + day
    seconds = (days - _EPOCH_DAYS) * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds * NS_PER_SECOND + (int(fraction.ljust(9, "0")) if fraction else 0)


_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH_DAYS = 719_469
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
