"""The keys of one journal: a MAC per key epoch, and the signer of its checkpoints."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from oem_security.journal.record import FastMac
from oem_security.keyring import Keyring
from oem_security.keys import Algorithm, KeyEpoch, PrivateSigner, Purpose
from oem_security.strict_json import canonical


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """What authenticates the records of one journal.

    Attributes:
        journal_id: Random identifier of the journal, 16 hexadecimal digits.
        keyring: Its `journal` keys, one MAC a journal and key epoch.
    """

    journal_id: str
    keyring: Keyring

    @property
    def active(self) -> KeyEpoch:
        return self.keyring.active(Purpose.JOURNAL)

    def key_id(self, epoch: KeyEpoch) -> str:
        """Return what stands in a record's `kid`."""
        return f"{self.journal_id}.{epoch.epoch}"

    def mac(self, epoch: KeyEpoch) -> FastMac:
        """Return the MAC of this journal alone; another journal's records never verify here."""
        return FastMac(epoch.derive(f"journal/{self.journal_id}"))

    def macs(self) -> dict[str, FastMac]:
        """Return the MAC of every key that still verifies, by key id."""
        return {self.key_id(e): self.mac(e) for e in self.keyring.usable(Purpose.JOURNAL)}

    def sign_checkpoint(self, size: int, root: bytes) -> dict[str, object]:
        """Return the body of a checkpoint: tree size, root, and an Ed25519 signature over both."""
        signer = PrivateSigner.of(self.active, Algorithm.ED25519)
        signature = signer.sign(checkpoint_bytes(self.journal_id, size, root))
        return {
            "size": size,
            "root": root.hex(),
            "signer": signer.key_id,
            "sig": base64.b64encode(signature).decode(),
        }

    def checkpoint_holds(self, body: Mapping[str, object], root: bytes, size: int) -> bool:
        """Tell whether a checkpoint's body states this size and root and is signed for it."""
        if body.get("size") != size or body.get("root") != root.hex():
            return False
        try:
            signature = base64.b64decode(str(body.get("sig", "")), validate=True)
        except ValueError:
            return False
        message = checkpoint_bytes(self.journal_id, size, root)
        for epoch in self.keyring.usable(Purpose.JOURNAL):
            key = epoch.public(Algorithm.ED25519)
            if key.key_id == body.get("signer"):
                return key.verifies(signature, message)
        return False


def checkpoint_bytes(journal_id: str, size: int, root: bytes) -> bytes:
    """Return the bytes that a checkpoint's signature covers."""
    return b"oem-journal-checkpoint-v1\n" + canonical(
        {"journal": journal_id, "root": root.hex(), "size": size}
    )
