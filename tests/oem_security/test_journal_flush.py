"""Entries handed in without an acknowledgement, and the flush that waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oem_security import Journal, JournalStorageError, Keyring, read_journal, verify_journal


def test_a_flush_waits_for_all_that_was_written_and_adds_no_record(tmp_path: Path) -> None:
    keys, log = Keyring.create(tmp_path / "keys"), tmp_path / "log.jsonl"
    with Journal.open(log, keys) as journal:
        for n in range(2500):
            journal.write("note", {"n": n})
        receipt = journal.flush()
        numbers = [r.body["n"] for r in read_journal(log, keys, {"note"})]
        assert journal.flush() == receipt
    assert numbers == list(range(2500))
    assert receipt.seq == 2500
    assert verify_journal(log, keys, strict=True).records == 2502


def test_a_flush_tells_of_an_entry_that_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    keys = Keyring.create(tmp_path / "keys")
    with Journal.open(tmp_path / "log.jsonl", keys) as journal:
        monkeypatch.setattr(os, "fdatasync", full)
        journal.write("note", {"n": 1})
        with pytest.raises(JournalStorageError, match="No space left"):
            journal.flush()
        with pytest.raises(JournalStorageError):
            journal.flush()
