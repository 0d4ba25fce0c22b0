"""Faults in market data are found, named and weighed; what only looks odd passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import (
    Bars,
    DataProblem,
    QualityVerdict,
    check_bars,
    check_file,
    check_funding,
    check_quotes,
    check_series,
    check_trades,
    cross_check,
    read_series,
    require_usable,
)
from risk_data import HOUR_NS, detail, found, hourly, prints, rates, raw_parquet, tops

PRICES = ("open", "high", "low", "close")


def scaled(bars: Bars, factor: float, start: int = 0) -> Bars:
    """The bars with all prices from `start` on multiplied."""
    by = np.where(np.arange(len(bars)) >= start, factor, 1.0)
    return replace(bars, **{name: getattr(bars, name) * by for name in PRICES})


def still(bars: Bars, first: int, last: int) -> Bars:
    """The bars with the price standing still from row `first` to `last`."""
    rows = (np.arange(len(bars)) >= first) & (np.arange(len(bars)) < last)
    price = bars.close[first - 1]
    return replace(bars, **{n: np.where(rows, price, getattr(bars, n)) for n in PRICES})


def without(bars: Bars, first: int, last: int) -> Bars:
    return bars.take(np.r_[0:first, last : len(bars)].astype(np.int64))


def test_a_price_that_stands_still_for_a_day_in_the_middle_is_a_warning() -> None:
    assert found(check_bars(still(hourly(), 100, 130)))["frozen"] is False
    assert "frozen" not in found(check_bars(still(hourly(), 100, 120)))


def test_a_price_that_stands_still_to_the_end_is_a_delisting() -> None:
    report = check_bars(still(hourly(), 560, 600))
    assert found(report)["frozen_tail"]
    assert "cut the series" in detail(report, "frozen_tail")
    with pytest.raises(DataProblem, match="frozen_tail"):
        require_usable([report])


def test_a_series_that_never_moves_is_unusable() -> None:
    assert found(check_bars(still(hourly(), 1, 600)))["frozen"]


def test_a_new_asset_under_an_old_name_is_told_from_a_crash() -> None:
    bars = hourly()
    reused = without(scaled(bars, 1 / 7.3, start=300), 280, 300)
    report = check_bars(reused)
    assert found(report)["ticker_reuse"]
    assert "after 20 h without bars: another asset" in detail(report, "ticker_reuse")
    # a fall by the same factor within bars, open at the last close, is a crash
    logs = np.concatenate([np.zeros(300), np.linspace(0, -np.log(7.3), 20), np.zeros(280)])
    logs[320:] = -np.log(7.3)
    close = bars.close * np.exp(logs)
    opened = np.r_[close[0], close[:-1]]
    crash = replace(
        bars, open=opened, close=close,
        high=np.maximum(opened, close), low=np.minimum(opened, close),
    )  # fmt: skip
    assert "ticker_reuse" not in found(check_bars(crash))


def test_a_price_that_changes_its_unit_is_told_from_another_asset() -> None:
    assert found(check_bars(scaled(hourly(), 1000.0, start=300)))["price_unit"]


def test_a_bad_print_that_comes_back_is_no_other_asset() -> None:
    bars = scaled(scaled(hourly(), 9.0, start=300), 1 / 9.0, start=303)
    assert not {"ticker_reuse", "price_unit"} & found(check_bars(bars)).keys()


def test_recording_windows_far_apart_are_no_other_asset(shared_data: Path) -> None:
    report = check_file(shared_data / "bars" / "binance_ADAUSDT_5m_crashwindows.parquet")
    assert report.verdict is QualityVerdict.WARNINGS


def test_a_wick_is_a_warning_that_names_its_reach(shared_data: Path) -> None:
    report = check_file(shared_data / "bars" / "binanceusdm_ETHUSDT-PERP_1h.parquet")
    assert "2020-03-13" in detail(report, "wick")
    assert report.verdict is QualityVerdict.WARNINGS


def test_a_second_source_does_not_confirm_the_perpetuals_wicks(shared_data: Path) -> None:
    perp = read_series(shared_data / "bars" / "binanceusdm_ETHUSDT-PERP_1h.parquet")
    spot = read_series(shared_data / "bars" / "binance_ETHUSDT_1h.parquet")
    assert isinstance(perp, Bars)
    assert isinstance(spot, Bars)
    report = cross_check(perp, spot)
    assert "high 323 here, 120.2" in detail(report, "unconfirmed_wick")
    assert report.verdict is QualityVerdict.WARNINGS


def test_two_markets_confirm_each_other_through_the_crash_of_2025(shared_data: Path) -> None:
    folder = shared_data / "bars"
    perp = read_series(folder / "bybit_BTCUSDT-PERP_5m.parquet")
    spot = read_series(folder / "bybit_BTCUSDT_5m.parquet")
    assert isinstance(perp, Bars)
    assert isinstance(spot, Bars)
    assert cross_check(perp, spot).verdict is QualityVerdict.USABLE
    assert found(cross_check(perp, scaled(spot, 100.0)))["price_unit"]


def noisy(bars: Bars, seed: int = 9) -> Bars:
    """Another venue's bars of the same market."""
    by = np.exp(np.random.default_rng(seed).normal(0, 2e-4, len(bars)))
    return replace(bars, **{n: getattr(bars, n) * by for n in PRICES}, source="second")


