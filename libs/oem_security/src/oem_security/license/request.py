"""A site's request for a licence, and the vendor's reading of it.

The request carries the site's MAC key encrypted to the vendor (HPKE, RFC 9180), so that the
licence can hold an HMAC that only this site accepts. It proves possession of the keys it names,
and its nonce makes one answer of it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from oem_security.anchors.trusted import Anchors
from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import open_envelope, peek_payload, seal_bytes
from oem_security.envelope.policy import PayloadType, Pins, Role, Signers, envelope_mac
from oem_security.errors import LicenseError
from oem_security.fields import Fields, b64
from oem_security.fingerprint.fingerprint import Fingerprint
from oem_security.keys.key import Algorithm, MacKey, PrivateSigner, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.license.terms import LICENSE_ID
from oem_security.strict_json import canonical, loads

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO = b"oem-security/1/license-request"


@dataclass(frozen=True, slots=True)
class LicenseRequest:
    """A request as the vendor reads it, its signatures verified.

    Attributes:
        site: Identifier of the site's keyring.
        fingerprint: The device the licence shall be bound to.
        features: What is asked for.
        created: When it was made, by the site's clock.
        device_key: The site's MAC key.
        nonce: Random, hex; the vendor answers it once.
        replaces: The licence to renew or to bind anew, or empty.
    """

    site: str
    fingerprint: Fingerprint
    features: tuple[str, ...]
    created: str
    device_key: MacKey
    nonce: str = ""
    replaces: str = ""


def create_request(
    keyring: Keyring,
    fingerprint: Fingerprint,
    anchors: Anchors,
    *,
    features: Iterable[str],
    replaces: str = "",
    clock: Clock | None = None,
) -> bytes:
    """Return a licence request for the vendor.

    Args:
        keyring: The site's keyring; its device MAC key goes along, encrypted to the vendor.
        fingerprint: The device the licence shall be bound to; to renew, made with the salt of the
            licence's own, so that the vendor can compare the two.
        anchors: The vendor's public keys.
        features: What is asked for.
        replaces: Identifier of the licence to renew or to bind to this device.
        clock: Tells the time.
    """
    mac = envelope_mac(keyring.active(Purpose.DEVICE))
    secret = json.dumps({"key_id": mac.key_id, "secret": b64(mac.secret)}).encode()
    wrapped = _SUITE.encrypt(secret, X25519PublicKey.from_public_bytes(anchors.transport), _INFO)
    signer = PrivateSigner.of(keyring.active(Purpose.DOCUMENT), Algorithm.ED25519)
    payload: dict[str, object] = {
        "site": keyring.id,
        "fingerprint": fingerprint.as_json(),
        "features": list(features),
        "device_key": b64(wrapped),
        "site_key": b64(signer.public.raw),
        "nonce": secrets.token_hex(16),
        "created": rfc3339((clock or SystemClock()).now_ns()),
    }
    if replaces:
        payload["replaces"] = replaces
    signers: Signers = {Role.DEVICE_MAC: mac, Role.SITE_SIGN: signer}
    return seal_bytes(canonical(payload), PayloadType.LICENSE_REQUEST, signers)


def read_request(data: bytes, vendor: Keyring) -> LicenseRequest:
    """Decrypt and verify a licence request.

    Raises:
        LicenseError: It was encrypted to another vendor.
        SealError: Its signatures do not hold.
        MalformedError: The bytes are not a request.
    """
    claims = Fields(peek_payload(data, PayloadType.LICENSE_REQUEST), "licence request")
    wrapped = claims.bytes_b64("device_key", max_length=4096)
    site_key = PublicKey(Algorithm.ED25519, claims.bytes_b64("site_key", length=32))
    device_key = _unwrap(wrapped, vendor)
    pins: Pins = {Role.DEVICE_MAC: (device_key,), Role.SITE_SIGN: (site_key,)}
    fields = Fields(open_envelope(data, PayloadType.LICENSE_REQUEST, pins).value, "licence request")
    fields.take("device_key")
    fields.take("site_key")
    found = LicenseRequest(
        site=fields.hex("site", 16),
        fingerprint=Fingerprint.from_fields(fields.object("fingerprint")),
        features=fields.texts("features"),
        created=fields.text("created", max_length=40),
        device_key=device_key,
        nonce=fields.hex("nonce", 32),
        replaces=fields.hex("replaces", 16, prefix=LICENSE_ID) if fields.has("replaces") else "",
    )
    fields.done()
    return found


def _unwrap(wrapped: bytes, vendor: Keyring) -> MacKey:
    for epoch in vendor.usable(Purpose.TRANSPORT):
        try:
            plain = _SUITE.decrypt(wrapped, epoch.x25519(), _INFO)
        except (InvalidTag, ValueError):
            continue
        fields = Fields(loads(plain, what="device key", max_bytes=1024), "device_key")
        key = MacKey(fields.text("key_id", max_length=128), fields.bytes_b64("secret", length=48))
        fields.done()
        return key
    raise LicenseError(
        "the request was encrypted to another vendor",
        where="device_key",
        remedy="have the site trust this vendor and make the request again",
    )
