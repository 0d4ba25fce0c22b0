"""Impact models from what was seen: own fills, and recorded books and trades.

Every coefficient comes with its standard error; a fit that the data cannot carry is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_tco.errors import InputError
from oem_tco.impact.power_law import PowerLawImpact
from oem_tco.pretrade.market import Level

Floats = NDArray[np.float64]
LEAST_OBSERVATIONS = 20
_STEPS = 200
_EXPONENTS = (-1.0, 3.0)  # where an exponent is looked for; a market's is near 0.5


@dataclass(frozen=True, slots=True)
class Coefficient:
    """An estimated number with its standard error."""

    value: float
    standard_error: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the normal confidence interval."""
        half = NormalDist().inv_cdf(0.5 + confidence / 2) * self.standard_error
        return self.value - half, self.value + half


@dataclass(frozen=True, slots=True)
class PowerLawFit:
    """`cost / sigma = Y participation^delta`, fitted.

    Attributes:
        coefficient: Y.
        exponent: delta.
        correlation: Between the errors of the two.
        observations: How many were used.
        r_squared: Share of the variance explained.
    """

    coefficient: Coefficient
    exponent: Coefficient
    correlation: float
    observations: int
    r_squared: float

    def model(self) -> PowerLawImpact:
        """Return the fitted model; ModelError when the exponent left (0, 1]."""
        return PowerLawImpact(self.coefficient.value, self.exponent.value)


@dataclass(frozen=True, slots=True)
class LinearFit:
    """`change = coefficient x flow`, fitted.

    Attributes:
        coefficient: Price change per unit of signed flow (Kyle's lambda).
        observations: How many intervals were used.
        r_squared: Share of the variance explained.
        lags: Lags of the Newey–West standard error.
    """

    coefficient: Coefficient
    observations: int
    r_squared: float
    lags: int


def fit_power_law(participation: ArrayLike, cost: ArrayLike, volatility: ArrayLike) -> PowerLawFit:
    """Fit the impact of orders by non-linear least squares, costs of either sign included.

    Taking logarithms would drop every order that was cheaper than its arrival price and so bias
    the coefficient upwards; least squares on the costs themselves does not. Standard errors are
    robust to unequal variances (HC1, White 1980).

    Args:
        participation: (n,) order quantity over market volume, above 0.
        cost: (n,) realised impact, in the unit of volatility; positive is a cost.
        volatility: (n,) or one number, above 0, of the period the volume is of.

    Raises:
        InputError: Fewer than 20 orders, unequal lengths, numbers that are not finite or not
            positive, a single participation, no impact in the data, or costs that no exponent
            between -1 and 3 fits best.
    """
    x = _column("participation", participation, positive=True)
    y = _column("cost", cost)
    sigma = _column("volatility", np.broadcast_to(np.asarray(volatility, float), x.shape), True)
    if y.shape != x.shape:
        raise InputError(
            f"{x.size} participations and {y.size} costs",
            where="cost",
            remedy="give one cost for each order",
        )
    if float(x.max()) < 1.05 * float(x.min()):
        raise InputError(
            "all orders have the same participation: the exponent cannot be told",
            where="participation",
            remedy="use orders of different sizes",
        )
    target = y / sigma
    logs = np.log(x)
    centred = logs - logs.mean()  # no power of it leaves the range of a float

    def at(exponent: float) -> tuple[float, float]:
        # the best Y for an exponent is a plain regression, so only the exponent is searched
        shape = np.exp(exponent * centred)
        best = float(np.dot(shape, target) / np.dot(shape, shape))
        return best, float(np.square(target - best * shape).sum())

    exponent = _minimum(lambda e: at(e)[1], *_EXPONENTS)
    value, residual = at(exponent)
    value *= math.exp(-exponent * float(logs.mean()))
    if value <= 0:
        raise InputError(
            "the orders show no impact", where="cost", remedy="use more or larger orders"
        )
    if min(abs(exponent - end) for end in _EXPONENTS) < 1e-6:
        raise InputError(
            f"no power law fits best: the exponent ran to {exponent:.0f}, where the search ends",
            where="cost",
            remedy="look at the costs by size; leave out orders that are not like the others",
        )
    shape = np.exp(exponent * logs)
    jacobian = np.stack([shape, value * logs * shape], axis=1)
    errors = target - value * shape
    bread = np.linalg.inv(jacobian.T @ jacobian)
    meat = (jacobian * errors[:, None] ** 2).T @ jacobian
    covariance = bread @ meat @ bread * (x.size / (x.size - 2))
    first, second = math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1])
    total = float(np.square(target - target.mean()).sum())
    return PowerLawFit(
        Coefficient(value, first),
        Coefficient(exponent, second),
        float(covariance[0, 1]) / (first * second) if first and second else 0.0,
        x.size,
        1 - residual / total if total else 1.0,
    )


