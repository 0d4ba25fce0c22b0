"""Impact that decays: which kernels are free of price manipulation, and the best schedule.

The price is pushed by `f(rate)` at each trade and the push fades by a kernel G(t). Some choices
let a trader earn from nothing by a round trip; a model that says so is wrong, and an optimiser
on it will trade on the error. They are refused here, when the model is made.

Source: Gatheral, "No-dynamic-arbitrage and market impact", Quantitative Finance 10 (2010);
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
        """Return G at times >= 0; G(0) is finite or, for a power law, regularised."""
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

    def require_sound(self, exponent: float) -> None:
        if exponent != 1:
            raise _manipulable(
                f"exponential decay with an impact exponent of {exponent}",
                "use exponent 1, or a power-law decay",
            )


@dataclass(frozen=True, slots=True)
class PowerKernel:
    """`(1 + t / scale)^-decay`, a power law without the pole at 0.

    Attributes:
        decay: gamma, in (0, 1).
        scale: Time below which the decay has not set in, above 0.
    """

    decay: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        _positive("scale", self.scale)
        if not 0 < self.decay < 1:
            raise ModelError(
                f"decay is {self.decay}", where="decay", remedy="give a number between 0 and 1"
            )

    def at(self, times: Floats) -> Floats:
        return (1 + times / self.scale) ** -self.decay

    def require_sound(self, exponent: float) -> None:
        # Gatheral 2010, section 4.3; for linear impact convexity is enough (Alfonsi et al. 2012)
        if exponent == 1:
            return
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
        if len(self.values) < 2 or not all(map(math.isfinite, self.values)):
            raise ModelError(
                "the kernel needs at least two finite values",
                where="values",
                remedy="measure G at lag 0 and after",
            )

    def at(self, times: Floats) -> Floats:
        grid = np.arange(len(self.values)) * self.step
        return np.asarray(np.interp(times, grid, np.asarray(self.values)), dtype=np.float64)

    def require_sound(self, exponent: float) -> None:
        if exponent != 1:
            raise _manipulable(
                f"a measured kernel with an impact exponent of {exponent}",
                "use exponent 1: nothing is known that makes other exponents sound",
            )
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
    """Impact that fades: each trade pushes the price by `coefficient sign(x) |x|^exponent`.

    Attributes:
        coefficient: Push of one unit, in quote currency, above 0.
        kernel: How the push fades.
        exponent: Of the traded quantity, in (0, 1].

    Raises:
        ModelError: A number is out of range, or kernel and exponent allow price manipulation.

    Example:
        >>> model = TransientImpact(0.1, ExponentialKernel(1.0))
        >>> [round(x, 4) for x in model.optimal(10.0, [0.0, 1.0, 2.0])]
        [3.7992, 2.4016, 3.7992]
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
        """Return the expected cost of trades at times, in quote currency.

        Each trade pays what is left of all earlier pushes and half of its own.
        """
        when, sizes = _schedule(times), np.asarray(trades, dtype=np.float64)
        if sizes.shape != when.shape or not np.isfinite(sizes).all():
            raise ModelError(
                "times and trades do not belong together",
                where="trades",
                remedy="give one finite trade for each time",
            )
        pushes = self.coefficient * np.sign(sizes) * np.abs(sizes) ** self.exponent
        left = np.tril(self._matrix(when), k=-1)
        own = float(np.dot(sizes, pushes)) * float(self.kernel.at(np.zeros(1))[0]) / 2
        return float(sizes @ left @ pushes) + own

    def optimal(self, quantity: float, times: Sequence[float]) -> tuple[float, ...]:
        """Return the trades at `times` that execute `quantity` with the least expected cost.

        Solved in closed form for linear impact: the trades are proportional to the solution of
        `G x = 1`. All have the sign of the order, because the kernel was found sound.

        Raises:
            ModelError: The exponent is not 1, or the times are not increasing.
        """
        if self.exponent != 1:
            raise ModelError(
                f"no closed form for an exponent of {self.exponent}",
                where="exponent",
                remedy="minimise cost() numerically, or use a linear model",
            )
        when = _schedule(times)
        weights = np.linalg.solve(self._matrix(when), np.ones(when.size))
        return tuple((quantity * weights / weights.sum()).tolist())

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


def _positive(name: str, value: float) -> None:
    if not math.isfinite(value) or value <= 0:
        raise ModelError(f"{name} is {value}", where=name, remedy="give a finite number above 0")


def _manipulable(what: str, remedy: str) -> ModelError:
    return ModelError(f"{what} allows price manipulation", where="impact model", remedy=remedy)
