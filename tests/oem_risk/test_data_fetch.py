"""History comes page by page over a real socket through unmodified ccxt, and survives a break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from oem_cli.__main__ import main
from oem_risk import (
    Bars,
    CcxtHistory,
    DataKind,
    DataProblem,
    FetchProblem,
    FetchRequest,
    Funding,
    TakenIn,
    Trades,
    fetch_history,
    read_series,
)
from risk_data import found
from risk_exchange import Exchange, exchange

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
MS = 10**6


@dataclass
class Still:
    """A clock that stands at a time."""

    at_ms: int = START_MS + 10_000 * HOUR_MS

    def now_ns(self) -> int:
        return self.at_ms * MS


@dataclass
class Waits:
    """Counts waits instead of waiting."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def kline(hour: int) -> list[object]:
    opened = 100 + 5 * np.sin(hour / 9)
    close = 100 + 5 * np.sin((hour + 1) / 9)
    row = [opened, max(opened, close) + 1, min(opened, close) - 1, close, 3.5]
    return [START_MS + hour * HOUR_MS, *(f"{value:.4f}" for value in row), 0, "0", 1, "0", "0", "0"]


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with exchange() as served:
        served.klines = [kline(hour) for hour in range(2_500)]
        yield served


def bars_request(first: int, last: int) -> FetchRequest:
    return FetchRequest(
        DataKind.BARS, "BTC/USDT", (START_MS + first * HOUR_MS) * MS,
        (START_MS + last * HOUR_MS) * MS, "1h",
    )  # fmt: skip


def fetch(
    venue: Exchange,
    request: FetchRequest,
    folder: Path,
    *,
    name: str = "binance",
    clock: Still | None = None,
    sleep: Waits | None = None,
    told: list[tuple[int, int]] | None = None,
) -> TakenIn:
    return fetch_history(
        CcxtHistory(name, url=venue.url, pause_s=0),
        request,
        folder,
        clock=clock or Still(),
        sleep=sleep or Waits(),
        progress=None if told is None else lambda done, total: told.append((done, total)),
    )


