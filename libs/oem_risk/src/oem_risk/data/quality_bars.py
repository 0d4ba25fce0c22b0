"""The checks of bars."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import PRICES, Bars
from oem_risk.data.quality import Inspection, QualityCheck, QualityReport, runs_of

FROZEN_BARS = 24
JUMP = 0.5
WICK = 2.0
LEVEL_BREAK = 5.0
SEAM = 3.0
_AROUND = 24
_DEVIATIONS = 3.0
_DAY_NS = 86_400 * 10**9


def check_bars(bars: Bars, *, at_least: int = 2) -> QualityReport:
    """Check one series of bars.

    Fatal: too few bars, times of another unit, wrong order, duplicate times, prices not positive
    or not finite, negative volume, high or low that does not contain open and close, a price that
    stands still for a day or more at the end (delisted), a level that breaks five-fold between a
    close and the next open and stays there (the ticker was given to another asset, or the unit of
    the price changed). Warnings: gaps, times off the interval's grid, closes that move by more
    than 50 %, wicks beyond twice the body, 24 bars without any movement.

    Args:
        bars: The series.
        at_least: Fewer bars than this are unusable.
    """
    look = Inspection(bars.source, bars.open_ns)
    if look.stops_at(at_least):
        return look.report(synthetic=bars.synthetic)
    _check_times(bars, look)
    prices = np.stack([getattr(bars, name) for name in PRICES])
    bad = ~np.isfinite(prices).all(axis=0) | (np.nan_to_num(prices, nan=-1.0) <= 0).any(axis=0)
    look.note(QualityCheck.PRICE_NOT_POSITIVE, bad, fatal=True)
    volume_bad = ~np.isfinite(bars.volume) | (bars.volume < 0)
    look.note(QualityCheck.VOLUME_NEGATIVE, volume_bad, fatal=True)
    if not bad.any():
        _check_prices(bars, look)
        _check_frozen(bars, look)
        _check_levels(bars, look)
    return look.report(synthetic=bars.synthetic)


def _check_times(bars: Bars, look: Inspection) -> None:
    steps = np.diff(bars.open_ns)
    look.note(QualityCheck.UNSORTED, np.r_[False, steps < 0], fatal=True)
    look.note(QualityCheck.DUPLICATE_TIME, np.r_[False, steps == 0], fatal=True)
    look.note(QualityCheck.OFF_GRID, bars.open_ns % bars.interval_ns != 0, fatal=False)
    gaps = steps > bars.interval_ns
    if gaps.any():
        worst = int(np.argmax(steps))
        missing = int((steps[gaps] // bars.interval_ns - 1).sum())
        detail = (
            f"{missing} bars missing, the longest gap {steps[worst] / 3.6e12:.1f} h "
            f"after {look.at(worst)}"
        )
        look.add(QualityCheck.GAP, int(gaps.sum()), fatal=False, detail=detail)


def _check_prices(bars: Bars, look: Inspection) -> None:
    body_high = np.maximum(bars.open, bars.close)
    body_low = np.minimum(bars.open, bars.close)
    torn = (bars.high < body_high) | (bars.low > body_low)
    look.note(QualityCheck.OHLC_INCONSISTENT, torn, fatal=True)
    moves = np.abs(np.diff(np.log(bars.close)))
    look.note(QualityCheck.JUMP, np.r_[False, moves > math.log1p(JUMP)], fatal=False)
    wick = (bars.high > WICK * body_high) | (bars.low * WICK < body_low)
    if wick.any():
        reach = np.maximum(bars.high / body_high, body_low / bars.low)
        worst = int(np.argmax(reach))
        detail = f"the longest is {reach[worst]:.2f} times the body, at {look.at(worst)}"
        look.note(QualityCheck.WICK, wick, fatal=False, detail=detail)


def _check_frozen(bars: Bars, look: Inspection) -> None:
    flat = (bars.high == bars.low) & np.r_[False, np.diff(bars.close) == 0]
    starts, lengths = runs_of(flat)
    lasting = lengths >= FROZEN_BARS
    if not lasting.any():
        return
    longest = int(np.argmax(lengths))
    detail = f"the longest stands still for {lengths[longest]} bars from {look.at(starts[longest])}"
    look.add(
        QualityCheck.FROZEN,
        int(lengths[lasting].sum()),
        fatal=bool(flat[1:].all()),
        detail=detail,
    )
    at_end = starts[-1] + lengths[-1] == len(bars)
    if at_end and lengths[-1] * bars.interval_ns >= _DAY_NS and lasting[-1]:
        look.add(
            QualityCheck.FROZEN_TAIL,
            int(lengths[-1]),
            fatal=True,
            detail=f"the price stands still from {look.at(int(starts[-1]))} to the end: "
            "trading ended there, cut the series",
        )


def _check_levels(bars: Bars, look: Inspection) -> None:
    """A market opens near its last close even in a crash; another asset does not."""
    logs = np.log(bars.close)
    seams = np.log(bars.open[1:]) - logs[:-1]
    moves, _ = log_returns(bars)
    per_bar = float(moves.std()) if len(moves) > 1 else 0.0
    for row in np.flatnonzero(np.abs(seams) >= math.log(SEAM)) + 1:
        before = float(np.median(logs[max(0, row - _AROUND) : row]))
        after = float(np.median(logs[row : row + _AROUND]))
        silent = max(0.0, float(bars.open_ns[row] - bars.open_ns[row - 1]) - bars.interval_ns)
        drift = _DEVIATIONS * per_bar * math.sqrt(silent / bars.interval_ns)
        if abs(after - before) < math.log(LEVEL_BREAK) + drift:
            continue
        hours = silent / 3.6e12
        where = f"at {look.at(int(row))}" + (f", after {hours:.0f} h without bars" if hours else "")
        tens = power_of_ten(after - before)
        if tens:
            look.add(
                QualityCheck.PRICE_UNIT, 1, fatal=True,
                detail=f"the price is 10^{tens} times the one before {where}: another unit",
            )  # fmt: skip
        else:
            look.add(
                QualityCheck.TICKER_REUSE, 1, fatal=True,
                detail=f"the price is {math.exp(after - before):.3g} times the one before {where}: "
                "another asset under the same name",
            )  # fmt: skip
        return


def power_of_ten(log_ratio: float, *, within: float = 0.1) -> int:
    """Return k where a ratio is within 10 % of 10^k and k is not 0; else 0.

    Example:
        >>> power_of_ten(math.log(100.4)), power_of_ten(math.log(30)), power_of_ten(0.01)
        (2, 0, 0)
    """
    tens = round(log_ratio / math.log(10))
    return tens if tens and abs(log_ratio - tens * math.log(10)) < math.log1p(within) else 0


def log_returns(bars: Bars) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return log returns between adjacent bars, and the row each ends at; gaps give none."""
    rows = np.flatnonzero(np.diff(bars.open_ns) == bars.interval_ns) + 1
    logs = np.log(bars.close)
    return logs[rows] - logs[rows - 1], rows
