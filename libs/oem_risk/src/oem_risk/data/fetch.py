"""History fetched page by page from a venue, kept as it comes, and gone on with after a break.

Beside the file that grows stand, while a fetch runs, its pages (`NAME.parts/`) and always what was
fetched whole (`NAME.fetch.json`). Whatever stops a fetch, the same call goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.intake import TakenIn
from oem_risk.data.join import join_series
from oem_risk.data.names import timeframe_ns
from oem_risk.data.quality import QualityReport
from oem_risk.data.quality_ticks import check_series
from oem_risk.data.schema import DataKind
from oem_risk.data.store import Series, market_path, read_series, write_series
from oem_risk.data.ticks import Funding
from oem_risk.errors import DataProblem, FetchProblem, VenueBusy
from oem_security.clock import Clock, rfc3339
from oem_security.files import write_atomic

PAGE_ROWS = 1_000
ATTEMPTS = 6
EMPTY_PAGES = 200
_HOUR_NS = 3_600 * 10**9
_DAY_NS = 24 * _HOUR_NS
_MS = 10**6
FETCHED = (DataKind.BARS, DataKind.TRADES, DataKind.FUNDING)


class HistorySource(Protocol):
    """A venue's history; `CcxtHistory` asks any exchange ccxt knows."""

    @property
    def venue(self) -> str:
        """Name of the venue in files."""
        ...

    def most_rows(self, request: FetchRequest) -> int:
        """Return how many rows an answer holds at most: an empty one says nothing of later ones."""
        ...

    def page(self, request: FetchRequest, since_ns: int, rows: int) -> Series | None:
        """Return rows from `since_ns` on, oldest first; None where there are none.

        Raises:
            VenueBusy: Asking again later may help.
            FetchProblem: Asking again does not help.
        """
        ...


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What is wanted.

    Attributes:
        kind: Bars, trades or funding.
        symbol: Symbol such as `BTC/USDT`.
        since_ns: First time, UTC nanoseconds.
        until_ns: Time after the last.
        timeframe: Length of bars; empty for other kinds.
    """

    kind: DataKind
    symbol: str
    since_ns: int
    until_ns: int
    timeframe: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FETCHED:
            raise DataProblem(
                f"{self.kind.value} have no history to fetch",
                where="kind",
                remedy="fetch bars, trades or funding",
            )
        if self.kind is DataKind.BARS:
            timeframe_ns(self.timeframe)
        if not 0 <= self.since_ns < self.until_ns:
            raise DataProblem(
                "the span is empty",
                where="since, until",
                remedy="name a first day before the last",
            )


def fetch_history(
    source: HistorySource,
    request: FetchRequest,
    folder: Path,
    *,
    clock: Clock,
    sleep: Callable[[float], None],
    progress: Callable[[int, int], None] | None = None,
) -> TakenIn:
    """Fetch what a folder does not hold yet of a market's history, and check it.

    Args:
        source: The venue.
        request: What is wanted; bars that have not closed yet are left for the next time.
        folder: Where `bars/`, `trades/` or `funding/` stand.
        clock: Tells which bars have closed.
        sleep: Waits the given seconds between attempts.
        progress: Called with (hours fetched, hours wanted).

    Returns:
        The file, its series and its quality report.

    Raises:
        FetchProblem: The venue refuses, stays busy, or has no such history; pages that came are
            kept and the same call goes on after them.
        DataProblem: What came contradicts what is there.
        StorageError: The disk refused.
    """
    run = _Run(source, request, folder, clock.now_ns(), sleep, progress)
    for start, end in run.missing():
        run.fetch(start, end)
    return run.finish()


class _Run:
    """One fetch: its pages on disk, and the spans that are whole."""

    def __init__(
        self,
        source: HistorySource,
        request: FetchRequest,
        folder: Path,
        now_ns: int,
        sleep: Callable[[float], None],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        bars = request.kind is DataKind.BARS
        step = timeframe_ns(request.timeframe) if bars else 1
        self._step_ns = step
        self._days = True
        until = min(request.until_ns, now_ns) // step * step
        self._settled_ns = until - step - _HOUR_NS if until > now_ns - _HOUR_NS else until
        if until <= request.since_ns:
            raise DataProblem(
                "nothing of that span has closed yet",
                where=rfc3339(request.since_ns),
                remedy="name an earlier first day",
            )
        self._request = replace(request, until_ns=until)
        self._sleep = sleep
        self._progress = progress
        self.path = market_path(
            folder, request.kind, source.venue, request.symbol, request.timeframe
        )
        self._parts = self.path.with_suffix(".parts")
        self._state = self.path.with_suffix(".fetch.json")
        self._done = self._read_state()

    def missing(self) -> list[tuple[int, int]]:
        """Return the spans of the request that were not fetched whole, oldest first."""
        cursor, gaps = self._request.since_ns, []
        for start, end in sorted(self._done):
            if start > cursor:
                gaps.append((cursor, min(start, self._request.until_ns)))
            cursor = max(cursor, end)
        gaps.append((cursor, self._request.until_ns))
        return [(start, end) for start, end in gaps if start < end]

    def fetch(self, start: int, end: int) -> None:
        """Fetch one span, page by page."""
        cursor, empty = start, 0
        while cursor < end:
            page = self._page(cursor)
            rows = None if page is None else _within(page, cursor, end)
            if rows is None or not len(rows):
                beyond = page is not None and len(page) and int(page.time_ns[0]) >= end
                empty += 1
                bars = self._request.kind is DataKind.BARS
                whole = beyond or (not bars and empty > EMPTY_PAGES)
                cursor = end if whole else min(end, self._after_empty(cursor))
                # what just closed may not be published yet, so its absence settles nothing
                self._extend(start, min(cursor, self._settled_ns))
            else:
                empty = 0
                kept, cursor_after = _whole(rows, end)
                write_series(kept, self._parts / f"{cursor:020d}.parquet")
                cursor = cursor_after
                self._extend(start, cursor)
            self._tell()

    def finish(self) -> TakenIn:
        """Join the pages with what was there, write the file, and check it."""
        parts = [read_series(path) for path in sorted(self._parts.glob("*.parquet"))]
        there = [read_series(self.path)] if self.path.exists() else []
        if not parts and not there:
            self._state.unlink(missing_ok=True)
            raise FetchProblem(
                f"{self._source.venue} has no {self._request.kind.value} of "
                f"{self._request.symbol} in that span",
                where=rfc3339(self._request.since_ns),
                remedy="check symbol and span",
            )
        series = there[0] if not parts else join_series([*there, *parts])
        if parts:
            origin = f"fetched from {self._source.venue}"
            series = write_series(replace(series, source=origin), self.path)
            self._write_state(series.sha384)
            shutil.rmtree(self._parts)
        report = check_series(series)
        late = int(series.time_ns[0]) - self._request.since_ns
        if late > max(_DAY_NS, self._step_ns):
            note = (
                f"begins {rfc3339(int(series.time_ns[0]))}, later than asked: "
                f"{self._source.venue} has nothing earlier, or gives only its latest rows"
            )
            series = replace(series, notes=(*series.notes, note))
        named = QualityReport(self.path.name, report.rows, report.findings, report.synthetic)
        return TakenIn(self.path, series, named)

    def _after_empty(self, cursor: int) -> int:
        """Return where to go on after an empty answer: it tells of no more than its rows.

        Days are asked over a long absence, such as before a listing: a day without a bar of a day
        has no shorter ones.
        """
        request = self._request
        if request.kind is DataKind.TRADES:
            return cursor + _HOUR_NS
        if request.kind is DataKind.FUNDING:
            # paid hourly at the most, and both ends of the span count
            return cursor + (self._source.most_rows(request) - 1) * _HOUR_NS
        reach = cursor + self._source.most_rows(request) * self._step_ns
        if self._step_ns >= _DAY_NS or not self._days:
            return reach
        days = replace(request, timeframe="1d")
        # a venue's day may begin at another hour than ours
        first = cursor // _DAY_NS * _DAY_NS - _DAY_NS
        try:
            page = self._page(max(first, 0), days)
        except FetchProblem:
            self._days = False
            return reach
        opens = np.empty(0, np.int64) if page is None else page.time_ns
        later = opens[opens + _DAY_NS > cursor]
        if later.size:
            return max(reach, int(later[0]))
        return max(reach, first + self._source.most_rows(days) * _DAY_NS)

    def _page(self, since_ns: int, request: FetchRequest | None = None) -> Series | None:
        wait = 1.0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._source.page(request or self._request, since_ns, PAGE_ROWS)
            except VenueBusy as busy:
                if attempt == ATTEMPTS:
                    raise FetchProblem(
                        f"{self._source.venue} did not answer {ATTEMPTS} times: {busy.what}",
                        where=rfc3339(since_ns),
                        remedy="run the same command again later; what came so far is kept",
                    ) from busy
                self._sleep(max(wait, busy.wait_s))
                wait *= 2
        raise AssertionError("unreachable")

    def _extend(self, start: int, end: int) -> None:
        if end <= start:
            return
        self._done = _merged([*self._done, (start, end)])
        self._write_state(self._sha)

    def _tell(self) -> None:
        if self._progress:
            whole = self._request.until_ns - self._request.since_ns
            done = sum(
                min(end, self._request.until_ns) - max(start, self._request.since_ns)
                for start, end in self._done
                if end > self._request.since_ns and start < self._request.until_ns
            )
            self._progress(-(-done // _HOUR_NS), -(-whole // _HOUR_NS))

    def _read_state(self) -> list[tuple[int, int]]:
        """Spans fetched whole; none where the file is gone or is not the one that was fetched."""
        self._sha = ""
        if not self._state.is_file():
            shutil.rmtree(self._parts, ignore_errors=True)
            return []
        try:
            state = json.loads(self._state.read_bytes())
            spans = [(int(start), int(end)) for start, end in state["done_ns"]]
            self._sha = str(state["sha384"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataProblem(
                "the note of what was fetched is damaged",
                where=str(self._state),
                remedy="delete it; the history is fetched again and compared with the file",
            ) from None
        there = read_series(self.path).sha384 if self.path.exists() else ""
        if there != self._sha:
            self._sha = there
            shutil.rmtree(self._parts, ignore_errors=True)
            return []
        return spans

    def _write_state(self, sha384: str) -> None:
        self._sha = sha384
        text = json.dumps({"done_ns": self._done, "sha384": sha384}, indent=1)
        write_atomic(self._state, text.encode() + b"\n")


def _within(page: Series, start: int, end: int) -> Series:
    times = page.time_ns
    return page.take(np.flatnonzero((times >= start) & (times < end)))


def _whole(rows: Series, end: int) -> tuple[Series, int]:
    """Return the rows of whole milliseconds, and the time the next page starts at.

    A page of trades may end within a millisecond; its last one is asked for again.
    """
    last = int(rows.time_ns[-1])
    if isinstance(rows, Bars):
        return rows, last + rows.interval_ns
    if isinstance(rows, Funding):
        return rows, last + _MS
    before = np.flatnonzero(rows.time_ns < last)
    if len(before):
        return rows.take(before), last
    note = f"a page of {len(rows)} rows held one millisecond only; more may have stood in it"
    notes = (*rows.notes, note) if len(rows) >= PAGE_ROWS else rows.notes
    return replace(rows, notes=notes), min(last + _MS, end)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
