"""Files as this library needs them: replaced whole, read with a bound, private where secret."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from oem_security.errors import InputError, MalformedError, StateError, StorageError

PRIVATE_FILE = 0o600
PRIVATE_DIR = 0o700
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file whole: after a crash either the old or the new content is there.

    Args:
        path: The file; its folder is made when missing.
        data: The new content.
        mode: Permission bits of the new file.

    Raises:
        StorageError: The disk refused; the old content is untouched.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = f"{path.parent}/.{path.name[:40]}.{os.urandom(8).hex()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CLOEXEC, PRIVATE_FILE)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        sync_dir(path.parent)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise StorageError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            remedy="free space or correct the permissions, then repeat; nothing was changed",
        ) from error


def sync_dir(directory: Path) -> None:
    """Make a rename or a new name in a folder durable."""
    handle = os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_bounded(path: Path, max_bytes: int, *, what: str, remedy: str = "") -> bytes:
    """Read a regular file of at most `max_bytes`; devices, pipes and endless files are refused."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC)
    except FileNotFoundError:
        raise InputError(
            f"there is no {what}", where=str(path), remedy=remedy or "check the path"
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot read the {what}: {error.strerror}",
            where=str(path),
            remedy="check the path and its permissions",
        ) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise MalformedError(
                f"the {what} is not a regular file", where=str(path), remedy="check the path"
            )
        data = os.read(handle, min(found.st_size, max_bytes) + 1)
        # a file that has grown meanwhile is read to its end, or to the bound
        while found.st_size < len(data) <= max_bytes:
            more = os.read(handle, max_bytes + 1 - len(data))
            if not more:
                break
            data += more
    finally:
        os.close(handle)
    if len(data) > max_bytes:
        raise MalformedError(
            f"the {what} is larger than {max_bytes} bytes",
            where=str(path),
            remedy="check that this is the right file",
        )
    return data


def open_regular(path: Path, *, what: str) -> BinaryIO:
    """Open a regular file for reading; a link is not followed, a pipe is not waited for.

    Raises:
        FileNotFoundError: There is none.
        MalformedError: It is a link, a folder, a device or a pipe.
    """
    flags = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
    try:
        # unlike os.fdopen, it keeps the name, which other processes are told
        stream = open(path, "rb", opener=lambda name, _: os.open(name, flags))  # noqa: SIM115
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _not_regular(what, path) from None
        raise
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise _not_regular(what, path)
    return stream


def require_regular(path: Path, *, what: str) -> None:
    """Refuse a path at which no such file can be; that nothing is there yet is no objection.

    Raises:
        MalformedError: It is a link, a folder, a device or a pipe.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        raise _not_regular(what, path)


def _not_regular(what: str, path: Path) -> MalformedError:
    return MalformedError(
        f"the {what} is not a regular file",
        where=str(path),
        remedy="name the file itself: links, folders, devices and pipes are not followed",
    )


def make_private_dir(directory: Path) -> None:
    """Make a folder only its owner can enter."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(PRIVATE_DIR)


def require_private(path: Path) -> None:
    """Refuse a secret that others on this machine can read.

    Raises:
        StorageError: The file or folder grants rights to group or others.
    """
    if os.name != "posix":
        return
    mode = path.stat().st_mode
    if mode & _FOR_OTHERS:
        raise StorageError(
            f"a secret is open to others (mode {stat.S_IMODE(mode):o})",
            where=str(path),
            remedy=f"run chmod {'700' if path.is_dir() else '600'} on it, and rotate the keys "
            "if somebody else may have read it",
        )


@contextlib.contextmanager
def exclusive(path: Path, *, what: str) -> Iterator[None]:
    """Hold an exclusive advisory lock on `path` (made when missing) or refuse at once."""
    handle = lock(path)
    if handle is None:
        raise StateError(
            f"another process is changing the {what}",
            where=str(path),
            remedy="wait until it has ended, then repeat",
        )
    try:
        yield
    finally:
        os.close(handle)


def lock(path: Path) -> int | None:
    """Take an exclusive advisory lock and return its descriptor, or None if somebody holds it."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
