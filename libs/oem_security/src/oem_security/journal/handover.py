"""Several processes, one writer: entries are handed to it through a socket beside the log.

The writer answers when an entry is on disk, as `Journal.append` does, so entries of several
processes share one sync. The socket is a Unix socket of the writer's own user.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from oem_security.errors import (
    InputError,
    JournalLockedError,
    JournalStorageError,
    OemSecurityError,
    StateError,
)
from oem_security.journal.record import MAX_LINE_BYTES, encode_body, require_kind
from oem_security.journal.segments import require_place
from oem_security.journal.writer import Journal, Receipt
from oem_security.keys.keyring import Keyring

SOCKET_SUFFIX = ".sock"
_BUFFER = 1 << 16
_MAX_CLIENTS = 64
_PAUSE_S = 0.02


def socket_path(path: Path) -> Path:
    """Return where the writer of a journal takes entries."""
    return path.with_name(path.name + SOCKET_SUFFIX)


class EntryServer:
    """Takes entries of other processes for a journal that this process writes.

    Args:
        journal: The open journal; close the server before it.

    Raises:
        JournalStorageError: The socket cannot be made.

    Example:
        >>> import tempfile
        >>> from oem_security import EntryServer, Journal, JournalClient, Keyring
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keyring = Keyring.create(Path(folder) / "keys")
        ...     log = Path(folder) / "log.jsonl"
        ...     with Journal.open(log, keyring) as journal, EntryServer(journal):
        ...         with JournalClient(log) as other_process:
        ...             other_process.append("note", {"text": "hello"}).seq
        1
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._path = socket_path(journal.path)
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._gate = threading.Lock()
        self._closing = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)  # of a writer that was killed; the lock is ours
            os.fchmod(self._socket.fileno(), 0o600)
            with _short(self._path) as name:
                self._socket.bind(name)
            self._path.chmod(0o600)
            self._socket.listen(_MAX_CLIENTS)
        except OSError as error:
            self._socket.close()
            raise JournalStorageError(
                f"entries of other processes cannot be taken: {error.strerror or error}",
                where=str(self._path),
                remedy="put the site on a file system that has Unix sockets",
            ) from error
        self._acceptor = threading.Thread(target=self._accept, name="journal entries", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Take no more entries; what was handed in is answered first."""
        with self._gate:
            self._closing = True
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RD)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with self._gate:
                self._threads = [t for t in self._threads if t.is_alive()]
                welcome = not self._closing and len(self._threads) < _MAX_CLIENTS
                if not welcome or not _same_user(client):
                    client.close()
                    continue
                self._clients.add(client)
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        waiting = b""
        try:
            while data := client.recv(_BUFFER):
                *lines, waiting = (waiting + data).split(b"\n")
                if len(waiting) > MAX_LINE_BYTES:
                    return
                promises = [self._hand_in(line) for line in lines]
                client.sendall(b"".join(_answer(promise) for promise in promises))
        except OSError:
            return
        finally:
            with self._gate:
                self._clients.discard(client)
            client.close()

    def _hand_in(self, line: bytes) -> Future[Receipt] | Receipt | OemSecurityError:
        try:
            entry = orjson.loads(line)
            if entry == {"checkpoint": True}:
                return self._journal.checkpoint()
            return self._journal.submit(entry["kind"], entry["body"])
        except OemSecurityError as error:
            return error
        except (ValueError, KeyError, TypeError):
            return InputError("the entry is malformed", remedy="hand in kind and body as JSON")


class JournalClient:
    """Hands entries to the process that writes a journal.

    Args:
        path: The journal.

    Raises:
        StateError: No process takes entries for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._waiting = b""
        try:
            with _short(socket_path(path)) as name:
                self._socket.connect(name)
        except OSError:
            self._socket.close()
            raise StateError(
                "no process takes entries for this journal",
                where=str(path),
                remedy="start the process that writes it, or open the journal yourself",
            ) from None

    def append(self, kind: str, body: Mapping[str, Any]) -> Receipt:
        """Hand in an entry and return once it is on disk.

        Raises:
            InputError: The kind or body cannot be journalled.
            JournalStorageError: It was not written, or the writer ended before it answered.
        """
        return self.append_all([(kind, body)])[0]

    def append_all(self, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Receipt]:
        """Hand in several entries at once and return once all are on disk."""
        lines = []
        for kind, body in entries:
            require_kind(kind)
            lines.append(b'{"kind":"%b","body":%b}\n' % (kind.encode(), encode_body(body)))
        try:
            self._socket.sendall(b"".join(lines))
            return [self._receipt() for _ in lines]
        except OSError:
            raise self._lost() from None

    def checkpoint(self) -> Receipt:
        """Have the writer sign size and Merkle root of everything written so far.

        Raises:
            JournalStorageError: It was not written, or the writer ended before it answered.
        """
        try:
            self._socket.sendall(b'{"checkpoint":true}\n')
            return self._receipt()
        except OSError:
            raise self._lost() from None

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _receipt(self) -> Receipt:
        while b"\n" not in self._waiting:
            data = self._socket.recv(_BUFFER)
            if not data:
                raise self._lost()
            self._waiting += data
        line, self._waiting = self._waiting.split(b"\n", 1)
        answer = orjson.loads(line)
        if "error" in answer:
            refused = InputError if answer["input"] else JournalStorageError
            raise refused(answer["error"], where=answer["where"], remedy=answer["remedy"])
        return Receipt(answer["seq"], answer["leaf"])

    def _lost(self) -> JournalStorageError:
        return JournalStorageError(
            "the writer ended before it acknowledged the entry",
            where=str(self._path),
            remedy="look whether the entry is in the log before handing it in again",
        )


def hand_over(
    path: Path, keyring: Keyring, kind: str, body: Mapping[str, Any], *, wait_s: float = 5.0
) -> Receipt:
    """Append one entry to a journal, whichever process writes it.

    The running writer takes it; where there is none, this process is the writer for a moment.

    Args:
        path: The journal.
        keyring: The keyring it is written with.
        kind: Kind of the entry.
        body: Its content.
        wait_s: How long to wait for a writer that takes no entries to end.

    Raises:
        JournalLockedError: A writer that takes no entries did not end.
    """
    return _through_writer(
        path,
        keyring,
        lambda client: client.append(kind, body),
        lambda journal: journal.append(kind, body),
        wait_s,
    )


def checkpoint_journal(path: Path, keyring: Keyring, *, wait_s: float = 5.0) -> Receipt:
    """Have size and Merkle root of a journal signed, whichever process writes it.

    Raises:
        JournalLockedError: A writer that takes no entries did not end.
    """
    return _through_writer(
        path, keyring, lambda client: client.checkpoint(), lambda j: j.checkpoint(), wait_s
    )


def _through_writer(
    path: Path,
    keyring: Keyring,
    ask: Callable[[JournalClient], Receipt],
    do: Callable[[Journal], Receipt],
    wait_s: float,
) -> Receipt:
    require_place(path)
    end = time.monotonic() + wait_s
    while True:
        try:
            with JournalClient(path) as client:
                return ask(client)
        except StateError:
            pass
        try:
            with Journal.open(path, keyring) as journal:
                return do(journal)
        except JournalLockedError:
            if time.monotonic() >= end:
                raise
        time.sleep(_PAUSE_S)


def _answer(promise: Future[Receipt] | Receipt | OemSecurityError) -> bytes:
    try:
        if isinstance(promise, OemSecurityError):
            raise promise
        receipt = promise if isinstance(promise, Receipt) else promise.result()
    except OemSecurityError as error:
        told = {"error": error.what, "where": error.where, "remedy": error.remedy}
        return orjson.dumps({**told, "input": isinstance(error, InputError)}) + b"\n"
    return orjson.dumps({"seq": receipt.seq, "leaf": receipt.leaf}) + b"\n"


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of the socket that fits an address, which has room for 107 bytes only."""
    if len(os.fsencode(path)) < 100 or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _same_user(client: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode is the only guard there
    found = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", found)
    return bool(user == os.getuid())
