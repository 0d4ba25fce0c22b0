"""Paper Labs: verdicts that say how sure they are, and the same bytes for the same input."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oem_risk import (
    Bars,
    LabProblem,
    LabSettings,
    LinearBook,
    PathKind,
    RiskProfile,
    RunCancelled,
    StressScenario,
    SyntheticMarket,
    Verdict,
    Zone,
    backtest_paths,
    probability_gate,
    profile_from,
    report_json,
    run_lab,
    run_stress,
    settings_from,
    shipped_profile,
    shipped_profiles,
    shipped_scenarios,
    synthetic_bars,
    write_lab_report,
)
from oem_security.errors import OemError

sizes = st.sampled_from([0.0, 1e-9, 0.01, 0.3])
SETTINGS = LabSettings(paths=256, horizon_days=3, stress_paths=100)


@dataclass(frozen=True)
class Holder:
    """Always holds all it may."""

    name: str = "holder"
    warmup: int = 1

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ones_like(closes)


@pytest.fixture(scope="module")
def bars() -> list[Bars]:
    return [
        synthetic_bars(name, SyntheticMarket(price), timeframe="1h", bars=600, seed=3)
        for name, price in (("BTC/USDT", 60_000.0), ("ETH/USDT", 3_000.0))
    ]


@pytest.fixture(scope="module")
def result(bars: list[Bars]):
    return run_lab(bars, [(Holder(), 1.0)], shipped_profiles(), settings=SETTINGS, reverse=False)


def test_the_lab_judges_all_profiles_and_says_the_data_is_synthetic(result) -> None:
    assert [p.profile.name for p in result.profiles] == [p.name for p in shipped_profiles()]
    assert result.synthetic
    assert {s.scenario for s in result.profiles[0].stress} == {s.name for s in shipped_scenarios()}
    assert result.verdict in Verdict


def test_quantiles_are_ordered_and_drawdowns_are_fractions(result) -> None:
    for profile in result.profiles:
        for values in profile.quantiles().values():
            assert values["q05"] <= values["q50"] <= values["q95"]
        assert (
            (profile.paths.columns.max_drawdown >= 0) & (profile.paths.columns.max_drawdown < 1)
        ).all()


def test_the_result_does_not_depend_on_the_workers(bars: list[Bars], result) -> None:
    seen: list[tuple[int, int]] = []
    with ThreadPoolExecutor(3) as pool:
        again = run_lab(
            bars,
            [(Holder(), 1.0)],
            shipped_profiles(),
            settings=SETTINGS,
            reverse=False,
            executor=pool,
            progress=lambda done, total: seen.append((done, total)),
        )
    assert report_json(again, config_sha384="c") == report_json(result, config_sha384="c")
    assert seen[-1][0] == seen[-1][1]


def test_another_seed_gives_other_paths(bars: list[Bars], result) -> None:
    other = run_lab(
        bars,
        [(Holder(), 1.0)],
        shipped_profiles()[:1],
        settings=replace(SETTINGS, seed=1, stress_paths=0),
        reverse=False,
    )
    assert not np.array_equal(
        other.profiles[0].paths.columns.total_return,
        result.profiles[0].paths.columns.total_return,
    )


@pytest.mark.no_cover
def test_the_report_has_the_same_bytes_twice(result, tmp_path: Path) -> None:
    result = replace(result, profiles=result.profiles[:1])
    first = write_lab_report(result, tmp_path / "a", config_sha384="c")
    second = write_lab_report(result, tmp_path / "b", config_sha384="c")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    document = json.loads(first[0].read_text())
    assert document["settings"]["seed"] == SETTINGS.seed
    assert set(document["data_sha384"]) == {"BTC/USDT", "ETH/USDT"}
    pdf = first[1].read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Image" in pdf or b"/XObject" in pdf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": 10}, "100 to 1,000,000,000 paths"),
        ({"paths": 10**30}, "100 to 1,000,000,000 paths"),
        ({"horizon_days": 0}, "1 day"),
        ({"mean_block_days": 0}, "block"),
        ({"confidence": 1.0}, "confidence"),
        ({"cost_bps": float("nan")}, "cost_bps"),
        ({"most_paths": 200}, "most_paths"),
    ],
)
def test_settings_out_of_range_are_refused(bars: list[Bars], change, message: str) -> None:
    with pytest.raises(LabProblem, match=message):
        run_lab(bars, [(Holder(), 1.0)], shipped_profiles(), settings=replace(SETTINGS, **change))


def test_history_that_cannot_be_used_is_refused(bars: list[Bars]) -> None:
    cases = [
        ([], "no market data"),
        ([bars[0], bars[1].take(slice(1, None))], "same times"),
        ([replace(bars[0], high=bars[0].low)], "unusable"),
        ([bars[0].take(slice(0, 50))], "unusable"),
    ]
    for series, message in cases:
        with pytest.raises(LabProblem, match=message):
            run_lab(series, [(Holder(), 1.0)], shipped_profiles(), settings=SETTINGS)
    with pytest.raises(LabProblem, match="too few"):
        run_lab(
            bars,
            [(Holder(), 1.0)],
            shipped_profiles(),
            settings=replace(SETTINGS, mean_block_days=20.0),
        )
    with pytest.raises(LabProblem, match="no strategy"):
        run_lab(bars, [], shipped_profiles(), settings=SETTINGS)


def test_a_gate_passes_only_when_the_whole_interval_is_inside() -> None:
    assert probability_gate(0, 71, limit=0.05).verdict is Verdict.INCONCLUSIVE
    assert probability_gate(0, 72, limit=0.05).verdict is Verdict.PASS
    assert probability_gate(500, 1000, limit=0.05).verdict is Verdict.FAIL


def test_an_inconclusive_gate_says_how_many_paths_it_needs() -> None:
    gate = probability_gate(40, 1000, limit=0.05)
    assert gate.verdict is Verdict.INCONCLUSIVE
    assert gate.more_paths > 0
    assert gate.as_json()["verdict"] == "INCONCLUSIVE"


@pytest.mark.parametrize("kind", list(PathKind))
def test_the_lab_runs_on_every_path_model(bars: list[Bars], kind: PathKind) -> None:
    settings = LabSettings(paths=100, horizon_days=1, path_model=kind, stress_paths=0)
    short = [b.last(300) for b in bars]
    found, again = (
        run_lab(short, [(Holder(), 1.0)], shipped_profiles()[:1], settings=settings, reverse=False)
        for _ in range(2)
    )
    assert found.profiles[0].paths.paths == 100
    assert report_json(found, config_sha384="c") == report_json(again, config_sha384="c")
    assert json.loads(report_json(found, config_sha384="c"))["settings"]["path_model"] == kind.value


def near_the_limit(share: float) -> RiskProfile:
    """Return a profile whose drawdown limit the holder reaches on about `share` of the paths."""
    return profile_from(
        {**shipped_profile("aggressive").model_dump(), "max_drawdown": share,
         "max_daily_loss": min(share, 0.06)}
    )  # fmt: skip


def test_paths_are_added_until_decided_and_no_further(bars: list[Bars]) -> None:
    settings = LabSettings(paths=256, horizon_days=5, most_paths=1_024, stress_paths=0)
    seen: list[tuple[int, int]] = []
    profiles = [shipped_profile("conservative"), near_the_limit(0.061), near_the_limit(0.04)]
    found = run_lab(
        bars, [(Holder(), 1.0)], profiles, settings=settings, reverse=False,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    counts = [p.paths.paths for p in found.profiles]
    assert counts[0] == counts[2] == 256
    assert 256 < counts[1] <= 1_024
    assert [p.drawdown_gate.verdict for p in found.profiles[::2]] == [Verdict.PASS, Verdict.FAIL]
    close = found.profiles[1].drawdown_gate
    assert "confidence sequence" in close.method
    assert counts[1] == 1_024 or close.verdict is not Verdict.INCONCLUSIVE
    assert seen[-1][0] == seen[-1][1] == counts[1] // 256
    with ThreadPoolExecutor(3) as pool:
        again = run_lab(
            bars, [(Holder(), 1.0)], profiles, settings=settings, executor=pool, reverse=False
        )
    assert report_json(again, config_sha384="c") == report_json(found, config_sha384="c")


def test_a_run_can_be_cancelled(bars: list[Bars]) -> None:
    asked = iter([False, True])
    with pytest.raises(RunCancelled):
        run_lab(
            bars, [(Holder(), 1.0)], shipped_profiles(), settings=replace(SETTINGS, paths=10_000),
            cancelled=lambda: next(asked),
        )  # fmt: skip


def test_settings_come_back_from_a_report_and_strange_ones_do_not(result) -> None:
    stated = json.loads(report_json(result, config_sha384="c"))["settings"]
    assert settings_from(stated) == SETTINGS
    for wrong in ({"paths": "many"}, {"path_model": "lognormal"}, {"unheard_of": 1}, {"paths": 1}):
        with pytest.raises(LabProblem) as refused:
            settings_from({**stated, **wrong})
        assert refused.value.remedy
    with pytest.raises(LabProblem, match="seed"):
        settings_from({name: value for name, value in stated.items() if name != "seed"})


def test_the_report_says_how_far_each_limit_was_used(result) -> None:
    for profile in result.profiles:
        uses = {use.name: use for use in profile.limits()}
        for name in ("position", "leverage", "order", "open_positions"):
            assert uses[name].worst <= uses[name].limit * (1 + 1e-9)
        assert uses["position"].worst > 0
        drawdowns = profile.paths.columns.max_drawdown
        assert uses["drawdown"].high == pytest.approx(np.quantile(drawdowns, 0.95))
        assert profile.drawdown.low <= profile.drawdown.value <= profile.drawdown.high


@pytest.mark.parametrize("kind", [PathKind.STATIONARY, PathKind.GBM, PathKind.MERTON])
def test_a_model_that_is_true_is_not_rejected_and_one_that_is_not_is(kind: PathKind) -> None:
    rng = np.random.default_rng(4)
    calm = rng.normal(0, 0.02, (1, 500))
    assert not backtest_paths(kind, calm, 1).rejected
    # volatility that trebles overnight and stays: the past says nothing of it for a while
    wild = np.concatenate([calm[:, :250], calm[:, 250:] * 3], axis=1)
    found = backtest_paths(kind, wild, 1)
    assert found.coverage.exceptions > 1.5 * len(found.var) * 0.01
    assert found.light.zone is not Zone.GREEN


def test_a_short_history_is_not_backtested(bars: list[Bars], result) -> None:
    assert result.backtest is None
    assert backtest_paths(PathKind.GBM, np.full((2, 400), 0.01), 1) is None


@pytest.mark.parametrize(("events", "paths", "limit"), [(1, 0, 0.1), (2, 1, 0.1), (0, 1, 1.0)])
def test_a_gate_without_sense_is_refused(events: int, paths: int, limit: float) -> None:
    with pytest.raises(LabProblem):
        probability_gate(events, paths, limit=limit)


def stress(scenario: StressScenario, *, depth: float = 1e6, profile: str = "balanced"):
    return run_stress(
        scenario,
        shipped_profile(profile),
        LinearBook(),
        prices=np.array([100.0]),
        depths=np.array([depth]),
        spread_bps=2.0,
        equity=100_000.0,
    )


CRASH = StressScenario(
    name="crash",
    severity=0.5,
    duration_bars=20,
    recovery=0.0,
    recovery_bars=1,
    spread_multiplier=1.0,
    depth_divisor=1.0,
    latency_bars=0,
)


def test_the_parts_of_a_stress_loss_add_up_to_it() -> None:
    for depth in (0.0, 3.0, 1e6):
        for latency in (0, 4):
            found = stress(CRASH.model_copy(update={"latency_bars": latency}), depth=depth)
            assert sum(part for _, part in found.parts) == pytest.approx(found.loss, abs=1e-12)
            assert dict(found.parts)["book"] == found.slippage
            assert (dict(found.parts)["latency"] > 0) == (latency > 0)


def test_a_deep_book_limits_the_loss_and_a_dry_one_does_not() -> None:
    deep = stress(CRASH)
    dry = stress(CRASH, depth=0.0)
    assert deep.verdict is Verdict.PASS
    assert deep.unsold == pytest.approx(0.0, abs=1e-9)
    assert deep.loss < dry.loss
    assert dry.unsold == pytest.approx(1.0)
    assert dry.bars_to_exit == -1
    assert dry.verdict is Verdict.FAIL


def test_latency_costs_and_never_helps_in_a_fall() -> None:
    losses = [stress(CRASH.model_copy(update={"latency_bars": n})).loss for n in (0, 3, 9)]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_without_a_book_the_loss_of_a_holding_is_its_share_times_the_fall() -> None:
    dry = stress(CRASH, depth=0.0)
    assert dry.loss == pytest.approx(0.35 * 0.5)


def holds_nan(value: object) -> bool:
    if isinstance(value, dict):
        return any(holds_nan(part) for part in value.values())
    if isinstance(value, list):
        return any(holds_nan(part) for part in value)
    return isinstance(value, float) and not math.isfinite(value)


@pytest.mark.no_cover
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_prop_a_report_is_made_without_a_nan_or_refused_with_a_remedy(data: st.DataObject) -> None:
    """Odd markets, odd settings: a crash to nothing, no volume, no variance, ruinous costs."""
    from oem_risk.lab.pdf import report_pdf

    rng = np.random.default_rng(seed := data.draw(st.integers(0, 999)))
    closes = 100 * np.exp(np.cumsum(rng.standard_t(3, 130) * data.draw(sizes)))
    volume = np.full(130, data.draw(st.sampled_from([0.0, 1e-9, 50.0, 1e12])))
    opens = np.concatenate([[100.0], closes[:-1]])
    odd = Bars(
        symbol="X/Y", timeframe="1h", open=opens,
        open_ns=(np.arange(130) + 438_288) * 3_600 * 10**9,
        high=np.maximum(opens, closes), low=np.minimum(opens, closes), close=closes,
        volume=volume, source="odd", sha384="0", synthetic=True, venue="nowhere", notes=(),
    )  # fmt: skip
    asked = LabSettings(
        paths=100,
        stress_paths=100,
        horizon_days=1,
        mean_block_days=0.2,
        cost_bps=data.draw(st.sampled_from([0.0, 11.0, 9_000.0])),
        spread_bps=data.draw(st.sampled_from([0.0, 2.0, 5_000.0])),
        depth_share=data.draw(st.sampled_from([1e-12, 0.1])),
        equity=data.draw(st.sampled_from([1e-3, 1e5, 1e15])),
        path_model=data.draw(st.sampled_from([PathKind.STATIONARY, PathKind.GBM])),
    )
    try:
        found = run_lab(
            [odd], [(Holder(), 1.0)], shipped_profiles()[2:3], settings=asked, reverse=False
        )
    except OemError as refused:
        event(f"refused: {refused.what[:40]}")
        return
    report = json.loads(report_json(found, config_sha384="c"))
    assert not holds_nan(report)
    assert report["synthetic_data"] is True
    if seed % 4 == 0:  # pages take their time
        assert report_pdf(found, json_sha384="c" * 96).startswith(b"%PDF")
