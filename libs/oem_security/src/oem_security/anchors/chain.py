"""Trust anchors that roll over by a signed chain: version N signs N+1, never a setting.

A version names the vendor's keys that sites trust, the root keys, and how many of these must sign.
The next version holds only where enough root keys of the version before *and* enough of its own
have signed it. A site that has seen a version takes no earlier one.

Source: root key rotation of The Update Framework, specification 1.0, section 5.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from oem_security.anchors.trusted import post_quantum_keys, read_post_quantum
from oem_security.clock import NS_PER_SECOND, Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import Parts, pae, put_together, take_apart
from oem_security.envelope.policy import POLICIES, PayloadType, PostQuantum
from oem_security.errors import InputError, KeyringError, MalformedError, SealError
from oem_security.fields import Fields, b64, unb64
from oem_security.keys.key import Algorithm, PrivateSigner, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import canonical, is_canonical, loads_object

FORMAT = "oem-anchors"
MAX_ROOTS = 8
MAX_THRESHOLD = 4
_MAX_VENDORS = 16


@dataclass(frozen=True, slots=True)
class AnchorSet:
    """One version of what sites trust.

    Attributes:
        version: 1, 2, 3 …
        vendors: Ed25519 keys that sign licences, the active one first.
        transport: X25519 key that requests are encrypted to, raw.
        roots: Ed25519 keys that sign versions of the anchors.
        threshold: How many different roots must sign.
        issued_ns: When it was made, UTC nanoseconds.
        post_quantum: The vendor's ML-DSA-65 keys, where it signs with those as well.
        post_quantum_required: Whether sites ask for their signature.
    """

    version: int
    vendors: tuple[PublicKey, ...]
    transport: bytes
    roots: tuple[PublicKey, ...]
    threshold: int
    issued_ns: int
    post_quantum: tuple[PublicKey, ...] = ()
    post_quantum_required: bool = False

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        value = {
            "format": FORMAT,
            "version": self.version,
            "vendors": [b64(key.raw) for key in self.vendors],
            "transport": b64(self.transport),
            "roots": [b64(key.raw) for key in self.roots],
            "threshold": self.threshold,
            "issued": rfc3339(self.issued_ns),
        }
        if self.post_quantum:
            value["post_quantum"] = [b64(key.raw) for key in self.post_quantum]
            value["post_quantum_required"] = self.post_quantum_required
        return canonical(value)

    @property
    def wanted(self) -> PostQuantum:
        """What the vendor's ML-DSA-65 keys are to sites."""
        if not self.post_quantum:
            return PostQuantum.NONE
        return PostQuantum.REQUIRED if self.post_quantum_required else PostQuantum.ACCEPTED

    @property
    def sha384(self) -> str:
        """What people compare before they trust a first version."""
        return hashlib.sha384(self.payload()).hexdigest()

    @classmethod
    def from_payload(cls, payload: bytes) -> AnchorSet:
        """Read a version; its signatures are not looked at.

        Raises:
            MalformedError: It is no version of trust anchors.
        """
        limit = POLICIES[PayloadType.ANCHORS].max_bytes
        value = loads_object(payload, what="trust anchors", max_bytes=limit)
        fields = Fields(value, "trust anchors")
        keys, required = read_post_quantum(fields)
        if fields.text("format") != FORMAT:
            fields.fail("format", f"is not {FORMAT}")
        found = cls(
            version=fields.integer("version", 1, 1 << 31),
            vendors=_keys(fields, "vendors", _MAX_VENDORS),
            transport=fields.bytes_b64("transport", length=32),
            roots=_keys(fields, "roots", MAX_ROOTS),
            threshold=fields.integer("threshold", 1, MAX_THRESHOLD),
            issued_ns=fields.time_ns("issued"),
            post_quantum=keys,
            post_quantum_required=required,
        )
        fields.done()
        if not found.vendors or found.threshold > len(found.roots):
            fields.fail("threshold", "cannot be reached, or no vendor is named")
        if not is_canonical(payload, value) or found.payload() != payload:
            raise MalformedError(
                "the trust anchors are not canonical JSON (RFC 8785)",
                where="trust anchors",
                remedy="fetch an intact copy of the document",
            )
        return found


