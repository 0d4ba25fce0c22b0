"""How fast the mid moves, measured from the mids that a ledger itself has seen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from statistics import median_low

from oem_tco.ledger.rows import FillRow, OrderRow

MINIMUM = 10
"""Moves of the mid below which a volatility is not called known."""
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Volatility:
    """Realised volatility of one symbol at one venue.

    Attributes:
        bps_per_sqrt_s: Standard deviation of the mid's move over one second, bps.
        moves: Moves it was measured from.
    """

    bps_per_sqrt_s: float
    moves: int


def ledger_volatility(
    orders: Iterable[OrderRow], fills: Iterable[FillRow], *, minimum: int = MINIMUM
) -> dict[tuple[str, str], Volatility]:
    """Return realised volatility by (venue, symbol); those of too few moves are left out.

    The mids at decisions, arrivals, ends and fills are put in order of time; the variance of a
    second is the sum of the squared log moves over the sum of the seconds between them, which is
    without bias for a random walk seen at any times.

    Args:
        orders: Orders, any order.
        fills: Fills, any order; those without a valid quote or order are passed over.
        minimum: Moves needed, at least 1.
    """
    found = {}
    for key, seen in ledger_mids(orders, fills).items():
        times = list(seen)
        logs = [math.log(mid) for mid in seen.values()]
        squares = [(b - a) ** 2 for a, b in pairwise(logs)]
        seconds = (times[-1] - times[0]) / _NS if times else 0.0
        if len(squares) >= max(minimum, 1) and seconds > 0:
            sigma = math.sqrt(math.fsum(squares) / seconds)
            found[key] = Volatility(sigma * 10_000, len(squares))
    return found


def ledger_mids(
    orders: Iterable[OrderRow], fills: Iterable[FillRow]
) -> dict[tuple[str, str], dict[int, Decimal]]:
    """Return every mid a ledger has seen, by (venue, symbol), then time, both ascending.

    Of mids of one moment that differ the middle one counts, so that the order of rows is no matter.

    Args are those of `ledger_volatility`.
    """
    mids: dict[tuple[str, str], dict[int, list[Decimal]]] = {}
    of_order: dict[str, tuple[str, str]] = {}
    for order in orders:
        key = of_order[order.order_id] = (order.venue, order.symbol)
        seen = mids.setdefault(key, {})
        seen.setdefault(order.decision_time_ns, []).append(order.decision_price)
        seen.setdefault(order.arrival_time_ns, []).append(order.arrival_price)
        if order.end_time_ns is not None and order.end_price is not None:
            seen.setdefault(order.end_time_ns, []).append(order.end_price)
    for fill in fills:
        owner = of_order.get(fill.order_id)
        if owner is None or fill.bid is None or fill.ask is None or not 0 < fill.bid <= fill.ask:
            continue
        mids[owner].setdefault(fill.time_ns, []).append((fill.bid + fill.ask) / 2)
    return {
        key: {time: median_low(seen[time]) for time in sorted(seen)}
        for key, seen in sorted(mids.items())
    }
