"""Offline licences: asked for by a site, issued by the vendor, bound to one device.

    site: create_request ──▶ vendor: issue_license ──▶ site: install_license, verify_license

The request carries the site's MAC key encrypted to the vendor (HPKE, RFC 9180), so that a licence
holds the vendor's Ed25519 signature, which the device's owner cannot forge, and an HMAC-SHA384
that only this site accepts.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock, rfc3339
from oem_security.envelope import (
    open_envelope,
    open_payload,
    peek_payload,
    seal_bytes,
    seal_payload,
)
from oem_security.errors import LicenseError
from oem_security.fields import Fields, b64
from oem_security.files import read_bounded, write_atomic
from oem_security.fingerprint import Fingerprint, FingerprintVerdict, compare
from oem_security.journal.writer import Journal
from oem_security.keyring import Keyring
from oem_security.keys import DAY_NS, Algorithm, MacKey, PrivateSigner, PublicKey, Purpose
from oem_security.policy import (
    PayloadType,
    Pins,
    Role,
    Signers,
    envelope_mac,
    vendor_signers,
)
from oem_security.strict_json import canonical, loads
from oem_security.time_floor import read_time_floor, write_time_floor

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO = b"oem-security/1/license-request"
_MAX_BYTES = 1 << 18
_CLOCK_SLACK_NS = 300 * NS_PER_SECOND


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


@dataclass(frozen=True, slots=True)
class LicensePaths:
    """Where a site keeps its licence, the vendor's keys it trusts, and its licence registry."""

    folder: Path

    @property
    def license(self) -> Path:
        return self.folder / "license.dsse.json"

    @property
    def anchors(self) -> Path:
        return self.folder / "anchors.dsse.json"

    @property
    def registry(self) -> Path:
        return self.folder / "registry.jsonl"

    @property
    def time_floor(self) -> Path:
        return self.folder / "time_floor.json"


@dataclass(frozen=True, slots=True)
class LicenseTerms:
    """What the vendor grants.

    Attributes:
        profile: Product profile, such as `paper`.
        features: What the site may do; `require` asks for these.
        days: Validity from now, 1 to 3660 days.
        bundle_version: Version of the bundle it is for.
        issuer: Name of the issuer.
    """

    profile: str
    features: tuple[str, ...]
    days: int = 365
    bundle_version: str = "0.1.0"
    issuer: str = "vendor"


@dataclass(frozen=True, slots=True)
class License:
    """A verified licence.

    Attributes:
        license_id: Identifier, for the registry and for revocation.
        site: Identifier of the site's keyring.
        issued_ns: When it was issued, UTC nanoseconds; so is not_after_ns its end.
        fingerprint: The device it is bound to.
        terms: What it grants.
    """

    license_id: str
    site: str
    issued_ns: int
    not_after_ns: int
    fingerprint: Fingerprint
    terms: LicenseTerms


@dataclass(frozen=True, slots=True)
class CapabilityGuard:
    """Answers whether the installed licence grants a feature."""

    license: License
    device: FingerprintVerdict

    def require(self, feature: str) -> None:
        """Raise LicenseError unless the licence grants the feature.

        Example:
            guard.require("paper")
        """
        granted = self.license.terms.features
        if feature not in granted:
            raise LicenseError(
                f"the licence does not grant {feature!r}",
                where=self.license.license_id,
                remedy=f"it grants {', '.join(granted)}; ask the vendor for a wider licence",
            )


def trust_vendor(paths: LicensePaths, anchors: Anchors, keyring: Keyring) -> None:
    """Keep the vendor's public keys in the site, sealed by the site."""
    write_atomic(paths.anchors, seal_payload(anchors.as_json(), PayloadType.DOCUMENT, keyring))