def first_anchors(
    vendor: Keyring,
    *,
    roots: Sequence[PublicKey] = (),
    threshold: int = 1,
    post_quantum: PostQuantum = PostQuantum.NONE,
    clock: Clock | None = None,
) -> bytes:
    """Return version 1 as an envelope signed by this vendor keyring's root key.

    Args:
        vendor: The keyring whose vendor and transport keys sites shall trust.
        roots: Root keys of the other holders; this keyring's own is added.
        threshold: How many of all roots must sign a version, 1 to 4.
        post_quantum: Whether the vendor's ML-DSA-65 keys are named, and asked for.
        clock: Tells the time.

    Raises:
        InputError: The threshold cannot be reached.
        KeyringError: It is not a vendor keyring.
    """
    own = vendor.active(Purpose.ROOT).public(Algorithm.ED25519)
    return _signed(_new(vendor, 1, (own, *roots), threshold, post_quantum, clock), None, vendor)


def next_anchors(
    previous: bytes,
    vendor: Keyring,
    *,
    roots: Sequence[PublicKey] | None = None,
    threshold: int | None = None,
    post_quantum: PostQuantum | None = None,
    clock: Clock | None = None,
) -> bytes:
    """Return the version after `previous`, signed with the root keys this keyring has.

    The vendor's keys that still verify stay trusted; revoked ones are left out, and what they
    signed is void on sites that install the version.

    Args:
        previous: Envelope of the version before.
        vendor: The keyring whose vendor and transport keys sites shall trust.
        roots: Root keys of the other holders; None keeps those of the version before.
        threshold: How many roots must sign from now on; None keeps it.
        post_quantum: Whether the vendor's ML-DSA-65 keys are named, and asked for; None keeps it.
        clock: Tells the time.
    """
    old = AnchorSet.from_payload(take_apart(previous, PayloadType.ANCHORS).payload)
    own = _roots_of(vendor)
    active = vendor.active(Purpose.ROOT).public(Algorithm.ED25519)
    others = [key for key in old.roots if key not in own] if roots is None else list(roots)
    made = _new(
        vendor,
        old.version + 1,
        (active, *others),
        old.threshold if threshold is None else threshold,
        old.wanted if post_quantum is None else post_quantum,
        clock,
    )
    return _signed(made, old, vendor)


def add_signature(data: bytes, holder: Keyring) -> bytes:
    """Return a version with the signatures of another root holder added.

    Raises:
        KeyringError: None of the holder's root keys is one that counts.
    """
    parts = take_apart(data, PayloadType.ANCHORS)
    made = AnchorSet.from_payload(parts.payload)
    signers = _signers(holder)
    known = {key.key_id for key in made.roots}
    ours = tuple((s.key_id, s.sign(parts.message)) for s in signers)
    # a key of the version before signs too, and only that version knows which those are
    if made.version == 1 and not any(key_id in known for key_id, _ in ours):
        raise KeyringError(
            "this keyring's root key is not one of the anchors'",
            where=str(holder.directory),
            remedy="name it when the version is made: --root",
        )
    return put_together(
        PayloadType.ANCHORS, Parts(parts.payload, parts.message, (*parts.signatures, *ours))
    )


def open_first(data: bytes) -> AnchorSet:
    """Return a version whose own roots have signed it, for somebody who compares its SHA-384.

    Raises:
        SealError: Fewer of its roots signed than it says itself.
        MalformedError: It is no version of trust anchors.
    """
    parts = take_apart(data, PayloadType.ANCHORS)
    made = AnchorSet.from_payload(parts.payload)
    _require_quorum(parts, made, "its own")
    return made


