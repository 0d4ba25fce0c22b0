"""A strategy says the same on one bar and on a whole history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_daemon.strategies import MeanReversion, Strategy, Trend

STRATEGIES = [Trend(4, 12), MeanReversion(8, 0.5), Trend(4, 12, long_only=False)]


def closes(seed: int, bars: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{s.name}")
@given(seed=st.integers(0, 10_000))
def test_signal_and_targets_agree(strategy: Strategy, seed: int) -> None:
    prices = closes(seed)
    assert strategy.signal(prices).target == pytest.approx(strategy.targets(prices)[-1], abs=1e-9)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{s.name}")
def test_targets_of_many_paths_are_those_of_each(strategy: Strategy) -> None:
    paths = np.stack([closes(1), closes(2), closes(3)])
    together = strategy.targets(paths)
    for path, target in zip(paths, together, strict=True):
        np.testing.assert_allclose(target, strategy.targets(path), atol=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{s.name}")
def test_targets_stay_in_range_and_are_flat_in_the_warm_up(strategy: Strategy) -> None:
    targets = strategy.targets(closes(5))
    assert (np.abs(targets) <= 1).all()
    assert (targets[: strategy.warmup - 1] == 0).all()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{s.name}")
def test_a_frozen_price_wants_nothing(strategy: Strategy) -> None:
    signal = strategy.signal(np.full(40, 100.0))
    assert signal.target == 0.0
    assert signal.drift_bps == 0.0


def test_a_rising_price_is_a_trend_and_a_fallen_one_reverts() -> None:
    rising = 100.0 * np.exp(np.linspace(0, 0.2, 60) + 0.001 * np.sin(np.arange(60)))
    assert Trend(4, 12).signal(rising).target > 0.5
    fallen = np.r_[100.0 + 0.1 * np.sin(np.arange(59)), 95.0]
    assert MeanReversion(8, 0.5).signal(fallen).target > 0.5


def test_who_sells_into_a_rise_gives_the_rise_up() -> None:
    rising = 100.0 * np.exp(np.linspace(0, 0.2, 60) + 0.001 * np.sin(np.arange(60)))
    signal = Trend(4, 12).signal(rising)
    assert signal.edge_bps(1) == signal.drift_bps > 0
    assert signal.edge_bps(-1) == -signal.drift_bps
    assert signal.gains(1) + signal.gains(-1) == 1.0 < 2 * signal.gains(1)
    fallen = np.r_[100.0 + 0.1 * np.sin(np.arange(59)), 95.0]
    assert MeanReversion(8, 0.5).signal(fallen).drift_bps > 0
