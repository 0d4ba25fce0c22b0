"""Time as a parameter: UTC nanoseconds inside, RFC 3339 outside."""

from __future__ import annotations

import datetime as dt
import re
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

    Example:
        >>> rfc3339(6)
        '1970-01-01T00:00:00.000000006Z'
    """
    seconds, fraction = divmod(time_ns, NS_PER_SECOND)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Return UTC nanoseconds of RFC 3339 text that ends in `Z`; raises ValueError otherwise.

    Example:
        >>> parse_rfc3339("1970-01-01T00:00:01Z")
        1000000000
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not RFC 3339 in UTC: {text!r}")
    since = dt.datetime.fromisoformat(text[:19]) - _EPOCH
    fraction = found[1]
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    return (since.days * 86_400 + since.seconds) * NS_PER_SECOND + nanoseconds


_EPOCH = dt.datetime.fromisoformat("1970-01-01T00:00:00")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.(\d{1,9}))?Z", re.ASCII)
