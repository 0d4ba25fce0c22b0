"""What is wrong with a series of bars, and whether it may be used."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import PRICES, Bars
from oem_security.clock import rfc3339

FROZEN_BARS = 24
JUMP = 0.5
SANE_NS = (1_230_768_000 * 10**9, 4_102_444_800 * 10**9)


class QualityVerdict(enum.StrEnum):
    """Whether data may be used."""

    USABLE = "usable"
    WARNINGS = "usable_with_warnings"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One kind of fault.

    Attributes:
        check: Name of the check.
        count: How many bars are concerned.
        fatal: Whether the data must not be used.
        detail: The first or worst place, in words.
    """

    check: str
    count: int
    fatal: bool
    detail: str


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The findings on one series."""

    source: str
    bars: int
    findings: tuple[QualityFinding, ...]

    @property
    def verdict(self) -> QualityVerdict:
        if any(finding.fatal for finding in self.findings):
            return QualityVerdict.UNUSABLE
        return QualityVerdict.WARNINGS if self.findings else QualityVerdict.USABLE

    def as_json(self) -> dict[str, object]:
        return {
            "source": self.source,
            "bars": self.bars,
            "verdict": self.verdict.value,
            "findings": [
                {"check": f.check, "count": f.count, "fatal": f.fatal, "detail": f.detail}
                for f in self.findings
            ],
        }


def check_bars(bars: Bars, *, at_least: int = 2) -> QualityReport:
    """Check one series of bars.

    Checks: length, time unit, order, duplicates, positions off the interval's grid, gaps,
    non-finite or non-positive prices, negative volume, high below low or outside open and close,
    frozen prices (24 equal closes), and moves of more than 50 % within a bar.

    Args:
        bars: The series.
        at_least: Fewer bars than this are unusable.
    """
    found: list[QualityFinding] = []

    def note(check: str, hits: NDArray[np.bool_], fatal: bool, detail: str = "") -> None:
        count = int(hits.sum())
        if count:
            first = int(np.flatnonzero(hits)[0])
            place = f"first at {rfc3339(int(bars.open_ns[min(first, len(bars) - 1)]))}"
            found.append(QualityFinding(check, count, fatal, detail or place))

    if len(bars) < at_least:
        detail = f"{len(bars)} bars, {at_least} needed"
        found.append(QualityFinding("too_short", len(bars), True, detail))
        return QualityReport(bars.source, len(bars), tuple(found))
    low, high = SANE_NS
    wild = (bars.open_ns < low) | (bars.open_ns > high)
    if wild.any():
        detail = "times outside 2009 to 2100: another unit was read as milliseconds"
        found.append(QualityFinding("time_unit", int(wild.sum()), True, detail))
        return QualityReport(bars.source, len(bars), tuple(found))
    steps = np.diff(bars.open_ns)
    note("unsorted", steps < 0, fatal=True)
    note("duplicate_time", steps == 0, fatal=True)
    note("off_grid", bars.open_ns % bars.interval_ns != 0, fatal=False)
    gaps = steps > bars.interval_ns
    if gaps.any():
        worst = int(np.argmax(steps))
        missing = int((steps[gaps] // bars.interval_ns - 1).sum())
        detail = (
            f"{missing} bars missing, the longest gap {steps[worst] / 3.6e12:.1f} h "
            f"after {rfc3339(int(bars.open_ns[worst]))}"
        )
        found.append(QualityFinding("gap", int(gaps.sum()), False, detail))
    prices = np.stack([getattr(bars, name) for name in PRICES])
    bad = ~np.isfinite(prices).all(axis=0) | (np.nan_to_num(prices, nan=-1.0) <= 0).any(axis=0)
    note("price_not_positive", bad, fatal=True)
    note("volume_negative", ~np.isfinite(bars.volume) | (bars.volume < 0), fatal=True)
    if not bad.any():
        body_high = np.maximum(bars.open, bars.close)
        body_low = np.minimum(bars.open, bars.close)
        note("ohlc_inconsistent", (bars.high < body_high) | (bars.low > body_low), fatal=True)
        moves = np.abs(np.diff(np.log(bars.close)))
        note("jump", np.r_[False, moves > np.log1p(JUMP)], fatal=False)
        if len(bars) >= FROZEN_BARS:
            still = np.convolve(moves == 0, np.ones(FROZEN_BARS - 1), "valid") == FROZEN_BARS - 1
            note("frozen", np.r_[still], fatal=bool((moves == 0).all()))
    return QualityReport(bars.source, len(bars), tuple(found))