def test_bars_come_page_by_page_with_progress(venue: Exchange, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    taken = fetch(venue, bars_request(0, 2_500), tmp_path, told=told)
    assert taken.path == tmp_path / "bars" / "binance_BTCUSDT_1h.parquet"
    bars = read_series(taken.path)
    assert isinstance(bars, Bars)
    assert len(bars) == 2_500
    assert np.array_equal(bars.open_ns // MS, START_MS + np.arange(2_500) * HOUR_MS)
    assert bars.close[7] == float(str(kline(7)[4]))
    assert found(taken.report) == {}
    assert told == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]
    assert not taken.path.with_suffix(".parts").exists()


def test_a_fetch_goes_on_where_the_venue_stopped_answering(venue: Exchange, tmp_path: Path) -> None:
    good = venue.answer("/api/v3/klines", {"startTime": str(START_MS), "limit": "1000"})
    venue.asked.clear()
    venue.script = [good, *[(503, "{}")] * 6]
    waits = Waits()
    with pytest.raises(FetchProblem, match="run the same command again"):
        fetch(venue, bars_request(0, 2_500), tmp_path, sleep=waits)
    assert waits.seconds == [1.0, 2.0, 4.0, 8.0, 16.0]
    venue.asked.clear()
    taken = fetch(venue, bars_request(0, 2_500), tmp_path)
    assert venue.asked[0] == f"/api/v3/klines {START_MS + 1_000 * HOUR_MS}"
    assert taken.report.rows == 2_500
    venue.asked.clear()
    assert fetch(venue, bars_request(0, 2_500), tmp_path).report.rows == 2_500
    assert venue.asked == []


@pytest.mark.parametrize("failure", [(0, ""), (429, "{}"), (500, "{}"), (502, "<html>")])
def test_a_passing_failure_is_waited_out(
    venue: Exchange, tmp_path: Path, failure: tuple[int, str]
) -> None:
    venue.script = [failure, failure]
    waits = Waits()
    taken = fetch(venue, bars_request(0, 100), tmp_path, sleep=waits)
    assert taken.report.rows == 100
    assert waits.seconds == [1.0, 2.0]


def test_later_and_earlier_spans_are_added_without_asking_twice(
    venue: Exchange, tmp_path: Path
) -> None:
    fetch(venue, bars_request(1_000, 1_100), tmp_path)
    venue.asked.clear()
    taken = fetch(venue, bars_request(900, 1_300), tmp_path)
    asked = [int(line.split()[1]) for line in venue.asked]
    assert asked == [START_MS + 900 * HOUR_MS, START_MS + 1_100 * HOUR_MS]
    assert taken.report.rows == 400
    assert found(taken.report) == {}


def test_a_bar_that_has_not_closed_is_left_for_the_next_time(
    venue: Exchange, tmp_path: Path
) -> None:
    half_past = Still(START_MS + 50 * HOUR_MS + HOUR_MS // 2)
    assert fetch(venue, bars_request(0, 2_500), tmp_path, clock=half_past).report.rows == 50
    venue.klines[50][4] = "101.5"
    taken = fetch(venue, bars_request(0, 60), tmp_path)
    assert isinstance(taken.series, Bars)
    assert taken.series.close[50] == 101.5
    with pytest.raises(DataProblem, match="closed yet"):
        fetch(venue, bars_request(100, 200), tmp_path, clock=half_past)


def test_a_bar_the_venue_has_not_published_yet_is_asked_for_again(
    venue: Exchange, tmp_path: Path
) -> None:
    late = venue.klines.pop(49)
    del venue.klines[49:]
    clock = Still(START_MS + 50 * HOUR_MS + 1_000)
    assert fetch(venue, bars_request(0, 50), tmp_path, clock=clock).report.rows == 49
    venue.klines.append(late)
    assert fetch(venue, bars_request(0, 50), tmp_path, clock=clock).report.rows == 50


def test_an_outage_of_the_venue_is_a_gap_and_not_an_end(venue: Exchange, tmp_path: Path) -> None:
    del venue.klines[200:230]
    taken = fetch(venue, bars_request(0, 400), tmp_path)
    assert taken.report.rows == 370
    assert found(taken.report) == {"gap": False}


def test_a_history_that_changed_is_not_mixed_with_the_old(venue: Exchange, tmp_path: Path) -> None:
    taken = fetch(venue, bars_request(0, 100), tmp_path)
    state = taken.path.with_suffix(".fetch.json")
    state.unlink()
    venue.klines[5][4] = "103.0"
    with pytest.raises(DataProblem, match="say different things"):
        fetch(venue, bars_request(0, 100), tmp_path)
    state.write_text("{")
    with pytest.raises(DataProblem, match="delete it"):
        fetch(venue, bars_request(0, 100), tmp_path)


def test_a_file_that_is_gone_is_fetched_again(venue: Exchange, tmp_path: Path) -> None:
    fetch(venue, bars_request(0, 100), tmp_path).path.unlink()
    assert fetch(venue, bars_request(0, 100), tmp_path).report.rows == 100


def test_trades_lose_none_and_double_none_at_the_ends_of_pages(
    venue: Exchange, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    offsets = np.sort(rng.integers(0, 3_000, 900)) * 10
    venue.trades = [
        {"a": i, "p": f"{100 + i / 100:.2f}", "q": "0.5", "f": i, "l": i, "T": START_MS + int(t),
         "m": bool(i % 2), "M": True}
        for i, t in enumerate(offsets)
    ]  # fmt: skip
    venue.page = 100
    request = FetchRequest(DataKind.TRADES, "BTC/USDT", START_MS * MS, (START_MS + HOUR_MS) * MS)
    taken = fetch(venue, request, tmp_path)
    assert isinstance(taken.series, Trades)
    assert np.allclose(taken.series.price, [100 + i / 100 for i in range(900)], atol=1e-9)
    assert taken.series.side.tolist()[:2] == ["buy", "sell"]
    assert found(taken.report) == {}


def test_funding_comes_with_its_mark(venue: Exchange, tmp_path: Path) -> None:
    venue.funding = [
        {"symbol": "BTCUSDT", "fundingTime": START_MS + i * 8 * HOUR_MS + i % 3,
         "fundingRate": f"{1e-4 + i * 1e-6:.8f}", "markPrice": "100.5" if i else ""}
        for i in range(40)
    ]  # fmt: skip
    request = FetchRequest(
        DataKind.FUNDING, "BTC/USDT:USDT", START_MS * MS, (START_MS + 320 * HOUR_MS) * MS
    )
    taken = fetch(venue, request, tmp_path, name="binanceusdm")
    assert taken.path.name == "binanceusdm_BTCUSDT-PERP.parquet"
    assert isinstance(taken.series, Funding)
    assert len(taken.series) == 40
    assert np.isnan(taken.series.mark[0])
    assert taken.series.mark[1] == 100.5
    assert taken.series.time_ns[2] == (START_MS + 16 * HOUR_MS + 2) * MS


def test_what_a_venue_does_not_have_is_said(venue: Exchange, tmp_path: Path) -> None:
    nothing = FetchRequest(DataKind.BARS, "NO/SUCH", START_MS * MS, (START_MS + HOUR_MS) * MS, "1h")
    with pytest.raises(FetchProblem, match="no bars of NO/SUCH"):
        fetch(venue, nothing, tmp_path)
    venue.klines = []
    with pytest.raises(FetchProblem, match="in that span"):
        fetch(venue, bars_request(0, 10), tmp_path)
    venue.script = [(400, '{"code": -1100, "msg": "Illegal characters"}')]
    with pytest.raises(FetchProblem, match="Illegal characters"):
        fetch(venue, bars_request(0, 10), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(DataProblem, match="span is empty"):
        bars_request(5, 5)
    with pytest.raises(DataProblem, match="no history"):
        FetchRequest(DataKind.BOOKS, "BTC/USDT", 0, 1)
    with pytest.raises(DataProblem, match="no timeframe"):
        FetchRequest(DataKind.BARS, "BTC/USDT", 0, 1, "7h")
    with pytest.raises(DataProblem, match="knows no exchange"):
        CcxtHistory("nowhere")
    with pytest.raises(DataProblem, match="not positive"):
        CcxtHistory("binance", timeout_s=0)
    with pytest.raises(DataProblem, match="pause"):
        CcxtHistory("binance", pause_s=-1)


def test_the_command_fetches_into_a_folder(
    venue: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "fetch", "--venue", "binance", "--symbol", "BTC/USDT", "--to", str(tmp_path)]
    words += ["--url", venue.url, "--json"]
    span = ["--since", "2024-01-01", "--until", "2024-01-11"]
    assert main([*words, *span]) == 0
    (written,) = json.loads(capsys.readouterr().out)["written"]
    assert (written["rows"], written["verdict"]) == (240, "usable")
    assert main([*words, "--since", "last week"]) == 3
    venue.script = [(400, '{"code": -1121, "msg": "Invalid symbol."}')]
    assert main([*words, "--since", "2024-02-01", "--until", "2024-02-02"]) == 5
    assert "Traceback" not in capsys.readouterr().err
