"""The checks of trades, quotes, funding and book updates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.quality import (
    Flags,
    Inspection,
    QualityCheck,
    QualityFinding,
    QualityReport,
    runs_of,
)
from oem_risk.data.quality_bars import check_bars
from oem_risk.data.store import Series, read_series
from oem_risk.data.ticks import BOOK_SIDES, SIDES, BookUpdates, Funding, Quotes, Trades
from oem_risk.errors import TimeUnitMistake

OUTLIER = 0.1
CROSSED_SHARE = 0.001
WIDE_BPS = 500.0
JITTER_NS = 60 * 10**9
PERCENT_RATE = 0.03
CONSTANT_TAIL = 90
REPEATED_SHARE = 0.4
_HOUR_NS = 3_600 * 10**9
_WINDOW = 101
_REPEAT_WINDOW = 500


def check_series(series: Series, *, at_least: int = 2) -> QualityReport:
    """Check a series of any kind; see the check of its kind."""
    if isinstance(series, Bars):
        return check_bars(series, at_least=at_least)
    if isinstance(series, Trades):
        return check_trades(series, at_least=at_least)
    if isinstance(series, Quotes):
        return check_quotes(series, at_least=at_least)
    if isinstance(series, Funding):
        return check_funding(series, at_least=at_least)
    return check_books(series, at_least=at_least)


def check_file(path: Path, *, at_least: int = 2) -> QualityReport:
    """Check one Parquet file of any kind; mistaken units of time are a finding, not an error.

    Args:
        path: The file.
        at_least: Fewer rows than this are unusable.

    Raises:
        DataProblem: The file is not there, is not Parquet, or has the columns of no kind.
    """
    try:
        return check_series(read_series(path), at_least=at_least)
    except TimeUnitMistake as mistake:
        finding = QualityFinding(QualityCheck.TIME_UNIT, mistake.count, True, mistake.reading)
        return QualityReport(path.name, mistake.rows, (finding,))


def check_trades(trades: Trades, *, at_least: int = 2) -> QualityReport:
    """Check prints.

    Fatal: too few, times of another unit, wrong order, prices or sizes not positive, words other
    than buy and sell. Warnings: unknown sides, prices more than 10 % off the running median,
    stretches where two rows in five repeat the one before, as when pages were joined twice (one
    order alone may print a few equal rows).

    Args:
        trades: The prints.
        at_least: Fewer rows than this are unusable.
    """
    look = Inspection(trades.source, trades.time_ns)
    if look.stops_at(at_least):
        return look.report(synthetic=trades.synthetic)
    _check_order(look)
    bad = _not_positive(trades.price)
    look.note(QualityCheck.PRICE_NOT_POSITIVE, bad, fatal=True)
    look.note(QualityCheck.SIZE_NOT_POSITIVE, _not_positive(trades.size), fatal=True)
    _check_sides(trades.side, SIDES, look, may_be_unknown=True)
    same = (
        (np.diff(trades.time_ns) == 0)
        & (np.diff(trades.price) == 0)
        & (np.diff(trades.size) == 0)
        & (trades.side[1:] == trades.side[:-1])
    )
    _check_repeats(np.r_[False, same], look)
    if not bad.any():
        _check_outliers(trades.price, look)
    return look.report(synthetic=trades.synthetic)


def check_quotes(quotes: Quotes, *, at_least: int = 2) -> QualityReport:
    """Check best bids and asks.

    Fatal: too few, times of another unit, wrong order, prices not positive, sizes negative, more
    than one quote in a thousand crossed. Warnings: crossed, locked, wider than 500 bps, a middle
    more than 10 % off the running median.

    Args:
        quotes: The quotes.
        at_least: Fewer rows than this are unusable.
    """
    look = Inspection(quotes.source, quotes.time_ns)
    if look.stops_at(at_least):
        return look.report(synthetic=quotes.synthetic)
    _check_order(look)
    bad = _not_positive(quotes.bid) | _not_positive(quotes.ask)
    look.note(QualityCheck.PRICE_NOT_POSITIVE, bad, fatal=True)
    sizes = np.minimum(quotes.bid_size, quotes.ask_size)
    look.note(QualityCheck.SIZE_NOT_POSITIVE, ~np.isfinite(sizes) | (sizes < 0), fatal=True)
    if not bad.any():
        crossed = quotes.bid > quotes.ask
        look.note(QualityCheck.CROSSED, crossed, fatal=crossed.mean() > CROSSED_SHARE)
        look.note(QualityCheck.LOCKED, quotes.bid == quotes.ask, fatal=False)
        look.note(QualityCheck.WIDE_SPREAD, quotes.spread_bps > WIDE_BPS, fatal=False)
        _check_outliers((quotes.bid + quotes.ask) / 2, look)
    return look.report(synthetic=quotes.synthetic)


def check_funding(
    funding: Funding, *, bars: Bars | None = None, at_least: int = 2
) -> QualityReport:
    """Check funding rates.

    Fatal: too few, times of another unit, wrong order, two settlements in one hour, rates not
    finite, rates that look like percent, rates after the contract's last bar, the same rate for
    the last 90 settlements where never before it stood so long (delisted, the source goes on).
    Warnings: settlements more than a minute off the hour, a changed interval, gaps. The usual
    jitter of milliseconds is no fault.

    Args:
        funding: The rates.
        bars: Bars of the same contract, where there are any.
        at_least: Fewer rows than this are unusable.
    """
    look = Inspection(funding.source, funding.time_ns)
    if look.stops_at(at_least):
        return look.report(synthetic=funding.synthetic)
    hours = np.round(funding.time_ns / _HOUR_NS).astype(np.int64)
    late = np.abs(funding.time_ns - hours * _HOUR_NS) > JITTER_NS
    look.note(QualityCheck.JITTER, late, fatal=False)
    steps = np.diff(hours)
    look.note(QualityCheck.UNSORTED, np.r_[False, steps < 0], fatal=True)
    look.note(QualityCheck.DUPLICATE_TIME, np.r_[False, steps == 0], fatal=True)
    _check_intervals(steps, look)
    bad = ~np.isfinite(funding.rate)
    look.note(QualityCheck.RATE_NOT_FINITE, bad, fatal=True)
    marks = funding.mark[~np.isnan(funding.mark)]
    if (marks <= 0).any():
        detail = "a mark price is not positive"
        look.add(
            QualityCheck.PRICE_NOT_POSITIVE, int((marks <= 0).sum()), fatal=True, detail=detail
        )
    if not bad.any():
        _check_rates(funding, look)
    if bars is not None and len(bars):
        end = int(bars.open_ns[-1]) + bars.interval_ns
        look.note(
            QualityCheck.AFTER_THE_END,
            funding.time_ns > end + _HOUR_NS,
            fatal=True,
            detail="rates go on after the contract's last bar; cut them there",
        )
    return look.report(synthetic=funding.synthetic)


def check_books(books: BookUpdates, *, at_least: int = 2) -> QualityReport:
    """Check book updates.

    Fatal: too few, times of another unit, prices not positive, sizes negative, words other than
    bid and ask, no snapshot to start from. Warnings: wrong order of the numbers of updates.

    Args:
        books: The updates.
        at_least: Fewer rows than this are unusable.
    """
    look = Inspection(books.source, books.time_ns)
    if look.stops_at(at_least):
        return look.report(synthetic=books.synthetic)
    _check_order(look)
    look.note(QualityCheck.PRICE_NOT_POSITIVE, _not_positive(books.price), fatal=True)
    look.note(
        QualityCheck.SIZE_NOT_POSITIVE, ~np.isfinite(books.size) | (books.size < 0), fatal=True
    )
    _check_sides(books.side, BOOK_SIDES, look, may_be_unknown=False)
    numbered = (books.seq[1:] >= 0) & (books.seq[:-1] >= 0)
    back = numbered & (np.diff(books.seq) < 0)
    look.note(QualityCheck.SEQUENCE_BREAK, np.r_[False, back], fatal=False)
    if not books.is_snapshot[0]:
        detail = "the first rows are changes of a book that is not given"
        look.add(QualityCheck.NO_SNAPSHOT, 1, fatal=True, detail=detail)
    return look.report(synthetic=books.synthetic)


def _check_order(look: Inspection) -> None:
    back = np.diff(look.time_ns) < 0
    look.note(QualityCheck.UNSORTED, np.r_[False, back], fatal=True)


def _not_positive(column: NDArray[np.float64]) -> Flags:
    return ~np.isfinite(column) | (column <= 0)


def _check_sides(
    sides: NDArray[np.object_], words: tuple[str, ...], look: Inspection, *, may_be_unknown: bool
) -> None:
    unknown = np.array([side is None for side in sides], dtype=np.bool_)
    wrong = ~np.isin(sides.astype(str), words) & ~(unknown & may_be_unknown)
    if wrong.any():
        named = ", ".join(sorted({repr(side) for side in sides[wrong]})[:3])
        detail = f"{named} instead of {' or '.join(words)}"
        look.note(QualityCheck.SIDE_UNKNOWN, wrong, fatal=True, detail=detail)
    elif unknown.any():
        detail = "the venue does not say who took; measures that need the side cannot be made"
        look.note(QualityCheck.SIDE_UNKNOWN, unknown, fatal=False, detail=detail)


def _check_repeats(same: Flags, look: Inspection) -> None:
    import pandas as pd

    window = min(_REPEAT_WINDOW, len(same))
    share = pd.Series(same.astype(float)).rolling(window).mean().to_numpy()
    doubled = np.nan_to_num(share) > REPEATED_SHARE
    if doubled.any():
        first = max(0, int(np.argmax(doubled)) - window + 1)
        detail = f"{int(same.sum())} rows repeat the one before, most after {look.at(first)}"
        look.note(QualityCheck.DUPLICATE_ROW, same, fatal=False, detail=detail)


def _check_outliers(price: NDArray[np.float64], look: Inspection) -> None:
    import pandas as pd

    usual = pd.Series(price).rolling(_WINDOW, center=True, min_periods=1).median().to_numpy()
    off = np.abs(price / usual - 1)
    worst = int(np.argmax(off))
    detail = f"the worst is {off[worst]:.1%} off its neighbours, at {look.at(worst)}"
    look.note(QualityCheck.OUTLIER, off > OUTLIER, fatal=False, detail=detail)


def _check_intervals(hours: NDArray[np.int64], look: Inspection) -> None:
    forward = hours[hours > 0]
    if len(forward) == 0:
        return
    # an interval is one that lasts; a hole is a single longer step
    lasting = {int(h) for h, n in Counter(forward.tolist()).items() if n >= 3} or {int(forward[0])}
    longest = max(lasting)
    holes = hours > longest
    if holes.any():
        worst = int(np.argmax(hours))
        detail = f"{int(holes.sum())} gaps, the longest {hours[worst]} h after {look.at(worst)}"
        look.note(QualityCheck.GAP, np.r_[holes, False], fatal=False, detail=detail)
    if len(lasting) > 1:
        named = ", ".join(f"{h} h" for h in sorted(lasting, reverse=True))
        changes = int((np.diff(forward) != 0).sum())
        detail = f"settled every {named}; a rate holds for its own interval only"
        look.add(QualityCheck.INTERVAL_CHANGE, changes, fatal=False, detail=detail)


def _check_rates(funding: Funding, look: Inspection) -> None:
    usual = float(np.median(np.abs(funding.rate)))
    if usual > PERCENT_RATE / 10:
        detail = f"the usual rate is {usual:.3g}; rates must be fractions, not percent"
        look.add(QualityCheck.RATE_UNIT, len(funding), fatal=True, detail=detail)
    starts, lengths = runs_of(np.r_[False, np.diff(funding.rate) == 0])
    if len(lengths) == 0 or starts[-1] + lengths[-1] < len(funding):
        return
    tail, before = int(lengths[-1]), int(lengths[:-1].max(initial=0))
    if tail >= CONSTANT_TAIL and tail > 2 * before:
        detail = (
            f"the rate stands still from {look.at(int(starts[-1]))} to the end, never before "
            f"longer than {before} settlements: the contract was delisted, cut the series"
        )
        look.add(QualityCheck.FROZEN_TAIL, tail, fatal=True, detail=detail)
