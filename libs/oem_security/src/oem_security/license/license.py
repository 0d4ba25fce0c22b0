"""Offline licences: asked for by a site, issued by the vendor, bound to one device.

    site: create_request ──▶ vendor: issue_license ──▶ site: install_license, verify_license

A licence holds the vendor's Ed25519 signature, which the device's owner cannot forge, and an
HMAC-SHA384 that only this site accepts. This module is what runs at every start: it verifies the
installed licence and answers what it grants. The rest of a licence's life stands beside it.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oem_security.anchors.trusted import Anchors, anchor_bytes, read_anchors
from oem_security.clock import NS_PER_SECOND, Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import open_envelope, payload_type_of
from oem_security.envelope.policy import PayloadType, Pins, Role, envelope_mac, site_pins
from oem_security.errors import LicenseError
from oem_security.fields import Fields
from oem_security.files import read_bounded
from oem_security.fingerprint.fingerprint import Basis, FingerprintVerdict, compare
from oem_security.keys.key import DAY_NS, Algorithm, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.lazy import lazy_exports
from oem_security.license.state import LicenseState, read_state, write_state
from oem_security.license.terms import Fallback, License, LicenseTerms

if TYPE_CHECKING:
    from oem_security.license.install import install_license, trust_vendor
    from oem_security.license.issue import issue_license
    from oem_security.license.request import LicenseRequest, create_request, read_request
    from oem_security.license.revocations import RevocationList

MAX_LICENSE_BYTES = 1 << 18
SELF_SIGNED_FEATURES = frozenset({"demo", "paper"})
"""What a site may grant itself: what moves no money."""
SELF_SIGNED_DAYS = 90
_CLOCK_SLACK_NS = 300 * NS_PER_SECOND
_WARN_DAYS = 30


class Trust(enum.Enum):
    """Whose word a licence or a bundle is; it stands in every verdict."""

    VENDOR = "vendor"
    """Signed by the vendor whose keys this site trusts."""
    SELF_SIGNED = "self-signed"
    """Signed by the site itself, where there is no vendor: for trying out."""
    WHITELISTED = "whitelisted"
    """Signed by nobody who is known, and put on this site's own list by an operator."""


class Standing(enum.Enum):
    """Where in its life a licence is."""

    VALID = "valid"
    TRIAL = "trial"
    """Valid, and some of what it grants ends with the trial."""
    GRACE = "grace"
    """Past its end, and within its days of grace."""


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
    def revocations(self) -> Path:
        return self.folder / "revocations.dsse.json"

    @property
    def registry(self) -> Path:
        return self.folder / "registry.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def seats(self) -> Path:
        return self.folder / "seats"


