"""Return for risk taken: Sharpe and Sortino ratio with their standard errors."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, finite, sample, share, varying


def sharpe_ratio(
    returns: ArrayLike,
    *,
    risk_free: float = 0.0,
    periods_per_year: float = 1.0,
    lags: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Return the Sharpe ratio with the standard error that holds for any distribution.

    `mean(r - risk_free) / std(r, ddof=1)`, times the square root of the periods in a year. The
    error is that of Mertens (2002), `sqrt((1 - S g3 + S^2 (g4 - 1) / 4) / n)` with skewness g3 and
    kurtosis g4; for normal returns it is that of Lo (2002). With `lags` both ratio and error take
    serial correlation into account: annualisation by Lo's eta(q), the error by Newey–West.

    Args:
        returns: (n,) returns of one period.
        risk_free: Return of one period without risk.
        periods_per_year: 365 for daily returns of a market that never closes; 1 for no scaling.
        lags: Autocorrelations that count; 0 takes returns as independent.
        confidence: Of the interval.

    Raises:
        DataProblem: The sample is too short or constant.
    """
    excess = varying(returns, least=3) - finite(risk_free, "risk_free")
    n = excess.size
    if not math.isfinite(periods_per_year) or periods_per_year < 1 or not 0 <= lags < n:
        raise DataProblem(
            f"periods_per_year is {periods_per_year} and lags {lags}",
            where="periods_per_year",
            remedy=f"give at least 1 period, and 0 to {n - 1} lags",
        )
    mean, deviation = float(excess.mean()), float(excess.std(ddof=1))
    ratio = mean / deviation
    scaled = (excess - mean) / float(excess.std())
    # influence of one return on the ratio; its variance is the squared standard error
    influence = scaled - ratio / 2 * (scaled**2 - 1)
    variance = _long_run_variance(influence, lags) / n
    scale = _annualising(scaled, periods_per_year, lags)
    return _interval(ratio * scale, math.sqrt(variance) * scale, confidence, n,
                     "Sharpe ratio" + _per_year(periods_per_year, lags))  # fmt: skip


def sortino_ratio(
    returns: ArrayLike,
    *,
    target: float = 0.0,
    periods_per_year: float = 1.0,
    confidence: float = 0.95,
) -> Estimate:
    """Return the Sortino ratio: mean above the target over the deviation below it.

    The downside deviation is `sqrt(mean(min(r - target, 0)^2))` over all returns, those above the
    target counted as 0 (Sortino, van der Meer 1991). Standard error by the delta method.

    Raises:
        DataProblem: No return is below the target: the ratio has no bound.
    """
    above = varying(returns, least=3) - finite(target, "target")
    finite(periods_per_year, "periods_per_year", above=0.0)
    n = above.size
    below = np.minimum(above, 0.0)
    square = float(np.dot(below, below)) / n
    if square == 0.0:
        raise DataProblem(
            "no return is below the target",
            where="returns",
            remedy="use a longer sample or a higher target",
        )
    mean, deviation = float(above.mean()), math.sqrt(square)
    ratio = mean / deviation
    influence = (above - mean) / deviation - ratio / (2 * square) * (below**2 - square)
    error = float(influence.std()) / math.sqrt(n)
    scale = math.sqrt(periods_per_year)
    return _interval(ratio * scale, error * scale, confidence, n,
                     "Sortino ratio" + _per_year(periods_per_year, 0))  # fmt: skip


def standard_error(estimate: Estimate) -> float:
    """Return the standard error behind a symmetric normal interval."""
    z = NormalDist().inv_cdf(0.5 + estimate.confidence / 2)
    return (estimate.high - estimate.low) / (2 * z)


def autocorrelations(values: ArrayLike, lags: int) -> Floats:
    """Return the sample autocorrelations at lag 1 to `lags`."""
    column = varying(sample(values, "values"), "values")
    centred = column - column.mean()
    total = float(np.dot(centred, centred))
    return np.array([float(np.dot(centred[k:], centred[:-k])) / total for k in range(1, lags + 1)])


def _annualising(scaled: Floats, periods: float, lags: int) -> float:
    if not lags:
        return math.sqrt(periods)
    # Lo 2002, equation 20: eta(q) = q / sqrt(q + 2 sum (q - k) rho_k)
    rho = autocorrelations(scaled, lags)
    k = np.arange(1, lags + 1)
    spread = periods + 2 * float(np.dot(np.maximum(periods - k, 0), rho))
    if spread <= 0:
        raise DataProblem(
            "the autocorrelations leave no variance over a year",
            where="lags",
            remedy="use fewer lags",
        )
    return periods / math.sqrt(spread)


def _long_run_variance(influence: Floats, lags: int) -> float:
    n = influence.size
    variance = float(np.dot(influence, influence)) / n
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        variance += 2 * weight * float(np.dot(influence[lag:], influence[:-lag])) / n
    return max(variance, 0.0)


def _interval(value: float, error: float, confidence: float, n: int, convention: str) -> Estimate:
    z = NormalDist().inv_cdf(0.5 + share(confidence, "confidence") / 2)
    return Estimate(
        value, value - z * error, value + z * error, confidence, "normal, delta method",
        convention, n,
    )  # fmt: skip


def _per_year(periods: float, lags: int) -> str:
    words = f", {periods:g} periods a year" if periods != 1 else ", per period"
    return words + (f", {lags} autocorrelations" if lags else "")
