"""Orders whose cost is far from that of their like: marked, and never dropped from any sum.

Source: Iglewicz, Hoaglin, "How to Detect and Handle Outliers", ASQC (1993): modified z-scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from oem_tco.analysis.groups import Dimension, key_of
from oem_tco.errors import InputError
from oem_tco.ledger.analysis import TcoResult
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.money import bps

MINIMUM = 5
"""Orders a group needs before one of them can be called unusual."""
LIMIT = 3.5
"""The score above which Iglewicz and Hoaglin label an outlier."""
_MAD_TO_SIGMA = 0.6745
_MEAN_AD_TO_SIGMA = 1.253314


@dataclass(frozen=True, slots=True)
class Outlier:
    """An order whose cost is unusual among its like.

    Attributes:
        order_id: The order.
        group: Values of the dimensions its like share.
        cost_bps: What it cost; `median_bps` is what its like cost.
        score: Modified z-score, positive is dearer than its like.
    """

    order_id: str
    group: tuple[str, ...]
    cost_bps: float
    median_bps: float
    score: float


def find_outliers(
    result: TcoResult,
    *,
    by: Sequence[Dimension | str] = (Dimension.VENUE, Dimension.SYMBOL),
    limit: float = LIMIT,
) -> tuple[Outlier, ...]:
    """Return the orders whose cost in bps is far from the median of their like.

    Groups of fewer than five orders have no outliers. The orders stay in every total.

    Args:
        result: The analysis of a ledger.
        by: Orders are alike when these dimensions agree; the currency always has to.
        limit: Modified z-score above which an order is marked, above 0.

    Returns:
        Outliers by falling absolute score, then id.

    Raises:
        InputError: A dimension is not known or the limit not positive.
    """
    if not limit > 0 or not math.isfinite(limit):
        raise InputError(f"limit is {limit}", where="limit", remedy="give a score above 0")
    keys = [key_of(name, 1) for name in by]
    alike: dict[tuple[str, ...], list[Shortfall]] = {}
    for found in result.orders:
        if not found.notional:
            continue  # worth less than a minor unit: it has no basis points
        key = (*(of(found) for of in keys), found.order.currency)
        alike.setdefault(key, []).append(found)
    outliers = []
    for key, orders in alike.items():
        costs = [bps(found.total, found.notional) for found in orders]
        middle, scores = modified_scores(costs)
        outliers += [
            Outlier(found.order.order_id, key[:-1], cost, middle, score)
            for found, cost, score in zip(orders, costs, scores, strict=True)
            if abs(score) > limit
        ]
    return tuple(sorted(outliers, key=lambda o: (-abs(o.score), o.order_id)))


def modified_scores(values: Sequence[float]) -> tuple[float, list[float]]:
    """Return the median and the modified z-score of every value.

    The scale is the median absolute deviation; where more than half of the values are equal it is
    0, and the mean absolute deviation stands in. With fewer than five values, or all equal, every
    score is 0.

    Args:
        values: Finite numbers.

    Example:
        >>> middle, scores = modified_scores([1.0, 2.0, 3.0, 4.0, 100.0])
        >>> middle, round(scores[-1], 4)
        (3.0, 65.4265)
    """
    if len(values) < MINIMUM:
        return (median(values) if values else math.nan), [0.0] * len(values)
    middle = median(values)
    distances = [abs(value - middle) for value in values]
    scale = median(distances) / _MAD_TO_SIGMA
    if scale == 0.0:
        scale = _MEAN_AD_TO_SIGMA * math.fsum(distances) / len(distances)
    if scale == 0.0:
        return middle, [0.0] * len(values)
    return middle, [(value - middle) / scale for value in values]
