"""Trade wanted exposures on simulated paths, as the pre-trade engine would let them be traded.

At every bar the engine's rules hold: an order that only reduces always passes; one that adds is cut
to the largest order (the rest follows at the next bar); after the daily loss limit nothing is added
until the next day, after the drawdown limit nothing until the equity has recovered, which without
new exposure is seldom; no more symbols are opened than may be open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from oem_risk.limits.profile import RiskProfile
from oem_risk.limits.sizing import order_parts
from oem_risk.paths.blocks import Floats

_TINY = 1e-300
Execution = Callable[[int, Floats, Floats, Floats], tuple[Floats, Floats]]
"""Takes (bar, holding, orders, equity); returns what was executed and what it cost, as shares of
equity, (symbols, paths) and (paths,)."""


@dataclass(frozen=True, slots=True)
class PathColumns:
    """What is kept of each path, shape (paths,) each; shares and multiples are of equity.

    Attributes:
        total_return: Return over the horizon.
        max_drawdown: Deepest loss from a peak, a share of the peak.
        worst_day: Deepest loss within one day, a share of the day's start.
        turnover: Traded notional.
        position: Largest notional of one symbol.
        leverage: Largest gross notional.
        order: Largest order that added exposure.
        open_positions: Largest number of symbols held.
        volatility: Annualised standard deviation of the net returns.
        stopped_days: Days on which the daily loss limit stopped new exposure.
    """

    total_return: Floats
    max_drawdown: Floats
    worst_day: Floats
    turnover: Floats
    position: Floats
    leverage: Floats
    order: Floats
    open_positions: Floats
    volatility: Floats
    stopped_days: Floats

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))


def trade(
    wanted: Floats,
    moves: Floats,
    profile: RiskProfile,
    *,
    cost_bps: float,
    bars_per_day: int,
    bars_per_year: float,
    grid: np.ndarray[tuple[int], np.dtype[np.int64]],
    execute: Execution | None = None,
    band: float = 0.0,
) -> tuple[PathColumns, Floats]:
    """Return what became of each path, and its equity at some steps.

    Between two bars a holding's share of equity moves with its price; what is traded is the way
    from there to the share wanted next.

    Args:
        wanted: (symbols, paths, steps) exposure wanted at the start of each bar, in equity.
        moves: (symbols, paths, steps) simple returns of each bar.
        profile: Whose limits hold.
        cost_bps: Cost of turnover, basis points.
        bars_per_day: Bars after which the daily loss begins again.
        bars_per_year: For the annualised volatility.
        grid: Steps, from 0 (the start) to `steps`, at which equity is kept.
        execute: Carries the orders out; None fills all of them at `cost_bps`.
        band: Smallest change as a share of the larger exposure; a smaller one is not made.

    Returns:
        The columns, and equity of shape (paths, grid), 1 at the start.
    """
    # bars first: each bar is one contiguous table
    targets = np.ascontiguousarray(wanted.transpose(2, 0, 1))
    gains = np.ascontiguousarray(moves.transpose(2, 0, 1))
    steps, symbols, paths = targets.shape
    held = np.zeros((symbols, paths))
    equity, peak, day_start = np.ones(paths), np.ones(paths), np.ones(paths)
    deepest, worst, turnover = np.zeros(paths), np.zeros(paths), np.zeros(paths)
    position, leverage, order, opened = (np.zeros(paths) for _ in range(4))
    total, squares, stopped_days = np.zeros(paths), np.zeros(paths), np.zeros(paths)
    day_loss, fall = np.zeros(paths), np.zeros(paths)
    stopped_today = np.zeros(paths, dtype=bool)
    kept, rows = {int(step): i for i, step in enumerate(grid)}, np.ones((paths, len(grid)))
    crowded = symbols > profile.max_open_positions
    for t in range(steps):
        if t % bars_per_day == 0:
            np.copyto(day_start, equity)
            day_loss = np.zeros(paths)
            stopped_today = np.zeros(paths, dtype=bool)
        reached = day_loss >= profile.max_daily_loss
        stopped_days += reached & ~stopped_today
        stopped_today |= reached
        reduced, added = order_parts(targets[t], held, profile, band=band)
        added[:, stopped_today | (fall >= profile.max_drawdown)] = 0.0
        if crowded:
            _leave_closed(added, reduced, profile.max_open_positions)
        orders = reduced + added - held
        if execute is None:
            new, traded = reduced + added, np.abs(orders).sum(axis=0)
            cost = traded * (cost_bps * 1e-4)
        else:
            orders, cost = execute(t, held, orders, equity)
            new, traded = held + orders, np.abs(orders).sum(axis=0)
        moved = new * gains[t]
        net = moved.sum(axis=0) - cost
        # more than everything cannot be lost
        np.maximum(net, -1.0, out=net)
        equity *= 1 + net
        np.maximum(peak, equity, out=peak)
        fall = 1 - equity / peak
        day_loss = 1 - equity / np.maximum(day_start, _TINY)
        np.maximum(deepest, fall, out=deepest)
        np.maximum(worst, day_loss, out=worst)
        size = np.abs(new)
        np.maximum(position, size.max(axis=0), out=position)
        np.maximum(leverage, size.sum(axis=0), out=leverage)
        np.maximum(order, np.abs(added).max(axis=0), out=order)
        np.maximum(opened, (size > 0).sum(axis=0), out=opened)
        turnover += traded
        total += net
        squares += net * net
        held = (new + moved) / np.maximum(1 + net, _TINY)
        held[:, net <= -1.0] = 0.0
        if (row := kept.get(t + 1)) is not None:
            rows[:, row] = equity
    variance = np.maximum(squares / steps - (total / steps) ** 2, 0.0)
    columns = PathColumns(
        equity - 1, deepest, worst, turnover, position, leverage, order, opened,
        np.sqrt(variance * bars_per_year), stopped_days,
    )  # fmt: skip
    return columns, rows


def _leave_closed(added: Floats, reduced: Floats, most: int) -> None:
    """Set additions to 0 that would open one symbol more than may be open, in the given order."""
    open_now = (reduced != 0).sum(axis=0)
    for symbol in range(len(added)):
        opens = (reduced[symbol] == 0) & (added[symbol] != 0)
        refused = opens & (open_now >= most)
        added[symbol, refused] = 0.0
        open_now += opens & ~refused
