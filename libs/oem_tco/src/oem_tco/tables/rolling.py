"""Sums over a window that rolls with time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from oem_tco.tables.exact import Ints

WINDOW_NS = 30 * 86_400 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class RollingVolume:
    """What was traded, asked for the 30 days before an instant.

    Attributes:
        times: UTC nanoseconds, ascending.
        sums: What was traded up to each, minor units, one more than times: Python integers.
    """

    times: Ints
    sums: np.ndarray[tuple[int], np.dtype[np.object_]]

    @classmethod
    def of(cls, parts: Iterable[tuple[Ints, Ints]]) -> RollingVolume:
        """Return the volume of (times, amounts in minor units), in any order."""
        given = list(parts)
        times = np.concatenate([t for t, _ in given]) if given else np.zeros(0, np.int64)
        amounts = np.concatenate([a for _, a in given]) if given else np.zeros(0, np.int64)
        order = np.argsort(times, kind="stable")
        sums = np.zeros(len(times) + 1, object)
        sums[1:] = np.cumsum(amounts[order].astype(object))
        return cls(times[order], sums)

    def before(self, at: Ints) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        """Return what was traded in the 30 days before each instant, open at both ends.

        Example:
            >>> volume = RollingVolume.of([(np.array([5, 7]), np.array([10, 20]))])
            >>> volume.before(np.array([5, 6, 8, 5 + WINDOW_NS])).tolist()
            [0, 10, 30, 20]
        """
        first = np.searchsorted(self.times, at - WINDOW_NS, side="right")
        last = np.searchsorted(self.times, at, side="left")
        return np.asarray(self.sums[np.maximum(last, first)] - self.sums[first])
