"""Path models: moments, other libraries, and the same bits from any executor."""

from __future__ import annotations

import itertools
import math
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oem_risk as risk
from oem_risk.errors import DataProblem, LabProblem
from oem_risk.paths.blocks import reduce_log_returns
from oem_risk.paths.bootstrap import stationary_indices

GBM = risk.GbmModel(0.1, 0.5, 1 / 50)
HISTORY = np.random.default_rng(0).standard_t(4, 500) * 0.02
GARCH = risk.GarchParameters(0.0, 2e-6, 0.08, 0.9, 0.0)
MODELS = [
    GBM,
    risk.GbmModel(0.1, 0.5, 1 / 50, antithetic=True),
    risk.MertonModel(0.1, 0.4, 3.0, -0.05, 0.1, 1 / 50),
    risk.BootstrapModel(HISTORY, 12.5),
    risk.BootstrapModel(HISTORY, 10, risk.BlockKind.CIRCULAR),
    risk.BootstrapModel(HISTORY, 10, risk.BlockKind.MOVING),
    risk.FilteredHistoryModel(GARCH, HISTORY / HISTORY.std(), 1e-4),
]


def run(model: risk.PathModel, executor: object = None, paths: int = 700) -> bytes:
    blocks = risk.simulate_paths(model, paths=paths, steps=40, seed=3, executor=executor)
    return b"".join(
        b.terminal.tobytes() + b.max_drawdown.tobytes() + b.lowest.tobytes() for b in blocks
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_any_executor_gives_the_same_bits(model: risk.PathModel) -> None:
    here = run(model)
    assert len(here) == 700 * 3 * 8
    for workers in (1, 2, 4):
        with ThreadPoolExecutor(workers) as threads:
            assert run(model, threads) == here
    assert pickle.loads(pickle.dumps(model)) is not None


def test_processes_give_the_same_bits() -> None:
    with ProcessPoolExecutor(2) as processes:
        for model in (GBM, MODELS[-1]):
            assert run(model, processes) == run(model)


def test_dask_gives_the_same_bits() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster) as client,
        ):
            assert run(GBM, client.get_executor()) == run(GBM)


def test_a_longer_run_begins_with_the_same_paths_and_progress_is_told() -> None:
    told: list[int] = []
    short = next(iter(risk.simulate_paths(GBM, paths=100, steps=9, seed=1, progress=told.append)))
    long = next(iter(risk.simulate_paths(GBM, paths=5_000, steps=9, seed=1)))
    assert (long.terminal[:100] == short.terminal).all()
    assert told == [100]


def test_whoever_stops_listening_stops_the_run() -> None:
    with ThreadPoolExecutor(1) as threads:
        blocks = risk.simulate_paths(GBM, paths=10**9, steps=50, seed=1, executor=threads)
        assert sum(1 for _ in itertools.islice(blocks, 3)) == 3
        blocks.close()


def terminal(model: risk.PathModel, paths: int = 60_000, steps: int = 50) -> np.ndarray:
    blocks = risk.simulate_paths(model, paths=paths, steps=steps, seed=5)
    return np.concatenate([b.terminal for b in blocks])


def test_growth_is_what_the_models_say() -> None:
    # six standard errors
    for model in (GBM, MODELS[2]):
        last = terminal(model)
        error = last.std() / math.sqrt(last.size)
        assert last.mean() == pytest.approx(math.exp(0.1), abs=6 * error)
    jumps = np.log(terminal(MODELS[2]))
    assert jumps.var() == pytest.approx(0.16 + 3 * (0.05**2 + 0.1**2), rel=0.05)


