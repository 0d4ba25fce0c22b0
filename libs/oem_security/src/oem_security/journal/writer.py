"""The one writer of a journal: group commit, and no pretence after a failed write."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from oem_security.clock import Clock, SystemClock
from oem_security.errors import JournalLockedError, JournalStorageError, OemSecurityError
from oem_security.files import lock, sync_dir
from oem_security.journal.epoch import EpochKey, JournalState
from oem_security.journal.head import Head, head_path, read_head, require_head, write_head
from oem_security.journal.opening import Found, find
from oem_security.journal.record import (
    TimeText,
    encode_body,
    encode_line,
    require_kind,
)
from oem_security.journal.segments import (
    CHECKPOINT,
    CONTINUED,
    OPENED,
    RECOVERED,
    SEALED,
    SEGMENT_BYTES,
    segment_path,
)
from oem_security.keyring import Keyring

MAX_BATCH = 1024
_FLUSH = "journal.flush"  # not a record: its receipt is that of the record before


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is on disk: its sequence number and its Merkle leaf, hex."""

    seq: int
    leaf: str


@dataclass(slots=True)
class _Entry:
    kind: str
    body: bytes
    done: Future[Receipt] | None

    def fail(self, error: Exception) -> None:
        if self.done is not None:
            self.done.set_exception(error)


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
        self._scan = found.scan
        self._state: JournalState = found.state
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._subject = found.scan.subject
        self._use(self._state.current)
        self._time = TimeText()
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._failure: JournalStorageError | None = None
        self._closed = False
        self._gate = threading.Lock()
        self._head_gate = threading.Lock()
        self._known = 0
        self._file = -1
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
        """
        path.parent.mkdir(parents=True, exist_ok=True)
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
        before = self._scan.records
        head = read_head(self.path, self._keys) if before else None
        if head is not None:
            require_head(self.path, head, before)
        if found.step and found.state.upcoming is not None:
            self._begin_segment(found.state.upcoming, rename=found.step == "rename")
        else:
            self._file = _open_file(self.path)
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
            self._subject = subject
            opened = {
                "journal": self._keys.journal_id,
                "subject": subject,
                "epoch": 1,
                "ring": self._state.current.ring,
                "public": self._state.origin,
            }
            self._internal(OPENED, opened)
            sync_dir(self.path.parent)
            self._state = replace(self._state, begun=True)
            self._state.save(self._keys.keyring.directory)
        elif head is None:
            self._internal(RECOVERED, {"head": "missing", "records": before})
        if torn:
            self._internal(RECOVERED, {"kept_in": torn[0], "bytes": torn[1]})
        if self._keys.active.epoch != self._state.current.ring:
            self.rotate()
        self._know(self._scan.records, closed=False)

    @property
    def poisoned(self) -> bool:
        """Whether a write failed, so that nothing more is accepted."""
        return self._failure is not None

    @property
    def records(self) -> int:
        """Number of records on disk."""
        return self._scan.records

    @property
    def journal_id(self) -> str:
        """The journal's identifier."""
        return self._keys.journal_id

    @property
    def epoch(self) -> int:
        """The epoch, and segment, that is being written."""
        return self._state.current.epoch

    def submit(self, kind: str, body: Mapping[str, Any]) -> Future[Receipt]:
        """Hand in an entry; the future resolves when it is on disk.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: The journal is poisoned or closed.
        """
        require_kind(kind)
        return self._enqueue(kind, encode_body(body))

    def append(self, kind: str, body: Mapping[str, Any]) -> Receipt:
        """Write an entry and return once it is on disk."""
        return self.submit(kind, body).result()

    def write(self, kind: str, body: Mapping[str, Any]) -> None:
        """Hand in an entry without an acknowledgement of its own; `flush` waits for it.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: The journal is poisoned or closed.
        """
        require_kind(kind)
        entry = _Entry(kind, encode_body(body), None)
        with self._gate:
            self._require_open()
            self._queue.put(entry)

    def flush(self) -> Receipt:
        """Wait until everything handed in so far is on disk; return the last record's receipt.

        Raises:
            JournalStorageError: Something handed in could not be written, or the journal is
                closed.
        """
        return self._enqueue(_FLUSH, b"").result()

    def checkpoint(self) -> Receipt:
        """Sign size and Merkle root of everything written so far."""
        with self._gate:
            self._require_open()
            done = _promise()
            self._queue.put(_Entry(CHECKPOINT, b"", done))
        receipt = done.result()
        self._know(receipt.seq + 1, closed=False)
        return receipt

    def rotate(self) -> Receipt:
        """Close the epoch: seal its segment, erase its key, begin the next; return where that is.

        It happens by itself when a segment has grown to its size and when the keyring's journal
        key was rotated.
        """
        return self._enqueue(SEALED, b"").result()

    def close(self) -> None:
        """Write what is waiting, sign a checkpoint, and let go of the file."""
        with self._gate:
            if self._closed:
                return
            fresh = self._failure is None
        try:
            if fresh:
                self.checkpoint()
        finally:
            self._let_go()
            try:
                if self._failure is None:
                    self._know(self._scan.records, closed=True)
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
            self._queue.put(None)
        self._thread.join()
        os.close(self._file)

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

    def _internal(self, kind: str, body: Mapping[str, Any]) -> None:
        self._enqueue(kind, encode_body(body)).result()

    def _enqueue(self, kind: str, body: bytes) -> Future[Receipt]:
        done = _promise()
        with self._gate:
            self._require_open()
            self._queue.put(_Entry(kind, body, done))
        return done

    def _require_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise JournalStorageError(
                "the journal is closed", where=str(self.path), remedy="open it again"
            )

    def _work(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch, last = [first], False
            while len(batch) < MAX_BATCH:
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
                if entry is None:
                    last = True
                    break
                batch.append(entry)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Entry]) -> None:
        part: list[_Entry] = []
        for entry in batch:
            if entry.kind == SEALED:
                self._store(part)
                self._turn(entry)
                part = []
            else:
                part.append(entry)
        self._store(part)
        if self._failure is None and self._scan.good_bytes >= self._segment_bytes:
            self._turn(None)

    def _store(self, batch: list[_Entry]) -> None:
        if self._failure is not None:
            for entry in batch:
                entry.fail(self._failure)
            return
        scan = self._scan
        before = (scan.records, scan.link, scan.tree.copy())
        try:
            data, receipts = self._encode(batch)
            if data:
                _write_all(self._file, data)
                os.fdatasync(self._file)
        except Exception as error:  # noqa: BLE001 - a defect must end like a full disk, not hang
            scan.records, scan.link, scan.tree = before
            failure = self._poison(error)
            for entry in batch:
                entry.fail(failure)
            return
        scan.good_bytes += len(data)
        for done, receipt in receipts:
            done.set_result(receipt)

    def _turn(self, entry: _Entry | None) -> None:
        """Close the epoch, in steps that can each be the last one before a crash."""
        if self._failure is None:
            try:
                keys, current, scan = self._keys, self._state.current, self._scan
                upcoming = EpochKey.fresh(current.epoch + 1, keys.active.epoch)
                self._state = replace(self._state, upcoming=upcoming)
                self._state.save(keys.keyring.directory)
                seal = keys.seal(current, upcoming, scan.records, scan.tree.root())
                self._write_own(SEALED, seal)
                self._begin_segment(upcoming, rename=True)
            except Exception as error:  # noqa: BLE001 - as above
                self._poison(error)
        if entry is not None and entry.done is not None:
            if self._failure is not None:
                entry.fail(self._failure)
            else:
                entry.done.set_result(Receipt(self._scan.records - 1, self._scan.link))

    def _begin_segment(self, upcoming: EpochKey, *, rename: bool) -> None:
        """After the seal: rename the segment, begin the next one, erase the key."""
        scan = self._scan
        if rename:
            self.path.rename(segment_path(self.path, upcoming.epoch - 1))
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        sync_dir(self.path.parent)
        self._file = _open_file(self.path)
        scan.good_bytes, scan.epoch, scan.sealed = 0, upcoming.epoch, ""
        self._use(upcoming)
        continued = {
            "journal": self._keys.journal_id,
            "subject": self._subject,
            "epoch": upcoming.epoch,
            "ring": upcoming.ring,
            "public": upcoming.public.raw.hex(),
            "size": scan.records,
            "root": scan.tree.root().hex(),
            "peaks": [peak.hex() for peak in scan.tree.hashes()],
        }
        self._write_own(CONTINUED, continued)
        sync_dir(self.path.parent)
        self._state = self._state.advanced()
        self._state.save(self._keys.keyring.directory)

    def _use(self, key: EpochKey) -> None:
        self._mac = self._keys.mac(key.ring, key.epoch)
        self._key_id = self._keys.key_id(key.epoch)

    def _write_own(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write a record of the journal itself from the writer's own thread."""
        before = (self._scan.records, self._scan.link, self._scan.tree.copy())
        try:
            data, _ = self._encode([_Entry(kind, encode_body(body), None)])
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except BaseException:
            self._scan.records, self._scan.link, self._scan.tree = before
            raise
        self._scan.good_bytes += len(data)

    def _encode(self, batch: list[_Entry]) -> tuple[bytes, list[tuple[Future[Receipt], Receipt]]]:
        state = self._scan
        lines: list[bytes] = []
        receipts: list[tuple[Future[Receipt], Receipt]] = []
        leaves: list[bytes] = []  # not yet in the tree: whole batches are hashed at once
        for entry in batch:
            if entry.kind == _FLUSH and entry.done is not None:
                receipts.append((entry.done, Receipt(state.records - 1, state.link)))
                continue
            body = entry.body
            if entry.kind == CHECKPOINT:
                state.tree.extend(leaves)
                leaves = []
                body = encode_body(self._checkpoint_body())
            time = self._time.of(self._clock.now_ns())
            line, leaf = encode_line(
                state.records, time, entry.kind, self._key_id, body, state.link, self._mac
            )
            lines += (line, b"\n")
            state.link = leaf.hex()
            if entry.done is not None:
                receipts.append((entry.done, Receipt(state.records, state.link)))
            state.records += 1
            leaves.append(leaf)
        state.tree.extend(leaves)
        return b"".join(lines), receipts

    def _checkpoint_body(self) -> dict[str, object]:
        scan = self._scan
        return self._keys.checkpoint(self._state.current, scan.records, scan.tree.root())

    def _poison(self, error: Exception) -> JournalStorageError:
        cause = getattr(error, "strerror", None) or f"{error}"
        failure = JournalStorageError(
            f"the entry could not be written: {cause}",
            where=str(self.path),
            remedy="free space or mend the disk, then open the journal again",
        )
        with self._gate:
            self._failure = failure
        with contextlib.suppress(OSError):
            # where it fails the torn tail stays; opening the journal again moves it aside
            os.ftruncate(self._file, self._scan.good_bytes)
        return failure


def _promise() -> Future[Receipt]:
    """Return a future that a caller who stops waiting cannot cancel: its entry is on its way."""
    done: Future[Receipt] = Future()
    done.set_running_or_notify_cancel()
    return done


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _open_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
