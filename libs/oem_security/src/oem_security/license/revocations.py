"""The vendor's numbered list of revoked licences, and how old it may be.

A list that is kept from a site (withheld) is noticed by its age, an older one that is put back
(rolled back) by its number. The newest word of the vendor counts: a licence is its own proof that
it was not revoked when it was issued.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oem_security.anchors.trusted import Vendors, vendor_pins
from oem_security.clock import rfc3339
from oem_security.envelope.dsse import open_envelope, seal_bytes
from oem_security.envelope.policy import PayloadType, vendor_signers
from oem_security.errors import LicenseError
from oem_security.fields import Fields
from oem_security.files import read_bounded
from oem_security.keys.key import DAY_NS
from oem_security.keys.keyring import Keyring
from oem_security.license.terms import LICENSE_ID, License, second_text
from oem_security.strict_json import Json, canonical

_MAX_BYTES = 8 << 20
_MAX_ENTRIES = 50_000


@dataclass(frozen=True, slots=True)
class Revoked:
    """One entry: this licence, up to and including this revision, is revoked."""

    license_id: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A verified list.

    Attributes:
        number: Counts up with every list of the vendor.
        issued_ns: When it was issued, UTC nanoseconds.
        entries: Licence to what is revoked of it.
    """

    number: int
    issued_ns: int
    entries: Mapping[str, Revoked]

    def revokes(self, license: License) -> Revoked | None:  # noqa: A002 - the field's word
        """Return the entry that revokes this revision of the licence, or None."""
        entry = self.entries.get(license.license_id)
        return entry if entry is not None and license.revision <= entry.revision else None


def seal_revocations(
    found: RevocationList, vendor: Keyring, *, post_quantum: bool = False
) -> bytes:
    """Sign a list with the vendor's key, on demand with its ML-DSA-65 key as well."""
    payload = {
        "number": found.number,
        "issued": second_text(found.issued_ns),
        "licenses": [
            {"license_id": e.license_id, "revision": e.revision, "reason": e.reason}
            for e in sorted(found.entries.values(), key=lambda e: e.license_id)
        ],
    }
    return seal_bytes(
        canonical(payload),
        PayloadType.REVOCATIONS,
        vendor_signers(vendor, post_quantum=post_quantum),
    )


def open_revocations(data: bytes, vendors: Vendors) -> RevocationList:
    """Verify a list and return it.

    Raises:
        SealError: It is not signed by this vendor.
        MalformedError: It is no list.
    """
    pins, also = vendor_pins(vendors)
    return parse_revocations(open_envelope(data, PayloadType.REVOCATIONS, pins, also=also).value)


def parse_revocations(value: Json) -> RevocationList:
    """Return the list of a verified payload; MalformedError otherwise."""
    fields = Fields(value, "revocation list")
    entries = []
    for entry in fields.objects("licenses", max_items=_MAX_ENTRIES):
        entries.append(
            Revoked(
                entry.hex("license_id", 16, prefix=LICENSE_ID),
                entry.integer("revision", 1, 1 << 30),
                entry.text("reason", max_length=200),
            )
        )
        entry.done()
    found = RevocationList(
        fields.integer("number", 1, 1 << 40),
        fields.time_ns("issued"),
        {entry.license_id: entry for entry in entries},
    )
    fields.done()
    if len(found.entries) != len(entries):
        fields.fail("licenses", "names a licence twice")
    return found


def read_revocations(path: Path, vendors: Vendors) -> RevocationList:
    """Return the installed list, its signature verified each time: the site could forge a memory.

    Args:
        path: The file.
        vendors: The vendor's keys.

    Raises:
        InputError: There is none.
        SealError: It is not signed by this vendor.
    """
    data = read_bounded(
        path, _MAX_BYTES, what="revocation list", remedy="install one: oem license install FILE"
    )
    return open_revocations(data, vendors)


def require_not_older(found: RevocationList, newest: int) -> None:
    """Refuse a list that is older than one that was held already.

    Raises:
        LicenseError: Its number went back.
    """
    if found.number < newest:
        raise LicenseError(
            f"the revocation list has number {found.number}, and {newest} was held already",
            where="number",
            remedy="install the vendor's newest list: oem license install FILE",
        )


def require_fresh(license: License, found: RevocationList | None, now_ns: int) -> int:  # noqa: A002
    """Return the age in days of the vendor's newest word about a licence.

    Raises:
        LicenseError: It is older than the licence allows.
    """
    word = max(license.issued_ns, found.issued_ns if found is not None else 0)
    age = max(0, now_ns - word) // DAY_NS
    allowed = license.terms.list_max_age_days
    if allowed and now_ns - word > allowed * DAY_NS:
        raise LicenseError(
            f"the vendor's newest word on revocations is of {rfc3339(word)}, and the licence "
            f"allows {allowed} days",
            where="revocation list",
            remedy="fetch the vendor's newest list and install it: oem license install FILE",
        )
    return int(age)
