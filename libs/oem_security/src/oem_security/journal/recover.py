"""Mending a journal by hand: what a crash left, or a log that cannot be gone on with."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from oem_security.clock import Clock
from oem_security.errors import InputError, JournalLockedError, OemSecurityError
from oem_security.files import lock
from oem_security.journal.epoch import relative, state_at
from oem_security.journal.opening import move_away
from oem_security.journal.reader import JournalReport, verify_journal
from oem_security.journal.scan import Scan, scan_blocks
from oem_security.journal.segments import require_place
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import Keyring

BEGUN_ANEW = "journal.begun_anew"
"""Kind of the record that says which log was set aside, and why."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovering a journal did.

    Attributes:
        report: The journal as it is now.
        kept: Folder beside the journal that holds the damaged log; empty when it goes on.
        held: Records of the damaged log that hold.
        fault: What was wrong with it.
    """

    report: JournalReport
    kept: str = ""
    held: int = 0
    fault: str = ""


def recover(path: Path, keyring: Keyring, *, clock: Clock | None = None) -> Recovery:
    """Finish what a crash cut short: set a torn line aside, complete a rotation, close the log.

    Raises:
        JournalError: The log is damaged otherwise; begin anew.
        JournalLockedError: A process writes it.
    """
    require_place(path)
    if not path.exists() and state_at(keyring.directory, path) is None:
        raise InputError("there is no such journal", where=str(path), remedy="correct the path")
    Journal.open(path, keyring, clock=clock).close()
    return Recovery(verify_journal(path, keyring, strict=True))


def begin_anew(
    path: Path, keyring: Keyring, *, reason: str, clock: Clock | None = None
) -> Recovery:
    """Set a damaged log aside as evidence and begin a new one, whose first entry says so.

    Args:
        path: The journal; all its files are moved into a folder `<name>.damaged<n>` beside it.
        keyring: The keyring that writes the new one.
        reason: Why, in the operator's words; it is written down.
        clock: Tells the time of the new records.

    Raises:
        InputError: The log holds: there is nothing to set aside; or no reason is given.
        JournalLockedError: A process writes it.
    """
    if not reason.strip():
        raise InputError("no reason is given", remedy="say why the log is set aside: --reason")
    require_place(path)
    held, fault, journal_id, subject = _examine(path, keyring)
    handle = lock(path.with_name(path.name + ".lock"))
    if handle is None:
        raise JournalLockedError(
            "another process writes this journal", where=str(path), remedy="stop it first"
        )
    try:
        names = (path.with_name(f"{path.name}.damaged{n or ''}") for n in count())
        folder = next(name for name in names if not name.exists())
        files = move_away(path, folder)
        state = state_at(keyring.directory, path)
        if state is not None:  # the evidence stays verifiable where it is now
            away = relative(keyring.directory, folder / path.name)
            replace(state, path=away).save(keyring.directory)
    finally:
        os.close(handle)
    entry = {
        "reason": reason,
        "fault": fault,
        "journal": journal_id,
        "records_held": held,
        "kept_in": folder.name,
        "sha384": {name: _sha384(folder / name) for name in files},
    }
    with Journal.open(path, keyring, subject=subject, clock=clock) as journal:
        journal.note(BEGUN_ANEW, entry)
    return Recovery(verify_journal(path, keyring, strict=True), folder.name, held, fault)


def _examine(path: Path, keyring: Keyring) -> tuple[int, str, str, str]:
    state, fault = Scan(), ""
    try:
        for _ in scan_blocks(path, keyring, state):
            continue
        verify_journal(path, keyring, strict=True)
        Journal.open(path, keyring).close()
    except JournalLockedError:
        raise
    except OemSecurityError as error:
        fault = f"{error.what} ({error.where})"
    if not fault:
        raise InputError(
            "the log holds: there is nothing to set aside",
            where=str(path),
            remedy="go on with it",
        )
    journal_id = state.keys.journal_id if state.keys is not None else ""
    return state.records, fault, journal_id, state.subject


def _sha384(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha384").hexdigest()
