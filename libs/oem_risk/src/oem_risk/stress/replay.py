"""Bad days replayed from their own bars: prices, ranges and volumes as they were."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from oem_risk.data.bars import Bars, common_times
from oem_risk.data.quality import QualityVerdict
from oem_risk.data.quality_bars import check_bars
from oem_risk.errors import DataProblem, LabProblem
from oem_risk.lab.verdict import Verdict
from oem_risk.limits.profile import RiskProfile
from oem_risk.stress.fills import FillModel

Floats = NDArray[np.float64]
_HOUR_NS = 3_600 * 10**9
_DAY_NS = 24 * _HOUR_NS
_LEAST_BEFORE = 24
_USUAL_BARS = 720


class HistoricalReplay(BaseModel):
    """One stretch of history to live through again.

    Attributes:
        name: Name in reports, the day it is known by.
        title: What happened.
        start: When the holding is bought, UTC.
        hours: How long it is watched, 1 to 2,400.
        latency_bars: Bars between the decision to sell and the first sale, >= 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    start: AwareDatetime
    hours: int = Field(ge=1, le=2_400)
    latency_bars: int = Field(default=1, ge=0, le=1_000)

    @property
    def start_ns(self) -> int:
        """The start, UTC nanoseconds."""
        since = self.start - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return (since.days * 86_400 + since.seconds) * 10**9

    @property
    def end_ns(self) -> int:
        """The time after the last bar."""
        return self.start_ns + self.hours * _HOUR_NS


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did to a profile's largest holding; shares are of equity at the start.

    Attributes:
        replay: Name of the replay.
        profile: Name of the profile.
        symbols: What was held, in equal parts.
        market_fall: Deepest fall of the unsold holding itself, as a share of its price.
        worst: Deepest loss from the highest equity, as a share of that.
        loss: Loss at the end, all sold or not.
        slippage: Part of the loss that the book took.
        unsold: Share of the holding that found no buyer.
        bars_to_exit: Bars from the loss limit to flat; -1 where it was never sold out.
        triggered: Whether the daily loss limit was reached.
        limit: The profile's drawdown limit.
        verdict: PASS while the worst loss stays inside the limit.
        parts: Parts of the loss: market before the limit, latency, while selling, book.
        sources: Files and their hashes.
    """

    replay: str
    profile: str
    symbols: tuple[str, ...]
    market_fall: float
    worst: float
    loss: float
    slippage: float
    unsold: float
    bars_to_exit: int
    triggered: bool
    limit: float
    verdict: Verdict
    parts: tuple[tuple[str, float], ...]
    sources: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, object]:
        names = (
            "replay", "profile", "market_fall", "worst", "loss", "slippage", "unsold",
            "bars_to_exit", "triggered", "limit",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "verdict": self.verdict.value,
            "symbols": list(self.symbols),
            "parts": dict(self.parts),
            "sources": dict(self.sources),
        }


@dataclass(slots=True)
class _Market:
    """The replayed market, shape (symbols, bars) each."""

    low: Floats
    close: Floats
    depth: Floats
    spread_bps: Floats
    start: Floats
    day: NDArray[np.int64]


def run_replay(
    replay: HistoricalReplay,
    bars: Sequence[Bars],
    profile: RiskProfile,
    fills: FillModel,
    *,
    spread_bps: float,
    depth_share: float,
    equity: float,
) -> ReplayResult:
    """Hold the profile's largest position through a stretch of history.

    Each bar is lived through at its low and then at its close. When the loss since the start of
    the UTC day reaches the profile's limit at a low, everything is sold from `latency_bars` later
    on at each bar's low (nobody times the bounce), into a book whose depth is `depth_share` of the
    bar's own volume, thinned as its range exceeds the usual one, and whose spread widens likewise
    (spreads move with volatility: Wyart and others, Quantitative Finance 8, 2008). What finds no
    buyer is offered again in the next bar; bars that the venue did not publish sell nothing.

    Args:
        replay: The stretch.
        bars: Real bars of each symbol, of one timeframe, that cover the stretch and at least 24
            bars before it.
        profile: Whose limits size the holding and judge the loss.
        fills: The book the sales walk.
        spread_bps: Usual spread, basis points, >= 0.
        depth_share: Share of a bar's usual volume that stands on the buying side, > 0.
        equity: Equity at the start, quote units, > 0.

    Raises:
        DataProblem: The bars are unusable, generated, or do not cover the stretch.
        LabProblem: No symbol, or a number out of range.
    """
    if not bars or spread_bps < 0 or not depth_share > 0 or not equity > 0:
        raise LabProblem(
            "a replay needs bars, a spread of at least 0, and depth and equity above 0",
            where=replay.name,
            remedy="correct the settings",
        )
    market = _market(replay, bars, spread_bps, depth_share)
    share = min(profile.max_position, profile.max_leverage / len(bars))
    run = _Holding(share * equity / market.start, equity, market, fills)
    for bar in range(market.low.shape[1]):
        if run.live(bar, profile.max_daily_loss, replay.latency_bars):
            break
    fall = 1 - float((market.low / market.start[:, None]).mean(axis=0).min())
    return ReplayResult(
        replay=replay.name,
        profile=profile.name,
        symbols=tuple(b.symbol for b in bars),
        market_fall=fall,
        worst=run.worst,
        loss=1 - run.value / equity,
        slippage=run.parts["book"] / equity,
        unsold=float((run.held / run.bought).mean()),
        bars_to_exit=run.flat_at - run.trigger if run.flat_at >= 0 else -1,
        triggered=run.trigger >= 0,
        limit=profile.max_drawdown,
        verdict=Verdict.PASS if run.worst <= profile.max_drawdown else Verdict.FAIL,
        parts=tuple((name, lost / equity) for name, lost in run.parts.items()),
        sources=tuple((b.source, b.sha384) for b in bars),
    )


@dataclass(slots=True)
class _Holding:
    """The holding as it lives through the bars."""

    held: Floats
    equity: float
    market: _Market
    fills: FillModel
    bought: Floats = field(init=False)
    cash: float = field(init=False)
    value: float = field(init=False)
    peak: float = field(init=False)
    worst: float = 0.0
    trigger: int = -1
    flat_at: int = -1
    parts: dict[str, float] = field(init=False)
    _before: Floats = field(init=False)
    _day: int = -1
    _day_value: float = 0.0

    def __post_init__(self) -> None:
        self.bought = self.held.copy()
        self._before = self.market.start.copy()
        self.cash = self.equity - float((self.held * self._before).sum())
        self.value = self.peak = self.equity
        names = ("before the limit", "latency", "while selling", "book")
        self.parts = dict.fromkeys(names, 0.0)

    def live(self, bar: int, daily_limit: float, latency: int) -> bool:
        """Live through one bar; True when nothing is held any more."""
        if int(self.market.day[bar]) != self._day:
            self._day, self._day_value = int(self.market.day[bar]), self.value
        self._move(self.market.low[:, bar], bar, latency)
        if self.trigger < 0 and 1 - self.value / self._day_value >= daily_limit:
            self.trigger = bar
        if self.trigger >= 0 and bar >= self.trigger + latency:
            self._sell(bar)
            if (self.held <= self.bought * 1e-9).all():
                self.flat_at = bar
                return True
        self._move(self.market.close[:, bar], bar, latency)
        return False

    def _move(self, prices: Floats, bar: int, latency: int) -> None:
        late = self.trigger >= 0 and bar < self.trigger + latency
        phase = "before the limit" if self.trigger < 0 else "latency" if late else "while selling"
        self.parts[phase] += float((self.held * (self._before - prices)).sum())
        self._before = prices
        self._mark()

    def _sell(self, bar: int) -> None:
        for i, mid in enumerate(self.market.low[:, bar]):
            if self.held[i] <= self.bought[i] * 1e-9:
                continue
            filled, price = self.fills.sell(
                float(self.held[i]),
                mid=float(mid),
                spread_bps=float(self.market.spread_bps[i, bar]),
                depth=float(self.market.depth[i, bar]),
            )
            self.held[i] -= filled
            self.cash += filled * price
            self.parts["book"] += filled * float(mid - price)
        self._mark()

    def _mark(self) -> None:
        self.value = self.cash + float((self.held * self._before).sum())
        self.peak = max(self.peak, self.value)
        self.worst = max(self.worst, 1 - self.value / self.peak)


def _market(
    replay: HistoricalReplay, bars: Sequence[Bars], spread_bps: float, depth_share: float
) -> _Market:
    aligned = common_times(list(bars))
    if any(b.synthetic for b in bars):
        raise DataProblem(
            "the bars are synthetic: a day that happened is replayed from its own bars only",
            where=replay.name,
            remedy="name a folder of recorded bars that cover it",
        )
    timeframes = {b.timeframe for b in bars}
    if len(timeframes) > 1:
        raise DataProblem(
            f"the symbols' bars are of {', '.join(sorted(timeframes))}",
            where=replay.name,
            remedy="replay bars of one timeframe",
        )
    interval = bars[0].interval_ns
    times = aligned[0].open_ns
    inside = np.flatnonzero((times >= replay.start_ns) & (times < replay.end_ns))
    before = np.flatnonzero(times < replay.start_ns)[-_USUAL_BARS:]
    whole = replay.hours * _HOUR_NS // interval
    recent = len(before) and replay.start_ns - int(times[before[0]]) <= 2 * _USUAL_BARS * interval
    if len(inside) < max(2, whole // 2) or len(before) < _LEAST_BEFORE or not recent:
        raise DataProblem(
            f"the bars do not cover {replay.name}: {len(inside)} of {whole} bars in it, "
            f"{len(before)} before it",
            where=", ".join(b.source for b in bars),
            remedy=f"give bars from at least {_LEAST_BEFORE} bars before "
            f"{replay.start:%Y-%m-%d %H:%M} on, for {replay.hours} hours",
        )
    for series in aligned:
        report = check_bars(series.take(np.r_[before, inside]))
        if report.verdict is QualityVerdict.UNUSABLE:
            raise DataProblem(
                f"the bars are unusable: {report.faults}",
                where=series.source,
                remedy="mend or replace the file; oem data check lists every fault",
            )
    ranges = np.stack([np.log(b.high / b.low) for b in aligned])
    usual = np.maximum(np.median(ranges[:, before], axis=1), 1e-6)[:, None]
    wide = np.maximum(1.0, ranges[:, inside] / usual)
    volume = np.stack([b.volume[inside] for b in aligned])
    return _Market(
        low=np.stack([b.low[inside] for b in aligned]),
        close=np.stack([b.close[inside] for b in aligned]),
        depth=volume * depth_share / wide,
        spread_bps=spread_bps * wide,
        start=np.array([b.open[inside[0]] for b in aligned]),
        day=times[inside] // _DAY_NS,
    )
