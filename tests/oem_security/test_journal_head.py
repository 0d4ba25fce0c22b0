"""A crash is told from a cut: the head beside the journal."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oem_security import Journal, JournalError, Keyring, OemSecurityError, verify_journal
from oem_security.audit import audit_site
from oem_security.journal.head import head_path

WRITERS = """
import os, sys
from pathlib import Path
# before the first fork: a child would spend longer importing than writing
import cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.kdf.hkdf
from oem_security import Journal, Keyring

def write(log, keys, acknowledged):
    journal = Journal.open(Path(log), Keyring.open(Path(keys)), segment_bytes=20_000)
    told = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        waiting = [journal.submit("entry", {"text": "x" * 40}) for _ in range(8)]
        for one in waiting:
            last = one.result().seq
        os.write(told, b"%d\\n" % last)

for words in sys.stdin:
    child = os.fork()
    if child == 0:
        write(*words.split())
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def log(tmp_path: Path, keys: Keyring) -> Path:
    path = tmp_path / "site" / "audit" / "log.jsonl"
    with Journal.open(path, keys) as journal:
        for n in range(10):
            journal.append("entry", {"n": n})
        journal.checkpoint()
        for n in range(10, 20):
            journal.append("entry", {"n": n})
    return path


def cut(path: Path, lines: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-lines]))


@pytest.mark.parametrize("lines", [1, 2, 5, 12, 15])
def test_whole_records_cut_from_a_closed_log_are_missed(
    log: Path, keys: Keyring, lines: int
) -> None:
    assert verify_journal(log, keys, strict=True).closed
    cut(log, lines)
    for attempt in (lambda: verify_journal(log, keys), lambda: Journal.open(log, keys)):
        with pytest.raises(JournalError, match="was closed with 23") as refused:
            attempt()
        assert refused.value.remedy
    assert not audit_site(log.parents[1], keys).ok


def test_records_cut_below_a_known_length_are_missed_after_a_crash(
    log: Path, keys: Keyring, tmp_path: Path
) -> None:
    journal = Journal.open(log, keys)
    journal.append("entry", {})
    journal.checkpoint()
    copy = tmp_path / "log.jsonl"
    copy.write_bytes(log.read_bytes())
    head_path(copy).write_bytes(head_path(log).read_bytes())
    journal.close()
    assert not verify_journal(copy, keys, strict=True).closed
    cut(copy, 1)
    with pytest.raises(JournalError, match="known to have 25"):
        verify_journal(copy, keys)


def test_a_deleted_log_is_missed(log: Path, keys: Keyring) -> None:
    log.unlink()
    (finding,) = audit_site(log.parents[1], keys).findings
    assert not finding.ok
    assert finding.where.endswith("log.jsonl")
    assert "restore" in finding.remedy


def test_a_deleted_head_is_noticed_and_written_down(log: Path, keys: Keyring) -> None:
    head_path(log).unlink()
    with pytest.raises(JournalError, match="head of the log is missing"):
        verify_journal(log, keys, strict=True)
    Journal.open(log, keys).close()
    assert verify_journal(log, keys, strict=True).recoveries == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"records":1}', b"\xff"])
def test_a_head_that_nobody_wrote_is_refused(log: Path, keys: Keyring, damage: bytes) -> None:
    head_path(log).write_bytes(damage)
    with pytest.raises(JournalError, match="head"):
        verify_journal(log, keys)


def test_the_head_of_another_log_is_refused(log: Path, keys: Keyring, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    Journal.open(other, keys).close()
    head_path(log).write_bytes(head_path(other).read_bytes())
    with pytest.raises(JournalError, match="head"):
        verify_journal(log, keys)


def test_a_second_torn_line_does_not_overwrite_the_first(log: Path, keys: Keyring) -> None:
    for torn in (b'{"first', b'{"second'):
        with log.open("ab") as stream:
            stream.write(torn)
        Journal.open(log, keys).close()
    kept = sorted(p.read_bytes() for p in log.parent.glob("*.torn*"))
    assert kept == [b'{"first', b'{"second']
    assert verify_journal(log, keys, strict=True).recoveries == 2


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    """A process that has the library in memory and forks a writer for each line it is given."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def kill_writer(writers: subprocess.Popen[str], log: Path, rng: random.Random) -> int:
    """Let a process write, kill it at a random moment, return its last acknowledged entry."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    told = log.with_name("acknowledged")
    told.unlink(missing_ok=True)
    writers.stdin.write(f"{log} {log.parents[1] / 'keys'} {told}\n")
    writers.stdin.flush()
    pid = int(writers.stdout.readline())
    deadline = time.monotonic() + 30
    while not (told.exists() and told.stat().st_size):
        assert time.monotonic() < deadline, "the writer never began"
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.006))
    os.kill(pid, signal.SIGKILL)
    assert writers.stdout.readline() == "ended\n"
    return int(told.read_text().rpartition("\n")[0].split()[-1])


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory: a killed process loses nothing there that it would not lose on disk."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def campaign(writers: subprocess.Popen[str], folder: Path, kills: int, seed: int) -> None:
    keys = Keyring.create(folder / "keys")
    log = folder / "site" / "log.jsonl"
    log.parent.mkdir()
    rng = random.Random(seed)
    for _ in range(kills):
        acknowledged = kill_writer(writers, log, rng)
        found = verify_journal(log, keys, strict=True)
        assert found.records > acknowledged
        assert not found.closed
    assert audit_site(folder / "site", keys).ok
    Journal.open(log, keys).close()
    assert verify_journal(log, keys, strict=True).closed


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
def test_after_200_kills_no_acknowledged_entry_is_lost_and_no_crash_is_called_a_cut(
    writers: subprocess.Popen[str], memory: Path
) -> None:
    for part in range(50):
        campaign(writers, memory / str(part), kills=4, seed=part)


@pytest.mark.faults
def test_two_thousand_kills(writers: subprocess.Popen[str], memory: Path) -> None:
    for part in range(400):
        campaign(writers, memory / str(part), kills=5, seed=1_000 + part)


def test_any_failure_in_the_writer_is_an_error_and_never_a_hang(
    log: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(log, keys)
    monkeypatch.setattr(
        journal._segments, "_clock", None
    )  # a defect: the writer cannot tell the time
    with pytest.raises(OemSecurityError, match="could not be written"):
        journal.submit("entry", {}).result(timeout=5)
    assert journal.poisoned
    with pytest.raises(OemSecurityError):
        journal.append("entry", {})
    journal.close()
    verify_journal(log, keys, strict=True)
