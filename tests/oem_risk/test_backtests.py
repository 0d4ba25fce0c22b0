"""Back-tests: their sizes by simulation, their power, and what they refuse."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oem_risk as risk
from oem_risk.backtests.coverage import transitions
from oem_risk.backtests.shortfall import _expected_tail
from oem_risk.errors import DataProblem

DAYS = 250


def normal(scale: float = 1.0, days: int = DAYS) -> risk.NormalForecast:
    return risk.NormalForecast(np.zeros(days), np.full(days, scale))


@given(st.integers(1, 2_000), st.data(), st.sampled_from([0.9, 0.95, 0.975, 0.99]))
def test_the_region_is_where_the_ratio_does_not_reject(n: int, data, level: float) -> None:
    low, high = risk.kupiec_region(n, level)
    count = data.draw(st.integers(0, n))
    assert (low < count < high) == (risk.kupiec(count, n, level).statistic <= 3.841458820694124)


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.sampled_from([0.9, 0.99]))
def test_statistics_are_finite_whatever_came(hits: list[bool], level: float) -> None:
    n00, n01, n10, n11 = transitions(hits)
    assert n00 + n01 + n10 + n11 == len(hits) - 1
    for found in (
        risk.kupiec(sum(hits), len(hits), level),
        risk.kupiec_exact(sum(hits), len(hits), level),
        risk.independence(hits),
        risk.conditional_coverage(hits, level),
    ):
        assert math.isfinite(found.statistic)
        assert 0 <= found.p_value <= 1


def test_clusters_are_found_and_scattered_exceptions_are_not() -> None:
    clustered, scattered = np.zeros(1_000, bool), np.zeros(1_000, bool)
    clustered[500:510] = True
    scattered[::100] = True
    assert risk.independence(clustered).p_value < 1e-6
    assert risk.independence(scattered).p_value > 0.3
    assert risk.conditional_coverage(clustered).rejects(0.01)
    assert risk.kupiec(10, 1_000).p_value == pytest.approx(1.0)


def test_the_exact_test_keeps_its_size() -> None:
    from scipy.stats import binom

    counts = np.arange(60)
    weights = binom.pmf(counts, 500, 0.01)
    size = sum(
        w for n, w in zip(counts, weights, strict=True)
        if risk.kupiec_exact(int(n), 500, 0.99).rejects(0.05)
    )  # fmt: skip
    assert size <= 0.05


def test_overlapping_horizons_widen_the_zones() -> None:
    from scipy.stats import binomtest

    alone = risk.traffic_light_overlapping(7, horizon=1, simulations=20_000, seed=3)
    exact = risk.traffic_light(7)
    assert binomtest(round(alone.cumulative * 20_000), 20_000, exact.cumulative).pvalue > 1e-3
    wide = risk.traffic_light_overlapping(10, horizon=10, simulations=5_000, seed=3)
    assert risk.traffic_light(10).zone is risk.Zone.RED
    assert wide.zone is risk.Zone.YELLOW
    again = risk.traffic_light_overlapping(10, horizon=10, simulations=5_000, seed=3)
    assert wide == again


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
@pytest.mark.parametrize("degrees", [None, 5.0, 3.0])
def test_z2_rejects_below_the_published_values(degrees: float | None) -> None:
    # Acerbi, Szekely 2014, table 3: 5 % critical values of Z2 at 97.5 %, T = 250
    published = {None: -0.70, 5.0: -0.74, 3.0: -0.82}[degrees]
    forecast = (
        normal() if degrees is None
        else risk.StudentForecast(np.zeros(DAYS), np.ones(DAYS), degrees)
    )  # fmt: skip
    rng = np.random.default_rng(2)
    var, es = forecast.var(0.975), forecast.es(0.975)
    size = (30_000, DAYS)
    drawn = rng.standard_normal(size) if degrees is None else rng.standard_t(degrees, size)
    z2 = np.where(drawn < -var, drawn / es, 0).sum(axis=1) / (DAYS * 0.025) + 1
    assert np.quantile(z2, 0.05) == pytest.approx(published, abs=0.03)
    worse = drawn[np.argmin(np.abs(z2 - published))]
    found = risk.acerbi_szekely_z2(worse, forecast, simulations=2_000)
    assert found.p_value == pytest.approx(0.05, abs=0.02)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "test", [risk.acerbi_szekely_z1, risk.acerbi_szekely_z2, risk.acerbi_szekely_z3]
)
def test_shortfall_tests_keep_their_size_and_see_fat_tails(test) -> None:
    from scipy.stats import binomtest

    rng = np.random.default_rng(11)
    forecast, runs = normal(), 30
    rejected = 0
    for n in range(runs):
        drawn = rng.standard_normal(DAYS)
        drawn[0] = -4.0 if test is risk.acerbi_szekely_z1 and drawn.min() > -1.96 else drawn[0]
        rejected += test(drawn, forecast, simulations=99, seed=n).rejects(0.1001)
    assert binomtest(rejected, runs, 0.1).pvalue > 1e-3
    fat = 1.5 * rng.standard_t(3, DAYS)
    seen = test(fat, forecast, simulations=300)
    assert seen.p_value < 0.02
    assert seen.statistic < 0


def test_the_expected_tail_is_the_mean_of_the_worst_draws() -> None:
    rng = np.random.default_rng(12)
    drawn = np.sort(rng.standard_normal((20_000, DAYS)), axis=1)[:, :6].mean()
    assert _expected_tail(normal(), DAYS, 6)[0] == pytest.approx(drawn, rel=5e-3)


def test_history_as_a_forecast() -> None:
    rng = np.random.default_rng(13)
    table = np.tile(rng.standard_normal(500), (DAYS, 1))
    forecast = risk.EmpiricalForecast(table)
    assert forecast.var(0.99)[0] == risk.historical_var(table[0], 0.99).value
    assert forecast.es(0.975)[0] == pytest.approx(risk.historical_es(table[0], 0.975).value)
    drawn = rng.choice(table[0], DAYS)
    assert risk.acerbi_szekely_z2(drawn, forecast, simulations=500).p_value > 0.01
    assert forecast.probability(forecast.quantile(np.full(DAYS, 0.31)))[0] == pytest.approx(
        0.31, abs=0.003
    )


@pytest.mark.no_cover
def test_multinomial_tests_keep_their_size_and_agree_with_scipy() -> None:
    from scipy.stats import binomtest, chisquare

    counts = (240, 2, 3, 2, 3)
    found = risk.multinomial_counts(counts)
    expected = np.array([0.975, *[0.00625] * 4]) * 250
    ours = (found.pearson.statistic, found.pearson.p_value)
    assert ours == pytest.approx(tuple(chisquare(counts, expected)), rel=1e-6)
    rng = np.random.default_rng(14)
    runs = 25
    nass = sum(risk.multinomial_test(rng.random(DAYS)).nass.rejects(0.2) for _ in range(runs))
    assert binomtest(nass, runs, 0.2).pvalue > 1e-3
    fat = 1 - normal().probability(1.2 * rng.standard_t(3, DAYS))
    seen = risk.multinomial_test(fat)
    assert seen.likelihood_ratio.rejects(0.01)
    assert seen.nass.rejects(0.01)
    assert sum(seen.counts) == DAYS


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: risk.kupiec(5, 0), "0 observations"),
        (lambda: risk.kupiec(5, 4), "5 exceptions"),
        (lambda: risk.kupiec(1, 10, 1.0), "level"),
        (lambda: risk.independence([True]), "hits"),
        (lambda: risk.independence([0, 2, 1]), "hits"),
        (lambda: risk.exceptions_of([0.1, math.nan], [0.1, 0.1]), "row 1"),
        (lambda: risk.exceptions_of([0.1], [0.1, 0.1]), "var"),
        (lambda: normal(scale=0.0), "scale"),
        (lambda: risk.acerbi_szekely_z2(np.zeros(3), normal()), "3 returns"),
        (lambda: risk.acerbi_szekely_z1(np.ones(DAYS), normal(), simulations=10), "no loss"),
        (lambda: risk.acerbi_szekely_z3(np.ones(20), normal(days=20)), "20 days"),
        (lambda: risk.multinomial_test([0.5, 1.5]), "outside"),
        (lambda: risk.multinomial_counts((3,)), "counts"),
        (lambda: risk.traffic_light_overlapping(1, horizon=0), "horizon"),
        (lambda: risk.StudentForecast(np.zeros(2), np.ones(2), 1.0), "degrees"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, word: str) -> None:
    with pytest.raises(DataProblem) as refused:
        call()
    assert word in f"{refused.value.what} {refused.value.where}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [("BTCUSDT", {"filtered": 25, "history": 27, "normal": 42}),
     ("ETHUSDT", {"filtered": 29, "history": 37, "normal": 46})],
)  # fmt: skip
def test_filtered_history_is_not_rejected_on_nine_years_of_a_real_market(
    shared_data: Path, symbol: str, expected: dict[str, int]
) -> None:
    # the table of docs/reference/risk-backtests.md
    import pandas as pd

    bars = pd.read_parquet(shared_data / "bars" / f"binance_{symbol}_1d.parquet")
    since = bars[(bars["timestamp"] >= "2018-01-01") & (bars["timestamp"] < "2026-08-01")]
    returns = np.diff(np.log(since["close"].to_numpy()))
    forecast = risk.rolling_filtered(returns, 0.99, window=500, refit_every=250, asymmetric=False)
    assert (forecast.es > forecast.var).all()
    past = np.lib.stride_tricks.sliding_window_view(returns, 500)[:-1]
    unfiltered = -np.partition(past, 5, axis=1)[:, 5]
    normal_var = risk.normal_tail(0.99).var * past.std(axis=1, ddof=1) - past.mean(axis=1)
    rejected = {}
    for name, var in (
        ("filtered", forecast.var), ("history", unfiltered), ("normal", normal_var)
    ):  # fmt: skip
        hits = risk.exceptions_of(returns[500:], var)
        assert (hits.size, int(hits.sum())) == (2_633, expected[name])
        tests = (
            risk.kupiec(int(hits.sum()), hits.size),
            risk.independence(hits),
            risk.conditional_coverage(hits),
        )
        rejected[name] = any(test.rejects(0.01) for test in tests)
    assert rejected == {
        "filtered": False, "history": symbol == "ETHUSDT", "normal": True
    }  # fmt: skip


@pytest.mark.no_cover
def test_simulated_p_values_keep_their_size_where_exceptions_are_few() -> None:
    from scipy.stats import binomtest

    rng = np.random.default_rng(15)
    runs, days = 80, [rng.random(250) < 0.02 for _ in range(80)]
    for test in (
        lambda d, n: risk.independence(d, simulations=99, seed=n),
        lambda d, n: risk.conditional_coverage(d, 0.98, simulations=99, seed=n),
    ):
        rejected = sum(test(d, n).rejects(0.1001) for n, d in enumerate(days) if d.any())
        assert binomtest(rejected, runs, 0.1).pvalue > 1e-3
    clustered = np.zeros(250, bool)
    clustered[100:104] = True
    assert risk.independence(clustered, simulations=999).p_value < 0.01
    assert risk.independence(clustered, simulations=999).method == "simulated, 999 orders"
    assert risk.independence(np.zeros(99, bool), simulations=99).p_value == 1.0
    with pytest.raises(DataProblem, match="simulations"):
        risk.conditional_coverage(clustered, simulations=5)
