"""Licence, certificates, tokens and logs from the command line, as site and vendor use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oem_cli.__main__ import main


class Shell:
    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> dict[str, object]:
        got = main([*map(str, words), "--site", str(self.root / "site"), "--json"])
        printed = self._capsys.readouterr()
        assert got == code, printed.err
        assert "Traceback" not in printed.err
        return json.loads(printed.out) if printed.out else {"error": printed.err}


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("init")
    return shell


def test_a_licence_travels_between_site_and_vendor(oem: Shell) -> None:
    vendor, files = oem.root / "vendor", oem.root / "usb"
    files.mkdir()
    oem("license", "request", files / "request.json", "--feature", "paper", code=3)
    oem("license", "anchors", files / "anchors.json", "--vendor", vendor)
    oem("license", "trust", files / "anchors.json")
    oem("license", "request", files / "request.json", "--feature", "paper")
    issued = ("issue", files / "request.json", files / "license.json", "--vendor", vendor)
    oem("license", *issued, "--feature", "paper", "--approved-by", "bob")
    oem("license", "verify", code=3)
    oem("license", "install", files / "license.json")
    held = oem("license", "verify")
    assert (held["features"], held["device"]) == (["paper"], "match")
    registry = oem("journal", "summary", oem.root / "site" / "var" / "licenses" / "registry.jsonl")
    kinds = registry["kinds"]
    assert isinstance(kinds, dict)
    assert {k: n for k, n in kinds.items() if not k.startswith("journal.")} == {
        "vendor.trusted": 1,
        "license.requested": 1,
        "license.installed": 1,
    }


def test_certificates_are_issued_renewed_and_revoked(oem: Shell) -> None:
    oem("mtls", "status", code=3)
    oem("mtls", "init")
    oem("mtls", "init", code=8)
    oem("mtls", "issue", "console")
    oem("mtls", "renew", "server")
    oem("mtls", "renew", "nobody", code=3)
    oem("mtls", "revoke", "console")
    oem("mtls", "revoke", "console", code=3)
    assert oem("mtls", "crl")["number"] == 3
    listed = oem("mtls", "status")["certificates"]
    assert isinstance(listed, list)
    assert [(c["name"], bool(c["revoked"])) for c in listed] == [
        ("server", False),
        ("client", False),
        ("console", True),
        ("server", False),
    ]


def test_a_token_is_issued_and_inspected(oem: Shell) -> None:
    made = oem("token", "issue", "--subject", "alice", "--role", "auditor", "--days", 2)
    path = Path(str(made["token_file"]))
    assert path.stat().st_mode & 0o077 == 0
    shown = oem("token", "inspect", path)
    assert (shown["subject"], shown["roles"]) == ("alice", ["auditor"])
    oem("token", "issue", "--subject", "../alice", "--role", "auditor", code=3)
    oem("token", "inspect", oem.root / "none", code=3)


def test_a_changed_log_ends_in_one_line_that_names_the_place(oem: Shell) -> None:
    from oem_daemon.site import Site
    from oem_security import Journal, Keyring

    site = Site(oem.root / "site")
    log = site.decision_log("paper")
    with Journal.open(log, Keyring.open(site.keys)) as journal:
        journal.append("note", {"text": "hello"})
    assert oem("journal", "verify", log, "--strict")["ok"] is True
    log.write_bytes(log.read_bytes().replace(b"hello", b"hallo"))
    said = oem("journal", "verify", log, code=4)
    assert ":2" in str(said["error"])


def test_costs_without_a_ledger_are_refused_with_a_remedy(oem: Shell) -> None:
    assert "trade first" in str(oem("tco", "analyze", code=7)["error"])


def test_a_token_is_revoked_by_its_file_or_its_identifier(oem: Shell) -> None:
    issued = oem("token", "issue", "--subject", "alice", "--role", "operator")
    shown = oem("token", "inspect", issued["token_file"])
    why = ["--operator", "bob", "--reason", "lost"]
    done = oem("token", "revoke", issued["token_file"], *why)
    assert done["revoked"] == shown["id"]
    assert oem("token", "revoke", shown["id"], *why)["revoked"] == shown["id"]
    refused = oem("token", "revoke", "not-an-id", *why, code=3)
    assert "oem token inspect" in str(refused["error"])


def test_a_folder_is_held_against_its_manifest(oem: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "a").write_text("x")
    for version in (1, 2):
        oem("manifest", "create", folder, "--name", "core", "--version", version)
        assert oem("manifest", "verify", folder)["files"] == 1
    oem("manifest", "create", folder, "--name", "core", "--version", 1)
    assert "accepted before" in str(oem("manifest", "verify", folder, code=4)["error"])
    oem("manifest", "create", folder, "--name", "core", "--version", 3)
    (folder / "a").write_text("y")
    assert "bundle/a" in str(oem("manifest", "verify", folder, code=4)["error"])


def test_a_licence_is_carried_by_qr_code_and_usb_volume(oem: Shell) -> None:
    vendor, stick = oem.root / "vendor", oem.root / "stick"
    stick.mkdir()
    oem("license", "anchors", stick / "anchors.json", "--vendor", vendor)
    oem("license", "trust", stick / "anchors.json")
    oem("license", "request", stick / "request.json", "--feature", "paper")
    oem("license", "issue", stick / "request.json", stick / "license.json", "--vendor", vendor,
        "--feature", "paper", "--approved-by", "bob", "--list-max-age-days", 30)  # fmt: skip
    code = stick / "code.png"
    made = oem("license", "export", stick / "license.json", "--qr", code, "--usb", stick)
    assert made["characters"] <= 700  # type: ignore[operator]
    for source in (("--qr", code), ("--usb", stick), ("--text", made["activation"])):
        oem("license", "activate", *source)
    (stick / "mail.txt").write_text(str(made["activation"]))
    oem("license", "install", stick / "mail.txt")
    oem("license", "activate", "--text", "OEM1.nonsense", code=3)
    oem("license", "verify", "--require", "live", code=4)
    oem("license", "revocations", stick / "list.json", "--vendor", vendor)
    oem("license", "install", stick / "list.json")
    held = oem("license", "verify", "--validate-registry", "--require", "paper")
    assert (held["status"], held["trust"], held["revocation_list"]) == ("valid", "vendor", 1)


def test_a_licence_is_renewed_revoked_and_restored_from_a_backup(
    oem: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, files = oem.root / "vendor", oem.root / "files"
    files.mkdir()
    monkeypatch.setenv("WORDS", "correct horse")
    oem("license", "anchors", files / "anchors.json", "--vendor", vendor)
    oem("license", "trust", files / "anchors.json")
    oem("license", "request", files / "q1.json", "--feature", "paper")
    by = ("--vendor", vendor, "--approved-by", "bob")
    oem("license", "issue", files / "q1.json", files / "l1.json", *by, "--feature", "paper")
    oem("license", "install", files / "l1.json")
    oem("license", "backup", files / "old", "--passphrase-env", "WORDS")
    oem("license", "request", files / "q2.json", "--renew")
    oem("license", "renew", files / "q2.json", files / "l2.json", *by, "--grace-days", 5)
    oem("license", "install", files / "l2.json")
    oem("license", "install", files / "l1.json", code=4)
    assert oem("license", "verify")["revision"] == 2
    oem("license", "restore", files / "old", "--passphrase-env", "WORDS", code=8)
    oem("license", "backup", files / "new", "--passphrase-env", "WORDS")
    again = Shell(oem.root / "again", oem._capsys)
    again("license", "restore", files / "new", "--passphrase-env", "WORDS", "--check")
    again("license", "restore", files / "new", "--passphrase-env", "WORDS")
    held = again("license", "verify", "--validate-registry")
    assert held["revision"] == 2
    oem("license", "revoke", held["license_id"], *by, "--reason", "not paid")
    oem("license", "revocations", files / "list.json", "--vendor", vendor)
    oem("license", "install", files / "list.json")
    oem("license", "verify", code=4)
    listed = oem("license", "registry", "--vendor", vendor)["licenses"]
    assert isinstance(listed, list)
    assert listed[0]["status"] == "revoked: not paid"


def test_a_device_and_an_unsigned_bundle_are_judged_in_words(oem: Shell) -> None:
    oem("fingerprint", "verify", code=3)
    assert "machine_id" in oem("fingerprint", "show")["components"]  # type: ignore[operator]
    oem("license", "self-sign", "--feature", "paper", "--operator", "eve")
    assert oem("fingerprint", "verify")["match"] == "match"
    assert oem("license", "verify")["trust"] == "self-signed"
    oem("license", "self-sign", "--feature", "live", "--operator", "eve", code=4)
    missing = ("--module", "/nowhere.so", "--token", "t", "--key", "k", "--pin-file", "/nowhere")
    oem("fingerprint", "dongle", *missing, code=3)
    bundle = oem.root / "bundle"
    bundle.mkdir()
    (bundle / "a").write_text("a")
    vendor = Shell(oem.root / "maker", oem._capsys)
    vendor("license", "anchors", oem.root / "a.json", "--vendor", oem.root / "maker")
    made = ("create", bundle, "--name", "core", "--version", 1, "--vendor", oem.root / "maker")
    oem("manifest", *made)
    oem("manifest", "verify", bundle, "--bundle", code=4)
    oem("manifest", "whitelist", bundle, "--operator", "eve", "--reason", "no certificate")
    assert oem("manifest", "verify", bundle, "--bundle")["trust"] == "whitelisted"
    oem("license", "trust", oem.root / "a.json")
    assert oem("manifest", "verify", bundle, "--bundle")["trust"] == "vendor"
