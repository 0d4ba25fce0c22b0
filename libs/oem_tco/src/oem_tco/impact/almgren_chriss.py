"""Optimal execution with linear impact: cost, variance and trajectory of a schedule.

Source: Almgren, Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3 (2000).
Prices and costs are in quote currency, quantities in units of the asset, times in any one unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oem_tco.errors import ModelError

Floats = NDArray[np.float64]
_STRAIGHT = 1e-9  # below it the curves differ from their limits by less than a float can tell


@dataclass(frozen=True, slots=True)
class AlmgrenChriss:
    """The market's side of the model: linear permanent and temporary impact.

    Attributes:
        volatility: Standard deviation of the price over one unit of time, absolute (sigma).
        permanent: Price moved for good by one unit traded (gamma), at least 0.
        temporary: Price conceded per unit traded per unit of time (eta), above 0.
        fixed: Cost of one unit whatever the speed: half spread plus fees (epsilon), at least 0.
        drift: Expected change of the price over one unit of time (alpha).

    Raises:
        ModelError: A number is not finite or out of its range.

    Example:
        >>> market = AlmgrenChriss(0.95, 2.5e-7, 2.5e-6, 0.0625)
        >>> plan = market.optimal(1e6, horizon=5, intervals=5, risk_aversion=1e-6)
        >>> [round(x) for x in plan.holdings]
        [1000000, 541956, 289854, 147897, 62142, 0]
        >>> round(plan.expected_cost), round(plan.kappa, 5)
        (911227, 0.60708)
    """

    volatility: float
    permanent: float
    temporary: float
    fixed: float = 0.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        for name in ("volatility", "permanent", "temporary", "fixed"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise _bad(name, value, "give a finite number of at least 0")
        if self.temporary == 0:
            raise _bad("temporary", 0.0, "give eta above 0: without it any speed costs the same")
        if not math.isfinite(self.drift):
            raise _bad("drift", self.drift, "give a finite number")

    def cost(self, holdings: Iterable[float], horizon: float) -> tuple[float, float]:
        """Return expected cost and its variance for holdings at equally spaced times.

        Args:
            holdings: Units still held at t = 0, tau, …, horizon; negative is a short position.
                The first is the whole order, the last usually 0.
            horizon: Time from first to last, above 0.

        Returns:
            Expected shortfall against the price at t = 0 in quote currency, and its variance
            (equations 4 and 5 of the paper; drift by equation 21).
        """
        held = np.asarray(list(holdings), dtype=np.float64)
        if held.ndim != 1 or held.size < 2 or not np.isfinite(held).all():
            raise _bad("holdings", held.size, "give at least two finite numbers")
        _positive("horizon", horizon)
        tau = horizon / (held.size - 1)
        traded = held[:-1] - held[1:]
        # selling in pieces moves the price for the rest: sum of tau x_k g(n_k / tau)
        permanent = self.permanent * float(np.dot(held[1:], traded))
        temporary = self.fixed * float(np.abs(traded).sum()) + self.temporary / tau * float(
            np.dot(traded, traded)
        )
        expected = permanent + temporary - self.drift * tau * float(held[1:].sum())
        variance = self.volatility**2 * tau * float(np.dot(held[1:], held[1:]))
        return expected, variance

    def optimal(
        self, quantity: float, *, horizon: float, intervals: int, risk_aversion: float
    ) -> ExecutionPlan:
        """Return the schedule with the least `expected cost + risk_aversion x variance`.

        Args:
            quantity: Units to sell (positive) or to buy (negative).
            horizon: Time available, above 0.
            intervals: Number of equal trading intervals, at least 1.
            risk_aversion: Lambda, per unit of quote currency, at least 0.

        Raises:
            ModelError: An argument is out of range, or the temporary impact is too small for the
                permanent one at this interval (eta - gamma tau / 2 is not above 0), where trading
                back and forth would pay.
        """
        _positive("horizon", horizon)
        if intervals < 1 or intervals != int(intervals):
            raise _bad("intervals", intervals, "give a whole number of at least one interval")
        if not math.isfinite(risk_aversion) or risk_aversion < 0:
            raise _bad("risk_aversion", risk_aversion, "give a finite number of at least 0")
        if not math.isfinite(quantity):
            raise _bad("quantity", quantity, "give a finite number")
        tau = horizon / intervals
        adjusted = self.temporary - self.permanent * tau / 2
        if adjusted <= 0:
            raise ModelError(
                "the permanent impact outweighs the temporary one: round trips would pay",
                where=f"eta {self.temporary}, gamma {self.permanent}, interval {tau}",
                remedy="use a shorter interval or calibrate the two again",
            )
        # kappa by the half angle: cosh(kappa tau) - 1 loses all digits of a small risk aversion
        speed = math.sqrt(risk_aversion) * self.volatility / math.sqrt(adjusted)
        kappa = 2 / tau * math.asinh(speed * tau / 2)
        if not math.isfinite(kappa * horizon):
            raise _bad("risk_aversion", risk_aversion, "use units in which the numbers are smaller")
        times = np.arange(intervals + 1, dtype=np.float64) * tau
        holdings = quantity * _decay(kappa, horizon, times)
        if self.drift:
            # equation 22: hold towards the static optimum alpha / (2 lambda sigma^2) while time
            # allows; in this form it has a limit where lambda or sigma is 0
            holdings = holdings + self.drift / adjusted * _lean(kappa, speed, horizon, times)
        holdings[0], holdings[-1] = quantity, 0.0
        expected, variance = self.cost(holdings, horizon)
        return ExecutionPlan(
            tuple(times.tolist()), tuple(holdings.tolist()), expected, variance, kappa
        )

    def frontier(
        self, quantity: float, *, horizon: float, intervals: int, risk_aversions: Iterable[float]
    ) -> tuple[ExecutionPlan, ...]:
        """Return the efficient frontier: one optimal plan for each risk aversion."""
        return tuple(
            self.optimal(quantity, horizon=horizon, intervals=intervals, risk_aversion=aversion)
            for aversion in risk_aversions
        )


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """An optimal schedule.

    Attributes:
        times: Start, every interval's end, in the model's unit of time.
        holdings: Units still held at each time.
        expected_cost: In quote currency, against the price at the start.
        variance: Of the cost, in quote currency squared.
        kappa: Decay rate of the position per unit of time; 0 is a straight line.
    """

    times: tuple[float, ...]
    holdings: tuple[float, ...]
    expected_cost: float
    variance: float
    kappa: float

    @property
    def trades(self) -> tuple[float, ...]:
        """Units traded in each interval."""
        pairs = zip(self.holdings, self.holdings[1:], strict=False)
        return tuple(before - after for before, after in pairs)

    @property
    def half_life(self) -> float:
        """The paper's half-life of the trade, `1 / kappa`: an endless position falls by e in it."""
        return 1 / self.kappa if self.kappa else math.inf


