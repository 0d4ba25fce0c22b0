"""A short text that stands in a file: a token, a passphrase."""

from __future__ import annotations

from pathlib import Path

_MAX_BYTES = 1 << 16


def text_of(path: Path, what: str) -> str:
    """Return the text of a file, without the line's end.

    Raises:
        InputError: There is no such file.
        MalformedError: It is no regular file, too long, or not UTF-8.
    """
    from oem_security.errors import MalformedError
    from oem_security.files import read_bounded

    try:
        return read_bounded(path, _MAX_BYTES, what=what).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise MalformedError(
            f"there is no {what} in this file", where=str(path), remedy="correct the path"
        ) from None
