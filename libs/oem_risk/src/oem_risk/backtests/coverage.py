"""Exceptions of value at risk: as many as promised, and one day like another.

Sources: Kupiec, "Techniques for verifying the accuracy of risk measurement models", J. Derivatives
3 (1995); Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.backtests.result import TestResult, require_counts
from oem_risk.distributions import binomial_p_value, chi2_quantile, chi2_survival
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share

Days = np.ndarray[tuple[int], np.dtype[np.bool_]]
_LEAST_SIMULATIONS = 99


def kupiec(exceptions: int, observations: int, level: float = 0.99) -> TestResult:
    """Test the proportion of failures by its likelihood ratio, chi-squared with one degree.

    Args:
        exceptions: Losses beyond value at risk.
        observations: Forecasts.
        level: Of value at risk, such as 0.99.

    Example:
        >>> found = kupiec(57, 1043, 0.95)
        >>> round(found.statistic, 5), round(found.p_value, 5)
        (0.46147, 0.49694)
    """
    require_counts(exceptions, observations)
    statistic = _coverage_ratio(exceptions, observations, 1 - share(level, "level"))
    return TestResult(
        "Kupiec proportion of failures", statistic, _chi2(statistic, 1),
        "asymptotic, chi-squared(1)", observations, exceptions,
    )  # fmt: skip


def kupiec_exact(exceptions: int, observations: int, level: float = 0.99) -> TestResult:
    """Test the number of exceptions against the binomial distribution itself, two-sided.

    All outcomes that are no more likely than the one seen count (Sterne 1954), so that the size is
    held at every sample length, where the likelihood ratio's is not.
    """
    require_counts(exceptions, observations)
    tail = 1 - share(level, "level")
    p_value = binomial_p_value(exceptions, observations, tail)
    return TestResult("binomial", float(exceptions), p_value, "exact", observations, exceptions)


def kupiec_region(
    observations: int, level: float = 0.99, confidence: float = 0.95
) -> tuple[int, int]:
    """Return the exclusive bounds of the exceptions at which Kupiec's test does not reject.

    The published table prints `N < 7` for 255 days at 1 %, though zero exceptions are rejected
    too (the ratio is 5.126); this function says (0, 7).

    Example:
        >>> kupiec_region(255, 0.99), kupiec_region(1000, 0.95)
        ((0, 7), (37, 65))
    """
    limit = chi2_quantile(share(confidence, "confidence"), 1)
    require_counts(0, observations)
    share(level, "level")
    expected = round(observations * (1 - level))

    def kept(count: int) -> bool:
        inside = 0 <= count <= observations
        return inside and kupiec(count, observations, level).statistic <= limit

    low = high = expected
    if not kept(expected):
        around = [n for n in range(observations + 1) if kept(n)]
        if not around:
            return expected, expected
        low = high = around[0]
    while kept(low - 1):
        low -= 1
    while kept(high + 1):
        high += 1
    return low - 1, high + 1


def independence(hits: ArrayLike, *, simulations: int = 0, seed: int = 0) -> TestResult:
    """Test whether an exception follows an exception more often than a quiet day does.

    Exceptions are few, and the chi-squared law is then a rough guide (Christoffersen, Pelletier,
    J. Financial Econometrics 2, 2004). With `simulations` the p-value is that of a Monte Carlo
    test (Dufour, J. Econometrics 133, 2006) instead: if days are alike, every order of the
    exceptions seen is as likely as any other. No or only exceptions say nothing: p is 1.

    Args:
        hits: (n,) whether each day was an exception, in order of time.
        simulations: Orders drawn for the p-value, 0 for the chi-squared law.
        seed: Of the simulation; the same seed gives the same answer.

    Example:
        >>> days = [day in (40, 41, 42, 180) for day in range(250)]
        >>> independence(days).method, independence(days, simulations=999).method
        ('asymptotic, chi-squared(1)', 'simulated, 999 orders')
    """
    days = _days(hits)
    found = independence_counts(*transitions(days))
    if _simulated(simulations) == 0 or days.all() or not days.any():
        return found
    rng = np.random.default_rng(seed)
    drawn = (rng.permutation(days) for _ in range(simulations))
    p_value = _monte_carlo(
        found.statistic, (_independence_ratio(*_transitions(d)) for d in drawn), rng
    )
    return replace(found, p_value=p_value, method=f"simulated, {simulations} orders")


def independence_counts(n00: int, n01: int, n10: int, n11: int) -> TestResult:
    """Test independence from transition counts; nij went from state i to state j (1: exception).

    Example:
        >>> found = independence_counts(932, 53, 53, 4)
        >>> round(found.statistic, 5), round(found.p_value, 5)
        (0.25866, 0.61104)
    """
    if min(n00, n01, n10, n11) < 0 or n00 + n01 + n10 + n11 < 1:
        raise DataProblem(
            "there are no transitions", where="hits", remedy="give at least two days in order"
        )
    statistic = _independence_ratio(n00, n01, n10, n11)
    return TestResult(
        "Christoffersen independence", statistic, _chi2(statistic, 1),
        "asymptotic, chi-squared(1)", n00 + n01 + n10 + n11 + 1, n01 + n11,
    )  # fmt: skip


def conditional_coverage(
    hits: ArrayLike, level: float = 0.99, *, simulations: int = 0, seed: int = 0
) -> TestResult:
    """Test number and independence of exceptions at once, chi-squared with two degrees.

    Args:
        hits: (n,) whether each day was an exception, in order of time.
        level: Of value at risk.
        simulations: Histories of independent days drawn for the p-value, 0 for the chi-squared law.
        seed: Of the simulation; the same seed gives the same answer.
    """
    days = _days(hits)

    counted = kupiec(int(days.sum()), days.size, level)
    found = _both(counted, independence_counts(*_transitions(days)))
    if _simulated(simulations) == 0:
        return found
    rng = np.random.default_rng(seed)

    def drawn() -> float:
        series = rng.random(days.size) < 1 - level
        return _coverage_ratio(int(series.sum()), days.size, 1 - level) + _independence_ratio(
            *_transitions(series)
        )

    p_value = _monte_carlo(found.statistic, (drawn() for _ in range(simulations)), rng)
    return replace(found, p_value=p_value, method=f"simulated, {simulations} histories")


def conditional_coverage_counts(
    exceptions: int, observations: int, n00: int, n01: int, n10: int, n11: int, level: float = 0.99
) -> TestResult:
    """Test conditional coverage from counts; the first day has no transition into it.

    Example:
        >>> found = conditional_coverage_counts(57, 1043, 932, 53, 53, 4, 0.95)
        >>> round(found.statistic, 5), round(found.p_value, 5)
        (0.72013, 0.69763)
    """
    return _both(kupiec(exceptions, observations, level), independence_counts(n00, n01, n10, n11))


def transitions(hits: ArrayLike) -> tuple[int, int, int, int]:
    """Return n00, n01, n10, n11 of a series of days."""
    return _transitions(_days(hits))


def _transitions(days: Days) -> tuple[int, int, int, int]:
    before, after = days[:-1], days[1:]
    return (
        int((~before & ~after).sum()),
        int((~before & after).sum()),
        int((before & ~after).sum()),
        int((before & after).sum()),
    )


def _both(first: TestResult, second: TestResult) -> TestResult:
    statistic = first.statistic + second.statistic
    return TestResult(
        "Christoffersen conditional coverage", statistic, _chi2(statistic, 2),
        "asymptotic, chi-squared(2)", first.observations, first.exceptions,
    )  # fmt: skip


def _simulated(simulations: int) -> int:
    if simulations < 0 or 0 < simulations < _LEAST_SIMULATIONS:
        raise DataProblem(
            f"simulations is {simulations}",
            where="simulations",
            remedy=f"give at least {_LEAST_SIMULATIONS}, or 0 for the asymptotic law",
        )
    return simulations


def _monte_carlo(seen: float, drawn: Iterable[float], rng: np.random.Generator) -> float:
    """Return the p-value of a statistic by those of simulated histories.

    Statistics of counts are often equal: ties are broken at random, which keeps the test's size.
    """
    statistics = np.fromiter(drawn, np.float64)
    near = 1e-9 * (1 + seen)
    above = int((statistics > seen + near).sum())
    ties = int((np.abs(statistics - seen) <= near).sum())
    broken = int((rng.random(ties) >= rng.random()).sum())
    return (above + broken + 1) / (statistics.size + 1)


def _days(hits: ArrayLike) -> Days:
    column = np.asarray(hits)
    if column.ndim != 1 or column.size < 2 or not np.isin(column, (0, 1)).all():
        raise DataProblem(
            "hits are not one column of at least two zeros and ones",
            where="hits",
            remedy="give one truth value for each day, in order",
        )
    return column.astype(np.bool_)


def _coverage_ratio(exceptions: int, observations: int, tail: float) -> float:
    seen = _log_likelihood(exceptions / observations, exceptions, observations)
    return max(2 * (seen - _log_likelihood(tail, exceptions, observations)), 0.0)


def _independence_ratio(n00: int, n01: int, n10: int, n11: int) -> float:
    quiet, after = n00 + n01, n10 + n11
    total, events = quiet + after, n01 + n11
    apart = _log_likelihood(n01 / quiet if quiet else 0, n01, quiet) + _log_likelihood(
        n11 / after if after else 0, n11, after
    )
    return max(2 * (apart - _log_likelihood(events / total, events, total)), 0.0)


def _log_likelihood(rate: float, events: int, trials: int) -> float:
    # 0 log 0 is 0: an outcome that did not happen says nothing
    quiet = trials - events
    total = events * math.log(rate) if events else 0.0
    return total + (quiet * math.log1p(-rate) if quiet else 0.0)


def _chi2(statistic: float, degrees: int) -> float:
    return chi2_survival(statistic, degrees)
