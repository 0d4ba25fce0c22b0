"""The distributions that measures and tests ask for, from scipy's special functions.

`scipy.stats` gives the same numbers and takes a second or two to import, which every report of the
lab and every start of the command would pay.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

from scipy.special import (
    bdtr,
    bdtrc,
    chdtrc,
    gammaincinv,
    gammaln,
    nctdtrit,
    ndtr,
    ndtri,
    stdtrit,
    xlog1py,
    xlogy,
)

_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_TIE = 1 + 1e-7
"""Two outcomes whose probabilities differ by less are as likely as each other."""


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return float(ndtri(probability))


def normal_probability(value: float) -> float:
    """Return the probability of at most `value` under the standard normal distribution."""
    return float(ndtr(value))


def normal_density(value: float) -> float:
    """Return the density of the standard normal distribution."""
    return math.exp(-(value**2) / 2) / _ROOT_TWO_PI


def student_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t with so many degrees of freedom."""
    return float(stdtrit(degrees, probability))


def student_density(value: float, degrees: float) -> float:
    """Return the density of Student's t."""
    log_scale = float(gammaln((degrees + 1) / 2) - gammaln(degrees / 2))
    spread = math.pow(1 + value**2 / degrees, -(degrees + 1) / 2)
    return math.exp(log_scale) / math.sqrt(degrees * math.pi) * spread


def noncentral_t_quantile(probability: float, degrees: float, centre: float) -> float:
    """Return the quantile of the non-central t distribution."""
    return float(nctdtrit(degrees, centre, probability))


def chi2_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of the chi-squared distribution."""
    return 2 * float(gammaincinv(degrees / 2, probability))


def chi2_survival(value: float, degrees: float) -> float:
    """Return the probability of more than `value` under the chi-squared distribution."""
    return float(chdtrc(degrees, max(value, 0.0)))


def binomial_probability(events: int, trials: int, chance: float) -> float:
    """Return the probability of at most so many events."""
    return float(bdtr(events, trials, chance))


def binomial_p_value(events: int, trials: int, chance: float) -> float:
    """Return the two-sided p-value of a count (Sterne 1954).

    It is the probability of all counts that are no more likely than the one seen.
    """
    mean = trials * chance
    if events == mean:
        return 1.0

    def log_chance(count: int) -> float:
        ways = gammaln(trials + 1) - gammaln(count + 1) - gammaln(trials - count + 1)
        return float(ways + xlogy(count, chance) + xlog1py(trials - count, -chance))

    likely = log_chance(events) + math.log(_TIE)
    # on either side of the mean the chances fall: the other side's first is found by halving
    if events < mean:
        above = range(math.ceil(mean), trials + 1)
        far = above.start + bisect_left(above, -likely, key=lambda count: -log_chance(count))
        other = float(bdtrc(far - 1, trials, chance)) if far <= trials else 0.0
        return min(1.0, float(bdtr(events, trials, chance)) + other)
    far = bisect_right(range(math.floor(mean) + 1), likely, key=log_chance)
    other = float(bdtr(far - 1, trials, chance)) if far else 0.0
    return min(1.0, float(bdtrc(events - 1, trials, chance)) + other)
