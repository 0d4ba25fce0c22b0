"""Where a journal may stand, and which of its files is the newest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from oem_security import (
    InputError,
    Journal,
    JournalError,
    Keyring,
    MalformedError,
    begin_anew,
    checkpoint_journal,
    hand_over,
    read_newest,
    recover,
    verify_journal,
)
from oem_security.journal.segments import closed_segments, segment_path


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.mark.parametrize("place", ["link", "dangling link", "folder", "pipe", "device"])
def test_a_journal_is_a_regular_file(tmp_path: Path, keys: Keyring, place: str) -> None:
    log = tmp_path / "log.jsonl"
    Journal.open(log, keys).close()
    path = tmp_path / "other.jsonl"
    if place == "link":
        path.symlink_to(log)  # its lock would be another one: two writers of one file
    elif place == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/null")
    for use in (
        lambda: Journal.open(path, keys),
        lambda: verify_journal(path, keys),
        lambda: next(read_newest(path, keys)),
        lambda: hand_over(path, keys, "note", {}),
        lambda: checkpoint_journal(path, keys),
        lambda: recover(path, keys),
        lambda: begin_anew(path, keys, reason="try"),
    ):
        with pytest.raises(MalformedError, match="not a regular file"):
            use()
    assert not path.with_name(path.name + ".lock").exists()
    assert not (tmp_path / "nowhere").exists()


def test_a_segment_replaced_by_a_link_or_pipe_is_not_followed(
    tmp_path: Path, keys: Keyring
) -> None:
    log = segments(tmp_path / "log.jsonl", keys)
    first = segment_path(log, 1)
    kept = tmp_path / "kept"
    first.rename(kept)
    first.symlink_to(kept)
    with pytest.raises(MalformedError, match="not a regular file"):
        verify_journal(log, keys)
    first.unlink()
    os.mkfifo(first)
    with pytest.raises(MalformedError, match="not a regular file"):
        verify_journal(log, keys, processes=2)


def segments(path: Path, keys: Keyring) -> Path:
    with Journal.open(path, keys, segment_bytes=4000) as journal:
        for n in range(60):
            journal.append("a" if n % 2 else "b", {"n": n})
    assert len(closed_segments(path)) > 2
    return path


def test_the_newest_segment_is_read_first_and_alone(tmp_path: Path, keys: Keyring) -> None:
    log = segments(tmp_path / "log.jsonl", keys)
    newest = [r.body["n"] for r in read_newest(log, keys, ["a", "b"])]
    assert sorted(newest) == list(range(60))
    first_of_last = newest[0]
    assert newest.index(59) < newest.index(first_of_last - 1)
    assert [r.body["n"] for r in read_newest(log, keys, ["a"])] == [n for n in newest if n % 2]
    segment_path(log, 1).write_bytes(b"spoilt\n")
    reading = read_newest(log, keys, ["a", "b"])
    assert next(reading).body["n"] == first_of_last  # older segments are not looked at yet
    with pytest.raises(JournalError, match=r"log\.jsonl\.00001"):
        list(reading)
    with pytest.raises(InputError, match="no such journal"):
        next(read_newest(tmp_path / "none.jsonl", keys))


def test_an_older_segment_in_the_place_of_the_newest_is_refused(
    tmp_path: Path, keys: Keyring
) -> None:
    log = segments(tmp_path / "log.jsonl", keys)
    shutil.copy(segment_path(log, 2), log)
    with pytest.raises(JournalError, match="its writer is in a later one"):
        next(read_newest(log, keys))


def test_segments_in_one_anothers_place_or_missing_are_refused(
    tmp_path: Path, keys: Keyring
) -> None:
    log = segments(tmp_path / "log.jsonl", keys)
    one, two = segment_path(log, 1), segment_path(log, 2)
    was = two.read_bytes()
    shutil.copy(one, two)
    with pytest.raises(JournalError, match="of epoch 1, expected 2"):
        list(read_newest(log, keys))
    two.write_bytes(b"".join(was.splitlines(keepends=True)[:-1]))  # its seal is cut off
    with pytest.raises(JournalError, match="does not continue"):
        list(read_newest(log, keys))
    two.unlink()
    with pytest.raises(JournalError, match="segment 2 of the log is missing"):
        list(read_newest(log, keys))


def test_what_a_crash_between_two_segments_leaves_is_read_and_a_deletion_is_not(
    tmp_path: Path, keys: Keyring
) -> None:
    log = segments(tmp_path / "log.jsonl", keys)
    wanted = [r.seq for r in read_newest(log, keys)]
    (state,) = (keys.directory / "journals").iterdir()
    before = state.read_bytes()
    with Journal.open(log, keys, segment_bytes=1 << 20) as journal:
        journal.rotate()
        head = log.with_name("log.jsonl.head").read_bytes()
    after = state.read_bytes()
    log.with_name("log.jsonl.head").write_bytes(head)  # no writer closed it
    for left in (b'{"seq":', None):  # the next segment is hardly begun, or not at all
        log.unlink()
        if left is not None:
            log.write_bytes(left)
        state.write_bytes(before)
        assert len([r.seq for r in read_newest(log, keys)]) == len(wanted) + 1  # and the seal
        state.write_bytes(after)
        with pytest.raises(JournalError, match="its writer is in a later one"):
            next(read_newest(log, keys))