def _decay(kappa: float, horizon: float, times: Floats) -> Floats:
    """Return sinh(kappa (T - t)) / sinh(kappa T), without overflow or cancellation."""
    if kappa * horizon < _STRAIGHT:
        return 1 - times / horizon
    left = np.exp(-kappa * times) * np.expm1(-2 * kappa * (horizon - times))
    return np.asarray(left / math.expm1(-2 * kappa * horizon), dtype=np.float64)


def _lean(kappa: float, speed: float, horizon: float, times: Floats) -> Floats:
    """Return `(1 - [sinh(kappa (T - t)) + sinh(kappa t)] / sinh(kappa T)) / (2 speed^2)`.

    `sinh(a + b) - sinh a - sinh b = 4 sinh(a / 2) sinh(b / 2) sinh((a + b) / 2)`.
    """
    if kappa * horizon < _STRAIGHT:
        return times * (horizon - times) / 4
    both = np.expm1(-kappa * times) * np.expm1(-kappa * (horizon - times))
    return np.asarray(
        both / speed / (2 * speed * (1 + math.exp(-kappa * horizon))), dtype=np.float64
    )


def _positive(name: str, value: float) -> None:
    if not math.isfinite(value) or value <= 0:
        raise _bad(name, value, "give a finite number above 0")


def _bad(name: str, value: float, remedy: str) -> ModelError:
    return ModelError(f"{name} is {value}", where=name, remedy=remedy)