def test_merton_prices_what_its_paths_pay() -> None:
    model = risk.MertonModel.from_total_volatility(0.08, 0.25, 0.5, 2.0, dt=0.1)
    paid = 100 * np.maximum(terminal(model, 120_000, 5) - 1, 0) * math.exp(-0.04)
    error = paid.std() / math.sqrt(paid.size)
    assert model.call(100, 100, 0.5) == pytest.approx(paid.mean(), abs=5 * error)
    smooth = risk.MertonModel(0.08, 0.25, 0.0, 0.0, 0.0)
    # Black-Scholes: S = K = 100, r = 8 %, sigma = 25 %, half a year
    assert smooth.call(100, 100, 0.5) == pytest.approx(9.0412, abs=5e-4)


def test_brownian_drawdowns_have_the_known_law() -> None:
    fine = risk.GbmModel(0.5 * 0.01**2, 0.01, 1 / 2_000)  # driftless in the log price
    deep = np.concatenate(
        [b.max_drawdown for b in risk.simulate_paths(fine, paths=4_096, steps=2_000, seed=8)]
    )
    log_fall = -np.log1p(-deep) / 0.01
    # discrete looks miss 2 x 0.5826 of a step (Broadie, Glasserman, Kou 1997)
    for depth in (1.0, 1.5, 2.0):
        wanted = risk.brownian_drawdown_probability(depth + 2 * 0.5826 / math.sqrt(2_000))
        assert (log_fall >= depth).mean() == pytest.approx(wanted, abs=0.03)


def test_variance_reduction_reduces_and_does_not_bias() -> None:
    plain, pairs = terminal(GBM, 51_200), terminal(MODELS[1], 51_200)
    halves = pairs.reshape(-1, 2).mean(axis=1)
    plain_error = plain.std() / math.sqrt(plain.size)
    pair_error = halves.std() / math.sqrt(halves.size)
    assert pair_error < 0.6 * plain_error
    assert halves.mean() == pytest.approx(math.exp(0.1), abs=5 * pair_error)
    payoff = np.maximum(plain - 1, 0)
    mean, error = risk.controlled_mean(payoff, plain, GBM.mean(1.0))
    assert error < 0.5 * payoff.std() / math.sqrt(payoff.size)
    # Black-Scholes with r = 10 %, sigma = 50 %, undiscounted
    assert mean == pytest.approx(23.9267 / 100 * math.exp(0.1), abs=6 * error)


@pytest.mark.parametrize("kind", list(risk.BlockKind))
def test_blocks_are_what_their_name_says(kind: risk.BlockKind) -> None:
    rng = np.random.default_rng(1)
    index = risk.block_indices(rng, kind, paths=400, steps=200, observations=90, block=9)
    assert index.min() >= 0
    assert index.max() < 90
    follows = (np.diff(index, axis=1) % 90 == 1).mean()
    assert follows == pytest.approx(1 - 1 / 9 + 1 / 9 / 90, abs=0.01)
    if kind is risk.BlockKind.MOVING:
        wraps = (index[:, :-1] == 89) & (index[:, 1:] == 0)
        assert wraps.mean() < 0.001
    else:
        counts = np.bincount(index.ravel(), minlength=90)
        assert counts.min() > 0.8 * counts.mean()  # every observation as likely as any other


