"""Simulate strategies under a profile on the paths of a model, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oem_risk.lab.plan import CALM, Market, Plan, StressPlan
from oem_risk.lab.stressed import (
    StressedColumns,
    StressedExecution,
    delayed,
    draw_onsets,
    stressed_prices,
)
from oem_risk.lab.trade import PathColumns, trade
from oem_risk.limits.profile import RiskProfile
from oem_risk.limits.sizing import sized_exposure
from oem_risk.paths.blocks import BLOCK_PATHS, Floats, block_rng, in_order

Progress = Callable[[int, int], None]
KEPT_PATHS = 1 << 16
"""Paths whose columns are kept for quantiles; the gates count all paths."""
FAN_PATHS = 1 << 12
"""Paths whose equity is kept for the fan chart."""
Cell = tuple[int, int]
"""Number of a profile and of a scenario, or `CALM`: what is simulated and judged together."""
Calm = tuple[PathColumns, Floats]
Columns = TypeVar("Columns", PathColumns, StressedColumns)


@dataclass(frozen=True, slots=True)
class PathResults:
    """What is kept of a profile's run; the paths themselves are never stored.

    Attributes:
        paths: Number of paths simulated.
        drawdown_events: Paths that reached the profile's drawdown limit.
        daily_loss_events: Paths that reached its daily loss limit on some day.
        columns: What each of the first paths came to; at most `KEPT_PATHS`.
        fan_steps: Steps at which equity was kept, 0 is the start.
        fan: (paths, points) equity of the first paths at those steps; at most `FAN_PATHS`.
        stressed: What came of each scenario, in their order; empty where none was laid over.
    """

    paths: int
    drawdown_events: int
    daily_loss_events: int
    columns: PathColumns
    fan_steps: NDArray[np.int64]
    fan: Floats
    stressed: tuple[StressedResults, ...] = ()

    def fan_quantiles(self) -> dict[str, Floats]:
        """Return the 5, 25, 50, 75 and 95 % quantiles of equity at each kept step."""
        levels = (5, 25, 50, 75, 95)
        found = np.quantile(self.fan, [level / 100 for level in levels], axis=0)
        return {f"q{level:02d}": row for level, row in zip(levels, found, strict=True)}


@dataclass(frozen=True, slots=True)
class StressedResults:
    """What is kept of a profile's run through one scenario.

    Attributes:
        scenario: Its name.
        paths: Number of paths simulated.
        drawdown_events: Paths that reached the profile's drawdown limit within the horizon.
        columns: What each of the first paths came to; at most `KEPT_PATHS`.
    """

    scenario: str
    paths: int
    drawdown_events: int
    columns: StressedColumns


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
    """Simulate profiles and scenarios on the same paths; the executor does not matter.

    Args:
        market: The history.
        plan: Model, strategies, number of paths, horizon, cost, seed, scenarios.
        profiles: Limits that cap the exposure; prices and what the strategies want of them are
            computed once for all.
        executor: Runs the blocks; None runs them here.
        progress: Called with (blocks done, blocks in all); the second number is that of the fewest
            paths, and grows with the first where paths are added until decided.
        enough: Ends the run of a profile, or of a scenario under it, once the fewest paths are
            done; None runs all of them.
        cancelled: Asked before each block; True ends the run.

    Returns:
        Results by profile.

    Raises:
        RunCancelled: `cancelled` said so.
    """
    running = {
        (i, j): _Tally(profile, plan.fewest(j), plan.most(j))
        for i, profile in enumerate(profiles)
        for j in range(CALM, len(plan.scenarios))
    }
    work = partial(simulate_block, market, plan, tuple(profiles))
    blocks = in_order(work, _jobs(running), executor, cancelled=cancelled)
    for number, found in enumerate(blocks, start=1):
        for cell, part in found.items():
            tally = running[cell]
            if not tally.ended:  # it may have been decided while this block was under way
                tally.add(part, enough)
        if progress:
            progress(number, max(number, plan.blocks))
        if all(tally.ended for tally in running.values()):
            blocks.close()
            break
    return tuple(
        replace(
            running[i, CALM].results(plan.fan_grid),
            stressed=tuple(
                running[i, j].stressed(scenario.name) for j, scenario in enumerate(plan.scenarios)
            ),
        )
        for i in range(len(profiles))
    )


def _jobs(running: dict[Cell, _Tally]) -> Iterator[tuple[int, dict[Cell, int]]]:
    """Yield each block with the number of its paths that each cell still wants when it is sent."""
    most = max(tally.most for tally in running.values())
    for first in range(0, most, BLOCK_PATHS):
        wanted = {
            cell: min(BLOCK_PATHS, tally.most - first)
            for cell, tally in running.items()
            if not tally.ended and first < tally.most
        }
        yield first // BLOCK_PATHS, wanted


class _Tally:
    """What one cell's blocks have come to so far."""

    def __init__(self, profile: RiskProfile, fewest: int, most: int) -> None:
        self.profile, self.fewest, self.most = profile, fewest, most
        self.ended = most == 0
        self.paths = self.drawdowns = self.daily_losses = 0
        self._columns: list[PathColumns | StressedColumns] = []
        self._fans: list[Floats] = []

    def add(self, part: Calm | StressedColumns, enough: Enough | None) -> None:
        columns, fan = part if isinstance(part, tuple) else (part, None)
        if self.paths < KEPT_PATHS:
            self._columns.append(columns)
        if fan is not None and self.paths < FAN_PATHS:
            self._fans.append(fan)
        self.paths += len(columns.max_drawdown)
        self.drawdowns += int((columns.max_drawdown >= self.profile.max_drawdown).sum())
        if isinstance(columns, PathColumns):
            self.daily_losses += int((columns.worst_day >= self.profile.max_daily_loss).sum())
        self.ended = self.paths >= self.most or (
            enough is not None and self.paths >= self.fewest and enough(self.drawdowns, self.paths)
        )

    def results(self, grid: NDArray[np.int64]) -> PathResults:
        return PathResults(
            self.paths, self.drawdowns, self.daily_losses, self._joined(PathColumns), grid,
            np.concatenate(self._fans),
        )  # fmt: skip

    def stressed(self, scenario: str) -> StressedResults:
        return StressedResults(scenario, self.paths, self.drawdowns, self._joined(StressedColumns))

    def _joined(self, kind: type[Columns]) -> Columns:
        return kind(
            *(
                np.concatenate([getattr(part, name) for part in self._columns])
                for name in kind.names()
            )
        )


