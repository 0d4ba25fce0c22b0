"""Which signatures each kind of sealed document needs; fixed here, never chosen by the document."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from oem_security.keys.key import Algorithm, KeyEpoch, MacKey, PrivateSigner, PublicKey, Purpose
from oem_security.keys.keyring import Keyring, KeyringKind
from oem_security.values import dataclass


class Role(enum.Enum):
    """In what capacity somebody signs; each role accepts one algorithm only."""

    SITE_MAC = "site-mac"
    SITE_SIGN = "site-sign"
    DEVICE_MAC = "device-mac"
    VENDOR_SIGN = "vendor-sign"
    VENDOR_PQ = "vendor-pq"
    ROOT_SIGN = "root-sign"

    @property
    def algorithm(self) -> Algorithm:
        return _ALGORITHM[self]


_ALGORITHM: Mapping[Role, Algorithm] = {
    Role.SITE_MAC: Algorithm.HMAC_SHA384,
    Role.SITE_SIGN: Algorithm.ED25519,
    Role.DEVICE_MAC: Algorithm.HMAC_SHA384,
    Role.VENDOR_SIGN: Algorithm.ED25519,
    Role.VENDOR_PQ: Algorithm.ML_DSA_65,
    Role.ROOT_SIGN: Algorithm.ED25519,
}


class PostQuantum(enum.Enum):
    """What a vendor's ML-DSA-65 keys are to the sites that trust it.

    A roll-over goes by both steps: sites that accept the third signature first, the licences and
    lists that carry it next, and then the sites that ask for it.
    """

    NONE = "none"
    """They are not named; a third signature is one of an unknown key."""
    ACCEPTED = "accepted"
    """A third signature may be there, and must hold where it is."""
    REQUIRED = "required"
    """Licences and revocation lists without it are refused."""


class PayloadType(enum.Enum):
    """The kinds of sealed documents."""

    SEAL = "application/vnd.oem.seal.v1+json"
    """A sidecar: names a file, its size and SHA-384, and claims about it."""
    DOCUMENT = "application/vnd.oem.document.v1+json"
    """A JSON document of the site sealed whole, such as a fingerprint or a rotation report."""
    SITE_MANIFEST = "application/vnd.oem.site-manifest.v1+json"
    """Files of a site and their hashes, sealed by the site."""
    BUNDLE_MANIFEST = "application/vnd.oem.bundle-manifest.v1+json"
    """Files of a shipped bundle and their hashes, signed by the vendor."""
    LICENSE_REQUEST = "application/vnd.oem.license-request.v1+json"
    """Asks the vendor for a licence; proves possession of the keys it names."""
    LICENSE = "application/vnd.oem.license.v1+json"
    """A licence: signed by the vendor, and authenticated for one site."""
    LOCAL_LICENSE = "application/vnd.oem.local-license.v1+json"
    """A licence a site signed for itself, where there is no vendor; it grants little."""
    REVOCATIONS = "application/vnd.oem.revocations.v1+json"
    """The vendor's numbered list of revoked licences."""
    ANCHORS = "application/vnd.oem.anchors.v1+json"
    """A version of the trust anchors, signed by the version before it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an envelope of one payload type must and may carry.

    Attributes:
        required: Every one of these roles must have signed.
        optional: These may have signed as well; anything else makes the envelope invalid.
        max_bytes: Largest accepted payload.
    """

    required: tuple[Role, ...]
    optional: tuple[Role, ...] = ()
    max_bytes: int = 1 << 20


POLICIES: Mapping[PayloadType, Policy] = {
    PayloadType.SEAL: Policy((Role.SITE_MAC, Role.SITE_SIGN)),
    PayloadType.DOCUMENT: Policy((Role.SITE_MAC, Role.SITE_SIGN), max_bytes=16 << 20),
    PayloadType.SITE_MANIFEST: Policy((Role.SITE_MAC, Role.SITE_SIGN), max_bytes=64 << 20),
    PayloadType.BUNDLE_MANIFEST: Policy(
        (Role.VENDOR_SIGN,), optional=(Role.VENDOR_PQ,), max_bytes=64 << 20
    ),
    PayloadType.LICENSE_REQUEST: Policy((Role.DEVICE_MAC, Role.SITE_SIGN), max_bytes=64 << 10),
    PayloadType.LICENSE: Policy(
        (Role.VENDOR_SIGN, Role.DEVICE_MAC), optional=(Role.VENDOR_PQ,), max_bytes=64 << 10
    ),
    PayloadType.LOCAL_LICENSE: Policy((Role.SITE_SIGN, Role.DEVICE_MAC), max_bytes=64 << 10),
    PayloadType.REVOCATIONS: Policy(
        (Role.VENDOR_SIGN,), optional=(Role.VENDOR_PQ,), max_bytes=4 << 20
    ),
    PayloadType.ANCHORS: Policy((Role.ROOT_SIGN,), max_bytes=256 << 10),
}
"""The policy of each payload type: AND of the required roles."""

Pin = MacKey | PublicKey
Pins = Mapping[Role, tuple[Pin, ...]]
"""The keys accepted in each role."""

Signer = MacKey | PrivateSigner
Signers = Mapping[Role, Signer]
"""The key that signs in each role."""


def envelope_mac(epoch: KeyEpoch) -> MacKey:
    """Return the HMAC key an epoch authenticates envelopes with."""
    return epoch.mac_key("envelope")


def site_pins(keyring: Keyring) -> Pins:
    """Return the keys a site accepts from itself."""
    documents = keyring.usable(Purpose.DOCUMENT)
    pins: dict[Role, tuple[Pin, ...]] = {
        Role.SITE_MAC: tuple(envelope_mac(e) for e in documents),
        Role.SITE_SIGN: tuple(e.public(Algorithm.ED25519) for e in documents),
    }
    if keyring.kind is KeyringKind.SITE:
        pins[Role.DEVICE_MAC] = tuple(envelope_mac(e) for e in keyring.usable(Purpose.DEVICE))
    return pins


def site_signers(keyring: Keyring) -> Signers:
    """Return the active keys a site (or the vendor, for its own documents) seals with."""
    document = keyring.active(Purpose.DOCUMENT)
    return {
        Role.SITE_MAC: envelope_mac(document),
        Role.SITE_SIGN: PrivateSigner.of(document, Algorithm.ED25519),
    }


def vendor_signers(keyring: Keyring, *, post_quantum: bool = False) -> Signers:
    """Return the active keys a vendor signs with, optionally with ML-DSA-65 as a third one."""
    vendor = keyring.active(Purpose.VENDOR)
    signers: dict[Role, Signer] = {Role.VENDOR_SIGN: PrivateSigner.of(vendor, Algorithm.ED25519)}
    if post_quantum:
        signers[Role.VENDOR_PQ] = PrivateSigner.of(vendor, Algorithm.ML_DSA_65)
    return signers
