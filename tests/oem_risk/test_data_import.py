"""Files as users have them become the series they mean; what was mended is said."""

from __future__ import annotations

import gzip
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oem_cli.__main__ import main
from oem_risk import (
    Bars,
    BookUpdates,
    DataProblem,
    Funding,
    ImportHints,
    QualityVerdict,
    Quotes,
    Series,
    TimeUnitMistake,
    Trades,
    check_series,
    import_file,
    import_files,
    in_order,
    join_series,
    read_series,
    shipped_importers,
    without_conflicts,
)
from risk_data import found, hourly, prints


@pytest.fixture
def formats(shared_data: Path) -> Path:
    return shared_data / "original_formats"


def only(path: Path, **hints: str) -> Series:
    (series,) = import_file(path, ImportHints(**hints))
    return series


def bars_of(path: Path, **hints: str) -> Bars:
    series = only(path, **hints)
    assert isinstance(series, Bars)
    return series


def recorded(shared_data: Path, name: str) -> Series:
    return read_series(shared_data / f"{name}.parquet")


def test_every_format_there_is_has_its_importer(formats: Path) -> None:
    files = [path for path in sorted(formats.rglob("*")) if path.is_file()]
    assert len(files) == 25
    asked = shipped_importers()
    read_by = {path.name: [i.name for i in asked if i.fits(path)][:1] for path in files}
    assert [name for name, reader in read_by.items() if not reader] == []
    assert {reader[0] for reader in read_by.values()} == {i.name for i in asked}


def test_binance_klines_are_read_with_and_without_heading(formats: Path) -> None:
    plain = bars_of(formats / "binance_vision" / "ADABTC-1m-2021-11-27.csv")
    assert (plain.venue, plain.symbol, plain.timeframe) == ("binance", "ADA/BTC", "1m")
    assert plain.open[0] == 0.00002853
    assert plain.volume[0] == 36304.2
    assert plain.open_ns[0] == 1637971200000 * 10**6
    zipped = bars_of(formats / "binance_vision" / "LTCUSDT-1m-2026-02.zip")
    assert len(zipped) == 28 * 24 * 60
    assert check_series(zipped).verdict is QualityVerdict.USABLE


def test_binance_klines_change_to_microseconds_within_a_file(tmp_path: Path) -> None:
    milli, micro = 1_735_603_200_000, 1_735_689_600_000_000
    rows = [f"{milli + i * 60_000},1,2,0.5,1.5,{i}" for i in range(3)]
    rows += [f"{micro + i * 60_000_000},1,2,0.5,1.5,{i}" for i in range(2)]
    path = tmp_path / "BTCUSDT-1m-2025-01.csv"
    path.write_text("\n".join(rows))
    bars = bars_of(path)
    assert bars.open_ns.tolist()[-1] == (micro + 60_000_000) * 1000
    assert bars.open_ns[0] == milli * 10**6
    assert "time units were mixed (3 in ms, 2 in us)" in " ".join(bars.notes)


def test_binance_funding_keeps_its_jitter(formats: Path) -> None:
    funding = only(formats / "binance_vision" / "BTCUSDT-fundingRate-2020-03.csv")
    assert isinstance(funding, Funding)
    assert (funding.venue, funding.symbol) == ("binanceusdm", "BTC/USDT:USDT")
    assert funding.time_ns[2] == 1583078400001 * 10**6
    assert funding.rate[0] == 0.00049317


def test_cryptodatadownload_is_turned_round_and_its_units_told_apart(formats: Path) -> None:
    bars = bars_of(formats / "cryptodatadownload" / "Binance_BTCUSDT_d.csv")
    assert bars.timeframe == "1d"
    assert (np.diff(bars.open_ns) >= 0).all()
    assert "time units were mixed (1109 in ms, 124 in s)" in " ".join(bars.notes)
    assert "newest first" in " ".join(bars.notes)
    # the file gives 2017-12-18 twice, from two sources: nobody may choose in silence
    assert found(check_series(bars))["duplicate_time"]
    chosen = without_conflicts(bars, "last")
    assert "duplicate_time" not in found(check_series(chosen))
    assert "the last of each was kept" in " ".join(chosen.notes)
    perp = bars_of(formats / "cryptodatadownload" / "BTCUSDT_Binance_futures_data_day.csv")
    assert (perp.venue, perp.symbol, len(perp)) == ("binanceusdm", "BTC/USDT:USDT", 480)


