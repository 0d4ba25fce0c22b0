"""Value at risk and expected shortfall from the sample itself and from fitted distributions.

Gains are positive in the input; both measures are losses, so a positive number is money lost. At
level 0.99 value at risk is the loss exceeded in 1 % of cases, expected shortfall the average of
the worst 1 %.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.distributions import (
    noncentral_t_quantile,
    normal_density,
    normal_probability,
    normal_quantile,
)
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import (
    Estimate,
    Floats,
    finite,
    share,
    varying,
)
from oem_risk.measures.tail_bootstrap import LEAST_BOUNDED, tail_mean_interval

VAR_CONVENTION = "loss exceeded with probability 1 - {level:g}, positive is a loss"
ES_CONVENTION = "mean of the worst {tail:g} of outcomes, positive is a loss"


def historical_var(returns: ArrayLike, level: float = 0.99, confidence: float = 0.95) -> Estimate:
    """Return historical value at risk with an exact interval from order statistics.

    The estimate is the `floor(n (1 - level)) + 1`-th largest loss, the upper quantile of the
    sample. The interval holds for any continuous distribution (David, Nagaraja 2003, 7.1); where
    the sample is too short for its upper end, that end is infinite.

    Args:
        returns: (n,) gains positive, any unit.
        level: In (0, 1), such as 0.99.
        confidence: Of the interval.

    Raises:
        DataProblem: The sample is empty, constant, or holds numbers that are not finite.

    Example:
        >>> found = historical_var([-float(n) for n in range(1, 1001)], 0.99)
        >>> found.value, found.low, found.high
        (990.0, 984.0, 997.0)
    """
    losses = np.sort(-varying(returns))[::-1]
    n = losses.size
    k = tail_count(n, share(level, "level"))
    near, far = order_statistic_ranks(n, 1 - level, confidence)
    return Estimate(
        float(losses[min(math.floor(k), n - 1)]),
        float(losses[far - 1]) if far <= n else -math.inf,
        float(losses[near - 1]) if near >= 1 else math.inf,
        confidence,
        "order statistics, exact",
        VAR_CONVENTION.format(level=level),
        n,
    )


def historical_es(
    returns: ArrayLike,
    level: float = 0.99,
    confidence: float = 0.95,
    *,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Return historical expected shortfall, the last loss counted with its fraction.

    With k = n (1 - level) the k worst losses are averaged; where k is not whole, the next loss
    counts with the fraction (Acerbi, Tasche 2002). So the measure is coherent at every n. The
    interval is a studentised bootstrap from a sample with a smooth tail (see
    `oem_risk.measures.tail_bootstrap`); below ten observations it is unbounded.

    Args:
        returns: (n,) gains positive, any unit.
        level: In (0, 1).
        confidence: Of the interval.
        rng: Source of the resamples; None is a fixed seed.

    Example:
        >>> round(historical_es([-1.0, -2.0, -3.0, 4.0, 5.0], 0.7).value, 6)
        2.666667
    """
    losses = np.sort(-varying(returns))[::-1]
    n, k = losses.size, tail_count(losses.size, share(level, "level"))
    share(confidence, "confidence")
    value = float(losses @ tail_weights(n, level))
    convention = ES_CONVENTION.format(tail=1 - level)
    if n < LEAST_BOUNDED:
        words = f"none: fewer than {LEAST_BOUNDED} observations bound nothing"
        return Estimate(value, -math.inf, math.inf, confidence, words, convention, n)
    low, high = tail_mean_interval(losses, k, confidence, rng or np.random.default_rng(0))
    return Estimate(
        value, min(low, value), max(high, value), confidence,
        "studentised bootstrap, smooth tail", convention, n,
    )  # fmt: skip


def normal_var(returns: ArrayLike, level: float = 0.99, confidence: float = 0.95) -> Estimate:
    """Return value at risk of a normal distribution fitted to the sample.

    The interval is exact for normal samples (non-central t; Hahn, Meeker 1991, 4.4).
    """
    gains = varying(returns)
    z = normal_quantile(share(level, "level"))
    return _normal(gains, z, confidence, VAR_CONVENTION.format(level=level))


def normal_es(returns: ArrayLike, level: float = 0.99, confidence: float = 0.95) -> Estimate:
    """Return expected shortfall of a normal distribution fitted to the sample, interval exact."""
    gains = varying(returns)
    return _normal(gains, normal_tail(share(level, "level")).es, confidence,
                   ES_CONVENTION.format(tail=1 - level))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tail:
    """Value at risk and expected shortfall of a distribution that is known."""

    var: float
    es: float


