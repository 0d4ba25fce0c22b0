"""`oem risk stress` on a site: every test, the sealed report, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oem_cli.__main__ import main
from oem_security import Keyring, verify_file


def oem(site: Path, *words: str) -> int:
    return main([*words, "--site", str(site)])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    place = tmp_path / "site"
    assert oem(place, "init") == 0
    return place


QUICK = """
[replay."2020-03-12"]
title = "a bad day"
start = 2020-03-12T00:00:00Z
hours = 24

[shock.fall]
title = "a fall"
shocks = { market = -0.3, alt = -0.1 }
"""


def test_recorded_days_are_replayed_and_sealed(
    site: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert oem(site, "config", "write", "--data", str(shared_data)) == 0
    (site / "config" / "stress.toml").write_text(QUICK)
    capsys.readouterr()
    assert oem(site, "risk", "stress", "--profile", "conservative", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "PASS"
    path = Path(said["report"])
    verify_file(path, Keyring.open(site / "secrets" / "keys"))
    report = json.loads(path.read_bytes())
    found = report["profiles"]["conservative"]
    assert [r["replay"] for r in found["replays"]] == ["2020-03-12"]
    assert [r["limit"] for r in found["reverse"]] == ["daily_loss", "drawdown", "leverage"]
    mildest = {m["scenario"]: m for m in found["mildest_scenarios"]}
    assert 0.3 < mildest["flash_crash"]["severity"] < 0.6
    assert mildest["flash_crash"]["stretches"] > 70_000
    assert report["synthetic_data"] is False
    # a shock that is told to decide decides
    gated = site / "gated.toml"
    gated.write_text(QUICK + "gate = true\n")
    words = ("risk", "stress", "--profile", "conservative", "--no-reverse")
    assert oem(site, *words, "--tests", str(gated)) == 1
    assert "FAIL" in capsys.readouterr().out


def test_days_without_data_leave_the_verdict_open(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert oem(site, "config", "write") == 0
    words = ("risk", "stress", "--profile", "conservative", "--no-reverse")
    assert oem(site, *words) == 6
    text = capsys.readouterr().out
    assert "2025-10-10: no data covers it" in text
    assert "SYNTHETIC" in text
    report = json.loads((site / "reports" / "stress" / "stress.json").read_bytes())
    assert report["verdict"] == "INCONCLUSIVE"
    assert report["synthetic_data"] is True
    assert oem(site, "risk", "stress", "--profile", "reckless") == 3
    assert oem(site, "risk", "stress", "--tests", str(site / "none.toml")) == 3
