"""Series of market data the tests spoil on purpose."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oem_risk import Bars, Funding, QualityReport, Quotes, SyntheticMarket, Trades, synthetic_bars

START_NS = 1_700_000_000 * 10**9 // (3600 * 10**9) * (3600 * 10**9)
HOUR_NS = 3_600 * 10**9


@functools.cache
def hourly(count: int = 600, *, seed: int = 3, price: float = 60_000.0) -> Bars:
    """Bars of a generated market, an hour each."""
    market = SyntheticMarket(price)
    return synthetic_bars("BTC/USDT", market, timeframe="1h", bars=count, seed=seed)


def prints(count: int = 800) -> Trades:
    """Trades around 100, a second apart."""
    rng = np.random.default_rng(1)
    side = np.where(rng.random(count) < 0.5, "buy", "sell").astype(object)
    price = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, count)))
    times = START_NS + np.arange(count, dtype=np.int64) * 10**9
    return Trades("binance", "X/USDT", times, price, rng.random(count) + 0.1, side, "prints")


def tops(count: int = 800) -> Quotes:
    """Quotes around 100 with a spread of 2 bps, a second apart."""
    rng = np.random.default_rng(2)
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, count)))
    times = START_NS + np.arange(count, dtype=np.int64) * 10**9
    sizes = np.full(count, 2.0)
    return Quotes("binance", "X/USDT", times, mid * 0.9999, sizes, mid * 1.0001, sizes, "tops")


def rates(count: int = 300, *, hours: int = 8) -> Funding:
    """Funding rates that jitter as venues' do."""
    rng = np.random.default_rng(3)
    jitter = rng.integers(0, 50, count) * 10**6
    times = START_NS // (8 * HOUR_NS) * (8 * HOUR_NS) + np.arange(count) * hours * HOUR_NS + jitter
    rate = rng.normal(1e-4, 5e-5, count)
    mark = np.full(count, np.nan)
    return Funding("binanceusdm", "X/USDT:USDT", times.astype(np.int64), rate, mark, "rates")


def found(report: QualityReport) -> dict[str, bool]:
    """Checks that hit, and whether they are fatal."""
    return {finding.check.value: finding.fatal for finding in report.findings}


def detail(report: QualityReport, check: str) -> str:
    """What a report says of one check."""
    return next(f.detail for f in report.findings if f.check.value == check)


def raw_parquet(path: Path, **columns: pa.Array) -> Path:
    """Write columns as they are, as another program would."""
    pq.write_table(pa.table(columns), path)
    return path
