"""The MAC keys of one journal, and what its epochs' signing keys state."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from oem_security.errors import JournalError
from oem_security.journal.epoch import EpochKey
from oem_security.journal.record import FastMac
from oem_security.keys.key import KeyEpoch, KeyState, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import canonical


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """What authenticates the records of one journal.

    The MAC keys can be derived again for as long as the keyring's key is not revoked, for whoever
    verifies must have them. What was closed is held by the epochs' signatures, whose keys are
    erased.

    Attributes:
        journal_id: Random identifier of the journal, 16 hexadecimal digits.
        keyring: Its `journal` keys, one MAC a journal, key and epoch.
    """

    journal_id: str
    keyring: Keyring

    @property
    def active(self) -> KeyEpoch:
        return self.keyring.active(Purpose.JOURNAL)

    def key_id(self, epoch: int) -> str:
        """Return what stands in the `kid` of an epoch's records."""
        return f"{self.journal_id}.{epoch}"

    def mac(self, ring: int, epoch: int) -> FastMac:
        """Return the MAC of one epoch of this journal alone.

        Args:
            ring: Epoch of the keyring's journal key.
            epoch: Epoch of the journal.

        Raises:
            JournalError: The keyring's key is unknown or revoked.
        """
        for key in self.keyring.usable(Purpose.JOURNAL):
            if key.epoch == ring:
                return FastMac(key.derive(f"journal/{self.journal_id}/{epoch}"))
        known = {k.epoch: k for k in self.keyring.epochs if k.purpose is Purpose.JOURNAL}
        revoked = ring in known and known[ring].state is KeyState.REVOKED
        raise JournalError(
            f"the key journal/{ring} is {'revoked' if revoked else 'not in the keyring'}",
            where=f"epoch {epoch} of the journal {self.journal_id}",
            remedy="use the keyring that wrote the log; what a revoked key wrote proves nothing",
        )

    def head_macs(self) -> dict[str, FastMac]:
        """Return the MACs that a head of this journal may carry, by key id; the newest first."""
        return {
            f"{self.journal_id}/{key.epoch}": FastMac(key.derive(f"journal-head/{self.journal_id}"))
            for key in self.keyring.usable(Purpose.JOURNAL)
        }

    def checkpoint(self, key: EpochKey, size: int, root: bytes) -> dict[str, object]:
        """Return the body of a checkpoint: tree size, root, and the epoch's signature over both."""
        signature = key.sign(checkpoint_bytes(self.journal_id, key.epoch, size, root))
        return {
            "epoch": key.epoch,
            "size": size,
            "root": root.hex(),
            "sig": base64.b64encode(signature).decode(),
        }

    def seal(self, key: EpochKey, upcoming: EpochKey, size: int, root: bytes) -> dict[str, object]:
        """Return the body of the record that closes an epoch and names the next one's key."""
        following = upcoming.public.raw.hex()
        message = seal_bytes(self.journal_id, key.epoch, size, root, following)
        return {
            "epoch": key.epoch,
            "size": size,
            "root": root.hex(),
            "next": following,
            "sig": base64.b64encode(key.sign(message)).decode(),
        }

    def checkpoint_holds(
        self, body: Mapping[str, object], public: PublicKey, epoch: int, size: int, root: bytes
    ) -> bool:
        """Tell whether a checkpoint's body states this size and root and is signed for it."""
        stated = (body.get("epoch"), body.get("size"), body.get("root"))
        message = checkpoint_bytes(self.journal_id, epoch, size, root)
        return stated == (epoch, size, root.hex()) and _signed(body, public, message)

    def seal_holds(
        self, body: Mapping[str, object], public: PublicKey, epoch: int, size: int, root: bytes
    ) -> bool:
        """Tell whether a seal's body closes this epoch with this size and root, signed."""
        following = body.get("next")
        stated = (body.get("epoch"), body.get("size"), body.get("root"))
        if stated != (epoch, size, root.hex()) or not is_public(following):
            return False
        message = seal_bytes(self.journal_id, epoch, size, root, str(following))
        return _signed(body, public, message)


def is_public(value: object) -> bool:
    """Tell whether a value is the hexadecimal text of an Ed25519 public key."""
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")


def checkpoint_bytes(journal_id: str, epoch: int, size: int, root: bytes) -> bytes:
    """Return the bytes that a checkpoint's signature covers."""
    return b"oem-journal-checkpoint-v1\n" + canonical(
        {"epoch": epoch, "journal": journal_id, "root": root.hex(), "size": size}
    )


def seal_bytes(journal_id: str, epoch: int, size: int, root: bytes, following: str) -> bytes:
    """Return the bytes that the signature of a closing epoch covers."""
    return b"oem-journal-seal-v1\n" + canonical(
        {"epoch": epoch, "journal": journal_id, "next": following, "root": root.hex(), "size": size}
    )


def _signed(body: Mapping[str, object], public: PublicKey, message: bytes) -> bool:
    try:
        signature = base64.b64decode(str(body.get("sig", "")), validate=True)
    except (binascii.Error, ValueError):
        return False
    return public.verifies(signature, message)