def test_a_second_source_confirms_or_contradicts() -> None:
    bars = hourly()
    assert found(cross_check(bars, noisy(bars))) == {}
    spoilt = replace(bars, close=np.where(np.arange(600) == 77, bars.close * 1.2, bars.close))
    assert found(cross_check(spoilt, noisy(bars)))["unconfirmed_jump"] is False
    many = replace(bars, close=np.where(np.arange(600) % 40 == 7, bars.close * 1.2, bars.close))
    assert found(cross_check(many, noisy(bars)))["unconfirmed_jump"] is True
    assert found(cross_check(without(bars, 100, 110), noisy(bars))) == {"missing_here": False}


def test_a_second_source_shows_shifted_times_and_other_assets() -> None:
    bars = hourly()
    late = replace(bars, open_ns=bars.open_ns + bars.interval_ns)
    report = cross_check(late, noisy(bars))
    assert found(report)["time_shift"]
    assert "1 bars late" in detail(report, "time_shift")
    assert "1 bars early" in detail(cross_check(noisy(bars), late), "time_shift")
    assert found(cross_check(bars, hourly(seed=8)))["other_asset"]
    assert found(cross_check(bars, scaled(bars, 3.0)))["other_asset"]
    assert found(cross_check(scaled(bars, 6.0, start=500), noisy(bars)))["ticker_reuse"]
    assert found(cross_check(bars.take(slice(0, 50)), bars.take(slice(100, 200)))) == {
        "no_common_time": True
    }


def test_what_cannot_be_compared_is_refused() -> None:
    bars = hourly(100)
    with pytest.raises(DataProblem, match="same timeframe"):
        cross_check(bars, replace(bars, timeframe="1d"))
    with pytest.raises(DataProblem, match="tolerance"):
        cross_check(bars, bars, tolerance=0.0)
    with pytest.raises(DataProblem, match="finite and positive"):
        cross_check(bars, replace(bars, low=bars.low * np.nan))
    with pytest.raises(DataProblem, match="rising"):
        cross_check(bars.take(np.arange(100)[::-1]), bars)


