"""The vault: what goes in comes out, and every attack on the file is noticed."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oem_security import (
    InputError,
    KdfParameters,
    MalformedError,
    OemSecurityError,
    StateError,
    StorageError,
    Vault,
    VaultError,
    read_fernet,
    read_plain,
)
from oem_security.vault.legacy import parse_plain
from oem_security.vault.vault import chosen, parse_vault, preview

CHEAP = KdfParameters(19_456, 2, 1)
WORDS = "correct horse battery"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "api.vault"


@pytest.fixture
def vault(path: Path) -> Vault:
    made = Vault.create(path, WORDS, CHEAP)
    made.put_all({"binance/key": "K", "binance/secret": "S", "kraken/key": "żółw"})
    return made


def changed(path: Path, change) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value, separators=(",", ":"), sort_keys=True))


def test_what_goes_in_comes_out(path: Path, vault: Vault) -> None:
    again = Vault.open(path, WORDS)
    assert again.names() == ("binance/key", "binance/secret", "kraken/key")
    assert again.get("kraken/key") == "żółw"
    again.put("binance/key", "K2-in-no-base64")
    again.remove("kraken/key")
    third = Vault.open(path, WORDS)
    assert (third.get("binance/key"), third.names()) == (
        "K2-in-no-base64",
        ("binance/key", "binance/secret"),
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"K2-in" not in path.read_bytes()
    with pytest.raises(VaultError, match="no such secret"):
        third.get("kraken/key")


def test_a_wrong_passphrase_opens_nothing(path: Path, vault: Vault) -> None:
    with pytest.raises(VaultError, match="passphrase is wrong"):
        Vault.open(path, "incorrect horse")
    with pytest.raises(VaultError, match="fewer than 8"):
        Vault.create(path.with_name("other"), "short", CHEAP)
    with pytest.raises(StateError, match="already"):
        Vault.create(path, WORDS, CHEAP)


def test_parameter_downgrade(path: Path, vault: Vault) -> None:
    changed(path, lambda v: v["kdf"].update(memory_kib=8, iterations=1))
    with pytest.raises(MalformedError, match="memory_kib"):
        Vault.open(path, WORDS)


def test_parameters_changed_within_their_bounds(path: Path, vault: Vault) -> None:
    changed(path, lambda v: v["kdf"].update(iterations=3))
    with pytest.raises(VaultError):
        Vault.open(path, WORDS)
    with pytest.raises(InputError, match="memory_kib"):
        KdfParameters(memory_kib=1 << 30)


def test_ciphertext_moved_to_another_name(path: Path, vault: Vault) -> None:
    changed(path, lambda v: v["secrets"].update({"kraken/key": v["secrets"]["binance/key"]}))
    with pytest.raises(VaultError, match="changed"):
        Vault.open(path, WORDS)
    # even where the tag over the file were right, the name is bound to the value
    inner = vault._content.secrets
    swapped = {**inner, "kraken/key": inner["binance/key"]}
    object.__setattr__(vault._content, "secrets", swapped)
    with pytest.raises(VaultError, match="under this name"):
        vault.get("kraken/key")


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["secrets"].pop("kraken/key"),
        lambda v: v.update(version=v["version"] + 1),
        lambda v: v["secrets"]["kraken/key"].update(version=2),
        lambda v: v.update(tag=base64.b64encode(bytes(48)).decode()),
    ],
)
def test_whatever_is_removed_or_changed_is_noticed(path: Path, vault: Vault, change) -> None:
    changed(path, change)
    with pytest.raises(VaultError):
        Vault.open(path, WORDS)


def test_old_file_put_back(path: Path, vault: Vault) -> None:
    old = path.read_bytes()
    vault.put("binance/key", "new")
    path.write_bytes(old)
    with pytest.raises(VaultError, match="version 2, and version 3 was seen"):
        Vault.open(path, WORDS)


def test_old_file_put_back_after_the_passphrase_was_changed(path: Path, vault: Vault) -> None:
    old = path.read_bytes()
    vault.rotate("another passphrase")
    path.write_bytes(old)
    with pytest.raises(VaultError, match="was seen before"):
        Vault.open(path, WORDS)


@pytest.mark.parametrize("size", [0, 1, 100, -2, -20])
def test_truncation(path: Path, vault: Vault, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(OemSecurityError):
        Vault.open(path, WORDS)


def test_a_lost_counter_is_said(path: Path, vault: Vault) -> None:
    path.with_name("api.vault.floor").unlink()
    found = Vault.open(path, WORDS)
    assert found.floor_missing
    found.put("a", "b")
    assert not Vault.open(path, WORDS).floor_missing


def test_crash_in_the_middle_of_a_write(path: Path, vault: Vault) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom oem_security import Vault\n"
        f"vault = Vault.open(Path({str(path)!r}), {WORDS!r})\nprint('open', flush=True)\n"
        "n = 0\nwhile True:\n    n += 1\n    vault.put('count', str(n))\n"
        "    print(n, flush=True)\n"
    )
    for pause in (0, 2, 5):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(2 + pause):
                last = writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split()
        done = int(rest[-1] if rest else last)
        assert int(Vault.open(path, WORDS).get("count")) in (done, done + 1)


def test_rotation_keeps_every_secret(path: Path, vault: Vault) -> None:
    vault.rotate("another passphrase", KdfParameters(20_000, 2, 1))
    with pytest.raises(VaultError):
        Vault.open(path, WORDS)
    found = Vault.open(path, "another passphrase")
    assert found.get("kraken/key") == "żółw"
    assert found.parameters.memory_kib == 20_000


def test_a_backup_is_recovered_and_the_counter_goes_on(
    path: Path, vault: Vault, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.vault"
    vault.backup(backup)
    vault.put("binance/key", "later")
    later = path.read_bytes()
    path.write_bytes(b"destroyed")
    found = Vault.recover(path, backup, WORDS)
    assert found.get("binance/key") == "K"
    assert path.with_name("api.vault.replaced").read_bytes() == b"destroyed"
    path.write_bytes(later)
    with pytest.raises(VaultError, match="was seen before"):
        Vault.open(path, WORDS)
    changed(backup, lambda v: v.update(version=9))
    with pytest.raises(VaultError, match="backup was changed"):
        Vault.recover(path, backup, WORDS)
    with pytest.raises(StateError):
        found.backup(backup)


def test_two_processes_do_not_overwrite_each_other(path: Path, vault: Vault) -> None:
    other = Vault.open(path, WORDS)
    vault.put("a", "1")
    with pytest.raises(StateError, match="another process"):
        other.put("b", "2")
    assert Vault.open(path, WORDS).names()[0] == "a"


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "x"), ("../up", "x"), ("a" * 129, "x"), ("ok", "x" * 70_000), ("sp ace", "x")],
)
def test_bad_names_and_values_store_nothing(vault: Vault, name: str, value: str) -> None:
    with pytest.raises(InputError):
        vault.put_all({"good": "1", name: value})
    assert "good" not in vault.names()


def test_old_secrets_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("binance:\n  key: K\n  secret: S\nport: 8080\n")
    (tmp_path / "a.json").write_text('{"binance":{"key":"K","secret":"S"},"port":8080}')
    (tmp_path / "a.env").write_text("# keys\nexport KEY='K'\nSECRET=S=1\n\n")
    nested = {"binance/key": "K", "binance/secret": "S", "port": "8080"}
    assert read_plain(tmp_path / "a.yaml") == nested
    assert read_plain(tmp_path / "a.json") == nested
    assert read_plain(tmp_path / "a.env") == {"KEY": "K", "SECRET": "S=1"}
    assert chosen(nested, ["binance*"], ["*secret"]) == {"binance/key": "K"}
    assert preview(nested, [], ["port"]) == (("binance/key", 1), ("binance/secret", 1))


def test_a_fernet_file_with_its_salt_is_taken_over(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    salt = b"0123456789abcdef"
    key = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=salt, iterations=1_000).derive(b"old one")
    path = tmp_path / "old.bin"
    path.write_bytes(Fernet(base64.urlsafe_b64encode(key)).encrypt(b'{"a":{"b":"c"}}'))
    found = read_fernet(path, "old one", salt, iterations=1_000, ending=".json")
    assert found == {"a/b": "c"}
    for wrong in ({"passphrase": "other"}, {"salt": b"x" * 16}, {"iterations": 1_001}):
        arguments = {"passphrase": "old one", "salt": salt, "iterations": 1_000, **wrong}
        with pytest.raises(VaultError):
            read_fernet(path, ending=".json", **arguments)


@given(st.binary(max_size=200))
def test_noise_is_never_a_vault(data: bytes) -> None:
    with pytest.raises(OemSecurityError):
        parse_vault(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_mutated_vault_is_an_error_or_parses(vault: Vault, data: st.DataObject) -> None:
    raw = bytearray(vault.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_vault(bytes(raw))
    except OemSecurityError:
        return


@given(st.binary(max_size=120), st.sampled_from([".json", ".yaml", ".env", ".toml"]))
def test_noise_in_an_old_file_is_an_error_or_secrets(data: bytes, ending: str) -> None:
    try:
        parse_plain(data, ending, "file")
    except OemSecurityError:
        return


def test_work_factors_that_would_exhaust_the_machine_are_refused(path: Path, vault: Vault) -> None:
    with pytest.raises(InputError, match="passes"):
        KdfParameters(4 << 20, 8, 1)
    changed(path, lambda v: v["kdf"].update(memory_kib=4 << 20, iterations=64))
    with pytest.raises(MalformedError, match="iterations"):
        Vault.open(path, WORDS)


def test_memory_that_is_not_there_is_an_error_with_a_remedy(path: Path, vault: Vault) -> None:
    changed(path, lambda v: v["kdf"].update(memory_kib=2 << 20))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from oem_security import Vault, VaultError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "try: Vault.open(Path(sys.argv[1]), 'correct horse battery')\n"
        "except VaultError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert "cannot give the 2097152 KiB" in told.stdout


def test_a_recovery_that_is_cut_short_leaves_the_vault_that_was_there(
    path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.backup(path.with_name("backup"))
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError):
        Vault.recover(path, path.with_name("backup"), WORDS)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert Vault.open(path, WORDS).get("binance/key") == "K"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a\n  b: *a\n", "neither text nor"),
        ("{a: " * 200, "not YAML|neither text"),
        ("a: 1\na: 2\n", "not YAML"),
        ("a:\n  b: x\na/b: y\n", "named twice"),
        ("a: [1, 2]\n", "neither text nor"),
        (
            "a0: &a0 {x: y}\n"
            + "".join(
                f"a{n}: &a{n} {{{', '.join(f'k{k}: *a{n - 1}' for k in range(10))}}}\n"
                for n in range(1, 8)
            ),
            "more than 50000 names",
        ),
    ],
)
def test_yaml_that_turns_back_or_multiplies_is_refused(text: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse_plain(text.encode(), ".yaml", "old.yaml")


def test_yaml_secrets_are_taken_as_they_are_written() -> None:
    text = b"pin: 0123\nexp: 1e5\nlong: 1_000\nword: yes\nday: 2026-01-02\n"
    assert parse_plain(text, ".yaml", "old.yaml") == {
        "pin": "0123", "exp": "1e5", "long": "1_000", "word": "yes", "day": "2026-01-02",
    }  # fmt: skip
    with pytest.raises(MalformedError, match="neither text"):
        parse_plain(b'{"pin": 1.10}', ".json", "old.json")  # its spelling would be lost
