"""`oem mtls`: the authority of a site from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_shell import Shell


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("init")
    shell("mtls", "init", "--dns", "core.example", "--ip", "192.0.2.7")
    return shell


def test_certificates_are_issued_renewed_and_revoked(oem: Shell) -> None:
    first = oem("mtls", "status")
    assert first["crl_number"] == 1
    assert [c["standing"] for c in first["certificates"]] == ["in force"] * 2  # type: ignore[attr-defined]
    oem("mtls", "issue", "second", "--server", "--dns", "two.example")
    oem("mtls", "issue", "third", "--dns", "three.example", code=3)
    oem("mtls", "issue", "../x", code=3)
    assert oem("mtls", "renew")["renewed"] == []
    assert oem("mtls", "renew", "second")["name"] == "second"
    serial = oem("mtls", "status")["certificates"][2]["serial"]  # type: ignore[index]
    assert oem("mtls", "revoke", "second", "--serial", serial)["revoked"] == [serial]
    assert len(oem("mtls", "revoke", "second")["revoked"]) == 1  # type: ignore[arg-type]
    oem("mtls", "revoke", "second", code=3)


def test_lists_are_written_ahead_for_a_site_that_stays_offline(oem: Shell) -> None:
    assert oem("mtls", "crl", "--ahead", 3, "--days", 30) == {"number": 2, "ahead": 3}
    status = oem("mtls", "status")
    assert (status["crl_number"], status["crl_ahead"]) == (2, 3)
    assert len(list((oem.site / "secrets" / "mtls" / "crl.d").glob("*.pem"))) == 3
    oem("mtls", "crl", "--ahead", 99, code=3)
    assert oem("mtls", "crl")["number"] == 6


def test_the_rotation_registry_follows_every_change_and_verifies(oem: Shell) -> None:
    path = oem.site / "var" / "security" / "tls_rotation.json"
    before = path.read_text()
    oem("mtls", "issue", "auditor")
    assert "auditor" in path.read_text()
    assert oem("verify")["ok"]
    path.write_text(before)
    oem("verify", code=1)


def test_nothing_is_made_where_there_is_no_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Shell(tmp_path, capsys)("mtls", "init", code=3)
    assert not list(tmp_path.rglob("ca.*"))
