"""The supervisor's traffic light for value at risk.

Source: Basel Committee, "Supervisory framework for the use of backtesting in conjunction with the
internal models approach to market risk capital requirements" (1996).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from oem_risk.backtests.result import require_counts
from oem_risk.distributions import binomial_probability, normal_quantile
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share

YELLOW_FROM, RED_FROM = 0.95, 0.9999
"""Cumulative probability at which a zone begins."""
_ADD_ON = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}


class Zone(enum.StrEnum):
    """How the model looks."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """Where a number of exceptions falls.

    Attributes:
        exceptions: Seen.
        observations: Forecasts.
        cumulative: Probability of at most that many if the model is right.
        zone: Green, yellow or red.
        method: Exact, or simulated.
    """

    exceptions: int
    observations: int
    cumulative: float
    zone: Zone
    method: str

    @property
    def multiplier_add_on(self) -> float | None:
        """The 1996 increase of the capital multiplier; None unless 250 observations are tested."""
        if self.observations != 250:
            return None
        return {Zone.GREEN: 0.0, Zone.RED: 1.0}.get(self.zone, _ADD_ON.get(self.exceptions))


def traffic_light(exceptions: int, observations: int = 250, level: float = 0.99) -> TrafficLight:
    """Return the zone by the binomial distribution, exact for independent days.

    Example:
        >>> [traffic_light(n).zone.value for n in (4, 5, 9, 10)]
        ['green', 'yellow', 'yellow', 'red']
    """
    require_counts(exceptions, observations)
    tail = 1 - share(level, "level")
    cumulative = binomial_probability(exceptions, observations, tail)
    return TrafficLight(exceptions, observations, cumulative, _zone(cumulative), "exact, binomial")


def traffic_light_overlapping(
    exceptions: int,
    observations: int = 250,
    level: float = 0.99,
    *,
    horizon: int,
    simulations: int = 20_000,
    seed: int = 0,
) -> TrafficLight:
    """Return the zone for overlapping horizons, whose exceptions come in clusters.

    The number of exceptions among overlapping sums of `horizon` independent normal days is
    simulated; the binomial distribution would see a red light far too often.

    Args:
        exceptions: Exceptions among the overlapping forecasts.
        observations: Overlapping forecasts, one a day.
        level: Of value at risk.
        horizon: Days of each forecast, at least 1.
        simulations: Histories simulated.
        seed: Of the simulation; the same seed gives the same answer.
    """
    require_counts(exceptions, observations)
    if horizon < 1 or simulations < 100:
        raise DataProblem(
            f"horizon {horizon}, simulations {simulations}",
            where="horizon",
            remedy="give at least 1 day and 100 simulations",
        )
    limit = normal_quantile(1 - share(level, "level")) * np.sqrt(horizon)
    rng = np.random.default_rng(seed)
    at_most = done = 0
    while done < simulations:
        rows = min(1_000, simulations - done)
        days = rng.standard_normal((rows, observations + horizon - 1))
        sums = np.cumsum(np.concatenate([np.zeros((rows, 1)), days], axis=1), axis=1)
        moved = sums[:, horizon:] - sums[:, :-horizon]
        at_most += int(((moved < limit).sum(axis=1) <= exceptions).sum())
        done += rows
    cumulative = at_most / simulations
    return TrafficLight(
        exceptions, observations, cumulative, _zone(cumulative),
        f"simulated, {simulations} histories",
    )  # fmt: skip


def zone_bounds(observations: int = 250, level: float = 0.99) -> tuple[int, int]:
    """Return the first number of exceptions of the yellow and of the red zone.

    Example:
        >>> zone_bounds(250, 0.99)
        (5, 10)
    """
    zones = [traffic_light(n, observations, level).zone for n in range(observations + 1)]
    yellow = next((n for n, z in enumerate(zones) if z is not Zone.GREEN), observations + 1)
    return yellow, next((n for n, z in enumerate(zones) if z is Zone.RED), observations + 1)


def _zone(cumulative: float) -> Zone:
    if cumulative < YELLOW_FROM:
        return Zone.GREEN
    return Zone.YELLOW if cumulative < RED_FROM else Zone.RED
