"""The files of a tree and their hashes, by rules that leave no room for tricks.

Only regular files count. Links and special files are refused, because what they lead to can change
after it was looked at. Two names that are one on another system (case, Unicode form) are refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from oem_security.errors import ManifestError

MAX_FILES = 200_000
MAX_PATH = 1_024
_CHUNK = 1 << 20
_PORTS = (f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")
_DEVICES = frozenset(("con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS))
"""Names that are devices on Windows, whatever follows their first dot."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file.

    Attributes:
        path: Relative to the root, with slashes.
        size: Bytes.
        sha384: Hexadecimal.
    """

    path: str
    size: int
    sha384: str


def list_files(root: Path, skip: Callable[[str], bool] = lambda _: False) -> list[str]:
    """Return the relative paths of all files below a folder, sorted.

    Args:
        root: The folder.
        skip: Tells of a relative path whether it is left out.

    Raises:
        ManifestError: A link, a special file, a name that is not allowed, or two that collide.
    """
    found: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError as error:
            raise ManifestError(
                f"the folder cannot be read: {error.strerror}",
                where=str(root / folder),
                remedy="check that it is there and its permissions",
            ) from None
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if skip(path):
                continue
            require_path(path)
            if entry.is_symlink():
                raise _refused("a link", root / path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False):
                found.append(path)
            else:
                raise _refused("a special file", root / path)
            if len(found) > MAX_FILES:
                raise ManifestError(
                    f"more than {MAX_FILES} files",
                    where=str(root),
                    remedy="make a manifest of a smaller tree",
                )
    require_distinct(found)
    return sorted(found)


def require_path(path: str) -> None:
    """Refuse a path that leaves its tree or means another one elsewhere.

    Raises:
        ManifestError: It is absolute, has an empty, `.` or `..` part, a backslash, a colon, a
            control character, the name of a Windows device, is too long, or is not text.
    """
    parts = path.split("/")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        parts = [""]
    if (
        len(path) > MAX_PATH
        or PurePosixPath(path).is_absolute()
        or any(part in ("", ".", "..") for part in parts)
        or any(c in "\\:" or unicodedata.category(c).startswith("C") for c in path)
        or any(part != part.rstrip(" .") for part in parts)
        or any(part.partition(".")[0].rstrip(" ").casefold() in _DEVICES for part in parts)
    ):
        raise ManifestError(
            "a path that leads elsewhere or means another file on another system",
            where=ascii(path),
            remedy="rename the file; a manifest that names it is not to be trusted",
        )


def require_distinct(paths: Iterable[str]) -> None:
    """Refuse paths that cannot stand beside each other where case or Unicode form do not count.

    Two files are one there, or a file has the name of another one's folder.

    Raises:
        ManifestError: Two collide; both are named.
    """
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(_folded(path), path)
        if other != path:
            raise _collision(other, path)
    for path in seen.values():
        for folder in PurePosixPath(path).parents:
            other = seen.get(_folded(str(folder)), path)
            if other != path:
                raise _collision(other, path)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _collision(one: str, other: str) -> ManifestError:
    return ManifestError(
        f"{one!r} and {other!r} cannot both be there on other systems",
        where=other,
        remedy="rename one of them",
    )


def hash_files(
    root: Path, paths: Iterable[str], *, sizes: dict[str, int] | None = None, threads: int = 2
) -> list[FileEntry]:
    """Return the entries of files, hashed as streams and in parallel, in the order given.

    Args:
        root: The folder.
        paths: Relative paths.
        sizes: Size that each file must have; a file of another size is not read at all.
        threads: Files hashed at the same time; hashing releases the interpreter lock.

    Raises:
        ManifestError: A file is missing, is not a regular file, or has another size.
    """
    wanted = list(paths)

    def one(path: str) -> FileEntry:
        return hash_entry(root, path, None if sizes is None else sizes[path])

    if threads <= 1 or len(wanted) < 2:
        return [one(path) for path in wanted]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, wanted))


def hash_entry(root: Path, path: str, size: int | None = None) -> FileEntry:
    """Return the entry of one file; it is read once, and never beyond the size it had at first."""
    where = root / path
    try:
        handle = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ManifestError(
            "the file is missing or a link" if error.errno else "the file cannot be opened",
            where=str(where),
            remedy="restore it from the bundle or a backup",
        ) from None
    with os.fdopen(handle, "rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _refused("a special file", where)
        if size is not None and status.st_size != size:
            raise ManifestError(
                f"the file has {status.st_size} bytes, the manifest says {size}",
                where=str(where),
                remedy="restore it from the bundle or a backup",
            )
        digest = hashlib.sha384()
        buffer = memoryview(bytearray(min(_CHUNK, status.st_size + 1)))
        total = 0
        while got := stream.readinto(buffer):
            digest.update(buffer[:got])
            total += got
            if total > status.st_size:
                break
    if total != status.st_size:
        raise ManifestError(
            "the file changed while it was read",
            where=str(where),
            remedy="stop what writes it, then repeat",
        )
    return FileEntry(path, total, digest.hexdigest())


def _refused(what: str, where: Path) -> ManifestError:
    return ManifestError(
        f"{what} has no place in a manifest",
        where=str(where),
        remedy="replace it by the file itself, or leave it out",
    )
