"""Epochs of a journal: a key each, erased when it closes; segments; crashes between the steps."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import security_journal as forger
from oem_security import (
    Journal,
    JournalError,
    JournalStorageError,
    Keyring,
    Purpose,
    SystemClock,
    audit_site,
    read_journal,
    verify_journal,
)
from oem_security.journal import epoch as epoch_module
from oem_security.journal import segment_writer as writer_module
from oem_security.journal.epoch import EpochKey, JournalState, state_of
from oem_security.journal.head import Head, write_head
from oem_security.journal.keys import JournalKeys
from oem_security.journal.segments import segment_path


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def log(tmp_path: Path, keys: Keyring) -> Path:
    path = tmp_path / "site" / "log.jsonl"
    forger.write_log(path, keys)
    return path


def state(log: Path, keys: Keyring) -> JournalState:
    return state_of(keys.directory, forger.journal_id(log))


def refused(log: Path, keys: Keyring, words: str) -> None:
    with pytest.raises(JournalError, match=words) as caught:
        verify_journal(log, keys, strict=True)
    assert caught.value.where
    assert caught.value.remedy


def test_a_log_of_several_segments_reads_as_one(log: Path, keys: Keyring) -> None:
    assert [p.name for p in forger.parts(log)] == [
        "log.jsonl.00001",
        "log.jsonl.00002",
        "log.jsonl",
    ]
    assert [r.body["n"] for r in read_journal(log, keys, {"entry"})] == list(range(15))
    report = verify_journal(log, keys, strict=True)
    assert report.kinds["journal.sealed"] == report.kinds["journal.continued"] == 2
    with Journal.open(log, keys) as journal:
        journal.append("entry", {"n": 15})
        assert journal.epoch == 3
    assert verify_journal(log, keys, strict=True).kinds["entry"] == 16


def test_a_segment_closes_when_it_has_grown(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys, segment_bytes=4000) as journal:
        for n in range(40):
            journal.append("entry", {"n": n})
    assert len(forger.parts(path)) > 3
    assert all(p.stat().st_size < 6000 for p in forger.parts(path))
    assert verify_journal(path, keys, strict=True).kinds["entry"] == 40


def test_a_rotated_keyring_closes_the_epoch_and_the_old_key_verifies(
    log: Path, keys: Keyring
) -> None:
    rotated = keys.rotate(Purpose.JOURNAL, SystemClock())
    with Journal.open(log, rotated) as journal:
        assert journal.epoch == 4
        journal.append("entry", {})
    assert verify_journal(log, rotated, strict=True).kinds["entry"] == 16
    again = rotated.revoke(Purpose.JOURNAL, 1)
    refused(log, again, "journal/1 is revoked")


def test_the_key_of_a_closed_epoch_is_erased(
    tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, overwritten = tmp_path / "log.jsonl", []
    with Journal.open(path, keys) as journal:
        old = state(path, keys).current
        inode = os.open(epoch_module.state_path(keys.directory, journal.journal_id), os.O_RDONLY)
        journal.rotate()
        overwritten = os.pread(inode, 4096, 0)
        os.close(inode)
    assert not any(overwritten)  # the file that was replaced holds zeros now
    seed = base64.b64encode(old.seed)
    assert not any(seed in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


# attacks


def lie(which: int) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
    def change(number: int, value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "body": {"n": "forged"}} if number == which else value

    return change


def test_journal_closed_epoch_resealed_with_all_stolen_keys(log: Path, keys: Keyring) -> None:
    forger.forge(log, keys, lambda _, value: value, None)
    refused(log, keys, "seal is not of the records")  # even the same content needs the erased key


def test_journal_reseal_with_a_newer_key(log: Path, keys: Keyring) -> None:
    forger.forge(log, keys, lie(2), signer=state(log, keys).current)
    refused(log, keys, "seal is not of the records before it")
    assert verify_open_epoch_alone(log, keys)


def verify_open_epoch_alone(log: Path, keys: Keyring) -> bool:
    """The forgery is as good as it can be: what a writer reads when it opens the log holds."""
    from oem_security.journal.scan import Scan, scan_last

    found = Scan()
    scan_last(log, keys, found)
    return found.records > 0 and not found.torn


def test_journal_reseal_with_a_key_of_ones_own_needs_the_origin(log: Path, keys: Keyring) -> None:
    own = EpochKey.fresh(1, 1)

    def change(number: int, value: dict[str, Any]) -> dict[str, Any]:
        if "public" in value["body"]:
            value["body"]["public"] = own.public.raw.hex()
        if "next" in value["body"]:
            value["body"]["next"] = own.public.raw.hex()
        return lie(2)(number, value)

    forger.forge(log, keys, change, signer=own)
    refused(log, keys, "not the one that the epoch before signed")


@pytest.mark.parametrize("which", [1, 2])
def test_journal_epoch_gap(log: Path, keys: Keyring, which: int) -> None:
    segment_path(log, which).unlink()
    refused(log, keys, f"segment {which} of the log is missing")
    with pytest.raises(JournalError, match=f"segment {which} of the log is missing"):
        Journal.open(log, keys)
    assert not audit_site(log.parent, keys).ok


def test_journal_epoch_gap_closed_up(log: Path, keys: Keyring) -> None:
    segment_path(log, 2).replace(segment_path(log, 1))
    refused(log, keys, "of epoch 2, expected 1|missing")
    segment_path(log, 1).replace(segment_path(log, 2))
    refused(log, keys, "missing")


def test_journal_last_epochs_cut_off_with_the_head_made_anew(log: Path, keys: Keyring) -> None:
    segment_path(log, 2).replace(log)
    journal = JournalKeys(forger.journal_id(log), keys)
    lines = sum(len(p.read_bytes().splitlines()) for p in forger.parts(log))
    write_head(log, journal, Head(journal.journal_id, lines, closed=True))
    refused(log, keys, "segment 3 of the log is missing")
    segment_path(log, 1).replace(log)
    refused(log, keys, "segment 2 of the log is missing")
    with pytest.raises(JournalError):
        Journal.open(log, keys)


def test_journal_closed_segment_truncated(log: Path, keys: Keyring) -> None:
    part = segment_path(log, 1)
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:-1]))
    refused(log, keys, "ends in epoch 1")
    part.write_bytes(b"")
    refused(log, keys, "empty")


def test_journal_records_after_the_seal(log: Path, keys: Keyring) -> None:
    part = segment_path(log, 1)
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join([*lines, lines[2]]))
    refused(log, keys, "line 8")


def test_journal_swapped_for_another_of_the_same_site(
    log: Path, tmp_path: Path, keys: Keyring
) -> None:
    other = log.with_name("other.jsonl")
    with Journal.open(other, keys) as journal:
        journal.append("entry", {})
    for part in log.parent.glob("log.jsonl*"):
        part.unlink()
    for part in log.parent.glob("other.jsonl*"):
        part.rename(part.with_name(part.name.replace("other", "log")))
    refused(log, keys, "another log belongs here")
    with pytest.raises(JournalError, match="swapped"):
        Journal.open(log, keys)


def test_journal_swapped_subjects_are_refused(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "a.jsonl"
    Journal.open(path, keys, subject="rbac").close()
    with pytest.raises(JournalError, match="about 'rbac'"):
        Journal.open(path, keys, subject="licences")


def test_journal_swapped_for_another_sites(log: Path, tmp_path: Path, keys: Keyring) -> None:
    theirs = tmp_path / "theirs" / "log.jsonl"
    stranger = Keyring.create(tmp_path / "stranger")
    forger.write_log(theirs, stranger)
    for ours, other in zip(forger.parts(log), forger.parts(theirs), strict=True):
        ours.write_bytes(other.read_bytes())
    refused(log, keys, "holds no epoch key of the journal")
    with pytest.raises(JournalError, match="holds no epoch key"):
        Journal.open(log, keys)


def test_journal_file_deleted_with_its_head(log: Path, keys: Keyring) -> None:
    for name in ("log.jsonl", "log.jsonl.head", "log.jsonl.lock"):
        log.with_name(name).unlink()
    assert not audit_site(log.parent, keys).ok
    for part in log.parent.glob("log.jsonl*"):
        part.unlink()
    (finding,) = audit_site(log.parent, keys).findings
    assert not finding.ok
    assert "deleted" in finding.detail
    with pytest.raises(JournalError, match="deleted"):
        Journal.open(log, keys)


def test_journal_copied_is_continued_once(log: Path, tmp_path: Path, keys: Keyring) -> None:
    copy = tmp_path / "copy" / "log.jsonl"
    copy.parent.mkdir()
    for part in log.parent.glob("log.jsonl*"):
        (copy.parent / part.name).write_bytes(part.read_bytes())
    assert verify_journal(copy, keys, strict=True).closed
    with pytest.raises(JournalError, match="copied"):
        Journal.open(copy, keys)


def test_journal_keyring_older_than_the_log(log: Path, keys: Keyring) -> None:
    saved = epoch_module.state_path(keys.directory, forger.journal_id(log))
    old = saved.read_bytes()
    with Journal.open(log, keys) as journal:
        journal.rotate()
    saved.write_bytes(old)
    with pytest.raises(JournalError, match="log is in epoch 4"):
        Journal.open(log, keys)


def test_journal_state_malformed(log: Path, keys: Keyring) -> None:
    saved = epoch_module.state_path(keys.directory, forger.journal_id(log))
    for damage in (
        b"",
        b"{}",
        b"\xff",
        saved.read_bytes().replace(b'"begun": true', b'"begun": 1'),
    ):
        saved.write_bytes(damage)
        refused(log, keys, "state of the journal is damaged")
    other = log.with_name("other.jsonl")
    with pytest.raises(JournalError, match="damaged"):  # it may be the state of this very log
        Journal.open(other, keys)
    saved.rename(saved.with_suffix(".aside"))
    Journal.open(other, keys).close()
    saved.with_suffix(".aside").rename(saved)
    assert verify_journal(other, keys, strict=True).closed
    wrong = [finding for finding in audit_site(log.parent, keys).findings if not finding.ok]
    assert str(saved) in {finding.where for finding in wrong}
    assert not any("other" in finding.path for finding in wrong)


# crash at segment rotation


def steps_of_rotation(log: Path, keys: Keyring, die_at: int) -> tuple[int, int]:
    """Fork a writer that ends itself at a step of a rotation; return exit code and last receipt."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        step = 0

        def dying(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **named: Any) -> Any:
                nonlocal step
                step += 1
                if step == die_at:
                    if function is real_write:  # half a line reaches the disk
                        os.write(args[0], args[1][: len(args[1]) // 2])
                    os._exit(9)
                return function(*args, **named)

            return call

        try:
            journal = Journal.open(log, keys)
            told = journal.append("entry", {"before": die_at}).seq
            os.write(write, b"%d" % told)
            real_write = writer_module._write_all
            for name in ("_write_all", "sync_dir", "_open_file"):
                setattr(writer_module, name, dying(getattr(writer_module, name)))
            epoch_module.write_atomic = dying(epoch_module.write_atomic)
            Path.rename = dying(Path.rename)  # type: ignore[method-assign]
            os.fdatasync = dying(os.fdatasync)
            journal.rotate()
            os._exit(0)
        finally:
            os._exit(70)
    os.close(write)
    told = int(os.read(read, 20))
    os.close(read)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def test_crash_at_segment_rotation(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "site" / "log.jsonl"
    forger.write_log(log, keys, epochs=2, entries=2)
    for die_at in range(1, 40):
        code, told = steps_of_rotation(log, keys, die_at)
        assert code in (0, 9)
        found = verify_journal(log, keys, strict=True)
        assert found.records > told
        assert not found.closed
        with Journal.open(log, keys) as journal:
            journal.append("entry", {"after": die_at})
        assert verify_journal(log, keys, strict=True).closed
        entries = [r.body for r in read_journal(log, keys, {"entry"})]
        assert entries[-2:] == [{"before": die_at}, {"after": die_at}]
        if code == 0:
            break
    assert code == 0
    assert die_at > 10
    assert audit_site(log.parent, keys).ok


def test_an_unwritable_state_poisons_the_writer_and_loses_nothing(
    log: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    journal = Journal.open(log, keys)
    with monkeypatch.context() as patched:
        patched.setattr(epoch_module, "write_atomic", full)
        with pytest.raises(JournalStorageError, match="No space left") as caught:
            journal.rotate()
        assert caught.value.remedy
        assert journal.poisoned
    journal.close()
    with Journal.open(log, keys) as again:
        again.append("entry", {})
    assert json.loads(log.read_bytes().splitlines()[-1])["kind"] == "journal.checkpoint"
    assert verify_journal(log, keys, strict=True).kinds["entry"] == 16


def test_a_reader_beside_a_writer_that_closes_segments_raises_no_alarm(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "log.jsonl"
    forger.write_log(log, keys, epochs=1)
    done = threading.Event()

    def write() -> None:
        for round_of in range(5):
            with Journal.open(log, keys) as journal:
                for n in range(3):
                    journal.append("entry", {"round": round_of, "n": n})
                    journal.rotate()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [0]
    while not done.is_set():
        seen.append(verify_journal(log, keys, strict=True).records)
        assert sum(1 for _ in read_journal(log, keys)) >= seen[-1]
    writer.join()
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert verify_journal(log, keys, strict=True).kinds["entry"] == 5 + 15
