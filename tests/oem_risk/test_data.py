"""Market data: what is generated, what is read, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oem_risk import (
    Bars,
    DataProblem,
    QualityVerdict,
    SyntheticMarket,
    check_bars,
    common_times,
    read_bars,
    synthetic_bars,
)


@pytest.fixture(scope="module")
def bars() -> Bars:
    market = SyntheticMarket(60_000.0)
    return synthetic_bars("BTC/USDT", market, timeframe="1h", bars=400, seed=3)


def findings(bars: Bars, **options: int) -> dict[str, bool]:
    return {f.check: f.fatal for f in check_bars(bars, **options).findings}


def write(folder: Path, bars: Bars, **drop: bool) -> Path:
    columns = {
        "timestamp": pa.array(bars.open_ns // 1_000_000, pa.timestamp("ms", "UTC")),
        **{n: getattr(bars, n) for n in ("open", "high", "low", "close", "volume")},
    }
    path = folder / "binance_BTCUSDT_1h.parquet"
    pq.write_table(pa.table({k: v for k, v in columns.items() if k not in drop}), path)
    return path


def test_generated_bars_are_marked_consistent_and_repeatable(bars: Bars) -> None:
    again = synthetic_bars("BTC/USDT", SyntheticMarket(60_000.0), timeframe="1h", bars=400, seed=3)
    assert bars.synthetic
    assert np.array_equal(bars.close, again.close)
    assert bars.sha384 == again.sha384
    assert check_bars(bars).verdict is QualityVerdict.USABLE


def test_another_seed_or_symbol_gives_other_bars(bars: Bars) -> None:
    for symbol, seed in (("BTC/USDT", 4), ("ETH/USDT", 3)):
        market = SyntheticMarket(60_000.0)
        other = synthetic_bars(symbol, market, timeframe="1h", bars=400, seed=seed)
        assert not np.array_equal(bars.close, other.close)


def test_generated_volatility_is_near_the_one_asked_for() -> None:
    market = SyntheticMarket(100.0, annual_volatility=0.6, jumps_per_year=0.0)
    made = synthetic_bars("X/Y", market, timeframe="1h", bars=20_000, seed=1)
    measured = float(np.diff(np.log(made.close)).std() * np.sqrt(365 * 24))
    assert measured == pytest.approx(0.6, rel=0.1)


@pytest.mark.parametrize("fields", [{"start_price": 0}, {"alpha": 0.5}, {"annual_volatility": 9}])
def test_a_market_out_of_range_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(DataProblem, match="out of range"):
        SyntheticMarket(**{"start_price": 1.0, **fields})


def test_bars_that_cannot_be_generated_are_refused() -> None:
    with pytest.raises(DataProblem, match="at least one bar"):
        synthetic_bars("X/Y", SyntheticMarket(1.0), timeframe="7h", bars=1, seed=0)


def test_bars_survive_the_way_through_parquet(bars: Bars, tmp_path: Path) -> None:
    write(tmp_path, bars)
    read = read_bars(tmp_path, venue="binance", symbol="BTC/USDT", timeframe="1h")
    assert np.array_equal(read.close, bars.close)
    assert np.array_equal(read.open_ns, bars.open_ns)
    assert not read.synthetic
    assert len(read.sha384) == 96
    assert len(read.last(10)) == 10


def test_a_missing_file_names_those_that_are_there(bars: Bars, tmp_path: Path) -> None:
    write(tmp_path, bars)
    with pytest.raises(DataProblem, match=r"binance_BTCUSDT_1h\.parquet"):
        read_bars(tmp_path, venue="kraken", symbol="ETH/USDT", timeframe="1h")
    with pytest.raises(DataProblem, match="name a folder"):
        read_bars(tmp_path / "empty", venue="kraken", symbol="ETH/USDT", timeframe="1h")


def test_a_missing_column_is_named(bars: Bars, tmp_path: Path) -> None:
    write(tmp_path, bars, volume=True)
    with pytest.raises(DataProblem, match="volume"):
        read_bars(tmp_path, venue="binance", symbol="BTC/USDT", timeframe="1h")


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binance_BTCUSDT_1h.parquet").write_bytes(b"timestamp,open\n1,2\n")
    with pytest.raises(DataProblem, match="not a Parquet file"):
        read_bars(tmp_path, venue="binance", symbol="BTC/USDT", timeframe="1h")


def test_a_file_without_rows_is_refused(bars: Bars, tmp_path: Path) -> None:
    write(tmp_path, bars.take(slice(0, 0)))
    with pytest.raises(DataProblem, match="no rows"):
        read_bars(tmp_path, venue="binance", symbol="BTC/USDT", timeframe="1h")


def test_common_times_cuts_to_what_all_have(bars: Bars) -> None:
    cut = common_times([bars.take(slice(0, 300)), bars.take(slice(100, 400))])
    assert [len(b) for b in cut] == [200, 200]
    with pytest.raises(DataProblem, match="no time in common"):
        common_times([bars.take(slice(0, 10)), bars.take(slice(20, 30))])


def test_a_gap_is_a_warning_that_names_its_length(bars: Bars) -> None:
    report = check_bars(bars.take(np.r_[0:100, 134:400].astype(np.int64)))
    assert report.verdict is QualityVerdict.WARNINGS
    (gap,) = report.findings
    assert gap.check == "gap"
    assert "34 bars missing, the longest gap 35.0 h" in gap.detail
    assert report.as_json()["verdict"] == "usable_with_warnings"


def test_fatal_faults_make_data_unusable(bars: Bars) -> None:
    index = np.arange(len(bars))
    assert findings(bars.take(np.r_[1, 0, 2:400].astype(np.int64)))["unsorted"]
    assert findings(bars.take(np.r_[0, 0, 1:400].astype(np.int64)))["duplicate_time"]
    assert findings(replace(bars, close=np.where(index == 9, np.nan, bars.close)))[
        "price_not_positive"
    ]
    assert findings(replace(bars, volume=np.where(index == 9, -1.0, bars.volume)))[
        "volume_negative"
    ]
    assert findings(replace(bars, high=bars.low))["ohlc_inconsistent"]
    assert findings(replace(bars, open_ns=bars.open_ns // 1000))["time_unit"]
    assert findings(bars.take(slice(0, 5)), at_least=10)["too_short"]


def test_suspicious_but_possible_data_is_a_warning(bars: Bars) -> None:
    index = np.arange(len(bars))
    leap = np.where(index >= 200, 3.0, 1.0)
    jumped = replace(bars, **{n: getattr(bars, n) * leap for n in ("open", "high", "low", "close")})
    assert findings(jumped) == {"jump": False}
    assert findings(replace(bars, open_ns=bars.open_ns + 1)) == {"off_grid": False}


def test_recorded_bars_with_their_outage_are_usable_with_warnings(shared_data: Path) -> None:
    recorded = read_bars(shared_data, venue="binance", symbol="BTC/USDT", timeframe="1h")
    report = check_bars(recorded)
    assert report.verdict is QualityVerdict.WARNINGS
    gap = next(f for f in report.findings if f.check == "gap")
    assert "2018-02-08" in gap.detail
