"""Files describe themselves, manifests describe folders, and both are held to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from oem_cli.__main__ import main
from oem_risk import (
    Commission,
    DataFile,
    DataKind,
    DataProblem,
    check_file,
    commission_of,
    data_name,
    describe_folder,
    funding_of,
    manifest_differences,
    read_manifest,
    read_series,
    series_path,
    symbol_of,
    write_manifest,
    write_series,
)
from oem_security.errors import InputError
from risk_data import hourly, prints, rates, raw_parquet, tops


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    perp = replace(hourly(100), venue="binanceusdm", symbol="X/USDT:USDT", synthetic=False)
    for series in (replace(hourly(100), venue="binance"), prints(), tops(), rates(), perp):
        write_series(series, series_path(tmp_path, series))
    return tmp_path


def test_series_survive_the_way_through_their_file(tmp_path: Path) -> None:
    nobody = replace(prints(), side=np.full(800, None, dtype=object))
    for series in (replace(hourly(50), venue="v"), prints(), nobody, tops(), rates()):
        path = series_path(tmp_path, series)
        written = write_series(series, path)
        read = read_series(path)
        assert type(read) is type(series)
        assert read.sha384 == written.sha384
        assert (read.venue, read.symbol) == (series.venue, series.symbol)
        assert read.synthetic is series.synthetic
        assert np.array_equal(read.time_ns, series.time_ns)
    side = read_series(series_path(tmp_path, nobody)).side  # type: ignore[union-attr]
    assert all(word is None for word in side)


def test_the_mark_of_synthetic_data_survives_the_way_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "generated_BTCUSDT_1h.parquet"
    write_series(hourly(100), path)
    assert read_series(path).synthetic
    assert check_file(path).synthetic
    assert describe_folder(tmp_path).synthetic


def test_nanoseconds_are_kept_where_milliseconds_would_lose_them(tmp_path: Path) -> None:
    trades = prints()
    odd = replace(trades, time_ns=trades.time_ns + 7)
    write_series(odd, tmp_path / "binance_XUSDT.parquet")
    assert np.array_equal(read_series(tmp_path / "binance_XUSDT.parquet").time_ns, odd.time_ns)


def test_a_manifest_tells_hash_span_liquidity_and_funding(folder: Path) -> None:
    manifest = describe_folder(folder)
    by_kind = {(f.kind, f.venue): f for f in manifest.files}
    bars = by_kind[DataKind.BARS, "binance"]
    assert (bars.rows, len(bars.sha384), bars.timeframe) == (100, 96, "1h")
    assert bars.liquidity is not None
    daily = bars.liquidity.median_daily_notional
    assert daily == pytest.approx(20_000 * 60_000, rel=0.2)
    quotes = by_kind[DataKind.QUOTES, "binance"]
    assert quotes.liquidity is not None
    assert quotes.liquidity.median_spread_bps == pytest.approx(2.0, abs=0.01)
    funding = by_kind[DataKind.FUNDING, "binanceusdm"].funding
    assert funding is not None
    assert funding.interval_hours == (8.0,)
    assert funding.mean_bps_per_day == pytest.approx(3.0, abs=0.3)


def test_a_manifest_names_what_it_does_not_know(folder: Path) -> None:
    manifest = describe_folder(folder)
    assert "commission of BTC/USDT at binance" in manifest.unknowns()
    assert "spread of BTC/USDT at binance" in manifest.unknowns()
    assert not any("funding" in name for name in manifest.unknowns())
    priced = describe_folder(
        folder, commissions=commission_of(["binance"], 10, 10, source="page", as_of="2026-01-01")
    )
    assert "commission of BTC/USDT at binance" not in priced.unknowns()
    assert "commission of X/USDT:USDT at binanceusdm" in priced.unknowns()
    perp_alone = priced.model_copy(
        update={"files": tuple(f for f in priced.files if f.kind is DataKind.BARS)}
    )
    assert "funding of X/USDT:USDT at binanceusdm" in perp_alone.unknowns()


def test_a_manifest_is_the_same_bytes_each_time_and_reads_back(folder: Path) -> None:
    write_manifest(describe_folder(folder), folder)
    first = (folder / "manifest.json").read_bytes()
    assert write_manifest(describe_folder(folder), folder).read_bytes() == first
    assert read_manifest(folder).as_bytes() == first


def test_changed_missing_and_foreign_files_are_named(folder: Path) -> None:
    manifest = describe_folder(folder)
    assert manifest_differences(manifest, folder) == ()
    (folder / "quotes" / "binance_XUSDT.parquet").unlink()
    write_series(replace(prints(), venue="foreign"), folder / "trades" / "foreign_XUSDT.parquet")
    write_series(replace(hourly(99), venue="binance"), folder / "bars/binance_BTCUSDT_1h.parquet")
    found = " / ".join(manifest_differences(manifest, folder))
    assert "bars/binance_BTCUSDT_1h.parquet: another content" in found
    assert "quotes/binance_XUSDT.parquet: missing" in found
    assert "foreign_XUSDT.parquet: not in the manifest" in found


def test_files_of_no_kind_are_named_and_do_not_stop_the_rest(folder: Path) -> None:
    raw_parquet(folder / "fees.parquet", venue=pa.array(["x"]), maker=pa.array([0.001]))
    manifest = describe_folder(folder)
    assert manifest.others == ("fees.parquet",)
    assert "what fees.parquet holds" in manifest.unknowns()
    assert manifest_differences(manifest, folder) == ()
    with pytest.raises(DataProblem, match="no kind of market data"):
        check_file(folder / "fees.parquet")


@pytest.mark.parametrize("path", ["../up.parquet", "/etc/x.parquet", "a\\b", "a//b"])
def test_a_manifest_cannot_point_out_of_its_folder(folder: Path, path: str) -> None:
    write_manifest(describe_folder(folder), folder)
    content = json.loads((folder / "manifest.json").read_text())
    content["files"][0]["path"] = path
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataProblem, match=r"files\.0\.path"):
        read_manifest(folder)


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="oem data manifest"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataProblem, match="not valid"):
        read_manifest(tmp_path)
    with pytest.raises(DataProblem, match="no Parquet file"):
        describe_folder(tmp_path)
    with pytest.raises(DataProblem, match="two finite rates"):
        funding_of(rates().take(slice(0, 1)))
    assert DataFile.model_fields["sha384"].is_required()
    with pytest.raises(ValueError, match="finite"):
        Commission(maker_bps=float("nan"), taker_bps=1, source="x", as_of="2026-01-01")


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("BTCUSDT", "BTC/USDT"), ("XBTUSD", "XBT/USD"), ("BCHEUR", "BCH/EUR"), ("ADABTC", "ADA/BTC"),
     ("XRP_ETH", "XRP/ETH"), ("btcusd-perp", "BTC/USD:USD"), ("BTCFDUSD", "BTC/FDUSD")],
)  # fmt: skip
def test_symbols_are_told_from_names(text: str, symbol: str) -> None:
    assert symbol_of(text) == symbol


def test_names_that_tell_nothing_are_refused() -> None:
    for stem in ("BTCUSDT", "binance_BTCUSDT", "binance_BTCUSDT_7h"):
        with pytest.raises(DataProblem, match="venue_SYMBOL_timeframe"):
            data_name(stem, DataKind.BARS)
    with pytest.raises(DataProblem, match="--symbol"):
        symbol_of("WHAT")


def run(*words: object) -> int:
    return main(list(map(str, words)))


def test_the_command_checks_describes_and_verifies(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = folder / "bars" / "binance_BTCUSDT_1h.parquet"
    assert run("data", "check", good, "--json") == 0
    assert json.loads(capsys.readouterr().out)["reports"][0]["synthetic"] is True
    bad = folder / "bars" / "kraken_BTCUSDT_1h.parquet"
    bars = hourly(100)
    write_series(replace(bars, high=bars.low, venue="kraken"), bad)
    assert run("data", "check", good, bad) == 1
    assert "FATAL    ohlc_inconsistent" in capsys.readouterr().out
    assert run("data", "check", good, "--against", good) == 0
    assert run("data", "manifest", folder) == 1
    bad.unlink()
    assert run("data", "manifest", folder) == 0
    # what binance charged on the day is known from the shipped schedules, the perpetual's is not
    commissions = read_manifest(folder).commissions
    assert commissions["binance BTC/USDT"].taker_bps == 10.0
    assert run("data", "verify", folder) == 0
    write_series(replace(hourly(99), venue="binance"), good)
    assert run("data", "verify", folder) == 1
    assert "another content" in capsys.readouterr().out
    assert run("data", "check", folder / "none.parquet") == 3
    assert run("data", "verify", folder / "bars") == 3
