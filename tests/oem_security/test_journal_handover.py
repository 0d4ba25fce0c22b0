"""Several processes and one writer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from oem_security import (
    EntryServer,
    InputError,
    Journal,
    JournalClient,
    JournalLockedError,
    JournalStorageError,
    Keyring,
    StateError,
    hand_over,
    read_journal,
    verify_journal,
)
from oem_security.journal.handover import socket_path

CLIENT = """
import sys
from pathlib import Path
from oem_security import JournalClient
with JournalClient(Path(sys.argv[1])) as client:
    for n in range(25):
        client.append_all([("entry", {"who": sys.argv[2], "n": 2 * n + i}) for i in range(2)])
"""
OPENER = """
import sys
from pathlib import Path
from oem_security import Keyring, hand_over
for n in range(3):
    hand_over(Path(sys.argv[1]), Keyring.open(Path(sys.argv[2])), "entry", {"n": n}, wait_s=30)
"""


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def test_entries_of_several_processes_are_one_sequence(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / ("a-long-name-" * 8) / "log.jsonl"  # longer than a socket's address
    with Journal.open(log, keys) as journal, EntryServer(journal):
        assert socket_path(log).stat().st_mode & 0o777 == 0o600
        children = [
            subprocess.Popen([sys.executable, "-c", CLIENT, str(log), str(who)]) for who in range(3)
        ]
        for n in range(10):
            journal.append("own", {"n": n})
        assert [child.wait(60) for child in children] == [0, 0, 0]
    assert not socket_path(log).exists()
    entries = [r.body for r in read_journal(log, keys, {"entry"})]
    for who in "012":
        assert [e["n"] for e in entries if e["who"] == who] == list(range(50))
    assert verify_journal(log, keys, strict=True).kinds["own"] == 10


def test_two_writers_take_turns_or_hand_over(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "log.jsonl"
    words = [sys.executable, "-c", OPENER, str(log), str(keys.directory)]
    children = [subprocess.Popen(words) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    assert verify_journal(log, keys, strict=True).kinds["entry"] == 6
    with Journal.open(log, keys) as journal, pytest.raises(JournalLockedError):
        hand_over(log, keys, "entry", {}, wait_s=0.05)
    with Journal.open(log, keys) as journal, EntryServer(journal):
        assert hand_over(log, keys, "entry", {}).seq == journal.records - 1


def test_what_cannot_be_journalled_is_refused_with_its_remedy(
    tmp_path: Path, keys: Keyring
) -> None:
    log = tmp_path / "log.jsonl"
    with pytest.raises(StateError, match="no process takes entries"):
        JournalClient(log)
    with Journal.open(log, keys) as journal, EntryServer(journal), JournalClient(log) as client:
        for kind, body in (("journal.sealed", {}), ("entry", {"x": float("nan")})):
            with pytest.raises(InputError) as caught:
                client.append(kind, body)
            assert caught.value.remedy
        assert client.append("entry", {}).seq == 1


@pytest.mark.parametrize(
    "words", [b"\n", b"[]\n", b'{"kind":1,"body":2}\n', b'{"kind":"journal.opened","body":{}}\n',
              b'{"kind":"entry","body":[]}\n', b"\xff\xfe\n", b'{"kind":"entry"}\n']
)  # fmt: skip
def test_noise_from_another_process_is_answered_and_journals_nothing(
    tmp_path: Path, keys: Keyring, words: bytes
) -> None:
    log = tmp_path / "log.jsonl"
    with Journal.open(log, keys) as journal, EntryServer(journal):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(socket_path(log)))
            raw.sendall(words)
            assert "error" in json.loads(raw.makefile().readline())
        assert journal.records == 1


def test_a_writer_that_ends_leaves_no_entry_unanswered(tmp_path: Path, keys: Keyring) -> None:
    log, done, lost = tmp_path / "log.jsonl", [], []
    journal = Journal.open(log, keys)
    server = EntryServer(journal)

    def work() -> None:
        try:
            with JournalClient(log) as client:
                for n in range(100_000):
                    receipt = client.append("entry", {"n": n})
                    done.append(receipt.seq)
        except JournalStorageError as error:
            lost.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not done:
        pass
    server.close()
    journal.close()
    thread.join()
    assert "before it acknowledged" in str(lost[0])
    assert verify_journal(log, keys, strict=True).kinds["entry"] >= len(done)