@dataclass(frozen=True, slots=True)
class CapabilityGuard:
    """Answers what the verified licence grants, now and as time goes on.

    Attributes:
        license: The licence.
        device: How well this device fits, and on what basis it is accepted.
        trust: Whose word the licence is.
        list_number: Number of the revocation list it was held against; 0 for none.
        list_age_days: Age of the vendor's newest word on revocations.
        verified_ns: When it was verified.
        clock: Tells the time at each question.
    """

    license: License
    device: FingerprintVerdict
    trust: Trust = Trust.VENDOR
    list_number: int = 0
    list_age_days: int = 0
    verified_ns: int = 0
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)

    @property
    def standing(self) -> Standing:
        """Where in its life the licence is now."""
        now = self.clock.now_ns()
        if now >= self.license.not_after_ns:
            return Standing.GRACE
        trial = self.license.terms.trial_features and now < self.license.trial_until_ns
        return Standing.TRIAL if trial else Standing.VALID

    @property
    def features(self) -> tuple[str, ...]:
        """What is granted now."""
        return self.license.features_at(self.clock.now_ns())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know though everything holds."""
        now, held = self.clock.now_ns(), self.license
        found = []
        if now >= held.not_after_ns:
            found.append(f"the licence ended; its grace ends at {rfc3339(held.ends_ns)[:19]}Z")
        elif now >= held.not_after_ns - _WARN_DAYS * DAY_NS:
            found.append(f"the licence ends at {rfc3339(held.not_after_ns)[:19]}Z")
        if self.standing is Standing.TRIAL:
            names = ", ".join(held.terms.trial_features)
            found.append(f"{names} on trial until {rfc3339(held.trial_until_ns)[:19]}Z")
        allowed = held.terms.list_max_age_days
        if allowed and self.list_age_days * 4 >= allowed * 3:
            found.append(
                f"the vendor's word on revocations is {self.list_age_days} of {allowed} days old"
            )
        if self.device.words != "match":
            found.append(f"device {self.device.words}")
        if self.trust is not Trust.VENDOR:
            found.append(f"the licence is {self.trust.value}")
        return tuple(found)

    def require(self, feature: str) -> None:
        """Raise LicenseError unless the licence grants the feature, now.

        Example:
            guard.require("live")
        """
        now, held = self.clock.now_ns(), self.license
        if now >= held.ends_ns:
            raise _expired(held)
        granted = held.features_at(now)
        if feature in granted:
            return
        if feature in held.terms.trial_features:
            raise LicenseError(
                f"the trial of {feature!r} ended at {rfc3339(held.trial_until_ns)}",
                where=held.license_id,
                remedy="ask the vendor for a licence that grants it: oem license request",
            )
        raise LicenseError(
            f"the licence does not grant {feature!r}",
            where=held.license_id,
            remedy=f"it grants {', '.join(granted)}; ask the vendor for a wider licence",
        )

    def require_bundle(self, released_ns: int) -> None:
        """Raise LicenseError if a bundle was released after the licence's maintenance ended.

        Args:
            released_ns: When the bundle was released, UTC nanoseconds.
        """
        until = self.license.maintenance_until_ns or self.license.not_after_ns
        if released_ns > until:
            raise LicenseError(
                f"the bundle was released at {rfc3339(released_ns)}, and maintenance ended at "
                f"{rfc3339(until)}",
                where=self.license.license_id,
                remedy="use an earlier bundle, or renew the maintenance",
            )


def verify_license(
    paths: LicensePaths,
    keyring: Keyring,
    observation: Mapping[str, str],
    *,
    clock: Clock | None = None,
    one_time_code: str = "",
) -> CapabilityGuard:
    """Verify the installed licence on this device, now, and remember the time.

    Args:
        paths: Where the licence is.
        keyring: The site's keyring.
        observation: What `probe_device` read.
        clock: Tells the time.
        one_time_code: Read out by the vendor's support for a device that reads differently; only
            where the licence allows that.

    Raises:
        InputError: No licence is installed.
        SealError: It is not signed by the trusted vendor for this site.
        LicenseError: It is expired, revoked, replaced by a newer one, the vendor's word on
            revocations is too old, the clock stands before its issue or before a time that has
            been, or the device is another.
        FingerprintError: The one-time password is wrong, too old, or was used already.
    """
    clock = clock or SystemClock()
    data = read_bounded(
        paths.license,
        MAX_LICENSE_BYTES,
        what="licence",
        remedy="install one: oem license install FILE",
    )
    known = read_state(paths.state, keyring)
    if known is None:
        raise LicenseError(
            "the licence state is gone",
            where=str(paths.state),
            remedy="restore it from a backup, or install the licence again",
        )
    vendors, known_now = _trusted(data, paths, keyring, known)
    found = open_license(data, vendors, keyring)
    now = clock.now_ns()
    if found.issued_ns < known.issued_ns:
        raise LicenseError(
            f"a newer licence, of {rfc3339(known.issued_ns)}, was installed after this one",
            where=str(paths.license),
            remedy="install the newest licence again: oem license install FILE",
        )
    _require_clock(found, now, paths)
    number, age = 0, 0
    since = known.time.signed(found.issued_ns)
    if vendors is not None and (known.list_number or found.terms.list_max_age_days):
        held, age = _revocations(found, vendors, paths, known, now)
        if held is not None:
            number, since = held.number, since.at_least(held.issued_ns)
    since = since.seen(now)
    if since is not known.time or number > known.list_number:
        known_now = replace(known_now, time=since, list_number=max(number, known_now.list_number))
    if now >= found.ends_ns:
        _remember(paths, keyring, known, known_now)
        raise _expired(found)
    device = compare(
        found.fingerprint,
        observation,
        dongle_stands_in=Fallback.DONGLE in found.terms.fallbacks,
    )
    if not device.usable:
        device, known_now = _by_lease(
            found, device, observation, keyring, known_now, now, one_time_code
        )
    _remember(paths, keyring, known, known_now)
    if not device.usable:
        raise LicenseError(
            f"the licence is bound to another device: {device.words}",
            where=str(paths.license),
            remedy="run it on its own machine, or request a rebind from the vendor",
        )
    trust = Trust.VENDOR if vendors is not None else Trust.SELF_SIGNED
    return CapabilityGuard(found, device, trust, number, age, now, clock)


def open_license(
    data: bytes, vendors: PublicKey | tuple[PublicKey, ...] | None, keyring: Keyring
) -> License:
    """Verify a licence's signatures and return it.

    Args:
        data: The envelope.
        vendors: The vendor's keys, or its one key; None for a licence the site signed itself.
        keyring: The site's keyring.

    Raises:
        SealError: It is not signed by them for this site.
        LicenseError: It is for another site.
    """
    if vendors is None:
        kind, pins = PayloadType.LOCAL_LICENSE, site_pins(keyring)
    else:
        kind = PayloadType.LICENSE
        device: Pins = {
            Role.DEVICE_MAC: tuple(envelope_mac(e) for e in keyring.usable(Purpose.DEVICE))
        }
        keys = (vendors,) if isinstance(vendors, PublicKey) else vendors
        pins = {Role.VENDOR_SIGN: keys, **device}
    found = License.from_fields(Fields(open_envelope(data, kind, pins).value, "licence"))
    if found.site != keyring.id:
        raise LicenseError(
            "the licence is for another site", where=found.license_id, remedy="request your own"
        )
    if vendors is None:
        require_little(found)
    return found


def require_little(found: License) -> None:
    """Refuse a self-signed licence that grants more than a site may grant itself.

    Raises:
        LicenseError: It does.
    """
    terms = found.terms
    too_much = sorted({*terms.features, *terms.trial_features} - SELF_SIGNED_FEATURES)
    if too_much or terms.days > SELF_SIGNED_DAYS or terms.grace_days:
        raise LicenseError(
            f"a site may not grant itself {', '.join(too_much) or f'{terms.days} days'}",
            where=found.license_id,
            remedy=f"ask for {', '.join(sorted(SELF_SIGNED_FEATURES))} and at most "
            f"{SELF_SIGNED_DAYS} days, or have the vendor issue a licence",
        )


def installed_license(paths: LicensePaths, keyring: Keyring) -> License:
    """Return the installed licence with its signatures verified, and nothing else asked.

    Raises:
        InputError: No licence is installed.
        SealError: It is not signed by the trusted vendor for this site.
    """
    data = read_bounded(
        paths.license,
        MAX_LICENSE_BYTES,
        what="licence",
        remedy="install one: oem license install FILE",
    )
    vendors = None if is_self_signed(data) else load_anchors(paths, keyring).vendors
    return open_license(data, vendors, keyring)


def is_self_signed(data: bytes) -> bool:
    """Tell whether a licence claims to be signed by the site itself."""
    return payload_type_of(data) is PayloadType.LOCAL_LICENSE


def load_anchors(paths: LicensePaths, keyring: Keyring) -> Anchors:
    """Return the vendor's keys that this site trusts.

    Raises:
        InputError: There are none.
        SealError: They were changed.
    """
    return read_anchors(paths.anchors, keyring)


def _trusted(
    data: bytes, paths: LicensePaths, keyring: Keyring, known: LicenseState
) -> tuple[tuple[PublicKey, ...] | None, LicenseState]:
    """Return the vendor's keys, None for a self-signed licence, and the state that knows it.

    The seal of the trust anchors is the site's own, and so is that of the state: the very same
    bytes are not verified a second time.
    """
    if _LOCAL in data and is_self_signed(data):
        return None, known
    digest = hashlib.sha384(anchor_bytes(paths.anchors)).hexdigest()
    if digest == known.anchors_sha384:
        raw = bytes.fromhex(known.vendor)
        keys = (raw[at : at + 32] for at in range(0, len(raw), 32))
        return tuple(PublicKey(Algorithm.ED25519, key) for key in keys), known
    vendors = read_anchors(paths.anchors, keyring).vendors
    known = replace(known, anchors_sha384=digest, vendor="".join(k.raw.hex() for k in vendors))
    return vendors, known


_LOCAL = json.dumps(PayloadType.LOCAL_LICENSE.value).encode()


def _require_clock(found: License, now: int, paths: LicensePaths) -> None:
    if now < found.issued_ns - _CLOCK_SLACK_NS:
        raise LicenseError(
            f"the clock stands at {rfc3339(now)}, before the licence was issued at "
            f"{rfc3339(found.issued_ns)}",
            where=str(paths.license),
            remedy="set the clock of this machine right",
        )


def _revocations(
    found: License,
    vendors: tuple[PublicKey, ...],
    paths: LicensePaths,
    known: LicenseState,
    now: int,
) -> tuple[RevocationList | None, int]:
    """Return the list a licence was held against, and the age of the vendor's word in days."""
    from oem_security.license.revocations import (
        read_revocations,
        require_fresh,
        require_not_older,
    )

    held: RevocationList | None = None
    if known.list_number:
        held = read_revocations(paths.revocations, *vendors)
        require_not_older(held, known.list_number)
        entry = held.revokes(found)
        if entry is not None:
            raise LicenseError(
                f"the licence is revoked: {entry.reason}",
                where=found.license_id,
                remedy="ask the vendor, or install the licence that replaces it",
            )
    return held, require_fresh(found, held, now)