def load_anchors(paths: LicensePaths, keyring: Keyring) -> Anchors:
    """Return the vendor's keys that this site trusts.

    Raises:
        InputError: There are none.
        SealError: They were changed.
    """
    data = read_bounded(
        paths.anchors, _MAX_BYTES, what="trust anchors", remedy="run: oem license trust"
    )
    fields = Fields(open_payload(data, PayloadType.DOCUMENT, keyring), str(paths.anchors))
    return Anchors.from_fields(fields)


def create_request(
    keyring: Keyring,
    fingerprint: Fingerprint,
    anchors: Anchors,
    *,
    features: Iterable[str],
    clock: Clock | None = None,
) -> bytes:
    """Return a licence request for the vendor.

    Args:
        keyring: The site's keyring; its device MAC key goes along, encrypted to the vendor.
        fingerprint: The device the licence shall be bound to.
        anchors: The vendor's public keys.
        features: What is asked for.
        clock: Tells the time.
    """
    mac = envelope_mac(keyring.active(Purpose.DEVICE))
    secret = json.dumps({"key_id": mac.key_id, "secret": b64(mac.secret)}).encode()
    wrapped = _SUITE.encrypt(secret, X25519PublicKey.from_public_bytes(anchors.transport), _INFO)
    signer = PrivateSigner.of(keyring.active(Purpose.DOCUMENT), Algorithm.ED25519)
    payload = {
        "site": keyring.id,
        "fingerprint": fingerprint.as_json(),
        "features": list(features),
        "device_key": b64(wrapped),
        "site_key": b64(signer.public.raw),
        "nonce": secrets.token_hex(16),
        "created": rfc3339((clock or SystemClock()).now_ns()),
    }
    signers: Signers = {Role.DEVICE_MAC: mac, Role.SITE_SIGN: signer}
    return seal_bytes(canonical(payload), PayloadType.LICENSE_REQUEST, signers)


@dataclass(frozen=True, slots=True)
class LicenseRequest:
    """A request as the vendor reads it, its signatures verified."""

    site: str
    fingerprint: Fingerprint
    features: tuple[str, ...]
    created: str
    device_key: MacKey


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
    return LicenseRequest(
        site=fields.text("site", pattern="[0-9a-f]{16}"),
        fingerprint=Fingerprint.from_fields(fields.object("fingerprint")),
        features=fields.texts("features"),
        created=fields.text("created", max_length=40),
        device_key=device_key,
    )


def issue_license(
    request: LicenseRequest,
    terms: LicenseTerms,
    vendor: Keyring,
    registry: Journal,
    *,
    approved_by: str,
    clock: Clock | None = None,
) -> bytes:
    """Approve a request and return the licence; both steps go to the vendor's registry first.

    Args:
        request: A verified request.
        terms: What is granted; a feature that was not asked for may be granted.
        vendor: The vendor's keyring.
        registry: The vendor's licence registry.
        approved_by: Who takes the responsibility.
        clock: Tells the time.

    Raises:
        LicenseError: No approver is named, or the validity is out of range.
    """
    if not approved_by.strip() or not 1 <= terms.days <= 3660 or not terms.features:
        raise LicenseError(
            "a licence needs an approver, a feature, and 1 to 3660 days",
            where="terms",
            remedy="give --approved-by, --feature and --days",
        )
    now = (clock or SystemClock()).now_ns()
    license_id = f"lic-{secrets.token_hex(8)}"
    payload = {
        "license_id": license_id,
        "site": request.site,
        "issued": rfc3339(now),
        "not_after": rfc3339(now + terms.days * DAY_NS),
        "fingerprint": request.fingerprint.as_json(),
        "profile": terms.profile,
        "features": list(terms.features),
        "bundle_version": terms.bundle_version,
        "issuer": terms.issuer,
    }
    signers: Signers = {**vendor_signers(vendor), Role.DEVICE_MAC: request.device_key}
    envelope = seal_bytes(canonical(payload), PayloadType.LICENSE, signers)
    asked = {"site": request.site, "features": list(request.features), "created": request.created}
    registry.append("license.approved", {**asked, "approved_by": approved_by})
    registry.append(
        "license.issued",
        {k: payload[k] for k in ("license_id", "site", "not_after", "profile", "features")},
    )
    return envelope


