"""The distributions, held against those of scipy.stats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import distributions as own

CHANCE = st.floats(1e-6, 1 - 1e-6)
DEGREES = st.integers(1, 400)


@given(chance=CHANCE, value=st.floats(-30, 30), degrees=DEGREES, centre=st.floats(-20, 20))
def test_prop_quantiles_densities_and_tails(
    chance: float, value: float, degrees: int, centre: float
) -> None:
    from scipy import stats

    near = {"rel": 1e-9, "abs": 1e-300}
    assert own.normal_quantile(chance) == pytest.approx(stats.norm.ppf(chance), **near)
    assert own.normal_probability(value) == pytest.approx(stats.norm.cdf(value), **near)
    assert own.normal_density(value) == pytest.approx(stats.norm.pdf(value), **near)
    assert own.student_quantile(chance, degrees) == pytest.approx(
        stats.t.ppf(chance, degrees), rel=1e-8, abs=1e-12
    )
    assert own.student_density(value, degrees) == pytest.approx(stats.t.pdf(value, degrees), **near)
    assert own.chi2_quantile(chance, degrees) == pytest.approx(
        stats.chi2.ppf(chance, degrees), **near
    )
    assert own.chi2_survival(value, degrees) == pytest.approx(stats.chi2.sf(value, degrees), **near)
    middle = min(max(chance, 0.001), 0.999)
    assert own.noncentral_t_quantile(middle, degrees + 2, centre) == pytest.approx(
        stats.nct.ppf(middle, degrees + 2, centre), rel=1e-6, abs=1e-9
    )


@given(trials=st.integers(1, 3_000), share=st.floats(0, 1), chance=CHANCE)
def test_prop_counts(trials: int, share: float, chance: float) -> None:
    from scipy import stats

    events = round(share * trials)
    assert own.binomial_probability(events, trials, chance) == pytest.approx(
        stats.binom.cdf(events, trials, chance), rel=1e-8, abs=1e-300
    )
    assert own.binomial_p_value(events, trials, chance) == pytest.approx(
        stats.binomtest(events, trials, chance).pvalue, rel=1e-6, abs=1e-12
    )


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_certain_outcome_has_a_p_value(chance: float) -> None:
    assert own.binomial_p_value(int(chance * 5), 5, chance) == 1.0
    assert own.binomial_p_value(2, 5, chance) == 0.0


def test_the_p_value_of_very_many_trials_takes_no_memory() -> None:
    assert own.binomial_p_value(10**9 // 100 + 10_000, 10**9, 0.01) == pytest.approx(
        2 * own.normal_probability(-10_000 / (10**9 * 0.01 * 0.99) ** 0.5), rel=0.05
    )
