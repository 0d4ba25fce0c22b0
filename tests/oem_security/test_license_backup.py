"""Backup and restore of a licence: every hash compared, nothing newer lost, nobody else's keys."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oem_security import (
    InputError,
    KdfParameters,
    Keyring,
    LicenseError,
    ManifestError,
    OemSecurityError,
    StateError,
    Vault,
    VaultError,
    verify_journal,
)
from oem_security.license.backup import backup_license, read_backup, restore_license
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import read_registry
from oem_security.license.verify import verify_license
from security_licenses import DAY, DEVICE, OTHER, At, Trade

CHEAP = KdfParameters(19_456, 2, 1)
WORDS = "correct horse"
PARTS = {"keys": "keys", "licenses": "licenses"}


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    made = Trade.begin(tmp_path / "site")
    made.licensed(list_max_age_days=90)
    made.take_list(made.publish())
    made.verify()
    return made


@pytest.fixture
def backup(trade: Trade, tmp_path: Path) -> Path:
    target = tmp_path / "backup"
    backup_license(
        tmp_path / "site", ("absent",), target, WORDS, parameters=CHEAP, clock=At(), **PARTS
    )
    return target


def restore(root: Path, backup: Path, words: str = WORDS) -> None:
    restore_license(root, backup, words, clock=At(), **PARTS)


def test_a_machine_installed_anew_is_licensed_again(backup: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    restore(fresh, backup)
    keyring, paths = Keyring.open(fresh / "keys"), LicensePaths(fresh / "licenses")
    verify_license(paths, keyring, DEVICE, clock=At()).require("paper")
    with pytest.raises(LicenseError, match="another device"):
        verify_license(paths, keyring, OTHER, clock=At())
    assert verify_journal(paths.registry, keyring, strict=True).closed
    assert read_registry(paths.registry, keyring).list_number == 1
    assert {p.stat().st_mode & 0o077 for p in fresh.rglob("*") if p.is_file()} == {0}
    restore(fresh, backup)  # once more: nothing is lost, nothing is wrong
    verify_license(paths, keyring, DEVICE, clock=At()).require("paper")


def test_a_backup_names_every_file_with_its_hash(backup: Path, tmp_path: Path) -> None:
    found, content = read_backup(backup, WORDS)
    names = {file.path for file in found.files}
    assert {"keys/keyring.json", "licenses/license.dsse.json", "licenses/state",
            "licenses/registry.jsonl", "licenses/revocations.dsse.json"} <= names  # fmt: skip
    assert not [name for name in names if name.endswith(".lock")]
    assert set(content) == names
    assert b"keyring" not in backup.read_bytes()


def test_a_backup_needs_its_passphrase_and_does_not_overwrite(
    backup: Path, trade: Trade, tmp_path: Path
) -> None:
    with pytest.raises(VaultError, match="passphrase"):
        restore(tmp_path / "fresh", backup, "wrong words")
    assert not (tmp_path / "fresh").exists()
    with pytest.raises(StateError):
        backup_license(tmp_path / "site", (), backup, WORDS, parameters=CHEAP, **PARTS)
    with pytest.raises(InputError):
        restore(tmp_path / "fresh", tmp_path / "none")


def test_a_changed_backup_restores_nothing(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for position in range(0, len(whole), len(whole) // 12):
        backup.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(OemSecurityError):
            restore(tmp_path / "fresh", backup)
    backup.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OemSecurityError):
        restore(tmp_path / "fresh", backup)
    assert not (tmp_path / "fresh").exists()


def forged(folder: Path, path: str, text: bytes, sha384: str) -> Path:
    vault = Vault.create(folder / "v", WORDS, CHEAP)
    file = {"path": path, "size": len(text), "sha384": sha384}
    listing = {"site": "0" * 16, "made": "2026-01-01T00:00:00Z", "files": [file]}
    vault.put_all({"backup": json.dumps(listing), "file/0/0": base64.b64encode(text).decode()})
    vault.backup(folder / "forged")
    return folder / "forged"


@pytest.mark.parametrize(
    ("path", "digest", "error"),
    [
        ("keys/keyring.json", "0" * 96, LicenseError),
        ("../keyring.json", None, ManifestError),
        ("/etc/passwd", None, ManifestError),
    ],
)
def test_a_backup_made_by_hand_is_held_to_its_hashes_and_its_place(
    tmp_path: Path, path: str, digest: str | None, error: type[Exception]
) -> None:
    import hashlib

    text = b"x" * 10
    made = forged(tmp_path, path, text, digest or hashlib.sha384(text).hexdigest())
    with pytest.raises(error):
        restore(tmp_path / "fresh", made)


def test_a_backup_never_replaces_what_is_newer(trade: Trade, backup: Path, tmp_path: Path) -> None:
    trade.clock.ns += DAY
    trade.take_list(trade.publish())
    with pytest.raises(StateError, match="newer"):
        restore(tmp_path / "site", backup)
    assert trade.verify().list_number == 2


def test_a_backup_puts_back_what_is_missing_and_keeps_what_went_on(
    trade: Trade, backup: Path, tmp_path: Path
) -> None:
    for path in (trade.paths.license, trade.paths.anchors):
        path.unlink()
    records = verify_journal(trade.paths.registry, trade.site).records
    rotated = trade.site.rotate(trade.site.purposes()[0], At())
    restore(tmp_path / "site", backup)
    trade.verify().require("paper")
    assert verify_journal(trade.paths.registry, trade.site).records > records
    assert Keyring.open(trade.site.directory).epochs == rotated.epochs


def test_a_damaged_registry_is_replaced(trade: Trade, backup: Path, tmp_path: Path) -> None:
    trade.paths.registry.write_bytes(trade.paths.registry.read_bytes().replace(b"paper", b"livee"))
    restore(tmp_path / "site", backup)
    verify_journal(trade.paths.registry, trade.site, strict=True)
    trade.verify()


def test_a_backup_of_another_site_is_refused(trade: Trade, backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Keyring.create(other / "keys")
    with pytest.raises(StateError, match="another site"):
        restore(other, backup)


def test_a_backup_moved_to_another_machine_needs_a_rebind(
    trade: Trade, backup: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh"
    restore(fresh, backup)
    moved = replace(
        trade, site=Keyring.open(fresh / "keys"), paths=LicensePaths(fresh / "licenses")
    )
    with pytest.raises(LicenseError, match="another device"):
        moved.verify(OTHER)
    held = read_registry(trade.registry, trade.vendor).issued.popitem()[1]  # type: ignore[attr-defined]
    moved.clock.ns += DAY
    moved.install(moved.rebind(held))
    moved.verify(OTHER).require("paper")
    shutil.rmtree(fresh)
