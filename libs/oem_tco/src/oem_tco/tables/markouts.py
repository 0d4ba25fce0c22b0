"""Where the market went after a fill, and the curve of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oem_tco.tables.exact import worth_minor
from oem_tco.tables.prepare import Fills, Orders
from oem_tco.tables.quotes import Keys, QuoteBook

DEFAULT_HORIZONS_NS = (10**9, 10 * 10**9, 60 * 10**9, 300 * 10**9)


@dataclass(frozen=True, slots=True)
class MarkoutMean:
    """The average markout of fills at one horizon.

    Attributes:
        horizon_ns: How long after the fill.
        mean_bps: Mean weighted by notional; positive: the market moved in favour of the fill.
        low_bps: Lower end of the 95 % interval of the mean; so is high_bps.
        fills: How many fills have a quote at that time.
    """

    horizon_ns: int
    mean_bps: float
    low_bps: float
    high_bps: float
    fills: int


def fill_markouts(
    orders: Orders,
    fills: Fills,
    notional: np.ndarray[tuple[int], np.dtype[np.int64]],
    quotes: QuoteBook,
    horizons_ns: Sequence[int],
) -> pa.Table:
    """Return the markout of every fill at several horizons.

    A markout is `sign x (mid after the horizon - price) x quantity`, of inverse contracts
    `sign x (1 / price - 1 / mid) x quantity`: positive where the market went on in the fill's
    favour, negative where it came back (adverse selection).

    Args:
        orders: Orders.
        fills: Their fills.
        notional: Price times quantity of each fill, minor units.
        quotes: Quotes; a quote too old at that time gives an empty cell.
        horizons_ns: Horizons in nanoseconds.

    Returns:
        One row a fill and horizon, by horizon and fill: `fill_id`, `horizon_ns`, `notional_minor`,
        `markout_minor`.
    """
    keys = Keys(orders.names["venue"], orders.names["symbol"]).take(fills.order)
    sign, inverse = orders.cost_sign[fills.order], orders.inverse[fills.order]
    tables = []
    for horizon in sorted(set(horizons_ns)):
        found = quotes.find(keys, fills.at_ns + horizon)
        later, large = worth_minor(found.mid(), fills.quantity, inverse)
        gone = ~found.sound | large
        tables.append(
            pa.table(
                {
                    "fill_id": fills.ids,
                    "horizon_ns": pa.array(np.full(len(fills), horizon, np.int64)),
                    "notional_minor": pa.array(notional),
                    "markout_minor": pa.array(
                        np.where(gone, 0, sign * (later - notional)), mask=gone
                    ),
                }
            )
        )
    return pa.concat_tables(tables).combine_chunks()


def markout_curve(markouts: pa.Table) -> tuple[MarkoutMean, ...]:
    """Return the mean markout at each horizon, by horizon.

    Args:
        markouts: What `cost_tables` gives, or some rows of it.

    Returns:
        Means weighted by notional, with the interval of a ratio estimator (Cochran 1977, 6.4).
        A horizon without any quote is left out.
    """
    horizons = markouts.column("horizon_ns").to_numpy()
    notional = markouts.column("notional_minor").to_numpy().astype(np.float64)
    moved = markouts.column("markout_minor").cast(pa.float64()).to_numpy()
    curve = []
    for horizon in np.unique(horizons).tolist():
        rows = (horizons == horizon) & np.isfinite(moved) & (notional > 0)
        weight, gain = notional[rows], moved[rows]
        if not len(gain):
            continue
        total = math.fsum(weight.tolist())
        mean = math.fsum(gain.tolist()) / total
        spread = math.fsum(((gain - mean * weight) ** 2).tolist())
        n = len(gain)
        half = 1.96 * math.sqrt(spread * n / max(n - 1, 1)) / total if n > 1 else math.inf
        curve.append(MarkoutMean(horizon, 1e4 * mean, 1e4 * (mean - half), 1e4 * (mean + half), n))
    return tuple(curve)


def symbol_markouts(markouts: pa.Table, fills: pa.Table) -> dict[str, tuple[MarkoutMean, ...]]:
    """Return the markout curve of each symbol, by symbol.

    Args:
        markouts: Markouts that `cost_tables` gives.
        fills: Fills of the same costs.
    """
    symbols = fills.column("symbol").combine_chunks().dictionary_decode()
    horizons = len(markouts) // len(fills) if len(fills) else 0
    # the fills stand in the same order at every horizon
    of_row = pa.chunked_array([symbols] * horizons, pa.string())
    return {
        symbol: markout_curve(markouts.filter(pc.equal(of_row, symbol)))
        for symbol in sorted(symbols.unique().to_pylist())
    }
