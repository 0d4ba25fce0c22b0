"""Simulate strategies under a profile on bootstrapped paths, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oem_risk.limits.profile import RiskProfile
from oem_risk.paths.blocks import BLOCK_PATHS, block_rng
from oem_risk.paths.bootstrap import bootstrap_prices

Progress = Callable[[int, int], None]


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
    log_returns: NDArray[np.float64]
    start_prices: NDArray[np.float64]
    bars_per_day: int
    bars_per_year: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How a profile is simulated.

    Attributes:
        strategies: Pairs of strategy and share of capital.
        paths: Number of paths, >= 1.
        steps: Bars ahead of the warm-up, >= 1.
        mean_block: Mean block length of the bootstrap, bars.
        cost_bps: Cost of turnover: half spread plus commission, basis points.
        seed: Root seed.
    """

    strategies: tuple[tuple[LabStrategy, float], ...]
    paths: int
    steps: int
    mean_block: float
    cost_bps: float
    seed: int

    @property
    def warmup(self) -> int:
        return max(strategy.warmup for strategy, _ in self.strategies)

    @property
    def blocks(self) -> int:
        return -(-self.paths // BLOCK_PATHS)


@dataclass(frozen=True, slots=True)
class PathResults:
    """What is kept of each path; the paths themselves are never stored.

    Attributes:
        total_return: Return over the horizon, shape (paths,).
        max_drawdown: Largest loss from a peak, as a fraction, shape (paths,).
        worst_day: Largest loss within one day, as a fraction of the day's start, shape (paths,).
        turnover: Traded notional as a multiple of equity, shape (paths,).
        sample: Equity of the first paths for the fan chart, shape (kept, steps + 1).
    """

    total_return: NDArray[np.float64]
    max_drawdown: NDArray[np.float64]
    worst_day: NDArray[np.float64]
    turnover: NDArray[np.float64]
    sample: NDArray[np.float64]


def simulate(
    market: Market,
    plan: Plan,
    profile: RiskProfile,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> PathResults:
    """Return the results of all paths; bit-identical for any executor and number of workers.

    Args:
        market: History to draw from.
        plan: Strategies, number of paths, horizon, cost, seed.
        profile: Limits that cap the exposure.
        executor: Runs the blocks; None runs them here.
        progress: Called with (blocks done, blocks in all).
    """
    sizes = [min(BLOCK_PATHS, plan.paths - b * BLOCK_PATHS) for b in range(plan.blocks)]
    jobs: Sequence[tuple[int, int]] = list(enumerate(sizes))
    parts: list[PathResults] = []
    if executor is None:
        for block, size in jobs:
            parts.append(simulate_block(market, plan, profile, block, size))
            if progress:
                progress(len(parts), len(jobs))
    else:
        futures = [
            executor.submit(simulate_block, market, plan, profile, block, size)
            for block, size in jobs
        ]
        for future in futures:
            parts.append(future.result())
            if progress:
                progress(len(parts), len(jobs))
    return PathResults(
        total_return=np.concatenate([p.total_return for p in parts]),
        max_drawdown=np.concatenate([p.max_drawdown for p in parts]),
        worst_day=np.concatenate([p.worst_day for p in parts]),
        turnover=np.concatenate([p.turnover for p in parts]),
        sample=parts[0].sample,
    )


def simulate_block(
    market: Market, plan: Plan, profile: RiskProfile, block: int, size: int
) -> PathResults:
    """Simulate one block of paths with the block's own seed."""
    steps = plan.warmup + plan.steps
    prices = bootstrap_prices(
        block_rng(plan.seed, block),
        market.log_returns,
        market.start_prices,
        paths=size,
        steps=steps - 1,
        mean_block=plan.mean_block,
    )
    net = np.zeros((size, plan.steps))
    turnover = np.zeros(size)
    exposure = _exposure(market, plan, profile, prices)
    for symbol in range(len(market.symbols)):
        held = exposure[symbol]
        moves = prices[symbol, :, plan.warmup :] / prices[symbol, :, plan.warmup - 1 : -1] - 1
        net += held[:, :-1] * moves
        traded = np.abs(np.diff(held, axis=1, prepend=0.0))[:, :-1]
        net -= traded * (plan.cost_bps * 1e-4)
        turnover += traded.sum(axis=1)
    equity = np.cumprod(1 + np.maximum(net, -1.0), axis=1)
    equity = np.concatenate([np.ones((size, 1)), equity], axis=1)
    peak = np.maximum.accumulate(equity, axis=1)
    # equity of 0 is a drawdown of 1, which the division gives
    drawdown = (1 - equity / peak).max(axis=1)
    return PathResults(
        total_return=equity[:, -1] - 1,
        max_drawdown=drawdown,
        worst_day=_worst_day(equity, market.bars_per_day),
        turnover=turnover,
        sample=equity[: min(size, BLOCK_PATHS)],
    )


def _exposure(
    market: Market, plan: Plan, profile: RiskProfile, prices: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Exposure by symbol as a fraction of equity, shape (symbols, paths, steps + 1), capped."""
    count = len(market.symbols)
    volatility = market.log_returns.std(axis=1, ddof=1) * np.sqrt(market.bars_per_year)
    scale = np.minimum(profile.volatility_target / volatility, profile.max_leverage)
    exposure = np.zeros((count, prices.shape[1], plan.steps + 1))
    for symbol in range(count):
        wanted = sum(
            share * strategy.targets(prices[symbol]) for strategy, share in plan.strategies
        )
        exposure[symbol] = np.asarray(wanted)[:, plan.warmup - 1 :] * scale[symbol]
    np.clip(exposure, -profile.max_position, profile.max_position, out=exposure)
    gross = np.abs(exposure).sum(axis=0)
    over = gross > profile.max_leverage
    if over.any():
        exposure *= np.where(over, profile.max_leverage / np.maximum(gross, 1e-12), 1.0)
    return exposure


def _worst_day(equity: NDArray[np.float64], bars_per_day: int) -> NDArray[np.float64]:
    starts = np.arange(0, equity.shape[1] - 1, bars_per_day)
    worst = np.zeros(len(equity))
    for start in starts:
        day = equity[:, start : start + bars_per_day + 1]
        base = np.maximum(day[:, 0], 1e-300)
        np.maximum(worst, 1 - day.min(axis=1) / base, out=worst)
    return worst
