"""The coverage of every confidence interval, measured by simulation.

Each case is run many times on fresh samples of a known law, and the share of intervals that hold
the truth is counted. An exact interval must cover at its level (a binomial test at 1 in 1,000); an
approximate one within the stated band. The shares stand in docs/reference/risk-coverage.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pytest
from scipy.special import ndtri

import oem_risk as risk
from oem_risk.measures.cornish_fisher import cornish_fisher_z

Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """One interval: how a sample is drawn and measured, the truth, and what is asked of it."""

    name: str
    make: Callable[[Rng], risk.Estimate]
    truth: float
    runs: int
    exact: bool = False
    conservative: bool = False
    band: float = 0.03
    level: float = 0.9


def skewed(rng: Rng, n: int) -> np.ndarray:
    """Gains with a fat lower tail: a gamma law of shape 4, turned over, of mean 0."""
    return 4.0 - rng.gamma(4.0, 1.0, n)


GBM = risk.GbmModel(0.1, 0.5, 1 / 12)
PAIRED = risk.GbmModel(0.1, 0.5, 1 / 12, antithetic=True)
NORMAL = NormalDist()
# Black-Scholes with r = 10 %, sigma = 50 %, S = K, undiscounted: the mean of max(S - 1, 0)
CALL = math.exp(0.1) * NORMAL.cdf(0.45) - NORMAL.cdf(-0.05)
_DOWNSIDE = math.sqrt(NORMAL.cdf(-0.1) * 1.01 - 0.1 * NORMAL.pdf(0.1))
SORTINO = 0.1 / _DOWNSIDE


def final(model: risk.GbmModel, rng: Rng, paths: int) -> np.ndarray:
    return np.exp(model.log_returns(rng, paths, 12).sum(axis=1))


def student_tail(degrees: float, level: float) -> tuple[float, float]:
    """Return value at risk and shortfall of Student's t of unit variance."""
    unit = math.sqrt((degrees - 2) / degrees)
    forecast = risk.StudentForecast(np.zeros(1), np.full(1, unit), degrees)
    return float(forecast.var(level)[0]), float(forecast.es(level)[0])


def filtered(
    rng: Rng, n: int, level: float, degrees: float | None, *, shortfall: bool, draws: int = 300
) -> risk.Estimate:
    """Return the measure of a GARCH(1,1) history in units of the true volatility of tomorrow."""
    size = n + 200
    shocks = rng.standard_normal(size) if degrees is None else (
        rng.standard_t(degrees, size) * math.sqrt((degrees - 2) / degrees)
    )  # fmt: skip
    variance, returns = 1.0, np.empty(size)
    for i, shock in enumerate(shocks):
        returns[i] = shock * math.sqrt(variance)
        variance = 0.05 + 0.08 * returns[i] ** 2 + 0.87 * variance
    measure = risk.filtered_es if shortfall else risk.filtered_var
    history = returns[200:] / math.sqrt(variance)
    return measure(history, level, 0.9, asymmetric=False, draws=draws, rng=rng)


def expanded(
    level: float, mean: float, variance: float, skew: float, excess: float
) -> tuple[float, float]:
    """Return value at risk and shortfall of the expansion, by summation of its quantiles."""
    z = ndtri((np.arange(20_000) + 0.5) / 20_000 * (1 - level))
    moved, edge = (cornish_fisher_z(x, skew, excess) for x in (z, ndtri(1 - level)))
    deviation = math.sqrt(variance)
    return -mean - deviation * float(edge), -mean - deviation * float(moved.mean())


