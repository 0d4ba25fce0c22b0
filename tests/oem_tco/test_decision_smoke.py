"""The smoke run: every rule a policy has is tried, and one that does not bite fails it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import DecisionOrchestrator, DecisionPolicy, Reason, Verdict, smoke
from oem_tco.decision.orchestrator import Decision
from tco_support import NOON_NS


def test_every_rule_of_the_shipped_policy_bites_for_every_profile() -> None:
    result = smoke(DecisionPolicy(), at_ns=NOON_NS)
    assert result.ok
    assert {case.profile for case in result.cases} == {"", "conservative", "aggressive"}
    assert set(result.without_rule) == {Reason.SYMBOL, Reason.HOURS}
    # three alternatives a profile more than there are cases
    assert result.replayed.checked == len(result.cases) + 3
    assert result.replayed.choices == len(result.cases)


def test_a_policy_with_every_rule_has_a_case_for_every_reason() -> None:
    rules = {"allowed_symbols": ["BTC/USDT"], "hours_utc": [22, 6], "weekdays": [1, 3]}
    policy = DecisionPolicy.model_validate({"compliance": rules, "rank_by": "amount"})
    result = smoke(policy, at_ns=NOON_NS)
    assert result.ok
    assert result.without_rule == ()


@settings(max_examples=15)
@given(
    st.floats(-10_000, 10_000), st.floats(0, 1), st.floats(0.01, 10_000),
    st.floats(-10_000, 10_000), st.floats(0, 10), st.sets(st.integers(1, 7), max_size=3),
)  # fmt: skip
def test_prop_the_smoke_of_any_policy_passes(
    edge: float, probability: float, cost: float, stressed: float, caution: float, days: set[int]
) -> None:
    policy = DecisionPolicy.model_validate(
        {
            "defaults": {
                "min_net_edge_bps": edge,
                "min_probability": probability,
                "max_cost_bps": cost,
                "min_stressed_net_edge_bps": stressed,
                "caution": caution,
            },
            "profiles": {},
            "compliance": {"weekdays": sorted(days)},
        }
    )
    assert smoke(policy, at_ns=NOON_NS).ok


def test_a_rule_that_does_not_bite_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = DecisionOrchestrator.decide

    def lenient(self: DecisionOrchestrator, inputs: Any) -> Decision:
        made = honest(self, inputs)
        if made.reasons == (Reason.KYC,):
            return Decision(made.decision_id, Verdict.ACCEPT, (), {}, 0.0, 0.0, 0.0)
        return made

    monkeypatch.setattr(DecisionOrchestrator, "decide", lenient)
    result = smoke(DecisionPolicy(), at_ns=NOON_NS)
    assert not result.ok
    assert {case.rule for case in result.cases if not case.ok} == {"kyc"}


def test_a_mode_the_policy_does_not_name_lets_nothing_pass() -> None:
    result = smoke(DecisionPolicy(), mode="moon", at_ns=NOON_NS)
    assert {case.rule for case in result.cases if not case.ok} == {"accepted", "alternative"}
