"""Intervals of a probability that hold however often one looks, and whenever one stops.

An ordinary 95 % interval holds at a number of trials fixed beforehand. Whoever looks after every
batch and stops at the first interval that pleases is wrong far more often: on a probability that
sits on the limit, sooner or later certainly. A confidence sequence covers the true probability at
all numbers of trials at once with the stated confidence.

Method: Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
Mathematical Statistics 41 (1970), mixtures; Lai, "On confidence sequences", Annals of Statistics 4
(1976), for the binomial; Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 49 (2021). For a probability p and a beta
prior the ratio

    M_n(p) = B(a + s, b + n - s) / (B(a, b) p^s (1 - p)^(n - s))

of the mixture's likelihood of s events in n trials to that of p is a martingale of mean 1 when p is
true, so by Ville's inequality it ever reaches 1 / alpha with probability alpha at most. The
interval is all p with M_n(p) < 1 / alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share


def confidence_sequence(
    events: int, trials: int, confidence: float = 0.95, *, expected: float = 0.5
) -> tuple[float, float]:
    """Return an interval of a probability that is valid at every number of trials at once.

    Args:
        events: Trials on which it happened.
        trials: Trials so far, independent and alike, at least 1.
        confidence: That the true probability lies inside at all times, in (0, 1).
        expected: Where the interval should be narrowest, in (0, 1), such as the limit it will be
            held against; chosen before the first trial. Any value keeps the guarantee.

    Returns:
        Lower and upper end.

    Example:
        >>> low, high = confidence_sequence(0, 300, expected=0.05)
        >>> low, round(high, 4)
        (0.0, 0.0157)
    """
    if trials < 1 or not 0 <= events <= trials:
        raise DataProblem(
            f"{events} events in {trials} trials",
            where="events",
            remedy="count events among at least one trial",
        )
    bound = -math.log(1 - share(confidence, "confidence"))
    prior = mixture_prior(share(expected, "expected"))

    def above(p: float) -> float:
        return log_ratio(events, trials, p, prior) - bound

    rate = events / trials
    low = _root(above, rate, 0.0) if events else 0.0
    high = _root(above, rate, 1.0) if events < trials else 1.0
    return low, high


def mixture_prior(expected: float) -> tuple[float, float]:
    """Return the beta prior whose mean is `expected`, as wide as half an event's knowledge.

    At 0.5 it is that of Jeffreys.
    """
    if expected <= 0.5:
        return 0.5, 0.5 * (1 - expected) / expected
    return 0.5 * expected / (1 - expected), 0.5


def log_ratio(events: float, trials: float, p: float, prior: tuple[float, float]) -> float:
    """Return `log M_n(p)`; p strictly between 0 and 1."""
    a, b = prior
    quiet = trials - events
    mixed = _log_beta(a + events, b + quiet) - _log_beta(a, b)
    return mixed - events * math.log(p) - quiet * math.log1p(-p)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _root(above: Callable[[float], float], inside: float, outside: float) -> float:
    """Return where the ratio reaches the bound between the rate seen and an end of [0, 1].

    The ratio falls towards the rate and rises without bound towards the end, so bisection finds the
    one crossing; it returns the outer side, so that rounding never narrows the interval.
    """
    for _ in range(200):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        if 0.0 < middle < 1.0 and above(middle) < 0:
            inside = middle
        else:
            outside = middle
    return outside
