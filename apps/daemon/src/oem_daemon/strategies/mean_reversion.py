"""Mean reversion on the z-score of the log price within its own window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oem_daemon.strategies.signal import FloatArray, Signal
from oem_daemon.strategies.windows import rolling_mean, rolling_std


@dataclass(frozen=True, slots=True)
class MeanReversion:
    """Buys what fell below its mean and sells what rose above it, in proportion to the distance.

    Args:
        window: Window in bars, at least 4.
        entry_z: Distance from the mean, in standard deviations, below which nothing is held.
        name: Name in decisions and reports.
        long_only: Whether short targets are cut to 0 (spot accounts cannot sell short).
    """

    window: int = 24
    entry_z: float = 1.0
    name: str = "mean_reversion"
    long_only: bool = True

    @property
    def warmup(self) -> int:
        return self.window

    def signal(self, closes: FloatArray) -> Signal:
        recent = np.log(np.asarray(closes, dtype=np.float64)[-self.window :])
        deviation = float(recent.std())
        z = (float(recent[-1]) - float(recent.mean())) / deviation if deviation > 0 else 0.0
        # Half the distance back to the mean is the expected pull of an AR(1) over its half-life.
        drift = -0.5 * z * deviation * 1e4
        return Signal(
            target=float(self._target(np.asarray(z))),
            drift_bps=drift,
            drift_sigma_bps=1e4 * deviation / math.sqrt(self.window),
            probability=0.5 * (1 + math.erf(0.35 * abs(z) / math.sqrt(2))),
        )

    def targets(self, closes: FloatArray) -> FloatArray:
        logs = np.log(closes)
        mean, deviation = rolling_mean(logs, self.window), rolling_std(logs, self.window)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(deviation > 0, (logs - mean) / deviation, 0.0)
        return self._target(np.nan_to_num(z, nan=0.0))

    def _target(self, z: FloatArray) -> FloatArray:
        beyond = np.sign(-z) * np.clip(np.abs(z) - self.entry_z, 0.0, 1.0)
        return np.maximum(beyond, 0.0) if self.long_only else beyond
