"""The one writer of a journal: group commit, and no pretence after a failed write."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from oem_security.clock import Clock, SystemClock
from oem_security.errors import JournalLockedError, JournalStorageError, OemSecurityError
from oem_security.files import lock, sync_dir, write_atomic
from oem_security.journal.head import Head, head_path, read_head, require_head, write_head
from oem_security.journal.keys import JournalKeys
from oem_security.journal.record import (
    TimeText,
    encode_body,
    encode_line,
    require_kind,
)
from oem_security.journal.scan import CHECKPOINT, OPENED, RECOVERED, Scan, scan
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

    def __init__(self, path: Path, handle: int, keys: JournalKeys, state: Scan, clock: Clock):
        self.path = path
        self._lock_handle = handle
        self._keys = keys
        self._state = state
        self._clock = clock
        self._epoch = keys.active
        self._mac = keys.mac(self._epoch)
        self._key_id = keys.key_id(self._epoch)
        self._time = TimeText()
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._failure: JournalStorageError | None = None
        self._closed = False
        self._gate = threading.Lock()
        self._head_gate = threading.Lock()
        self._known = 0
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._thread = threading.Thread(target=self._work, name=f"journal {path.name}", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls, path: Path, keyring: Keyring, *, subject: str = "", clock: Clock | None = None
    ) -> Journal:
        """Open a journal for writing, and make it when it is not there.

        A torn last line, as a crash leaves it, is moved aside and a signed recovery record says
        so. Damage anywhere else stops here.

        Args:
            path: The file; its folder is made.
            keyring: Its `journal` keys authenticate the records.
            subject: What the journal is about, kept in its first record.
            clock: Tells the records' times.

        Raises:
            JournalLockedError: Another process writes this journal.
            JournalError: The log does not hold; the error names the line.
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
            return cls._open_locked(path, handle, keyring, subject, clock or SystemClock())
        except BaseException:
            os.close(handle)
            raise

    @classmethod
    def _open_locked(
        cls, path: Path, handle: int, keyring: Keyring, subject: str, clock: Clock
    ) -> Journal:
        state = Scan()
        if path.exists() and path.stat().st_size:
            for _ in scan(path, keyring, state):
                continue
        keys = state.keys or JournalKeys(secrets.token_hex(8), keyring)
        head = read_head(path, keys) if state.records else None
        if head is not None:
            require_head(path, head, state.records)
        torn = _set_aside(path, state) if state.torn else None
        journal = cls(path, handle, keys, state, clock)
        try:
            journal._begin(subject, head, torn)
        except BaseException:
            journal._let_go()
            raise
        return journal

    def _begin(self, subject: str, head: Head | None, torn: tuple[str, int] | None) -> None:
        before = self._state.records
        if before == 0:
            self._internal(OPENED, {"journal": self._keys.journal_id, "subject": subject})
            sync_dir(self.path.parent)
        elif head is None:
            self._internal(RECOVERED, {"head": "missing", "records": before})
        if torn:
            self._internal(RECOVERED, {"kept_in": torn[0], "bytes": torn[1]})
        self._know(self._state.records, closed=False)

    @property
    def poisoned(self) -> bool:
        """Whether a write failed, so that nothing more is accepted."""
        return self._failure is not None

    @property
    def records(self) -> int:
        """Number of records on disk."""
        return self._state.records

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
                    self._know(self._state.records, closed=True)
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
                write_head(self.path, self._keys, self._epoch, head)
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
        if self._failure is not None:
            for entry in batch:
                entry.fail(self._failure)
            return
        state = self._state
        before = (state.records, state.link, state.good_bytes, state.tree.copy())
        try:
            data, receipts = self._encode(batch)
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except Exception as error:  # noqa: BLE001 - a defect must end like a full disk, not hang
            state.records, state.link, state.good_bytes, state.tree = before
            failure = self._poison(error, state.good_bytes)
            for entry in batch:
                entry.fail(failure)
            return
        state.good_bytes += len(data)
        for done, receipt in receipts:
            done.set_result(receipt)

    def _encode(self, batch: list[_Entry]) -> tuple[bytes, list[tuple[Future[Receipt], Receipt]]]:
        state = self._state
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
                body = encode_body(self._keys.sign_checkpoint(state.records, state.tree.root()))
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

    def _poison(self, error: Exception, good_bytes: int) -> JournalStorageError:
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
            os.ftruncate(self._file, good_bytes)
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


def _set_aside(path: Path, state: Scan) -> tuple[str, int]:
    """Keep the torn bytes beside the journal, cut it to its good length; return where and what."""
    names = (f"{path.name}.torn{n or ''}" for n in count())
    kept = next(found for name in names if not (found := path.with_name(name)).exists())
    size = len(state.torn)
    write_atomic(kept, state.torn, mode=0o600)
    with path.open("r+b") as stream:
        stream.truncate(state.good_bytes)
        stream.flush()
        os.fsync(stream.fileno())
    state.torn = b""
    return kept.name, size
