"""Reading a journal: its records, and whether it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from oem_security.errors import JournalError
from oem_security.journal.record import Record
from oem_security.journal.scan import RECOVERED, Scan, scan
from oem_security.keyring import Keyring


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What verifying a journal found; every record up to `records` holds.

    Attributes:
        journal_id: The journal's identifier, empty when the file is empty.
        records: Number of records.
        root: Merkle root over all of them, hex.
        checkpointed: Records covered by the newest signed checkpoint.
        kinds: Number of records by kind.
        recoveries: How often a torn line was moved aside.
        torn_bytes: Length of an unfinished last line; the next writer moves it aside.
    """

    journal_id: str
    records: int
    root: str
    checkpointed: int
    kinds: Mapping[str, int]
    recoveries: int
    torn_bytes: int


def read_journal(
    path: Path, keyring: Keyring, kinds: Collection[str] | None = None
) -> Iterator[Record]:
    """Yield the records of a journal, each verified before it is handed out.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        kinds: Only these kinds; None for all.

    Raises:
        JournalError: A record does not hold; the error names the line.
    """
    for record in scan(path, keyring):
        if kinds is None or record.kind in kinds:
            yield record


def verify_journal(path: Path, keyring: Keyring, *, strict: bool = False) -> JournalReport:
    """Verify every record, link, MAC and checkpoint of a journal, in flat memory.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        strict: Also refuse an unfinished last line and records that no checkpoint covers, as a
            cleanly closed journal has none.

    Raises:
        JournalError: It does not hold; the error names line, field and remedy.
        InputError: There is no such journal.
    """
    state = Scan()
    for _ in scan(path, keyring, state):
        continue
    if state.keys is None:
        raise JournalError(
            "the journal is empty",
            where=str(path),
            remedy="a journal begins with its opening record: restore it from a backup",
        )
    if strict and state.torn:
        raise JournalError(
            f"the last line is unfinished ({len(state.torn)} bytes)",
            where=f"{path}:{state.records + 1}",
            remedy="open the journal once for writing: the unfinished line is moved aside and "
            "a signed record says so",
        )
    if strict and state.checkpoint_size != state.records - 1:
        raise JournalError(
            f"{state.records - state.checkpoint_size} records follow the last checkpoint",
            where=str(path),
            remedy="close the writer, which signs a checkpoint, then verify again",
        )
    return JournalReport(
        journal_id=state.keys.journal_id,
        records=state.records,
        root=state.tree.root().hex(),
        checkpointed=state.checkpoint_size,
        kinds=state.kinds,
        recoveries=state.kinds.get(RECOVERED, 0),
        torn_bytes=len(state.torn),
    )
