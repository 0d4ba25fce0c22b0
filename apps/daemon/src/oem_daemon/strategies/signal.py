"""What a strategy is, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a strategy wants at one bar.

    Attributes:
        target: Wanted exposure as a fraction of the strategy's capital share, in [-1, 1].
        edge_bps: Expected gross gain of moving to the target, in basis points of the notional
            moved; an estimate from the strategy's own statistics, before any cost.
        edge_sigma_bps: Standard error of `edge_bps`.
        probability: The strategy's estimate, in [0, 1], that the move ends with a gain.
    """

    target: float
    edge_bps: float
    edge_sigma_bps: float
    probability: float


class Strategy(Protocol):
    """Turns closing prices into wanted exposure, alike on one bar and on a whole history."""

    @property
    def name(self) -> str:
        """Name used in decisions, costs and reports."""
        ...

    @property
    def warmup(self) -> int:
        """Number of bars needed before the first signal."""
        ...

    def signal(self, closes: FloatArray) -> Signal:
        """Return the signal after the last of `closes`, shape (bars,), at least `warmup` long."""
        ...

    def targets(self, closes: FloatArray) -> FloatArray:
        """Return the target after each bar.

        Args:
            closes: Closing prices, shape (bars,) or (paths, bars), positive.

        Returns:
            Targets in [-1, 1] of the same shape; 0 during the warm-up. `targets(c)[-1]` equals
            `signal(c).target`.
        """
        ...
