"""One rule sizes what the lab simulates and what is traded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oem_risk import (
    LabProblem,
    annualised_volatility,
    order_parts,
    shipped_profile,
    shipped_profiles,
    sized_exposure,
)


def test_a_quiet_symbol_is_scaled_up_and_a_wild_one_down_to_the_volatility_target() -> None:
    limits = shipped_profile("aggressive")
    assert sized_exposure([1.0], [0.8], limits) == pytest.approx([0.5])
    # twice the leverage limit would be needed: the position limit comes first
    assert sized_exposure([1.0], [0.1], limits) == pytest.approx([0.75])


def test_a_target_of_nothing_is_no_exposure() -> None:
    assert not sized_exposure(np.zeros((2, 3)), [0.5, 0.0], shipped_profiles()[0]).any()


@given(
    targets=arrays(np.float64, (3, 4), elements=st.floats(-1, 1)),
    volatility=arrays(np.float64, (3,), elements=st.floats(0, 4)),
    number=st.integers(0, 3),
)
def test_prop_no_limit_is_exceeded_and_no_sign_is_turned(
    targets: np.ndarray, volatility: np.ndarray, number: int
) -> None:
    limits = shipped_profiles()[number]
    found = sized_exposure(targets, volatility, limits)
    assert (np.abs(found) <= limits.max_position * (1 + 1e-12)).all()
    assert (np.abs(found).sum(axis=0) <= limits.max_leverage * (1 + 1e-12)).all()
    together = (np.abs(found) * volatility[:, None]).sum(axis=0)
    assert (together <= limits.volatility_target * (1 + 1e-9)).all()
    assert (found * targets >= 0).all()
    assert sized_exposure(-targets, volatility, limits) == pytest.approx(-found)


def test_what_is_not_a_number_is_refused() -> None:
    limits = shipped_profiles()[0]
    for targets, volatility in (
        ([np.nan], [0.5]), ([1.0], [np.inf]), ([1.0], [-0.1]), ([1.0, 1.0], [0.5]), (1.0, [0.5]),
    ):  # fmt: skip
        with pytest.raises(LabProblem) as refused:
            sized_exposure(targets, volatility, limits)
        assert refused.value.remedy


def test_what_drifted_over_a_limit_is_given_up_though_it_is_within_the_band() -> None:
    limits = shipped_profile("balanced")  # position 35 %, leverage 1
    reduced, added = order_parts([0.35, 0.1], [0.36, 0.101], limits, band=0.1)
    assert reduced.tolist() == [0.35, 0.101]
    assert not added.any()
    crowd = [0.33, 0.33, 0.33, 0.02]
    reduced, _ = order_parts(crowd, [0.33, 0.33, 0.33, 0.021], limits, band=0.1)
    assert reduced.sum() == pytest.approx(sum(crowd))


def test_a_volatility_needs_finite_returns() -> None:
    for returns in ([0.1], [0.1, np.nan], 0.1):
        with pytest.raises(LabProblem):
            annualised_volatility(returns, 365.0)