def test_lean_folders_tell_venue_symbol_and_resolution(formats: Path, shared_data: Path) -> None:
    lean = formats / "lean"
    daily = bars_of(lean / "crypto" / "coinbase" / "daily" / "btcusd_trade.zip")
    assert np.array_equal(daily.close, recorded(shared_data, "bars/coinbase_BTCUSD_1d").close)  # type: ignore[union-attr]
    minute = bars_of(lean / "crypto" / "coinbase" / "minute" / "btcusd" / "20171217_trade.zip")
    assert (minute.venue, minute.symbol, minute.timeframe) == ("coinbase", "BTC/USD", "1m")
    assert minute.open_ns[0] == 1_513_468_800 * 10**9
    second = bars_of(lean / "crypto" / "coinbase" / "second" / "btcusd" / "20161007_trade.zip")
    assert second.timeframe == "1s"
    assert second.open_ns[0] % 86_400_000_000_000 == 4_000_000_000
    hour = bars_of(lean / "crypto" / "bitfinex" / "hour" / "btcusd_trade.zip")
    assert (hour.venue, hour.timeframe) == ("bitfinex", "1h")


def test_lean_quotes_stand_at_the_end_of_their_bars(formats: Path, shared_data: Path) -> None:
    folder = formats / "lean" / "cryptofuture" / "binance" / "minute" / "btcusd"
    quotes = only(folder / "20221213_quote.zip")
    assert isinstance(quotes, Quotes)
    there = recorded(shared_data, "quotes/binance_BTCUSD-PERP_20221213_1m")
    assert np.array_equal(quotes.time_ns, there.time_ns)
    assert np.array_equal(quotes.ask, there.ask)  # type: ignore[union-attr]
    assert quotes.symbol == "BTC/USD:USD"


def test_lean_margin_interest_is_funding(formats: Path) -> None:
    folder = formats / "lean" / "cryptofuture"
    funding = only(folder / "bybit" / "margin_interest" / "btcusdt.csv")
    assert isinstance(funding, Funding)
    assert (funding.venue, funding.symbol) == ("bybit", "BTC/USDT:USDT")
    assert funding.rate.tolist() == [-0.0002016, -0.00022398, -0.00038555]
    assert (np.diff(funding.time_ns) == 8 * 3600 * 10**9).all()


def test_freqtrade_trades_are_those_recorded(formats: Path, shared_data: Path) -> None:
    trades = only(formats / "freqtrade" / "XRP_ETH-trades.json.gz", venue="binance")
    assert isinstance(trades, Trades)
    there = recorded(shared_data, "trades/binance_XRPETH")
    assert isinstance(there, Trades)
    assert np.array_equal(trades.price, there.price)
    assert np.array_equal(trades.size, there.size)
    assert trades.side.tolist() == there.side.tolist()
    assert np.array_equal(trades.time_ns, there.time_ns)


def test_freqtrade_candles_marks_and_rates_are_told_apart(formats: Path) -> None:
    folder = formats / "freqtrade"
    assert bars_of(folder / "XRP_ETH-5m.feather").symbol == "XRP/ETH"
    perp = bars_of(folder / "futures" / "XRP_USDT_USDT-1h-futures.json.gz")
    assert (perp.symbol, perp.timeframe, len(perp)) == ("XRP/USDT:USDT", "1h", 100)
    mark = bars_of(folder / "futures" / "XRP_USDT_USDT-8h-mark.feather")
    assert mark.symbol == "XRP/USDT:USDT-MARK"
    rates = only(folder / "futures" / "XRP_USDT_USDT-8h-funding_rate.feather")
    assert isinstance(rates, Funding)
    assert rates.rate[0] == 0.0001
    kraken = only(folder / "kraken" / "trades_csv" / "BCHEUR.csv")
    assert isinstance(kraken, Trades)
    assert (kraken.venue, kraken.symbol, kraken.price[0]) == ("kraken", "BCH/EUR", 90.54)
    assert set(kraken.side) == {None}


def test_ccxt_candles_are_read(formats: Path) -> None:
    bars = bars_of(formats / "ccxt_ohlcv_json" / "FTT_USD-1d.json", venue="ftx")
    assert (bars.venue, bars.symbol, len(bars), bars.close[-1]) == ("ftx", "FTT/USD", 1089, 29.48)