def simulate_block(
    market: Market,
    plan: Plan,
    profiles: tuple[RiskProfile, ...],
    block: int,
    wanted: dict[Cell, int],
) -> dict[Cell, Calm | StressedColumns]:
    """Simulate one block of paths with the block's own seed.

    Args:
        market: The history.
        plan: How.
        profiles: All of them.
        block: Number of the block.
        wanted: Paths wanted of each cell, at most a block.

    Returns:
        What came of each wanted cell.
    """
    steps = plan.warmup + plan.steps
    # always a whole block, so that a longer run begins with the same paths
    moves = plan.model.log_returns(block_rng(plan.seed, block), BLOCK_PATHS, steps - 1)
    prices = np.zeros((*moves.shape[:2], steps))
    np.cumsum(moves, axis=2, out=prices[:, :, 1:])
    np.exp(prices, out=prices)
    prices *= market.start_prices[:, None, None]
    found: dict[Cell, Calm | StressedColumns] = {}
    for number in sorted({j for _, j in wanted}):
        sizes = {i: size for (i, j), size in wanted.items() if j == number}
        world = prices[:, : max(sizes.values())]
        storm = (
            None
            if plan.stress is None or number == CALM
            else _Storm(plan, plan.stress, number, block, market.bars_per_day)
        )
        if storm is not None:
            world = storm.over(world)
        starts = world[:, :, plan.warmup - 1 : -1]
        gains = world[:, :, plan.warmup :] / starts - 1
        targets = strategy_targets(plan, world)
        for i, size in sizes.items():
            exposure = sized_exposure(targets[:, :size], market.volatility, profiles[i])
            execution = None
            if storm is not None:
                exposure, execution = storm.meets(exposure, starts[:, :size])
            columns, fan = trade(
                exposure,
                gains[:, :size],
                profiles[i],
                cost_bps=plan.cost_bps,
                bars_per_day=market.bars_per_day,
                bars_per_year=market.bars_per_year,
                grid=plan.fan_grid,
                execute=execution,
                band=plan.band,
            )
            if execution is None:
                found[i, number] = columns, fan
            else:
                # the grid ends with the horizon
                found[i, number] = execution.columns(columns.max_drawdown, fan[:, -1])
    return found


class _Storm:
    """One scenario laid over one block of paths."""

    def __init__(
        self, plan: Plan, stress: StressPlan, number: int, block: int, bars_per_day: int
    ) -> None:
        self._warmup, self._books = plan.warmup, stress.books
        self._scenario = stress.scenarios[number]
        self._factors = self._scenario.price_factors()
        # every scenario comes at the same bar of a path, whatever the number of paths
        self._onsets = draw_onsets(
            plan.seed, block, BLOCK_PATHS,
            steps=plan.steps, length=len(self._factors), bars_per_day=bars_per_day,
        )  # fmt: skip

    def over(self, prices: Floats) -> Floats:
        """Return the prices that strategies see."""
        return stressed_prices(prices, self._onsets[: prices.shape[1]], self._factors, self._warmup)

    def meets(self, exposure: Floats, starts: Floats) -> tuple[Floats, StressedExecution]:
        """Return what is wanted as it reaches the market, and who carries it out."""
        onsets, length = self._onsets[: starts.shape[1]], len(self._factors)
        late = delayed(exposure, onsets, length, self._scenario.latency_bars)
        return late, StressedExecution(self._scenario, self._books, starts, onsets, length)


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
