"""Variants of a proposal stand against each other; the choice is in the log and recomputes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import oem_tco
from oem_daemon.bootstrap import check_site, compose
from oem_daemon.config.reader import read_config
from oem_daemon.errors import ConfigError
from oem_security import Keyring, read_journal
from oem_tco import CandidateKind, Reason, Verdict
from site_support import edit_config, make_site

D = Decimal


async def test_the_orchestrator_chooses_between_sizes_and_the_log_recomputes_it(
    tmp_path: Path,
) -> None:
    made = make_site(tmp_path, bars=110)
    # a thin book: what a whole order loses to its own impact, the half may earn
    edit_config(made.site, "depth_share: 0.1 ", "depth_share: 0.0005 ")
    edit_config(made.site, "risk_profile: balanced ", "risk_profile: aggressive ")
    parts = compose(made.site, check_site(made.site), lambda _: None)
    with parts.resources:
        await parts.router.start()
        parts.pipeline.restore()
        for _ in range(50):
            await parts.pipeline.run_cycle()
        decided = list(parts.pipeline.decisions)
        orders = {order.intent_id: order for order in parts.router.orders()}
        await parts.router.stop()
    groups: dict[str, list[tuple[oem_tco.Candidate, oem_tco.Decision]]] = {}
    for one in decided:
        made_, decision = one.inputs.candidate, one.decision
        assert (one.order_id != "") <= decision.accepted
        if made_.kind is CandidateKind.EXIT:
            assert made_.group == ""
        if made_.group:
            groups.setdefault(made_.group, []).append((made_, decision))
    assert len(groups) > 5
    taken_shares = set()
    for members in groups.values():
        (whole, first), (half, second) = members
        assert half.quantity == pytest.approx(whole.quantity / 2, rel=D("0.01"))
        accepted = [d for d in (first, second) if d.accepted]
        assert len(accepted) <= 1
        for decision in accepted:
            taken_shares.add(1 if decision is first else 2)
            assert decision.score == max(first.score, second.score)
            other = second if decision is first else first
            assert other.verdict is not Verdict.ACCEPT
            assert other.reasons
    assert Reason.ALTERNATIVE in {r for one in decided for r in one.decision.reasons}
    assert taken_shares == {1, 2}
    assert set(orders) == {one.order_id for one in decided if one.order_id}

    records = list(read_journal(made.site.decision_log("paper"), Keyring.open(made.site.keys)))
    choices = [r.body for r in records if r.kind == "decision.choice"]
    assert {str(body["group"]) for body in choices} == set(groups)
    assert all(set(body["scores"]) == set(body["members"]) for body in choices)
    replayed = oem_tco.replay((str(r.seq), r.kind, r.body) for r in records)
    assert replayed.differences == ()
    assert (replayed.checked, replayed.choices) == (len(decided), len(groups))
    # a choice that names another winner is found
    forged = [
        (
            str(r.seq),
            r.kind,
            {**r.body, "taken": "nobody"} if r.kind == "decision.choice" else r.body,
        )
        for r in records
    ]
    assert len(oem_tco.replay(forged).differences) == len(choices)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rank_by: amount", "rank_by: bps", "entry_sizes need decision_engine.rank_by amount"),
        ("[1.0, 0.5]", "[0.5]", "must begin with 1 and fall"),
        ("[1.0, 0.5]", "[1.0, 1.0]", "must begin with 1 and fall"),
        ("[1.0, 0.5]", "[1.0, 0]", "greater than 0"),
        ("rebalance_band: 0.1", "rebalance_band: 1.0", "less than 1"),
    ],
)
def test_sizes_that_cannot_be_chosen_between_are_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    made = make_site(tmp_path)
    edit_config(made.site, old, new, sign=False)
    with pytest.raises(ConfigError, match=message):
        read_config(made.site.config)