def test_hftbacktest_recordings_give_trades_quotes_and_books(
    formats: Path, shared_data: Path
) -> None:
    series = import_file(formats / "hftbacktest" / "btcusdt_spot_20240808.gz")
    by_type = {type(one): one for one in series}
    for kind, name in ((Trades, "trades"), (Quotes, "quotes"), (BookUpdates, "books")):
        ours, there = by_type[kind], recorded(shared_data, f"{name}/binance_BTCUSDT")
        price = "bid" if kind is Quotes else "price"
        assert np.array_equal(getattr(ours, price), getattr(there, price)[: len(ours)])
        size = "bid_size" if kind is Quotes else "size"
        assert np.array_equal(getattr(ours, size), getattr(there, size)[: len(ours)])
    books = by_type[BookUpdates]
    assert books.time_ns[0] == recorded(shared_data, "books/binance_BTCUSDT").time_ns[0]
    trades = by_type[Trades]
    assert isinstance(trades, Trades)
    there = recorded(shared_data, "trades/binance_BTCUSDT")
    assert np.array_equal(trades.time_ns, there.time_ns[: len(trades)])
    assert trades.side.tolist() == there.side[: len(trades)].tolist()  # type: ignore[union-attr]
    assert "the recorder's clock stands -1271 ms" in " ".join(trades.notes)


def test_bybit_books_start_with_a_snapshot_and_give_quotes(formats: Path) -> None:
    books, quotes = import_file(formats / "bybit" / "xrpusdt-ob500.data.zip")
    assert isinstance(books, BookUpdates)
    assert isinstance(quotes, Quotes)
    assert int(books.is_snapshot.sum()) == 1000
    assert books.symbol == "XRP/USDT"
    assert books.seq[0] == 130020238981
    assert (quotes.ask > quotes.bid).all()
    assert quotes.bid[0] == 1.9531


def test_a_book_folds_to_its_best_quotes(tmp_path: Path) -> None:
    def line(kind: str, ts: int, bids: list[list[str]], asks: list[list[str]]) -> str:
        data = {"s": "XUSDT", "b": bids, "a": asks, "u": 1, "seq": ts}
        return json.dumps({"topic": "o", "type": kind, "ts": 1_733_011_200_000 + ts, "data": data})

    path = tmp_path / "2024-12-01_XUSDT_ob500.data"
    path.write_text(
        "\n".join(
            [
                line("snapshot", 0, [["10", "1"], ["9", "2"]], [["11", "1"]]),
                line("delta", 1, [["10", "0"]], [["10.5", "3"]]),
                line("delta", 2, [], [["12", "3"]]),
                line("snapshot", 3, [["5", "1"]], [["6", "1"]]),
            ]
        )
    )
    _, quotes = import_file(path)
    assert isinstance(quotes, Quotes)
    tops = np.stack([quotes.bid, quotes.bid_size, quotes.ask, quotes.ask_size], axis=1)
    assert tops.tolist() == [[10, 1, 11, 1], [9, 2, 10.5, 3], [5, 1, 6, 1]]


SPOILT = {
    "BTCUSDT-1m-2025-01.csv": [
        ("", "no rows"),
        ("1735603200000,1,2", "line 1"),
        ("1735603200000,1,2,0.5,x,1", "row 1, column 5"),
        ("1735603200000,1,2,0.5,nan,1", "row 1, column 5"),
        ("12,1,2,0.5,1,1", "2009 to 2100"),
    ],
    "BTCUSDT-fundingRate-2025-01.csv": [
        ("calc_time,funding_interval_hours,last_funding_rate\n", "no rows"),
        ("1735603200000,8,inf", "row 1, column 3"),
    ],
    "XRP_ETH-trades.json": [
        ("{", "not JSON"),
        ("[]", "not a list of rows"),
        ("[[1]]", "fewer than 6"),
        ('[[1570752011620,"1",null,"hold",1,1]]', "hold"),
    ],
    "XRP_ETH-1h.json": [("[[1570752011620,1,1,1,1]]", "None is not a finite number")],
    "XRP_ETH-7h.json": [("[[1570752011620,1,1,1,1,1]]", "unknown")],
    "BCHEUR.csv": [("1672531436,1.0,2.0\n1672531436,1.0\n", "line 2")],
    "x_ob500.data": [("{}", "no snapshot"), ("[", "not JSON"), ("[]", "not a JSON object")],
    "Kraken_X_d.csv": [
        ("https://www.CryptoDataDownload.com\n", "no rows"),
        ("https://www.CryptoDataDownload.com\na,b\n1,2\n", "heading lacks unix"),
    ],
    "XRP_ETH-5m.feather": [("no feather", "not a feather file")],
}


@pytest.mark.parametrize(
    ("name", "content", "words"), [(n, c, w) for n, cases in SPOILT.items() for c, w in cases]
)
def test_a_spoilt_row_is_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataProblem) as caught:
        import_file(path)
    assert words in str(caught.value)


