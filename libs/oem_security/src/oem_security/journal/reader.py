"""Reading a journal: its records, and whether it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from oem_security.errors import JournalError
from oem_security.journal.epoch import state_at
from oem_security.journal.head import Head, read_head, require_head
from oem_security.journal.record import Record, record_of
from oem_security.journal.scan import Checker, Scan, check_and_keep, check_serially, scan_blocks
from oem_security.journal.segments import RECOVERED, closed_segments, segment_path
from oem_security.journal.workers import Workers
from oem_security.keys.keyring import Keyring

_LARGE_BYTES = 8 << 20
"""Below this, starting a process takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What verifying a journal found; every record up to `records` holds.

    Attributes:
        journal_id: The journal's identifier, empty when the file is empty.
        records: Number of records.
        root: Merkle root over all of them, hex.
        checkpointed: Records covered by the newest signed checkpoint.
        closed: Whether its writer closed it.
        epochs: Segments of the log, each under a key of its own.
        kinds: Number of records by kind.
        recoveries: How often a torn line was moved aside.
        torn_bytes: Length of an unfinished last line; the next writer moves it aside.
    """

    journal_id: str
    records: int
    root: str
    checkpointed: int
    closed: bool
    epochs: int
    kinds: Mapping[str, int]
    recoveries: int
    torn_bytes: int


def read_journal(
    path: Path,
    keyring: Keyring,
    kinds: Collection[str] | None = None,
    *,
    strict: bool = False,
) -> Iterator[Record]:
    """Yield the records of a journal, each verified before it is handed out.

    At its end the log is held against its head: one that was cut is refused. Whoever acts on the
    last word of a log therefore reads it to its end first.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        kinds: Only these kinds; None for all.
        strict: The head must be there, and the log in its own place.

    Raises:
        JournalError: A record does not hold, or the log was cut; the error names the line.
        InputError: There is no such journal.
    """
    state = Scan()
    head: Head | None = None
    for block in scan_blocks(path, keyring, state, check_and_keep):
        if head is None and state.keys is not None:
            head = read_head(path, state.keys)  # before the rest: a writer may go on meanwhile
        for value in block.records:
            if kinds is None or value["kind"] in kinds:
                yield record_of(value)
    hold(path, state, head, strict=strict)
    if strict and state.keys is not None:
        _require_place(path, keyring, state.keys.journal_id)


def hold(path: Path, state: Scan, head: Head | None, *, strict: bool) -> Head | None:
    """Hold a journal that was read to its end against its head, and return that.

    Args:
        path: The journal.
        state: Where the reading ended.
        head: The head as it was when the reading began.
        strict: It must be there once the journal has begun.

    Raises:
        JournalError: It is missing, or the log is shorter than it was, or a closed one changed.
    """
    if state.keys is None:
        return None
    begun = state.state is None or state.state.begun
    if head is not None:
        after = read_head(path, state.keys)
        if after is not None and after != head:
            # a writer opened or closed the log meanwhile: what was known before must be there
            head = replace(head, closed=False)
    if head is not None or (strict and begun):
        require_head(path, head, state.records)
    return head


def verify_journal(
    path: Path, keyring: Keyring, *, strict: bool = False, processes: int = 1
) -> JournalReport:
    """Verify every record, link, MAC and checkpoint of a journal, in flat memory.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        strict: Also hold it against its head, which must be there: a log that was cut after
            its writer closed it is refused; what a crash leaves is not. And refuse a log that
            stands in another one's place.
        processes: How many check a large log, this one included.

    Raises:
        JournalError: It does not hold; the error names line, field and remedy.
        InputError: There is no such journal.
    """
    state = Scan()
    head = None
    with ExitStack() as stack:
        checker: Checker = check_serially
        if processes > 1 and _size(path) >= _LARGE_BYTES:
            checker = stack.enter_context(Workers(processes)).check
        for _ in scan_blocks(path, keyring, state, checker):
            if head is None and state.keys is not None:
                # before the rest: a writer may go on meanwhile
                head = read_head(path, state.keys)
    if state.keys is None:
        raise JournalError(
            "the journal is empty",
            where=str(path),
            remedy="a journal begins with its opening record: restore it from a backup",
        )
    head = hold(path, state, head, strict=strict)
    if strict:
        _require_place(path, keyring, state.keys.journal_id)
    if strict and state.torn and head is not None and head.closed:
        raise JournalError(
            f"an unfinished line of {len(state.torn)} bytes follows the end of a closed log",
            where=f"{path}:{state.records + 1}",
            remedy="open the journal once for writing: the line is moved aside and a signed "
            "record says so",
        )
    return JournalReport(
        journal_id=state.keys.journal_id,
        records=state.records,
        root=state.tree.root().hex(),
        checkpointed=state.checkpoint_size,
        closed=head is not None and head.closed,
        epochs=state.epoch,
        kinds=state.kinds,
        recoveries=state.kinds.get(RECOVERED, 0),
        torn_bytes=len(state.torn),
    )


def _size(path: Path) -> int:
    files = [*(segment_path(path, n) for n in closed_segments(path)), path]
    return sum(file.stat().st_size for file in files if file.exists())


def _require_place(path: Path, keyring: Keyring, journal_id: str) -> None:
    owner = state_at(keyring.directory, path, whole_only=True)
    if owner is not None and owner.journal_id != journal_id:
        raise JournalError(
            f"another log belongs here: this is {journal_id}, expected {owner.journal_id}",
            where=str(path),
            remedy="logs were swapped: put each back in its place",
        )
