"""Impact that decays: which kernels are free of price manipulation, and the best schedule.

The price is pushed by `f(rate)` while one trades and the push fades by a kernel G(t). Some choices
let a trader earn from nothing by a round trip; a model that says so is wrong, and an optimiser
on it will trade on the error. They are refused here, when the model is made.

Where the impact is not linear, G must be infinite at 0: with a finite G(0) many small trades one
way and a large one back earn, whatever the kernel (Gatheral, Schied 2013, section 22.3). What is
left is the pure power law, within the bounds that Gatheral (2010) shows to be necessary; that they
are sufficient nobody has shown.

Source: Gatheral, "No-dynamic-arbitrage and market impact", Quantitative Finance 10 (2010);
Gatheral, Schied, "Dynamical models of market impact and algorithms for order execution", in
Handbook on Systemic Risk (2013);
Alfonsi, Schied, Slynko, "Order book resilience, price manipulation, and the positive portfolio
problem", SIAM J. Financial Mathematics 3 (2012); Huberman, Stanzl, "Price manipulation and
quasi-arbitrage", Econometrica 72 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oem_tco.errors import ModelError

Floats = NDArray[np.float64]
LEAST_POWER_DECAY = 2 - math.log(3) / math.log(2)
"""gamma* of Gatheral (2010), about 0.415: a slower power-law decay allows manipulation."""


class Kernel(Protocol):
    """How much of a push is left after a time."""

    def at(self, times: Floats) -> Floats:
        """Return G at times >= 0; G(0) is infinite for a pure power law."""
        ...

    def twice_integrated(self, times: Floats) -> Floats:
        """Return H at times >= 0, where H'' = G and H(0) = H'(0) = 0."""
        ...

    def require_sound(self, exponent: float) -> None:
        """Raise ModelError when the kernel with `f(v) ~ v^exponent` allows manipulation."""
        ...


@dataclass(frozen=True, slots=True)
class ExponentialKernel:
    """`exp(-rate t)`; sound only with linear impact (Gatheral 2010, section 4.1).

    Attributes:
        rate: Decay per unit of time, above 0.
    """

    rate: float

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def at(self, times: Floats) -> Floats:
        return np.exp(-self.rate * times)

    def twice_integrated(self, times: Floats) -> Floats:
        past = self.rate * times
        return (np.expm1(-past) + past) / self.rate**2

    def require_sound(self, exponent: float) -> None:
        if exponent != 1:
            raise _finite_at_0("exponential decay", exponent)


@dataclass(frozen=True, slots=True)
class PowerKernel:
    """`t^-decay`, or with a scale `(1 + t / scale)^-decay`, which is finite at 0.

    Attributes:
        decay: gamma, in (0, 1).
        scale: Time below which the decay has not set in; 0 for the pure power law.
    """

    decay: float
    scale: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale) or self.scale < 0:
            raise ModelError(
                f"scale is {self.scale}", where="scale", remedy="give a finite number of at least 0"
            )
        if not 0 < self.decay < 1:
            raise ModelError(
                f"decay is {self.decay}", where="decay", remedy="give a number between 0 and 1"
            )

    def at(self, times: Floats) -> Floats:
        if not self.scale:
            with np.errstate(divide="ignore"):
                return np.asarray(times, dtype=np.float64) ** -self.decay
        return (1 + times / self.scale) ** -self.decay

    def twice_integrated(self, times: Floats) -> Floats:
        last = 2 - self.decay
        bottom = (1 - self.decay) * last
        if not self.scale:
            return times**last / bottom
        past = times / self.scale
        return self.scale**2 * (np.expm1(last * np.log1p(past)) - last * past) / bottom

    def require_sound(self, exponent: float) -> None:
        # for linear impact convexity is enough (Alfonsi et al. 2012)
        if exponent == 1:
            return
        if self.scale:
            raise _finite_at_0(f"power-law decay with a scale of {self.scale}", exponent)
        if self.decay < LEAST_POWER_DECAY or self.decay + exponent < 1:
            raise _manipulable(
                f"power-law decay {self.decay} with an impact exponent of {exponent}",
                f"use a decay of at least {LEAST_POWER_DECAY:.4f}, and decay + exponent >= 1",
            )