TAIL = risk.normal_tail(0.95)
CASES = [
    Case("historical_var", lambda r: risk.historical_var(r.standard_normal(200), 0.9, 0.9),
         risk.normal_tail(0.9).var, 800, conservative=True),
    Case("normal_var", lambda r: risk.normal_var(r.standard_normal(120), 0.95, 0.9), TAIL.var,
         500, exact=True),
    Case("normal_es", lambda r: risk.normal_es(r.standard_normal(120), 0.95, 0.9), TAIL.es,
         500, exact=True),
    Case("drawdown_quantile", lambda r: risk.drawdown_quantile(r.random(300), 0.9, 0.9), 0.9,
         800, conservative=True),
    Case("ruin_probability", lambda r: risk.ruin_probability(r.random(400), 0.05, 0.9), 0.05,
         1_000, conservative=True),
    Case("sharpe_ratio", lambda r: risk.sharpe_ratio(0.1 + r.standard_normal(250), confidence=0.9),
         0.1, 2_000, band=0.02),
    Case("sharpe_ratio, fat tails",
         lambda r: risk.sharpe_ratio(0.1 + r.standard_t(5, 500) / math.sqrt(5 / 3), confidence=0.9),
         0.1, 1_000),
    Case("sortino_ratio",
         lambda r: risk.sortino_ratio(0.1 + r.standard_normal(250), confidence=0.9), SORTINO,
         2_000),
    Case("simulated_mean", lambda r: risk.simulated_mean(np.maximum(final(GBM, r, 200) - 1, 0),
                                                         0.9), CALL, 1_000),
    Case("antithetic_mean", lambda r: risk.antithetic_mean(
        np.maximum(final(PAIRED, r, 400) - 1, 0), 0.9), CALL, 1_000),
    Case("control_mean", lambda r: risk.control_mean(
        np.maximum((s := final(GBM, r, 1_000)) - 1, 0), s, GBM.mean(1.0), 0.9), CALL, 1_000),
]  # fmt: skip
TAILS = [
    Case("historical_es", lambda r: risk.historical_es(r.standard_normal(250), 0.95, 0.9, rng=r),
         TAIL.es, 100, band=0.08),
    Case("historical_es, skewed", lambda r: risk.historical_es(skewed(r, 250), 0.9, 0.9, rng=r),
         4.1661, 100, band=0.08),
    Case("historical_es, heavy", lambda r: risk.historical_es(
        r.standard_t(4, 250) / math.sqrt(2), 0.95, 0.9, rng=r), student_tail(4, 0.95)[1], 100,
         band=0.1),
    # a fit and its draws cost a tenth of a second: few runs here, many among the faults
    Case("filtered_var", lambda r: filtered(r, 250, 0.95, None, shortfall=False),
         TAIL.var, 30, band=0.14),
    Case("filtered_es", lambda r: filtered(r, 250, 0.975, 5.0, shortfall=True),
         student_tail(5, 0.975)[1], 30, band=0.14),
]  # fmt: skip
SIZES = [
    Case(f"historical_es, {n}, {level:g}, {name}",
         lambda r, n=n, level=level, draw=draw: risk.historical_es(draw(r, n), level, 0.9, rng=r),
         truth(level), 500, band=0.09)
    for n in (250, 500, 1_000) for level in (0.95, 0.975, 0.99)
    for name, draw, truth in (
        ("normal", lambda r, n: r.standard_normal(n), lambda p: risk.normal_tail(p).es),
        ("Student's t, 5 degrees", lambda r, n: r.standard_t(5, n) * math.sqrt(0.6),
         lambda p: student_tail(5, p)[1]),
        ("Student's t, 3 degrees", lambda r, n: r.standard_t(3, n) / math.sqrt(3),
         lambda p: student_tail(3, p)[1]),
    )
] + [
    Case(f"filtered_{'es' if shortfall else 'var'}, {n}, {level:g}, {name}",
         lambda r, n=n, level=level, degrees=degrees, shortfall=shortfall:
             filtered(r, n, level, degrees, shortfall=shortfall),
         tail(level)[int(shortfall)], 150, band=0.08)
    for shortfall in (False, True)
    for n, level, name, degrees, tail in (
        (250, 0.95, "normal", None, lambda p: (risk.normal_tail(p).var, risk.normal_tail(p).es)),
        (500, 0.99, "Student's t, 5 degrees", 5.0, lambda p: student_tail(5, p)),
        (1_000, 0.99, "Student's t, 5 degrees", 5.0, lambda p: student_tail(5, p)),
    )
]  # fmt: skip
LAWS: dict[str, tuple[Callable[[Rng, int], np.ndarray], tuple[float, float, float, float]]] = {
    # name: how it is drawn; mean, variance, skewness, excess kurtosis
    "normal": (lambda r, n: r.standard_normal(n), (0, 1, 0, 0)),
    "Student's t, 10 degrees": (lambda r, n: r.standard_t(10, n), (0, 1.25, 0, 1)),
    "Student's t, 6 degrees": (lambda r, n: r.standard_t(6, n), (0, 1.5, 0, 3)),
    "Laplace": (lambda r, n: r.laplace(size=n), (0, 2, 0, 3)),
    "two normals": (lambda r, n: r.standard_normal(n) * np.where(r.random(n) < 0.1, 2, 1),
                    (0, 1.3, 0, 7.5 / 1.69 - 3)),
}  # fmt: skip
EXPANSIONS = [
    # at 95 % the quantile hardly depends on the kurtosis, and the made-up skewness is too much
    Case(f"cornish_fisher_{'es' if shortfall else 'var'}, {n}, {level:g}, {name}",
         lambda r, n=n, level=level, draw=draw, shortfall=shortfall:
             (risk.cornish_fisher_es if shortfall else risk.cornish_fisher_var)(
                 draw(r, n), level, 0.9),
         expanded(level, *moments)[int(shortfall)], 300, band=0.06 if shortfall else 0.09)
    for n, level in ((250, 0.99), (1_000, 0.95), (1_000, 0.99))
    for name, (draw, moments) in LAWS.items()
    for shortfall in (False, True)
]  # fmt: skip
_OFTEN = ("0.95, Student's t, 10 degrees", "1000, 0.99, two normals")
QUICK = [case for case in EXPANSIONS if case.name.endswith(_OFTEN)]


