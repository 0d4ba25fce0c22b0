"""The one writer of a journal: group commit, and no pretence after a failed write."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from oem_security.clock import Clock, SystemClock
from oem_security.errors import JournalLockedError, JournalStorageError, OemSecurityError
from oem_security.files import lock
from oem_security.journal.entry import (
    FLUSH,
    Entry,
    LoopPromise,
    Receipt,
    ThreadPromise,
    acknowledge,
    promise,
)
from oem_security.journal.head import Head, head_path, read_head, require_head, write_head
from oem_security.journal.opening import Found, find
from oem_security.journal.record import encode_body, require_kind
from oem_security.journal.segment_writer import SegmentWriter
from oem_security.journal.segments import (
    CHECKPOINT,
    OPENED,
    RECOVERED,
    SEALED,
    SEGMENT_BYTES,
    require_place,
)
from oem_security.keys.keyring import Keyring

__all__ = ["Journal", "Receipt"]
MAX_BATCH = 1024


class Journal:
    """A signed, append-only log of one writer.

    Entries handed in while the disk is busy are written together and synced once (group commit);
    an entry is acknowledged only when its bytes are on disk. After a failed write or fsync the
    writer is poisoned: the file is cut back to the last good length and every further entry is
    refused until the journal is opened again.

    Args are those of `open`; use it, not the constructor.

    Example:
        >>> import tempfile
        >>> from oem_security import Journal, Keyring, read_journal
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keyring = Keyring.create(Path(folder) / "keys")
        ...     with Journal.open(Path(folder) / "log.jsonl", keyring) as journal:
        ...         receipt = journal.append("note", {"text": "hello"})
        ...     kinds = [r.kind for r in read_journal(Path(folder) / "log.jsonl", keyring)]
        >>> receipt.seq, kinds
        (1, ['journal.opened', 'note', 'journal.checkpoint'])
    """

    def __init__(self, path: Path, handle: int, found: Found, clock: Clock, segment_bytes: int):
        self.path = path
        self._lock_handle = handle
        self._keys = found.keys
        self._segments = SegmentWriter(path, found, clock)
        self._segment_bytes = segment_bytes
        self._waiting: list[Entry] = []
        self._wake = threading.Lock()  # open once something waits, until the thread takes it
        self._wake.acquire()
        self._failure: JournalStorageError | None = None
        self._closing = False
        self._closed = False
        self._gate = threading.Lock()
        self._head_gate = threading.Lock()
        self._known = 0
        self._thread = threading.Thread(target=self._work, name=f"journal {path.name}", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        keyring: Keyring,
        *,
        subject: str = "",
        clock: Clock | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Journal:
        """Open a journal for writing, and make it when it is not there.

        A torn last line, as a crash leaves it, is moved aside and a signed recovery record says
        so; a rotation that a crash cut short is finished. Damage anywhere else in the last segment
        stops here; the closed ones are `verify_journal`'s to check. Where the keyring's journal
        key was rotated since, the segment is closed and the next one begun.

        Args:
            path: The file; its folder is made.
            keyring: Its `journal` keys authenticate the records.
            subject: What the journal is about, kept in its first record; a log about something
                else is refused.
            clock: Tells the records' times.
            segment_bytes: A segment that has grown to this is closed, and its key erased.

        Raises:
            JournalLockedError: Another process writes this journal.
            JournalError: The log does not hold, was deleted or swapped; the error names the line.
            MalformedError: The path is a link, a folder, a device or a pipe.
        """
        require_place(path)
        handle = lock(path.with_name(path.name + ".lock"))
        if handle is None:
            raise JournalLockedError(
                "another process writes this journal",
                where=str(path),
                remedy="stop the other writer, or hand the entry to it",
            )
        try:
            found = find(path, keyring, subject)
            journal = cls(path, handle, found, clock or SystemClock(), segment_bytes)
            journal._start(subject, found)
        except BaseException:
            os.close(handle)
            raise
        return journal

    def _start(self, subject: str, found: Found) -> None:
        before = self.records
        head = read_head(self.path, self._keys) if before else None
        if head is not None:
            require_head(self.path, head, before)
        self._segments.open(found.step)
        self._thread.start()
        try:
            self._begin(subject, head, before, found.torn)
        except BaseException:
            self._let_go()
            raise

    def _begin(
        self, subject: str, head: Head | None, before: int, torn: tuple[str, int] | None
    ) -> None:
        if before == 0:
            self.note(OPENED, self._segments.opening_record(subject))
            self._know(self.records, closed=False)  # whoever has begun has a head
            self._segments.begun(subject)
        elif head is None:
            self.note(RECOVERED, {"head": "missing", "records": before})
        if torn:
            self.note(RECOVERED, {"kept_in": torn[0], "bytes": torn[1]})
        if self._keys.active.epoch != self._segments.state.current.ring:
            self.rotate()
        if self._known != self.records:
            self._know(self.records, closed=False)

    @property
    def poisoned(self) -> bool:
        """Whether a write failed, so that nothing more is accepted."""
        return self._failure is not None

    @property
    def records(self) -> int:
        """Number of records on disk."""
        return self._segments.scan.records

    @property
    def journal_id(self) -> str:
        """The journal's identifier."""
        return self._keys.journal_id

    @property
    def epoch(self) -> int:
        """The epoch, and segment, that is being written."""
        return self._segments.state.current.epoch

    def submit(self, kind: str, body: Mapping[str, Any]) -> Future[Receipt]:
        """Hand in an entry; the future resolves when it is on disk.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: The journal is poisoned or closed.
        """
        require_kind(kind)
        done = promise()
        self._hand_in(Entry(kind, encode_body(body), done))
        return done

    async def append_async(self, kind: str, body: Mapping[str, Any]) -> Receipt:
        """Write an entry and return once it is on disk, without holding up the event loop.

        All that wait on one loop are told together, which costs less than a future each. An entry
        whose waiter was cancelled is written all the same.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: The journal is poisoned or closed, or the entry was not written.
        """
        require_kind(kind)
        done = LoopPromise()
        self._hand_in(Entry(kind, encode_body(body), done))
        return await done.future

    def append(self, kind: str, body: Mapping[str, Any]) -> Receipt:
        """Write an entry and return once it is on disk."""
        require_kind(kind)
        return self._wait_for(kind, encode_body(body))

    def note(self, kind: str, body: Mapping[str, Any]) -> Receipt:
        """Write a record of the journal itself, `journal.…`; for this library only."""
        return self._wait_for(kind, encode_body(body))

    def write(self, kind: str, body: Mapping[str, Any]) -> None:
        """Hand in an entry without an acknowledgement of its own; `flush` waits for it.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: The journal is poisoned or closed.
        """
        require_kind(kind)
        self._hand_in(Entry(kind, encode_body(body), None))

    def flush(self) -> Receipt:
        """Wait until everything handed in so far is on disk; return the last record's receipt.

        Raises:
            JournalStorageError: Something handed in could not be written, or the journal is
                closed.
        """
        return self._wait_for(FLUSH, b"")

    def checkpoint(self) -> Receipt:
        """Sign size and Merkle root of everything written so far."""
        receipt = self._wait_for(CHECKPOINT, b"")
        self._know(receipt.seq + 1, closed=False)
        return receipt

    def rotate(self) -> Receipt:
        """Close the epoch: seal its segment, erase its key, begin the next; return where that is.

        It happens by itself when a segment has grown to its size and when the keyring's journal
        key was rotated.
        """
        return self._wait_for(SEALED, b"")

    def close(self) -> None:
        """Write what is waiting, sign a checkpoint, and let go of the file."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            fresh = self._failure is None
        try:
            if fresh:
                self.checkpoint()
        finally:
            self._let_go()
            try:
                if self._failure is None:
                    self._know(self.records, closed=True)
            finally:
                os.close(self._lock_handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OemSecurityError:
            if error is None:
                raise

    def _let_go(self) -> None:
        with self._gate:
            self._closed = True
            if not self._waiting:
                self._wake.release()
        self._thread.join()
        self._segments.close()

    def _know(self, records: int, *, closed: bool) -> None:
        """Write the head; two checkpoints at once never leave the older one's."""
        with self._head_gate:
            if records < self._known:
                return
            self._known = records
            head = Head(self._keys.journal_id, records, closed)
            try:
                write_head(self.path, self._keys, head)
            except OSError as error:
                raise JournalStorageError(
                    f"the head of the log cannot be written: {error.strerror or error}",
                    where=str(head_path(self.path)),
                    remedy="free space or mend the disk, then open the journal again",
                ) from error

    def _wait_for(self, kind: str, body: bytes) -> Receipt:
        done = ThreadPromise()
        self._hand_in(Entry(kind, body, done))
        return done.wait()

    def _hand_in(self, entry: Entry) -> None:
        with self._gate:
            self._require_open()
            if not self._waiting:
                self._wake.release()
            self._waiting.append(entry)

    def _require_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise JournalStorageError(
                "the journal is closed", where=str(self.path), remedy="open it again"
            )

    def _work(self) -> None:
        last = False
        while not last:
            self._wake.acquire()
            with self._gate:
                batch, self._waiting, last = self._waiting, [], self._closed
            for begin in range(0, len(batch), MAX_BATCH):
                self._commit(batch[begin : begin + MAX_BATCH])

    def _commit(self, batch: Sequence[Entry]) -> None:
        part: list[Entry] = []
        for entry in batch:
            if entry.kind == SEALED:
                self._store(part)
                self._turn(entry)
                part = []
            else:
                part.append(entry)
        self._store(part)
        if self._failure is None and self._segments.scan.good_bytes >= self._segment_bytes:
            self._turn(None)

    def _store(self, batch: Sequence[Entry]) -> None:
        failure = self._failure
        if failure is None:
            try:
                receipts = self._segments.store(batch)
            except Exception as error:  # noqa: BLE001 - a defect must end like a full disk, not hang
                failure = self._poison(error)
            else:
                acknowledge(receipts)
                self._settle()
                return
        for entry in batch:
            entry.fail(failure)

    def _settle(self) -> None:
        try:
            self._segments.settle()
        except Exception as error:  # noqa: BLE001 - as above
            self._poison(error)

    def _turn(self, entry: Entry | None) -> None:
        failure = self._failure
        if failure is None:
            try:
                receipt = self._segments.turn()
                if entry is not None and entry.done is not None:
                    entry.done.set_result(receipt)
                return
            except Exception as error:  # noqa: BLE001 - as above
                failure = self._poison(error)
        if entry is not None:
            entry.fail(failure)

    def _poison(self, error: Exception) -> JournalStorageError:
        cause = getattr(error, "strerror", None) or f"{error}"
        failure = JournalStorageError(
            f"the entry could not be written: {cause}",
            where=str(self.path),
            remedy="free space or mend the disk, then open the journal again",
        )
        with self._gate:
            self._failure = failure
        self._segments.cut_back()
        return failure
