"""Seeded synthetic bars, always marked as such, for where no data is at hand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.names import TIMEFRAME_NS
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
        jumps_per_year: Mean number of jumps.
        jump_volatility: Standard deviation of a jump's log size.
        daily_volume: Mean traded base units per day, > 0.
    """

    start_price: float
    annual_volatility: float = 0.6
    annual_drift: float = 0.0
    alpha: float = 0.08
    beta: float = 0.90
    jumps_per_year: float = 12.0
    jump_volatility: float = 0.03
    daily_volume: float = 20_000.0

    def __post_init__(self) -> None:
        fine = (
            self.start_price > 0
            and 0 < self.annual_volatility <= 5
            and self.alpha >= 0
            and self.beta >= 0
            and self.alpha + self.beta < 1
            and self.daily_volume > 0
        )
        if not fine:
            raise DataProblem(
                "the parameters of the generator are out of range",
                where="synthetic",
                remedy="see the ranges in SyntheticMarket's documentation",
            )


def synthetic_bars(
    symbol: str, market: SyntheticMarket, *, timeframe: str, bars: int, seed: int
) -> Bars:
    """Return generated bars; the same arguments give the same bars.

    Args:
        symbol: Name the bars carry; it is part of the seed, so two symbols differ.
        market: Parameters of the generator.
        timeframe: A key of `TIMEFRAME_NS`.
        bars: How many, >= 1.
        seed: Root seed, >= 0.
    """
    if bars < 1 or timeframe not in TIMEFRAME_NS:
        raise DataProblem(
            f"cannot generate {bars} bars of {timeframe!r}",
            where="synthetic",
            remedy="ask for at least one bar of " + ", ".join(TIMEFRAME_NS),
        )
    name = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, name])))
    per_year = 365 * 86_400 * 10**9 / TIMEFRAME_NS[timeframe]
    variance = long_run = market.annual_volatility**2 / per_year
    normal = rng.standard_normal((bars, _STEPS_IN_BAR))
    jumps = rng.random(bars) < market.jumps_per_year / per_year
    jump_size = rng.standard_normal(bars) * market.jump_volatility
    path = np.empty((bars, _STEPS_IN_BAR))
    for i in range(bars):
        path[i] = normal[i] * np.sqrt(variance / _STEPS_IN_BAR)
        path[i, 0] += jump_size[i] if jumps[i] else 0.0
        total = path[i].sum()
        variance = (
            (1 - market.alpha - market.beta) * long_run
            + market.alpha * total**2
            + market.beta * variance
        )
    path += market.annual_drift / per_year / _STEPS_IN_BAR
    levels = np.log(market.start_price) + np.cumsum(path.ravel()).reshape(path.shape)
    close = np.round(np.exp(levels[:, -1]), 2)
    open_ = np.r_[round(market.start_price, 2), close[:-1]]
    inside = np.round(np.exp(levels), 2)
    activity = np.abs(path).sum(axis=1) / np.abs(path).sum(axis=1).mean()
    per_bar = market.daily_volume * TIMEFRAME_NS[timeframe] / (86_400 * 10**9)
    volume = np.round(per_bar * activity * rng.lognormal(-0.02, 0.2, bars), 5)
    parameters = json.dumps(
        {"symbol": symbol, "timeframe": timeframe, "bars": bars, "seed": seed, **asdict(market)},
        sort_keys=True,
    )
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        open_ns=_EPOCH_NS + np.arange(bars, dtype=np.int64) * TIMEFRAME_NS[timeframe],
        open=open_,
        high=np.maximum.reduce([inside.max(axis=1), open_, close]),
        low=np.minimum.reduce([inside.min(axis=1), open_, close]),
        close=close,
        volume=volume,
        source=f"synthetic(seed={seed})",
        sha384=hashlib.sha384(parameters.encode()).hexdigest(),
        synthetic=True,
    )
