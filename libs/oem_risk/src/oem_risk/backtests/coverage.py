"""Exceptions of value at risk: as many as promised, and one day like another.

Sources: Kupiec, "Techniques for verifying the accuracy of risk measurement models", J. Derivatives
3 (1995); Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.backtests.result import TestResult, require_counts
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share


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
    tail = 1 - share(level, "level")
    rate = exceptions / observations
    statistic = 2 * (
        _log_likelihood(rate, exceptions, observations)
        - _log_likelihood(tail, exceptions, observations)
    )
    return TestResult(
        "Kupiec proportion of failures", max(statistic, 0.0), _chi2(statistic, 1),
        "asymptotic, chi-squared(1)", observations, exceptions,
    )  # fmt: skip


def kupiec_exact(exceptions: int, observations: int, level: float = 0.99) -> TestResult:
    """Test the number of exceptions against the binomial distribution itself, two-sided.

    All outcomes that are no more likely than the one seen count (Sterne 1954), so that the size is
    held at every sample length, where the likelihood ratio's is not.
    """
    from scipy.stats import binomtest

    require_counts(exceptions, observations)
    tail = 1 - share(level, "level")
    found = binomtest(exceptions, observations, tail)
    return TestResult(
        "binomial", float(exceptions), float(found.pvalue), "exact", observations, exceptions
    )


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
    from scipy.stats import chi2

    limit = float(chi2.ppf(share(confidence, "confidence"), 1))
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


def independence(hits: ArrayLike) -> TestResult:
    """Test whether an exception follows an exception more often than a quiet day does.

    Args:
        hits: (n,) whether each day was an exception, in order of time.
    """
    return independence_counts(*transitions(hits))


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
    quiet, after = n00 + n01, n10 + n11
    total, events = quiet + after, n01 + n11
    apart = _log_likelihood(n01 / quiet if quiet else 0, n01, quiet) + _log_likelihood(
        n11 / after if after else 0, n11, after
    )
    statistic = max(2 * (apart - _log_likelihood(events / total, events, total)), 0.0)
    return TestResult(
        "Christoffersen independence", statistic, _chi2(statistic, 1),
        "asymptotic, chi-squared(1)", total + 1, events,
    )  # fmt: skip


def conditional_coverage(hits: ArrayLike, level: float = 0.99) -> TestResult:
    """Test number and independence of exceptions at once, chi-squared with two degrees."""
    days = _days(hits)
    return _both(kupiec(int(days.sum()), days.size, level), independence_counts(*transitions(days)))


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
    days = _days(hits)
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


def _days(hits: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    column = np.asarray(hits)
    if column.ndim != 1 or column.size < 2 or not np.isin(column, (0, 1)).all():
        raise DataProblem(
            "hits are not one column of at least two zeros and ones",
            where="hits",
            remedy="give one truth value for each day, in order",
        )
    return column.astype(np.bool_)


def _log_likelihood(rate: float, events: int, trials: int) -> float:
    # 0 log 0 is 0: an outcome that did not happen says nothing
    quiet = trials - events
    total = events * math.log(rate) if events else 0.0
    return total + (quiet * math.log1p(-rate) if quiet else 0.0)


def _chi2(statistic: float, degrees: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(max(statistic, 0.0), degrees))
