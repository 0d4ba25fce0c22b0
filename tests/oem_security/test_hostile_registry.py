"""Registries, logs and memories that grow, crash half way, or are written by who has the keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oem_security import (
    InputError,
    Keyring,
    ManifestError,
    ManifestVersions,
    OemSecurityError,
    make_manifest,
    read_journal,
    verify_journal,
)
from oem_security.envelope.policy import PayloadType, site_pins
from oem_security.journal.keys import JournalKeys
from oem_security.license import issue
from oem_security.license.registry import REVOKED, read_registry
from oem_security.manifest.manifest import Manifest, read_manifest
from oem_security.manifest.tree import FileEntry
from oem_security.manifest.trust import Whitelist
from security_journal import journal_id, write_log
from security_licenses import OTHER, Trade

NOW = "2026-01-02T03:04:05Z"


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def test_a_rebinding_that_crashes_half_way_leaves_one_licence_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = Trade.begin(tmp_path)
    held = trade.licensed()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(issue, "_revoke", crash)
        with pytest.raises(KeyboardInterrupt):
            trade.rebind(held)
    found = read_registry(trade.registry, trade.vendor)
    assert found.issued[held.license_id].revision == 2
    assert found.revoked[held.license_id].revision == 1
    trade.take_list(trade.publish())
    with pytest.raises(OemSecurityError, match="revoked"):
        trade.verify()


def test_a_rebinding_still_reads_in_the_registry_as_a_revocation(tmp_path: Path) -> None:
    trade = Trade.begin(tmp_path)
    trade.rebind(trade.licensed(), OTHER)
    assert len(list(read_journal(trade.registry, trade.vendor, {REVOKED}))) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "5"),
        ("kind", "null"),
        ("kind", "[]"),
        ("time", "5"),
        ("time", '"soon"'),
        ("seq", "true"),
        ("body", "[]"),
        ("prev", "1"),
        ("kid", "{}"),
    ],
)
def test_a_line_of_wrong_types_under_a_right_mac_is_a_typed_error(
    tmp_path: Path, keys: Keyring, field: str, value: str
) -> None:
    log = tmp_path / "log.jsonl"
    write_log(log, keys, 1)
    mac = JournalKeys(journal_id(log), keys).mac(1, 1)
    lines = log.read_bytes().splitlines()[:3]
    parts = json.loads(lines[2])
    parts.pop("mac")
    texts = {n: json.dumps(v, separators=(",", ":")) for n, v in parts.items()} | {field: value}
    head = "{" + ",".join(f'"{name}":{text}' for name, text in texts.items())
    lines[2] = f'{head},"mac":"{mac.hexdigest(head.encode())}"}}'.encode()
    log.write_bytes(b"\n".join([*lines, b""]))
    log.with_name("log.jsonl.head").unlink()
    with pytest.raises(OemSecurityError):
        [record.time_ns for record in read_journal(log, keys)]
    if value != '"soon"':  # the time's words are looked at by whoever asks for them
        with pytest.raises(OemSecurityError):
            verify_journal(log, keys)


def read(path: Path, keys: Keyring) -> Manifest:
    return read_manifest(path, PayloadType.SITE_MANIFEST, site_pins(keys))


def test_manifest_version_sealed_twice_with_other_content(tmp_path: Path, keys: Keyring) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    versions = ManifestVersions(tmp_path / "seen.json", keys)
    (tree / "a").write_bytes(b"1")
    first = make_manifest(tree, keys, name="core", version=1).read_bytes()
    versions.accept(read(tree / "MANIFEST.dsse.json", keys))
    versions.accept(read(make_manifest(tree, keys, name="core", version=1), keys))  # sealed again
    (tree / "a").write_bytes(b"2")
    second = read(make_manifest(tree, keys, name="core", version=1), keys)
    with pytest.raises(ManifestError, match="with other files"):
        versions.accept(second)
    versions.accept(read(make_manifest(tree, keys, name="core", version=2), keys))
    (tree / "MANIFEST.dsse.json").write_bytes(first)
    with pytest.raises(ManifestError, match="was accepted before"):
        versions.accept(read(tree / "MANIFEST.dsse.json", keys))


def test_versions_remembered_without_their_files_learn_them_once(
    tmp_path: Path, keys: Keyring
) -> None:
    from oem_security.envelope.dsse import seal_payload

    seen = tmp_path / "seen.json"
    payload = {"manifest_versions": {"core": 3}}
    seen.write_bytes(seal_payload(payload, PayloadType.DOCUMENT, keys))
    versions = ManifestVersions(seen, keys)
    with pytest.raises(ManifestError, match="was accepted before"):
        versions.accept(Manifest("core", 2, (), NOW))
    versions.accept(Manifest("core", 3, (), NOW))
    with pytest.raises(ManifestError, match="with other files"):
        versions.accept(Manifest("core", 3, (FileEntry("a", 0, "0" * 96),), NOW))


def test_a_full_memory_of_versions_refuses_and_stays_readable(
    tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oem_security.manifest.versions._MAX_BYTES", 4_000)
    versions = ManifestVersions(tmp_path / "seen.json", keys)
    names = (Manifest(f"name-{n}", 1, (), NOW) for n in range(100))
    with pytest.raises(ManifestError, match="is full"):
        any(map(versions.accept, names))
    versions.accept(Manifest("name-0", 1, (), NOW))


def test_a_full_whitelist_refuses_and_stays_readable(
    tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oem_security import KeyringKind

    monkeypatch.setattr("oem_security.manifest.trust._MAX_LIST", 2_000)
    vendor = Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)
    whitelist = Whitelist(tmp_path / "list.json", keys)
    (tmp_path / "bundle").mkdir()

    def allow(version: int) -> None:
        made = make_manifest(tmp_path / "bundle", vendor, name="b", version=version)
        whitelist.allow(made, operator="anna", reason="r" * 150, days=1)

    with pytest.raises(InputError, match="whitelist would have"):
        any(map(allow, range(1, 20)))
    assert whitelist.entries()
