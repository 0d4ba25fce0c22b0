"""Files as this library needs them: replaced whole, read with a bound, private where secret."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from oem_security.errors import InputError, MalformedError, StateError, StorageError

PRIVATE_FILE = 0o600
PRIVATE_DIR = 0o700
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHOWN, _RANDOM = 40, 8
"""A temporary file is named by so many characters of its target, and so many random bytes."""
_TRIES, _PAUSE_S = 50, 0.004


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
        temporary = f"{path.parent}/.{path.name[:_SHOWN]}.{os.urandom(_RANDOM).hex()}"
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
    handle = _handle(path, what, remedy or "check the path")
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


def open_sized(path: Path) -> tuple[int, io.FileIO]:
    """Open a regular file, also through a link, and return its size with it.

    Raises:
        InputError: There is no such file, or it is a folder, a device or a pipe.
        StorageError: It cannot be read.
    """
    handle = _handle(path, "such file", "restore it or correct the path")
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise InputError(
            "there is no such file, but a folder, a device or a pipe",
            where=str(path),
            remedy="restore it or correct the path",
        )
    return found.st_size, io.FileIO(handle, "rb")


def _handle(path: Path, what: str, remedy: str) -> int:
    """Open for reading; a pipe that nobody writes into is not waited for."""
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no {what}", where=str(path), remedy=remedy) from None
    except OSError as error:
        raise StorageError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="check the path and its permissions",
        ) from error


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


def require_unwritable(directory: Path) -> None:
    """Refuse a folder of secrets in which others can put files of their own.

    Raises:
        StorageError: Group or others may write in it.
    """
    if os.name != "posix":
        return
    mode = directory.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StorageError(
            f"others can write in a folder of secrets (mode {stat.S_IMODE(mode):o})",
            where=str(directory),
            remedy="run chmod 700 on it, and restore what is in it from a backup if somebody "
            "else may have changed it",
        )


def sweep(path: Path) -> None:
    """Overwrite and remove what crashes left of `write_atomic` beside a secret file.

    Only for who holds the lock under which the file is written.
    """
    begin = f".{path.name[:_SHOWN]}."
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        left = [
            Path(entry)
            for entry in entries
            if entry.name.startswith(begin)
            and len(entry.name) == len(begin) + 2 * _RANDOM
            and entry.is_file(follow_symlinks=False)
        ]
        for file in left:
            erase(file)


def erase(file: Path) -> None:
    """Overwrite a file and remove it; copies that the disk keeps elsewhere are out of reach."""
    handle = os.open(file, os.O_WRONLY | _NOFOLLOW | _CLOEXEC)
    try:
        os.pwrite(handle, bytes(os.fstat(handle).st_size), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    file.unlink()


@contextlib.contextmanager
def exclusive(path: Path, *, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive advisory lock on `path` (made when missing), or refuse.

    Args:
        path: The lock file.
        what: What is being changed, for the error message.
        wait_s: How long to wait for another process to end its change.

    Raises:
        StateError: Another process holds it.
        StorageError: The lock file cannot be made.
    """
    handle = lock(path)
    end = time.monotonic() + wait_s
    while handle is None and time.monotonic() < end:
        time.sleep(_PAUSE_S)
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
    """Take an exclusive advisory lock and return its descriptor, or None if somebody holds it.

    Who only looks whether it is held (`is_locked`) is waited for.

    Raises:
        StorageError: The lock file cannot be made.
    """
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _CLOEXEC | _NOFOLLOW, PRIVATE_FILE)
    except OSError as error:
        raise _no_lock(path, error) from error
    try:
        for _ in range(_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            # a shared lock beside the other one: it is of somebody who looks
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(handle, fcntl.LOCK_UN)
            time.sleep(_PAUSE_S * (0.5 + os.urandom(1)[0] / 256))
    except BlockingIOError:
        pass
    except OSError as error:
        os.close(handle)
        raise _no_lock(path, error) from error
    os.close(handle)
    return None


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds the lock; nothing is made, and nobody is kept from taking it.

    Raises:
        StorageError: The lock file cannot be looked at.
    """
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | _CLOEXEC | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _no_lock(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _no_lock(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the lock cannot be taken: {error.strerror or error}",
        where=str(path),
        remedy="check that its folder is there and may be written, and that nothing else has "
        "its name",
    )
