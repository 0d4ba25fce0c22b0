"""Kraken, Coinbase, OKX and Bybit answer differently: none of their rows is stepped over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from oem_risk import (
    Bars,
    CcxtHistory,
    DataKind,
    FetchProblem,
    FetchRequest,
    TakenIn,
    fetch_history,
)
from oem_security.clock import Clock
from risk_data import found
from risk_venues import Bar, Venue, venue_on_loopback

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_704_067_200_000
HOURS = 2_000
MS = 10**6
SYMBOLS = {"kraken": "BTC/USD", "coinbase": "BTC/USD", "okx": "BTC/USDT", "bybit": "BTC/USDT"}


@dataclasses.dataclass
class Still:
    """A clock that stands after all bars."""

    def now_ns(self) -> int:
        return (START_MS + (HOURS + 2) * HOUR_MS) * MS


def bar(at_ms: int) -> Bar:
    opened = round(100 + 5 * np.sin(at_ms / HOUR_MS / 9), 4)
    close = round(100 + 5 * np.sin((at_ms / HOUR_MS + 1) / 9), 4)
    return at_ms, opened, max(opened, close) + 1, min(opened, close) - 1, close, 3.5


def fetch(venue: Venue, request: FetchRequest, folder: Path, waits: list[float]) -> TakenIn:
    clock: Clock = Still()
    source = CcxtHistory(venue.name, url=venue.url, pause_s=0)
    return fetch_history(source, request, folder, clock=clock, sleep=waits.append)


def wanted(kind: DataKind, symbol: str, first: int, last: int) -> FetchRequest:
    """Return a request of a span of hours."""
    timeframe = "1h" if kind is DataKind.BARS else ""
    start, end = (START_MS + hour * HOUR_MS for hour in (first, last))
    return FetchRequest(kind, symbol, start * MS, end * MS, timeframe)


@pytest.fixture(params=["kraken", "coinbase", "okx", "bybit"])
def venue(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with venue_on_loopback(request.param) as served:
        served.bars[HOUR_MS] = [bar(START_MS + hour * HOUR_MS) for hour in range(HOURS)]
        served.bars[DAY_MS] = [bar(START_MS + day * DAY_MS) for day in range(HOURS // 24 + 1)]
        yield served


def test_every_bar_comes_once_whatever_the_page(venue: Venue, tmp_path: Path) -> None:
    symbol = SYMBOLS[venue.name]
    # one venue gives its newest 720 only
    first = HOURS - 720 if venue.name == "kraken" else 0
    request = wanted(DataKind.BARS, symbol, first, HOURS)
    taken = fetch(venue, request, tmp_path, [])
    assert isinstance(taken.series, Bars)
    assert np.array_equal(taken.series.open_ns // MS, START_MS + np.arange(first, HOURS) * HOUR_MS)
    assert taken.series.close[5] == bar(START_MS + (first + 5) * HOUR_MS)[4]
    assert taken.series.volume[5] == 3.5
    assert found(taken.report) == {}
    venue.asked.clear()
    assert fetch(venue, request, tmp_path, []).report.rows == HOURS - first
    assert venue.asked == []


def test_a_venue_that_stops_answering_is_gone_on_with(venue: Venue, tmp_path: Path) -> None:
    symbol = SYMBOLS[venue.name]
    venue.script = [503] * 6
    waits: list[float] = []
    with pytest.raises(FetchProblem, match="run the same command again"):
        fetch(venue, wanted(DataKind.BARS, symbol, HOURS - 400, HOURS), tmp_path, waits)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    taken = fetch(venue, wanted(DataKind.BARS, symbol, HOURS - 400, HOURS), tmp_path, [])
    assert taken.report.rows == 400


def test_years_before_a_listing_cost_few_requests_and_no_bar(venue: Venue, tmp_path: Path) -> None:
    taken = fetch(
        venue, wanted(DataKind.BARS, SYMBOLS[venue.name], -3 * 365 * 24, HOURS), tmp_path, []
    )
    assert taken.report.rows == (720 if venue.name == "kraken" else HOURS)
    assert any("later than asked" in note for note in taken.series.notes)
    assert len(venue.asked) < 25


def test_an_outage_longer_than_a_page_is_a_gap_and_not_an_end(venue: Venue, tmp_path: Path) -> None:
    days = range(START_MS // DAY_MS, START_MS // DAY_MS + HOURS // 24 + 1)
    del venue.bars[HOUR_MS][1_330:1_830]
    venue.bars[DAY_MS] = [b for b, _ in zip(venue.bars[DAY_MS], days, strict=True)
                          if not 1_330 < (b[0] - START_MS) // HOUR_MS < 1_810]  # fmt: skip
    taken = fetch(venue, wanted(DataKind.BARS, SYMBOLS[venue.name], 1_300, HOURS), tmp_path, [])
    assert taken.report.rows == 200
    assert found(taken.report) == {"gap": False}


@pytest.mark.parametrize("name", ["bybit", "okx"])
def test_funding_answered_from_the_end_of_a_span_is_whole(name: str, tmp_path: Path) -> None:
    with venue_on_loopback(name) as served:
        served.funding = [
            (START_MS + i * 8 * HOUR_MS, round(1e-4 + i * 1e-6, 8)) for i in range(240)
        ]
        taken = fetch(served, wanted(DataKind.FUNDING, "BTC/USDT:USDT", 0, 1_920), tmp_path, [])
    assert (taken.series.time_ns // MS).tolist() == [t for t, _ in served.funding]
    assert taken.series.rate.tolist() == [r for _, r in served.funding]


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
def test_trades_denser_than_a_page_are_whole(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    times = np.sort(rng.integers(0, 2 * HOUR_MS, 3_000)) + START_MS
    with venue_on_loopback(name) as served:
        served.trades = [
            (int(t), round(100 + i / 100, 2), 0.5, "buy" if i % 3 else "sell")
            for i, t in enumerate(times)
        ]
        taken = fetch(served, wanted(DataKind.TRADES, "BTC/USD", 0, 2), tmp_path, [])
    assert (taken.series.time_ns // MS).tolist() == times.tolist()
    assert taken.series.price.tolist() == [trade[1] for trade in served.trades]
    assert found(taken.report) == {}
