"""Markouts of a ledger against the mids that the ledger itself has seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import pyarrow as pa

from oem_tco.analysis.volatility import ledger_mids
from oem_tco.errors import InputError
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.tables.markouts import MarkoutMean, markout_curve

_S = 10**9
LEDGER_HORIZONS_NS: tuple[int, ...] = (
    _S, 10 * _S, 60 * _S, 300 * _S, 3_600 * _S, 4 * 3_600 * _S, 24 * 3_600 * _S,
)  # fmt: skip


def ledger_markouts(
    orders: Iterable[OrderRow],
    fills: Iterable[FillRow],
    *,
    horizons_ns: Sequence[int] = LEDGER_HORIZONS_NS,
) -> dict[str, tuple[MarkoutMean, ...]]:
    """Return the markout curve of each symbol, as far as the ledger has seen its mid again.

    The mid a horizon after a fill is the last one that the ledger saw in the second half of it;
    a fill after which it saw none there does not count at that horizon. Where quotes are at hand,
    `cost_tables` with `markouts_ns` is the better source.

    Args:
        orders: Orders, any order.
        fills: Their fills, any order; those of other orders are passed over.
        horizons_ns: Times after the fill, nanoseconds, above 0.

    Returns:
        Symbol to curve; means are weighted by notional, positive is a gain. A symbol whose mid
        was never seen again has an empty curve.

    Raises:
        InputError: A horizon is not positive.
    """
    if any(horizon <= 0 for horizon in horizons_ns):
        raise InputError(
            "a horizon is not positive", where="horizons_ns", remedy="give nanoseconds above 0"
        )
    rows = {order.order_id: order for order in orders}
    kept = sorted(
        (fill for fill in fills if fill.order_id in rows), key=lambda f: (f.time_ns, f.fill_id)
    )
    mids = {
        key: (list(seen), list(seen.values()))
        for key, seen in ledger_mids(rows.values(), kept).items()
    }
    moved: dict[str, list[tuple[int, int, int | None]]] = {
        order.symbol: [] for order in sorted(rows.values(), key=lambda o: o.symbol)
    }
    horizons = sorted(set(horizons_ns))
    for fill in kept:
        order = rows[fill.order_id]
        times, prices = mids[order.venue, order.symbol]
        notional = order.value(fill.price, fill.quantity)
        for horizon in horizons:
            place = bisect_right(times, fill.time_ns + horizon) - 1
            gain = None
            if place >= 0 and times[place] > fill.time_ns + horizon // 2:
                gain = order.cost_sign * (order.value(prices[place], fill.quantity) - notional)
            moved[order.symbol].append((horizon, notional, gain))
    return {symbol: markout_curve(_table(found)) for symbol, found in moved.items()}


def _table(found: Sequence[tuple[int, int, int | None]]) -> pa.Table:
    # as floats: the sum of a currency of small units may be beyond 64 bits, and means need no more
    gains = [None if gain is None else float(gain) for _, _, gain in found]
    return pa.table(
        {
            "horizon_ns": pa.array([horizon for horizon, _, _ in found], pa.int64()),
            "notional_minor": pa.array([float(notional) for _, notional, _ in found], pa.float64()),
            "markout_minor": pa.array(gains, pa.float64()),
        }
    )
