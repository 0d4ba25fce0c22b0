"""How long a simulated venue takes to answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol

from oem_exec.errors import BadSettings


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

    def __post_init__(self) -> None:
        _check("seconds", self.seconds, least=0.0)

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

    def __post_init__(self) -> None:
        _check("median_s", self.median_s, least=1e-9)
        _check("sigma", self.sigma, least=0.0)

    def draw(self, rng: Random) -> float:
        return math.exp(rng.gauss(math.log(self.median_s), self.sigma))


@dataclass(frozen=True, slots=True)
class EmpiricalLatency:
    """Answer times drawn from measured ones, such as the round trips of market intelligence.

    Attributes:
        samples_s: Measured answer times, seconds, at least one, each >= 0.
    """

    samples_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.samples_s:
            raise BadSettings("no answer time", where="latency", remedy="measure some first")
        for sample in self.samples_s:
            _check("samples_s", sample, least=0.0)

    def draw(self, rng: Random) -> float:
        return rng.choice(self.samples_s)


def _check(name: str, value: float, *, least: float) -> None:
    if not (math.isfinite(value) and value >= least):
        raise BadSettings(
            f"{name} is {value}", where="latency", remedy=f"give seconds of at least {least:g}"
        )
