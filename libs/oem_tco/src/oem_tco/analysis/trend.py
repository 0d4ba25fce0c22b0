"""Whether costs rise or fall: a rank test over time buckets, and a slope that no outlier moves.

Sources: Mann 1945 and Kendall 1975 (test), Theil 1950 and Sen 1968 (slope and its interval),
Holm 1979 (many groups tested at once).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from oem_tco.analysis.groups import DAY_NS, Dimension, bucket_start, key_of
from oem_tco.errors import InputError
from oem_tco.ledger.analysis import TcoResult
from oem_tco.money import bps

SIGNIFICANCE = 0.05
MOST_BUCKETS = 2_000
_EXACT_UP_TO = 30


class Direction(enum.StrEnum):
    """What a trend says."""

    RISING = "rising"
    FALLING = "falling"
    NONE = "none"
    """The test does not reject that costs stayed as they were."""
    UNKNOWN = "unknown"
    """Too few buckets: no order of them could be significant."""


@dataclass(frozen=True, slots=True)
class TrendFit:
    """Test and slope of one series.

    Attributes:
        points: Length of the series.
        slope: Median of all pairwise slopes; nan below two points.
        slope_low: Lower end of its 95 % interval; so is `slope_high`.
        p_value: Two-sided, of no trend; 1 below two points.
    """

    points: int
    slope: float
    slope_low: float
    slope_high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class CostTrend:
    """How the cost of a group moves.

    Attributes:
        key: Values of the dimensions asked for.
        currency: Quote currency.
        starts_ns: Beginning of each bucket that has orders.
        cost_bps: Cost of each bucket, bps of its notional.
        fit: Test and slope; the slope is in bps a day.
        p_adjusted: The p-value held against the number of groups that were tested.
        direction: The verdict at the 5 % level of `p_adjusted`.
    """

    key: tuple[str, ...]
    currency: str
    starts_ns: tuple[int, ...]
    cost_bps: tuple[float, ...]
    fit: TrendFit
    p_adjusted: float
    direction: Direction


def cost_trends(
    result: TcoResult, *, by: Sequence[Dimension | str] = (), bucket_ns: int = DAY_NS
) -> tuple[CostTrend, ...]:
    """Return the trend of every group's cost, by key.

    Args:
        result: The analysis of a ledger.
        by: Dimensions to group by; none gives one trend a currency.
        bucket_ns: Length of a bucket, nanoseconds; buckets without orders are left out.

    Raises:
        InputError: More than 2,000 buckets, or a dimension that is not known.
    """
    keys = [key_of(name, bucket_ns) for name in by]
    series: dict[tuple[tuple[str, ...], str], dict[int, list[int]]] = {}
    for found in result.orders:
        start = bucket_start(found.order.decision_time_ns, bucket_ns)
        group = (tuple(of(found) for of in keys), found.order.currency)
        sums = series.setdefault(group, {}).setdefault(start, [0, 0])
        sums[0] += found.total
        sums[1] += found.notional
    found_trends = []
    for (key, currency), buckets in sorted(series.items()):
        starts = tuple(sorted(start for start, (_, notional) in buckets.items() if notional))
        costs = tuple(bps(*buckets[start]) for start in starts)
        fit = fit_trend([start / DAY_NS for start in starts], costs)
        found_trends.append((key, currency, starts, costs, fit))
    adjusted = holm([fit.p_value for *_, fit in found_trends])
    return tuple(
        CostTrend(*found, p_adjusted=p, direction=_direction(found[-1], p))
        for found, p in zip(found_trends, adjusted, strict=True)
    )


def fit_trend(times: Sequence[float], values: Sequence[float]) -> TrendFit:
    """Return test and slope of a series; the exact null distribution is used up to 30 points.

    Args:
        times: Ascending, all different.
        values: Finite, one for each time; ties are allowed.

    Raises:
        InputError: Lengths differ, times do not ascend, a value is not finite, or there are more
            than 2,000 points.

    Example:
        >>> fit = fit_trend([0, 1, 2, 3, 4], [1.0, 3.0, 5.0, 7.0, 9.0])
        >>> fit.slope, round(fit.p_value, 6)
        (2.0, 0.016667)
    """
    n = len(values)
    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if len(x) != n or not np.isfinite(y).all() or not (np.diff(x) > 0).all():
        raise InputError(
            "the series needs ascending times and one finite value for each",
            where="values",
            remedy="leave out buckets without orders",
        )
    if n > MOST_BUCKETS:
        raise InputError(
            f"{n} buckets, more than {MOST_BUCKETS}",
            where="bucket_ns",
            remedy="choose longer buckets",
        )
    if n < 2:
        return TrendFit(n, math.nan, math.nan, math.nan, 1.0)
    first, second = np.triu_indices(n, k=1)
    rise = y[second] - y[first]
    score = int(np.sign(rise).sum())
    slopes = np.sort(rise / (x[second] - x[first]))
    ties = [int(count) for count in np.unique(y, return_counts=True)[1]]
    variance = (
        n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
    ) / 18  # Kendall 1975
    pairs = len(slopes)
    half = NormalDist().inv_cdf(1 - SIGNIFICANCE / 2) * math.sqrt(variance)
    low = max(round((pairs - half) / 2) - 1, 0)
    high = min(round((pairs + half) / 2), pairs - 1)
    if max(ties) == 1 and n <= _EXACT_UP_TO:
        p_value = _exact_p(n, score)
    elif variance == 0 or score == 0:
        p_value = 1.0
    else:
        z = (abs(score) - 1) / math.sqrt(variance)
        p_value = 2.0 * (1.0 - NormalDist().cdf(z))
    return TrendFit(
        n, float(np.median(slopes)), float(slopes[low]), float(slopes[high]), min(p_value, 1.0)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for testing all of them at once (Holm's step-down).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: (p_values[i], i))
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _direction(fit: TrendFit, p_adjusted: float) -> Direction:
    if fit.points < 2 or 2 / math.factorial(min(fit.points, 20)) > SIGNIFICANCE:
        return Direction.UNKNOWN
    if p_adjusted > SIGNIFICANCE:
        return Direction.NONE
    return Direction.RISING if fit.slope > 0 else Direction.FALLING


def _exact_p(n: int, score: int) -> float:
    """Return the two-sided p of Mann's score without ties, by counting permutations."""
    counts = [1]
    for k in range(2, n + 1):
        # inserting the k-th value adds 0 to k-1 inversions
        longer = [0] * (len(counts) + k - 1)
        window = 0
        for i in range(len(longer)):
            window += counts[i] if i < len(counts) else 0
            window -= counts[i - k] if i >= k else 0
            longer[i] = window
        counts = longer
    inversions = (n * (n - 1) // 2 - abs(score)) // 2
    return min(1.0, 2 * sum(counts[: inversions + 1]) / math.factorial(n))
