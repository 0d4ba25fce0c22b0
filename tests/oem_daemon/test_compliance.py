"""Decisions ask licence and client as they stand at that moment, not as they stood at the start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oem_daemon.bootstrap import Parts, check_site, compose
from oem_daemon.compliance import Compliance
from oem_daemon.config.model import Client
from oem_daemon.license_watch import LicenseWatch
from oem_security import CapabilityGuard, Keyring
from oem_tco import Reason
from site_support import MadeSite, edit_config, make_site

DAY_NS = 86_400 * 10**9


class Hands:
    """A clock that a test turns."""

    def __init__(self, now_ns: int) -> None:
        self.at_ns = now_ns

    def now_ns(self) -> int:
        return self.at_ns


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    return make_site(tmp_path, bars=120)


def watching(made: MadeSite, guard: CapabilityGuard) -> LicenseWatch:
    return LicenseWatch(made.site, Keyring.open(made.site.keys), guard)


def test_a_licence_that_ends_while_the_daemon_runs_is_noticed(made: MadeSite) -> None:
    guard = check_site(made.site).guard
    clock = Hands(guard.license.ends_ns - 3 * DAY_NS)
    facts = Compliance(watching(made, replace(guard, clock=clock)), Client(), "paper").facts
    assert facts().licence_valid
    assert facts().licence_days_left == 3.0
    assert "paper" in facts().licence_features
    clock.at_ns += 3 * DAY_NS
    assert not facts().licence_valid
    assert facts().licence_days_left == 0.0


async def test_a_client_who_is_not_screened_trades_nothing(made: MadeSite) -> None:
    edit_config(made.site, "client: {kyc: true, aml: true}", "client: {kyc: false, aml: false}")
    parts = compose(made.site, check_site(made.site), lambda _: None)
    with parts.resources:
        await parts.router.start()
        await trades_nothing(parts)
        await parts.router.stop()


async def trades_nothing(parts: Parts) -> None:
    pipeline = parts.pipeline
    for _ in range(110):
        await pipeline.run_cycle()
    assert pipeline.decisions
    for decided in pipeline.decisions:
        assert {Reason.KYC, Reason.AML} <= set(decided.decision.reasons)
        assert decided.order_id == ""
    assert parts.store.orders() == ()
