"""Was the paths' model right about tomorrow, day after day, on the history it is fitted to?

Each day a one-day value at risk is forecast from the days before it only, by the law that the path
model has for one day, for an equal holding of all symbols; then the day comes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from oem_risk.backtests.coverage import independence, kupiec_exact
from oem_risk.backtests.result import TestResult, exceptions_of
from oem_risk.backtests.traffic_light import TrafficLight, traffic_light
from oem_risk.measures.estimate import Floats
from oem_risk.measures.filtered import rolling_filtered
from oem_risk.measures.tail import normal_tail
from oem_risk.paths.calibrate import PathKind, fit_merton
from oem_risk.paths.joint import JointMerton

LEVEL = 0.99
_WINDOWS = (250, 100)
_LEAST_FORECASTS = 50
_REFIT_DAYS = 25


@dataclass(frozen=True, slots=True)
class VarBacktest:
    """A value at risk held against what came.

    Attributes:
        level: Of value at risk.
        window: Days each forecast was made from.
        model: Law of the forecast, in words.
        var: (days,) forecasts, positive is a loss, a share.
        returns: (days,) what came.
        hits: (days,) where the loss exceeded its forecast.
        coverage: Test of their number, exact.
        independence: Test of one following another.
        light: The supervisor's traffic light.
    """

    level: float
    window: int
    model: str
    var: Floats = field(repr=False)
    returns: Floats = field(repr=False)
    hits: np.ndarray[tuple[int], np.dtype[np.bool_]] = field(repr=False)
    coverage: TestResult
    independence: TestResult
    light: TrafficLight

    @property
    def rejected(self) -> bool:
        """Whether number or independence of the exceptions is rejected at 1 %."""
        return self.coverage.rejects(0.01) or self.independence.rejects(0.01)

    def as_json(self) -> dict[str, object]:
        return {
            "level": self.level,
            "window_days": self.window,
            "model": self.model,
            "days": len(self.var),
            "exceptions": self.coverage.exceptions,
            "expected": len(self.var) * (1 - self.level),
            "coverage_p_value": self.coverage.p_value,
            "coverage_method": self.coverage.method,
            "independence_p_value": self.independence.p_value,
            "independence_method": self.independence.method,
            "traffic_light": self.light.zone.value,
            "rejected_at_1_pct": self.rejected,
        }


def backtest_paths(
    kind: PathKind, log_returns: Floats, bars_per_day: int, *, level: float = LEVEL
) -> VarBacktest | None:
    """Back-test a path model's one-day value at risk on a history.

    Args:
        kind: The path model. The bootstraps' law of a day is the sample of past days; GBM's the
            normal fitted to them; Merton's the fitted mixture; GARCH's and GJR's filtered history.
        log_returns: (symbols, observations) by bar.
        bars_per_day: Bars in a day; what is left over at the beginning is not used.
        level: Of value at risk.

    Returns:
        The back-test; None where the history is too short for 50 forecasts from 100 days.
    """
    days = log_returns.shape[1] // bars_per_day
    recent = log_returns[:, log_returns.shape[1] - days * bars_per_day :]
    daily = np.expm1(recent.reshape(len(log_returns), days, bars_per_day).sum(axis=2)).mean(axis=0)
    window = next((w for w in _WINDOWS if days - w >= max(_LEAST_FORECASTS, w // 2)), None)
    if window is None or float(np.ptp(daily)) == 0.0:
        return None
    returns = daily[window:]
    if kind in (PathKind.GARCH, PathKind.GJR):
        skewed = kind is PathKind.GJR
        found = rolling_filtered(
            daily, level, window=window, refit_every=_REFIT_DAYS, asymmetric=skewed
        )
        var, words = found.var, f"{'GJR' if skewed else 'GARCH(1,1)'} filtered history"
    else:
        var, words = _rolling(kind, daily, window, level)
    hits = exceptions_of(returns, var)
    count = int(hits.sum())
    return VarBacktest(
        level, window, words, var, returns, hits,
        kupiec_exact(count, hits.size, level),
        independence(hits),
        traffic_light(count, hits.size, level),
    )  # fmt: skip


def _rolling(kind: PathKind, daily: Floats, window: int, level: float) -> tuple[Floats, str]:
    var = np.empty(daily.size - window)
    fitted: JointMerton | None = None
    z = normal_tail(level).var
    # the rank of `historical_var`, without its interval
    rank = math.floor(round(window * (1 - level), 9))
    for i in range(var.size):
        past = daily[i : i + window]
        if kind is PathKind.GBM:
            var[i] = z * float(past.std(ddof=1)) - float(past.mean())
        elif kind is PathKind.MERTON:
            if fitted is None or i % _REFIT_DAYS == 0:
                fitted = fit_merton(np.log1p(past)[None, :])
            var[i] = _jump_quantile(fitted, level)
        else:
            var[i] = -np.partition(past, rank)[rank]
    names = {PathKind.GBM: "normal", PathKind.MERTON: "jump diffusion"}
    return var, names.get(kind, "history of the window")


def _jump_quantile(model: JointMerton, level: float) -> float:
    """Return the value at risk of one step: a normal mixture over the number of jumps."""
    from scipy.special import ndtr

    variance, jump = float(model.covariance[0, 0]), float(model.jump_covariance[0, 0])
    mean_jump, rate = float(model.jump_mean[0]), model.intensity
    expected = math.expm1(mean_jump + jump / 2)
    centre = float(model.drift[0]) - rate * expected - variance / 2
    n = np.arange(0, 20 + int(4 * rate))
    logs = n * math.log(rate) - rate if rate > 0 else np.where(n == 0, 0.0, -np.inf)
    weights = np.exp(logs - np.array([math.lgamma(k + 1) for k in n]))
    spread = np.sqrt(variance + n * jump)
    reach = 50 * float(spread.max()) + 20 * abs(mean_jump)
    low, high = centre - reach, centre + reach
    for _ in range(100):
        middle = (low + high) / 2
        below = float((weights * ndtr((middle - centre - n * mean_jump) / spread)).sum())
        low, high = (middle, high) if below < 1 - level else (low, middle)
    return -math.expm1((low + high) / 2)