@dataclass(frozen=True, slots=True)
class TableKernel:
    """A measured kernel on equally spaced lags, linear in between, constant after the last.

    Attributes:
        step: Time between two lags, above 0.
        values: G at lag 0, 1, 2, …; at least two.
    """

    step: float
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        _positive("step", self.step)
        enough = len(self.values) >= 2 and all(map(math.isfinite, self.values))
        if not enough or min(self.values) < 0 or self.values[0] == 0:
            raise ModelError(
                "the kernel needs at least two finite values, none below 0 and the first above",
                where="values",
                remedy="measure G at lag 0 and after",
            )

    def at(self, times: Floats) -> Floats:
        grid = np.arange(len(self.values)) * self.step
        return np.asarray(np.interp(times, grid, np.asarray(self.values)), dtype=np.float64)

    def twice_integrated(self, times: Floats) -> Floats:
        values, step = np.asarray(self.values), self.step
        first = np.concatenate([[0.0], np.cumsum((values[:-1] + values[1:]) * (step / 2))])
        parts = first[:-1] * step + (2 * values[:-1] + values[1:]) * (step**2 / 6)
        second = np.concatenate([[0.0], np.cumsum(parts)])
        slopes = np.append(np.diff(values) / step, 0.0)
        at = np.minimum((times / step).astype(np.int64), values.size - 1)
        past = times - at * step
        return np.asarray(
            second[at] + past * (first[at] + past * (values[at] / 2 + past * slopes[at] / 6)),
            dtype=np.float64,
        )

    def require_sound(self, exponent: float) -> None:
        if exponent != 1:
            raise _finite_at_0("a measured kernel", exponent)
        values = np.asarray(self.values)
        lags = np.abs(np.subtract.outer(np.arange(values.size), np.arange(values.size)))
        least = float(np.linalg.eigvalsh(values[lags])[0])
        if least < -1e-12 * max(1.0, abs(float(values[0]))):
            raise _manipulable(
                f"the kernel is not positive definite (eigenvalue {least:.3g}): a round trip pays",
                "smooth it until it decreases and is convex",
            )
        slopes = np.diff(values)
        tolerance = 1e-12 * abs(float(values[0]))
        if (slopes > tolerance).any() or (np.diff(slopes) < -tolerance).any():
            raise _manipulable(
                "the kernel is not decreasing and convex: buying in the middle of a sale pays",
                "smooth it until it decreases and is convex",
            )


