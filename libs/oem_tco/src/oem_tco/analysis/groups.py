"""Costs by any combination of dimensions, every order counted once in each combination."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oem_tco.errors import InputError
from oem_tco.ledger.analysis import CostTotal, TcoResult, total_of
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.money import bps

_NS = 1_000_000_000
HOUR_NS = 3_600 * _NS
DAY_NS = 24 * HOUR_NS


class Dimension(enum.StrEnum):
    """What orders can be grouped by."""

    STRATEGY = "strategy"
    PROFILE = "profile"
    SCHEDULER = "scheduler"
    VENUE = "venue"
    SYMBOL = "symbol"
    ORDER_TYPE = "order_type"
    SIDE = "side"
    TIME_BUCKET = "time_bucket"
    """Buckets of equal length in UTC, named by their beginning."""
    HOUR = "hour"
    """Hour of the day, `00` to `23` UTC."""


REPORTED: tuple[Dimension, ...] = (
    Dimension.STRATEGY,
    Dimension.PROFILE,
    Dimension.SCHEDULER,
    Dimension.VENUE,
    Dimension.SYMBOL,
    Dimension.ORDER_TYPE,
    Dimension.TIME_BUCKET,
)
"""The dimensions a report breaks costs down by, in its order."""


@dataclass(frozen=True, slots=True)
class GroupCost:
    """What one group of orders cost.

    Attributes:
        key: One value for each dimension asked for.
        currency: Quote currency of the amounts; groups never mix currencies.
        costs: Exact sums, minor units.
        low_bps: Tenth percentile of the orders' costs, bps; so are `median_bps` and `high_bps`
            (ninetieth). Each order counts once, whatever its size.
    """

    key: tuple[str, ...]
    currency: str
    costs: CostTotal
    low_bps: float
    median_bps: float
    high_bps: float


def group_costs(
    result: TcoResult, by: Sequence[Dimension | str], *, bucket_ns: int = DAY_NS
) -> tuple[GroupCost, ...]:
    """Return the costs of every group that has orders, by key and currency.

    The groups partition the orders: their totals sum exactly to the total of the ledger.

    Args:
        result: The analysis of a ledger.
        by: Dimensions; none gives one group of all orders in each currency.
        bucket_ns: Length of a `time_bucket`, nanoseconds, above 0; buckets begin at multiples of
            it since 1970-01-01 UTC, and an order belongs to the bucket of its decision.

    Raises:
        InputError: A dimension is not known, named twice, or the bucket is not positive.
    """
    keys = [key_of(name, bucket_ns) for name in by]
    if len(set(map(str, by))) < len(by):
        raise InputError(
            "a dimension is named twice", where=", ".join(by), remedy="name each dimension once"
        )
    members: dict[tuple[tuple[str, ...], str], list[tuple[Shortfall, int]]] = {}
    for found, fills in zip(result.orders, result.fill_counts, strict=True):
        key = tuple(of(found) for of in keys)
        members.setdefault((key, found.order.currency), []).append((found, fills))
    groups = []
    for (key, currency), costed in sorted(members.items(), key=lambda item: item[0]):
        costs = sorted(bps(s.total, s.notional) for s, _ in costed if s.notional)
        groups.append(
            GroupCost(
                key,
                currency,
                total_of(costed),
                quantile(costs, 0.1),
                quantile(costs, 0.5),
                quantile(costs, 0.9),
            )
        )
    return tuple(groups)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of ascending numbers, linear between neighbours; nan of none.

    Source: definition 7 of Hyndman, Fan 1996, the default of NumPy and DuckDB's `quantile_cont`.

    Example:
        >>> quantile([1.0, 2.0, 4.0], 0.75)
        3.0
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(f"share is {share}", where="share", remedy="give a share from 0 to 1")
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def bucket_start(time_ns: int, bucket_ns: int) -> int:
    """Return the beginning of the bucket a time falls in, UTC nanoseconds."""
    if bucket_ns <= 0:
        raise InputError(
            f"a bucket of {bucket_ns} ns", where="bucket_ns", remedy="give a length above 0"
        )
    return time_ns // bucket_ns * bucket_ns


def bucket_name(start_ns: int, bucket_ns: int) -> str:
    """Return a bucket's name: its beginning, as short as its length allows.

    Example:
        >>> bucket_name(0, DAY_NS), bucket_name(HOUR_NS, HOUR_NS)
        ('1970-01-01', '1970-01-01T01:00Z')
    """
    moment = dt.datetime.fromtimestamp(start_ns // _NS, dt.UTC)
    if bucket_ns % DAY_NS == 0:
        return f"{moment:%Y-%m-%d}"
    if bucket_ns % (60 * _NS) == 0:
        return f"{moment:%Y-%m-%dT%H:%MZ}"
    fraction = f".{start_ns % _NS:09d}" if bucket_ns % _NS else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def currencies(orders: Iterable[Shortfall]) -> tuple[str, ...]:
    """Return the quote currencies of orders, by name."""
    return tuple(sorted({found.order.currency for found in orders}))


def key_of(name: Dimension | str, bucket_ns: int) -> Callable[[Shortfall], str]:
    """Return the function that tells an order's value of a dimension."""
    try:
        dimension = Dimension(name)
    except ValueError:
        raise InputError(
            f"{name!r} is not a dimension",
            where="by",
            remedy=f"name some of {', '.join(Dimension)}",
        ) from None
    if dimension is Dimension.TIME_BUCKET:
        return lambda s: bucket_name(bucket_start(s.order.decision_time_ns, bucket_ns), bucket_ns)
    if dimension is Dimension.HOUR:
        return lambda s: f"{s.order.decision_time_ns // HOUR_NS % 24:02d}"
    # the names of the other dimensions are those of the order's own fields
    return lambda s: str(getattr(s.order, dimension.value))
