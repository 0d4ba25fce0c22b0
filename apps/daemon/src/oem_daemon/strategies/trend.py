"""Time-series momentum with a moving-average crossover (Moskowitz, Ooi & Pedersen 2012)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oem_daemon.strategies.signal import FloatArray, Signal
from oem_daemon.strategies.windows import rolling_mean, rolling_std


@dataclass(frozen=True, slots=True)
class Trend:
    """Holds the symbol while the fast average stands above the slow one, scaled by its strength.

    The strength is the distance of the two averages in units of the volatility that the slow
    window would show, so that quiet and wild markets are treated alike.

    Args:
        fast: Fast window in bars, at least 2.
        slow: Slow window in bars, larger than `fast`.
        name: Name in decisions and reports.
        long_only: Whether short targets are cut to 0 (spot accounts cannot sell short).
    """

    fast: int = 12
    slow: int = 48
    name: str = "trend"
    long_only: bool = True

    @property
    def warmup(self) -> int:
        return self.slow + 1

    def signal(self, closes: FloatArray) -> Signal:
        recent = np.asarray(closes, dtype=np.float64)[-self.warmup :]
        strength = float(self._strength(recent)[-1])
        volatility_bps = 1e4 * float(np.diff(np.log(recent)).std())
        # A trend of z standard errors is expected to carry on for half its strength over the
        # fast window: the usual shrinkage of an estimated drift towards zero.
        drift = 0.5 * strength * volatility_bps * math.sqrt(self.fast)
        return Signal(
            target=float(self._target(np.asarray(strength))),
            drift_bps=drift,
            drift_sigma_bps=volatility_bps * math.sqrt(self.fast / self.slow),
            probability=0.5 * (1 + math.erf(0.5 * abs(strength) / math.sqrt(2))),
        )

    def targets(self, closes: FloatArray) -> FloatArray:
        return self._target(np.nan_to_num(self._strength(closes), nan=0.0))

    def _strength(self, closes: FloatArray) -> FloatArray:
        logs = np.log(closes)
        distance = rolling_mean(logs, self.fast) - rolling_mean(logs, self.slow)
        returns = np.diff(logs, axis=-1, prepend=logs[..., :1])
        volatility = rolling_std(returns, self.slow) * math.sqrt(self.slow - self.fast)
        volatility[..., : self.slow] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(volatility > 0, distance / volatility, 0.0) + 0 * volatility

    def _target(self, strength: FloatArray) -> FloatArray:
        target = np.clip(2.0 * strength, -1.0, 1.0)
        return np.maximum(target, 0.0) if self.long_only else target
