"""What the server needs from a dialect: routes in, status and JSON out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, read."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    skew_s: float = 0.0
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    payload: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """One exchange's way of speaking about the simulated exchange."""

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        ...

    def counters(self) -> Mapping[str, object]:
        """Return what the rate limits counted."""
        ...
