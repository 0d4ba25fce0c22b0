"""From files to their manifest: spans, hashes, checks, liquidity and funding, measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.manifest import Commission, DataFile, DataManifest, FundingInfo, Liquidity
from oem_risk.data.quality import QualityReport
from oem_risk.data.quality_ticks import check_series
from oem_risk.data.schema import DataKind, has_kind, origin_of
from oem_risk.data.store import Series, read_series
from oem_risk.data.ticks import Funding, Quotes
from oem_risk.errors import DataProblem
from oem_security.clock import rfc3339

_DAY_NS = 86_400 * 10**9
_HOUR_NS = 3_600 * 10**9


def describe_folder(
    folder: Path,
    *,
    commissions: Mapping[str, Commission] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataManifest:
    """Check every Parquet file under a folder and return the manifest.

    Files whose columns are those of no kind of market data are named as others, not checked.

    Args:
        folder: Folder with `bars/`, `trades/`, `quotes/`, `funding/`, `books/`, or the files alone.
        commissions: What is charged, by `venue symbol` or `venue`.
        progress: Called with (files done, files in all).

    Raises:
        DataProblem: There is no Parquet file, or one cannot be read at all.
    """
    paths = sorted(folder.rglob("*.parquet"))
    if not paths:
        raise DataProblem(
            "the folder holds no Parquet file",
            where=str(folder),
            remedy="import or fetch data into it first: oem data import, oem data fetch",
        )
    files, others = [], []
    for number, path in enumerate(paths, 1):
        if not has_kind(path):
            others.append(path.relative_to(folder).as_posix())
            continue
        series = read_series(path)
        series = replace(series, source=origin_of(path) or "recorded, origin not stated")
        files.append(describe(series, path.relative_to(folder).as_posix()))
        if progress:
            progress(number, len(paths))
    return DataManifest(
        files=tuple(files), commissions=dict(commissions or {}), others=tuple(others)
    )


def describe(series: Series, path: str, report: QualityReport | None = None) -> DataFile:
    """Return the manifest's entry of one stored series.

    Args:
        series: As read from, or written to, the file.
        path: The file, relative to the manifest's folder.
        report: Its quality report; None makes it.
    """
    report = report or check_series(series)
    return DataFile(
        path=path,
        kind=series.kind,
        venue=series.venue,
        symbol=series.symbol,
        timeframe=series.timeframe if isinstance(series, Bars) else "",
        rows=len(series),
        first=_text(int(series.time_ns.min())),
        last=_text(int(series.time_ns.max())),
        sha384=series.sha384,
        synthetic=series.synthetic,
        source=series.source,
        notes=series.notes,
        verdict=report.verdict,
        findings=tuple(f"{f.check.value}: {f.detail}" for f in report.findings),
        liquidity=liquidity_of(series),
        funding=funding_of(series) if isinstance(series, Funding) and len(series) > 1 else None,
    )


def liquidity_of(series: Series) -> Liquidity | None:
    """Measure what a series tells of its market's liquidity; None where it tells nothing."""
    if isinstance(series, Quotes):
        fine = (series.bid > 0) & (series.ask >= series.bid)
        if not fine.any():
            return None
        return Liquidity(
            measured_on=DataKind.QUOTES,
            median_spread_bps=_rounded(np.median(series.spread_bps[fine])),
            median_top_notional=_rounded(np.median((series.bid * series.bid_size)[fine])),
        )
    if isinstance(series, Bars) and np.isfinite(series.volume).all() and series.volume.any():
        return Liquidity(
            measured_on=DataKind.BARS,
            median_daily_notional=_rounded(_median_daily(series)),
            idle_share=_rounded((series.volume == 0).mean()),
        )
    return None


def funding_of(funding: Funding) -> FundingInfo:
    """Measure what holding the perpetual cost over the recorded settlements.

    Raises:
        DataProblem: Fewer than two rates, or one is not finite.
    """
    if len(funding) < 2 or not np.isfinite(funding.rate).all():
        raise DataProblem(
            "funding needs at least two finite rates",
            where=funding.source,
            remedy="run oem data check on the file",
        )
    hours = np.round(np.diff(funding.time_ns) / _HOUR_NS)
    days = max(float(funding.time_ns[-1] - funding.time_ns[0]) / _DAY_NS, 1e-9)
    counted = Counter(hours[hours > 0].tolist()).most_common()
    return FundingInfo(
        settlements=len(funding),
        interval_hours=tuple(hour for hour, count in counted if count >= 3 or len(counted) == 1),
        mean_bps_per_day=_rounded(funding.rate[1:].sum() * 1e4 / days),
        lowest_bps=_rounded(funding.rate.min() * 1e4),
        highest_bps=_rounded(funding.rate.max() * 1e4),
    )


def commission_of(
    names: Sequence[str], maker_bps: float, taker_bps: float, *, source: str, as_of: str
) -> dict[str, Commission]:
    """Return one commission for several markets, each named `venue` or `venue symbol`."""
    one = Commission(maker_bps=maker_bps, taker_bps=taker_bps, source=source, as_of=as_of)
    return dict.fromkeys(names, one)


def _median_daily(bars: Bars) -> float:
    days = bars.open_ns // _DAY_NS
    starts = np.r_[0, np.flatnonzero(np.diff(days)) + 1]
    sums = np.add.reduceat(bars.volume * bars.close, starts)
    # the first and the last day may be cut
    return float(np.median(sums[1:-1] if len(sums) > 2 else sums))


def _rounded(value: float | np.floating) -> float:
    return float(f"{float(value):.6g}")


def _text(time_ns: int) -> str:
    return rfc3339(time_ns).replace(".000000000Z", "Z")
