"""Paths a second, checks a second, two workers against one, and memory over path counts."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ProcessPoolExecutor

import numpy as np
from harness import Result, alternate, peak_rss_kib

from oem_risk import (
    BootstrapModel,
    Exposure,
    FilteredHistoryModel,
    GarchParameters,
    GbmModel,
    OrderFacts,
    PathModel,
    RiskEngine,
    shipped_profile,
    simulate_paths,
)
from oem_risk.paths.blocks import BLOCK_PATHS

STEPS = 250
PATHS = BLOCK_PATHS * 32


def gbm() -> list[Result]:
    """Terminal value and maximum drawdown, one core."""
    model = GbmModel(0.1, 0.5, 1 / 365)
    rng = np.random.default_rng(1)

    def bare() -> float:
        start = time.perf_counter()
        for _ in range(PATHS // BLOCK_PATHS):
            rng.standard_normal((BLOCK_PATHS, STEPS))
        return PATHS * STEPS / 1e6 / (time.perf_counter() - start)

    value, baseline = alternate(lambda: _rate(model, PATHS), bare, rounds=15)
    words = "bare Generator.standard_normal of the same count"
    return [Result("risk.paths.gbm", value, "M path-steps/s", words, baseline, ">= 0.5")]


def bootstrap() -> list[Result]:
    """Stationary bootstrap with drawdown, against arch's indices and take."""
    from arch.bootstrap import StationaryBootstrap

    history = np.random.default_rng(2).standard_t(4, 1_000) * 0.02
    model = BootstrapModel(history, 20.0)
    paths = BLOCK_PATHS * 4

    def theirs() -> float:
        start = time.perf_counter()
        drawn = StationaryBootstrap(20, history, seed=1)
        for data in drawn.bootstrap(paths):
            # a path of as many steps as ours: arch draws the length of the history
            equity = np.cumsum(data[0][0])
            (np.maximum.accumulate(equity) - equity).max()
        return paths * history.size / 1e6 / (time.perf_counter() - start)

    value, baseline = alternate(lambda: _rate(model, paths, history.size), theirs, rounds=5)
    words = "arch's StationaryBootstrap, indices and take, with the same drawdown"
    return [Result("risk.paths.bootstrap", value, "M path-steps/s", words, baseline, ">= 3")]


def workers() -> list[Result]:
    """Two processes against one, on paths that cost something."""
    residuals = np.random.default_rng(3).standard_normal(1_000)
    model = FilteredHistoryModel(GarchParameters(0.0, 2e-6, 0.08, 0.9, 0.05), residuals, 1e-4)
    count = BLOCK_PATHS * 96
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        value, baseline = alternate(
            lambda: _rate(model, count, executor=two),
            lambda: _rate(model, count, executor=one),
            rounds=5,
        )
    return [
        Result("risk.lab.two_workers", value, "M path-steps/s", "one process", baseline, ">= 1.7")
    ]


def memory() -> list[Result]:
    """Peak memory of a run of 10 million paths against one of 100 thousand."""
    value, baseline = (_peak(paths) for paths in (10_000_000, 100_000))
    words = "the same run with 100 thousand paths"
    return [Result("risk.lab.memory", value, "MiB", words, baseline, "<= 1.2")]


def check() -> list[Result]:
    """A pre-trade check that passes nine limits and the switch, against an empty function."""
    engine = RiskEngine(shipped_profile("balanced").model_copy(update={"max_open_positions": 60}))
    positions = {f"S{n}/USDT": (1.0, 100.0 + n) for n in range(50)}
    exposure = Exposure(
        equity=100_000.0, positions=positions, daily_pnl=-10.0, drawdown=0.01,
        gross_notional=sum(q * p for q, p in positions.values()), open_positions=50,
        cost_today=12.0, volatility_notional=3_000.0,
    )  # fmt: skip
    order = OrderFacts("S1/USDT", 0.5, 101.0, 12.0, volatility=0.6)
    verdict = engine.check(order, exposure)
    assert verdict.allowed
    assert len(verdict.margins) == 9

    def empty() -> None:
        return None

    value, baseline = alternate(
        lambda: _seconds(lambda: engine.check(order, exposure)), lambda: _seconds(empty), rounds=15
    )
    return [
        Result("risk.limits.check", value, "s", "an empty Python function call", baseline, "<= 100")
    ]


def _rate(
    model: PathModel, paths: int, steps: int = STEPS, executor: Executor | None = None
) -> float:
    start = time.perf_counter()
    for _ in simulate_paths(model, paths=paths, steps=steps, seed=1, executor=executor):
        pass
    return paths * steps / 1e6 / (time.perf_counter() - start)


def _seconds(work: object) -> float:
    assert callable(work)
    start = time.perf_counter()
    for _ in range(20_000):
        work()
    return (time.perf_counter() - start) / 20_000


def _peak(paths: int) -> float:
    code = (
        "from oem_risk import GbmModel, simulate_paths\n"
        f"for _ in simulate_paths(GbmModel(0.1, 0.5, 1 / 365), paths={paths}, steps=10, seed=1):\n"
        "    pass\n"
    )
    return peak_rss_kib(code) / 1024


BENCHMARKS = [gbm, bootstrap, workers, memory, check]
