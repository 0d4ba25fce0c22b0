"""Sealed sequences and documents: what was written verifies, and any changed byte is named."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import (
    Journal,
    JournalError,
    JournalLockedError,
    Keyring,
    KeyringError,
    KeyringKind,
    MalformedError,
    OemSecurityError,
    PayloadType,
    Purpose,
    SealError,
    StateError,
    SystemClock,
    open_payload,
    read_journal,
    seal_file,
    seal_path,
    seal_payload,
    verify_file,
    verify_journal,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.create(tmp_path_factory.mktemp("site") / "keys")


@pytest.fixture
def log(tmp_path: Path, keys: Keyring) -> Path:
    path = tmp_path / "decisions.jsonl"
    with Journal.open(path, keys) as journal:
        for number in range(20):
            journal.append("decision", {"number": number})
    return path


def test_what_was_written_is_read_back_verified(log: Path, keys: Keyring) -> None:
    assert [r.body for r in read_journal(log, keys, {"decision"})] == [
        {"number": number} for number in range(20)
    ]
    report = verify_journal(log, keys, strict=True)
    assert report.kinds["decision"] == 20
    assert all(isinstance(json.loads(line), dict) for line in log.read_text().splitlines())


def test_every_changed_byte_is_noticed(log: Path, keys: Keyring) -> None:
    good = log.read_bytes()
    for position in range(0, len(good), 97):
        bad = bytearray(good)
        bad[position] ^= 1
        log.write_bytes(bytes(bad))
        with pytest.raises(OemSecurityError) as caught:
            verify_journal(log, keys, strict=True)
        assert caught.value.where
        assert caught.value.remedy


@pytest.mark.parametrize("attack", ["remove", "swap", "repeat", "truncate"])
def test_reordering_and_cutting_are_noticed(log: Path, keys: Keyring, attack: str) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    if attack == "remove":
        del lines[5]
    elif attack == "swap":
        lines[5], lines[6] = lines[6], lines[5]
    elif attack == "repeat":
        lines.insert(5, lines[5])
    else:
        del lines[12:]
    log.write_bytes(b"".join(lines))
    with pytest.raises(JournalError):
        verify_journal(log, keys, strict=True)


def test_the_journal_of_another_site_does_not_verify(log: Path, tmp_path: Path) -> None:
    stranger = Keyring.create(tmp_path / "stranger")
    with pytest.raises(OemSecurityError):
        verify_journal(log, stranger)


def test_a_torn_last_line_is_set_aside_and_the_log_goes_on(log: Path, keys: Keyring) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"seq":99,"ti')
    assert verify_journal(log, keys).torn_bytes > 0
    with pytest.raises(JournalError):
        verify_journal(log, keys, strict=True)
    with Journal.open(log, keys) as journal:
        journal.append("decision", {"number": 20})
    report = verify_journal(log, keys, strict=True)
    assert report.recoveries == 1
    assert report.torn_bytes == 0
    assert report.kinds["decision"] == 21


def test_damage_in_the_middle_stops_the_writer(log: Path, keys: Keyring) -> None:
    log.write_bytes(log.read_bytes().replace(b'"number":7', b'"number":8', 1))
    with pytest.raises(JournalError):
        Journal.open(log, keys)


def test_a_journal_has_one_writer(log: Path, keys: Keyring) -> None:
    with Journal.open(log, keys), pytest.raises(JournalLockedError):
        Journal.open(log, keys)


def test_a_closed_journal_takes_nothing(log: Path, keys: Keyring) -> None:
    journal = Journal.open(log, keys)
    journal.close()
    with pytest.raises(OemSecurityError):
        journal.append("decision", {})


def test_a_group_of_appends_is_one_sequence(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys) as journal:
        receipts = [f.result() for f in [journal.submit("k", {"n": n}) for n in range(200)]]
        journal.checkpoint()
    assert len({receipt.seq for receipt in receipts}) == 200
    assert verify_journal(path, keys, strict=True).kinds["k"] == 200


def test_a_missing_journal_is_an_error_with_a_remedy(tmp_path: Path, keys: Keyring) -> None:
    with pytest.raises(OemSecurityError) as caught:
        verify_journal(tmp_path / "absent.jsonl", keys)
    assert caught.value.remedy


def test_a_sealed_file_verifies_and_tells_its_claims(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "report.csv"
    path.write_text("a,b\n1,2\n")
    seal_file(path, keys, media_type="text/csv", claims={"stage": "paper"})
    sealed = verify_file(path, keys)
    assert (sealed.name, sealed.size, sealed.claims["stage"]) == ("report.csv", 8, "paper")


def test_a_changed_moved_or_unsealed_file_does_not_verify(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "report.csv"
    path.write_text("a,b\n1,2\n")
    seal_file(path, keys, media_type="text/csv")
    other = tmp_path / "other.csv"
    other.write_bytes(path.read_bytes())
    with pytest.raises(OemSecurityError):
        verify_file(other, keys)
    seal_path(other).write_bytes(seal_path(path).read_bytes())
    with pytest.raises(SealError):
        verify_file(other, keys)
    path.write_text("a,b\n1,3\n")
    with pytest.raises(SealError):
        verify_file(path, keys)
    path.write_text("a,b\n1,2\n3")
    with pytest.raises(SealError):
        verify_file(path, keys)


def test_a_sealed_payload_comes_back(keys: Keyring) -> None:
    value = {"text": "żółw", "numbers": [1, 2, 3], "nested": {"flag": True, "none": None}}
    assert (
        open_payload(seal_payload(value, PayloadType.DOCUMENT, keys), PayloadType.DOCUMENT, keys)
        == value
    )


def test_a_document_cannot_pass_as_another_type(keys: Keyring) -> None:
    sealed = seal_payload({"a": 1}, PayloadType.DOCUMENT, keys)
    with pytest.raises(SealError):
        open_payload(sealed, PayloadType.SEAL, keys)


def test_a_signature_less_is_not_enough(keys: Keyring) -> None:
    envelope = json.loads(seal_payload({"a": 1}, PayloadType.DOCUMENT, keys))
    for dropped in range(len(envelope["signatures"])):
        kept = [s for i, s in enumerate(envelope["signatures"]) if i != dropped]
        data = json.dumps({**envelope, "signatures": kept}).encode()
        with pytest.raises((SealError, MalformedError)):
            open_payload(data, PayloadType.DOCUMENT, keys)


@given(noise=st.binary(max_size=300))
def test_noise_is_never_an_envelope(keys: Keyring, noise: bytes) -> None:
    with pytest.raises(OemSecurityError):
        open_payload(noise, PayloadType.DOCUMENT, keys)


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_an_envelope_with_a_changed_byte_never_opens_to_another_value(
    keys: Keyring, position: int, flip: int
) -> None:
    data = bytearray(seal_payload({"a": 1}, PayloadType.DOCUMENT, keys))
    data[position % len(data)] ^= flip
    with contextlib.suppress(OemSecurityError):
        assert open_payload(bytes(data), PayloadType.DOCUMENT, keys) == {"a": 1}


def test_keys_are_private_and_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = Keyring.create(folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert all(p.stat().st_mode & 0o077 == 0 for p in folder.iterdir())
    with pytest.raises(StateError):
        Keyring.create(folder)
    assert Keyring.open(folder).id == made.id


def test_a_site_without_keys_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(OemSecurityError) as caught:
        Keyring.open(tmp_path / "none")
    assert caught.value.remedy


def test_what_an_old_key_sealed_still_verifies_after_rotation(tmp_path: Path) -> None:
    keys = Keyring.create(tmp_path / "keys")
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys) as journal:
        journal.append("k", {})
    sealed = seal_payload({"a": 1}, PayloadType.DOCUMENT, keys)
    before = keys.active(Purpose.DOCUMENT).epoch
    rotated = keys.rotate(Purpose.DOCUMENT, SystemClock())
    assert rotated.active(Purpose.DOCUMENT).epoch == before + 1
    again = Keyring.open(tmp_path / "keys")
    assert open_payload(sealed, PayloadType.DOCUMENT, again) == {"a": 1}
    assert verify_journal(path, again, strict=True).kinds["k"] == 1


def test_what_a_revoked_key_sealed_does_not_verify(tmp_path: Path) -> None:
    keys = Keyring.create(tmp_path / "keys")
    sealed = seal_payload({"a": 1}, PayloadType.DOCUMENT, keys)
    number = keys.active(Purpose.DOCUMENT).epoch
    after = keys.rotate(Purpose.DOCUMENT, SystemClock()).revoke(Purpose.DOCUMENT, number)
    with pytest.raises((SealError, KeyringError)):
        open_payload(sealed, PayloadType.DOCUMENT, after)


def test_a_site_keyring_cannot_sign_as_the_vendor(keys: Keyring, tmp_path: Path) -> None:
    with pytest.raises(KeyringError):
        keys.active(Purpose.VENDOR)
    vendor = Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)
    assert vendor.active(Purpose.VENDOR).epoch >= 0
