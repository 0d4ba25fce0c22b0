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
        drift_bps: Move of the price that the strategy expects, in basis points, positive upwards;
            an estimate from its own statistics, before any cost.
        drift_sigma_bps: Standard error of `drift_bps`.
        probability: The strategy's estimate, in [0.5, 1], that the price moves the way of
            `drift_bps`.
    """

    target: float
    drift_bps: float
    drift_sigma_bps: float
    probability: float

    def edge_bps(self, sign: int) -> float:
        """Return what a trade gains if the drift comes, before costs; `sign` is 1 for a purchase.

        Whoever sells while the price is expected to rise gives that up: the edge is negative.
        """
        return sign * self.drift_bps

    def gains(self, sign: int) -> float:
        """Return the probability that a trade gains; `sign` is 1 for a purchase."""
        return self.probability if self.edge_bps(sign) >= 0 else 1.0 - self.probability


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
