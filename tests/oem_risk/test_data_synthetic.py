"""Generated bars move like the history they are fitted to, and never lose their mark."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oem_cli.__main__ import main
from oem_risk import (
    Bars,
    DataProblem,
    QualityVerdict,
    SyntheticMarket,
    calibrate,
    check_bars,
    read_bars,
    read_series,
    synthetic_bars,
    synthetic_like,
)
from risk_data import hourly


def returns(bars: Bars) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.diff(np.log(bars.close))


def kurtosis(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    centred = values - values.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2)


@pytest.fixture(scope="module")
def btc(shared_data: Path) -> Bars:
    bars = read_bars(shared_data, venue="binance", symbol="BTC/USDT", timeframe="1h")
    return bars.last(3_000)


def test_generated_bars_move_like_the_history(btc: Bars) -> None:
    made = synthetic_like(btc, count=6_000, seed=5)
    ours, theirs = returns(made), returns(btc)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.2)
    assert 5 < kurtosis(ours) < 4 * kurtosis(theirs)
    size = np.abs(ours)
    clustering = float(np.corrcoef(size[1:], size[:-1])[0, 1])
    assert 0.1 < clustering < 0.5
    usual = float(np.median(np.log(btc.high / btc.low)))
    assert np.median(np.log(made.high / made.low)) == pytest.approx(usual, rel=0.4)
    assert made.volume.mean() == pytest.approx(btc.volume.mean(), rel=0.2)
    assert check_bars(made).verdict is not QualityVerdict.UNUSABLE


def test_generated_bars_go_on_where_the_history_ends_and_say_so(btc: Bars) -> None:
    made = synthetic_like(btc, count=50, seed=5)
    assert made.synthetic
    assert made.open_ns[0] == btc.open_ns[-1] + btc.interval_ns
    assert made.open[0] == btc.close[-1]
    assert f"calibrated to {btc.source}, sha384 {btc.sha384[:32]}" in made.source
    again = synthetic_like(btc, count=50, seed=5)
    assert np.array_equal(made.close, again.close)
    assert made.sha384 == again.sha384
    assert not np.array_equal(made.close, synthetic_like(btc, count=50, seed=6).close)


def test_the_parameters_that_made_bars_are_found_again() -> None:
    market = SyntheticMarket(
        100.0, annual_volatility=0.8, alpha=0.07, beta=0.88, jumps_per_year=0.0,
        daily_volume=500.0,
    )  # fmt: skip
    made = synthetic_bars("X/Y", market, timeframe="1h", bars=8_000, seed=11)
    found = calibrate(made)
    jumps = found.jumps_per_year * found.jump_volatility**2
    assert np.sqrt(found.annual_volatility**2 + jumps) == pytest.approx(0.8, rel=0.1)
    assert found.alpha + found.beta == pytest.approx(0.95, abs=0.04)
    assert found.daily_volume == pytest.approx(500.0, rel=0.1)


def test_jumps_are_told_from_clustering() -> None:
    calm = SyntheticMarket(100.0, annual_volatility=0.3, alpha=0.03, beta=0.9, jumps_per_year=0.0)
    wild = replace(calm, jumps_per_year=400.0, jump_volatility=0.05, jumps_excite=False)
    few, many = (
        calibrate(synthetic_bars("X/Y", m, timeframe="1h", bars=4_000, seed=4))
        for m in (calm, wild)
    )
    assert few.jumps_per_year < 15
    # small jumps hide in the noise, so that those found are fewer and larger
    assert 200 < many.jumps_per_year < 450
    variance = [b.jumps_per_year * b.jump_volatility**2 for b in (many, wild)]
    assert variance[0] == pytest.approx(variance[1], rel=0.5)


def test_small_prices_keep_their_digits() -> None:
    market = SyntheticMarket(0.00002853, annual_volatility=0.8)
    made = synthetic_bars("ADA/BTC", market, timeframe="1h", bars=500, seed=1)
    assert len(set(made.close)) > 200
    assert check_bars(made).verdict is QualityVerdict.USABLE


def test_a_history_that_cannot_be_fitted_is_refused(btc: Bars) -> None:
    with pytest.raises(DataProblem, match="too few"):
        calibrate(hourly(400))
    with pytest.raises(DataProblem, match="unusable"):
        calibrate(replace(btc, low=btc.low * np.nan))
    with pytest.raises(DataProblem, match="off the grid"):
        synthetic_bars("X/Y", SyntheticMarket(1.0), timeframe="1h", bars=1, seed=0, start_ns=7)
    with pytest.raises(DataProblem, match="seed -1"):
        synthetic_bars("X/Y", SyntheticMarket(1.0), timeframe="1h", bars=1, seed=-1)
    for wrong in ({"start_price": np.inf}, {"jumps_per_year": -1}, {"annual_drift": np.nan}):
        with pytest.raises(DataProblem, match="out of range"):
            SyntheticMarket(**{"start_price": 1.0, **wrong})


def test_the_command_generates_marked_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "synthesize", "--seed", "3", "--to", str(tmp_path)]
    assert main([*words, "--bars", "800", "--symbol", "SOL/USDT", "--price", "150"]) == 0
    assert "synthetic" in capsys.readouterr().out
    path = tmp_path / "bars" / "synthetic_SOLUSDT_1h.parquet"
    assert read_series(path).synthetic
    other = tmp_path / "like"
    like = ["data", "synthesize", "--seed", "3", "--bars", "100", "--like", str(path)]
    assert main([*like, "--to", str(other), "--json"]) == 0
    (written,) = json.loads(capsys.readouterr().out)["written"]
    assert written["synthetic"] is True
    assert main([*words, "--volatility", "99"]) == 3
