"""Proofs of inclusion: that one line stands in a log, shown without the log and without its keys.

Source: RFC 6962 section 2.1.1; verification by RFC 9162 section 2.1.3.2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from oem_security.errors import InputError, JournalError, StateError
from oem_security.fields import Fields, b64
from oem_security.journal.keys import checkpoint_bytes
from oem_security.journal.record import MAX_LINE_BYTES, Record, parse_line, record_of
from oem_security.journal.scan import Scan, scan_blocks
from oem_security.journal.segments import closed_segments, segment_path
from oem_security.journal.witness import Witness, check_witness, leaves, newest_checkpoint
from oem_security.keys.key import Algorithm, PublicKey
from oem_security.keys.keyring import Keyring
from oem_security.merkle import (
    HASH_BYTES,
    inclusion_ranges,
    leaf_hash,
    roots_of_ranges,
    verify_inclusion,
)
from oem_security.strict_json import loads

FORMAT = "oem-inclusion-proof"
_MAX_BYTES = 2 * MAX_LINE_BYTES
_MAX_HASHES = 64


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a line stands in a log, under a checkpoint that the log's epoch key signed.

    Attributes:
        journal_id: Which journal.
        seq: Number of the record.
        line: Its line, without newline.
        epoch: Epoch of the checkpoint; public is its Ed25519 key, signature its signature.
        size: Records that the checkpoint covers.
        root: Merkle root over them.
        path: The hashes from the record's leaf up to the root.
    """

    journal_id: str
    seq: int
    line: bytes
    epoch: int
    public: bytes
    size: int
    root: bytes
    signature: bytes
    path: tuple[bytes, ...]

    def to_json(self) -> bytes:
        """Return the proof as a JSON document."""
        document = {
            "format": FORMAT,
            "version": 1,
            "journal": self.journal_id,
            "seq": self.seq,
            "line": self.line.decode(),
            "epoch": self.epoch,
            "public": self.public.hex(),
            "size": self.size,
            "root": self.root.hex(),
            "sig": b64(self.signature),
            "path": [node.hex() for node in self.path],
        }
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> InclusionProof:
        """Read a proof; it is not checked yet.

        Raises:
            MalformedError: It is no such document.
        """
        fields = Fields(loads(data, what="inclusion proof", max_bytes=_MAX_BYTES), "proof")
        if (fields.text("format"), fields.integer("version", 1, 1)) != (FORMAT, 1):
            fields.fail("format", f"is not {FORMAT} version 1")
        proof = cls(
            journal_id=fields.text("journal", pattern="[0-9a-f]{16}"),
            seq=fields.integer("seq", 0, 1 << 60),
            line=fields.text("line", max_length=MAX_LINE_BYTES).encode(errors="replace"),
            epoch=fields.integer("epoch", 1, 1 << 40),
            public=bytes.fromhex(fields.text("public", pattern="[0-9a-f]{64}")),
            size=fields.integer("size", 1, 1 << 60),
            root=bytes.fromhex(fields.text("root", pattern="[0-9a-f]{96}")),
            signature=fields.bytes_b64("sig", length=64),
            path=tuple(_node(fields, text) for text in fields.texts("path", max_items=_MAX_HASHES)),
        )
        fields.done()
        return proof


def prove(path: Path, keyring: Keyring, seq: int, witness: Witness | None = None) -> InclusionProof:
    """Verify a log and return the proof that its record `seq` is under a checkpoint.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        seq: Number of the record.
        witness: Whose checkpoint; the log must agree with it. None for the newest one.

    Raises:
        InputError: There is no such record.
        StateError: No checkpoint covers it yet, or not that of the witness.
        JournalError: The log does not hold, or does not agree with the witness.
    """
    state = Scan()
    for _ in scan_blocks(path, keyring, state):
        continue
    if not 0 <= seq < state.records:
        raise InputError(
            f"there is no record {seq}",
            where=str(path),
            remedy=f"name one from 0 to {state.records - 1}",
        )
    if witness is None:
        witness = newest_checkpoint(state)
    else:
        check_witness(path, keyring, witness)
        if seq >= witness.size:
            raise StateError(
                f"the witness saw {witness.size} records, record {seq} came later",
                where=str(path),
                remedy="name a later witness",
            )
    if witness is None or seq >= witness.size:
        raise StateError(
            f"no checkpoint covers record {seq} yet",
            where=str(path),
            remedy="write one with: oem journal checkpoint",
        )
    ranges = inclusion_ranges(seq, witness.size)
    return InclusionProof(
        journal_id=witness.journal_id,
        seq=seq,
        line=_line(path, seq),
        epoch=witness.epoch,
        public=witness.public,
        size=witness.size,
        root=witness.root,
        signature=witness.signature,
        path=tuple(roots_of_ranges(leaves(path, keyring), ranges)),
    )


def check_inclusion(proof: InclusionProof, witness: Witness | None = None) -> Record:
    """Check a proof of inclusion and return the record it shows.

    Args:
        proof: The proof.
        witness: A witness of the log from elsewhere; the proof must be under its very checkpoint.
            Without one the proof shows that whoever holds the epoch's key signed the record.

    Raises:
        JournalError: It does not hold, or is not under the witness.
        MalformedError: Its line is no record.
    """
    message = checkpoint_bytes(proof.journal_id, proof.epoch, proof.size, proof.root)
    if not PublicKey(Algorithm.ED25519, proof.public).verifies(proof.signature, message):
        raise _refused("the checkpoint's signature does not hold")
    leaf = leaf_hash(proof.line)
    if not verify_inclusion(leaf, proof.seq, proof.size, proof.path, proof.root):
        raise _refused("the line is not the record under that checkpoint")
    value = parse_line(proof.line)
    if value["seq"] != proof.seq or value["kid"].partition(".")[0] != proof.journal_id:
        raise _refused("the line is of another journal or place")
    if witness is not None:
        stated = (proof.journal_id, proof.epoch, proof.size, proof.root, proof.public)
        seen = (witness.journal_id, witness.epoch, witness.size, witness.root, witness.public)
        if stated != seen:
            raise _refused("the proof is not under the witness's checkpoint")
    return record_of(value)


def _line(path: Path, seq: int) -> bytes:
    """Return one line of a log that was verified just before."""
    number = 0
    for file in [*(segment_path(path, n) for n in closed_segments(path)), path]:
        with file.open("rb") as stream:
            for line in stream:
                if number == seq:
                    return line.rstrip(b"\n")
                number += 1
    raise InputError(f"there is no record {seq}", where=str(path), remedy="name an earlier one")


def _node(fields: Fields, text: str) -> bytes:
    try:
        node = bytes.fromhex(text)
    except ValueError:
        node = b""
    if len(node) != HASH_BYTES or node.hex() != text:
        fields.fail("path", "holds something else than hashes")
    return node


def _refused(what: str) -> JournalError:
    return JournalError(
        f"the proof does not hold: {what}",
        where="proof",
        remedy="ask for a new one: oem journal prove",
    )
