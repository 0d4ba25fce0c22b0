"""Geometric Brownian motion, simulated without discretisation error.

`dS = mu S dt + sigma S dW`, so a step of dt has the log return
`(mu - sigma^2 / 2) dt + sigma sqrt(dt) Z`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from oem_risk.errors import LabProblem
from oem_risk.paths.blocks import Floats
from oem_risk.paths.running import STEPS_AT_A_TIME, RunningPaths, step_order

_MOST_SHIFT = 1e6
"""Drift of a step in its spreads beyond which spreads are no good unit; 0 spread is none."""


@dataclass(frozen=True, slots=True)
class GbmModel:
    """Geometric Brownian motion.

    Attributes:
        drift: Mu per unit of time.
        volatility: Sigma per square root of the unit, at least 0.
        dt: Length of a step, above 0.
        antithetic: Whether each second path mirrors the one before. Means of functions that rise
            or fall with the price then vary less; paths of a pair are not independent, so
            intervals must be made from the means of pairs.
    """

    stepwise: ClassVar[bool] = False

    drift: float
    volatility: float
    dt: float
    antithetic: bool = False

    def __post_init__(self) -> None:
        require_finite(drift=self.drift, volatility=self.volatility, dt=self.dt)
        if self.volatility < 0 or self.dt <= 0:
            raise LabProblem(
                f"volatility {self.volatility}, dt {self.dt}",
                where="GbmModel",
                remedy="give a volatility of at least 0 and a step above 0",
            )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        moves = np.empty((paths, steps))
        for first, table in self._shocks(rng, paths, steps):
            moves[:, first + step_order(len(table))] = table.T
        moves *= self._spread
        moves += self._centre
        return moves

    def reduced(
        self, rng: np.random.Generator, paths: int, steps: int
    ) -> tuple[Floats, Floats, Floats] | None:
        """Return what `reduce_log_returns` makes of `log_returns`, but for rounding."""
        # followed in units of a step's spread, which saves a look at each number
        if self._spread * _MOST_SHIFT <= abs(self._centre):
            return None
        shift = self._centre / self._spread
        running = RunningPaths(paths)
        for _, table in self._shocks(rng, paths, steps):
            running.follow(table, shift)
        return running.prices(self._spread)

    @property
    def _spread(self) -> float:
        return self.volatility * math.sqrt(self.dt)

    @property
    def _centre(self) -> float:
        return (self.drift - self.volatility**2 / 2) * self.dt

    def _shocks(
        self, rng: np.random.Generator, paths: int, steps: int
    ) -> Iterator[tuple[int, Floats]]:
        """Yield the first of some steps and their normal shocks (steps, paths) in `step_order`.

        All are the same buffer, which stays in a cache.
        """
        buffer = np.empty((min(steps, STEPS_AT_A_TIME), paths))
        for first in range(0, steps, STEPS_AT_A_TIME):
            table = buffer[: steps - first]
            if self.antithetic:
                half = rng.standard_normal((len(table), (paths + 1) // 2))
                table[:, ::2] = half
                np.negative(half[:, : paths // 2], out=table[:, 1::2])
            else:
                rng.standard_normal(out=table)
            yield first, table

    def mean(self, horizon: float) -> float:
        """Return the expected price over the first, `exp(mu T)`: the control variate."""
        return math.exp(self.drift * horizon)

    def variance(self, horizon: float) -> float:
        """Return the variance of the price over the first.

        Example:
            >>> model = GbmModel(0.1, 0.5, 1.0)
            >>> round(100 * model.mean(1), 6), round(100**2 * model.variance(1), 3)
            (110.517092, 3469.094)
        """
        return math.exp(2 * self.drift * horizon) * math.expm1(self.volatility**2 * horizon)


def controlled_mean(values: Floats, control: Floats, expected: float) -> tuple[float, float]:
    """Return the mean of a simulated quantity, its error reduced by a control variate.

    Args:
        values: (n,) simulated quantity.
        control: (n,) another quantity of the same paths.
        expected: The control's mean, known exactly.

    Returns:
        Mean and its standard error (Glasserman 2003, 4.1).
    """
    if values.shape != control.shape or values.size < 3:
        raise LabProblem(
            f"{values.size} values and {control.size} controls",
            where="control",
            remedy="give one control for each value, at least three",
        )
    if not (np.isfinite(values).all() and np.isfinite(control).all() and math.isfinite(expected)):
        raise LabProblem(
            "a value, a control or the control's mean is not finite",
            where="values, control, expected",
            remedy="check the model: a path went out of range",
        )
    spread = float(control.var(ddof=1))
    slope = float(np.cov(values, control)[0, 1]) / spread if spread else 0.0
    adjusted = values - slope * (control - expected)
    return float(adjusted.mean()), float(adjusted.std(ddof=2)) / math.sqrt(values.size)


def require_finite(**numbers: float) -> None:
    """Refuse parameters that are not finite.

    Raises:
        LabProblem: One is not; it is named.
    """
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise LabProblem(f"{name} is {value}", where=name, remedy="give a finite number")