@dataclass(frozen=True, slots=True)
class TransientImpact:
    """Impact that fades: at a rate v the price is pushed by `coefficient sign(v) |v|^exponent`.

    A trade of x at one instant, which only linear impact allows, pushes it by `coefficient x`.

    Attributes:
        coefficient: Push of one unit, in quote currency, above 0.
        kernel: How the push fades.
        exponent: delta of the trading rate, in (0, 1].

    Raises:
        ModelError: A number is out of range, or kernel and exponent allow price manipulation.

    Example:
        >>> model = TransientImpact(0.1, ExponentialKernel(1.0))
        >>> [round(x, 4) for x in model.optimal(10.0, [0.0, 1.0, 2.0])]
        [3.7992, 2.4016, 3.7992]
        >>> concave = TransientImpact(0.1, PowerKernel(0.5), 0.6)
        >>> round(concave.cost_of_rates([0.0, 2.0], [5.0]), 4)
        4.9526
    """

    coefficient: float
    kernel: Kernel
    exponent: float = 1.0

    def __post_init__(self) -> None:
        _positive("coefficient", self.coefficient)
        if not 0 < self.exponent <= 1:
            raise ModelError(
                f"exponent is {self.exponent}",
                where="exponent",
                remedy="give a number above 0 and at most 1",
            )
        self.kernel.require_sound(self.exponent)

    def cost(self, times: Sequence[float], trades: Sequence[float]) -> float:
        """Return the expected cost of trades at instants, in quote currency.

        Each trade pays what is left of all earlier pushes and half of its own.

        Raises:
            ModelError: The times do not increase, there is not one finite trade for each, or the
                kernel is infinite at 0, where a trade at one instant has no finite cost.
        """
        when = _schedule(times)
        sizes = _one_each(trades, when.size, "trades")
        pushes = self.coefficient * sizes
        left = np.tril(self._matrix(when), k=-1)
        own = float(np.dot(sizes, pushes)) * self._at_0() / 2
        return float(sizes @ left @ pushes) + own

    def cost_of_rates(self, times: Sequence[float], rates: Sequence[float]) -> float:
        """Return the expected cost of trading at a constant rate in each interval, quote currency.

        It is the integral over s < t of `v(t) f(v(s)) G(t - s)`, in closed form.

        Args:
            times: Ends of the intervals, increasing, one more than `rates`.
            rates: Units per unit of time in each interval, negative for the other side.

        Raises:
            ModelError: The times do not increase, or there is not one finite rate an interval.
        """
        ends = _schedule(times)
        speeds = _one_each(rates, ends.size - 1, "rates")
        pushes = self.coefficient * np.sign(speeds) * np.abs(speeds) ** self.exponent
        ahead = np.maximum(np.subtract.outer(ends, ends), 0.0)
        h = self.kernel.twice_integrated(ahead.ravel()).reshape(ahead.shape)
        # interval i after interval j: H at the four distances of their ends
        weights = np.tril(h[1:, :-1] - h[1:, 1:] - h[:-1, :-1] + h[:-1, 1:])
        return float(speeds @ weights @ pushes)

    def optimal(self, quantity: float, times: Sequence[float]) -> tuple[float, ...]:
        """Return the trades at `times` that execute `quantity` with the least expected cost.

        Solved in closed form for linear impact: the trades are proportional to the solution of
        `G x = 1`. All have the sign of the order, because the kernel was found sound.

        Raises:
            ModelError: The exponent is not 1, the kernel is infinite at 0, or the times are not
                increasing.
        """
        if self.exponent != 1:
            raise ModelError(
                f"no closed form for an exponent of {self.exponent}",
                where="exponent",
                remedy="minimise cost_of_rates() numerically, or use a linear model",
            )
        when = _schedule(times)
        self._at_0()
        weights = np.linalg.solve(self._matrix(when), np.ones(when.size))
        return tuple((quantity * weights / weights.sum()).tolist())

    def _at_0(self) -> float:
        own = float(self.kernel.at(np.zeros(1))[0])
        if not math.isfinite(own):
            raise ModelError(
                "the kernel is infinite at 0: a trade at one instant has no finite cost",
                where="kernel",
                remedy="use cost_of_rates, or a power law with a scale and exponent 1",
            )
        return own

    def _matrix(self, when: Floats) -> Floats:
        return self.kernel.at(np.abs(np.subtract.outer(when, when)))


def require_linear_permanent(exponent: float) -> None:
    """Refuse permanent impact that is not linear in the quantity (Huberman, Stanzl 2004).

    Raises:
        ModelError: The exponent is not 1: buying slowly and selling fast would pay, or the reverse.
    """
    if exponent != 1:
        raise _manipulable(
            f"permanent impact with an exponent of {exponent}", "make the permanent part linear"
        )


def _schedule(times: Sequence[float]) -> Floats:
    when = np.asarray(times, dtype=np.float64)
    if (
        when.ndim != 1
        or when.size == 0
        or not np.isfinite(when).all()
        or (np.diff(when) <= 0).any()
    ):
        raise ModelError(
            "the times do not increase", where="times", remedy="give finite, increasing times"
        )
    return when


def _one_each(values: Sequence[float], count: int, name: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise ModelError(
            f"times and {name} do not belong together",
            where=name,
            remedy=f"give {count} finite {name}",
        )
    return found


def _positive(name: str, value: float) -> None:
    if not math.isfinite(value) or value <= 0:
        raise ModelError(f"{name} is {value}", where=name, remedy="give a finite number above 0")


def _finite_at_0(kernel: str, exponent: float) -> ModelError:
    return _manipulable(
        f"{kernel}, finite at 0, with an impact exponent of {exponent}",
        "use exponent 1, or PowerKernel without a scale",
    )


def _manipulable(what: str, remedy: str) -> ModelError:
    return ModelError(f"{what} allows price manipulation", where="impact model", remedy=remedy)
