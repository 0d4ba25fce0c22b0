"""One series held against a second source of the same market."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.quality import Inspection, QualityCheck, QualityReport, runs_of
from oem_risk.data.quality_bars import log_returns, power_of_ten
from oem_risk.errors import DataProblem

Floats = NDArray[np.float64]
TOLERANCE = 0.05
UNCONFIRMED_SHARE = 0.01
LEVEL = 1.5
SAME_ASSET = 0.5
_LAGS = 3
_LEAST_FOR_CORRELATION = 50
_LASTING = 24


def cross_check(bars: Bars, other: Bars, *, tolerance: float = TOLERANCE) -> QualityReport:
    """Check a series of bars against a second source of the same market.

    Fatal: no common time, another asset (level or returns do not agree), the price in another
    unit (a power of ten), the times shifted by whole bars (closing times taken for opening
    times), a level that leaves the second source's for good (the ticker was given to another
    asset), more than 1 % of the moves not confirmed. Warnings: moves and wicks beyond `tolerance`
    that the second source does not show, bars missing here that the second source has.

    Args:
        bars: The series to judge.
        other: The second source, of the same timeframe; another venue or another file.
        tolerance: Difference of two log returns, or of two highs or lows, that is still the same.

    Raises:
        DataProblem: Timeframes differ, the tolerance is not in (0, 1), or one of the two holds
            prices that cannot be compared.
    """
    _require_comparable(bars, other, tolerance)
    common, here, there = np.intersect1d(bars.open_ns, other.open_ns, return_indices=True)
    look = Inspection(f"{bars.source} against {other.source}", common)
    synthetic = bars.synthetic or other.synthetic
    if len(common) < 2:
        look = Inspection(look.source, bars.open_ns)
        detail = f"{len(common)} common times; use sources that overlap"
        look.add(QualityCheck.NO_COMMON_TIME, len(bars), fatal=True, detail=detail)
        return look.report(synthetic=synthetic)
    ratio = np.log(bars.close[here] / other.close[there])
    if _check_identity(bars, other, ratio, look):
        _check_lasting_break(ratio, look)
        _check_moves(bars, other, look, tolerance)
        _check_wicks(bars.take(here), other.take(there), look, tolerance)
    _check_missing(bars, other, look)
    return look.report(synthetic=synthetic)


def _require_comparable(bars: Bars, other: Bars, tolerance: float) -> None:
    if bars.timeframe != other.timeframe:
        raise DataProblem(
            f"bars of {bars.timeframe} cannot be held against bars of {other.timeframe}",
            where=other.source,
            remedy="give a second source of the same timeframe",
        )
    if not 0 < tolerance < 1:
        raise DataProblem(
            f"the tolerance {tolerance} is out of range",
            where="tolerance",
            remedy="give a number above 0 and below 1",
        )
    for series in (bars, other):
        prices = np.concatenate([series.open, series.high, series.low, series.close])
        if not (np.isfinite(prices).all() and (prices > 0).all()):
            raise DataProblem(
                "prices are not finite and positive",
                where=series.source,
                remedy="run oem data check on the file alone first",
            )
        if len(series) > 1 and not (np.diff(series.open_ns) > 0).all():
            raise DataProblem(
                "times are not rising",
                where=series.source,
                remedy="run oem data check on the file alone first",
            )


def _check_identity(bars: Bars, other: Bars, ratio: Floats, look: Inspection) -> bool:
    """Return whether the two are the same asset in the same unit at the same times."""
    level = float(np.median(ratio))
    tens = power_of_ten(level)
    rows = len(ratio)
    if tens:
        detail = f"prices are 10^{tens} times the second source's: another unit"
        look.add(QualityCheck.PRICE_UNIT, rows, fatal=True, detail=detail)
        return False
    if abs(level) > math.log(LEVEL):
        detail = f"prices are {math.exp(level):.3g} times the second source's"
        look.add(QualityCheck.OTHER_ASSET, rows, fatal=True, detail=detail)
        return False
    found = _correlations(bars, other)
    if not found:
        return True
    best = max(found, key=lambda lag: found[lag])
    if best != 0 and found[best] > found.get(0, 0.0) + 0.2:
        late = "late" if best > 0 else "early"
        detail = (
            f"the series stands {abs(best)} bars {late} (correlation {found[best]:.2f}, unshifted "
            f"{found.get(0, 0.0):.2f}): closing and opening times, or time zones, were confused"
        )
        look.add(QualityCheck.TIME_SHIFT, rows, fatal=True, detail=detail)
        return False
    if found.get(0, 0.0) < SAME_ASSET:
        detail = f"returns correlate by {found.get(0, 0.0):.2f} only"
        look.add(QualityCheck.OTHER_ASSET, rows, fatal=True, detail=detail)
        return False
    return True


def _correlations(bars: Bars, other: Bars) -> dict[int, float]:
    """Rank correlation of returns by how many bars `bars` stands late; empty where too few move.

    Ranks (Spearman 1904), because one wrong print must not make two markets look unlike.
    """
    ours, our_rows = log_returns(bars)
    theirs, their_rows = log_returns(other)
    our_times, their_times = bars.open_ns[our_rows], other.open_ns[their_rows]
    found = {}
    for lag in range(-_LAGS, _LAGS + 1):
        _, a, b = np.intersect1d(
            our_times - lag * bars.interval_ns, their_times, return_indices=True
        )
        if len(a) < _LEAST_FOR_CORRELATION:
            continue
        x, y = ours[a], theirs[b]
        if x.std() > 0 and y.std() > 0:
            found[lag] = float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
    return found


def _ranks(values: Floats) -> Floats:
    """Mean rank of each value."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _check_lasting_break(ratio: Floats, look: Inspection) -> None:
    off = np.abs(ratio - np.median(ratio)) > math.log(2)
    starts, lengths = runs_of(off)
    for start, length in zip(starts, lengths, strict=True):
        if length >= _LASTING:
            detail = (
                f"from {look.at(int(start))} prices are {math.exp(ratio[start]):.3g} times the "
                f"second source's for {length} bars: another asset under the same name"
            )
            look.add(QualityCheck.TICKER_REUSE, int(length), fatal=True, detail=detail)
            return


