"""Read a journal's lines and follow link, MAC, sequence and checkpoints, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oem_security.errors import InputError, JournalError, MalformedError, OemSecurityError
from oem_security.journal.keys import JournalKeys
from oem_security.journal.record import (
    GENESIS_LINK,
    MAX_LINE_BYTES,
    TAIL,
    FastMac,
    Record,
    parse_line,
    record_of,
)
from oem_security.keyring import Keyring
from oem_security.merkle import TreeRange, leaf_hash

OPENED = "journal.opened"
CHECKPOINT = "journal.checkpoint"
RECOVERED = "journal.recovered"
BATCH = 4096


@dataclass(slots=True)
class Scan:
    """Where the reading of a journal stands.

    Attributes:
        keys: The journal's keys, known once its first record is read.
        records: Records that held so far.
        good_bytes: Length of the file up to the last record that held.
        link: Leaf hash of the last record, hex.
        tree: Merkle tree of all records that held.
        torn: Bytes of an unfinished last line.
        checkpoint_size: Records covered by the newest checkpoint.
        kinds: Number of records by kind.
    """

    keys: JournalKeys | None = None
    records: int = 0
    good_bytes: int = 0
    link: str = GENESIS_LINK
    tree: TreeRange = field(default_factory=TreeRange)
    torn: bytes = b""
    checkpoint_size: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    _macs: dict[str, FastMac] = field(default_factory=dict)
    _leaves: list[bytes] = field(default_factory=list)

    def settle(self) -> None:
        """Move the leaves read since the last batch into the tree."""
        self.tree.extend(self._leaves)
        self._leaves = []


def scan(path: Path, keyring: Keyring, state: Scan | None = None) -> Iterator[Record]:
    """Yield every record that holds; `state` tells afterwards where the reading ended.

    Raises:
        JournalError: A record does not hold; the error names the line and what is wrong with it.
            A torn last line is no damage: it is left in `state.torn`.
        InputError: There is no such journal.
    """
    state = state if state is not None else Scan()
    for number, line in _lines(path, state):
        try:
            record = _take(line, keyring, state)
        except (MalformedError, JournalError) as error:
            raise JournalError(
                f"line {number} does not hold: {error.what}",
                where=f"{path}:{number}",
                remedy="the log was changed after it was written, or the disk is damaged: keep "
                "this file as evidence and restore the log from a backup or a witness",
            ) from None
        yield record
    state.settle()


def _lines(path: Path, state: Scan) -> Iterator[tuple[int, bytes]]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise InputError(
            "there is no such journal", where=str(path), remedy="correct the path"
        ) from None
    with stream:
        for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 2), b""), 1):
            if not line.endswith(b"\n"):
                if len(line) > MAX_LINE_BYTES:
                    raise JournalError(
                        f"line {number} does not hold: it is longer than any record",
                        where=f"{path}:{number}",
                        remedy="keep this file as evidence and restore the log from a backup",
                    )
                state.torn = line
                return
            yield number, line[:-1]


def _take(line: bytes, keyring: Keyring, state: Scan) -> Record:
    value = parse_line(line)
    if state.keys is None:
        state.keys = JournalKeys(_journal_id(value), keyring)
        state._macs = state.keys.macs()
    if value["seq"] != state.records:
        raise _broken(f"seq is {value['seq']}, expected {state.records}")
    mac = state._macs.get(value["kid"])
    if mac is None:
        raise _broken(f"field kid: no key {value['kid']!r} of this journal is in the keyring")
    if mac.hexdigest(line[:-TAIL]) != value["mac"]:
        raise _broken("field mac: the MAC does not fit the line")
    if value["prev"] != state.link:
        raise _broken("field prev: it does not follow the line before")
    record = record_of(value)
    if record.kind == CHECKPOINT:
        state.settle()
        if not state.keys.checkpoint_holds(record.body, state.tree.root(), state.records):
            raise _broken("field body: the checkpoint is not of the records before it")
        state.checkpoint_size = state.records
    leaf = leaf_hash(line)
    state._leaves.append(leaf)
    if len(state._leaves) >= BATCH:
        state.settle()
    state.link = leaf.hex()
    state.records += 1
    state.good_bytes += len(line) + 1
    state.kinds[record.kind] = state.kinds.get(record.kind, 0) + 1
    return record


def _journal_id(value: dict[str, Any]) -> str:
    body = value["body"]
    journal = body.get("journal") if value["kind"] == OPENED else None
    if not isinstance(journal, str) or len(journal) != 16:
        raise _broken("the first record does not open a journal")
    return journal


def _broken(what: str) -> OemSecurityError:
    return JournalError(what, remedy="see oem journal verify")
