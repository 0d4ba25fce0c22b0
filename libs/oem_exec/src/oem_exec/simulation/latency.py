"""How long a simulated venue takes to answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol


class LatencyModel(Protocol):
    """A distribution of answer times."""

    def draw(self, rng: Random) -> float:
        """Return one answer time in seconds, >= 0."""
        ...


@dataclass(frozen=True, slots=True)
class FixedLatency:
    """Always the same answer time.

    Attributes:
        seconds: Answer time, >= 0.
    """

    seconds: float = 0.0

    def draw(self, rng: Random) -> float:  # noqa: ARG002 - the protocol's signature
        return self.seconds


@dataclass(frozen=True, slots=True)
class LogNormalLatency:
    """Answer times with the long right tail that networks have.

    Attributes:
        median_s: Median answer time, seconds, > 0.
        sigma: Standard deviation of the logarithm, >= 0.
    """

    median_s: float
    sigma: float = 0.5

    def draw(self, rng: Random) -> float:
        return math.exp(rng.gauss(math.log(self.median_s), self.sigma))
