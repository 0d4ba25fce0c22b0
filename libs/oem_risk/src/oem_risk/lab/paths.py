"""Price paths by the stationary bootstrap (Politis & Romano 1994), joint over the symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_PATHS = 256
"""Paths generated and reduced together; each block has its own seed."""


def block_rng(seed: int, block: int) -> np.random.Generator:
    """Return the generator of one block, the same whoever computes it and in whatever order."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block,))))


def stationary_indices(
    rng: np.random.Generator, *, paths: int, steps: int, observations: int, mean_block: float
) -> NDArray[np.int64]:
    """Return bootstrap indices of shape (paths, steps) into a history of `observations` rows.

    Each index follows its predecessor, wrapping at the end, or with probability `1/mean_block`
    starts a new block anywhere.
    """
    fresh = rng.random((paths, steps)) < 1.0 / mean_block
    fresh[:, 0] = True
    starts = rng.integers(0, observations, size=(paths, steps))
    position = np.broadcast_to(np.arange(steps), (paths, steps))
    begun = np.maximum.accumulate(np.where(fresh, position, 0), axis=1)
    start = np.take_along_axis(starts, begun, axis=1)
    return (start + position - begun) % observations


def bootstrap_prices(
    rng: np.random.Generator,
    log_returns: NDArray[np.float64],
    start_prices: NDArray[np.float64],
    *,
    paths: int,
    steps: int,
    mean_block: float,
) -> NDArray[np.float64]:
    """Return joint price paths, shape (symbols, paths, steps + 1), the first column the start.

    Args:
        rng: Generator of this block.
        log_returns: History, shape (symbols, observations); rows move together.
        start_prices: Shape (symbols,).
        paths: Number of paths.
        steps: Bars ahead.
        mean_block: Mean block length in bars, >= 1.
    """
    index = stationary_indices(
        rng, paths=paths, steps=steps, observations=log_returns.shape[1], mean_block=mean_block
    )
    prices = np.empty((len(start_prices), paths, steps + 1))
    for symbol, history in enumerate(log_returns):
        moves = history[index]
        prices[symbol, :, 0] = start_prices[symbol]
        np.cumsum(moves, axis=1, out=moves)
        np.exp(moves, out=prices[symbol, :, 1:])
        prices[symbol, :, 1:] *= start_prices[symbol]
    return prices
