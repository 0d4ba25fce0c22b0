"""Value at risk and expected shortfall by the Cornish-Fisher expansion, with intervals.

Both are smooth functions of a sample's first four moments. The error of such a function over its
standard error is skewed: a sample without its law's rare large moves understates the measure and
its error together. So the interval is made of two parts:

- the standard error and the skewness of the influence of single observations by the jackknife
  (Tukey 1958; Efron, Stein 1981), which leaves out each observation in turn;
- the cubic transformation that removes that skewness from a studentised statistic and is monotone
  (Hall, "On the removal of skewness by transformation", J. Royal Statistical Society B 54, 1992).

The influence of an observation on a kurtosis is a fourth power and its skewness a twelfth moment,
which samples understate. `_SKEW` makes up for that: no theorem, but measured over laws and sizes,
see docs/reference/risk-coverage.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.distributions import normal_density, normal_quantile
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, share, varying
from oem_risk.measures.tail import ES_CONVENTION, VAR_CONVENTION

_SKEW = 1.75


def cornish_fisher_var(
    returns: ArrayLike, level: float = 0.99, confidence: float = 0.95
) -> Estimate:
    """Return value at risk by the Cornish-Fisher expansion (Cornish, Fisher 1937; third order).

    Args:
        returns: (n,) gains positive, at least ten.
        level: In (0, 1).
        confidence: Of the interval.

    Raises:
        DataProblem: Skewness and kurtosis lie where the expansion is not monotone, so that its
            quantiles would cross (Maillard 2012).
    """
    return _estimate(returns, level, confidence, es=False)


def cornish_fisher_es(
    returns: ArrayLike, level: float = 0.99, confidence: float = 0.95
) -> Estimate:
    """Return expected shortfall by the Cornish-Fisher expansion, its quantiles averaged exactly.

    Arguments and errors are those of `cornish_fisher_var`.
    """
    return _estimate(returns, level, confidence, es=True)


def cornish_fisher_z(z: float, skew: Floats, excess: Floats) -> Floats:
    """Return the standard normal quantile moved for skewness and excess kurtosis."""
    return np.asarray(
        z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    )


def _estimate(returns: ArrayLike, level: float, confidence: float, *, es: bool) -> Estimate:
    gains = varying(returns, least=10)
    n = gains.size
    z = normal_quantile(1 - share(level, "level"))
    density = normal_density(z) / (1 - level)
    deviate = normal_quantile((1 + share(confidence, "confidence")) / 2)
    # the measure moves and stretches with the sample: four powers of standard numbers suffice
    mean, deviation = float(gains.mean()), float(gains.std())
    scaled = (gains - mean) / deviation
    powers = np.cumprod(np.broadcast_to(scaled, (4, n)), axis=0)
    totals = powers.sum(axis=1)

    def worst(moments: Floats) -> Floats:
        first, *_ = moments
        variance, skew, excess = _shape(moments)
        if es:
            moved = -density * (
                1 + z * skew / 6 + (z**2 - 1) * excess / 24 - (2 * z**2 - 1) * skew**2 / 36
            )
        else:
            moved = cornish_fisher_z(z, skew, excess)
        return np.asarray(-(first + np.sqrt(variance) * moved), dtype=np.float64)

    _, skew, excess = (float(x) for x in _shape(totals / n))
    if not _monotone(skew, excess):
        raise DataProblem(
            f"skewness {skew:.2f} and excess kurtosis {excess:.2f} are outside the domain of the "
            "Cornish-Fisher expansion",
            where="returns",
            remedy="use the historical or the filtered measure",
        )
    value = float(worst(totals / n))
    without = worst((totals[:, None] - powers) / (n - 1))
    below, above = _ends(without, deviate)
    words = ES_CONVENTION.format(tail=1 - level) if es else VAR_CONVENTION.format(level=level)
    return Estimate(
        value * deviation - mean,
        (value + min(below, 0.0)) * deviation - mean,
        (value + max(above, 0.0)) * deviation - mean,
        confidence,
        "jackknife, skewness removed",
        f"{words}; Cornish-Fisher, third order",
        n,
    )


def _shape(moments: Floats) -> tuple[Floats, Floats, Floats]:
    """Return variance, skewness and excess kurtosis of the first four moments about 0."""
    first, second, third, fourth = moments
    variance = np.maximum(second - first**2, 1e-300)
    skew = (third - 3 * first * second + 2 * first**3) / variance**1.5
    raised = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    return variance, skew, raised / variance**2 - 3


def _ends(without: Floats, deviate: float) -> tuple[float, float]:
    """Return how far the truth may lie below and above a value.

    Args:
        without: (n,) the value without each observation in turn.
        deviate: Normal quantile of the interval's half.
    """
    n = without.size
    apart = without.mean() - without
    spread = math.sqrt(float(np.square(apart).mean()))
    if not (math.isfinite(spread) and spread > 0):
        raise DataProblem(
            "one observation alone makes the skewness or kurtosis of all",
            where="returns",
            remedy="use a longer sample",
        )
    error = spread * math.sqrt(n - 1)
    lean = _SKEW * float(((apart / spread) ** 3).mean()) / math.sqrt(n)

    def studentised(normal: float) -> float:
        # the inverse of t + a t^2 / 3 + a^2 t^3 / 27 + a / 6
        if abs(lean) < 1e-9:
            return normal
        return 3 / lean * (math.cbrt(1 + lean * (normal - lean / 6)) - 1)

    return -error * studentised(deviate), -error * studentised(-deviate)


def _monotone(skew: float, excess: float) -> bool:
    """Return whether quantiles between one in a million and its complement do not cross."""
    # d/dz: a z^2 + b z + c with the coefficients of the third-order expansion
    a = excess / 8 - skew**2 / 6
    b = skew / 3
    c = 1 - excess / 8 + 5 * skew**2 / 36
    far = 4.75
    looked = [-far, far] + ([min(max(-b / (2 * a), -far), far)] if a > 0 else [])
    return all(a * z * z + b * z + c > 0 for z in looked)
