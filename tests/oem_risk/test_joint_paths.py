"""Several prices at once: moments, correlation, fits that find their own parameters."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import oem_risk as risk
from oem_risk.errors import DataProblem, LabProblem

CORRELATION = np.array([[1.0, 0.8, -0.3], [0.8, 1.0, 0.0], [-0.3, 0.0, 1.0]])
GBM = risk.JointGbm.of([0.1, 0.0, -0.2], [0.5, 0.8, 0.3], CORRELATION, 1 / 50)
RNG = np.random.default_rng(1)
HISTORY = RNG.standard_t(4, (3, 600)) * 0.02
HISTORY[1] += 0.9 * HISTORY[0]
MERTON = risk.JointMerton(
    np.array([0.1, 0.0]), np.array([[0.16, 0.12], [0.12, 0.25]]), 3.0,
    np.array([-0.05, -0.08]), np.array([[0.01, 0.009], [0.009, 0.0144]]), 1 / 50,
)  # fmt: skip


def drawn(model: risk.JointModel, paths: int = 40_000, steps: int = 5) -> np.ndarray:
    return model.log_returns(np.random.default_rng(7), paths, steps)


def test_correlated_brownian_motions_have_the_moments_they_say() -> None:
    moves = drawn(GBM)
    flat = moves.reshape(3, -1)
    assert np.corrcoef(flat) == pytest.approx(CORRELATION, abs=0.01)
    assert np.cov(flat) * 50 == pytest.approx(GBM.covariance, abs=0.01)
    growth = np.exp(moves.sum(axis=2)).mean(axis=1)
    error = 6 * np.exp(moves.sum(axis=2)).std(axis=1) / math.sqrt(40_000)
    assert (np.abs(growth - np.exp(np.array([0.1, 0.0, -0.2]) * 0.1)) < error).all()
    # steps do not follow one another
    assert abs(np.corrcoef(moves[0, :, 0], moves[0, :, 1])[0, 1]) < 0.02


def test_one_symbol_is_the_model_of_one_price() -> None:
    single = risk.GbmModel(0.1, 0.5, 1 / 50)
    joint = risk.JointGbm.of([0.1], [0.5], [[1.0]], 1 / 50)
    # one draws step by step, the other path by path: the same numbers in a turned table
    one = single.log_returns(np.random.default_rng(3), 50, 9)
    again = joint.log_returns(np.random.default_rng(3), 9, 50)[0]
    assert one == pytest.approx(again.T, abs=1e-12)
    assert drawn(joint, 50, 9)[0].shape == one.shape


def test_jumps_come_together_and_are_compensated() -> None:
    moves = drawn(MERTON, 60_000)
    total = moves.sum(axis=2)
    growth, error = np.exp(total).mean(axis=1), np.exp(total).std(axis=1) / math.sqrt(60_000)
    assert (np.abs(growth - np.exp(np.array([0.01, 0.0]))) < 6 * error).all()
    jump = MERTON.jump_covariance + np.outer(MERTON.jump_mean, MERTON.jump_mean)
    wanted = (MERTON.covariance + MERTON.intensity * jump) / 50
    assert np.cov(moves.reshape(2, -1)) == pytest.approx(wanted, rel=0.05)
    # both fall hard in the same step far more often than the smooth correlation would have it
    hard = moves < -4 * np.sqrt(np.diag(MERTON.covariance) / 50)[:, None, None]
    together = (hard[0] & hard[1]).sum()
    assert together > 0.3 * hard[0].sum() > 0


def test_a_joint_bootstrap_takes_whole_rows() -> None:
    model = risk.JointBootstrap(HISTORY, 12.0)
    moves = drawn(model, 50, 40)
    rows = {tuple(column) for column in HISTORY.T}
    assert all(tuple(moves[:, p, s]) in rows for p in range(50) for s in range(40))
    one = risk.BootstrapModel(HISTORY[0], 12.0).log_returns(np.random.default_rng(7), 50, 40)
    assert (one == moves[0]).all()


def test_filtered_histories_keep_surprises_together_and_their_own_volatility() -> None:
    fits = tuple(risk.fit_garch(row) for row in HISTORY[:2])
    model = risk.JointFilteredHistory.of(fits)
    moves = drawn(model, 20_000, 1)[:, :, 0]
    assert np.corrcoef(moves) == pytest.approx(np.corrcoef(model.residuals), abs=0.03)
    spread = [math.sqrt(fit.next_variance) * fit.residuals.std() for fit in fits]
    assert moves.std(axis=1) == pytest.approx(spread, rel=0.03)
    single = risk.FilteredHistoryModel.of(fits[0])
    one = single.log_returns(np.random.default_rng(7), 30, 20)
    assert (one == drawn(model, 30, 20)[0]).all()


def test_a_portfolio_is_its_prices_and_its_weights() -> None:
    weights = np.array([0.5, 0.3, -0.2])
    moves = drawn(GBM, 20, 30)
    held = risk.PortfolioModel(GBM, weights, rebalanced=False)
    kept = held.log_returns(np.random.default_rng(7), 20, 30)
    value = 1 + (weights[:, None, None] * np.expm1(np.cumsum(moves, axis=2))).sum(axis=0)
    assert np.exp(np.cumsum(kept, axis=1)) == pytest.approx(value)
    steps = risk.PortfolioModel(GBM, weights).log_returns(np.random.default_rng(7), 20, 30)
    assert np.exp(steps) == pytest.approx(1 + (weights[:, None, None] * np.expm1(moves)).sum(0))
    alone = risk.PortfolioModel(GBM, np.array([1.0, 0.0, 0.0]))
    assert alone.log_returns(np.random.default_rng(7), 20, 30) == pytest.approx(moves[0])


def test_a_leveraged_portfolio_can_be_ruined_and_says_so_without_nan() -> None:
    wild = risk.PortfolioModel(risk.JointGbm.of([0.0], [3.0], [[1.0]]), np.array([15.0]))
    blocks = list(risk.simulate_paths(wild, paths=256, steps=20, seed=1))
    assert np.isfinite(blocks[0].terminal).all()
    assert (blocks[0].max_drawdown > 0.999999).any()


def test_diversification_lowers_risk_unless_prices_move_as_one() -> None:
    def deviation(correlation: float) -> float:
        together = np.array([[1.0, correlation], [correlation, 1.0]])
        joint = risk.JointGbm.of([0.0, 0.0], [0.5, 0.5], together, 1 / 50)
        model = risk.PortfolioModel(joint, np.array([0.5, 0.5]))
        return float(model.log_returns(np.random.default_rng(1), 4_000, 10).std())

    found = [deviation(c) for c in (-1.0, 0.0, 0.5, 1.0)]
    assert found == sorted(found)
    assert found[0] < 0.004  # what is left is the convexity of the logarithm
    assert found[3] == pytest.approx(0.5 / math.sqrt(50), rel=0.02)
    assert found[1] == pytest.approx(0.5 / math.sqrt(100), rel=0.02)


def test_antithetic_pairs_mirror_each_other_across_symbols() -> None:
    paired = risk.JointGbm(GBM.drift, GBM.covariance, GBM.dt, antithetic=True)
    moves = drawn(paired, 11, 4)
    centre = (GBM.drift - np.diag(GBM.covariance) / 2) * GBM.dt
    away = moves - centre[:, None, None]
    assert away[:, 0:10:2] == pytest.approx(-away[:, 1:10:2], abs=1e-14)


@pytest.mark.parametrize("kind", list(risk.PathKind))
def test_every_kind_is_fitted_and_goes_on_like_the_history(kind: risk.PathKind) -> None:
    model = risk.fit_paths(kind, HISTORY, block=6)
    moves = drawn(model, 1_500, 20)
    assert moves.shape == (3, 1_500, 20)
    assert np.isfinite(moves).all()
    if kind in (risk.PathKind.GARCH, risk.PathKind.GJR):
        # these start at the volatility of the last day, which is not the history's
        assert (
            model.start_variances[0]
            == risk.fit_garch(HISTORY[0], asymmetric=kind is risk.PathKind.GJR).next_variance
        )
        return
    assert moves.reshape(3, -1).std(axis=1) == pytest.approx(HISTORY.std(axis=1), rel=0.12)
    assert np.corrcoef(moves.reshape(3, -1))[0, 1] == pytest.approx(
        np.corrcoef(HISTORY)[0, 1], abs=0.06
    )


def test_a_jump_diffusion_finds_its_own_parameters() -> None:
    truth = risk.JointMerton(
        np.array([0.0002, 0.0]), np.array([[1e-4, 5e-5], [5e-5, 2e-4]]), 0.03,
        np.array([-0.02, -0.03]), np.array([[1.6e-3, 1.2e-3], [1.2e-3, 2.5e-3]]),
    )  # fmt: skip
    seen = truth.log_returns(np.random.default_rng(5), 1, 20_000)[:, 0]
    found = risk.fit_merton(seen)
    assert found.intensity == pytest.approx(0.03, rel=0.15)
    assert found.covariance == pytest.approx(truth.covariance, rel=0.05)
    assert found.jump_covariance == pytest.approx(truth.jump_covariance, rel=0.25)
    assert found.jump_mean == pytest.approx(truth.jump_mean, abs=0.008)


def test_a_history_without_jumps_keeps_its_variance() -> None:
    smooth = np.random.default_rng(6).normal(0, 0.01, (1, 4_000))
    found = risk.fit_merton(smooth)
    jumps = found.intensity * (found.jump_covariance[0, 0] + found.jump_mean[0] ** 2)
    assert found.covariance[0, 0] + jumps == pytest.approx(smooth.var(), rel=0.02)


def test_symbols_that_move_as_one_can_be_fitted() -> None:
    twins = np.stack([HISTORY[0], HISTORY[0]])
    for kind in (risk.PathKind.MOVING, risk.PathKind.GBM, risk.PathKind.MERTON):
        moves = drawn(risk.fit_paths(kind, twins, block=2), 20, 5)
        assert moves[0] == pytest.approx(moves[1], abs=1e-4)


def test_processes_draw_the_same_portfolio() -> None:
    model = risk.PortfolioModel(risk.JointBootstrap(HISTORY, 5.0), np.full(3, 1 / 3))
    here = [b.terminal.tobytes() for b in risk.simulate_paths(model, paths=600, steps=9, seed=2)]
    with ProcessPoolExecutor(2) as pool:
        blocks = risk.simulate_paths(model, paths=600, steps=9, seed=2, executor=pool)
        assert [b.terminal.tobytes() for b in blocks] == here


def test_real_coins_fall_together(shared_data: Path) -> None:
    import pandas as pd

    closes = [
        pd.read_parquet(shared_data / "bars" / f"binance_{name}USDT_1d.parquet").set_index(
            "timestamp"
        )["close"]
        for name in ("BTC", "ETH")
    ]
    table = np.diff(np.log(pd.concat(closes, axis=1, join="inner").to_numpy().T))
    for kind in (risk.PathKind.MERTON, risk.PathKind.GJR):
        moves = drawn(risk.fit_paths(kind, table), 400, 60).reshape(2, -1)
        assert np.corrcoef(moves)[0, 1] == pytest.approx(np.corrcoef(table)[0, 1], abs=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: risk.JointGbm.of([0.1, 0.1], [0.5, 0.5], [[1, 1.2], [1.2, 1]]),
        lambda: risk.JointGbm.of([0.1, 0.1], [0.5, 0.5], [[1, 0.5], [0.2, 1]]),
        lambda: risk.JointGbm.of([0.1], [0.5], [[1, 0], [0, 1]]),
        lambda: risk.JointGbm.of([math.nan], [0.5], [[1.0]]),
        lambda: risk.JointGbm.of([0.1], [0.5], [[1.0]], 0.0),
        lambda: risk.JointBootstrap(HISTORY, 601),
        lambda: risk.JointBootstrap(HISTORY[0], 5),
        lambda: risk.JointMerton(MERTON.drift, MERTON.covariance, -1.0, MERTON.jump_mean,
                                 MERTON.jump_covariance),
        lambda: risk.JointFilteredHistory((), HISTORY, np.ones(3)),
        lambda: risk.PortfolioModel(GBM, np.array([math.nan])),
        lambda: drawn(risk.PortfolioModel(GBM, np.array([1.0, 2.0])), 3, 3),
        lambda: risk.fit_paths(risk.PathKind.GBM, np.zeros((2, 200))),
        lambda: risk.fit_paths(risk.PathKind.GBM, HISTORY[:, :50]),
        lambda: risk.fit_merton([[]]),
    ],
)  # fmt: skip
def test_what_cannot_be_a_joint_model_is_refused(wrong) -> None:
    with pytest.raises((LabProblem, DataProblem)) as refused:
        wrong()
    assert refused.value.where
    assert refused.value.remedy
