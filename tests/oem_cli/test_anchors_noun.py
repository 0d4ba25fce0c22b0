"""`oem anchors`: three holders at the vendor, one site that follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_shell import Shell


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("init")
    return shell


def test_a_site_follows_two_versions_that_two_holders_signed(oem: Shell) -> None:
    vendor, one, two, root = (oem.root / n for n in ("vendor", "1.json", "2.json", "b.root"))
    oem("anchors", "root", "--vendor", oem.root / "b", "--output", root)
    made = ("--vendor", vendor, "--root", root, "--threshold", "2", "--output", one)
    sha384 = oem("anchors", "begin", *made)["sha384"]
    oem("anchors", "install", one, "--sha384", sha384, code=4)  # one signature of two
    assert len(oem("anchors", "sign", one, "--vendor", oem.root / "b")["signed_by"]) == 2  # type: ignore[arg-type]
    oem("anchors", "install", one, code=3)
    assert oem("anchors", "install", one, "--sha384", sha384)["version"] == 1
    plan = oem("keys", "plan", "--purpose", "vendor", "--vendor", vendor)["plan"]
    who = ("--operator", "alice", "--reason", "yearly", "--vendor", vendor)
    oem("keys", "rotate", "--purpose", "vendor", "--execute", plan, *who)
    oem("anchors", "next", one, "--vendor", vendor, "--output", two)
    oem("anchors", "sign", two, "--vendor", oem.root / "b")
    done = oem("anchors", "install", two)
    assert (done["version"], len(done["vendors"])) == (2, 2)  # type: ignore[arg-type]
    oem("anchors", "install", one, "--sha384", sha384, code=4)
    assert oem("anchors", "show", two)["version"] == 2
    assert oem("verify")["ok"]


def test_a_vendor_asks_sites_for_a_third_signature(oem: Shell) -> None:
    vendor, one, two = (oem.root / n for n in ("vendor", "1.json", "2.json"))
    request, issued, listed = (oem.root / n for n in ("request", "license", "list"))
    who, kind = ("--vendor", vendor), "--post-quantum"
    oem("license", "anchors", *who, kind, "accepted", oem.root / "pub")
    oem("license", "trust", oem.root / "pub")
    oem("license", "request", "--feature", "paper", request)
    terms = ("--feature", "paper", "--days", "30", "--approved-by", "anna")
    oem("license", "issue", *who, *terms, kind, request, issued)
    oem("license", "install", issued)
    assert oem("anchors", "begin", *who, kind, "accepted", "--output", one)["post_quantum_keys"]
    oem("anchors", "install", one, "--sha384", oem("anchors", "show", one)["sha384"])
    oem("anchors", "next", one, *who, kind, "required", "--output", two)
    assert oem("anchors", "install", two)["post_quantum"] == "required"
    assert oem("license", "verify")["status"] == "valid"
    oem("license", "revocations", *who, listed)
    oem("license", "install", listed, code=4)
    oem("license", "revocations", *who, kind, listed)
    oem("license", "install", listed)
    assert oem("verify")["ok"]


def test_a_mistyped_vendor_folder_gets_no_keys(oem: Shell) -> None:
    lost = oem.root / "vedor"
    oem("anchors", "next", oem.root / "x", "--vendor", lost, "--output", oem.root / "y", code=3)
    oem("license", "revocations", "--vendor", lost, oem.root / "list", code=3)
    assert not lost.exists()


def test_files_that_are_none_are_refused(oem: Shell) -> None:
    noise, vendor = oem.root / "noise", oem.root / "vendor"
    noise.write_bytes(b"\xff\x00{}")
    for words in (("show", noise), ("install", noise), ("sign", noise, "--vendor", vendor)):
        oem("anchors", *words, code=3)
    made = ("--vendor", vendor, "--output", oem.root / "x")
    oem("anchors", "begin", *made, "--root", noise, code=3)
    oem("anchors", "begin", *made, "--threshold", "3", code=3)
    oem("anchors", "next", noise, *made, code=3)
