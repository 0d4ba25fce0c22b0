"""Simulate strategies under a profile on the paths of a model, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oem_risk.lab.trade import PathColumns, trade
from oem_risk.limits.profile import RiskProfile
from oem_risk.limits.sizing import sized_exposure
from oem_risk.paths.blocks import BLOCK_PATHS, Floats, block_rng, in_order
from oem_risk.paths.joint import JointModel

Progress = Callable[[int, int], None]
KEPT_PATHS = 1 << 16
"""Paths whose columns are kept for quantiles; the gates count all paths."""
FAN_PATHS = 1 << 12
"""Paths whose equity is kept for the fan chart."""
_FAN_POINTS = 60


class LabStrategy(Protocol):
    """What the lab needs of a strategy; it must be picklable to run in other processes."""

    @property
    def name(self) -> str:
        """Name in reports."""
        ...

    @property
    def warmup(self) -> int:
        """Bars before the first target."""
        ...

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return targets in [-1, 1] after each bar; closes and result have shape (paths, bars)."""
        ...


@dataclass(frozen=True, slots=True)
class Market:
    """What the paths are drawn from.

    Attributes:
        symbols: Names, in the order of the arrays.
        log_returns: History, shape (symbols, observations).
        start_prices: Shape (symbols,).
        bars_per_day: Bars in 24 hours.
        bars_per_year: Bars in a year, for annualised volatility.
    """

    symbols: tuple[str, ...]
    log_returns: Floats
    start_prices: Floats
    bars_per_day: int
    bars_per_year: float

    @property
    def volatility(self) -> Floats:
        """Annualised volatility of each symbol, shape (symbols,)."""
        return np.asarray(self.log_returns.std(axis=1, ddof=1) * np.sqrt(self.bars_per_year))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a profile is simulated.

    Attributes:
        model: Draws the paths of all symbols, one step a bar.
        strategies: Pairs of strategy and share of capital.
        paths: Number of paths, >= 1; fewest, where paths are added until decided.
        most_paths: Most paths; equal to `paths` when their number is fixed.
        steps: Bars ahead of the warm-up, >= 1.
        cost_bps: Cost of turnover: half spread plus commission, basis points.
        seed: Root seed.
    """

    model: JointModel
    strategies: tuple[tuple[LabStrategy, float], ...]
    paths: int
    most_paths: int
    steps: int
    cost_bps: float
    seed: int

    @property
    def warmup(self) -> int:
        return max(strategy.warmup for strategy, _ in self.strategies)

    @property
    def blocks(self) -> int:
        """Blocks of the fewest paths."""
        return -(-self.paths // BLOCK_PATHS)

    @property
    def fan_grid(self) -> NDArray[np.int64]:
        """Steps at which equity is kept, 0 is the start."""
        points = min(self.steps, _FAN_POINTS) + 1
        return np.unique(np.linspace(0, self.steps, points).round().astype(np.int64))


@dataclass(frozen=True, slots=True)
class PathResults:
    """What is kept of a run; the paths themselves are never stored.

    Attributes:
        paths: Number of paths simulated.
        drawdown_events: Paths that reached the profile's drawdown limit.
        daily_loss_events: Paths that reached its daily loss limit on some day.
        columns: What each of the first paths came to; at most `KEPT_PATHS`.
        fan_steps: Steps at which equity was kept, 0 is the start.
        fan: (paths, points) equity of the first paths at those steps; at most `FAN_PATHS`.
    """

    paths: int
    drawdown_events: int
    daily_loss_events: int
    columns: PathColumns
    fan_steps: NDArray[np.int64]
    fan: Floats

    def fan_quantiles(self) -> dict[str, Floats]:
        """Return the 5, 25, 50, 75 and 95 % quantiles of equity at each kept step."""
        levels = (5, 25, 50, 75, 95)
        found = np.quantile(self.fan, [level / 100 for level in levels], axis=0)
        return {f"q{level:02d}": row for level, row in zip(levels, found, strict=True)}


Enough = Callable[[int, int], bool]
"""Asked with (drawdown events, paths) after each block from the fewest paths on: may it stop?"""


def simulate(
    market: Market,
    plan: Plan,
    profiles: Sequence[RiskProfile],
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    enough: Enough | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[PathResults, ...]:
    """Simulate profiles on the same paths; the result does not depend on the executor.

    Args:
        market: The history.
        plan: Model, strategies, number of paths, horizon, cost, seed.
        profiles: Limits that cap the exposure; prices and what the strategies want of them are
            computed once for all.
        executor: Runs the blocks; None runs them here.
        progress: Called with (blocks done, blocks in all); the second number is that of the fewest
            paths, and grows with the first where paths are added until decided.
        enough: Ends a profile's run once the fewest paths are done; None runs all of them.
        cancelled: Asked before each block; True ends the run.

    Returns:
        Results by profile.

    Raises:
        RunCancelled: `cancelled` said so.
    """
    running = [_Tally(profile) for profile in profiles]
    # the last block may be short; each is asked for the profiles still undecided when it is sent
    jobs = (
        (
            first // BLOCK_PATHS,
            min(BLOCK_PATHS, plan.most_paths - first),
            tuple(i for i, tally in enumerate(running) if not tally.ended),
        )
        for first in range(0, plan.most_paths, BLOCK_PATHS)
    )
    work = partial(simulate_block, market, plan, tuple(profiles))
    blocks = in_order(work, jobs, executor, cancelled=cancelled)
    for number, found in enumerate(blocks, start=1):
        for i, (part, fan) in found.items():
            tally = running[i]
            if tally.ended:  # decided while this block was under way
                continue
            tally.add(part, fan)
            if number >= plan.blocks and enough is not None:
                tally.ended = enough(tally.drawdowns, tally.paths)
        if progress:
            progress(number, max(number, plan.blocks))
        if all(tally.ended for tally in running):
            blocks.close()
            break
    return tuple(tally.results(plan.fan_grid) for tally in running)


class _Tally:
    """What one profile's blocks have come to so far."""

    def __init__(self, profile: RiskProfile) -> None:
        self.profile = profile
        self.ended = False
        self.paths = self.drawdowns = self.daily_losses = 0
        self._columns: list[PathColumns] = []
        self._fans: list[Floats] = []

    def add(self, part: PathColumns, fan: Floats) -> None:
        if self.paths < KEPT_PATHS:
            self._columns.append(part)
        if self.paths < FAN_PATHS:
            self._fans.append(fan)
        self.paths += len(part.max_drawdown)
        self.drawdowns += int((part.max_drawdown >= self.profile.max_drawdown).sum())
        self.daily_losses += int((part.worst_day >= self.profile.max_daily_loss).sum())

    def results(self, grid: NDArray[np.int64]) -> PathResults:
        joined = PathColumns(
            *(
                np.concatenate([getattr(part, name) for part in self._columns])
                for name in PathColumns.names()
            )
        )
        fan = np.concatenate(self._fans)
        return PathResults(self.paths, self.drawdowns, self.daily_losses, joined, grid, fan)


