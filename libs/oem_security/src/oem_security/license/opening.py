"""Whose signatures a licence holds: the vendor's and the site's, or the site's alone."""

from __future__ import annotations

from oem_security.anchors.trusted import Anchors, Vendors, read_anchors, vendor_pins
from oem_security.envelope.dsse import open_envelope, payload_type_of
from oem_security.envelope.policy import PayloadType, Pins, Role, envelope_mac, site_pins
from oem_security.errors import LicenseError
from oem_security.fields import Fields
from oem_security.files import read_bounded
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import Keyring
from oem_security.license.paths import LicensePaths
from oem_security.license.terms import License

MAX_LICENSE_BYTES = 1 << 18
SELF_SIGNED_FEATURES = frozenset({"demo", "paper"})
"""What a site may grant itself: what moves no money."""
SELF_SIGNED_DAYS = 90


def read_license(paths: LicensePaths) -> bytes:
    """Return the installed licence's envelope, not verified.

    Raises:
        InputError: No licence is installed.
    """
    return read_bounded(
        paths.license,
        MAX_LICENSE_BYTES,
        what="licence",
        remedy="install one: oem license install FILE",
    )


def open_license(data: bytes, vendors: Vendors | None, keyring: Keyring) -> License:
    """Verify a licence's signatures and return it.

    Args:
        data: The envelope.
        vendors: The trust anchors, or the vendor's keys; None for a licence the site signed.
        keyring: The site's keyring.

    Raises:
        SealError: It is not signed by them for this site.
        LicenseError: It is for another site.
    """
    also: tuple[Role, ...] = ()
    if vendors is None:
        kind, pins = PayloadType.LOCAL_LICENSE, site_pins(keyring)
    else:
        kind = PayloadType.LICENSE
        device: Pins = {
            Role.DEVICE_MAC: tuple(envelope_mac(e) for e in keyring.usable(Purpose.DEVICE))
        }
        ours, also = vendor_pins(vendors)
        pins = {**ours, **device}
    opened = open_envelope(data, kind, pins, also=also)
    found = License.from_fields(Fields(opened.value, "licence"))
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
    data = read_license(paths)
    vendors = None if is_self_signed(data) else load_anchors(paths, keyring)
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
