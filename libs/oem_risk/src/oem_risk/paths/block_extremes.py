"""Paths made of blocks of a history, reduced block by block and not step by step.

All that a path's drawdown needs of a block is how far it goes in all, its highest and its lowest
point, and its own deepest fall. These are looked up: tables hold them for every stretch of the
history whose length is a power of two, and any block is covered by two such stretches (the sparse
table of Bender, Farach-Colton, "The LCA problem revisited", LATIN 2000). So a path of a thousand
steps in blocks of twenty costs fifty look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oem_risk.paths.blocks import Floats

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretches:
    """What is known of every stretch of a history of 1, 2, 4 ... points.

    Attributes:
        level: (points,) sum of the log returns before each point; the history goes round.
        highest: (powers, points) highest level of the 2^k points from each on.
        lowest: (powers, points) their lowest.
        deepest: (powers, points) their deepest fall from an earlier to a later.
    """

    level: Floats
    highest: Floats
    lowest: Floats
    deepest: Floats

    @classmethod
    def of(cls, history: Floats, longest: int) -> Stretches:
        """Return the tables for blocks of at most `longest` returns."""
        level = np.zeros(history.size + longest + 1)
        np.cumsum(np.resize(history, level.size - 1), out=level[1:])
        powers = int(longest + 1).bit_length()
        shape = (powers, level.size)
        highest, lowest, deepest = np.empty(shape), np.empty(shape), np.zeros(shape)
        highest[0] = lowest[0] = level
        for k in range(1, powers):
            half = 1 << (k - 1)
            # stretches that would end beyond the last point are never asked for
            whole = max(level.size - 2 * half + 1, 0)
            first, second = slice(0, whole), slice(half, half + whole)
            highest[k], lowest[k], deepest[k] = highest[k - 1], lowest[k - 1], deepest[k - 1]
            np.maximum(highest[k - 1, first], highest[k - 1, second], out=highest[k, first])
            np.minimum(lowest[k - 1, first], lowest[k - 1, second], out=lowest[k, first])
            across = highest[k - 1, first] - lowest[k - 1, second]
            apart = np.maximum(deepest[k - 1, first], deepest[k - 1, second])
            np.maximum(across, apart, out=deepest[k, first])
        return cls(level, highest, lowest, deepest)

    def extremes(self, starts: Indices, lengths: Indices) -> tuple[Floats, Floats, Floats, Floats]:
        """Return whole move, highest, lowest and deepest fall of blocks, from their start.

        Args:
            starts: (blocks,) first return of each.
            lengths: (blocks,) returns in each, at least 0.
        """
        points = self.level.size
        power = _power(lengths + 1)
        late = starts + lengths + 1 - (1 << power)
        row = power * points
        first, second = row + starts, row + late
        highest = np.maximum(self.highest.take(first), self.highest.take(second))
        second_low = self.lowest.take(second)
        lowest = np.minimum(self.lowest.take(first), second_low)
        fall = np.maximum(self.deepest.take(first), self.deepest.take(second))
        # a fall from before the second stretch into it; the two stretches overlap
        before = late - starts
        power = _power(np.maximum(before, 1))
        row = power * points
        peak = np.maximum(
            self.highest.take(row + starts),
            self.highest.take(np.maximum(row + late - (1 << power), row + starts)),
        )
        fall = np.where(before > 0, np.maximum(fall, peak - second_low), fall)
        origin = self.level.take(starts)
        return self.level.take(starts + lengths) - origin, highest - origin, lowest - origin, fall


def reduce_blocks(
    stretches: Stretches, starts: Indices, lengths: Indices, first: Indices
) -> tuple[Floats, Floats, Floats]:
    """Return terminal price, maximum drawdown and lowest price of paths that start at 1.

    The same as `reduce_log_returns` of the returns the blocks stand for, but for rounding.

    Args:
        stretches: Of the history.
        starts: (blocks,) of all paths, one after another.
        lengths: (blocks,).
        first: (paths,) number of the first block of each path.
    """
    counts = np.diff(first, append=starts.size)
    # one row a path; what a shorter path leaves free goes nowhere
    place = np.arange(starts.size) + np.repeat(np.arange(first.size) * counts.max() - first, counts)
    shape = (first.size, int(counts.max()))

    def table(values: Floats) -> Floats:
        full = np.zeros(shape)
        full.reshape(-1)[place] = values
        return full

    move, high, low, fall = (table(found) for found in stretches.extremes(starts, lengths))
    end = np.add.accumulate(move, axis=1)
    begin = np.zeros(shape)
    begin[:, 1:] = end[:, :-1]
    low += begin
    high += begin
    # the peak before each block: of the start and of all earlier blocks
    peak = np.zeros(shape)
    np.maximum.accumulate(high[:, :-1], axis=1, out=peak[:, 1:])
    np.maximum(peak, 0.0, out=peak)
    deepest = np.maximum((peak - low).max(axis=1), fall.max(axis=1))
    trough = np.minimum(low.min(axis=1), 0.0)
    return np.exp(end[:, -1]), -np.expm1(-np.maximum(deepest, 0.0)), np.exp(trough)


def _power(counts: Indices) -> Indices:
    """Return the largest k with 2^k at most each count, which is at least 1."""
    return np.frexp(counts.astype(np.float64))[1].astype(np.int64) - 1
