"""A daemon looks at its licence again while it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oem_daemon import daemon as daemon_module
from oem_daemon.bootstrap import check_site, compose
from oem_daemon.compliance import Compliance
from oem_daemon.config.model import Client
from oem_daemon.daemon import Daemon
from oem_daemon.license_watch import LicenseWatch
from oem_daemon.provision import Vendor
from oem_daemon.site import Site
from oem_security import (
    Journal,
    Keyring,
    LicensePaths,
    SystemClock,
    install_revocations,
    publish_revocations,
    revoke_license,
)
from oem_security.clock import NS_PER_SECOND
from oem_security.license.state import read_state
from site_support import MadeSite, make_site


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    return make_site(tmp_path, bars=120)


def revoke(made: MadeSite, license_id: str) -> None:
    """Revoke the site's licence and bring it the list, as an operator would with a volume."""
    vendor = Vendor(made.root.parent / "vendor")
    keys = vendor.keyring()
    with Journal.open(vendor.registry, keys, subject="licences") as registry:
        revoke_license(license_id, keys, registry, approved_by="bob", reason="not paid")
        data = publish_revocations(keys, registry)
    site = made.site
    install_revocations(data, LicensePaths(site.licenses), Keyring.open(site.keys))


def watch_of(site: Site, **more: object) -> LicenseWatch:
    checked = check_site(site)
    return LicenseWatch(site, checked.keyring, checked.guard, **more)  # type: ignore[arg-type]


def test_a_licence_revoked_while_the_daemon_runs_stops_entries(made: MadeSite) -> None:
    watch = watch_of(made.site)
    facts = Compliance(watch, Client(), "paper").facts
    assert facts().licence_valid
    assert not watch.look()
    revoke(made, watch.guard.license.license_id)
    assert watch.look()
    assert not facts().licence_valid
    assert "revoked: not paid" in str(watch.refusal)
    assert not watch.look()  # the same answer again is no news


class Later:
    def __init__(self) -> None:
        self.hours = 0

    def now_ns(self) -> int:
        return SystemClock().now_ns() + self.hours * 3_600 * NS_PER_SECOND


def test_a_long_run_writes_down_the_time_so_that_a_clock_set_back_is_noticed(
    made: MadeSite,
) -> None:
    clock = Later()
    watch = watch_of(made.site, clock=clock)
    for clock.hours in range(1, 40):
        watch.look()
    state = read_state(LicensePaths(made.site.licenses).state, watch.keyring)
    assert state is not None
    assert state.time.floor_ns > SystemClock().now_ns() + 36 * 3_600 * NS_PER_SECOND
    clock.hours = 2
    assert watch.look()
    assert "it has been" in str(watch.refusal)


async def test_the_running_daemon_raises_an_alert_when_its_licence_is_revoked(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "WATCH_S", 0.05)
    daemon = Daemon(made.site, cycles=0)
    checked = check_site(made.site)
    parts = compose(made.site, checked, lambda _: None)
    with parts.resources:
        watching = asyncio.create_task(daemon._watch_license(parts))
        revoke(made, checked.guard.license.license_id)
        for _ in range(200):
            await asyncio.sleep(0.05)
            if daemon._alerts:
                break
        daemon._stop.set()
        await watching
    assert [alert.source for alert in daemon._alerts] == ["licence"]
    assert "revoked" in daemon._alerts[0].what
