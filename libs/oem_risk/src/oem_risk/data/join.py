"""Series put in order, and parts of one series put together, with everything that was done said."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.schema import COLUMNS, DataKind
from oem_risk.data.store import Series
from oem_risk.data.ticks import BookUpdates, Funding, Quotes, Trades
from oem_risk.errors import DataProblem
from oem_security.clock import rfc3339

AnySeries = TypeVar("AnySeries", Bars, Trades, Quotes, Funding, BookUpdates)
_ONE_ROW_A_TIME = (DataKind.BARS, DataKind.FUNDING)


def in_order(series: AnySeries) -> AnySeries:
    """Return a series oldest first, without rows that stand twice in full; the notes say so.

    Rows of one time that differ are kept: that is a fault for the quality check to find. Trades
    and quotes may repeat a row rightly, so only bars and funding lose repeated rows.

    Args:
        series: Any kind of market data, in any order.
    """
    notes = list(series.notes)
    steps = np.diff(series.time_ns)
    if (steps < 0).any():
        newest_first = bool((steps <= 0).all())
        order = np.argsort(series.time_ns[::-1] if newest_first else series.time_ns, kind="stable")
        series = series.take(len(series) - 1 - order if newest_first else order)
        notes.append("newest first, turned round" if newest_first else "out of order, sorted")
    if series.kind in _ONE_ROW_A_TIME:
        again = _repeats(series)
        if again.any():
            series = series.take(np.flatnonzero(~again))
            notes.append(f"{int(again.sum())} rows stood twice, one of each was kept")
    return replace(series, notes=tuple(dict.fromkeys(notes)))


def without_conflicts(series: Series, keep: Literal["first", "last"]) -> Series:
    """Return bars or funding with one row a time; where rows of one time differ, one is chosen.

    Args:
        series: Bars or funding, oldest first; other kinds come back as they are.
        keep: Which of the rows of one time stays, in the order they stood in the file.
    """
    if series.kind not in _ONE_ROW_A_TIME or len(series) < 2:
        return series
    same = np.diff(series.time_ns) == 0
    dropped = np.r_[False, same] if keep == "first" else np.r_[same, False]
    if not dropped.any():
        return series
    note = f"{int(dropped.sum())} times had rows that differ, the {keep} of each was kept"
    return replace(series.take(np.flatnonzero(~dropped)), notes=(*series.notes, note))


def join_series(parts: Sequence[Series]) -> Series:
    """Return one series of several parts of the same market, oldest first.

    Args:
        parts: Series of one kind, venue, symbol and timeframe; they may overlap where they agree.

    Raises:
        DataProblem: There is no part, the parts are of different markets, or two of them say
            different things of one time.
    """
    if not parts:
        raise DataProblem("nothing to join", where="parts", remedy="give at least one series")
    first = parts[0]
    for other in parts[1:]:
        if _market(other) != _market(first):
            raise DataProblem(
                f"{_named(other)} cannot be joined to {_named(first)}",
                where=other.source,
                remedy="import different markets into files of their own",
            )
    names = COLUMNS[first.kind]
    columns = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
    times = np.concatenate([part.time_ns for part in parts])
    changes: dict[str, Any] = {
        "open_ns" if isinstance(first, Bars) else "time_ns": times,
        **columns,
        "source": _sources(parts),
        "sha384": "",
        "synthetic": any(part.synthetic for part in parts),
        "notes": tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    }
    joined: Series = replace(first, **changes)
    order = np.argsort(times, kind="stable")
    joined = joined.take(order)
    if joined.kind in _ONE_ROW_A_TIME:
        joined = joined.take(np.flatnonzero(~_repeats(joined)))
        same = np.flatnonzero(np.diff(joined.time_ns) == 0)
        if len(same):
            raise DataProblem(
                f"two parts say different things of {rfc3339(int(joined.time_ns[same[0]]))}"
                + (f" and {len(same) - 1} more times" if len(same) > 1 else ""),
                where=joined.source,
                remedy="keep the part you trust: fetch or import into another folder",
            )
        return joined
    return _without_overlap(parts, joined)


def _without_overlap(parts: Sequence[Series], joined: Series) -> Series:
    """Parts of trades or quotes that overlap cannot be told from rows that rightly repeat."""
    spans = sorted((int(p.time_ns[0]), int(p.time_ns[-1])) for p in parts if len(p))
    for (_, end), (start, _) in itertools.pairwise(spans):
        if start <= end:
            raise DataProblem(
                "the parts overlap in time",
                where=joined.source,
                remedy="import parts that follow each other; rows without a number cannot be "
                "told from repeated ones",
            )
    return joined


def _repeats(series: Series) -> NDArray[np.bool_]:
    same = np.diff(series.time_ns) == 0
    for name in COLUMNS[series.kind]:
        column = getattr(series, name)
        equal = column[1:] == column[:-1]
        if column.dtype == np.float64:
            equal |= np.isnan(column[1:]) & np.isnan(column[:-1])
        same &= equal
    return np.concatenate([[False], same]) if len(series) else np.zeros(0, dtype=np.bool_)


def _market(series: Series) -> tuple[str, ...]:
    timeframe = series.timeframe if isinstance(series, Bars) else ""
    return series.kind.value, series.venue, series.symbol, timeframe


def _named(series: Series) -> str:
    return " ".join(part for part in _market(series) if part)


def _sources(parts: Sequence[Series]) -> str:
    named = list(dict.fromkeys(part.source for part in parts))
    return named[0] if len(named) == 1 else f"{len(named)} parts, {named[0]} to {named[-1]}"
