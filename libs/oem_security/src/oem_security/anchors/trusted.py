"""The vendor's public keys that a site trusts."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from oem_security.envelope.dsse import open_payload, seal_payload
from oem_security.envelope.policy import PayloadType, Pin, PostQuantum, Role
from oem_security.errors import LicenseError
from oem_security.fields import Fields, b64, is_hex, unb64
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.key import Algorithm, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.values import dataclass

_MAX_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Anchors:
    """The vendor's public keys that a site trusts.

    Attributes:
        vendor: Ed25519 key that signs licences.
        transport: X25519 key that requests are encrypted to, raw.
        older: Keys the vendor signed with before a roll-over; what they signed holds on.
        post_quantum: The vendor's ML-DSA-65 keys; what they signed beside Ed25519 is accepted.
        post_quantum_required: Whether licences and revocation lists must carry their signature.
    """

    vendor: PublicKey
    transport: bytes
    older: tuple[PublicKey, ...] = ()
    post_quantum: tuple[PublicKey, ...] = ()
    post_quantum_required: bool = False

    @property
    def vendors(self) -> tuple[PublicKey, ...]:
        """Every Ed25519 key that signs for the vendor, the active one first."""
        return (self.vendor, *self.older)

    @classmethod
    def of(cls, vendor: Keyring, post_quantum: PostQuantum = PostQuantum.NONE) -> Anchors:
        """Return the anchors of a vendor keyring.

        Args:
            vendor: The keyring.
            post_quantum: Whether its ML-DSA-65 keys are named as well, and asked for.
        """
        transport = vendor.active(Purpose.TRANSPORT).x25519().public_key().public_bytes_raw()
        return cls(
            vendor.active(Purpose.VENDOR).public(Algorithm.ED25519),
            transport,
            post_quantum=post_quantum_keys(vendor, post_quantum),
            post_quantum_required=post_quantum is PostQuantum.REQUIRED,
        )

    def as_json(self) -> dict[str, object]:
        value: dict[str, object] = {
            "vendor": b64(self.vendor.raw),
            "transport": b64(self.transport),
        }
        if self.older:
            value["older"] = [key.raw.hex() for key in self.older]
        if self.post_quantum:
            value["post_quantum"] = [b64(key.raw) for key in self.post_quantum]
            value["post_quantum_required"] = self.post_quantum_required
        return value

    @classmethod
    def from_fields(cls, fields: Fields) -> Anchors:
        """Return the anchors that a document states."""
        raw = fields.bytes_b64("vendor", length=32)
        transport = fields.bytes_b64("transport", length=32)
        texts = fields.texts("older", max_items=16, max_length=64) if fields.has("older") else ()
        keys, required = read_post_quantum(fields)
        fields.done()
        if not all(is_hex(text, 64) for text in texts):
            fields.fail("older", "holds something else than Ed25519 keys")
        older = tuple(PublicKey(Algorithm.ED25519, bytes.fromhex(text)) for text in texts)
        return cls(PublicKey(Algorithm.ED25519, raw), transport, older, keys, required)


Vendors: TypeAlias = "Anchors | PublicKey | tuple[PublicKey, ...]"
"""Whose signature is asked for: the trust anchors, or Ed25519 keys of the vendor."""


def vendor_pins(vendors: Vendors) -> tuple[dict[Role, tuple[Pin, ...]], tuple[Role, ...]]:
    """Return the keys of the vendor's roles, and the roles that are asked for beyond the policy."""
    if isinstance(vendors, Anchors):
        also = (Role.VENDOR_PQ,) if vendors.post_quantum_required else ()
        return {Role.VENDOR_SIGN: vendors.vendors, Role.VENDOR_PQ: vendors.post_quantum}, also
    return {Role.VENDOR_SIGN: (vendors,) if isinstance(vendors, PublicKey) else vendors}, ()


def post_quantum_keys(vendor: Keyring, wanted: PostQuantum) -> tuple[PublicKey, ...]:
    """Return a vendor keyring's ML-DSA-65 keys that still verify, the active one first."""
    if wanted is PostQuantum.NONE:
        return ()
    return tuple(e.public(Algorithm.ML_DSA_65) for e in vendor.usable(Purpose.VENDOR))


def read_post_quantum(fields: Fields) -> tuple[tuple[PublicKey, ...], bool]:
    """Return the ML-DSA-65 keys a document names, and whether it asks for their signature."""
    if not fields.has("post_quantum"):
        return (), False
    raws = [unb64(text) for text in fields.texts("post_quantum", max_items=16, max_length=2604)]
    keys = tuple(PublicKey(Algorithm.ML_DSA_65, raw) for raw in raws if raw and len(raw) == 1952)
    if not raws or len(keys) != len(raws):
        fields.fail("post_quantum", "holds something else than ML-DSA-65 keys")
    return keys, fields.boolean("post_quantum_required")


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
