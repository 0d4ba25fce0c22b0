"""Whoever acts on the last word of a log notices that it was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from oem_security import (
    InputError,
    Journal,
    JournalError,
    Keyring,
    read_journal,
    read_newest,
    verify_journal,
)
from oem_security.anchors.chain import first_anchors, next_anchors
from oem_security.anchors.install import anchor_log, install_anchors, trusted_anchors
from oem_security.license.registry import read_registry
from oem_security.tokens.revocations import RevokedTokens, revoke_token
from security_journal import write_log
from security_licenses import Trade

OLD, NEW = "a" * 24, "b" * 24


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def cut(log: Path, records: int) -> None:
    """Take whole records off the end."""
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-records]))


def revoked(log: Path, keys: Keyring) -> None:
    for token in (OLD, NEW):
        revoke_token(log, keys, token, operator="anna", reason="lost")


@pytest.mark.parametrize("records", [1, 2, 3])
def test_a_log_of_revoked_tokens_that_was_cut_grants_nothing(
    tmp_path: Path, keys: Keyring, records: int
) -> None:
    log = tmp_path / "revoked.jsonl"
    revoked(log, keys)
    assert list(RevokedTokens(log, keys)) == [OLD, NEW]
    cut(log, records)
    with pytest.raises(JournalError, match="closed with"):
        OLD in RevokedTokens(log, keys)  # noqa: B015


def test_a_cut_log_of_revoked_tokens_without_its_head_grants_nothing(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "revoked.jsonl"
    revoked(log, keys)
    cut(log, 2)
    log.with_name(log.name + ".head").unlink()
    with pytest.raises(JournalError, match="head of the log is missing"):
        len(RevokedTokens(log, keys))


def test_a_log_of_revoked_tokens_deleted_before_the_start_grants_nothing(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "revoked.jsonl"
    seen = RevokedTokens(log, keys)
    assert NEW not in seen  # there never was one
    assert NEW not in seen
    revoked(log, keys)
    for file in tmp_path.glob("revoked.jsonl*"):
        file.unlink()
    for look in (seen, RevokedTokens(log, keys)):
        with pytest.raises(InputError, match="is gone"):
            NEW in look  # noqa: B015


def test_trust_anchors_do_not_go_back_with_a_cut_record(tmp_path: Path) -> None:
    trade = Trade.begin(tmp_path)
    first = first_anchors(trade.vendor)
    install_anchors(trade.paths, first, trade.site, sha384=_sha(first))
    old = trade.paths.anchors.read_bytes()
    install_anchors(trade.paths, next_anchors(first, trade.vendor), trade.site)
    trade.paths.anchors.write_bytes(old)
    cut(anchor_log(trade.paths), 2)
    with pytest.raises(JournalError, match="closed with"):
        trusted_anchors(trade.paths, trade.site)


def test_a_registry_that_was_cut_is_not_read(tmp_path: Path) -> None:
    trade = Trade.begin(tmp_path)
    trade.licensed()
    cut(trade.paths.registry, 2)
    with pytest.raises(JournalError, match="closed with"):
        read_registry(trade.paths.registry, trade.site)


@pytest.mark.parametrize("epochs", [1, 3])
def test_reading_notices_a_cut_at_its_end(tmp_path: Path, keys: Keyring, epochs: int) -> None:
    log = tmp_path / "log.jsonl"
    write_log(log, keys, epochs)
    whole = log.read_bytes()
    assert list(read_journal(log, keys, strict=True))
    for records in (1, 2, 4):
        log.write_bytes(whole)
        cut(log, records)
        for read in (read_journal, read_newest):
            with pytest.raises(JournalError, match="closed with"):
                list(read(log, keys))


def test_reading_goes_on_while_a_writer_opens_appends_and_closes(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "log.jsonl"
    write_log(log, keys, 1)
    for read in (read_journal, read_newest):
        records = read(log, keys)
        next(records)
        with Journal.open(log, keys) as journal:
            journal.append("entry", {})
        assert list(records)


def test_a_log_has_a_head_from_its_first_record_on(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "log.jsonl"
    with Journal.open(log, keys) as journal:
        assert log.with_name("log.jsonl.head").exists()
        assert [r.seq for r in read_journal(log, keys, strict=True)] == [0]
        journal.append("entry", {})
    assert verify_journal(log, keys, strict=True).records == 3


def test_log_and_head_put_back_together_are_found_only_once_the_epoch_has_changed(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "log.jsonl"
    head = tmp_path / "log.jsonl.head"
    write_log(log, keys, 1)
    old = log.read_bytes(), head.read_bytes()
    with Journal.open(log, keys) as journal:
        journal.append("entry", {})
    log.write_bytes(old[0])
    head.write_bytes(old[1])
    assert verify_journal(log, keys, strict=True).records == 7  # a witness tells, nothing else
    with Journal.open(log, keys) as journal:
        journal.rotate()
    log.write_bytes(old[0])
    head.write_bytes(old[1])
    log.with_name("log.jsonl.00001").unlink()
    with pytest.raises(JournalError, match="in a later one"):
        verify_journal(log, keys, strict=True)


def _sha(data: bytes) -> str:
    from oem_security.anchors.chain import open_first

    return open_first(data).sha384
