"""Envelopes: payload bytes with the signatures their payload type requires (DSSE).

Verification runs one way and stops at the first doubt: parse strictly, compare the payload type
with the expected one, decode, match every signature to a pinned key of a role the policy knows,
require every role, and only then parse the payload, from the very bytes that were verified.

Source: DSSE v1 protocol, https://github.com/secure-systems-lab/dsse; RFC 8785.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from oem_security.envelope.policy import (
    POLICIES,
    PayloadType,
    Pin,
    Pins,
    Policy,
    Role,
    Signers,
    site_pins,
    site_signers,
)
from oem_security.errors import MalformedError, SealError
from oem_security.fields import b64, unb64
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import Json, canonical, loads_canonical, loads_object
from oem_security.values import dataclass, replace

_MAX_SIGNATURES = 8
_MAX_SIGNATURE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload whose envelope satisfied its policy.

    Attributes:
        payload_type: The type that was expected and found.
        payload: The exact bytes that were verified.
        value: Those bytes, parsed.
        key_ids: Which key signed in which role.
    """

    payload_type: PayloadType
    payload: bytes
    value: dict[str, Json]
    key_ids: Mapping[Role, str]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding, the bytes that are signed.

    Example:
        >>> pae("http://example.com/HelloWorld", b"hello world")
        b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_bytes(payload: bytes, payload_type: PayloadType, signers: Signers) -> bytes:
    """Sign payload bytes in the given roles and return the envelope.

    Args:
        payload: Canonical JSON.
        payload_type: Says which roles are needed.
        signers: The key of each role; roles the policy does not know are an error.

    Raises:
        SealError: A required role is missing, or a role does not belong to this payload type.
    """
    policy = POLICIES[payload_type]
    missing = [role.value for role in policy.required if role not in signers]
    foreign = [r.value for r in signers if r not in (*policy.required, *policy.optional)]
    if missing or foreign:
        raise SealError(
            f"{payload_type.value} needs {_roles(policy)}; missing {missing}, not wanted {foreign}",
            remedy="sign with the keyring this payload type belongs to",
        )
    if len(payload) > policy.max_bytes:
        raise SealError(
            f"the payload has {len(payload)} bytes, {payload_type.value} allows {policy.max_bytes}",
            remedy="seal a file with a sidecar instead of putting it into the payload",
        )
    message = pae(payload_type.value, payload)
    document = {
        "payloadType": payload_type.value,
        "payload": b64(payload),
        "signatures": [
            {"keyid": signer.key_id, "sig": b64(signer.sign(message))}
            for signer in (signers[role] for role in Role if role in signers)
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def open_envelope(
    data: bytes, payload_type: PayloadType, pins: Pins, *, also: tuple[Role, ...] = ()
) -> Verified:
    """Verify an envelope from outside and return its payload.

    Args:
        data: The envelope's bytes.
        payload_type: The type the caller needs; another one is refused.
        pins: The keys accepted in each role.
        also: Roles that must have signed beside those the payload type needs anyhow.

    Raises:
        MalformedError: The bytes are not such an envelope.
        SealError: A signature is missing, wrong, doubled, or of an unknown key.
    """
    policy = POLICIES[payload_type]
    if also:
        policy = replace(policy, required=tuple(dict.fromkeys((*policy.required, *also))))
    outer = loads_object(data, what="envelope", max_bytes=policy.max_bytes * 2 + (128 << 10))
    payload = _payload_of(outer, payload_type, policy)
    signatures = _signatures_of(outer)
    key_ids = _check_signatures(signatures, pae(payload_type.value, payload), policy, pins)
    value = loads_canonical(payload, what="payload", max_bytes=policy.max_bytes)
    return Verified(payload_type, payload, value, key_ids)


def payload_type_of(data: bytes) -> PayloadType | None:
    """Return what kind of envelope bytes claim to be, unverified; None if they are none."""
    try:
        outer = loads_object(data, what="envelope", max_bytes=256 << 20)
        return PayloadType(outer.get("payloadType"))
    except (MalformedError, ValueError):
        return None


def peek_payload(data: bytes, payload_type: PayloadType) -> dict[str, Json]:
    """Return an envelope's payload without verifying anything.

    Only to find out which keys are needed to verify it, or to show a person what a file claims.
    """
    policy = POLICIES[payload_type]
    outer = loads_object(data, what="envelope", max_bytes=policy.max_bytes * 2 + (128 << 10))
    return loads_object(
        _payload_of(outer, payload_type, policy), what="payload", max_bytes=policy.max_bytes
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an envelope, nothing of them verified yet.

    Attributes:
        payload: The payload's bytes.
        message: The bytes that every signature covers.
        signatures: Key identifier and signature of each.
    """

    payload: bytes
    message: bytes
    signatures: tuple[tuple[str, bytes], ...]


def take_apart(data: bytes, payload_type: PayloadType) -> Parts:
    """Return the parts of an envelope for a verifier that counts signatures itself.

    Only for payload types whose policy is a threshold of several keys in one role.

    Raises:
        MalformedError: The bytes are not such an envelope.
        SealError: It holds another payload type.
    """
    policy = POLICIES[payload_type]
    outer = loads_object(data, what="envelope", max_bytes=policy.max_bytes * 2 + (128 << 10))
    payload = _payload_of(outer, payload_type, policy)
    return Parts(payload, pae(payload_type.value, payload), tuple(_signatures_of(outer)))


def put_together(payload_type: PayloadType, parts: Parts) -> bytes:
    """Return the envelope of parts, each key once."""
    document = {
        "payloadType": payload_type.value,
        "payload": b64(parts.payload),
        "signatures": [{"keyid": k, "sig": b64(s)} for k, s in dict(parts.signatures).items()],
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def seal_payload(
    payload: Mapping[str, object], payload_type: PayloadType, keyring: Keyring
) -> bytes:
    """Seal a JSON payload with a keyring's own document keys and return the envelope."""
    return seal_bytes(canonical(dict(payload)), payload_type, site_signers(keyring))


def open_payload(data: bytes, payload_type: PayloadType, keyring: Keyring) -> dict[str, Json]:
    """Verify an envelope sealed by this keyring and return its payload."""
    return open_envelope(data, payload_type, site_pins(keyring)).value


def _payload_of(outer: dict[str, Json], expected: PayloadType, policy: Policy) -> bytes:
    if set(outer) != {"payloadType", "payload", "signatures"}:
        raise MalformedError(
            f"an envelope has payloadType, payload and signatures, not {sorted(outer)}",
            remedy="fetch an intact copy of the document",
        )
    if outer["payloadType"] != expected.value:
        raise SealError(
            f"the envelope holds {outer['payloadType']!r}, expected {expected.value!r}",
            where="payloadType",
            remedy="hand in the document that was asked for",
        )
    return _decode(outer["payload"], "payload", policy.max_bytes)


def _signatures_of(outer: dict[str, Json]) -> list[tuple[str, bytes]]:
    entries = outer["signatures"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_SIGNATURES:
        raise MalformedError(
            f"an envelope carries 1 to {_MAX_SIGNATURES} signatures",
            where="signatures",
            remedy="fetch an intact copy of the document",
        )
    result = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"}:
            raise MalformedError(
                "a signature has keyid and sig and nothing else",
                where=f"signatures[{index}]",
                remedy="fetch an intact copy of the document",
            )
        key_id = entry["keyid"]
        if not isinstance(key_id, str) or not 1 <= len(key_id) <= 128:
            raise MalformedError(
                "a key id is text of 1 to 128 characters",
                where=f"signatures[{index}].keyid",
                remedy="fetch an intact copy of the document",
            )
        result.append(
            (key_id, _decode(entry["sig"], f"signatures[{index}].sig", _MAX_SIGNATURE_BYTES))
        )
    return result


def _check_signatures(
    signatures: list[tuple[str, bytes]], message: bytes, policy: Policy, pins: Pins
) -> dict[Role, str]:
    signed: dict[Role, str] = {}
    by_id = _pins_by_id(policy, pins)
    for index, (key_id, signature) in enumerate(signatures):
        held = (r for r, pin in by_id.get(key_id, ()) if pin.verifies(signature, message))
        role = next(held, None)
        if role is None:
            raise SealError(
                f"the signature by key {key_id!r} does not hold",
                where=f"signatures[{index}]",
                remedy="the document was changed after sealing or sealed with a key that is not "
                "trusted here; fetch an intact copy, or seal it anew",
            )
        if role in signed:
            raise SealError(
                f"role {role.value} signed twice",
                where=f"signatures[{index}]",
                remedy="fetch an intact copy of the document",
            )
        signed[role] = key_id
    missing = [role.value for role in policy.required if role not in signed]
    if missing:
        raise SealError(
            f"the signature of {' and '.join(missing)} is missing",
            where="signatures",
            remedy=f"this payload type needs {_roles(policy)}; have it signed by all of them",
        )
    return signed


def _pins_by_id(policy: Policy, pins: Pins) -> dict[str, list[tuple[Role, Pin]]]:
    """The key id narrows the search; the pinned key alone says algorithm and role."""
    found: dict[str, list[tuple[Role, Pin]]] = {}
    for role in (*policy.required, *policy.optional):
        for pin in pins.get(role, ()):
            if pin.algorithm is role.algorithm:
                found.setdefault(pin.key_id, []).append((role, pin))
    return found


def _decode(value: Json, where: str, max_bytes: int) -> bytes:
    if isinstance(value, str) and len(value) <= max_bytes * 4 // 3 + 8:
        raw = unb64(value)
        if raw is not None and len(raw) <= max_bytes:
            return raw
    raise MalformedError(
        f"not canonical base64 of at most {max_bytes} bytes",
        where=where,
        remedy="fetch an intact copy of the document",
    )


def _roles(policy: Policy) -> str:
    return " and ".join(role.value for role in policy.required)
