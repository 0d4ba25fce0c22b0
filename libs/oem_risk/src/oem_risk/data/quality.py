"""What is wrong with a series of market data, and whether it may be used."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.schema import SANE_NS
from oem_risk.errors import DataProblem
from oem_security.clock import rfc3339

Flags = NDArray[np.bool_]


class QualityVerdict(enum.StrEnum):
    """Whether data may be used."""

    USABLE = "usable"
    WARNINGS = "usable_with_warnings"
    UNUSABLE = "unusable"


class QualityCheck(enum.StrEnum):
    """Every fault that is looked for; the reference page lists what each means."""

    TOO_SHORT = "too_short"
    TIME_UNIT = "time_unit"
    UNSORTED = "unsorted"
    DUPLICATE_TIME = "duplicate_time"
    DUPLICATE_ROW = "duplicate_row"
    OFF_GRID = "off_grid"
    GAP = "gap"
    PRICE_NOT_POSITIVE = "price_not_positive"
    VOLUME_NEGATIVE = "volume_negative"
    SIZE_NOT_POSITIVE = "size_not_positive"
    OHLC_INCONSISTENT = "ohlc_inconsistent"
    JUMP = "jump"
    WICK = "wick"
    FROZEN = "frozen"
    FROZEN_TAIL = "frozen_tail"
    TICKER_REUSE = "ticker_reuse"
    PRICE_UNIT = "price_unit"
    SIDE_UNKNOWN = "side_unknown"
    OUTLIER = "outlier"
    CROSSED = "crossed"
    LOCKED = "locked"
    WIDE_SPREAD = "wide_spread"
    RATE_NOT_FINITE = "rate_not_finite"
    RATE_UNIT = "rate_unit"
    INTERVAL_CHANGE = "interval_change"
    JITTER = "jitter"
    SEQUENCE_BREAK = "sequence_break"
    NO_SNAPSHOT = "no_snapshot"
    NO_COMMON_TIME = "no_common_time"
    OTHER_ASSET = "other_asset"
    TIME_SHIFT = "time_shift"
    UNCONFIRMED_JUMP = "unconfirmed_jump"
    UNCONFIRMED_WICK = "unconfirmed_wick"
    MISSING_HERE = "missing_here"
    AFTER_THE_END = "after_the_end"


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One kind of fault.

    Attributes:
        check: Name of the check.
        count: How many rows are concerned.
        fatal: Whether the data must not be used.
        detail: The first or worst place, in words.
    """

    check: QualityCheck
    count: int
    fatal: bool
    detail: str


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The findings on one series."""

    source: str
    rows: int
    findings: tuple[QualityFinding, ...]
    synthetic: bool = False

    @property
    def verdict(self) -> QualityVerdict:
        if any(finding.fatal for finding in self.findings):
            return QualityVerdict.UNUSABLE
        return QualityVerdict.WARNINGS if self.findings else QualityVerdict.USABLE

    @property
    def faults(self) -> str:
        """What makes the data unusable, in one line; empty where nothing does."""
        return "; ".join(f"{f.check.value}: {f.detail}" for f in self.findings if f.fatal)

    def joined(self, other: QualityReport) -> QualityReport:
        """Return one report with the findings of both."""
        return QualityReport(
            self.source,
            self.rows,
            self.findings + other.findings,
            self.synthetic or other.synthetic,
        )

    def as_json(self) -> dict[str, object]:
        return {
            "source": self.source,
            "rows": self.rows,
            "synthetic": self.synthetic,
            "verdict": self.verdict.value,
            "findings": [
                {"check": f.check.value, "count": f.count, "fatal": f.fatal, "detail": f.detail}
                for f in self.findings
            ],
        }


def require_usable(reports: Iterable[QualityReport]) -> None:
    """Let nothing pass that a report calls unusable; the gate before any use of data.

    Raises:
        DataProblem: A report says unusable; the error names its faults.
    """
    for report in reports:
        if report.verdict is QualityVerdict.UNUSABLE:
            raise DataProblem(
                f"the data is unusable: {report.faults}",
                where=report.source,
                remedy="mend or replace the file; oem data check lists every fault",
            )


@dataclass(slots=True)
class Inspection:
    """Collects findings while a series is checked.

    Attributes:
        source: Name of the series in the report.
        time_ns: Times of its rows.
    """

    source: str
    time_ns: NDArray[np.int64]
    found: list[QualityFinding] = field(default_factory=list)

    def at(self, row: int) -> str:
        """Return the time of a row as text."""
        moment = int(self.time_ns[min(max(row, 0), len(self.time_ns) - 1)])
        return rfc3339(moment).replace(".000000000Z", "Z")

    def note(self, check: QualityCheck, hits: Flags, *, fatal: bool, detail: str = "") -> None:
        """Add a finding where any row is hit; without `detail` it names the first place."""
        count = int(hits.sum())
        if count:
            place = f"first at {self.at(int(np.argmax(hits)))}"
            self.add(check, count, fatal=fatal, detail=detail or place)

    def add(self, check: QualityCheck, count: int, *, fatal: bool, detail: str) -> None:
        """Add a finding."""
        self.found.append(QualityFinding(check, count, fatal, detail))

    def stops_at(self, at_least: int) -> bool:
        """Check length and time unit; True when nothing further can be checked."""
        rows = len(self.time_ns)
        if rows < at_least:
            self.add(
                QualityCheck.TOO_SHORT, rows, fatal=True, detail=f"{rows} rows, {at_least} needed"
            )
            return True
        low, high = SANE_NS
        wild = (self.time_ns < low) | (self.time_ns > high)
        if wild.any():
            detail = "times outside 2009 to 2100: one unit was read as another"
            self.add(QualityCheck.TIME_UNIT, int(wild.sum()), fatal=True, detail=detail)
        return bool(wild.any())

    def report(self, *, synthetic: bool) -> QualityReport:
        """Return what was found."""
        return QualityReport(self.source, len(self.time_ns), tuple(self.found), synthetic)


def runs_of(flags: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first rows and lengths of the runs of True.

    Example:
        >>> [part.tolist() for part in runs_of(np.array([True, False, True, True]))]
        [[0, 2], [1, 2]]
    """
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts = np.flatnonzero(edges == 1)
    return starts, np.flatnonzero(edges == -1) - starts
