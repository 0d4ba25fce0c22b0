"""An attacker who holds the keyring's files and rewrites a log with them, as well as can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oem_security import Journal, Keyring
from oem_security.journal.epoch import EpochKey, JournalState, state_of
from oem_security.journal.keys import JournalKeys
from oem_security.journal.record import GENESIS_LINK, encode_line
from oem_security.journal.segments import (
    CHECKPOINT,
    CONTINUED,
    SEALED,
    closed_segments,
    segment_path,
)
from oem_security.merkle import TreeRange

Change = Callable[[int, dict[str, Any]], dict[str, Any] | None]
"""Returns a record's new content from its number and parsed line; None leaves the record out."""


def write_log(path: Path, keys: Keyring, epochs: int = 3, entries: int = 5) -> None:
    """Write a journal of several epochs, `entries` records each besides the journal's own."""
    with Journal.open(path, keys) as journal:
        for epoch in range(epochs):
            if epoch:
                journal.rotate()
            for n in range(entries):
                journal.append("entry", {"n": epoch * entries + n})


def journal_id(path: Path) -> str:
    """Return the identifier that a journal's file states."""
    return str(json.loads(path.read_bytes().split(b"\n", 1)[0])["body"]["journal"])


def parts(path: Path) -> list[Path]:
    """Return the files of a log, oldest first."""
    return [*(segment_path(path, n) for n in closed_segments(path)), path]


def forge(path: Path, keys: Keyring, change: Change, signer: EpochKey | None = None) -> None:
    """Rewrite a whole log: every MAC, link, root and signature anew, as far as the keys allow.

    Args:
        path: The log.
        keys: The stolen keyring.
        change: What is done to each record.
        signer: The key that signs seals and checkpoints; the state's current one where None.
    """
    state: JournalState = state_of(keys.directory, journal_id(path))
    stolen = signer or state.current
    journal = JournalKeys(state.journal_id, keys)
    tree, link, seq, count = TreeRange(), GENESIS_LINK, 0, 0
    for file in parts(path):
        lines, mac, number = [], None, 0
        for line in file.read_bytes().splitlines():
            value = change(count, json.loads(line))
            count += 1
            if value is None:
                continue
            body, kind = value["body"], value["kind"]
            if mac is None:
                number = body["epoch"]
                mac = journal.mac(body["ring"], number)
            signing = EpochKey(number, 1, stolen.seed)
            if kind == CHECKPOINT:
                body = journal.checkpoint(signing, seq, tree.root())
            elif kind == SEALED:
                body = journal.seal(signing, signing, seq, tree.root()) | {"next": body["next"]}
            elif kind == CONTINUED:
                peaks = [p.hex() for p in tree.hashes()]
                body = body | {"size": seq, "root": tree.root().hex(), "peaks": peaks}
            text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
            key_id = journal.key_id(number)
            forged, leaf = encode_line(seq, value["time"], kind, key_id, text, link, mac)
            lines.append(forged + b"\n")
            tree.extend([leaf])
            link, seq = leaf.hex(), seq + 1
        file.write_bytes(b"".join(lines))