@pytest.mark.parametrize(
    ("unit", "factor", "reading"),
    [("ms", 1_000_000, None), ("ms", 1_000, "us read as ms"), ("us", 10**9, "s read as us")],
)
def test_times_of_another_unit_are_named(
    tmp_path: Path, unit: str, factor: int, reading: str | None
) -> None:
    bars = hourly(50)
    path = raw_parquet(
        tmp_path / "binance_BTCUSDT_1h.parquet",
        timestamp=pa.array(bars.open_ns // factor, pa.int64()).cast(pa.timestamp(unit, "UTC")),
        **{n: pa.array(getattr(bars, n)) for n in (*PRICES, "volume")},
    )
    report = check_file(path)
    if reading is None:
        assert report.verdict is QualityVerdict.USABLE
    else:
        assert found(report) == {"time_unit": True}
        assert detail(report, "time_unit") == f"they are {reading}"


def test_units_mixed_within_a_file_are_named(tmp_path: Path) -> None:
    bars = hourly(50)
    raw = np.where(np.arange(50) < 30, bars.open_ns // 10**6, bars.open_ns // 10**3)
    path = raw_parquet(
        tmp_path / "binance_BTCUSDT_1h.parquet",
        timestamp=pa.array(raw, pa.int64()),
        **{n: pa.array(getattr(bars, n)) for n in (*PRICES, "volume")},
    )
    report = check_file(path)
    assert report.findings[0].count == 20
    with pytest.raises(DataProblem, match="20 of 50 timestamps"):
        read_series(path)


def test_every_recorded_file_is_usable(shared_data: Path) -> None:
    small = [p for p in sorted(shared_data.rglob("*.parquet")) if p.parent.name != "markets"]
    small = [p for p in small if p.stat().st_size < 700_000]
    assert len(small) > 40
    unusable = {}
    for path in small:
        report = check_file(path)
        if report.verdict is QualityVerdict.UNUSABLE:
            unusable[path.name] = report.faults
    assert unusable == {}


def test_trades_are_checked() -> None:
    trades = prints()
    index = np.arange(len(trades))
    assert found(check_trades(trades)) == {}
    assert found(check_trades(replace(trades, size=trades.size * 0)))["size_not_positive"]
    assert found(check_trades(replace(trades, price=np.where(index == 5, np.inf, trades.price))))[
        "price_not_positive"
    ]
    assert found(check_trades(trades.take(index[::-1])))["unsorted"]
    assert found(check_trades(trades.take(np.sort(np.r_[index, index]))))["duplicate_row"] is False
    far = replace(trades, price=np.where(index == 5, trades.price * 1.3, trades.price))
    assert "30.1% off" in detail(check_trades(far), "outlier")
    bids = np.full(len(trades), "bid", dtype=object)
    assert found(check_trades(replace(trades, side=bids)))["side_unknown"] is True
    nobody = np.full(len(trades), None, dtype=object)
    assert found(check_trades(replace(trades, side=nobody)))["side_unknown"] is False
    assert found(check_trades(trades.take(slice(0, 1)))) == {"too_short": True}


def test_quotes_are_checked() -> None:
    quotes = tops()
    rows = np.arange(len(quotes))
    assert found(check_quotes(quotes)) == {}
    assert found(check_quotes(replace(quotes, bid=quotes.ask, ask=quotes.bid)))["crossed"]
    locked = replace(quotes, bid=np.where(rows == 9, quotes.ask, quotes.bid))
    assert found(check_quotes(locked)) == {"locked": False}
    wide = replace(quotes, ask=np.where(rows == 9, quotes.ask * 1.08, quotes.ask))
    assert found(check_quotes(wide))["wide_spread"] is False
    assert found(check_quotes(replace(quotes, bid_size=-quotes.bid_size)))["size_not_positive"]
    assert found(check_quotes(replace(quotes, bid=quotes.bid * 0)))["price_not_positive"]
    assert found(check_quotes(replace(quotes, time_ns=quotes.time_ns // 1000)))["time_unit"]


def test_funding_is_checked() -> None:
    funding = rates()
    rows = np.arange(len(funding))
    assert found(check_funding(funding)) == {}
    assert found(check_funding(funding.take(rows[::-1])))["unsorted"]
    assert found(check_funding(funding.take(np.r_[0, rows])))["duplicate_time"]
    assert found(check_funding(replace(funding, rate=funding.rate * np.nan)))["rate_not_finite"]
    assert found(check_funding(replace(funding, rate=funding.rate * 100)))["rate_unit"]
    assert found(check_funding(replace(funding, mark=np.zeros(300))))["price_not_positive"]
    late = replace(funding, time_ns=funding.time_ns + 20 * 60 * 10**9)
    assert found(check_funding(late))["jitter"] is False
    hole = funding.take(np.r_[0:100, 110:300].astype(np.int64))
    assert "the longest 88 h" in detail(check_funding(hole), "gap")


def test_a_source_that_goes_on_after_delisting_is_caught(shared_data: Path) -> None:
    recorded = read_series(shared_data / "funding" / "binanceusdm_MATICUSDT-PERP.parquet")
    assert check_series(recorded).verdict is QualityVerdict.USABLE
    more = 400
    last = int(recorded.time_ns[-1])
    gone_on = replace(
        recorded,
        time_ns=np.r_[recorded.time_ns, last + np.arange(1, more + 1) * 8 * HOUR_NS],
        rate=np.r_[recorded.rate, np.full(more, 1e-4)],  # type: ignore[union-attr]
        mark=np.r_[recorded.mark, np.full(more, np.nan)],  # type: ignore[union-attr]
    )
    report = check_funding(gone_on)  # type: ignore[arg-type]
    assert found(report)["frozen_tail"]
    assert "from 2024-09-0" in detail(report, "frozen_tail")


def test_rates_after_the_last_bar_are_caught() -> None:
    bars = hourly(200)
    funding = replace(rates(), time_ns=bars.open_ns[0] + np.arange(300) * 8 * HOUR_NS)
    assert found(check_funding(funding, bars=bars))["after_the_end"]


def test_a_changed_funding_interval_is_named(shared_data: Path) -> None:
    report = check_file(shared_data / "funding" / "binanceusdm_AXSUSDT-PERP.parquet")
    assert "8 h, 4 h, 1 h" in detail(report, "interval_change")


@given(
    row=st.integers(0, 599),
    value=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0]),
    name=st.sampled_from(PRICES),
)
def test_prop_a_price_that_is_none_is_always_fatal(row: int, value: float, name: str) -> None:
    bars = hourly()
    column = getattr(bars, name).copy()
    column[row] = value
    report = check_bars(replace(bars, **{name: column}))
    assert found(report)["price_not_positive"]


def test_joined_reports_keep_the_worst_verdict() -> None:
    bars = hourly()
    good, bad = check_bars(bars), check_bars(bars.take(slice(0, 1)))
    joined = good.joined(bad)
    assert joined.verdict is QualityVerdict.UNUSABLE
    assert joined.as_json()["synthetic"] is True
    require_usable([good])
