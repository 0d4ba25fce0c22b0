"""Group commit: whatever is queued in one turn of the event loop is one durable transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from oem_exec.errors import StoreUnavailable

Statement = tuple[str, Sequence[Sequence[Any]]]
"""A statement and the rows it is executed for."""

_SLOW_S = 0.003
"""A disk whose commits take longer than this is written from a thread, so that the loop goes on."""
_LINGER_S = 0.02
"""What may get lost waits this long for something durable to share a transaction with."""


@dataclass(slots=True)
class _Job:
    statements: Sequence[Statement]
    future: asyncio.Future[int]
    changed: int = 0


class GroupCommitWriter:
    """Executes statements on its own connection; a job is done when its commit is on disk.

    A commit on a fast disk takes less time than handing it to a thread and back, so it is made in
    the loop; when commits become slow, they move to a thread. Lazy jobs linger, so that the end of
    one order goes into the transaction that makes the next one durable.

    Args:
        connection: A connection in autocommit mode, used by the writer alone from now on.
        where: Path for error messages.
    """

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._jobs: list[_Job] = []
        self._urgent = False
        """Whether somebody waits for one of the jobs to be on disk."""
        self._since_s = 0.0
        """When the oldest of the jobs was handed in, by the loop's clock."""
        self._flushing = False
        self._closed = False
        self._typical_s = {True: 0.0, False: 0.0}
        self._timer: asyncio.TimerHandle | None = None
        self._synced = True
        self._thread: ThreadPoolExecutor | None = None

    def write(self, *statements: Statement, lazy: bool = False) -> asyncio.Future[int]:
        """Execute the statements in one transaction, after all handed in before.

        Args:
            *statements: What to execute.
            lazy: The order of writes is kept, but a power cut may lose this one.

        Returns:
            How many rows changed, once they are on disk; `StoreUnavailable` when the disk refused
            and nothing of the transaction happened.
        """
        loop = asyncio.get_running_loop()
        job = _Job(statements, loop.create_future())
        if self._closed:
            closed = StoreUnavailable(
                "the order store is closed", where=self._where, remedy="open it again"
            )
            job.future.set_exception(closed)
            return job.future
        if not self._jobs:
            self._since_s = loop.time()
        self._jobs.append(job)
        self._urgent = self._urgent or not lazy
        if not self._flushing:
            self._next(loop)
        return job.future

    def close(self) -> None:
        """Commit what is queued and close the connection; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        if self._jobs:
            batch, self._jobs = self._jobs, []
            _resolve(batch, self._commit(batch, self._urgent))
        self._connection.close()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, synced = self._jobs, self._urgent
        self._jobs, self._urgent = [], False
        if self._closed or not batch:
            self._flushing = False
            return
        if self._typical_s[synced] < _SLOW_S:
            _resolve(batch, self._commit(batch, synced))
            self._next(loop)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="oem-exec-store")
        waiting = loop.run_in_executor(self._thread, self._commit, batch, synced)

        def done(finished: asyncio.Future[StoreUnavailable | None]) -> None:
            _resolve(batch, finished.result())
            self._next(loop)

        waiting.add_done_callback(done)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._flushing = self._urgent
        if self._flushing:
            loop.call_soon(self._flush, loop)
        elif self._jobs and self._timer is None:
            self._timer = loop.call_later(_LINGER_S, self._lingered, loop)

    def _lingered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._flushing or not self._jobs:
            return
        # one timer serves many jobs: those it was set for may be written long since
        if (due_s := self._since_s + _LINGER_S) > loop.time() + _LINGER_S / 2:
            self._timer = loop.call_at(due_s, self._lingered, loop)
            return
        self._flushing = True
        self._flush(loop)

    def _commit(self, batch: list[_Job], synced: bool) -> StoreUnavailable | None:
        started = time.perf_counter()
        execute, executemany = self._connection.execute, self._connection.executemany
        try:
            if synced is not self._synced:
                execute("PRAGMA synchronous = " + ("FULL" if synced else "NORMAL"))
                self._synced = synced
            execute("BEGIN IMMEDIATE")
            for job in batch:
                for sql, rows in job.statements:
                    cursor = execute(sql, rows[0]) if len(rows) == 1 else executemany(sql, rows)
                    job.changed += max(cursor.rowcount, 0)
            execute("COMMIT")
        except Exception as cause:  # noqa: BLE001 - a text that is no UTF-8 must not hang its callers
            self._roll_back()
            error = StoreUnavailable(
                f"the order store refused a write: {cause}",
                where=self._where,
                remedy="check free space and permissions; nothing was sent for these orders",
            )
            error.__cause__ = cause
            return error
        self._typical_s[synced] += 0.1 * (time.perf_counter() - started - self._typical_s[synced])
        return None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:  # the connection is unusable; every later write says so again
                return


def _resolve(jobs: list[_Job], error: StoreUnavailable | None) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(job.changed)
        else:
            job.future.set_exception(error)
