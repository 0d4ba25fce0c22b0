"""Offline licences: asked for by a site, issued by the vendor, bound to one device.

    site: create_request ──▶ vendor: issue_license ──▶ site: install_license, verify_license

A licence holds the vendor's Ed25519 signature, which the device's owner cannot forge, and an
HMAC-SHA384 that only this site accepts. This is what runs at every start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from oem_security.anchors.trusted import Vendors, anchor_bytes, read_anchors
from oem_security.clock import NS_PER_SECOND, Clock, SystemClock, rfc3339
from oem_security.envelope.policy import PayloadType
from oem_security.errors import LicenseError
from oem_security.fingerprint.fingerprint import Basis, FingerprintVerdict, compare
from oem_security.keys.key import Algorithm, PublicKey
from oem_security.keys.keyring import Keyring
from oem_security.license.guard import CapabilityGuard, Trust, expired
from oem_security.license.opening import is_self_signed, open_license, read_license
from oem_security.license.paths import LicensePaths
from oem_security.license.state import LicenseState, changing, read_state, write_state
from oem_security.license.terms import Fallback, License
from oem_security.values import replace

if TYPE_CHECKING:
    from oem_security.license.revocations import RevocationList

_CLOCK_SLACK_NS = 300 * NS_PER_SECOND


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
    data = read_license(paths)
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
        raise expired(found)
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


def _trusted(
    data: bytes, paths: LicensePaths, keyring: Keyring, known: LicenseState
) -> tuple[Vendors | None, LicenseState]:
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
    anchors = read_anchors(paths.anchors, keyring)
    if anchors.post_quantum:  # too long to remember
        return anchors, known
    vendor = "".join(key.raw.hex() for key in anchors.vendors)
    return anchors, replace(known, anchors_sha384=digest, vendor=vendor)


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
    vendors: Vendors,
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
        held = read_revocations(paths.revocations, vendors)
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
    if after == before:
        return
    with changing(paths.state):
        # another process may have installed something since: what it knows stays
        between = read_state(paths.state, keyring)
        if between is not None and between != before:
            if before.lease.step < after.lease.step <= between.lease.step:
                from oem_security.tokens.one_time import used_up

                raise used_up()
            after = after.joined(between)
        write_state(paths.state, keyring, after)