def simulate_block(
    market: Market,
    plan: Plan,
    profiles: tuple[RiskProfile, ...],
    block: int,
    size: int,
    wanted: tuple[int, ...],
) -> dict[int, tuple[PathColumns, Floats]]:
    """Simulate one block of paths with the block's own seed.

    Returns:
        Columns and equity by index of each wanted profile.
    """
    steps = plan.warmup + plan.steps
    # always a whole block, so that a longer run begins with the same paths
    moves = plan.model.log_returns(block_rng(plan.seed, block), BLOCK_PATHS, steps - 1)[:, :size]
    prices = np.zeros((*moves.shape[:2], steps))
    np.cumsum(moves, axis=2, out=prices[:, :, 1:])
    np.exp(prices, out=prices)
    prices *= market.start_prices[:, None, None]
    gains = prices[:, :, plan.warmup :] / prices[:, :, plan.warmup - 1 : -1] - 1
    targets = strategy_targets(plan, prices)
    return {
        i: trade(
            sized_exposure(targets, market.volatility, profiles[i]),
            gains,
            profiles[i],
            cost_bps=plan.cost_bps,
            bars_per_day=market.bars_per_day,
            bars_per_year=market.bars_per_year,
            grid=plan.fan_grid,
        )
        for i in wanted
    }


def strategy_targets(plan: Plan, prices: Floats) -> Floats:
    """Return what the strategies together want at the start of each bar.

    Args:
        plan: Names the strategies, their shares and the warm-up.
        prices: (symbols, paths, warm-up + steps) closing prices.

    Returns:
        (symbols, paths, steps) targets in [-1, 1].
    """
    found = np.empty((*prices.shape[:2], plan.steps))
    for symbol, closes in enumerate(prices):
        total = sum(share * strategy.targets(closes) for strategy, share in plan.strategies)
        found[symbol] = np.asarray(total)[:, plan.warmup - 1 : -1]
    return found
