"""Reading a journal from its newest segment back, for who looks for something recent."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from oem_security.errors import InputError
from oem_security.files import open_regular
from oem_security.journal.epoch import state_of
from oem_security.journal.head import Head, read_head
from oem_security.journal.reader import hold
from oem_security.journal.record import Record, record_of
from oem_security.journal.scan import Scan, check_and_keep, cut_short, first_of, scan_alone
from oem_security.journal.segments import WHAT, closed_segments, open_segment, segment_path
from oem_security.keys.keyring import Keyring

_TRIES = 50


def read_newest(
    path: Path, keyring: Keyring, kinds: Collection[str] | None = None
) -> Iterator[Record]:
    """Yield the records of a journal segment by segment, the newest segment first.

    In a log of years the older segments are not read. Each segment is verified by itself, and is
    the one that the newer one continues; within it the records come as they were written. The end
    of the newest one is held against the head of the log.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        kinds: Only these kinds; None for all.

    Raises:
        JournalError: A record does not hold, the log was cut, or an older file stands in its
            place; the error names the line.
        InputError: There is no such journal.
    """
    begins: tuple[str, int, str] | None = None  # key, number and link that the newer one states
    head: Head | None = None
    for number in range(_newest(path, keyring), 0, -1):
        stream, name = open_segment(path, number)
        state, first = Scan(), None
        with stream:
            for block in scan_alone(stream, name, state, keyring, check_and_keep):
                if first is None:
                    first = block
                    if begins is None and state.keys is not None:
                        head = read_head(path, state.keys)
                    if state.epoch != number:
                        state.lines = 0
                        raise state.failed(0, f"it is of epoch {state.epoch}, expected {number}")
                for value in block.records:
                    if kinds is None or value["kind"] in kinds:
                        yield record_of(value)
        if begins is None:
            hold(path, state, head, strict=False)
        if begins not in (None, (state.sealed, state.records, state.link)):
            raise state.failed(0, "the next segment does not continue this one")
        if first is None or state.public is None:
            if number > 1:
                raise state.failed(0, "the segment is unfinished")
            return
        begins = (state.public.raw.hex(), first.first, first.prev)


def _newest(path: Path, keyring: Keyring) -> int:
    """Return the number of the segment that its writer is in, or has just closed.

    Raises:
        JournalError: The file is of an earlier epoch than its writer is in.
        InputError: There is no such journal.
    """
    newest = 0
    for _ in range(_TRIES):
        closed = closed_segments(path)
        value = _first_of(path)
        if value is None and not closed:
            if path.exists():
                return 0  # its first record is just being written
            raise InputError("there is no such journal", where=str(path), remedy="correct the path")
        if value is None:  # a crash between two segments, or the newest one was deleted
            newest, value = closed[-1], _first_of(segment_path(path, closed[-1])) or {}
        else:
            epoch = value["body"].get("epoch")
            newest = epoch if type(epoch) is int and epoch > 0 else 1
        journal = str(value.get("body", {}).get("journal"))
        if newest >= state_of(keyring.directory, journal).current.epoch:
            return newest
        # its writer has just closed it, or an older file stands in its place: look once more
    raise cut_short(Scan(epoch=newest, where=str(path)))


def _first_of(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError), open_regular(path, what=WHAT) as stream:
        return first_of(stream, path, Scan())
    return None
