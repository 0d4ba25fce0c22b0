"""Seeded synthetic bars, always marked as such, for where no data is at hand."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.names import TIMEFRAME_NS, timeframe_ns
from oem_risk.errors import DataProblem

_STEPS_IN_BAR = 12
_EPOCH_NS = 1_735_689_600 * 10**9


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """A market with volatility clustering and jumps.

    One step is GARCH(1,1) (Bollerslev 1986) with Merton jumps (1976): the variance of a bar is
    `(1 - alpha - beta) v + alpha r² + beta s²`.

    Attributes:
        start_price: First price, > 0.
        annual_volatility: Long-run volatility per year, in (0, 5].
        annual_drift: Mean log return per year.
        alpha: Weight of the last squared return, >= 0.
        beta: Weight of the last variance, >= 0; `alpha + beta` < 1.
        jumps_per_year: Mean number of jumps, >= 0; at most one falls into a bar.
        jump_volatility: Standard deviation of a jump's log size, in [0, 5].
        daily_volume: Mean traded base units per day, > 0.
        jumps_excite: Whether a jump counts in `r²`, so that the bars after it are wild too.
    """

    start_price: float
    annual_volatility: float = 0.6
    annual_drift: float = 0.0
    alpha: float = 0.08
    beta: float = 0.90
    jumps_per_year: float = 12.0
    jump_volatility: float = 0.03
    daily_volume: float = 20_000.0
    jumps_excite: bool = True

    def __post_init__(self) -> None:
        fine = (
            0 < self.start_price < math.inf
            and math.isfinite(self.annual_drift)
            and 0 < self.annual_volatility <= 5
            and self.alpha >= 0
            and self.beta >= 0
            and self.alpha + self.beta < 1
            and 0 <= self.jumps_per_year < math.inf
            and 0 <= self.jump_volatility <= 5
            and 0 < self.daily_volume < math.inf
        )
        if not fine:
            raise DataProblem(
                "the parameters of the generator are out of range",
                where="synthetic",
                remedy="see the ranges in SyntheticMarket's documentation",
            )


def per_year(timeframe: str) -> float:
    """Return how many bars of a timeframe a year of 365 days has."""
    return 365 * 86_400 * 10**9 / timeframe_ns(timeframe)


def synthetic_bars(
    symbol: str,
    market: SyntheticMarket,
    *,
    timeframe: str,
    bars: int,
    seed: int,
    start_ns: int = _EPOCH_NS,
    calibrated_to: str = "",
) -> Bars:
    """Return generated bars; the same arguments give the same bars.

    Args:
        symbol: Name the bars carry; it is part of the seed, so two symbols differ.
        market: Parameters of the generator.
        timeframe: A key of `TIMEFRAME_NS`.
        bars: How many, >= 1.
        seed: Root seed, >= 0.
        start_ns: Opening time of the first bar, on the grid of the timeframe.
        calibrated_to: History the parameters were fitted to; named in the source.

    Raises:
        DataProblem: No bar, an unknown timeframe, a negative seed, or a start off the grid.
    """
    if bars < 1 or timeframe not in TIMEFRAME_NS or seed < 0:
        raise DataProblem(
            f"cannot generate {bars} bars of {timeframe!r} from seed {seed}",
            where="synthetic",
            remedy="give a seed of at least 0 and ask for at least one bar of "
            + ", ".join(TIMEFRAME_NS),
        )
    if start_ns < 0 or start_ns % TIMEFRAME_NS[timeframe]:
        raise DataProblem(
            f"the bars cannot start off the grid of {timeframe}",
            where="start_ns",
            remedy="start at a whole multiple of the timeframe",
        )
    name = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, name])))
    yearly = per_year(timeframe)
    variance = long_run = market.annual_volatility**2 / yearly
    normal = rng.standard_normal((bars, _STEPS_IN_BAR))
    jumps = rng.random(bars) < market.jumps_per_year / yearly
    jump_size = rng.standard_normal(bars) * market.jump_volatility
    path = np.empty((bars, _STEPS_IN_BAR))
    for i in range(bars):
        path[i] = normal[i] * np.sqrt(variance / _STEPS_IN_BAR)
        jump = jump_size[i] if jumps[i] else 0.0
        total = path[i].sum() + (jump if market.jumps_excite else 0.0)
        path[i, 0] += jump
        variance = (
            (1 - market.alpha - market.beta) * long_run
            + market.alpha * total**2
            + market.beta * variance
        )
    path += market.annual_drift / yearly / _STEPS_IN_BAR
    levels = np.log(market.start_price) + np.cumsum(path.ravel()).reshape(path.shape)
    # a price keeps five digits, however small it is
    digits = max(2, 4 - math.floor(math.log10(market.start_price)))
    tick = 10.0**-digits
    close = np.maximum(np.round(np.exp(levels[:, -1]), digits), tick)
    open_ = np.r_[max(round(market.start_price, digits), tick), close[:-1]]
    inside = np.maximum(np.round(np.exp(levels), digits), tick)
    activity = np.abs(path).sum(axis=1) / np.abs(path).sum(axis=1).mean()
    per_bar = market.daily_volume * TIMEFRAME_NS[timeframe] / (86_400 * 10**9)
    volume = np.round(per_bar * activity * rng.lognormal(-0.02, 0.2, bars), 5)
    like = f", calibrated to {calibrated_to}" if calibrated_to else ""
    parameters = json.dumps(
        {
            "symbol": symbol,
            "timeframe": timeframe,
            "bars": bars,
            "seed": seed,
            "start_ns": start_ns,
            **asdict(market),
        },
        sort_keys=True,
    )
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        open_ns=start_ns + np.arange(bars, dtype=np.int64) * TIMEFRAME_NS[timeframe],
        open=open_,
        high=np.maximum.reduce([inside.max(axis=1), open_, close]),
        low=np.minimum.reduce([inside.min(axis=1), open_, close]),
        close=close,
        volume=volume,
        source=f"synthetic(seed={seed}{like})",
        sha384=hashlib.sha384(parameters.encode()).hexdigest(),
        synthetic=True,
        venue="synthetic",
    )
