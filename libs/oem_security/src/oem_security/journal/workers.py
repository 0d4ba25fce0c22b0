"""Several processes that check blocks of one log; this process checks with them and joins.

Each worker is a Python process that imports this module and reads blocks of the file itself, so
that hardly anything is copied between processes. It needs nothing of the caller's main module and
no fork, and ends when its input does.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from oem_security.journal.block import BLOCK_BYTES, Block, check_block
from oem_security.journal.record import MAX_LINE_BYTES, FastMac
from oem_security.journal.worker import LENGTH

_AHEAD = 2
_LEAST_BYTES = 1 << 16
_SERVE = "from oem_security.journal.worker import serve; serve()"


@dataclass(slots=True)
class _Task:
    begin: int
    end: int
    left: bytes
    block: Block | None = None


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    waiting: deque[_Task] = field(default_factory=deque)
    alive: bool = True


class Workers:
    """Checks segments with several processes; use it as a context manager.

    Args:
        processes: How many check, this one included.
    """

    def __init__(self, processes: int) -> None:
        self._workers: list[_Worker] = []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        for _ in range(processes - 1):
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,  # what stands in a buffer of ours, select does not see
                env=environment,
            )
            self._workers.append(_Worker(process))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.communicate()

    def check(self, stream: BinaryIO, mac: FastMac, key_id: str) -> Iterator[tuple[Block, bytes]]:
        """Check a segment from where the stream stands; yield its blocks in their order."""
        file = stream.fileno()
        found = os.fstat(file)
        ask = (stream.name, found.st_ino, mac, key_id)
        pending: deque[_Task] = deque()
        share = _AHEAD * (len(self._workers) + 1)
        for task in _tasks(file, stream.tell(), found.st_size, share):
            free = [w for w in self._workers if w.alive and len(w.waiting) < _AHEAD]
            if not (free and self._send(min(free, key=lambda w: len(w.waiting)), task, ask)):
                task.block = _check(file, task, mac, key_id)
            pending.append(task)
            self._collect(0)
            while pending and pending[0].block is not None:
                first = pending.popleft()
                yield first.block or Block(), first.left
        while pending:
            first = pending[0]
            if first.block is None and not self._collect(None):
                first.block = _check(file, first, mac, key_id)  # its worker has ended
            if first.block is not None:
                pending.popleft()
                yield first.block, first.left

    def _send(self, worker: _Worker, task: _Task, ask: tuple[Any, ...]) -> bool:
        message = pickle.dumps((*ask, task.begin, task.end))
        try:
            os.write(_handle(worker.process.stdin), LENGTH.pack(len(message)) + message)
        except OSError:
            worker.alive = False
            return False
        worker.waiting.append(task)
        return True

    def _collect(self, timeout_s: float | None) -> bool:
        """Take what workers have finished; False where none has anything to finish."""
        busy = {_handle(w.process.stdout): w for w in self._workers if w.alive and w.waiting}
        if not busy:
            return False
        for handle in select.select(list(busy), [], [], timeout_s)[0]:
            worker = busy[handle]
            block = _receive(handle)
            if block is None:
                worker.alive = False
                worker.waiting.clear()
            else:
                worker.waiting.popleft().block = block
        return True


def _check(file: int, task: _Task, mac: FastMac, key_id: str) -> Block:
    return check_block(os.pread(file, task.end - task.begin, task.begin), mac, key_id)


def _receive(handle: int) -> Block | None:
    head = _exactly(handle, LENGTH.size)
    answer = _exactly(handle, LENGTH.unpack(head)[0]) if head else b""
    block = pickle.loads(answer) if answer else None  # noqa: S301 - our own worker's
    return block if isinstance(block, Block) else None


def _exactly(handle: int, size: int) -> bytes:
    """Return `size` bytes, none where the other side has ended."""
    data = b""
    while len(data) < size:
        more = os.read(handle, size - len(data))
        if not more:
            return b""
        data += more
    return data


def _handle(pipe: IO[bytes] | None) -> int:
    return -1 if pipe is None else pipe.fileno()


def _tasks(file: int, at: int, size: int, share: int) -> Iterator[_Task]:
    """Divide a file into blocks of whole lines.

    None is larger than one of `share` parts of what is left, so that all processes end together.
    """
    while at < size:
        part = max(_LEAST_BYTES, (size - at) // share)
        whole = _line_end(file, min(at + min(part, BLOCK_BYTES), size))
        if whole is None:  # an unfinished line, or one longer than any record
            data = os.pread(file, min(part, BLOCK_BYTES) + MAX_LINE_BYTES + 2, at)
            end = data.rfind(b"\n") + 1
            yield _Task(at, at + end, data[end:])
            return
        yield _Task(at, whole, b"")
        at = whole


def _line_end(file: int, at: int) -> int | None:
    """Return where the line ends that the byte before `at` is of, None where nothing ends it."""
    for size in (1 << 12, MAX_LINE_BYTES + 2):
        found = os.pread(file, size, at - 1).find(b"\n")
        if found >= 0:
            return at + found
    return None
