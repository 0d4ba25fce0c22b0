"""Value at risk at several levels at once, an implicit test of expected shortfall.

Source: Kratz, Lok, McNeil, "Multinomial VaR backtests: a simple implicit approach to backtesting
expected shortfall", Journal of Banking and Finance 88 (2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.backtests.result import TestResult
from oem_risk.distributions import chi2_survival
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import sample, share

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MultinomialTest:
    """The three tests of the paper.

    Attributes:
        pearson: Chi-squared with N degrees; too big for small samples.
        nass: Pearson's statistic scaled to its exact mean and variance; keeps its size.
        likelihood_ratio: Against a normal tail of another mean and variance; most power.
        counts: (N + 1,) days by how many levels were exceeded.
    """

    pearson: TestResult
    nass: TestResult
    likelihood_ratio: TestResult
    counts: tuple[int, ...]


def var_levels(level: float = 0.975, count: int = 4) -> Floats:
    """Return the paper's levels, equally spaced from `level` towards 1.

    Example:
        >>> var_levels(0.975, 4).round(5).tolist()
        [0.975, 0.98125, 0.9875, 0.99375]
    """
    if count < 1:
        raise DataProblem(f"count is {count}", where="count", remedy="give at least one level")
    return share(level, "level") + np.arange(count) / count * (1 - level)


def multinomial_test(
    probabilities: ArrayLike, level: float = 0.975, count: int = 4
) -> MultinomialTest:
    """Test forecasts by the cells their outcomes fall into; p-values are asymptotic.

    Args:
        probabilities: (days,) forecast probability of a loss of at most the one that came, that is
            one minus the forecast's distribution function of the gain.
        level: Lowest level.
        count: Number of levels N.

    Raises:
        DataProblem: A probability is outside 0 to 1, or there are none.
    """
    seen = sample(probabilities, "probabilities")
    if seen.min() < 0 or seen.max() > 1:
        raise DataProblem(
            "a probability is outside 0 to 1",
            where="probabilities",
            remedy="give the distribution function at each loss",
        )
    levels = var_levels(level, count)
    cells = np.bincount(np.searchsorted(levels, seen, side="left"), minlength=count + 1)
    return multinomial_counts(tuple(cells.tolist()), level)


def multinomial_counts(counts: tuple[int, ...], level: float = 0.975) -> MultinomialTest:
    """Test from counts: days that exceeded none of the levels, only the first, and so on."""
    seen = np.asarray(counts, dtype=np.float64)
    if seen.ndim != 1 or seen.size < 2 or (seen < 0).any() or seen.sum() < 1:
        raise DataProblem(
            f"counts are {counts}",
            where="counts",
            remedy="give the days of each cell, at least two cells",
        )
    n, levels = float(seen.sum()), var_levels(level, seen.size - 1)
    edges = np.concatenate([[0.0], levels, [1.0]])
    expected = n * np.diff(edges)
    statistic = float(((seen - expected) ** 2 / expected).sum())
    degrees = seen.size - 1
    variance = (
        2 * degrees - (degrees**2 + 4 * degrees + 1) / n + float((1 / np.diff(edges)).sum()) / n
    )
    scale = 2 * degrees / variance
    ratio = _tail_ratio(seen, levels, np.diff(edges))
    exceeded = int(n - seen[0])

    def result(name: str, value: float, p: float, method: str) -> TestResult:
        return TestResult(name, value, p, method, int(n), exceeded)

    return MultinomialTest(
        result("multinomial Pearson", statistic, chi2_survival(statistic, degrees),
               f"asymptotic, chi-squared({degrees})"),
        result("multinomial Nass", scale * statistic,
               chi2_survival(scale * statistic, scale * degrees),
               f"asymptotic, chi-squared({scale * degrees:.3f})"),
        result("multinomial likelihood ratio", ratio, chi2_survival(ratio, 2),
               "asymptotic, chi-squared(2)"),
        tuple(int(c) for c in counts),
    )  # fmt: skip


def _tail_ratio(seen: Floats, levels: Floats, widths: Floats) -> float:
    """Return twice the log-likelihood gained by a normal tail with free mean and deviation."""
    from scipy.optimize import minimize
    from scipy.special import ndtr, ndtri

    corners = ndtri(levels)
    used = seen > 0

    def cells(parameters: Floats) -> Floats:
        inner = ndtr((corners - parameters[0]) / np.exp(parameters[1]))
        return np.asarray(np.diff(np.concatenate([[0.0], inner, [1.0]])))

    def negative(parameters: Floats) -> float:
        return -float(seen[used] @ np.log(np.maximum(cells(parameters)[used], 1e-300)))

    best = min(
        minimize(negative, start, method="Nelder-Mead",
                 options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4_000}).fun
        for start in ((0.0, 0.0), (0.5, 0.3), (-0.5, -0.3))
    )  # fmt: skip
    under_null = -float(seen[used] @ np.log(widths[used]))
    return max(2 * (under_null - float(best)), 0.0)
