"""What a writer finds when it opens a journal, and how it mends what a crash left.

A segment is closed in steps: the next epoch's key is kept, the seal is written, the file renamed,
the next file begun, the old key erased. After a crash between any two of them the next writer
goes on where the steps ended.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from oem_security.errors import JournalError
from oem_security.files import write_atomic
from oem_security.journal.epoch import JournalState, forget, new_state, relative, state_at, tidy
from oem_security.journal.keys import JournalKeys
from oem_security.journal.scan import Scan, scan_last
from oem_security.journal.segments import closed_segments, segment_path
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import Keyring

BEGIN_ANEW = "keep the files as evidence, then restore them from a backup or go on with a new log: "
_RECOVER = BEGIN_ANEW + "oem journal recover --begin-anew"


@dataclass(slots=True)
class Found:
    """A journal as its writer found it.

    Attributes:
        scan: Where its last segment ends.
        keys: Its MAC keys.
        state: Its state beside the keyring, in step with the log.
        torn: Where an unfinished last line was put, and its length; None where there was none.
        step: What is left of a rotation: `rename`, `continue`, or nothing.
    """

    scan: Scan
    keys: JournalKeys
    state: JournalState
    torn: tuple[str, int] | None
    step: str = ""


def find(path: Path, keyring: Keyring, subject: str) -> Found:
    """Read the last segment of a journal, or make the state of a new one; for its writer alone.

    Raises:
        JournalError: The log does not hold, is not the one that belongs here, or is not in step
            with its state.
    """
    found = _find(path, keyring, subject)
    tidy(keyring.directory, found.state)
    return found


def _find(path: Path, keyring: Keyring, subject: str) -> Found:
    scan = Scan()
    if path.exists() and path.stat().st_size:
        scan_last(path, keyring, scan)
    if scan.keys is None or scan.state is None:
        return _find_unreadable(path, keyring, scan)
    state = _placed(path, keyring, scan.state)
    if subject and scan.subject and subject != scan.subject:
        raise JournalError(
            f"the log is about {scan.subject!r}, expected one about {subject!r}",
            where=str(path),
            remedy="logs were swapped: put each back in its place",
        )
    _require_segments(path, scan.epoch)
    torn = set_aside(path, scan) if scan.torn else None
    state, step = _in_step(path, keyring, scan, state)
    return Found(scan, scan.keys, state, torn, step)


def _find_unreadable(path: Path, keyring: Keyring, scan: Scan) -> Found:
    """The file is missing, empty, or ends within its first line."""
    state = state_at(keyring.directory, path)
    torn = set_aside(path, scan) if scan.torn else None
    if state is not None and state.begun:
        closed = segment_path(path, state.current.epoch)
        if state.upcoming is None or not closed.exists():
            raise JournalError("the log was deleted or emptied", where=str(path), remedy=_RECOVER)
        scan = Scan()
        scan_last(closed, keyring, scan)
        _require_segments(path, scan.epoch)
        state, step = _in_step(closed, keyring, scan, state)
        keys = JournalKeys(state.journal_id, keyring)
        return Found(scan, keys, state, torn, "continue" if step == "rename" else step)
    if closed_segments(path):
        raise JournalError(
            "there are closed segments of a log that this keyring does not know",
            where=str(path),
            remedy=_RECOVER,
        )
    if state is not None:
        forget(keyring.directory, state)
    ring = keyring.active(Purpose.JOURNAL).epoch
    state = new_state(keyring.directory, path, ring)
    keys = JournalKeys(state.journal_id, keyring)
    return Found(Scan(keys=keys, state=state, epoch=1), keys, state, torn)


def _placed(path: Path, keyring: Keyring, state: JournalState) -> JournalState:
    """Refuse another log in this log's place, and a copy beside the original."""
    here = relative(keyring.directory, path)
    if state.path == here:
        return state
    owner = state_at(keyring.directory, path)
    original = keyring.directory / state.path
    if owner is not None or original.exists():
        belongs = "another log belongs here" if owner else f"the original is {original}"
        raise JournalError(
            f"the log belongs elsewhere: {belongs}",
            where=str(path),
            remedy="logs were swapped or copied: put each back in its place",
        )
    moved = replace(state, path=here)
    moved.save(keyring.directory)
    return moved


def _in_step(
    path: Path, keyring: Keyring, scan: Scan, state: JournalState
) -> tuple[JournalState, str]:
    """Bring the state in step with where the log ends."""
    public = scan.public
    if state.upcoming is not None and scan.epoch == state.upcoming.epoch:
        state = state.advanced()
        state.save(keyring.directory)
    if public is None or scan.epoch != state.current.epoch or public != state.current.public:
        raise JournalError(
            f"the log is in epoch {scan.epoch} and the key beside the keyring is of "
            f"epoch {state.current.epoch}",
            where=str(path),
            remedy="log and keyring are not of the same time: " + _RECOVER,
        )
    if scan.sealed:
        if state.upcoming is None or state.upcoming.public.raw.hex() != scan.sealed:
            raise JournalError(
                "the log's segment is sealed and the key of the next one is missing",
                where=str(path),
                remedy="the keyring is older than the log: " + _RECOVER,
            )
        return state, "rename"
    if state.upcoming is not None or not state.begun:
        state = replace(state, upcoming=None, begun=True)
        state.save(keyring.directory)
    return state, ""


def _require_segments(path: Path, epoch: int) -> None:
    missing = set(range(1, epoch)) - set(closed_segments(path))
    if missing:
        raise JournalError(
            f"segment {min(missing)} of the log is missing",
            where=str(segment_path(path, min(missing))),
            remedy=_RECOVER,
        )


def set_aside(path: Path, scan: Scan) -> tuple[str, int]:
    """Keep the torn bytes beside the journal, cut it to its good length; return where and what."""
    names = (f"{path.name}.torn{n or ''}" for n in count())
    kept = next(found for name in names if not (found := path.with_name(name)).exists())
    size = len(scan.torn)
    write_atomic(kept, scan.torn, mode=0o600)
    with path.open("r+b") as stream:
        stream.truncate(scan.good_bytes)
        stream.flush()
        os.fsync(stream.fileno())
    scan.torn = b""
    return kept.name, size


def move_away(path: Path, folder: Path) -> list[str]:
    """Move every file of a journal into a folder; return their names."""
    folder.mkdir(parents=True)
    moved = []
    for name in sorted(path.parent.iterdir()):
        ours = name == path or name.name.startswith(f"{path.name}.")
        if ours and name.is_file() and not name.name.endswith((".lock", ".sock")):
            with contextlib.suppress(FileNotFoundError):
                name.rename(folder / name.name)
                moved.append(name.name)
    return moved
