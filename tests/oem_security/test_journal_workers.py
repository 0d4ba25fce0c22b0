"""Several processes verify what one does, and find what one finds; coroutines append together."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from oem_security import (
    Journal,
    JournalError,
    JournalStorageError,
    Keyring,
    read_journal,
    verify_journal,
)
from oem_security.journal import block, reader, workers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of several segments of many blocks, and its keyring."""
    folder = tmp_path_factory.mktemp("made")
    keys = Keyring.create(folder / "keys")
    with Journal.open(folder / "log.jsonl", keys, segment_bytes=150_000) as journal:
        for n in range(1500):
            journal.write("entry", {"n": n, "text": "x" * (n % 50)})
            if n % 100 == 0:
                journal.checkpoint()
    return folder


@pytest.fixture
def keys(tmp_path: Path, made: Path) -> Keyring:
    shutil.copytree(made, tmp_path / "copy")
    return Keyring.open(tmp_path / "copy" / "keys")


@pytest.fixture
def log(tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reader, "_LARGE_BYTES", 0)
    monkeypatch.setattr(workers, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(workers, "_LEAST_BYTES", 1_000)
    return tmp_path / "copy" / "log.jsonl"


def test_several_processes_find_what_one_finds(log: Path, keys: Keyring) -> None:
    one = verify_journal(log, keys, strict=True)
    for processes in (2, 3):
        assert verify_journal(log, keys, strict=True, processes=processes) == one
    assert one.epochs > 3


def test_the_other_process_checks_its_share(
    log: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    collect = workers.Workers._collect

    def watch(self: workers.Workers, timeout_s: float | None) -> bool:
        more = collect(self, timeout_s)
        found.append(all(worker.alive for worker in self._workers))
        return more

    monkeypatch.setattr(workers.Workers, "_collect", watch)
    monkeypatch.setattr(workers, "_check", lambda *_: pytest.fail("no worker checked this block"))
    monkeypatch.setattr(workers, "_AHEAD", 1 << 20)  # all of it is left to the worker
    assert verify_journal(log, keys, processes=2) == verify_journal(log, keys)
    assert found
    assert all(found)


@pytest.mark.parametrize("place", [0.01, 0.3, 0.62, 0.99])
def test_damage_is_named_alike_by_any_number_of_processes(
    log: Path, keys: Keyring, place: float
) -> None:
    data = bytearray(log.read_bytes())
    data[int(len(data) * place)] ^= 1
    log.write_bytes(bytes(data))
    said = []
    for processes in (1, 2):
        with pytest.raises(JournalError) as caught:
            verify_journal(log, keys, processes=processes)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("tail", [b'{"seq":', b"x" * ((1 << 20) + 5), b"\n", b"{}\n"])
def test_an_unfinished_end_is_seen_alike(log: Path, keys: Keyring, tail: bytes) -> None:
    with log.open("ab") as stream:
        stream.write(tail)
    said = []
    for processes in (1, 2):
        try:
            said.append(str(verify_journal(log, keys, processes=processes).torn_bytes))
        except JournalError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_reordered_blocks_are_noticed(log: Path, keys: Keyring) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    log.write_bytes(b"".join([lines[0], *lines[middle:], *lines[1:middle]]))
    with pytest.raises(JournalError, match="seq is"):
        verify_journal(log, keys, processes=2)


def test_a_worker_that_dies_is_done_without(
    log: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = verify_journal(log, keys)
    collect, killed = workers.Workers._collect, []

    def kill(self: workers.Workers, timeout_s: float | None) -> bool:
        for worker in self._workers:
            if worker.waiting and not killed:
                killed.append(worker.process.pid)
                os.kill(worker.process.pid, signal.SIGKILL)
        return collect(self, timeout_s)

    monkeypatch.setattr(workers.Workers, "_collect", kill)
    assert verify_journal(log, keys, processes=3) == one
    assert killed


def test_blocks_are_whole_lines_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    long = b"a" * 30_000 + b"\nb\n"
    for text in (b"a\n", b"ab\ncd\n", long, long * 20, b"a\nunfinished", b"\n\n\n", b""):
        path.write_bytes(text)
        with path.open("rb") as stream:
            tasks = list(workers._tasks(stream.fileno(), 0, len(text), 4))
        ends = [task.end for task in tasks]
        assert text[: ends[-1] if ends else 0] + (tasks[-1].left if tasks else b"") == text
        assert all(text[end - 1 : end] == b"\n" for end in ends if end)
        with path.open("rb") as stream:
            assert b"".join(d + left for d, left in block.chunks(stream, 3)) == text


def test_blocks_become_smaller_towards_the_end_so_that_no_process_waits_long(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lines"
    path.write_bytes((b"x" * 999 + b"\n") * 5_000)
    with path.open("rb") as stream:
        sizes = [t.end - t.begin for t in workers._tasks(stream.fileno(), 0, 5_000_000, 4)]
    assert sum(sizes) == 5_000_000
    assert sizes[0] >= 1 << 20
    assert max(sizes[-4:]) <= workers._LEAST_BYTES + 1000


# coroutines


async def test_coroutines_are_acknowledged_when_their_entries_are_on_disk(
    tmp_path: Path, keys: Keyring
) -> None:
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys) as journal:

        async def work(who: int) -> list[int]:
            return [(await journal.append_async("e", {"who": who})).seq for _ in range(5)]

        found = await asyncio.gather(*(work(who) for who in range(20)))
        assert sorted(seq for part in found for seq in part) == list(range(1, 101))
        impatient = asyncio.create_task(work(99))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
    assert len(list(read_journal(path, keys, {"e"}))) >= 100


async def test_a_coroutine_learns_of_a_failed_write(
    tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal.open(tmp_path / "log.jsonl", keys) as journal:
        monkeypatch.setattr(os, "fdatasync", full)
        with pytest.raises(JournalStorageError, match="No space left"):
            await journal.append_async("e", {})
        with pytest.raises(JournalStorageError):
            await journal.append_async("e", {})


def test_a_loop_that_is_gone_loses_no_entry(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "log.jsonl"

    async def hand_in(journal: Journal) -> None:
        task = asyncio.create_task(journal.append_async("e", {}))
        await asyncio.sleep(0)
        task.cancel()

    with Journal.open(path, keys) as journal:
        asyncio.run(hand_in(journal))
    assert verify_journal(path, keys, strict=True).kinds["e"] == 1
