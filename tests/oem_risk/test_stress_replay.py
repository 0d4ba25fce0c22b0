"""Bad days happen again as they happened; stops, latency and thin books behave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oem_risk import (
    Bars,
    DataProblem,
    HistoricalReplay,
    LabProblem,
    LinearBook,
    ReplayResult,
    RiskProfile,
    Verdict,
    read_bars,
    read_stress,
    run_replay,
    shipped_profile,
    shipped_replays,
    shipped_shocks,
    shipped_stress,
)
from oem_security.clock import rfc3339
from oem_security.errors import InputError
from risk_data import hourly

DAYS = ("2020-03-12", "2021-05-19", "2022-05-11", "2022-11-09", "2024-08-05", "2025-10-10")


@pytest.fixture(scope="module")
def btc(shared_data: Path) -> Bars:
    return read_bars(shared_data, venue="binance", symbol="BTC/USDT", timeframe="1h")


def play(
    replay: HistoricalReplay, bars: list[Bars], profile: RiskProfile | None = None,
    *, depth_share: float = 0.1, spread_bps: float = 2.0,
) -> ReplayResult:  # fmt: skip
    return run_replay(
        replay, bars, profile or shipped_profile("balanced"), LinearBook(),
        spread_bps=spread_bps, depth_share=depth_share, equity=100_000.0,
    )  # fmt: skip


def test_the_six_days_are_shipped() -> None:
    assert tuple(replay.name for replay in shipped_replays()) == DAYS
    for replay in shipped_replays():
        assert rfc3339(replay.start_ns)[:8] == replay.name[:8]
        assert replay.start_ns <= replay.end_ns - 24 * 3600 * 10**9


@pytest.mark.parametrize(
    ("day", "fall"),
    [("2020-03-12", 0.52), ("2021-05-19", 0.30), ("2022-05-11", 0.14), ("2022-11-09", 0.22),
     ("2024-08-05", 0.18), ("2025-10-10", 0.15)],
)  # fmt: skip
def test_a_day_falls_as_deep_as_it_did(btc: Bars, day: str, fall: float) -> None:
    replay = next(r for r in shipped_replays() if r.name == day)
    result = play(replay, [btc])
    assert result.market_fall == pytest.approx(fall, abs=0.03)
    assert result.triggered
    assert result.unsold < 1e-9
    assert result.worst < result.market_fall
    assert result.sources == ((btc.source, btc.sha384),)


def test_the_parts_add_up_to_the_loss(btc: Bars) -> None:
    for replay in shipped_replays():
        for name in ("conservative", "aggressive"):
            result = play(replay, [btc], shipped_profile(name))
            assert sum(part for _, part in result.parts) == pytest.approx(result.loss, abs=1e-12)
            assert result.slippage == dict(result.parts)["book"]
            assert result.worst >= result.loss - 1e-12


def test_an_empty_book_leaves_the_holding_and_its_loss(btc: Bars) -> None:
    covid = shipped_replays()[0]
    deep, dry = play(covid, [btc]), play(covid, [btc], depth_share=1e-9)
    assert dry.unsold > 0.99
    assert dry.bars_to_exit == -1
    assert dry.worst > 1.5 * deep.worst
    assert dry.verdict is Verdict.FAIL
    thin = play(covid, [btc], depth_share=2e-4)
    assert thin.bars_to_exit > 1
    assert deep.slippage < thin.slippage


def test_a_slow_seller_pays_for_the_delay() -> None:
    bars = falling()
    replay = stretch(bars, hours=40)
    losses = [
        play(replay.model_copy(update={"latency_bars": bars_late}), [bars]).loss
        for bars_late in (0, 2, 6)
    ]
    assert losses == sorted(losses)
    assert losses[2] > losses[0] * 1.3


def falling() -> Bars:
    """Calm hours, then one per cent down every hour."""
    close = 100 * np.r_[np.ones(100), 0.99 ** np.arange(1, 101)]
    opened = np.r_[100.0, close[:-1]]
    wiggle = 1 + 1e-4 * (np.arange(200) % 3)
    base = hourly(200)
    return replace(
        base, open=opened, close=close, high=np.maximum(opened, close) * wiggle,
        low=np.minimum(opened, close) / wiggle, volume=np.full(200, 1e6), synthetic=False,
    )  # fmt: skip


def stretch(bars: Bars, *, first: int = 100, hours: int = 24) -> HistoricalReplay:
    return HistoricalReplay(
        name="stretch", title="made up", start=rfc3339(int(bars.open_ns[first])), hours=hours
    )


def test_nothing_is_sold_while_the_daily_limit_holds() -> None:
    bars = falling()
    calm = stretch(bars, first=50, hours=24)
    result = play(calm, [bars])
    assert not result.triggered
    assert result.bars_to_exit == -1
    assert result.unsold == 1.0
    assert abs(result.loss) < 1e-3
    assert result.verdict is Verdict.PASS


def test_the_loss_of_a_day_begins_again_at_midnight() -> None:
    bars = falling()
    # 0.35 of equity falls 1 % an hour: 3 % of equity after nine hours of one day
    midnight = next(i for i in range(100, 150) if bars.open_ns[i] % (86_400 * 10**9) == 0)
    late = play(stretch(bars, first=midnight - 6, hours=20), [bars])
    assert late.bars_to_exit >= 0
    days_loss = dict(late.parts)["before the limit"]
    assert days_loss > 0.03


def test_two_symbols_share_the_leverage(shared_data: Path, btc: Bars) -> None:
    eth = read_bars(shared_data, venue="binance", symbol="ETH/USDT", timeframe="1h")
    result = play(shipped_replays()[1], [btc, eth])
    assert result.symbols == ("BTC/USDT", "ETH/USDT")
    assert 0.30 < result.market_fall < 0.45
    assert play(shipped_replays()[1], [btc, eth]) == result


def test_bars_that_do_not_cover_the_day_are_refused(btc: Bars) -> None:
    covid = shipped_replays()[0]
    late = btc.take(np.flatnonzero(btc.open_ns >= covid.start_ns))
    with pytest.raises(DataProblem, match="do not cover 2020-03-12"):
        play(covid, [late])
    with pytest.raises(DataProblem, match="0 of 48 bars"):
        play(covid, [btc.take(slice(0, 5_000))])
    cut = btc.take(
        np.flatnonzero(
            (btc.open_ns < covid.start_ns) | (btc.open_ns >= covid.start_ns + 40 * 3600 * 10**9)
        )
    )
    with pytest.raises(DataProblem, match="8 of 48 bars"):
        play(covid, [cut])
    spoilt = replace(btc, high=np.where(np.arange(len(btc)) % 50 == 0, btc.low * 0.9, btc.high))
    with pytest.raises(DataProblem, match="unusable"):
        play(covid, [spoilt])
    with pytest.raises(DataProblem, match="1d, 1h"):
        play(covid, [btc, replace(btc, timeframe="1d")])
    with pytest.raises(LabProblem, match="needs bars"):
        play(covid, [])
    with pytest.raises(LabProblem, match="depth"):
        play(covid, [btc], depth_share=0.0)


def test_a_day_that_happened_is_not_replayed_from_generated_bars() -> None:
    bars = falling()
    with pytest.raises(DataProblem, match="synthetic"):
        play(stretch(bars), [replace(bars, synthetic=True)])


def test_stress_tests_are_data(tmp_path: Path) -> None:
    path = tmp_path / "stress.toml"
    path.write_text(
        """
        [replay.mine]
        title = "a day of my own"
        start = 2023-03-10T00:00:00Z
        hours = 48

        [shock.mine]
        title = "only bitcoin"
        shocks = { market = -0.1 }
        gate = true
        """
    )
    book = read_stress(path)
    assert [replay.name for replay in book.replays] == ["mine"]
    assert book.shocks[0].gate
    assert book.scenarios == shipped_stress().scenarios
    assert {shock.name for shock in shipped_shocks()} >= {"market_crash", "dry_up"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("replay = 1", "named entries"),
        ("[replay.x]\nhours = 0", "hours"),
        ("[replay.x]\ntitle='t'\nstart=2020-01-01T00:00:00\nhours=1", "timezone"),
        ("[shock.x]\ntitle='t'\nshocks={market=-2.0}", "above -1"),
        ("[shock.x]\ntitle='t'\nshocks={market=nan}", "above -1"),
        ("[scenario.x]\nseverity=2.0", "severity"),
        ("[surprise.x]", "unknown tables"),
        ("[", "not TOML"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "stress.toml"
    path.write_text(text)
    with pytest.raises(LabProblem) as caught:
        read_stress(path)
    assert words in str(caught.value)
    with pytest.raises(InputError, match="stress tests"):
        read_stress(tmp_path / "none.toml")
