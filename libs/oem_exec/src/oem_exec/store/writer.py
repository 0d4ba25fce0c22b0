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
_LINGER_S = 0.004
"""What may get lost waits this long for something durable to share a transaction with."""


@dataclass(slots=True)
class _Job:
    statements: Sequence[Statement]
    future: asyncio.Future[int]
    lazy: bool
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
        job = _Job(statements, loop.create_future(), lazy)
        if self._closed:
            closed = StoreUnavailable(
                "the order store is closed", where=self._where, remedy="open it again"
            )
            job.future.set_exception(closed)
            return job.future
        self._jobs.append(job)
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
            _resolve(batch, self._commit(batch))
        self._connection.close()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._jobs = self._jobs, []
        if self._closed or not batch:
            self._flushing = False
            return
        if self._typical_s[_durable(batch)] < _SLOW_S:
            _resolve(batch, self._commit(batch))
            self._next(loop)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="oem-exec-store")
        waiting = loop.run_in_executor(self._thread, self._commit, batch)

        def done(finished: asyncio.Future[StoreUnavailable | None]) -> None:
            _resolve(batch, finished.result())
            self._next(loop)

        waiting.add_done_callback(done)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._flushing = _durable(self._jobs)
        if self._flushing:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            loop.call_soon(self._flush, loop)
        elif self._jobs and self._timer is None:
            self._timer = loop.call_later(_LINGER_S, self._lingered, loop)

    def _lingered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self._flushing:
            self._flushing = True
            self._flush(loop)

    def _commit(self, batch: list[_Job]) -> StoreUnavailable | None:
        started = time.perf_counter()
        execute, executemany = self._connection.execute, self._connection.executemany
        try:
            synced = _durable(batch)
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


def _durable(jobs: Sequence[_Job]) -> bool:
    return any(not job.lazy for job in jobs)
