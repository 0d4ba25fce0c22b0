"""The vendor's public keys that a site trusts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oem_security.envelope import open_payload, seal_payload
from oem_security.errors import LicenseError
from oem_security.fields import Fields, b64
from oem_security.files import read_bounded, write_atomic
from oem_security.keyring import Keyring
from oem_security.keys import Algorithm, PublicKey, Purpose
from oem_security.policy import PayloadType

_MAX_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Anchors:
    """The vendor's public keys that a site trusts.

    Attributes:
        vendor: Ed25519 key that signs licences.
        transport: X25519 key that requests are encrypted to, raw.
    """

    vendor: PublicKey
    transport: bytes

    @classmethod
    def of(cls, vendor: Keyring) -> Anchors:
        """Return the anchors of a vendor keyring."""
        transport = vendor.active(Purpose.TRANSPORT).x25519().public_key().public_bytes_raw()
        return cls(vendor.active(Purpose.VENDOR).public(Algorithm.ED25519), transport)

    def as_json(self) -> dict[str, object]:
        return {"vendor": b64(self.vendor.raw), "transport": b64(self.transport)}

    @classmethod
    def from_fields(cls, fields: Fields) -> Anchors:
        """Return the anchors that a document states."""
        raw = fields.bytes_b64("vendor", length=32)
        transport = fields.bytes_b64("transport", length=32)
        fields.done()
        return cls(PublicKey(Algorithm.ED25519, raw), transport)


def save_anchors(path: Path, anchors: Anchors, keyring: Keyring) -> None:
    """Keep the vendor's public keys in the site, sealed by the site."""
    write_atomic(path, seal_payload(anchors.as_json(), PayloadType.DOCUMENT, keyring))


def read_anchors(path: Path, keyring: Keyring) -> Anchors:
    """Return the vendor's keys that this site trusts.

    Raises:
        InputError: There are none.
        SealError: They were changed.
    """
    data = anchor_bytes(path)
    return Anchors.from_fields(Fields(open_payload(data, PayloadType.DOCUMENT, keyring), str(path)))


def anchor_bytes(path: Path) -> bytes:
    """Return the file of the trust anchors, not verified."""
    return read_bounded(path, _MAX_BYTES, what="trust anchors", remedy="run: oem license trust")


def require_same_vendor(path: Path, anchors: Anchors, keyring: Keyring) -> None:
    """Refuse to replace a trusted vendor by another one.

    Raises:
        LicenseError: Another vendor is trusted.
    """
    if path.exists():
        trusted = read_anchors(path, keyring)
        if trusted.vendor != anchors.vendor:
            raise LicenseError(
                f"this site trusts {trusted.vendor.key_id} already",
                where=str(path),
                remedy="keep to that vendor; a site for another one begins with: oem init",
            )