def _by_lease(
    found: License,
    device: FingerprintVerdict,
    observation: Mapping[str, str],
    keyring: Keyring,
    known: LicenseState,
    now: int,
    code: str,
) -> tuple[FingerprintVerdict, LicenseState]:
    """Accept a device by the vendor's one-time password, or by one accepted before."""
    if Fallback.TOTP not in found.terms.fallbacks or not (code or known.lease.until_ns > now):
        return device, known
    from oem_security.license.otp import take_lease

    lease = take_lease(found, observation, keyring, known.lease, now, code)
    if lease is None:
        return device, known
    return replace(device, basis=Basis.TOTP), replace(known, lease=lease)


def _remember(
    paths: LicensePaths, keyring: Keyring, before: LicenseState, after: LicenseState
) -> None:
    if after != before:
        # another process may have installed something since: what it knows stays
        between = read_state(paths.state, keyring)
        if between is not None and between != before:
            after = after.joined(between)
        write_state(paths.state, keyring, after)


def _expired(found: License) -> LicenseError:
    return LicenseError(
        f"the licence expired at {rfc3339(found.ends_ns)}",
        where=found.license_id,
        remedy="request a renewal: oem license request --renew",
    )


_EXPORTS = {
    "install_license": "oem_security.license.install",
    "trust_vendor": "oem_security.license.install",
    "issue_license": "oem_security.license.issue",
    "LicenseRequest": "oem_security.license.request",
    "create_request": "oem_security.license.request",
    "read_request": "oem_security.license.request",
}
__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

__all__ = [
    "Anchors",
    "CapabilityGuard",
    "License",
    "LicensePaths",
    "LicenseRequest",
    "LicenseTerms",
    "Standing",
    "Trust",
    "create_request",
    "install_license",
    "installed_license",
    "issue_license",
    "load_anchors",
    "open_license",
    "read_request",
    "trust_vendor",
    "verify_license",
]
