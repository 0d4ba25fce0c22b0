"""What paths come to, followed step by step for all paths of a block at once.

`numpy`'s accumulations along a path wait for each sum before the next begins. So the steps are cut
into groups that are followed side by side, one long row of numbers for each step of a group, and
joined afterwards: of a group only its sum, its peak, its lowest level and its deepest fall count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEPS_AT_A_TIME = 256
"""Steps of a block that stay in a core's cache."""
MOST_GROUPS = 24
_LEAST_STEPS = 8


def group_count(steps: int) -> int:
    """Return into how many groups some steps are best cut."""
    return max(1, min(MOST_GROUPS, steps // _LEAST_STEPS))


def step_order(steps: int) -> NDArray[np.int64]:
    """Return the order in which steps are drawn: the groups' first steps, then the second.

    Args:
        steps: From 1 to 256.

    Example:
        >>> step_order(18).tolist()
        [0, 9, 1, 10, 2, 11, 3, 12, 4, 13, 5, 14, 6, 15, 7, 16, 8, 17]
    """
    whole, rest = divmod(steps, groups := group_count(steps))
    place, group = np.divmod(np.arange(steps), groups)
    return group * whole + np.minimum(group, rest) + place


class RunningPaths:
    """Level, peak, lowest level and deepest fall of log prices that start at 0."""

    def __init__(self, paths: int) -> None:
        self._paths = paths
        # level, peak, lowest, deepest: the first row is what came before, the others the groups
        self._tables = tuple(np.zeros((MOST_GROUPS + 1, paths)) for _ in range(4))
        self._fall = np.empty(MOST_GROUPS * paths)

    def follow(self, moves: Floats, shift: float) -> None:
        """Go on by some steps.

        Args:
            moves: (steps, paths) contiguous, at most 256 steps, in `step_order`; overwritten.
            shift: Added to each.
        """
        groups = group_count(len(moves))
        width = groups * self._paths
        level, peak, lowest, deepest = (
            table[1 : groups + 1].reshape(width) for table in self._tables
        )
        fall, flat = self._fall[:width], moves.reshape(-1)
        np.add(flat[:width], shift, out=level)
        np.copyto(peak, level)
        np.copyto(lowest, level)
        deepest.fill(0.0)
        for first in range(width, flat.size, width):
            row = flat[first : first + width]
            if row.size < width:
                # the last step of the groups that are a step longer
                level, peak, lowest, deepest, fall = (
                    table[: row.size] for table in (level, peak, lowest, deepest, fall)
                )
            np.add(row, shift, out=row)
            np.add(level, row, out=level)
            np.maximum(peak, level, out=peak)
            np.minimum(lowest, level, out=lowest)
            np.subtract(peak, level, out=fall)
            np.maximum(deepest, fall, out=deepest)
        self._join(groups)

    def prices(self, unit: float) -> tuple[Floats, Floats, Floats]:
        """Return terminal price, maximum drawdown and lowest price of paths that start at 1.

        Args:
            unit: What the log returns were counted in, above 0.
        """
        level, _, lowest, deepest = (unit * table[0] for table in self._tables)
        return np.exp(level), -np.expm1(-deepest), np.exp(lowest)

    def _join(self, groups: int) -> None:
        """Add the groups to what came before."""
        level, peak, lowest, deepest = (table[: groups + 1] for table in self._tables)
        np.add.accumulate(level, axis=0, out=level)
        peak[1:] += level[:-1]
        lowest[1:] += level[:-1]
        np.maximum.accumulate(peak, axis=0, out=peak)
        between = (peak[:-1] - lowest[1:]).max(axis=0)
        np.maximum(deepest.max(axis=0), between, out=deepest[0])
        lowest[0] = lowest.min(axis=0)
        level[0], peak[0] = level[-1], peak[-1]
