"""Bad input to any public function is a typed error with a remedy, never a NaN in a result."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import oem_risk as r
from oem_security.errors import OemError
from risk_calls import CALLS, Call
from risk_data import hourly, prints

ELSEWHERE = {
    "test_data_import": {
        "import_file", "import_files", "in_order", "join_series", "shipped_importers",
        "without_conflicts",
    },
    "test_data_fetch": {"fetch_history"},
    "test_data_manifest": {
        "commission_of", "data_name", "describe", "describe_folder", "file_symbol",
        "manifest_differences", "read_manifest", "read_series", "series_path", "symbol_of",
        "take_in", "write_manifest", "write_series",
    },
    "test_data_quality": {
        "check_bars", "check_books", "check_file", "check_funding", "check_quotes", "check_series",
        "check_trades", "liquidity_of", "require_usable",
    },
    "test_data and test_data_synthetic": {
        "calibrate", "common_times", "read_bar_file", "read_bars", "synthetic_bars",
        "synthetic_like",
    },
    "test_stress_replay": {
        "read_stress", "run_replay", "run_stress_book", "shipped_replays", "shipped_shocks",
        "shipped_stress", "stress_from",
    },
    "test_stress_factors": {"market_factors"},
    "test_sizing": {"annualised_volatility"},
    "test_lab and below": {
        "backtest_paths", "lab_executor", "profile_from", "report_json", "run_lab", "sell_each",
        "settings_from", "shipped_profile", "shipped_profiles", "shipped_scenarios",
        "worst_verdict", "write_lab_report",
    },
    "test_paths and below": {"block_indices", "rolling_filtered", "simulate_paths"},
    "test_backtests": {"conditional_coverage_counts", "independence_counts"},
    "test_limits": {"replay_switch", "tighter"},
}  # fmt: skip
"""Public functions whose input is files, series or closed sets, and the tests that spoil it."""


def spoilt(good: Any, row: int, value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    column = np.array(good, dtype=np.float64)
    column.flat[row % column.size] = value
    return column


def bad_columns(call: Call) -> Iterator[tuple[str, str, Any]]:
    for name in call.columns:
        good = np.array(call.good[name], dtype=np.float64)
        for value in (math.nan, math.inf, -math.inf):
            yield name, f"{value} in it", spoilt(good, 3, value)
        yield name, "empty", good[:0]
        yield name, "of three dimensions", np.ones((2, 2, 2))
        if name in call.constant:
            yield name, "constant", np.full_like(good, 0.5)
        if name in call.short:
            yield name, "too short", good[..., :1]


def bad_numbers(call: Call) -> Iterator[tuple[str, str, Any]]:
    for name in call.numbers:
        for value in (math.nan, math.inf, -math.inf):
            yield name, str(value), value


def title(case: tuple[Call, str, str, Any]) -> str:
    return f"{case[0].function.__name__}-{case[1]}-{case[2]}".replace(" ", "_")


BAD = [(call, *bad) for call in CALLS for bad in (*bad_columns(call), *bad_numbers(call))]


@pytest.mark.parametrize("case", BAD, ids=title)
def test_bad_input_is_a_typed_error_with_a_remedy(case: tuple[Call, str, str, Any]) -> None:
    call, name, _, value = case
    with pytest.raises(OemError) as caught:
        call.function(**{**call.good, name: value})
    assert caught.value.remedy
    assert caught.value.where


def holds_nan(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and bool(np.isnan(value).any())
    if isinstance(value, dict):
        return any(holds_nan(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(holds_nan(part) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(holds_nan(getattr(value, f.name)) for f in dataclasses.fields(value))
    return False


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.function.__name__)
def test_odd_numbers_give_an_error_or_a_result_without_nan(call: Call) -> None:
    assert not holds_nan(call.function(**call.good))
    for name in call.numbers:
        for value in (0.0, -1.0, 1.0, 2.0):
            try:
                found = call.function(**{**call.good, name: value})
            except OemError:
                continue
            assert not holds_nan(found), (name, value)


def test_every_public_function_is_spoilt_somewhere() -> None:
    here = {call.function.__name__ for call in CALLS}
    elsewhere = set().union(*ELSEWHERE.values())
    public = {name for name in r.__all__ if inspect.isfunction(getattr(r, name))}
    assert public - here - elsewhere == set()
    assert elsewhere - public == set()


class Hold:
    """Always wants everything."""

    name = "hold"
    warmup = 2

    def targets(
        self, closes: np.ndarray[Any, np.dtype[np.float64]]
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.ones_like(closes)


def lab(bars: list[r.Bars] | None = None, *, share: float = 1.0, **settings: Any) -> r.LabResult:
    return r.run_lab(
        bars if bars is not None else [hourly(600)],
        [(Hold(), share)],
        [r.shipped_profile("balanced")],
        settings=r.LabSettings(**{"paths": 100, "horizon_days": 1, **settings}),
    )


def rows(*parts: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.r_[parts].astype(np.int64)


def at(bars: r.Bars, name: str, value: float) -> r.Bars:
    return replace(bars, **{name: spoilt(getattr(bars, name), 77, value)})


LAB: dict[str, tuple[Callable[[], object], str]] = {
    "no bars": (lambda: lab([]), "no market data"),
    "too short": (lambda: lab([hourly(50)]), "too_short"),
    "unsorted": (lambda: lab([hourly(600).take(rows(slice(0, 300), 200, 300))]), "unsorted"),
    "duplicate times": (lambda: lab([hourly(600).take(rows(0, slice(0, 600)))]), "duplicate"),
    "NaN": (lambda: lab([at(hourly(600), "close", math.nan)]), "price_not_positive"),
    "infinite": (lambda: lab([at(hourly(600), "high", math.inf)]), "price_not_positive"),
    "zero price": (lambda: lab([at(hourly(600), "low", 0.0)]), "price_not_positive"),
    "negative price": (lambda: lab([at(hourly(600), "open", -5.0)]), "price_not_positive"),
    "negative volume": (lambda: lab([at(hourly(600), "volume", -5.0)]), "volume_negative"),
    "constant": (
        lambda: lab([replace(hourly(600), **dict.fromkeys(
            ("open", "high", "low", "close"), np.ones(600)))]),
        "frozen",
    ),
    "other times": (
        lambda: lab([hourly(600), replace(hourly(600), symbol="E/U",
                                          open_ns=hourly(600).open_ns + 3_600 * 10**9)]),
        "same times",
    ),
    "the same symbol twice": (lambda: lab([hourly(600), hourly(600)]), "given twice"),
    "horizon longer than history": (lambda: lab(horizon_days=100), "longer than the history"),
    "blocks longer than history": (lambda: lab(mean_block_days=40.0), "too few for blocks"),
    "a share that is none": (lambda: lab(share=math.nan), "the share of hold is nan"),
    "NaN cost": (lambda: lab(cost_bps=math.nan), "cost_bps"),
    "confidence": (lambda: lab(confidence=1.0), "confidence"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAB)
def test_the_lab_refuses(name: str) -> None:
    call, words = LAB[name]
    with pytest.raises(OemError) as caught:
        call()
    assert words in str(caught.value)


PROFILE = r.shipped_profile("balanced").model_dump()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_position": 2.0, "max_leverage": 1.0}, "max_position may not exceed max_leverage"),
        ({"max_order": 2.0, "max_leverage": 1.0}, "max_order may not exceed max_leverage"),
        ({"max_daily_loss": 0.5, "max_drawdown": 0.1}, "max_daily_loss may not exceed"),
        ({"max_drawdown": math.nan}, "max_drawdown"),
        ({"max_position": math.inf}, "max_position"),
        ({"max_open_positions": 0}, "max_open_positions"),
        ({"volatility_target": -0.1}, "volatility_target"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_contradictory_profiles_are_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(r.ProfileProblem) as caught:
        r.profile_from({**PROFILE, **change})
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(hourly(50), close=np.ones(49)),
        lambda: replace(hourly(50), volume=np.ones((50, 1))),
        lambda: replace(prints(50), size=np.ones(3)),
        lambda: r.GbmModel(math.nan, 0.2, 1 / 365),
        lambda: r.GbmModel(0.1, -0.2, 1 / 365),
        lambda: r.MertonModel(0.1, 0.2, math.inf, 0.0, 0.1),
        lambda: r.BootstrapModel(np.array([0.1, math.nan, 0.2]), 1.0),
        lambda: r.BootstrapModel(np.array([0.1, 0.3, 0.2]), math.nan),
        lambda: r.NormalForecast(np.zeros(3), np.array([1.0, math.nan, 1.0])),
        lambda: r.StudentForecast(np.zeros(3), np.ones(3), math.nan),
        lambda: list(r.simulate_paths(r.GbmModel(0.1, 0.2, 0.1), paths=0, steps=1, seed=1)),
        lambda: list(r.simulate_paths(r.GbmModel(0.1, 0.2, 0.1), paths=1, steps=0, seed=1)),
        lambda: r.rolling_filtered(hourly(300).close, window=1_000),
        lambda: r.block_indices(np.random.default_rng(1), r.BlockKind.MOVING, paths=1, steps=2,
                                observations=5, block=9.0),
        lambda: r.market_factors([hourly(2_400).take(np.arange(2_400)[::-1])]),
        lambda: r.sharpe_ratio(hourly(100).close, lags=500),
        lambda: r.traffic_light_overlapping(3, 250, horizon=0),
        lambda: r.kupiec(300, 250),
        lambda: r.clopper_pearson(5, 4, 0.95),
        lambda: r.historical_es_contributions([1.0, 2.0, 3.0], np.ones((50, 2))),
        lambda: r.normal_var_contributions([1.0, 2.0], np.array([[1.0, 2.0], [2.0, 1.0]])),
        lambda: r.exceptions_of(np.zeros(5), np.ones(4)),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(OemError) as caught:
        make()
    assert caught.value.remedy
