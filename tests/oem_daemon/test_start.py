"""What must hold before the daemon starts, and what it says when it does not."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from oem_daemon.bootstrap import check_site, compose
from oem_daemon.daemon import Daemon
from oem_daemon.errors import ConfigError, DataError, NotReady, PortTaken
from oem_daemon.site import Site
from oem_security import (
    Fingerprint,
    InputError,
    Keyring,
    LicenseError,
    SealError,
    probe_device,
    verify_license,
)
from oem_security.clock import parse_rfc3339
from oem_security.license.paths import LicensePaths
from site_support import MadeSite, edit_config, make_site


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    return make_site(tmp_path)


class FixedClock:
    def __init__(self, text: str) -> None:
        self._now = parse_rfc3339(text)

    def now_ns(self) -> int:
        return self._now


def test_a_complete_site_passes(made: MadeSite) -> None:
    checked = check_site(made.site)
    assert checked.guard.license.terms.features == ("paper",)
    assert checked.config.runtime.stage == "paper"


def test_a_site_without_keys_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="oem init"):
        check_site(Site(tmp_path))


def test_an_unsigned_change_of_the_configuration_stops_the_start(made: MadeSite) -> None:
    edit_config(made.site, "initial_cash: 100000", "initial_cash: 999999", sign=False)
    with pytest.raises(NotReady, match="oem config sign"):
        check_site(made.site)


def test_an_unknown_profile_is_named_with_what_is_allowed(made: MadeSite) -> None:
    edit_config(made.site, "risk_profile: balanced", "risk_profile: reckless", sign=False)
    with pytest.raises(ConfigError, match="conservative"):
        check_site(made.site)


def test_an_expired_licence_and_a_clock_before_its_issue_are_refused(made: MadeSite) -> None:
    paths, keyring = LicensePaths(made.site.licenses), Keyring.open(made.site.keys)
    with pytest.raises(LicenseError, match="expired"):
        verify_license(paths, keyring, probe_device(), clock=FixedClock("2099-01-01T00:00:00Z"))
    with pytest.raises(LicenseError, match="clock"):
        verify_license(paths, keyring, probe_device(), clock=FixedClock("2020-01-01T00:00:00Z"))


def test_a_licence_of_another_machine_is_refused(made: MadeSite) -> None:
    paths, keyring = LicensePaths(made.site.licenses), Keyring.open(made.site.keys)
    other = {name: f"another {name}" for name in probe_device()}
    with pytest.raises(LicenseError, match="another device"):
        verify_license(paths, keyring, other)
    assert Fingerprint.of(other).identity != Fingerprint.of(probe_device()).identity


def test_a_licence_that_does_not_grant_the_stage_is_refused(tmp_path: Path) -> None:
    made = make_site(tmp_path, features=("demo",))
    with pytest.raises(LicenseError, match="'paper'"):
        check_site(made.site)


def test_a_licence_with_a_changed_byte_is_refused(made: MadeSite) -> None:
    path = LicensePaths(made.site.licenses).license
    document = json.loads(path.read_text())
    payload = document["payload"]
    document["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    path.write_text(json.dumps(document))
    with pytest.raises(SealError):
        check_site(made.site)


def test_too_little_data_for_the_strategies_is_said(made: MadeSite) -> None:
    edit_config(made.site, "slow: 48", "slow: 500")
    with pytest.raises(DataError, match=r"500|501"):
        compose(made.site, check_site(made.site), lambda _: None)


@pytest.mark.parametrize("section", ["grpc", "metrics"])
async def test_a_port_in_use_is_named(made: MadeSite, section: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        edit_config(
            made.site,
            f"{section}: {{host: 127.0.0.1, port: 0}}",
            f"{section}: {{host: 127.0.0.1, port: {port}}}",
        )
        with pytest.raises(PortTaken, match=f"{section}.port"):
            await Daemon(made.site, cycles=0).run()
    assert not (made.site.runtime / "daemon.json").exists()
