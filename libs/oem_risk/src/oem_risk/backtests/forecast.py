"""Forecasts of a whole distribution, as the tests of expected shortfall need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oem_risk.distributions import student_density, student_quantile
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share
from oem_risk.measures.tail import normal_tail, tail_weights

Floats = NDArray[np.float64]


class Forecast(Protocol):
    """The distribution of each day's gain, forecast the day before."""

    @property
    def days(self) -> int:
        """Number of days."""
        ...

    def quantile(self, probability: Floats) -> Floats:
        """Return gains at probabilities of shape (..., days)."""
        ...

    def probability(self, gains: Floats) -> Floats:
        """Return the probability of a gain of at most `gains`, shape (days,)."""
        ...

    def var(self, level: float) -> Floats:
        """Return value at risk of each day, positive is a loss."""
        ...

    def es(self, level: float) -> Floats:
        """Return expected shortfall of each day, positive is a loss."""
        ...


@dataclass(frozen=True, slots=True)
class NormalForecast:
    """Normal gains.

    Attributes:
        mean: (days,) expected gains.
        deviation: (days,) standard deviations, above 0.
    """

    mean: Floats
    deviation: Floats

    def __post_init__(self) -> None:
        _require_scale(self.mean, self.deviation)

    @property
    def days(self) -> int:
        return self.mean.size

    def quantile(self, probability: Floats) -> Floats:
        from scipy.special import ndtri

        return np.asarray(self.mean + self.deviation * ndtri(probability))

    def probability(self, gains: Floats) -> Floats:
        from scipy.special import ndtr

        return np.asarray(ndtr((gains - self.mean) / self.deviation))

    def var(self, level: float) -> Floats:
        return normal_tail(level).var * self.deviation - self.mean

    def es(self, level: float) -> Floats:
        return normal_tail(level).es * self.deviation - self.mean


@dataclass(frozen=True, slots=True)
class StudentForecast:
    """Student's t gains, shifted and scaled.

    Attributes:
        mean: (days,) location.
        scale: (days,) scale, above 0; the deviation is `scale sqrt(nu / (nu - 2))`.
        degrees: Degrees of freedom nu, above 1, so that expected shortfall exists.
    """

    mean: Floats
    scale: Floats
    degrees: float

    def __post_init__(self) -> None:
        _require_scale(self.mean, self.scale)
        if not self.degrees > 1:
            raise DataProblem(
                f"degrees is {self.degrees}", where="degrees", remedy="give a number above 1"
            )

    @property
    def days(self) -> int:
        return self.mean.size

    def quantile(self, probability: Floats) -> Floats:
        from scipy.special import stdtrit

        return np.asarray(self.mean + self.scale * stdtrit(self.degrees, probability))

    def probability(self, gains: Floats) -> Floats:
        from scipy.special import stdtr

        return np.asarray(stdtr(self.degrees, (gains - self.mean) / self.scale))

    def var(self, level: float) -> Floats:
        return -self.quantile(np.full(self.days, 1 - share(level, "level")))

    def es(self, level: float) -> Floats:
        q, nu = student_quantile(level, self.degrees), self.degrees
        # McNeil, Frey, Embrechts 2015, example 2.15
        each = student_density(q, nu) / (1 - level) * (nu + q * q) / (nu - 1)
        return each * self.scale - self.mean


@dataclass(frozen=True, slots=True)
class EmpiricalForecast:
    """The same number of equally likely scenarios for each day, as historical simulation has.

    Attributes:
        scenarios: (days, scenarios) gains; sorted when made.
    """

    scenarios: Floats

    def __post_init__(self) -> None:
        table = np.asarray(self.scenarios, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
            raise DataProblem(
                f"scenarios of shape {table.shape}",
                where="scenarios",
                remedy="give at least two finite scenarios for each day",
            )
        object.__setattr__(self, "scenarios", np.sort(table, axis=1))

    @property
    def days(self) -> int:
        return int(self.scenarios.shape[0])

    def quantile(self, probability: Floats) -> Floats:
        count = self.scenarios.shape[1]
        rank = np.clip((probability * count).astype(np.int64), 0, count - 1)
        return np.asarray(self.scenarios[np.arange(self.days), rank])

    def probability(self, gains: Floats) -> Floats:
        return np.asarray((self.scenarios <= gains[:, None]).mean(axis=1))

    def var(self, level: float) -> Floats:
        rank = int(np.floor(round(self.scenarios.shape[1] * (1 - share(level, "level")), 9)))
        return -self.scenarios[:, rank]

    def es(self, level: float) -> Floats:
        return np.asarray(-self.scenarios @ tail_weights(self.scenarios.shape[1], level))


def _require_scale(mean: Floats, scale: Floats) -> None:
    if mean.ndim != 1 or mean.shape != scale.shape or mean.size == 0:
        raise DataProblem(
            f"mean of shape {mean.shape} and scale of shape {scale.shape}",
            where="scale",
            remedy="give one of each for every day",
        )
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise DataProblem(
            "a mean or scale is not finite, or a scale not above 0",
            where="scale",
            remedy="forecast every day",
        )
