"""From the configuration's `market_data` to a feed of checked bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import oem_risk
from oem_daemon.config.model import CoreConfig, ParquetData, SyntheticData, VenueData
from oem_daemon.errors import DataError
from oem_daemon.replay import BarSeries
from oem_risk import Bars, QualityVerdict, SyntheticMarket

START_PRICES = {"BTC": 60_000.0, "ETH": 2_500.0}


def load_bars(config: CoreConfig, *, base: Path, at_most: int | None = None) -> list[Bars]:
    """Return the configured bars of every symbol, at the times that all of them have.

    Args:
        config: The site's configuration.
        base: Folder that relative paths in the configuration start from.
        at_most: Keep this many newest bars; None keeps the configured number.

    Raises:
        DataError: The data is unusable; every fault is named.
        DataProblem: A file is missing or not Parquet.
    """
    return load_source(config.market_data, config.runtime.symbols, base=base, at_most=at_most)


def load_source(
    source: ParquetData | SyntheticData | VenueData,
    symbols: Sequence[str],
    *,
    base: Path,
    at_most: int | None = None,
) -> list[Bars]:
    """Return the bars of symbols from a source, as `load_bars` does from a configuration's."""
    if isinstance(source, VenueData):
        raise DataError(
            "a venue's own bars are not a history",
            where="market_data.source",
            remedy="name recorded or generated bars for this, in a configuration of stage paper",
        )
    if isinstance(source, ParquetData):
        series = [
            oem_risk.read_bars(
                base / source.folder, venue=source.venue, symbol=symbol, timeframe=source.timeframe
            )
            for symbol in symbols
        ]
    else:
        series = [
            oem_risk.synthetic_bars(
                symbol,
                SyntheticMarket(START_PRICES.get(symbol.split("/")[0], 100.0)),
                timeframe=source.timeframe,
                bars=at_most or source.bars,
                seed=source.seed,
            )
            for symbol in symbols
        ]
    for bars in series:
        report = oem_risk.check_bars(bars, at_least=60)
        if report.verdict is QualityVerdict.UNUSABLE:
            faults = "; ".join(f"{f.check}: {f.detail}" for f in report.findings if f.fatal)
            raise DataError(
                f"the bars of {bars.symbol} cannot be used: {faults}",
                where=bars.source,
                remedy="repair or replace the file, then run: oem config validate",
            )
    return [bars.last(at_most or source.bars) for bars in oem_risk.common_times(series)]


def as_series(bars: Bars) -> BarSeries:
    """Return the bars as the market feed wants them."""
    return BarSeries(
        symbol=bars.symbol,
        open_ns=bars.open_ns,
        interval_ns=bars.interval_ns,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        source=bars.source,
        synthetic=bars.synthetic,
    )
