"""Witness lines: a signed checkpoint of a log, kept elsewhere, that later states are held against.

What the machine's owner can put back together on the machine, an older log, a log sealed anew, one
history for you and another for me, is noticed by whoever kept a witness. A line holds letters and
digits only, so that it fits a QR code, a printed page or a phone call.

Source: gossip of signed tree heads, RFC 6962 section 2.1 and RFC 9162 section 2.1.4.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from oem_security.errors import InputError, JournalError, MalformedError, StateError
from oem_security.journal.keys import checkpoint_bytes
from oem_security.journal.scan import Scan, scan_blocks
from oem_security.keys.key import Algorithm, PublicKey
from oem_security.keys.keyring import Keyring
from oem_security.merkle import (
    HASH_BYTES,
    TreeRange,
    consistency_ranges,
    roots_of_ranges,
    verify_consistency,
)

PREFIX = "OEM-WITNESS:1:"
_FIXED = struct.Struct(">8sQQQ48s32s64s")
_MAX_PROOF = 65
_MAX_TEXT = 8192


@dataclass(frozen=True, slots=True)
class Witness:
    """A signed checkpoint, and the proof that it continues an earlier one.

    Attributes:
        journal_id: Which journal.
        epoch: Epoch whose key signed.
        size: Records that the checkpoint covers.
        root: Merkle root over them, 48 bytes.
        public: The epoch's Ed25519 key, 32 bytes.
        signature: Its signature over all of that.
        since: Size of the earlier witness, 0 for none.
        proof: Hashes that show that the tree of `size` begins with that of `since`.
    """

    journal_id: str
    epoch: int
    size: int
    root: bytes
    public: bytes
    signature: bytes
    since: int = 0
    proof: tuple[bytes, ...] = ()

    def line(self) -> str:
        """Return the witness as one line of capital letters, digits, `-` and `:`."""
        fixed = _FIXED.pack(
            bytes.fromhex(self.journal_id),
            self.epoch,
            self.size,
            self.since,
            self.root,
            self.public,
            self.signature,
        )
        text = base64.b32encode(fixed + b"".join(self.proof)).decode()
        return PREFIX + text.rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Witness:
        """Return the witness that a line states, its signature checked.

        Raises:
            MalformedError: It is no witness line.
            JournalError: Its signature does not hold.
        """
        line = text.strip()
        if not line.startswith(PREFIX) or len(line) > _MAX_TEXT:
            _malformed(f"it does not begin with {PREFIX} or is too long")
        code = line.removeprefix(PREFIX)
        try:
            raw = base64.b32decode(code + "=" * (-len(code) % 8))
        except (binascii.Error, ValueError):
            _malformed("it is not base32")
        if base64.b32encode(raw).decode().rstrip("=") != code:
            _malformed("it is not in the exporter's own form")
        count, rest = divmod(len(raw) - _FIXED.size, HASH_BYTES)
        if rest or not 0 <= count <= _MAX_PROOF:
            _malformed("it was cut off or something was added")
        journal, epoch, size, since, root, public, signature = _FIXED.unpack_from(raw)
        if min(epoch, size) < 1 or since > size:
            _malformed("its numbers do not belong together")
        begin = _FIXED.size
        proof = tuple(raw[i : i + HASH_BYTES] for i in range(begin, len(raw), HASH_BYTES))
        witness = cls(journal.hex(), epoch, size, root, public, signature, since, proof)
        message = checkpoint_bytes(witness.journal_id, epoch, size, root)
        if not PublicKey(Algorithm.ED25519, public).verifies(signature, message):
            raise JournalError(
                "the signature of the witness does not hold",
                where="witness",
                remedy="scan or copy it again; export a new one from the log",
            )
        return witness


def export_witness(path: Path, keyring: Keyring, since: Witness | None = None) -> Witness:
    """Verify a log and return a witness of its newest checkpoint.

    Args:
        path: The journal.
        keyring: The keyring it was written with.
        since: The witness that was handed out before; the new one proves that it continues it.

    Raises:
        JournalError: The log does not hold, or does not continue the earlier witness.
        StateError: The log has no checkpoint yet.
    """
    state = Scan()
    for _ in scan_blocks(path, keyring, state):
        continue
    witness = newest_checkpoint(state)
    if witness is None:
        raise StateError(
            "the log has no checkpoint yet",
            where=str(path),
            remedy="write one with: oem journal checkpoint",
        )
    if since is None:
        return witness
    check_witness(path, keyring, since)
    size, proof = witness.size, witness.proof
    if since.size > size:
        _split(f"its newest checkpoint covers {size} records, the witness {since.size}", path)
    if since.size < size:
        ranges = consistency_ranges(since.size, size)
        proof = tuple(roots_of_ranges(leaves(path, keyring), ranges))
    return replace(witness, since=since.size, proof=proof)


def newest_checkpoint(state: Scan) -> Witness | None:
    """Return the newest checkpoint of a log that was read to its end, None before the first."""
    body = state.checkpoint
    if not body or state.keys is None:
        return None
    epoch = int(body["epoch"])
    return Witness(
        journal_id=state.keys.journal_id,
        epoch=epoch,
        size=int(body["size"]),
        root=bytes.fromhex(body["root"]),
        public=state.publics[epoch].raw,
        signature=base64.b64decode(body["sig"]),
    )


def check_witness(path: Path, keyring: Keyring, witness: Witness) -> None:
    """Hold a log against a witness that was kept elsewhere.

    Raises:
        JournalError: The log does not hold, is another one, is shorter than it was, or differs
            from what the witness saw.
    """
    state, seen = Scan(), TreeRange()
    for block in scan_blocks(path, keyring, state):
        seen.extend(block.leaves[: max(0, witness.size - seen.end)])
    if state.keys is None or state.keys.journal_id != witness.journal_id:
        _split(f"the log is not the journal {witness.journal_id} of the witness", path)
    if state.records < witness.size:
        _split(f"the log has {state.records} records, the witness saw {witness.size}", path)
    known = state.publics.get(witness.epoch)
    if known is None or known.raw != witness.public:
        _split(f"epoch {witness.epoch} has another key than the witness saw", path)
    if seen.root() != witness.root:
        _split(f"its first {witness.size} records are not those the witness saw", path)


def check_succession(earlier: Witness, later: Witness) -> None:
    """Hold a later witness against an earlier one, without the log.

    It shows that the later log begins with the earlier one; that its key is the log's own is shown
    where both are of one epoch, else by holding the log against it.

    Raises:
        JournalError: They are of different logs, or the later one does not continue the earlier.
        InputError: The later one proves its descent from another witness.
    """
    if earlier.journal_id != later.journal_id:
        _split("the witnesses are of different logs", "witness")
    if later.size < earlier.size or later.epoch < earlier.epoch:
        _split(
            f"the log went back from {earlier.size} records in epoch {earlier.epoch} to "
            f"{later.size} in epoch {later.epoch}",
            "witness",
        )
    if later.epoch == earlier.epoch and later.public != earlier.public:
        _split(f"epoch {later.epoch} has another key than before", "witness")
    if later.size == earlier.size:
        if later.root != earlier.root:
            _split(f"two different logs of {later.size} records exist", "witness")
        return
    if later.since != earlier.size:
        raise InputError(
            f"the later witness continues one of {later.since} records, this one has "
            f"{earlier.size}",
            where="witness",
            remedy="export it with: oem journal export-witness --since, naming this witness",
        )
    sizes = (earlier.size, later.size, earlier.root, later.root)
    if not verify_consistency(*sizes, later.proof):
        _split("the later log does not begin with the earlier one", "witness")


def witness_png(witness: Witness) -> bytes:
    """Return a witness line as a QR code, a PNG image.

    Raises:
        InputError: The extra `qr` is not installed.
    """
    try:
        import segno
    except ImportError:
        raise InputError(
            "QR codes cannot be made here", remedy="install oem-security with its extra: qr"
        ) from None
    image = io.BytesIO()
    segno.make_qr(witness.line(), error="l").save(image, kind="png", scale=4)
    return image.getvalue()


def leaves(path: Path, keyring: Keyring) -> Iterator[bytes]:
    """Yield the leaf hashes of a log that holds, 48 bytes a record."""
    for block in scan_blocks(path, keyring, Scan()):
        yield from block.leaves


def _malformed(why: str) -> NoReturn:
    raise MalformedError(
        f"this is no witness line: {why}", where="witness", remedy="scan or copy the whole line"
    )


def _split(what: str, where: Path | str) -> NoReturn:
    raise JournalError(
        f"the log does not agree with the witness: {what}",
        where=str(where),
        remedy="the log was cut, sealed anew, swapped, or shown in two versions: keep it as "
        "evidence and restore it from a backup",
    )
