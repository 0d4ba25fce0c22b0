"""Measures of a market as plain functions: spread, depth, price of size, realised volatility."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from oem_exec.model.enums import Side
from oem_exec.simulation.walk import walk_book
from oem_exec.venue import BookSnapshot

_BPS = Decimal(10_000)
_NS = 1_000_000_000


def sound(book: BookSnapshot) -> bool:
    """Return whether a book can be used: both sides there, in order, not crossed, all above 0."""
    for side, sign in ((book.bids, -1), (book.asks, 1)):
        last: Decimal | None = None
        for price, size in side:
            if not (price.is_finite() and size.is_finite() and price > 0 and size > 0):
                return False
            if last is not None and (price - last) * sign <= 0:
                return False
            last = price
        if last is None:
            return False
    return book.bids[0][0] < book.asks[0][0]


def mid_price(book: BookSnapshot) -> Decimal:
    """Return the middle between best bid and best ask."""
    return (book.bids[0][0] + book.asks[0][0]) / 2


def spread_bps(book: BookSnapshot) -> float:
    """Return the quoted spread in basis points of the mid.

    Example:
        >>> D = Decimal
        >>> spread_bps(BookSnapshot("BTC/USDT", [(D(99), D(1))], [(D(101), D(1))], 0))
        200.0
    """
    return float((book.asks[0][0] - book.bids[0][0]) / mid_price(book) * _BPS)


def depth_within(book: BookSnapshot, side: Side, within_bps: float) -> Decimal:
    """Return the base units that an order of `side` finds no further than this from the mid.

    Args:
        book: A sound book; only its visible levels count.
        side: Buy counts asks, sell counts bids.
        within_bps: Distance from the mid, basis points, >= 0.
    """
    mid = mid_price(book)
    reach = mid * Decimal(repr(within_bps)) / _BPS
    levels = book.asks if side is Side.BUY else book.bids
    return sum((size for price, size in levels if abs(price - mid) <= reach), Decimal(0))


def size_cost_bps(book: BookSnapshot, side: Side, quantity: Decimal) -> float | None:
    """Return what taking a quantity at once costs against the mid, basis points, without fees.

    Returns:
        None when the visible book is not deep enough.

    Example:
        >>> D = Decimal
        >>> book = BookSnapshot("BTC/USDT", [(D(99), D(1))], [(D(101), D(1)), (D(103), D(1))], 0)
        >>> size_cost_bps(book, Side.BUY, D(2)), size_cost_bps(book, Side.BUY, D(3))
        (200.0, None)
    """
    levels = book.asks if side is Side.BUY else book.bids
    taken = walk_book(levels, side.value, quantity)
    got = sum((part for _, part in taken), Decimal(0))
    if got < quantity or got == 0:
        return None
    paid = sum((price * part for price, part in taken), Decimal(0)) / got
    mid = mid_price(book)
    return float((paid - mid) * side.sign / mid * _BPS)


def realised_volatility_bps(times_ns: Sequence[int], prices: Sequence[Decimal]) -> float | None:
    """Return realised volatility in basis points per square root of a second.

    The sum of squared log returns over the time they span, which is right for samples at uneven
    times too (Andersen, Bollerslev, Diebold and Labys, Modeling and Forecasting Realized
    Volatility, Econometrica 2003).

    Args:
        times_ns: UTC nanoseconds; samples that do not lie after the one before are left out.
        prices: One price a time; those that are not above 0 are left out.

    Returns:
        None with fewer than two usable samples.

    Example:
        >>> from math import exp
        >>> prices = [Decimal(repr(100 * exp(0.001 * (n % 2)))) for n in range(5)]
        >>> round(realised_volatility_bps([n * 1_000_000_000 for n in range(5)], prices), 6)
        10.0
    """
    total = 0.0
    first = before = None
    for time_ns, price in zip(times_ns, prices, strict=True):
        if not price.is_finite() or price <= 0:
            continue
        if before is None:
            first = before = (time_ns, float(price))
            continue
        if time_ns <= before[0]:
            continue
        total += math.log(float(price) / before[1]) ** 2
        before = (time_ns, float(price))
    if first is None or before is None or before[0] == first[0]:
        return None
    return 1e4 * math.sqrt(total * _NS / (before[0] - first[0]))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