def _check_moves(bars: Bars, other: Bars, look: Inspection, tolerance: float) -> None:
    ours, our_rows = log_returns(bars)
    theirs, their_rows = log_returns(other)
    times, a, b = np.intersect1d(
        bars.open_ns[our_rows], other.open_ns[their_rows], return_indices=True
    )
    if len(times) == 0:
        return
    gap = np.abs(ours[a] - theirs[b])
    count = int((gap > tolerance).sum())
    if count:
        worst = int(np.argmax(gap))
        place = Inspection("", times).at(worst)
        detail = (
            f"the worst at {place}: {math.expm1(ours[a][worst]):+.1%} here, "
            f"{math.expm1(theirs[b][worst]):+.1%} in the second source"
        )
        fatal = count > UNCONFIRMED_SHARE * len(times)
        look.add(QualityCheck.UNCONFIRMED_JUMP, count, fatal=fatal, detail=detail)


def _check_wicks(bars: Bars, other: Bars, look: Inspection, tolerance: float) -> None:
    level = float(np.median(np.log(bars.close / other.close)))
    above = np.log(bars.high / other.high) - level
    below = level - np.log(bars.low / other.low)
    reach = np.maximum(above, below)
    hits = reach > tolerance
    if hits.any():
        worst = int(np.argmax(reach))
        name = "high" if above[worst] >= below[worst] else "low"
        detail = (
            f"the worst at {look.at(worst)}: {name} {getattr(bars, name)[worst]:g} here, "
            f"{getattr(other, name)[worst]:g} in the second source"
        )
        look.note(QualityCheck.UNCONFIRMED_WICK, hits, fatal=False, detail=detail)


def _check_missing(bars: Bars, other: Bars, look: Inspection) -> None:
    inside = (other.open_ns >= bars.open_ns[0]) & (other.open_ns <= bars.open_ns[-1])
    missing = np.setdiff1d(other.open_ns[inside], bars.open_ns)
    if len(missing):
        detail = f"the second source has {len(missing)} more, from {Inspection('', missing).at(0)}"
        look.add(QualityCheck.MISSING_HERE, len(missing), fatal=False, detail=detail)