def test_archives_that_are_damaged_are_refused(tmp_path: Path) -> None:
    zipped = tmp_path / "BTCUSDT-1m-2025-01.zip"
    zipped.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataProblem, match="damaged"):
        import_file(zipped)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "1")
    with pytest.raises(DataProblem, match="holds 2 files"):
        import_file(zipped)
    cut = tmp_path / "XRP_ETH-trades.json.gz"
    cut.write_bytes(gzip.compress(b"[[1,2,3,4,5,6]]" * 50)[:-9])
    with pytest.raises(DataProblem, match="damaged"):
        import_file(cut)
    binary = tmp_path / "XRP_ETH-1h.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataProblem, match="not text"):
        import_file(binary)


def test_what_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DataProblem, match="--format"):
        import_file(path)
    with pytest.raises(DataProblem, match="no format is named"):
        import_file(path, form="excel")
    with pytest.raises(DataProblem, match="no such file"):
        import_file(tmp_path / "none.csv")
    with pytest.raises(DataProblem, match="no file to import"):
        import_files([], tmp_path)


def test_lean_times_outside_their_day_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "crypto" / "x" / "minute" / "btcusd"
    folder.mkdir(parents=True)
    path = folder / "20171217_trade.zip"
    for content, words in (("86400000,1,1,1,1,1", "outside the day"), ("0,1,1", "fewer than 6")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", content)
        with pytest.raises(DataProblem, match=words):
            import_file(path)


def test_parts_of_one_market_become_one_series(tmp_path: Path) -> None:
    bars = replace(hourly(100), venue="v")
    joined = join_series([bars.take(slice(60, 100)), bars.take(slice(0, 70))])
    assert np.array_equal(joined.time_ns, bars.open_ns)
    other = replace(bars, close=bars.close * 1.01)
    with pytest.raises(DataProblem, match="different things"):
        join_series([bars, other])
    with pytest.raises(DataProblem, match="cannot be joined"):
        join_series([bars, replace(bars, symbol="Y/Z")])
    with pytest.raises(DataProblem, match="overlap in time"):
        join_series([prints(), prints()])
    with pytest.raises(DataProblem, match="nothing to join"):
        join_series([])


def test_rows_that_stand_twice_are_kept_once_and_said(tmp_path: Path) -> None:
    bars = hourly(50)
    doubled = in_order(bars.take(np.r_[0:50, 20:30].astype(np.int64)))
    assert len(doubled) == 50
    assert "10 rows stood twice" in " ".join(doubled.notes)
    assert in_order(bars).notes == ()


def test_importing_twice_changes_nothing_and_a_contradiction_is_refused(tmp_path: Path) -> None:
    def month(path: Path, close: float, first: int, last: int) -> Path:
        start = 1_735_603_200_000
        rows = [f"{start + i * 60_000},1,2,0.5,{close},{i}" for i in range(first, last)]
        path.write_text("\n".join(rows))
        return path

    path = month(tmp_path / "BTCUSDT-1m-2025-01.csv", 1.5, 0, 30)
    target = tmp_path / "data"
    (first,) = import_files([path], target)
    (again,) = import_files([path], target)
    assert again.series.sha384 == first.series.sha384
    later = month(tmp_path / "BTCUSDT-1m-2025-02.csv", 1.5, 20, 40)
    (more,) = import_files([later], target)
    assert more.report.rows == 40
    before = more.path.read_bytes()
    month(later, 1.6, 20, 40)
    with pytest.raises(DataProblem, match="say different things"):
        import_files([later], target)
    assert more.path.read_bytes() == before


def test_times_outside_every_unit_are_a_mistake_of_units(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2025-01.csv"
    path.write_text("1735603200000,1,2,0.5,1,1\n99,1,2,0.5,1,1\n")
    with pytest.raises(TimeUnitMistake, match="1 of 2"):
        import_file(path)


def test_the_command_imports_and_names_what_it_mended(
    formats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(formats / "cryptodatadownload" / "Binance_BTCUSDT_d.csv")
    assert main(["data", "import", file, "--to", str(tmp_path / "a")]) == 1
    assert "FATAL    duplicate_time" in capsys.readouterr().out
    target = str(tmp_path / "b")
    assert main(["data", "import", file, "--keep", "first", "--to", target, "--json"]) == 0
    (written,) = json.loads(capsys.readouterr().out)["written"]
    assert written["verdict"] == "usable_with_warnings"
    assert any("newest first" in note for note in written["notes"])
    assert main(["data", "import", file, "--format", "none", "--to", target]) == 3
    # an imported series feeds whatever reads bars
    read = read_series(Path(written["path"]))
    assert isinstance(read, Bars)
    assert "sha384" in str(import_files([Path(file)], tmp_path / "c")[0].series.source)
