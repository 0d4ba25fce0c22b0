"""Published numbers of risk measures, back-tests and path models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, chi2

from oem_risk import (
    GbmModel,
    MertonModel,
    ar1_block_length,
    brownian_drawdown_mean,
    brownian_drawdown_probability,
    certifying_paths,
    conditional_coverage_counts,
    fit_garch,
    independence_counts,
    kupiec,
    kupiec_region,
    lognormal_tail,
    normal_tail,
    order_statistic_ranks,
    simulate_paths,
    traffic_light,
    zone_bounds,
)

# Kupiec 1995, table 3: non-rejection regions at 95 %, exclusive bounds.
REGIONS = {
    0.01: ((0, 7), (1, 11), (4, 17)),
    0.025: ((2, 12), (6, 21), (15, 36)),
    0.05: ((6, 21), (16, 36), (37, 65)),
    0.075: ((11, 28), (27, 51), (59, 92)),
    0.10: ((16, 36), (38, 65), (81, 120)),
}


@pytest.mark.parametrize("tail", REGIONS)
def test_kupiec_non_rejection_regions(tail: float) -> None:
    found = tuple(kupiec_region(days, 1 - tail) for days in (255, 510, 1000))
    # the table prints N < 7 for 255 days at 1 %; the exact ratio rejects zero failures too
    assert found == REGIONS[tail]


def test_kupiec_rejects_zero_failures_in_255_days() -> None:
    found = kupiec(0, 255, 0.99)
    assert found.statistic == pytest.approx(5.126, abs=5e-4)
    assert found.rejects(0.05)


def test_christoffersen_57_failures_of_1043() -> None:
    pof = kupiec(57, 1043, 0.95)
    assert (pof.statistic, pof.p_value) == pytest.approx((0.46147, 0.49694), abs=5e-6)
    apart = independence_counts(932, 53, 53, 4)
    assert (apart.statistic, apart.p_value) == pytest.approx((0.25866, 0.61104), abs=5e-6)
    both = conditional_coverage_counts(57, 1043, 932, 53, 53, 4, 0.95)
    assert (both.statistic, both.p_value) == pytest.approx((0.72013, 0.69763), abs=5e-6)


def test_basel_traffic_light() -> None:
    published = [
        0.0811, 0.2858, 0.5432, 0.7581, 0.8922, 0.9588, 0.9863, 0.9960, 0.9989, 0.9997, 0.9999,
    ]  # fmt: skip
    found = [traffic_light(k).cumulative for k in range(11)]
    assert found == pytest.approx(published, abs=5e-5)
    zones = [traffic_light(k).zone.value for k in range(11)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"]
    assert zone_bounds() == (5, 10)
    assert [traffic_light(k).multiplier_add_on for k in range(4, 11)] == [
        0.0, 0.4, 0.5, 0.65, 0.75, 0.85, 1.0,
    ]  # fmt: skip


def test_block_length_of_an_ar1() -> None:
    # Politis, White 2004, the closed forms
    found = ar1_block_length(0.7, 200)
    assert (found.stationary, found.circular) == pytest.approx((11.465, 13.124), abs=5e-4)


def test_garch_on_the_mark_and_the_pound() -> None:
    from arch import arch_model

    # Fiorentini, Calzolari, Panattoni 1996 with the data of Bollerslev, Ghysels 1996; the first
    # variance is that of the sample
    text = (Path(__file__).parent / "data" / "dem_gbp.txt").read_text()
    numbers = [line for line in text.splitlines() if not line.startswith("#")]
    column = np.array(" ".join(numbers).split(), dtype=np.float64)
    assert column.size == 1_974
    fit = fit_garch(column)
    p, e = fit.parameters, fit.errors
    # the digits in which the paper's program, made exact, and TSP 4.4 agree: Cummins' benchmark and
    # of McCullough, Renfro, "Benchmarks and software standards: a case study of GARCH procedures",
    # J. Economic and Social Measurement 25 (1999); robust errors
    found = (p.mean, p.omega, p.alpha, p.beta)
    agreed = (-0.0061904083799, 0.0107613978518, 0.15313406182, 0.80597367031)
    assert found == pytest.approx(agreed, rel=1e-10)
    errors = (e.mean, e.omega, e.alpha, e.beta)
    assert errors == pytest.approx(
        (0.0091893540, 0.006493186, 0.0535317025, 0.0724614482), rel=2e-8
    )
    assert fit.log_likelihood == pytest.approx(-1106.6078810413, abs=1e-9)
    # the paper as printed
    assert [float(f"{x:.6g}") for x in found] == [-0.00619041, 0.0107614, 0.153134, 0.805974]
    # another implementation on the same numbers
    theirs = arch_model(column, mean="Constant", vol="GARCH", p=1, q=1, rescale=False).fit(
        disp="off", backcast=float(np.square(column - p.mean).mean()), tol=1e-12
    )
    assert theirs.loglikelihood <= fit.log_likelihood + 1e-5
    assert (p.mean, p.omega, p.alpha, p.beta) == pytest.approx(tuple(theirs.params), abs=2e-5)


def test_maximum_drawdown_of_driftless_brownian_motion() -> None:
    assert brownian_drawdown_mean() == pytest.approx(1.253314, abs=5e-7)
    found = [brownian_drawdown_probability(x) for x in (1, 1.5, 2)]
    assert found == pytest.approx([0.629223, 0.267215, 0.091001], abs=5e-7)


@pytest.mark.parametrize(
    ("strike", "horizon", "intensity", "value"),
    [(80, 0.1, 1, 20.67), (100, 0.5, 1, 8.95), (100, 0.5, 10, 9.03)],
)
def test_merton_calls(strike: float, horizon: float, intensity: float, value: float) -> None:
    # S = 100, r = 8 %, total volatility 25 %, a quarter of the variance from jumps
    model = MertonModel.from_total_volatility(0.08, 0.25, 0.25, intensity)
    assert model.call(100, strike, horizon) == pytest.approx(value, abs=5e-3)


def test_geometric_brownian_motion() -> None:
    model = GbmModel(0.1, 0.5, 1 / 4)
    assert 100 * model.mean(1) == pytest.approx(110.517092, abs=5e-7)
    assert 100**2 * model.variance(1) == pytest.approx(3469.094, abs=5e-4)
    tail = lognormal_tail(0.99, 100, 0.1, 0.5, 1)
    assert (tail.var, tail.es) == pytest.approx((69.5223, 73.9831), abs=5e-5)
    # simulated: 2^17 paths; six standard errors of the mean are 0.98, of the variance about 190
    blocks = simulate_paths(model, paths=1 << 17, steps=4, seed=1)
    last = 100 * np.concatenate([block.terminal for block in blocks])
    assert last.mean() == pytest.approx(110.517, abs=0.98)
    assert last.var() == pytest.approx(3469.1, abs=190)


def test_normal_tails() -> None:
    assert (normal_tail(0.975).var, normal_tail(0.975).es) == pytest.approx(
        (1.959964, 2.337803), abs=5e-7
    )
    assert (normal_tail(0.99).var, normal_tail(0.99).es) == pytest.approx(
        (2.326348, 2.665214), abs=5e-7
    )


def test_order_statistics_and_certification() -> None:
    assert order_statistic_ranks(1_000, 0.01) == (4, 17)
    assert order_statistic_ranks(10_000, 0.01) == (81, 120)
    assert certifying_paths(0.01, 0.95) == 299


@pytest.mark.parametrize("days", [125, 250, 500, 1000])
@pytest.mark.parametrize("level", [0.975, 0.99])
def test_zones_of_other_windows_are_binomial(days: int, level: float) -> None:
    # Basel's rule: yellow from a cumulative probability of 95 %, red from 99.99 %
    cumulative = binom.cdf(np.arange(days + 1), days, 1 - level)
    wanted = (int(np.argmax(cumulative >= 0.95)), int(np.argmax(cumulative >= 0.9999)))
    assert zone_bounds(days, level) == wanted
    seen = [traffic_light(k, days, level).zone.value for k in range(wanted[1] + 2)]
    assert (seen.index("yellow"), seen.index("red")) == wanted


@pytest.mark.parametrize(
    ("failures", "days", "level"),
    [(0, 250, 0.99), (250, 250, 0.99), (0, 1, 0.5), (1, 1, 0.99), (12, 12, 0.05), (7, 20, 0.6)],
)
def test_kupiec_at_its_edges(failures: int, days: int, level: float) -> None:
    found = kupiec(failures, days, level)
    ratio = 2 * (
        binom.logpmf(failures, days, failures / days) - binom.logpmf(failures, days, 1 - level)
    )
    assert found.statistic == pytest.approx(ratio, abs=1e-9)
    assert found.p_value == pytest.approx(chi2.sf(ratio, 1), abs=1e-12)


@pytest.mark.parametrize(
    ("days", "tail"), [(100, 0.01), (299, 0.01), (500, 0.05), (1000, 0.025), (50, 0.5)]
)
def test_ranks_of_other_samples_cover_and_no_more_than_needed(days: int, tail: float) -> None:
    near, far = order_statistic_ranks(days, tail)

    def covered(first: int, last: int) -> float:
        return float(binom.cdf(last - 1, days, tail) - binom.cdf(first - 1, days, tail))

    assert covered(near, far) >= 0.95
    assert covered(near, far - 1) < 0.95
    assert near == 0 or covered(near + 1, far) < 0.95
