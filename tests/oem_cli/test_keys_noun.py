"""`oem keys`: a dry run first, then exactly the plan that was shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_shell import Shell


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("init")
    return shell


WHO = ("--operator", "alice", "--reason", "yearly")


def test_keys_are_rotated_by_the_plan_that_was_shown(oem: Shell) -> None:
    assert oem("keys", "plan")["keys"] == []
    shown = oem("keys", "rotate", "--purpose", "document", "--purpose", "journal")
    assert shown["executed"] is False
    assert len(oem("keys", "status")["keys"]) == 5  # type: ignore[arg-type]
    same = ("keys", "rotate", "--purpose", "document", "--purpose", "journal")
    oem(*same, "--execute", "0" * 16, *WHO, code=8)
    oem(*same, "--execute", shown["plan"], code=3)
    done = oem(*same, "--execute", shown["plan"], *WHO)
    assert done["rotated"] == ["document/2", "journal/2"]
    oem(*same, "--execute", shown["plan"], *WHO, code=8)
    assert oem("journal", "verify", done["log"], "--strict")["ok"]
    assert oem("verify")["ok"]


def test_a_superseded_key_is_revoked_and_a_rule_changed(oem: Shell) -> None:
    oem("keys", "revoke", "token/1", *WHO, code=8)
    plan = oem("keys", "plan", "--purpose", "token")["plan"]
    oem("keys", "rotate", "--purpose", "token", "--execute", plan, *WHO)
    assert oem("keys", "revoke", "token/1", *WHO)["revoked"] == "token/1"
    oem("keys", "rule", "token", "--interval-days", "30", "--warn-days", "7", *WHO)
    oem("keys", "rule", "token", "--interval-days", "7", "--warn-days", "30", *WHO, code=3)
    oem("keys", "rule", "tokens", "--interval-days", "30", "--warn-days", "7", *WHO, code=3)
    keys = {k["key"]: k for k in oem("keys", "status")["keys"]}  # type: ignore[attr-defined]
    assert keys["token/2"]["interval_days"] == 30
    assert keys["token/1"]["standing"] == "revoked"


def test_vendor_keys_stand_apart(oem: Shell) -> None:
    vendor = oem.root / "vendor"
    oem("license", "anchors", oem.root / "anchors.json", "--vendor", vendor)
    plan = oem("keys", "plan", "--all", "--vendor", vendor)
    assert "vendor/1" in [k["key"] for k in plan["keys"]]  # type: ignore[attr-defined]
    oem("keys", "plan", "--purpose", "vendor", code=3)
    oem("keys", "rotate", "--all", "--execute", plan["plan"], *WHO, "--vendor", vendor)
    log = vendor / "key_rotation.jsonl"
    assert oem("journal", "verify", log, "--strict", "--vendor", vendor)["ok"]
    oem("journal", "verify", log, code=4)  # with the site's keys
