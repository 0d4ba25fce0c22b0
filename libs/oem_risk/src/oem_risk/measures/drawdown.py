"""Falls from the peak: one path's, their average, and their distribution.

A drawdown is `1 - equity / highest equity so far`, a share in [0, 1); 0 at every new peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, sample, share
from oem_risk.measures.tail import order_statistic_ranks, tail_weights


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of a path.

    Attributes:
        depth: Share lost from the peak.
        peak: Index of the peak before it.
        trough: Index of its lowest point.
        recovery: Index at which the peak was reached again, None if never.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None


def drawdowns(equity: ArrayLike) -> Floats:
    """Return the drawdown at every point of a path of equity.

    Args:
        equity: (n,) values above 0, one currency.

    Raises:
        DataProblem: A value is not finite or not above 0.

    Example:
        >>> drawdowns([100.0, 75.0, 120.0, 90.0]).tolist()
        [0.0, 0.25, 0.0, 0.25]
    """
    path = _equity(equity)
    return np.asarray(1.0 - path / np.maximum.accumulate(path), dtype=np.float64)


def max_drawdown(equity: ArrayLike) -> Drawdown:
    """Return the deepest drawdown, the first of equals.

    Example:
        >>> max_drawdown([100.0, 120.0, 90.0, 121.0])
        Drawdown(depth=0.25, peak=1, trough=2, recovery=3)
    """
    path = _equity(equity)
    fallen = drawdowns(path)
    trough = int(np.argmax(fallen))
    peak = int(np.argmax(path[: trough + 1]))
    if fallen[trough] == 0.0:
        return Drawdown(0.0, trough, trough, trough)
    back = np.flatnonzero(path[trough:] >= path[peak])
    return Drawdown(
        float(fallen[trough]), peak, trough, trough + int(back[0]) if back.size else None
    )


def average_drawdown(equity: ArrayLike) -> float:
    """Return the mean of the drawdowns over time."""
    return float(drawdowns(equity).mean())


def ulcer_index(equity: ArrayLike) -> float:
    """Return the root mean square of the drawdowns over time (Martin, McCann 1989).

    Example:
        >>> round(ulcer_index([100.0, 80.0, 120.0, 90.0]), 6)
        0.160078
    """
    fallen = drawdowns(equity)
    return math.sqrt(float(np.dot(fallen, fallen)) / fallen.size)


def conditional_drawdown(equity: ArrayLike, level: float = 0.95) -> float:
    """Return CDaR, the mean of the worst `1 - level` of the drawdowns over time.

    The last of them counts with its fraction (Chekhlov, Uryasev, Zabarankin 2005).

    Example:
        >>> round(conditional_drawdown([100.0, 80.0, 120.0, 90.0], 0.5), 6)
        0.225
    """
    fallen = np.sort(drawdowns(equity))[::-1]
    return float(np.dot(fallen, tail_weights(fallen.size, share(level, "level"))))


def time_under_water(equity: ArrayLike) -> int:
    """Return the longest number of consecutive points below an earlier peak.

    Example:
        >>> time_under_water([100.0, 90.0, 95.0, 101.0, 100.0])
        2
    """
    below = np.concatenate([[False], drawdowns(equity) > 0.0, [False]])
    edges = np.flatnonzero(below[1:] != below[:-1])
    return int((edges[1::2] - edges[::2]).max(initial=0))


def drawdown_quantile(
    max_drawdowns: ArrayLike, level: float = 0.95, confidence: float = 0.95
) -> Estimate:
    """Return the quantile of simulated maximum drawdowns with an exact interval.

    Args:
        max_drawdowns: (paths,) one maximum drawdown of each path, in [0, 1].
        level: Share of the paths that stay below.
        confidence: Of the interval, by order statistics.
    """
    deep = np.sort(sample(max_drawdowns, "max_drawdowns"))[::-1]
    if deep[-1] < 0 or deep[0] > 1:
        raise DataProblem(
            "a drawdown is outside 0 to 1",
            where="max_drawdowns",
            remedy="give shares of the peak",
        )
    n = deep.size
    near, far = order_statistic_ranks(n, 1 - share(level, "level"), confidence)
    at = min(math.floor(round(n * (1 - level), 9)), n - 1)
    return Estimate(
        float(deep[at]),
        float(deep[far - 1]) if far <= n else 0.0,
        float(deep[near - 1]) if near >= 1 else 1.0,
        confidence,
        "order statistics, exact",
        f"maximum drawdown that {level:g} of the paths stay below, share of the peak",
        n,
    )


def brownian_drawdown_probability(
    depth: float, deviation: float = 1.0, horizon: float = 1.0
) -> float:
    """Return the probability that driftless Brownian motion falls by `depth` from its maximum.

    The maximum drawdown has the law of the maximum of the absolute value (Lévy 1948), whose series
    is in Borodin, Salminen, "Handbook of Brownian Motion" (2002), 1.1.15.8.

    Args:
        depth: Absolute fall, at least 0.
        deviation: Sigma per square root of the unit of time, above 0.
        horizon: T, above 0.

    Example:
        >>> [round(brownian_drawdown_probability(x), 6) for x in (1, 1.5, 2)]
        [0.629223, 0.267215, 0.091001]
    """
    for name, value in (("deviation", deviation), ("horizon", horizon)):
        if not math.isfinite(value) or value <= 0:
            raise DataProblem(f"{name} is {value}", where=name, remedy="give a number above 0")
    if not 0 <= depth < math.inf:
        raise DataProblem(f"depth is {depth}", where="depth", remedy="give a number of 0 or more")
    x = depth / (deviation * math.sqrt(horizon))
    if x == 0:
        return 1.0
    total = 0.0
    if x > 1.5:
        # reflections: fast for deep falls, where the other series cancels
        for k in range(50):
            term = math.erfc((2 * k + 1) * x / math.sqrt(2)) * (-1) ** k
            total += term
            if abs(term) < 1e-18:
                break
        return min(1.0, 2 * total)
    for k in range(10_000):
        odd = 2 * k + 1
        term = (-1) ** k / odd * math.exp(-((odd * math.pi / x) ** 2) / 8)
        total += term
        if abs(term) < 1e-18:
            break
    return 1 - 4 / math.pi * total


def brownian_drawdown_mean(deviation: float = 1.0, horizon: float = 1.0) -> float:
    """Return the mean maximum drawdown of driftless Brownian motion, `sigma sqrt(pi T / 2)`.

    Source: Magdon-Ismail, Atiya, Pratap, Abu-Mostafa, J. Applied Probability 41 (2004).

    Example:
        >>> round(brownian_drawdown_mean(), 6)
        1.253314
    """
    for name, value in (("deviation", deviation), ("horizon", horizon)):
        if not math.isfinite(value) or value <= 0:
            raise DataProblem(f"{name} is {value}", where=name, remedy="give a number above 0")
    return deviation * math.sqrt(math.pi * horizon / 2)


def _equity(values: ArrayLike) -> Floats:
    path = sample(values, "equity", least=1)
    if (path <= 0).any():
        row = int(np.argmax(path <= 0))
        raise DataProblem(
            f"equity is {path[row]}",
            where=f"equity, row {row}",
            remedy="give values above 0; a ruined path ends at its ruin",
        )
    return path
