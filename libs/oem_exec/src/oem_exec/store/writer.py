"""One thread that commits whatever is queued as one transaction: group commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oem_exec.errors import StoreUnavailable

Statement = tuple[str, Sequence[Sequence[Any]]]
"""A statement and the rows it is executed for."""


@dataclass(slots=True)
class _Job:
    statements: Sequence[Statement]
    future: asyncio.Future[int]
    loop: asyncio.AbstractEventLoop
    changed: int = 0


class GroupCommitWriter:
    """Executes statements on its own connection; a job is done when its commit is on disk.

    Args:
        connection: A connection in autocommit mode, used by the thread alone from now on.
        where: Path for error messages.
    """

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Semaphore(0)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="oem-exec-store", daemon=True)
        self._thread.start()

    async def write(self, *statements: Statement) -> int:
        """Execute the statements in one durable transaction; return how many rows changed.

        Raises:
            StoreUnavailable: The disk refused; nothing of the transaction happened.
        """
        if self._closing:
            raise StoreUnavailable(
                "the order store is closed", where=self._where, remedy="open it again"
            )
        loop = asyncio.get_running_loop()
        job = _Job(statements, loop.create_future(), loop)
        self._jobs.append(job)
        self._wake.release()
        # a cancelled caller must not make the thread's result an error nobody reads
        return await asyncio.shield(job.future)

    def close(self) -> None:
        """Commit what is queued and end the thread; idempotent."""
        if self._closing:
            return
        self._closing = True
        self._wake.release()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            batch: list[_Job] = []
            while self._jobs:
                batch.append(self._jobs.popleft())
            if batch:
                self._commit(batch)
            elif self._closing:
                return

    def _commit(self, batch: list[_Job]) -> None:
        error: StoreUnavailable | None = None
        execute, executemany = self._connection.execute, self._connection.executemany
        try:
            execute("BEGIN IMMEDIATE")
            for job in batch:
                changed = 0
                for sql, rows in job.statements:
                    cursor = execute(sql, rows[0]) if len(rows) == 1 else executemany(sql, rows)
                    changed += max(cursor.rowcount, 0)
                job.changed = changed
            execute("COMMIT")
        except sqlite3.Error as cause:
            error = StoreUnavailable(
                f"the order store refused a write: {cause}",
                where=self._where,
                remedy="check free space and permissions; nothing was sent for these orders",
            )
            error.__cause__ = cause
            self._roll_back()
        for loop in {job.loop for job in batch}:
            jobs = [job for job in batch if job.loop is loop]
            try:
                loop.call_soon_threadsafe(_resolve, jobs, error)
            except RuntimeError:
                continue  # the loop was closed while its last write was on its way; it is on disk

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