def install_license(
    data: bytes, paths: LicensePaths, keyring: Keyring, *, clock: Clock | None = None
) -> License:
    """Verify a licence from the vendor, install it, and note it in the site's registry.

    Raises:
        SealError: It is not signed by the trusted vendor for this site.
        LicenseError: It is for another site.
    """
    found = _open(data, paths, keyring)
    if found.site != keyring.id:
        raise LicenseError(
            "the licence is for another site", where=found.license_id, remedy="request your own"
        )
    with Journal.open(paths.registry, keyring, subject="licences", clock=clock) as registry:
        registry.append(
            "license.installed",
            {
                "license_id": found.license_id,
                "profile": found.terms.profile,
                "features": list(found.terms.features),
                "issuer": found.terms.issuer,
                "bundle_version": found.terms.bundle_version,
                "not_after": rfc3339(found.not_after_ns),
            },
        )
    write_atomic(paths.license, data)
    return found


def verify_license(
    paths: LicensePaths,
    keyring: Keyring,
    observation: Mapping[str, str],
    *,
    clock: Clock | None = None,
) -> CapabilityGuard:
    """Verify the installed licence on this device, now, and remember the time.

    Args:
        paths: Where the licence is.
        keyring: The site's keyring.
        observation: What `probe_device` read.
        clock: Tells the time.

    Raises:
        InputError: No licence is installed.
        SealError: It is not signed by the trusted vendor for this site.
        LicenseError: It is expired, the clock stands before its issue or before a time that has
            been, or the device is another.
    """
    data = read_bounded(
        paths.license, _MAX_BYTES, what="licence", remedy="install one: oem license install FILE"
    )
    found = _open(data, paths, keyring)
    now = (clock or SystemClock()).now_ns()
    if now < found.issued_ns - _CLOCK_SLACK_NS:
        raise LicenseError(
            f"the clock stands at {rfc3339(now)}, before the licence was issued at "
            f"{rfc3339(found.issued_ns)}",
            where=str(paths.license),
            remedy="set the clock of this machine right",
        )
    known = read_time_floor(paths.time_floor, keyring)
    after = known.signed(found.issued_ns).seen(now)
    if after != known:
        write_time_floor(paths.time_floor, keyring, after)
    if now >= found.not_after_ns:
        raise LicenseError(
            f"the licence expired at {rfc3339(found.not_after_ns)}",
            where=str(paths.license),
            remedy="request a renewal: oem license request",
        )
    device = compare(found.fingerprint, observation)
    if not device.usable:
        parts = ", ".join((*device.changed, *device.missing))
        raise LicenseError(
            f"the licence is bound to another device ({device.match.value}: {parts})",
            where=str(paths.license),
            remedy="run it on its own machine, or request a rebind from the vendor",
        )
    return CapabilityGuard(found, device)


def _open(data: bytes, paths: LicensePaths, keyring: Keyring) -> License:
    pins: Pins = {
        Role.VENDOR_SIGN: (load_anchors(paths, keyring).vendor,),
        Role.DEVICE_MAC: tuple(envelope_mac(e) for e in keyring.usable(Purpose.DEVICE)),
    }
    fields = Fields(open_envelope(data, PayloadType.LICENSE, pins).value, "licence")
    found = License(
        license_id=fields.text("license_id", pattern="lic-[0-9a-f]{16}"),
        site=fields.text("site", pattern="[0-9a-f]{16}"),
        issued_ns=fields.time_ns("issued"),
        not_after_ns=fields.time_ns("not_after"),
        fingerprint=Fingerprint.from_fields(fields.object("fingerprint")),
        terms=LicenseTerms(
            profile=fields.text("profile"),
            features=fields.texts("features"),
            bundle_version=fields.text("bundle_version"),
            issuer=fields.text("issuer"),
        ),
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