def measured(case: Case) -> float:
    """Return the share of intervals that hold the truth."""
    hits = counted = 0
    for run in range(case.runs):
        try:
            found = case.make(np.random.default_rng([run, 17]))
        except risk.DataProblem:
            # a sample outside the domain of the expansion has no interval
            continue
        counted += 1
        hits += found.low <= case.truth <= found.high
    assert counted > 0.7 * case.runs, case.name
    return hits / counted


def require(case: Case) -> None:
    from scipy.stats import binomtest

    share = measured(case)
    if case.exact or case.conservative:
        # an order statistic's level is a step: it covers at least what it says
        side = "less" if case.conservative else "two-sided"
        found = binomtest(round(share * case.runs), case.runs, case.level, alternative=side)
        assert found.pvalue > 1e-3, f"{case.name} covers {share:.1%}"
        if case.conservative:
            assert share < case.level + 0.06, f"{case.name} is far wider than it need be"
    else:
        assert share == pytest.approx(case.level, abs=case.band), case.name


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
@pytest.mark.parametrize("case", [*CASES, *TAILS, *QUICK], ids=lambda case: case.name)
def test_an_interval_covers_what_it_says(case: Case) -> None:
    require(case)


@pytest.mark.faults
@pytest.mark.parametrize("case", [*SIZES, *EXPANSIONS], ids=lambda case: case.name)
def test_a_slow_interval_covers_about_what_it_says(case: Case) -> None:
    require(case)


def test_the_truth_of_the_skewed_case() -> None:
    # the mean of the worst tenth of 4 - gamma(4): by the gamma law's own partial mean
    from scipy.stats import gamma

    worst = gamma(4).ppf(0.9)
    assert 4 * gamma(5).sf(worst) / 0.1 - 4 == pytest.approx(4.1661, abs=5e-4)


def test_reduced_means_have_shorter_intervals() -> None:
    rng = np.random.default_rng(1)
    plain = risk.simulated_mean(np.maximum(final(GBM, rng, 4_000) - 1, 0), 0.999)
    paired = risk.antithetic_mean(np.maximum(final(PAIRED, rng, 4_000) - 1, 0), 0.999)
    last = final(GBM, rng, 4_000)
    controlled = risk.control_mean(np.maximum(last - 1, 0), last, GBM.mean(1.0), 0.999)
    assert paired.high - paired.low < 0.9 * (plain.high - plain.low)
    assert controlled.high - controlled.low < 0.5 * (plain.high - plain.low)
    for found in (plain, paired, controlled):
        assert found.low < CALL < found.high


def test_a_joint_model_gives_the_control_of_its_portfolio() -> None:
    joint = risk.JointGbm.of([0.1, 0.3], [0.5, 0.8], [[1, 0.6], [0.6, 1]], 1 / 12, antithetic=True)
    model = risk.PortfolioModel(joint, np.array([0.5, 0.5]), rebalanced=False)
    last = np.concatenate(
        [b.terminal for b in risk.simulate_paths(model, paths=8_192, steps=12, seed=4)]
    )
    expected = float(joint.mean(1.0).mean())
    paired = risk.antithetic_mean(last, 0.999)
    assert paired.low < expected < paired.high


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: risk.antithetic_mean([1.0, 2.0, 3.0, 4.0, 5.0]),
        lambda: risk.antithetic_mean([1.0, 2.0]),
        lambda: risk.simulated_mean([1.0, math.nan]),
        lambda: risk.control_mean([1.0, 2.0, 3.0], [1.0, 2.0], 0.0),
        lambda: risk.simulated_mean([1.0, 2.0], 1.0),
    ],
)
def test_what_has_no_mean_is_refused(wrong) -> None:
    with pytest.raises((risk.DataProblem, risk.LabProblem)) as refused:
        wrong()
    assert refused.value.remedy