@settings(max_examples=60)
@given(
    st.sampled_from(list(risk.BlockKind)), st.integers(2, 60), st.integers(1, 90),
    st.floats(0, 1), st.integers(0, 2**32),
)  # fmt: skip
def test_blocks_looked_up_are_the_steps_walked(kind, observations, steps, share, seed) -> None:
    history = np.random.default_rng(seed).standard_t(3, observations) * 0.05
    model = risk.BootstrapModel(history, 1 + share * (observations - 1), kind)
    found = model.reduced(np.random.default_rng(seed), 9, steps)
    moves = model.log_returns(np.random.default_rng(seed), 9, steps)
    if model.block < 5:
        assert found is None
    else:
        for quick, plain in zip(found, reduce_log_returns(moves), strict=True):
            assert quick == pytest.approx(plain, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize(("paths", "steps"), [(256, 250), (7, 17), (8, 256), (1, 1), (5, 703)])
def test_groups_of_steps_followed_side_by_side_are_the_paths_reduced(
    antithetic, paths, steps
) -> None:
    model = risk.GbmModel(0.1, 0.5, 1 / 50, antithetic=antithetic)
    moves = model.log_returns(np.random.default_rng(paths), paths, steps)
    assert moves.shape == (paths, steps)
    quick = model.reduced(np.random.default_rng(paths), paths, steps)
    if antithetic and paths > 1:
        centre = (0.1 - 0.5**2 / 2) / 50
        assert moves[1] - centre == pytest.approx(centre - moves[0], abs=1e-15)
    for found, plain in zip(quick, reduce_log_returns(moves), strict=True):
        assert found == pytest.approx(plain, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("volatility", "drift"), [(0.0, 0.1), (0.0, 0.0), (1e-12, -1.0)])
def test_prices_without_chance_take_the_plain_way(volatility: float, drift: float) -> None:
    model = risk.GbmModel(drift, volatility, 1 / 50)
    assert model.reduced(np.random.default_rng(1), 4, 30) is None
    (block,) = risk.simulate_paths(model, paths=4, steps=50, seed=1)
    assert block.terminal == pytest.approx(np.full(4, math.exp(drift)))
    assert block.max_drawdown == pytest.approx(np.full(4, 1 - math.exp(min(drift, 0))), abs=1e-9)


def test_stationary_blocks_have_geometric_lengths() -> None:
    index = stationary_indices(
        np.random.default_rng(1), paths=2_000, steps=300, observations=1_000, mean_block=10.0
    )
    begins = np.diff(index, axis=1) % 1_000 != 1
    lengths = np.diff(np.flatnonzero(begins.ravel()))
    assert begins.mean() == pytest.approx(0.1 * 999 / 1_000, abs=0.001)
    assert (lengths > 20).mean() == pytest.approx(0.9**20, abs=0.01)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.7, -0.4])
def test_block_lengths_are_those_of_arch(phi: float) -> None:
    from arch.bootstrap import optimal_block_length

    rng = np.random.default_rng(3)
    series = np.zeros(800)
    for n, shock in enumerate(rng.standard_normal(799), start=1):
        series[n] = phi * series[n - 1] + shock
    theirs = optimal_block_length(series)
    found = risk.politis_white(series)
    assert found.stationary == pytest.approx(max(1.0, theirs["stationary"].iloc[0]), rel=1e-6)
    assert found.circular == pytest.approx(max(1.0, theirs["circular"].iloc[0]), rel=1e-6)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_garch_finds_its_own_parameters_and_those_of_arch(asymmetric: bool) -> None:
    from arch import arch_model

    truth = risk.GarchParameters(0.02, 0.05, 0.06, 0.86, 0.08 if asymmetric else 0.0)
    rng = np.random.default_rng(21)
    variance, returns = truth.variance, []
    for shock in rng.standard_normal(4_000):
        surprise = shock * math.sqrt(variance)
        returns.append(truth.mean + surprise)
        weight = truth.alpha + truth.gamma * (surprise < 0)
        variance = truth.omega + weight * surprise**2 + truth.beta * variance
    series = np.array(returns)
    fit = risk.fit_garch(series, asymmetric=asymmetric)
    names = ("mean", "omega", "alpha", "beta", *(("gamma",) if asymmetric else ()))
    for name in names:
        found, error = getattr(fit.parameters, name), getattr(fit.errors, name)
        assert found == pytest.approx(getattr(truth, name), abs=4 * error)
    theirs = arch_model(
        series, mean="Constant", vol="GARCH", p=1, o=int(asymmetric), q=1, rescale=False
    ).fit(disp="off", backcast=float(((series - fit.parameters.mean) ** 2).mean()))
    keys = {"mean": "mu", "omega": "omega", "alpha": "alpha[1]", "beta": "beta[1]",
            "gamma": "gamma[1]"}  # fmt: skip
    for name in names:
        assert getattr(fit.parameters, name) == pytest.approx(theirs.params[keys[name]], abs=2e-3)
        assert getattr(fit.errors, name) == pytest.approx(theirs.std_err[keys[name]], rel=0.05)
    assert fit.log_likelihood == pytest.approx(theirs.loglikelihood, abs=0.5)
    assert fit.residuals.std() == pytest.approx(1, abs=0.02)


