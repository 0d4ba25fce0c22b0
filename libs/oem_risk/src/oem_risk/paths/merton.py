"""Jump diffusion: a price that moves smoothly and, now and then, jumps.

Source: Merton, "Option pricing when underlying stock returns are discontinuous", J. Financial
Economics 3 (1976); the parameters by total volatility as in Haug, "The Complete Guide to Option
Pricing Formulas" (2007), 6.9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Self

import numpy as np

from oem_risk.errors import LabProblem
from oem_risk.paths.blocks import Floats
from oem_risk.paths.gbm import require_finite


@dataclass(frozen=True, slots=True)
class MertonModel:
    """Brownian motion with normal jumps of the log price at the times of a Poisson process.

    Attributes:
        drift: Expected growth rate of the price per unit of time; jumps are compensated.
        volatility: Sigma of the smooth part, at least 0.
        intensity: Jumps per unit of time, at least 0.
        jump_mean: Mean of a jump of the log price.
        jump_deviation: Its standard deviation, at least 0.
        dt: Length of a step, above 0.
    """

    stepwise: ClassVar[bool] = False

    drift: float
    volatility: float
    intensity: float
    jump_mean: float
    jump_deviation: float
    dt: float = 1.0

    def __post_init__(self) -> None:
        require_finite(
            drift=self.drift, volatility=self.volatility, intensity=self.intensity,
            jump_mean=self.jump_mean, jump_deviation=self.jump_deviation, dt=self.dt,
        )  # fmt: skip
        if min(self.volatility, self.intensity, self.jump_deviation) < 0 or self.dt <= 0:
            raise LabProblem(
                "a volatility, intensity or step is out of range",
                where="MertonModel",
                remedy="give numbers of at least 0 and a step above 0",
            )

    @classmethod
    def from_total_volatility(
        cls, drift: float, total: float, jump_share: float, intensity: float, dt: float = 1.0
    ) -> Self:
        """Return the model whose jumps, of mean 0, carry a share of the total variance.

        Args:
            drift: Expected growth rate.
            total: Volatility of the whole.
            jump_share: Gamma, share of the variance that comes from jumps, in [0, 1].
            intensity: Lambda, jumps per unit of time, above 0.
            dt: Length of a step.
        """
        if not 0 <= jump_share <= 1 or intensity <= 0:
            raise LabProblem(
                f"jump_share {jump_share}, intensity {intensity}",
                where="jump_share",
                remedy="give a share between 0 and 1 and an intensity above 0",
            )
        deviation = math.sqrt(jump_share * total**2 / intensity)
        smooth = math.sqrt(max(total**2 - intensity * deviation**2, 0.0))
        # the published tables price with jumps whose expected factor is 1
        return cls(drift, smooth, intensity, -(deviation**2) / 2, deviation, dt)

    @property
    def compensator(self) -> float:
        """Expected relative jump, `exp(m + d^2 / 2) - 1`."""
        return math.expm1(self.jump_mean + self.jump_deviation**2 / 2)

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        count = rng.poisson(self.intensity * self.dt, (paths, steps))
        moves = rng.standard_normal((paths, steps))
        # the sum of n normal jumps is normal: one draw serves smooth part and jumps
        variance = self.volatility**2 * self.dt + count * self.jump_deviation**2
        moves *= np.sqrt(variance)
        smooth = self.drift - self.intensity * self.compensator - self.volatility**2 / 2
        moves += smooth * self.dt + count * self.jump_mean
        return moves

    def call(self, price: float, strike: float, horizon: float) -> float:
        """Return the value of a European call at the rate `drift`, Merton's series.

        Args:
            price: Of the underlying, above 0; so are strike and horizon.
            strike: Of the option.
            horizon: Time to expiry.

        Example:
            >>> model = MertonModel.from_total_volatility(0.08, 0.25, 0.25, 1.0)
            >>> round(model.call(100, 80, 0.1), 2), round(model.call(100, 100, 0.5), 2)
            (20.67, 8.95)
        """
        for name, value in (("price", price), ("strike", strike), ("horizon", horizon)):
            if not math.isfinite(value) or value <= 0:
                raise LabProblem(f"{name} is {value}", where=name, remedy="give a number above 0")
        rate = self.intensity * (1 + self.compensator) * horizon
        total, weight, seen, n = 0.0, math.exp(-rate), 0.0, 0
        growth = math.log1p(self.compensator)
        while n < 10_000:
            variance = self.volatility**2 + n * self.jump_deviation**2 / horizon
            drift = self.drift - self.intensity * self.compensator + n * growth / horizon
            total += weight * _black_scholes(price, strike, horizon, drift, math.sqrt(variance))
            seen += weight
            if 1 - seen < 1e-15 and n > rate:
                break
            n += 1
            weight *= rate / n
        return total


def _black_scholes(
    price: float, strike: float, horizon: float, rate: float, volatility: float
) -> float:
    spread = volatility * math.sqrt(horizon)
    discounted = strike * math.exp(-rate * horizon)
    if spread == 0:
        return max(price - discounted, 0.0)
    upper = math.log(price / discounted) / spread + spread / 2
    normal = NormalDist()
    return price * normal.cdf(upper) - discounted * normal.cdf(upper - spread)
