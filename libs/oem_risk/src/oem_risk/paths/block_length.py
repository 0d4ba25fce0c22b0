"""How long blocks should be.

Sources: Politis, White, "Automatic block-length selection for the dependent bootstrap", Econometric
Reviews 23 (2004); Patton, Politis, White, the correction, Econometric Reviews 28 (2009).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import varying


@dataclass(frozen=True, slots=True)
class BlockLengths:
    """Best mean block length of the stationary, and block length of the circular bootstrap."""

    stationary: float
    circular: float


def politis_white(series: ArrayLike) -> BlockLengths:
    """Return the block lengths that estimate the variance of the mean best.

    Args:
        series: (n,) observations in order; for drawdowns and volatility use returns and their
            squares and take the longer.

    Raises:
        DataProblem: Fewer than 10 observations, constant, or not finite.
    """
    column = varying(series, "series", least=10)
    n = column.size
    centred = column - column.mean()
    # the smallest lag after which so many autocorrelations in a row are insignificant
    band = 2.0 * math.sqrt(math.log10(n) / n)
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    furthest = min(math.ceil(math.sqrt(n)) + run, n - 1)
    covariance = np.array(
        [float(np.dot(centred[k:], centred[: n - k])) / n for k in range(furthest + 1)]
    )
    correlation = np.abs(covariance[1:] / covariance[0])
    quiet = correlation < band
    # the first lag of that run, as in Patton's code: one more than the paper's m, so at least 1
    last = next((k + 1 for k in range(quiet.size - run + 1) if quiet[k : k + run].all()), None)
    if last is None:
        last = int(np.flatnonzero(~quiet)[-1]) + 1
    lags = min(2 * last, furthest)
    k = np.arange(-lags, lags + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - np.abs(k) / lags))  # the flat-top kernel
    weighted = window * covariance[np.abs(k)]
    slope = float(np.dot(weighted, np.abs(k)))
    level = float(weighted.sum())
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    if level == 0.0:
        raise DataProblem(
            "the spectrum vanishes at zero", where="series", remedy="use undifferenced returns"
        )

    def length(variance: float) -> float:
        best = math.pow(2.0 * slope * slope / variance * n, 1.0 / 3.0)
        return min(max(best, 1.0), float(longest))  # a block is at least one observation

    return BlockLengths(length(2.0 * level**2), length(4.0 / 3.0 * level**2))


def ar1_block_length(coefficient: float, n: int) -> BlockLengths:
    """Return the block lengths of a first-order autoregression in closed form.

    `(2 phi / (1 - phi^2))^(2/3) n^(1/3)` for the stationary bootstrap, times the cube root of 1.5
    for the circular one.

    Args:
        coefficient: Phi, between -1 and 1.
        n: Length of the series, at least 1.

    Example:
        >>> found = ar1_block_length(0.7, 200)
        >>> round(found.stationary, 3), round(found.circular, 3)
        (11.465, 13.124)
    """
    if not -1 < coefficient < 1 or n < 1:
        raise DataProblem(
            f"coefficient {coefficient}, n {n}",
            where="coefficient",
            remedy="give a stationary coefficient and a length",
        )
    ratio = abs(2 * coefficient / (1 - coefficient**2))
    stationary = math.pow(ratio, 2 / 3) * math.pow(n, 1 / 3)
    return BlockLengths(stationary, stationary * math.pow(1.5, 1 / 3))