def follow(trusted: AnchorSet, data: bytes) -> AnchorSet:
    """Return the version after the trusted one.

    Args:
        trusted: The version that is trusted.
        data: Envelope of the next.

    Raises:
        SealError: It is not the next version, or too few roots of either version signed it.
        MalformedError: It is no version of trust anchors.
    """
    parts = take_apart(data, PayloadType.ANCHORS)
    _require_quorum(parts, trusted, f"version {trusted.version}'s")
    made = AnchorSet.from_payload(parts.payload)
    if made.version != trusted.version + 1:
        _refuse(
            f"version {made.version} does not follow version {trusted.version}",
            "install the versions one after another; an earlier one is never taken again",
        )
    _require_quorum(parts, made, "its own")
    return made


def _require_quorum(parts: Parts, anchors: AnchorSet, whose: str) -> None:
    """Require signatures of enough different root keys; one key counts once."""
    signed = {
        key.raw
        for key in anchors.roots
        if any(
            key_id == key.key_id and key.verifies(signature, parts.message)
            for key_id, signature in parts.signatures
        )
    }
    if len(signed) < anchors.threshold:
        _refuse(
            f"{len(signed)} of {whose} root keys signed, {anchors.threshold} must",
            "have the other holders sign it: oem anchors sign",
        )


def _new(
    vendor: Keyring,
    version: int,
    roots: Sequence[PublicKey],
    threshold: int,
    wanted: PostQuantum,
    clock: Clock | None,
) -> AnchorSet:
    unique = tuple(dict.fromkeys(roots))
    if not 1 <= threshold <= min(len(unique), MAX_THRESHOLD) or len(unique) > MAX_ROOTS:
        raise InputError(
            f"{threshold} signatures of {len(unique)} root keys cannot be asked for",
            remedy=f"name at most {MAX_ROOTS} roots, and a threshold of 1 to {MAX_THRESHOLD} "
            "that they can reach",
        )
    now = (clock or SystemClock()).now_ns()
    return AnchorSet(
        version=version,
        vendors=tuple(e.public(Algorithm.ED25519) for e in vendor.usable(Purpose.VENDOR)),
        transport=vendor.active(Purpose.TRANSPORT).x25519().public_key().public_bytes_raw(),
        roots=unique,
        threshold=threshold,
        issued_ns=now - now % NS_PER_SECOND,
        post_quantum=post_quantum_keys(vendor, wanted),
        post_quantum_required=wanted is PostQuantum.REQUIRED,
    )


def _signed(made: AnchorSet, old: AnchorSet | None, vendor: Keyring) -> bytes:
    counted = {key.key_id for key in (*made.roots, *(old.roots if old else ()))}
    payload = made.payload()
    message = pae(PayloadType.ANCHORS.value, payload)
    ours = [(s.key_id, s.sign(message)) for s in _signers(vendor) if s.key_id in counted]
    return put_together(PayloadType.ANCHORS, Parts(payload, message, tuple(ours)))


def _signers(holder: Keyring) -> list[PrivateSigner]:
    return [PrivateSigner.of(e, Algorithm.ED25519) for e in holder.usable(Purpose.ROOT)]


def _roots_of(holder: Keyring) -> set[PublicKey]:
    return {e.public(Algorithm.ED25519) for e in holder.usable(Purpose.ROOT)}


def _keys(fields: Fields, name: str, limit: int) -> tuple[PublicKey, ...]:
    found = []
    for text in fields.texts(name, max_items=limit, max_length=64):
        raw = unb64(text)
        if raw is None or len(raw) != 32:
            fields.fail(name, "holds something else than Ed25519 keys")
        found.append(PublicKey(Algorithm.ED25519, raw))
    return tuple(found)


def _refuse(what: str, remedy: str) -> NoReturn:
    raise SealError(f"the trust anchors do not hold: {what}", where="trust anchors", remedy=remedy)
