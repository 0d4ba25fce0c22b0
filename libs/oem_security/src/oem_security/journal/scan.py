"""Read a journal's segments in flat memory: links, MACs, sequence, checkpoints and seals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from oem_security.errors import JournalError, MalformedError
from oem_security.files import open_regular
from oem_security.journal.block import Block, Mark, check_block, chunks
from oem_security.journal.epoch import JournalState, state_of
from oem_security.journal.keys import JournalKeys, is_public
from oem_security.journal.record import (
    GENESIS_LINK,
    MAX_LINE_BYTES,
    FastMac,
    Record,
    record_of,
)
from oem_security.journal.segments import (
    CHECKPOINT,
    CONTINUED,
    OPENED,
    RECOVERED,
    SEALED,
    WHAT,
    first_line,
    open_segment,
    require_place,
)
from oem_security.keys.key import Algorithm, PublicKey
from oem_security.keys.keyring import Keyring
from oem_security.merkle import TreeRange

__all__ = ["CHECKPOINT", "CONTINUED", "OPENED", "RECOVERED", "SEALED", "Scan", "scan"]
_TRIES = 50
Checker = Callable[[BinaryIO, FastMac, str], Iterable[tuple[Block, bytes]]]
"""Checks the lines of a segment block by block, and gives what is left after each."""


@dataclass(slots=True)
class Scan:
    """Where the reading of a journal stands.

    Attributes:
        keys: The journal's keys, known once its first record is read.
        state: What is kept of it beside the keyring.
        subject: What the journal says it is about.
        epoch: The segment that is read; public is the key that signs in it.
        records: Records that held so far.
        good_bytes: Length of the segment up to its last record that held.
        link: Leaf hash of the last record, hex.
        tree: Merkle tree of all records that held.
        torn: Bytes of an unfinished last line.
        sealed: Public key of the next epoch where the last record closed the segment, else empty.
        checkpoint_size: Records covered by the newest checkpoint or seal.
        kinds: Number of records by kind.
        publics: Key of each epoch that was read.
        checkpoint: Content of the newest checkpoint, empty before the first.
        where: File that is read; lines is how many of its lines held.
    """

    keys: JournalKeys | None = None
    state: JournalState | None = None
    subject: str = ""
    epoch: int = 0
    public: PublicKey | None = None
    records: int = 0
    good_bytes: int = 0
    link: str = GENESIS_LINK
    tree: TreeRange = field(default_factory=TreeRange)
    torn: bytes = b""
    sealed: str = ""
    checkpoint_size: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    publics: dict[int, PublicKey] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    lines: int = 0
    _public_of_next: str = ""

    def begin(self, name: Path, value: dict[str, Any], keyring: Keyring) -> tuple[FastMac, str]:
        """Begin a segment from its first line, unverified; return its MAC and key id."""
        body, expected = value["body"], self.epoch + 1
        self.where, self.lines, self.good_bytes = str(name), 0, 0
        journal, ring = body.get("journal"), body.get("ring")
        if not (isinstance(journal, str) and len(journal) == 16 and type(ring) is int):
            raise _broken("the first record does not open a journal")
        if self.keys is None:
            self.keys = JournalKeys(journal, keyring)
            self.state = state_of(keyring.directory, journal)
            self._public_of_next = self.state.origin
        elif journal != self.keys.journal_id:
            raise _broken(f"the segment is of another journal ({journal})")
        if body.get("epoch") != expected:
            raise _broken(f"the segment is of epoch {body.get('epoch')}, expected {expected}")
        self.epoch, self.sealed = expected, ""
        return self.keys.mac(ring, expected), self.keys.key_id(expected)

    def resume(self, name: Path, value: dict[str, Any], keyring: Keyring) -> tuple[FastMac, str]:
        """Begin at the last segment alone, as its own writer does; its first record holds the tree.

        The MAC of that record, which is checked next, is what vouches for it.
        """
        body = value["body"]
        epoch = body.get("epoch")
        if value["kind"] != OPENED:
            try:
                size, peaks = int(body["size"]), [bytes.fromhex(p) for p in body["peaks"]]
                self.tree = TreeRange.restore(size, peaks)
                self.epoch = int(epoch) - 1
            except (KeyError, TypeError, ValueError):
                raise _broken("the first record does not continue a journal") from None
            self.records, self.link = size, value["prev"]
        begun = self.begin(name, value, keyring)
        if value["kind"] != OPENED:
            self._public_of_next = str(body.get("public"))
        return begun

    def join(self, block: Block) -> None:
        """Add a block's records.

        Raises:
            JournalError: It does not follow, or a line of it does not hold.
        """
        if block.lines:
            if block.first != self.records:
                raise self.failed(0, f"seq is {block.first}, expected {self.records}")
            if block.prev != self.link:
                raise self.failed(0, "field prev: it does not follow the line before")
            if self.sealed:
                raise self.failed(0, "records follow the seal of the segment")
            for mark in block.marks:
                self._take(mark, block)
            self.tree.join(block.tree)
            self.records += block.lines
            self.link = block.link
            self.good_bytes += block.size
            self.lines += block.lines
            for kind, number in block.kinds.items():
                self.kinds[kind] = self.kinds.get(kind, 0) + number
        if block.fault:
            raise self.failed(0, block.fault)

    def failed(self, index: int, what: str) -> JournalError:
        """Return the error of the line `index` after the last one that was joined."""
        line = self.lines + index + 1
        return JournalError(
            f"line {line} does not hold: {what}",
            where=f"{self.where}:{line}",
            remedy="the log was changed after it was written, or the disk is damaged: keep this "
            "file as evidence and restore the log from a backup, or go on with a new one: "
            "oem journal recover --begin-anew",
        )

    def _take(self, mark: Mark, block: Block) -> None:
        if (mark.kind in (OPENED, CONTINUED)) is not (self.lines + mark.index == 0):
            raise self.failed(mark.index, "a segment has one opening record, its first")
        if mark.kind == OPENED or mark.kind == CONTINUED:
            self._open(mark)
        elif mark.kind in (CHECKPOINT, SEALED):
            self._signed(mark, block)

    def _open(self, mark: Mark) -> None:
        body = mark.body
        public = body.get("public")
        if (mark.kind == OPENED) is not (self.epoch == 1):
            raise self.failed(mark.index, f"{mark.kind} does not open epoch {self.epoch}")
        if not is_public(public) or public != self._public_of_next:
            raise self.failed(mark.index, "its key is not the one that the epoch before signed")
        if mark.kind == CONTINUED:
            stated = (body.get("size"), body.get("root"), body.get("peaks"))
            peaks = [peak.hex() for peak in self.tree.hashes()]
            if stated != (self.records, self.tree.root().hex(), peaks):
                raise self.failed(mark.index, "it does not continue the records before it")
        self.subject = str(body.get("subject", ""))
        self.public = PublicKey(Algorithm.ED25519, bytes.fromhex(public))
        self.publics[self.epoch] = self.public

    def _signed(self, mark: Mark, block: Block) -> None:
        tree = self.tree.copy()
        tree.join(mark.before)
        keys, public = self.keys, self.public
        held = (
            keys is not None
            and public is not None
            and (keys.checkpoint_holds if mark.kind == CHECKPOINT else keys.seal_holds)(
                mark.body, public, self.epoch, tree.end, tree.root()
            )
        )
        if not held:
            what = "checkpoint" if mark.kind == CHECKPOINT else "seal"
            raise self.failed(mark.index, f"field body: the {what} is not of the records before it")
        self.checkpoint_size = tree.end
        if mark.kind == CHECKPOINT:
            self.checkpoint = mark.body
        else:
            if mark.index != block.lines - 1 or block.fault:
                raise self.failed(mark.index + 1, "records follow the seal of the segment")
            self.sealed = self._public_of_next = mark.body["next"]


def check_serially(
    stream: BinaryIO, mac: FastMac, key_id: str, *, keep: bool = False
) -> Iterator[tuple[Block, bytes]]:
    """Check a segment in this process."""
    for data, left in chunks(stream):
        yield check_block(data, mac, key_id, keep=keep), left


def check_and_keep(stream: BinaryIO, mac: FastMac, key_id: str) -> Iterator[tuple[Block, bytes]]:
    """Check a segment in this process and keep the parsed lines."""
    return check_serially(stream, mac, key_id, keep=True)


def scan(path: Path, keyring: Keyring, state: Scan | None = None) -> Iterator[Record]:
    """Yield every record that holds; `state` tells afterwards where the reading ended.

    Raises:
        JournalError: A record does not hold; the error names the line and what is wrong with it.
            A torn last line is no damage: it is left in `state.torn`.
        InputError: There is no such journal.
    """
    state = state if state is not None else Scan()
    for block in scan_blocks(path, keyring, state, check_and_keep):
        for value in block.records:
            yield record_of(value)


def scan_blocks(
    path: Path, keyring: Keyring, state: Scan, checker: Checker = check_serially
) -> Iterator[Block]:
    """Check every segment of a journal, oldest first, and yield the joined blocks.

    Raises:
        JournalError: As `scan`; records before the fault are yielded first.
        InputError: There is no such journal.
    """
    require_place(path)
    tries = 0
    while state.epoch == 0 or state.sealed:
        try:
            stream, name = open_segment(path, state.epoch + 1)
        except JournalError:
            if state.epoch and _epoch_now(keyring, state) == state.epoch:
                return  # a crash left the log between two segments
            tries += 1
            if tries < _TRIES and state.epoch:
                continue  # the writer is just beginning the next one
            raise
        with stream:
            value = first_of(stream, name, state)
            if value is None:
                tries += 1
                if tries < _TRIES and _epoch_now(keyring, state) > state.epoch:
                    continue  # its first record was still being written
                break
            begin = functools.partial(state.begin, name, value, keyring)
            mac, key_id = _located(state, name, begin)
            yield from _segment(stream, mac, key_id, state, checker, keyring)
        tries = 0
        if not state.sealed:
            return
    if _epoch_now(keyring, state) > state.epoch:
        raise cut_short(state)


def _segment(
    stream: BinaryIO,
    mac: FastMac,
    key_id: str,
    state: Scan,
    checker: Checker,
    keyring: Keyring,
) -> Iterator[Block]:
    """Read a segment to its seal, or to where its writer is."""
    while not state.sealed:
        stream.seek(state.good_bytes)
        before = state.records
        yield from _joined(stream, mac, key_id, state, checker)
        if _epoch_now(keyring, state) <= state.epoch:
            return
        if state.records == before:
            raise cut_short(state)
        # the writer has closed the segment since the end of it was read: look once more


def cut_short(state: Scan) -> JournalError:
    """Return the error of a log whose writer is in a later epoch than the file."""
    return JournalError(
        f"the log ends in epoch {state.epoch} and its writer is in a later one",
        where=f"{state.where}:{state.lines + 1}",
        remedy="records were cut off or an older log was put back: keep it as evidence and "
        "restore the log from a backup",
    )


def scan_last(path: Path, keyring: Keyring, state: Scan) -> None:
    """Check the segment at `path` alone, as its writer does before it goes on.

    Raises:
        JournalError: As `scan`.
    """
    with open_regular(path, what=WHAT) as stream:
        for _ in scan_alone(stream, path, state, keyring):
            continue


def scan_alone(
    stream: BinaryIO, name: Path, state: Scan, keyring: Keyring, checker: Checker = check_serially
) -> Iterator[Block]:
    """Check one segment by itself and yield its blocks; none where its first line is unfinished.

    Raises:
        JournalError: As `scan`.
    """
    value = first_of(stream, name, state)
    if value is None:
        return
    mac, key_id = _located(state, name, functools.partial(state.resume, name, value, keyring))
    yield from _joined(stream, mac, key_id, state, checker)


def _joined(
    stream: BinaryIO, mac: FastMac, key_id: str, state: Scan, checker: Checker
) -> Iterator[Block]:
    for block, left in checker(stream, mac, key_id):
        fault, block.fault = block.fault, ""
        state.join(block)
        yield block
        if fault:
            raise state.failed(0, fault)
        if len(left) > MAX_LINE_BYTES:
            raise state.failed(0, "it is longer than any record")
        state.torn = left


def first_of(stream: BinaryIO, name: Path, state: Scan) -> dict[str, Any] | None:
    """Return the parsed first line, unverified; None where it is unfinished, in `state.torn`."""
    state.where, state.lines = str(name), 0
    try:
        value = first_line(stream)
    except MalformedError as error:
        raise state.failed(0, error.what) from None
    if value is None:
        state.torn = stream.read(MAX_LINE_BYTES + 2)
        if len(state.torn) > MAX_LINE_BYTES:
            raise state.failed(0, "it is longer than any record")
    return value


def _located(
    state: Scan, name: Path, begin: Callable[[], tuple[FastMac, str]]
) -> tuple[FastMac, str]:
    try:
        return begin()
    except JournalError as error:
        state.where, state.lines = str(name), 0
        failure = state.failed(0, error.what)
        if error.where:
            failure.remedy = error.remedy
        raise failure from None


def _epoch_now(keyring: Keyring, state: Scan) -> int:
    """Return the epoch that the journal's writer is in, 0 before the journal is known."""
    if state.keys is None:
        return 0
    return state_of(keyring.directory, state.keys.journal_id).current.epoch


def _broken(what: str) -> JournalError:
    return JournalError(what, remedy="see oem journal verify")
