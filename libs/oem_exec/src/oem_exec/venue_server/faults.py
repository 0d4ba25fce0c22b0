"""What goes wrong on purpose, request by request."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from random import Random

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(enum.StrEnum):
    """The ways an exchange, its edge or the network can misbehave."""

    DELAY = "delay"
    DROP_BEFORE = "drop_before"
    """The connection breaks before the venue acts."""
    DROP_AFTER = "drop_after"
    """The venue acts, then the connection breaks before its answer."""
    LOST_MIDWAY = "lost_midway"
    """The venue acts; half of its answer arrives."""
    DUPLICATE = "duplicate"
    """The request is delivered twice."""
    TOO_MANY_REQUESTS = "429"
    BANNED = "418"
    SERVER_ERROR_BEFORE = "503_before"
    SERVER_ERROR_AFTER = "503_after"
    EDGE_TIMEOUT = "524"
    """The venue acts; the edge answers 524 with HTML."""
    HTML = "html"
    """The venue acts; the edge answers 200 with HTML."""
    TRUNCATED = "truncated"
    """The venue acts; its JSON is cut, with a matching length."""
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is off for this request."""
    STALE_READ = "stale_read"
    """A question is answered from before the order's last changes."""


class FaultRule(BaseModel):
    """When a fault happens.

    Attributes:
        kind: What happens.
        share: Probability per matching request, 0 to 1.
        method: HTTP method it is for; empty matches all.
        path: Text the path must contain; empty matches all.
        body: Text the query or body must contain; empty matches all.
        seconds: Length of a delay, size of a clock skew, or Retry-After.
        after: Number of matching requests to let pass first.
        times: How often it may happen; None without end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    share: float = Field(default=1.0, ge=0.0, le=1.0)
    method: str = ""
    path: str = ""
    body: str = ""
    seconds: float = Field(default=0.5, ge=0.0)
    after: int = Field(default=0, ge=0)
    times: int | None = Field(default=None, ge=0)


class FaultPlan:
    """Rules in order; the first that strikes decides.

    Args:
        rules: When what happens.
        seed: Seed of the probabilities.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int = 0) -> None:
        self._rules = list(rules)
        self._seen = [0] * len(self._rules)
        self._struck = [0] * len(self._rules)
        self._rng = Random(seed)  # noqa: S311 - simulated faults
        self.counts: dict[str, int] = {}

    def draw(self, method: str, path: str, text: str) -> FaultRule | None:
        """Return the rule that strikes this request, None for none."""
        for index, rule in enumerate(self._rules):
            if rule.method not in {"", method} or rule.path not in path or rule.body not in text:
                continue
            self._seen[index] += 1
            exhausted = rule.times is not None and self._struck[index] >= rule.times
            if self._seen[index] <= rule.after or exhausted or self._rng.random() >= rule.share:
                continue
            self._struck[index] += 1
            self.counts[rule.kind.value] = self.counts.get(rule.kind.value, 0) + 1
            return rule
        return None
