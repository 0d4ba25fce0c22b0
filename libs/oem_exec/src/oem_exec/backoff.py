"""How long to wait before asking again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter (Brooker, AWS Architecture Blog, 2015).

    Attributes:
        first_s: Upper bound of the first wait, seconds, > 0.
        factor: Growth of the bound from wait to wait, >= 1.
        longest_s: Largest bound, seconds.
    """

    first_s: float = 0.2
    factor: float = 2.0
    longest_s: float = 15.0

    def wait_s(self, attempt: int, rng: Random) -> float:
        """Return the wait before attempt `attempt` (0 is the first repetition), seconds.

        Half of the bound is kept, so that a venue is never asked again at once.
        """
        bound = min(self.longest_s, self.first_s * self.factor ** min(attempt, 60))
        return bound * (0.5 + 0.5 * rng.random())