def normal_tail(level: float, mean: float = 0.0, deviation: float = 1.0) -> Tail:
    """Return the tail of a normal distribution of gains.

    Raises:
        DataProblem: The level is not in (0, 1), the mean not finite, or the deviation not above 0.

    Example:
        >>> tail = normal_tail(0.99)
        >>> round(tail.var, 6), round(tail.es, 6)
        (2.326348, 2.665214)
    """
    finite(mean, "mean")
    finite(deviation, "deviation", above=0.0)
    z = normal_quantile(share(level, "level"))
    density = normal_density(z) / (1 - level)
    return Tail(z * deviation - mean, density * deviation - mean)


def lognormal_tail(
    level: float, price: float, drift: float, volatility: float, horizon: float
) -> Tail:
    """Return the tail of the loss `price - S(T)` of a geometric Brownian motion.

    Args:
        level: In (0, 1).
        price: S(0), above 0.
        drift: Mu of `dS = mu S dt + sigma S dW`, per unit of time; so is volatility.
        volatility: Sigma, above 0.
        horizon: T, above 0.

    Example:
        >>> tail = lognormal_tail(0.99, 100, 0.1, 0.5, 1)
        >>> round(tail.var, 4), round(tail.es, 4)
        (69.5223, 73.9831)
    """
    for name, value in (("price", price), ("volatility", volatility), ("horizon", horizon)):
        if not math.isfinite(value) or value <= 0:
            raise DataProblem(f"{name} is {value}", where=name, remedy="give a number above 0")
    finite(drift, "drift")
    z = normal_quantile(1 - share(level, "level"))
    spread = volatility * math.sqrt(horizon)
    quantile = price * math.exp((drift - volatility**2 / 2) * horizon + spread * z)
    mean = price * math.exp(drift * horizon) * normal_probability(z - spread) / (1 - level)
    return Tail(price - quantile, price - mean)


def order_statistic_ranks(n: int, tail: float, confidence: float = 0.95) -> tuple[int, int]:
    """Return the ranks of the losses, largest first, that enclose the quantile.

    Args:
        n: Size of the sample, at least 1.
        tail: Probability of the tail, 1 - level.
        confidence: Least coverage of the interval.

    Returns:
        Rank of the upper end (0 where no loss bounds it) and of the lower end (n + 1 likewise).

    Example:
        >>> order_statistic_ranks(1_000, 0.01), order_statistic_ranks(10_000, 0.01)
        ((4, 17), (81, 120))
    """
    # scipy.stats takes a second to import, and a report asks for nothing else of it
    from scipy.special import betaincc

    share(confidence, "confidence")
    share(tail, "tail")
    rest = (1 - confidence) / 2

    def at_most(events: int) -> float:
        if events < 0:
            return 0.0
        return float(betaincc(events + 1, n - events, tail)) if events < n else 1.0

    def covered(first: int, last: int) -> float:
        return at_most(last - 1) - at_most(first - 1)

    near = bisect_left(range(n), rest, key=at_most)
    far = bisect_left(range(n), 1 - rest, key=at_most)

    far = max(far, near + 1)
    while covered(near, far) < confidence and (near > 0 or far <= n):
        if near > 0 and (far > n or covered(near - 1, far) >= covered(near, far + 1)):
            near -= 1
        else:
            far += 1
    return near, far


def certifying_paths(limit: float, confidence: float = 0.95) -> int:
    """Return how many trials without an event show that its probability is below a limit.

    Example:
        >>> certifying_paths(0.01)
        299
    """
    share(limit, "limit")
    return math.ceil(math.log(1 - share(confidence, "confidence")) / math.log1p(-limit))


def tail_weights(n: int, level: float) -> Floats:
    """Return the weights of losses, largest first, that average to expected shortfall."""
    k = tail_count(n, level)
    weights = np.zeros(n)
    whole = min(math.floor(k), n)
    weights[:whole] = 1.0
    if whole < n:
        weights[whole] = k - whole
    return np.asarray(weights / k, dtype=np.float64)


def tail_count(n: int, level: float) -> float:
    """Return `n (1 - level)`, the number of losses in the tail, whole where it is meant to be."""
    # 1 - 0.99 is a little more than 0.01 in binary: whole numbers are meant where they are near
    k = n * (1 - level)
    return float(round(k)) if abs(k - round(k)) < 1e-9 * max(n, 1) else k


def _normal(gains: Floats, factor: float, confidence: float, convention: str) -> Estimate:
    n = gains.size
    mean, deviation = float(gains.mean()), float(gains.std(ddof=1))
    rest = (1 - share(confidence, "confidence")) / 2
    root = math.sqrt(n)
    low, high = (
        noncentral_t_quantile(p, n - 1, factor * root) / root * deviation - mean
        for p in (rest, 1 - rest)
    )
    return Estimate(
        factor * deviation - mean, low, high, confidence, "non-central t, exact if normal",
        convention, n,
    )  # fmt: skip
