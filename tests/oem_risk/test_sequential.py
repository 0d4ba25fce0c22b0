"""Verdicts that stay valid while paths are added: coverage at all times, measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import (
    DataProblem,
    LabProblem,
    Verdict,
    confidence_sequence,
    probability_gate,
    sequential_gate,
)
from oem_risk.measures.sequential import log_ratio, mixture_prior

STREAMS, TRIALS = 1_200, 3_000


def events(p: float, seed: int, streams: int = STREAMS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.random((streams, TRIALS), dtype=np.float32) < p, axis=1, dtype=np.int32)


def log_ratios(seen: np.ndarray, p: float, expected: float) -> np.ndarray:
    from scipy.special import betaln

    a, b = mixture_prior(expected)
    n = np.arange(1, seen.shape[1] + 1)
    mixed = betaln(a + seen, b + n - seen) - betaln(a, b)
    return mixed - seen * math.log(p) - (n - seen) * math.log1p(-p)


@pytest.mark.parametrize("p", [0.01, 0.05, 0.3])
def test_a_confidence_sequence_covers_at_all_times_at_once(p: float) -> None:
    # it misses when the ratio at the true probability ever reaches 1 / 0.05
    missed = (log_ratios(events(p, 1), p, 0.05).max(axis=1) >= math.log(20)).mean()
    # at most 5 %; three standard errors of a share of 5 % of 1,200 streams are 1.9 %
    assert missed <= 0.05 + 0.019
    assert missed > 0.003  # and it is no idle promise: it is nearly used up


def test_ordinary_intervals_looked_at_again_and_again_do_not_cover() -> None:
    from scipy.stats import binom

    looks = np.arange(64, TRIALS + 1, 64)
    seen = events(0.05, 2, 400)[:, looks - 1]
    # the exact interval leaves 5 % out when either tail beyond what was seen is below 2.5 %
    out = (binom.cdf(seen, looks, 0.05) < 0.025) | (binom.sf(seen - 1, looks, 0.05) < 0.025)
    assert out[:, -1].mean() < 0.06
    assert out.any(axis=1).mean() > 0.12


def first_verdicts(p: float, seed: int, streams: int, every: int) -> list[tuple[int, Verdict]]:
    """Return (paths, verdict) of each stream that is stopped at its first verdict."""
    seen = events(p, seed, streams)
    ratios = log_ratios(seen, 0.05, 0.05)[:, every - 1 :: every]
    found = []
    for stream, ratio in zip(seen, ratios, strict=True):
        if (ratio >= math.log(20)).any():
            n = (int(np.argmax(ratio >= math.log(20))) + 1) * every
            found.append((n, sequential_gate(int(stream[n - 1]), n, limit=0.05).verdict))
    return found


@pytest.mark.parametrize(("p", "wrong"), [(0.052, Verdict.PASS), (0.048, Verdict.FAIL)])
def test_stopping_at_the_first_verdict_is_seldom_wrong(p: float, wrong: Verdict) -> None:
    found = first_verdicts(p, 3, STREAMS, 128)
    assert all(verdict is not Verdict.INCONCLUSIVE for _, verdict in found)
    assert sum(verdict is wrong for _, verdict in found) / STREAMS <= 0.05
    assert len(found) < STREAMS  # so near the limit many runs rightly go on


@pytest.mark.parametrize(("p", "right"), [(0.01, Verdict.PASS), (0.15, Verdict.FAIL)])
def test_far_from_the_limit_few_paths_decide(p: float, right: Verdict) -> None:
    found = first_verdicts(p, 4, 200, 16)
    assert sum(verdict is right for _, verdict in found) > 190
    assert np.median([n for n, _ in found]) < 450


@given(
    trials=st.integers(1, 50_000),
    share=st.floats(0, 1),
    confidence=st.floats(0.5, 0.999),
    expected=st.floats(0.001, 0.999),
)
def test_prop_the_interval_holds_the_rate_and_ends_where_the_ratio_does(
    trials: int, share: float, confidence: float, expected: float
) -> None:
    s = round(share * trials)
    low, high = confidence_sequence(s, trials, confidence, expected=expected)
    assert 0 <= low <= s / trials <= high <= 1
    bound = -math.log(1 - confidence)
    for end in {low, high} - {0.0, 1.0}:
        found = log_ratio(s, trials, end, mixture_prior(expected))
        assert found == pytest.approx(bound, abs=1e-6 * trials + 1e-6)


@given(trials=st.integers(50, 5_000), share=st.floats(0, 0.2))
def test_prop_the_price_of_looking_is_a_wider_interval(trials: int, share: float) -> None:
    s = round(share * trials)
    once = probability_gate(s, trials, limit=0.05)
    always = sequential_gate(s, trials, limit=0.05)
    assert always.low <= once.low
    assert always.high >= once.high
    if always.verdict is not Verdict.INCONCLUSIVE:
        assert once.verdict is always.verdict


@pytest.mark.parametrize(("s", "n"), [(20, 1_000), (49, 1_000), (50, 1_000), (80, 1_000)])
def test_the_number_of_further_paths_would_decide_at_the_same_rate(s: int, n: int) -> None:
    gate = sequential_gate(s, n, limit=0.05)
    if gate.verdict is not Verdict.INCONCLUSIVE:
        assert gate.more_paths == 0
        return
    total = n + gate.more_paths
    rate = gate.estimate if abs(gate.estimate - 0.05) > 0.001 else 0.049
    later = sequential_gate(round(rate * total) - 1, total, limit=0.05)
    assert later.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("s", "n", "confidence", "expected"),
    [(0, 0, 0.95, 0.5), (2, 1, 0.95, 0.5), (-1, 3, 0.95, 0.5), (1, 2, 1.0, 0.5), (1, 2, 0.9, 0.0)],
)
def test_counts_that_cannot_be_are_refused(
    s: int, n: int, confidence: float, expected: float
) -> None:
    with pytest.raises(DataProblem) as refused:
        confidence_sequence(s, n, confidence, expected=expected)
    assert refused.value.remedy
    with pytest.raises(LabProblem):
        sequential_gate(1, 0, limit=0.05)
