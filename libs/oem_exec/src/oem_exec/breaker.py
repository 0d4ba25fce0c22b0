"""A circuit breaker: stop asking a venue that does not answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BreakerState(enum.StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """One request may try; its outcome decides."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker opens.

    Attributes:
        failures: Consecutive failures that open it, >= 1.
        open_s: How long it stays open before one trial, seconds.
    """

    failures: int = 5
    open_s: float = 15.0


class CircuitBreaker:
    """Counts consecutive failures of one venue.

    Only failures of the venue count (unknown outcomes, unreachable); refusals are answers.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._opened_ns: int | None = None
        self._trial_ns: int | None = None

    def state(self, now_ns: int) -> BreakerState:
        """Return what the breaker lets through now."""
        if self._opened_ns is None:
            return BreakerState.CLOSED
        if now_ns - self._opened_ns < self._settings.open_s * 1e9:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def allow(self, now_ns: int) -> bool:
        """Return whether a new order may go; in half-open state one trial at a time may."""
        state = self.state(now_ns)
        if state is not BreakerState.HALF_OPEN:
            return state is BreakerState.CLOSED
        if self._trial_ns is not None and now_ns - self._trial_ns < self._settings.open_s * 1e9:
            return False
        self._trial_ns = now_ns
        return True

    def succeeded(self) -> None:
        """Note an answer of the venue, whatever it said."""
        self._failures = 0
        self._opened_ns = self._trial_ns = None

    def failed(self, now_ns: int) -> None:
        """Note that the venue did not answer."""
        self._failures += 1
        if self._failures >= self._settings.failures:
            self._opened_ns = now_ns
            self._trial_ns = None
