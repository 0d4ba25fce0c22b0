"""Writing and verifying a journal against bare HMACs and against a sync per entry."""

from __future__ import annotations

import hmac
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness import Result, alternate

from oem_security import Journal, Keyring, verify_journal

ENTRY = {"text": "x" * 501}  # 512 bytes of JSON
ENTRY_BYTES = 512
KEY = b"k" * 48
APPENDS = 10_000
APPENDERS, EACH, SYNCED = 64, 25, 200


def append() -> list[Result]:
    """Entries handed in without waiting; the clock stops when the last one is on disk."""
    data = os.urandom(ENTRY_BYTES)

    def bare() -> float:
        start = time.perf_counter()
        for _ in range(APPENDS):
            hmac.digest(KEY, data, "sha384")
        return (time.perf_counter() - start) / APPENDS

    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring.create(Path(folder) / "keys")
        with Journal.open(Path(folder) / "log.jsonl", keyring) as journal:

            def ours() -> float:
                start = time.perf_counter()
                for _ in range(APPENDS - 1):
                    journal.write("note", ENTRY)
                journal.append("note", ENTRY)
                return (time.perf_counter() - start) / APPENDS

            value, baseline = alternate(ours, bare, rounds=5)
    words = "one hmac.digest sha384 of the same 512 bytes"
    return [Result("security.journal.append", value, "s", words, baseline, "<= 5")]


def append_durable() -> list[Result]:
    """64 threads, each waiting until its entry is on disk."""
    data = os.urandom(ENTRY_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring.create(Path(folder) / "keys")
        handle = os.open(Path(folder) / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def bare() -> float:
            start = time.perf_counter()
            for _ in range(SYNCED):
                os.write(handle, data)
                os.fdatasync(handle)
            return SYNCED / (time.perf_counter() - start)

        with Journal.open(Path(folder) / "log.jsonl", keyring) as journal:
            value, baseline = alternate(lambda: _concurrent(journal), bare, rounds=5)
        os.close(handle)
    words = "one write and fdatasync per entry"
    return [Result("security.journal.append_durable", value, "entries/s", words, baseline, ">= 10")]


def _concurrent(journal: Journal) -> float:
    def work() -> None:
        for _ in range(EACH):
            journal.append("note", ENTRY)

    threads = [threading.Thread(target=work) for _ in range(APPENDERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return APPENDERS * EACH / (time.perf_counter() - start)


def verify() -> list[Result]:
    """One process over a log of 20 thousand entries."""
    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring.create(Path(folder) / "keys")
        path = Path(folder) / "log.jsonl"
        with Journal.open(path, keyring) as journal:
            for _ in range(20_000):
                journal.submit("note", ENTRY)
        lines = path.read_bytes().splitlines()

        def rate(work: Callable[[], object]) -> float:
            start = time.perf_counter()
            work()
            return len(lines) / (time.perf_counter() - start)

        def bare() -> float:
            return rate(lambda: [hmac.digest(KEY, line, "sha384") for line in lines])

        value, baseline = alternate(
            lambda: rate(lambda: verify_journal(path, keyring)), bare, rounds=5
        )
    words = "bare hmac.digest sha384 over the same lines"
    return [Result("security.journal.verify", value, "entries/s", words, baseline, ">= 0.35")]


BENCHMARKS = [append, append_durable, verify]