def fit_permanent(
    price_changes: ArrayLike, signed_volume: ArrayLike, *, lags: int | None = None
) -> LinearFit:
    """Fit the linear permanent impact from recorded trades (Kyle, Econometrica 53, 1985).

    Args:
        price_changes: (n,) change of the mid over each interval, any unit.
        signed_volume: (n,) bought minus sold by takers in the same interval.
        lags: Lags of the Newey–West (1987) standard error; None for `4 (n/100)^(2/9)`.

    Returns:
        Price change per unit of signed volume, through the origin.

    Raises:
        InputError: Fewer than 20 intervals, unequal lengths, numbers not finite, or no trading.
    """
    change = _column("price_changes", price_changes)
    flow = _column("signed_volume", signed_volume)
    if change.shape != flow.shape:
        raise InputError(
            f"{change.size} changes and {flow.size} volumes",
            where="signed_volume",
            remedy="give one volume for each change",
        )
    square = float(np.dot(flow, flow))
    if square == 0:
        raise InputError("nothing was traded", where="signed_volume", remedy="use more data")
    count = change.size
    used = math.floor(4 * (count / 100) ** (2 / 9)) if lags is None else lags
    if not 0 <= used < count:
        raise InputError(f"lags is {used}", where="lags", remedy=f"give 0 to {count - 1}")
    value = float(np.dot(flow, change)) / square
    errors = change - value * flow
    scores = flow * errors
    variance = float(np.dot(scores, scores))
    for lag in range(1, used + 1):
        weight = 1 - lag / (used + 1)
        variance += 2 * weight * float(np.dot(scores[lag:], scores[:-lag]))
    error = math.sqrt(max(variance, 0.0) * count / (count - 1)) / square
    total = float(np.dot(change, change))
    explained = 1 - float(np.dot(errors, errors)) / total if total else 1.0
    return LinearFit(Coefficient(value, error), count, explained, used)


def walk_costs_bps(levels: Sequence[Level], mid: float, quantities: ArrayLike) -> Floats:
    """Return what market orders would pay beyond the mid by walking one side of a book.

    Args:
        levels: (price, size) from the best outwards, one side.
        mid: Mid of the same moment, above 0.
        quantities: (n,) base units, above 0.

    Returns:
        (n,) basis points of the mid; NaN where the side is not deep enough.
    """
    if not math.isfinite(mid) or mid <= 0:
        raise InputError(f"mid is {mid}", where="mid", remedy="give a finite number above 0")
    wanted = _column("quantities", quantities, positive=True, least=1)
    prices = _column("levels", [float(price) for price, _ in levels], positive=True, least=1)
    sizes = _column("levels", [float(size) for _, size in levels], positive=True, least=1)
    depth = np.concatenate([[0.0], np.cumsum(sizes)])
    paid = np.concatenate([[0.0], np.cumsum(sizes * prices)])
    cost = np.interp(wanted, depth, paid, right=np.nan) / wanted
    return np.asarray(np.abs(cost - mid) / mid * 10_000.0, dtype=np.float64)


def _minimum(call: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one number is least: a grid, then golden-section search."""
    grid = np.linspace(low, high, _STEPS + 1)
    best = int(np.argmin([call(float(g)) for g in grid]))
    left, right = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _STEPS)])
    ratio = (math.sqrt(5) - 1) / 2
    while right - left > 1e-10:
        inner, outer = right - ratio * (right - left), left + ratio * (right - left)
        if call(inner) <= call(outer):
            right = outer
        else:
            left = inner
    return (left + right) / 2


def _column(
    name: str, values: ArrayLike, positive: bool = False, least: int = LEAST_OBSERVATIONS
) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or column.size < least:
        raise InputError(
            f"{name} has {column.size} values",
            where=name,
            remedy=f"give one column of at least {least} numbers",
        )
    wrong = ~np.isfinite(column) | (column <= 0) if positive else ~np.isfinite(column)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{name} is {column[row]}",
            where=f"{name}, row {row}",
            remedy="give finite numbers" + (" above 0" if positive else ""),
        )
    return column
