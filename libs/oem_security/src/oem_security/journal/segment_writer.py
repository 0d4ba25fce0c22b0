"""The file of a journal as its one writer appends to it: lines, seals, the next segment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from oem_security.clock import Clock
from oem_security.files import sync_dir
from oem_security.journal.entry import FLUSH, Entry, Promise, Receipt
from oem_security.journal.epoch import EpochKey
from oem_security.journal.opening import Found
from oem_security.journal.record import TimeText, encode_body, encode_lines
from oem_security.journal.segments import CHECKPOINT, CONTINUED, SEALED, segment_path
from oem_security.merkle import TreeRange

Receipts = list[tuple[Promise, Receipt]]
_LATE = 1024


class SegmentWriter:
    """Writes the records of one journal; only one thread uses it at a time.

    Args:
        path: The journal.
        found: The journal as it was found.
        clock: Tells the records' times.
    """

    def __init__(self, path: Path, found: Found, clock: Clock) -> None:
        self.path = path
        self.keys = found.keys
        self.scan = found.scan
        self.state = found.state
        self.subject = found.scan.subject
        self._clock = clock
        self._time = TimeText()
        self._file = -1
        self._late: list[bytes] = []
        """Leaves that are not in the tree yet: many are hashed at once, after their entries were
        acknowledged."""
        self._use(self.state.current)

    def open(self, step: str) -> None:
        """Open the last segment, after what is left of a rotation."""
        if step and self.state.upcoming is not None:
            self._begin_segment(self.state.upcoming, rename=step == "rename")
        else:
            self._file = _open_file(self.path)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def begun(self, subject: str) -> None:
        """Note that the first record is on disk."""
        sync_dir(self.path.parent)
        self.subject = subject
        self.state = replace(self.state, begun=True)
        self.state.save(self.keys.keyring.directory)

    def opening_record(self, subject: str) -> dict[str, object]:
        """Return the content of the journal's first record."""
        return {
            "journal": self.keys.journal_id,
            "subject": subject,
            "epoch": 1,
            "ring": self.state.current.ring,
            "public": self.state.origin,
        }

    def store(self, batch: Sequence[Entry]) -> Receipts:
        """Write entries and sync once; return who is to be told what.

        Raises:
            Exception: They are not on disk; nothing of them counts.
        """
        scan = self.scan
        before = (scan.records, scan.link, scan.tree.copy(), list(self._late))
        try:
            data, receipts = self._encode(batch)
            if data:
                _write_all(self._file, data)
                os.fdatasync(self._file)
        except BaseException:
            scan.records, scan.link, scan.tree, self._late = before
            raise
        scan.good_bytes += len(data)
        return receipts

    def settle(self) -> None:
        """Do what acknowledging entries need not wait for."""
        if len(self._late) >= _LATE:
            self._tree()

    def turn(self) -> Receipt:
        """Close the epoch, in steps that can each be the last one before a crash.

        Raises:
            Exception: A step failed; opening the journal again goes on with it.
        """
        keys, current, scan = self.keys, self.state.current, self.scan
        upcoming = EpochKey.fresh(current.epoch + 1, keys.active.epoch)
        self.state = replace(self.state, upcoming=upcoming)
        self.state.save(keys.keyring.directory)
        self._write(SEALED, keys.seal(current, upcoming, scan.records, self._tree().root()))
        self._begin_segment(upcoming, rename=True)
        return Receipt(scan.records - 1, scan.link)

    def cut_back(self) -> None:
        """Remove what a failed write left; where that fails, opening the journal again does."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self.scan.good_bytes)

    def _begin_segment(self, upcoming: EpochKey, *, rename: bool) -> None:
        """After the seal: rename the segment, begin the next one, erase the key."""
        scan = self.scan
        if rename:
            self.path.rename(segment_path(self.path, upcoming.epoch - 1))
        self.close()
        sync_dir(self.path.parent)
        self._file = _open_file(self.path)
        scan.good_bytes, scan.epoch, scan.sealed = 0, upcoming.epoch, ""
        self._use(upcoming)
        continued = {
            "journal": self.keys.journal_id,
            "subject": self.subject,
            "epoch": upcoming.epoch,
            "ring": upcoming.ring,
            "public": upcoming.public.raw.hex(),
            "size": scan.records,
            "root": self._tree().root().hex(),
            "peaks": [peak.hex() for peak in self._tree().hashes()],
        }
        self._write(CONTINUED, continued)
        sync_dir(self.path.parent)
        self.state = self.state.advanced()
        self.state.save(self.keys.keyring.directory)

    def _write(self, kind: str, body: Mapping[str, Any]) -> None:
        self.store([Entry(kind, encode_body(body), None)])

    def _use(self, key: EpochKey) -> None:
        self._mac = self.keys.mac(key.ring, key.epoch)
        self._key_id = self.keys.key_id(key.epoch)

    def _tree(self) -> TreeRange:
        """Return the tree of all records."""
        late, self._late = self._late, []
        self.scan.tree.extend(late)
        return self.scan.tree

    def _encode(self, batch: Sequence[Entry]) -> tuple[bytes, Receipts]:
        lines: list[bytes] = []
        receipts: Receipts = []
        run: list[Entry] = []
        for entry in batch:
            if entry.kind == FLUSH or entry.kind == CHECKPOINT:
                self._encode_run(run, lines, receipts)
                run = []
            if entry.kind == CHECKPOINT:
                root = self._tree().root()
                body = self.keys.checkpoint(self.state.current, self.scan.records, root)
                entry = Entry(CHECKPOINT, encode_body(body), entry.done)
            if entry.kind != FLUSH:
                run.append(entry)
            elif entry.done is not None:
                receipts.append((entry.done, Receipt(self.scan.records - 1, self.scan.link)))
        self._encode_run(run, lines, receipts)
        lines.append(b"")  # each line ends with a newline
        return b"\n".join(lines), receipts

    def _encode_run(self, run: Sequence[Entry], lines: list[bytes], receipts: Receipts) -> None:
        """Encode entries that nothing stands between; they are written together, at one time."""
        if not run:
            return
        scan, time = self.scan, self._time.of(self._clock.now_ns())
        entries = ((entry.kind, entry.body) for entry in run)
        made, leaves = encode_lines(scan.records, time, self._key_id, entries, scan.link, self._mac)
        for seq, (entry, leaf) in enumerate(zip(run, leaves, strict=True), scan.records):
            if entry.done is not None:
                receipts.append((entry.done, Receipt(seq, leaf.hex())))
        lines += made
        self._late += leaves
        scan.records += len(run)
        scan.link = leaves[-1].hex()


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _open_file(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, 0o600)
