"""Vaults and backups that nobody could open again are not made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oem_security import InputError, Keyring, MalformedError, ManifestError, VaultError
from oem_security.license.backup import backup_license, read_backup, restore_license
from oem_security.vault.kdf import KdfParameters
from oem_security.vault.vault import Vault

CHEAP = KdfParameters(19_456, 2, 1)
WORDS = "correct horse"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault.create(tmp_path / "api.vault", WORDS, CHEAP)
    made.put("binance/key", "s3cret")
    return made


def test_a_vault_never_grows_beyond_what_can_be_read_again(vault: Vault) -> None:
    with pytest.raises(InputError, match="can be read again"):
        vault.put_all({f"n{n}": "x" * 60_000 for n in range(300)})
    again = Vault.open(vault.path, WORDS)
    assert again.names() == vault.names() == ("binance/key",)
    vault.put("other", "x")  # it goes on
    assert Vault.open(vault.path, WORDS).get("other") == "x"


def test_half_a_surrogate_pair_is_no_secret_and_no_passphrase(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text"):
        vault.put("name", "\ud800")
    with pytest.raises(VaultError, match="no text"):
        Vault.create(tmp_path / "other.vault", "password\udcff", CHEAP)
    with pytest.raises(VaultError, match="no text"):
        Vault.open(vault.path, "password\udcff")


@pytest.mark.parametrize("left", ["folder", "large", "pipe", "dangling"])
def test_a_backup_is_recovered_whatever_stands_in_the_vaults_place(
    vault: Vault, tmp_path: Path, left: str
) -> None:
    vault.backup(tmp_path / "backup")
    vault.path.unlink()
    if left == "folder":
        vault.path.mkdir()
    elif left == "large":
        vault.path.write_bytes(bytes(17 << 20))
    elif left == "pipe":
        os.mkfifo(vault.path)
    else:
        vault.path.symlink_to(tmp_path / "nowhere")
    for _ in range(2):  # and a second time, over what is good now
        assert Vault.recover(vault.path, tmp_path / "backup", WORDS).get("binance/key") == "s3cret"
    assert Vault.open(vault.path, WORDS).get("binance/key") == "s3cret"
    assert os.path.lexists(tmp_path / "api.vault.replaced")


@pytest.mark.parametrize("left", ["folder", "pipe", "noise"])
def test_a_damaged_counter_does_not_keep_a_backup_from_being_recovered(
    vault: Vault, tmp_path: Path, left: str
) -> None:
    vault.backup(tmp_path / "backup")
    floor = tmp_path / "api.vault.floor"
    floor.unlink()
    if left == "pipe":
        os.mkfifo(floor)
    elif left == "noise":
        floor.write_bytes(b"\xff" * 5000)
    else:
        floor.write_bytes(b'{"version":77,')
    assert Vault.recover(vault.path, tmp_path / "backup", WORDS).version > (left == "folder") * 77
    assert not Vault.open(vault.path, WORDS).floor_missing


def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    Keyring.create(root / "secrets" / "keys")
    (root / "more").mkdir()
    return root


def test_a_backup_that_could_not_be_restored_is_not_made(tmp_path: Path) -> None:
    root = site(tmp_path)
    target = tmp_path / "backup"
    (root / "more" / "a:b").write_bytes(b"")
    with pytest.raises(ManifestError, match="another system"):
        backup_license(root, ["more"], target, WORDS, parameters=CHEAP)
    (root / "more" / "a:b").unlink()
    for n in range(3):
        (root / "more" / str(n)).write_bytes(os.urandom(6 << 20))
    with pytest.raises(InputError, match="a backup holds"):
        backup_license(root, ["more"], target, WORDS, parameters=CHEAP)
    (root / "more" / "0").write_bytes(bytes(9 << 20))
    with pytest.raises(MalformedError, match="larger than"):
        backup_license(root, ["more/0"], target, WORDS, parameters=CHEAP)
    assert not target.exists()


@pytest.mark.no_cover
def test_a_backup_of_very_many_files_is_restored(tmp_path: Path) -> None:
    root = site(tmp_path)
    for n in range(2_046):
        (root / "more" / f"{n}").write_bytes(b"%d" % n)
    target = tmp_path / "backup"
    made = backup_license(root, ["more"], target, WORDS, parameters=CHEAP)
    assert read_backup(target, WORDS)[0] == made
    restore_license(tmp_path / "new", target, WORDS)
    assert (tmp_path / "new" / "more" / "2045").read_bytes() == b"2045"
    (root / "more" / "one").write_bytes(b"")
    (root / "more" / "more").write_bytes(b"")
    with pytest.raises(InputError, match="a backup holds"):
        backup_license(root, ["more"], tmp_path / "other", WORDS, parameters=CHEAP)


@pytest.mark.no_cover
def test_a_backup_as_large_as_one_may_be_is_restored(tmp_path: Path) -> None:
    root = site(tmp_path)
    (root / "more" / "large").write_bytes(os.urandom((8 << 20) - 100_000))
    target = tmp_path / "backup"
    made = backup_license(root, ["more"], target, WORDS, parameters=CHEAP)
    assert read_backup(target, WORDS)[0] == made
