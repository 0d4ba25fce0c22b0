"""The files of a journal: `log.jsonl` is written, `log.jsonl.00001` … are closed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO

from oem_security.errors import InputError, JournalError, MalformedError
from oem_security.files import open_regular, require_regular
from oem_security.journal.record import MAX_LINE_BYTES, parse_line

OPENED = "journal.opened"
CONTINUED = "journal.continued"
CHECKPOINT = "journal.checkpoint"
RECOVERED = "journal.recovered"
SEALED = "journal.sealed"
SEGMENT_BYTES = 16 << 20
"""A segment is closed when it has grown to this; opening a journal reads the last one."""
WHAT = "journal"
_SUFFIX = re.compile(r"\.(\d{5,})")


def require_place(path: Path) -> None:
    """Refuse a path at which no journal can be.

    A link is one: the locks beside two names of one file would let two writers in.

    Raises:
        MalformedError: It is a link, a folder, a device or a pipe.
    """
    require_regular(path, what=WHAT)


def segment_path(path: Path, number: int) -> Path:
    """Return the name of a closed segment of the journal at `path`."""
    return path.with_name(f"{path.name}.{number:05d}")


def closed_segments(path: Path) -> list[int]:
    """Return the numbers of the closed segments that are there, in order."""
    found = []
    if path.parent.is_dir():
        for name in path.parent.iterdir():
            match = _SUFFIX.fullmatch(name.name.removeprefix(path.name))
            if name.name.startswith(path.name) and match:
                found.append(int(match[1]))
    return sorted(found)


def journal_of(path: Path) -> Path:
    """Return the journal that a closed segment belongs to, or the path itself."""
    match = _SUFFIX.fullmatch(path.suffix)
    return path.with_name(path.name.removesuffix(path.suffix)) if match else path


def open_segment(path: Path, number: int) -> tuple[BinaryIO, Path]:
    """Open a segment under whichever name it has: the writer may be closing it.

    Raises:
        InputError: There is no such journal.
        JournalError: The segment is missing.
    """
    for _ in range(3):
        for name in (segment_path(path, number), path):
            try:
                stream = open_regular(name, what=WHAT)
            except FileNotFoundError:
                continue
            if name != path or _number(stream, number) == number:
                return stream, name
            stream.close()
    if not path.exists() and not closed_segments(path):
        raise InputError("there is no such journal", where=str(path), remedy="correct the path")
    raise JournalError(
        f"segment {number} of the log is missing",
        where=str(segment_path(path, number)),
        remedy="it was deleted or moved: restore it from a backup",
    )


def first_line(stream: BinaryIO) -> dict[str, Any] | None:
    """Return the parsed first line, unverified, and go back; None where it is unfinished.

    Raises:
        MalformedError: It is no record.
    """
    line = stream.readline(MAX_LINE_BYTES + 2)
    stream.seek(0)
    return parse_line(line[:-1]) if line.endswith(b"\n") else None


def _number(stream: BinaryIO, expected: int) -> int:
    """Return which segment a file says it is; one that does not say is taken for the expected."""
    try:
        value = first_line(stream)
    except MalformedError:
        return expected
    number = None if value is None else value["body"].get("epoch")
    return number if isinstance(number, int) else expected