def test_the_fit_does_not_depend_on_the_unit() -> None:
    rng = np.random.default_rng(22)
    series = rng.standard_normal(600) * np.repeat([1.0, 2.0, 1.0], 200)
    one, percent = risk.fit_garch(series), risk.fit_garch(100 * series)
    assert percent.parameters.alpha == pytest.approx(one.parameters.alpha, abs=1e-5)
    assert percent.parameters.omega == pytest.approx(1e4 * one.parameters.omega, rel=1e-3)
    assert percent.log_likelihood == pytest.approx(one.log_likelihood - 600 * math.log(100))


def test_filtered_paths_start_at_the_variance_of_today() -> None:
    calm = risk.FilteredHistoryModel(GARCH, HISTORY / HISTORY.std(), 2.5e-5)
    wild = risk.FilteredHistoryModel(GARCH, HISTORY / HISTORY.std(), 4e-4)
    first = [model.log_returns(np.random.default_rng(1), 20_000, 1).std() for model in (calm, wild)]
    assert first == pytest.approx([0.005, 0.02], rel=0.03)
    late = wild.log_returns(np.random.default_rng(1), 4_000, 400)[:, -50:].std()
    assert late == pytest.approx(math.sqrt(GARCH.variance), rel=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: next(risk.simulate_paths(GBM, paths=0, steps=5, seed=1)),
        lambda: risk.GbmModel(math.nan, 0.5, 1.0),
        lambda: risk.GbmModel(0.1, -0.5, 1.0),
        lambda: risk.GbmModel(0.1, 0.5, 0.0),
        lambda: risk.MertonModel(0.1, 0.2, -1.0, 0.0, 0.1),
        lambda: risk.MertonModel.from_total_volatility(0.1, 0.2, 1.5, 1.0),
        lambda: risk.MertonModel(0.1, 0.2, 1.0, 0.0, 0.1).call(100, -5, 1),
        lambda: risk.BootstrapModel(np.array([0.1, math.nan]), 1),
        lambda: risk.BootstrapModel(HISTORY, 0.5),
        lambda: risk.BootstrapModel(HISTORY, 501),
        lambda: risk.fit_garch([0.1] * 200),
        lambda: risk.fit_garch([0.1, 0.2]),
        lambda: risk.politis_white([1.0] * 50),
        lambda: risk.ar1_block_length(1.0, 50),
        lambda: risk.rolling_filtered(HISTORY, window=500),
    ],
)
def test_what_cannot_be_simulated_is_refused(wrong) -> None:
    with pytest.raises((LabProblem, DataProblem)) as refused:
        wrong()
    assert refused.value.where
    assert refused.value.remedy


def test_a_real_market_can_be_fitted_and_simulated(shared_data: Path) -> None:
    import pandas as pd

    closes = pd.read_parquet(shared_data / "bars" / "binance_BTCUSDT_1d.parquet")["close"]
    returns = np.diff(np.log(closes.to_numpy()))
    fit = risk.fit_garch(returns, asymmetric=True)
    assert 0.9 < fit.parameters.persistence < 1
    model = risk.FilteredHistoryModel.of(fit)
    deep = np.concatenate(
        [b.max_drawdown for b in risk.simulate_paths(model, paths=512, steps=90, seed=1)]
    )
    found = risk.drawdown_quantile(deep, 0.95)
    assert 0.2 < found.low < found.value < found.high < 1
