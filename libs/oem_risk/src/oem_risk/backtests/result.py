"""What a test says, and how its p-value was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.errors import DataProblem

Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of a forecast.

    Attributes:
        name: The test.
        statistic: Its value.
        p_value: Probability of a statistic at least this extreme if the forecasts are right.
        method: How the p-value was found: exact, asymptotic, or simulated.
        observations: Forecasts tested.
        exceptions: Forecasts that were exceeded.
    """

    __test__ = False  # it is no test of pytest's

    name: str
    statistic: float
    p_value: float
    method: str
    observations: int
    exceptions: int

    def rejects(self, significance: float = 0.05) -> bool:
        """Return whether the forecasts are rejected."""
        return self.p_value < significance


def exceptions_of(returns: ArrayLike, var: ArrayLike) -> Hits:
    """Return where the loss exceeded its forecast.

    Args:
        returns: (n,) gains positive.
        var: (n,) forecasts made before, positive is a loss.

    Raises:
        DataProblem: Unequal lengths, nothing to test, or numbers that are not finite.
    """
    gains, forecast = np.asarray(returns, float), np.asarray(var, float)
    if gains.ndim != 1 or gains.shape != forecast.shape or gains.size == 0:
        raise DataProblem(
            f"returns of shape {gains.shape} and forecasts of shape {forecast.shape}",
            where="var",
            remedy="give one forecast for each return",
        )
    for name, column in (("returns", gains), ("var", forecast)):
        if not np.isfinite(column).all():
            row = int(np.argmax(~np.isfinite(column)))
            raise DataProblem(
                f"{name} is {column[row]}",
                where=f"{name}, row {row}",
                remedy="test only days that have a return and a forecast",
            )
    return np.asarray(-gains > forecast)


def require_counts(exceptions: int, observations: int) -> None:
    """Refuse counts that cannot be.

    Raises:
        DataProblem: No observations, or more exceptions than observations.
    """
    if observations < 1 or not 0 <= exceptions <= observations:
        raise DataProblem(
            f"{exceptions} exceptions in {observations} observations",
            where="exceptions",
            remedy="count exceptions among at least one observation",
        )
