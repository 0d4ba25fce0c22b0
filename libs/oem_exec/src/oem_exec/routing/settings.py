"""How the router behaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from oem_exec.backoff import Backoff
from oem_exec.breaker import BreakerSettings


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """How the router behaves.

    Attributes:
        request_timeout_s: Longest time for one request to a venue.
        resolve_patience_s: How long `submit`, `cancel` and `amend` wait for an unknown outcome
            to be resolved before they return the order as it is; resolution goes on behind them.
        start_patience_s: How long `start` waits for open intents to be resolved.
        max_attempts: Orders one intent may become at most, over fallbacks and repetitions.
        poll_interval_s: Open orders are refreshed this often; 0 leaves it to calls of `poll`.
        refuse_while_unresolved: Refuse new orders as long as any outcome is unknown.
        backoff: Waits between repetitions.
        breaker: When a venue is left alone.
    """

    request_timeout_s: float = 10.0
    resolve_patience_s: float = 5.0
    start_patience_s: float = 30.0
    max_attempts: int = 4
    poll_interval_s: float = 0.0
    refuse_while_unresolved: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
