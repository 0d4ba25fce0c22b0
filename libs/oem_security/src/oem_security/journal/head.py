"""The head of a journal: how long it was when it was last known, and whether it was closed.

It stands beside the journal and tells a crash from a cut. After a crash the head says "open", and
records that no checkpoint covers, or an unfinished last line, are what a crash leaves. After a
clean close it says how many records there are, and a log with fewer was cut. Whoever puts both
files back to an older state together is found by a witness only.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from oem_security.errors import JournalError, OemSecurityError
from oem_security.files import read_bounded, write_atomic
from oem_security.journal.keys import JournalKeys
from oem_security.strict_json import canonical, loads_object

HEAD_SUFFIX = ".head"
_MAX_BYTES = 4096
_WHAT = "the head of a journal"
_CONTEXT = b"oem-journal-head-v1\n"


@dataclass(frozen=True, slots=True)
class Head:
    """What was last known of a journal.

    Attributes:
        journal_id: Which journal.
        records: Records on disk then.
        closed: Whether its writer closed it.
    """

    journal_id: str
    records: int
    closed: bool


def head_path(path: Path) -> Path:
    """Return where the head of a journal stands."""
    return path.with_name(path.name + HEAD_SUFFIX)


def write_head(path: Path, keys: JournalKeys, head: Head) -> None:
    """Write the head of a journal, whole or not at all."""
    key_id, mac = next(iter(keys.head_macs().items()))
    value: dict[str, object] = {
        "closed": head.closed,
        "journal": head.journal_id,
        "kid": key_id,
        "records": head.records,
    }
    value["mac"] = mac.hexdigest(_CONTEXT + canonical(value))
    write_atomic(head_path(path), canonical(value) + b"\n", mode=0o600)


def read_head(path: Path, keys: JournalKeys) -> Head | None:
    """Return the head of a journal, None where there is none.

    Raises:
        JournalError: It is not a head of this journal that its writer wrote.
    """
    where = head_path(path)
    if not where.exists():
        return None
    try:
        data = read_bounded(where, _MAX_BYTES, what=_WHAT)
        value = loads_object(data, what=_WHAT, max_bytes=_MAX_BYTES)
        mac = str(value.pop("mac"))
        epoch_mac = keys.head_macs()[str(value["kid"])]
        if not hmac.compare_digest(epoch_mac.hexdigest(_CONTEXT + canonical(value)), mac):
            raise ValueError("mac")
        head = Head(str(value["journal"]), int(str(value["records"])), value["closed"] is True)
        if head.journal_id != keys.journal_id:
            raise ValueError("journal")
    except (OemSecurityError, KeyError, ValueError, TypeError):
        raise JournalError(
            "the head is not one that this journal's writer wrote",
            where=str(where),
            remedy="keep it as evidence and restore log and head from a backup",
        ) from None
    return head


def require_head(path: Path, head: Head | None, records: int) -> None:
    """Hold what was read of a journal against its head.

    Raises:
        JournalError: There is no head, or the log is shorter than it was, or a closed one changed.
    """
    if head is None:
        raise JournalError(
            "the head of the log is missing",
            where=str(head_path(path)),
            remedy="restore it from a backup: without it a log that was cut looks whole",
        )
    if records < head.records or (head.closed and records > head.records):
        raise JournalError(
            f"the log has {records} records and was "
            f"{'closed with' if head.closed else 'known to have'} {head.records}",
            where=f"{path}:{records + 1}",
            remedy="it was cut or changed after its writer left it: keep it as evidence and "
            "restore it from a backup",
        )
