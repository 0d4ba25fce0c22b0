"""A site's side of a licence's life: trust a vendor, install what it sends, sign for itself.

Every step goes to the site's registry, a journal. Files are replaced before the state that
remembers them, so that a crash in between never looks like a file that was put back.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from oem_security.anchors.trusted import Anchors, require_same_vendor, save_anchors
from oem_security.clock import NS_PER_SECOND, Clock, SystemClock
from oem_security.envelope.dsse import peek_payload, seal_bytes
from oem_security.envelope.policy import PayloadType, Role, Signers, envelope_mac
from oem_security.errors import LicenseError
from oem_security.files import write_atomic
from oem_security.fingerprint.fingerprint import Fingerprint
from oem_security.journal.writer import Journal
from oem_security.keys.key import Algorithm, PrivateSigner, PublicKey, Purpose
from oem_security.keys.keyring import Keyring
from oem_security.license.opening import is_self_signed, load_anchors, open_license, require_little
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import (
    INSTALLED,
    LIST_INSTALLED,
    REQUESTED,
    TRUSTED,
    Registry,
    read_registry,
)
from oem_security.license.revocations import (
    RevocationList,
    open_revocations,
    require_not_older,
)
from oem_security.license.state import LicenseState, changing, read_state, write_state
from oem_security.license.terms import License, LicenseTerms, second_text
from oem_security.strict_json import canonical

_SUBJECT = "licences"


def trust_vendor(
    paths: LicensePaths, anchors: Anchors, keyring: Keyring, *, clock: Clock | None = None
) -> None:
    """Keep the vendor's public keys in the site, sealed by the site, and note it.

    Raises:
        LicenseError: The site trusts another vendor already.
    """
    require_same_vendor(paths.anchors, anchors, keyring)
    trusted = read_registry(paths.registry, keyring).vendor
    if trusted and trusted != anchors.vendor.key_id:
        raise LicenseError(
            f"this site trusted {trusted} before",
            where=str(paths.registry),
            remedy="keep to that vendor; a site for another one begins with: oem init",
        )
    if not trusted:
        with Journal.open(paths.registry, keyring, subject=_SUBJECT, clock=clock) as registry:
            registry.append(TRUSTED, {"vendor": anchors.vendor.key_id})
    save_anchors(paths.anchors, anchors, keyring)


def note_request(
    data: bytes, paths: LicensePaths, keyring: Keyring, *, clock: Clock | None = None
) -> None:
    """Note in the site's registry that a request was made."""
    claims = peek_payload(data, PayloadType.LICENSE_REQUEST)
    body = {str(n): claims[n] for n in ("nonce", "features", "replaces") if n in claims}
    with Journal.open(paths.registry, keyring, subject=_SUBJECT, clock=clock) as registry:
        registry.append(REQUESTED, body)


def install_license(
    data: bytes, paths: LicensePaths, keyring: Keyring, *, clock: Clock | None = None
) -> License:
    """Verify a licence, install it, and note it in the site's registry.

    Args:
        data: The envelope, from the vendor or from `self_sign_license`.
        paths: Where it goes.
        keyring: The site's keyring.
        clock: Tells the time.

    Raises:
        SealError: It is not signed by the trusted vendor for this site.
        LicenseError: It is for another site, or older than one that was installed already.
    """
    anchors = None if is_self_signed(data) else load_anchors(paths, keyring)
    vendor = anchors.vendor if anchors else None
    found = open_license(data, anchors, keyring)
    with changing(paths.state):
        _install_license(data, found, vendor, paths, keyring, clock)
    return found


def _install_license(
    data: bytes,
    found: License,
    vendor: PublicKey | None,
    paths: LicensePaths,
    keyring: Keyring,
    clock: Clock | None,
) -> None:
    noted = read_registry(paths.registry, keyring)
    if vendor is not None and noted.vendor not in ("", vendor.key_id):
        raise LicenseError(
            f"this site trusted {noted.vendor} before, and another vendor's keys stand in its "
            "place now",
            where=str(paths.anchors),
            remedy="restore the trust anchors from a backup",
        )
    known = _known(found, paths, keyring, noted)
    newest = max((noted.newest_installed[2], noted.newest_installed[1]), _mark(known))
    if (found.issued_ns, found.revision) < newest:
        raise LicenseError(
            f"it was issued at {second_text(found.issued_ns)}, before the one installed already",
            where=found.license_id,
            remedy="install the newest licence the vendor sent",
        )
    with Journal.open(paths.registry, keyring, subject=_SUBJECT, clock=clock) as registry:
        registry.append(
            INSTALLED,
            {
                "license_id": found.license_id,
                "revision": found.revision,
                "issued": second_text(found.issued_ns),
                "profile": found.terms.profile,
                "features": list(found.terms.features),
                "issuer": found.terms.issuer,
                "bundle_version": found.terms.bundle_version,
                "not_after": second_text(found.not_after_ns),
                "signed_by": "self" if vendor is None else vendor.key_id,
            },
        )
    write_atomic(paths.license, data)
    write_state(
        paths.state,
        keyring,
        replace(
            known,
            time=known.time.signed(found.issued_ns),
            issued_ns=found.issued_ns,
            revision=found.revision,
        ),
    )


def install_revocations(
    data: bytes, paths: LicensePaths, keyring: Keyring, *, clock: Clock | None = None
) -> RevocationList:
    """Verify a revocation list of the trusted vendor, install it, and note it.

    Raises:
        SealError: It is not signed by the trusted vendor.
        LicenseError: It is older than one installed already, or another one has its number.
    """
    found = open_revocations(data, load_anchors(paths, keyring))
    with changing(paths.state):
        _install_revocations(data, found, paths, keyring, clock)
    return found


def _install_revocations(
    data: bytes,
    found: RevocationList,
    paths: LicensePaths,
    keyring: Keyring,
    clock: Clock | None,
) -> None:
    noted = read_registry(paths.registry, keyring)
    known = read_state(paths.state, keyring) or LicenseState(list_number=noted.list_number)
    newest = max(known.list_number, noted.list_number)
    require_not_older(found, newest)
    digest = hashlib.sha384(data).hexdigest()
    if found.number == newest:
        if known.list_sha384 not in ("", digest):
            raise LicenseError(
                f"another list of number {newest} was installed already",
                where="number",
                remedy="ask the vendor which of the two is genuine",
            )
    else:
        with Journal.open(paths.registry, keyring, subject=_SUBJECT, clock=clock) as registry:
            registry.append(
                LIST_INSTALLED,
                {
                    "number": found.number,
                    "issued": second_text(found.issued_ns),
                    "revoked": len(found.entries),
                    "sha384": digest,
                },
            )
    write_atomic(paths.revocations, data)
    write_state(
        paths.state,
        keyring,
        replace(
            known,
            list_number=found.number,
            list_sha384=digest,
            time=known.time.at_least(found.issued_ns),
        ),
    )


def self_sign_license(
    keyring: Keyring,
    fingerprint: Fingerprint,
    *,
    features: tuple[str, ...],
    days: int,
    operator: str,
    clock: Clock | None = None,
) -> bytes:
    """Return a licence the site signs for itself, where there is no vendor.

    It says so in every verdict, ends after 90 days at most, and grants only what moves no money.

    Raises:
        LicenseError: More is asked for than a site may grant itself, or nobody is named.
    """
    if not operator.strip():
        raise LicenseError("nobody is named", where="operator", remedy="give --operator")
    terms = LicenseTerms("self-signed", features, days=days, issuer=operator[:64])
    terms.require_sound()
    now = (clock or SystemClock()).now_ns() // NS_PER_SECOND * NS_PER_SECOND
    found = License(
        f"lic-{secrets.token_hex(8)}", keyring.id, now, now, fingerprint, terms
    ).granted(terms, now)
    require_little(found)
    signers: Signers = {
        Role.SITE_SIGN: PrivateSigner.of(keyring.active(Purpose.DOCUMENT), Algorithm.ED25519),
        Role.DEVICE_MAC: envelope_mac(keyring.active(Purpose.DEVICE)),
    }
    return seal_bytes(canonical(found.as_payload()), PayloadType.LOCAL_LICENSE, signers)


def _known(found: License, paths: LicensePaths, keyring: Keyring, noted: Registry) -> LicenseState:
    """Return the state to go on from; what was deleted is taken from the registry."""
    newer = found.issued_ns > noted.newest_installed[2]
    fresh = LicenseState(list_number=noted.list_number)
    if not newer:
        # the same licence again: the registry says until when it was in use at least
        fresh = replace(fresh, time=fresh.time.signed(found.issued_ns).at_least(noted.last_ns))
    try:
        return read_state(paths.state, keyring) or fresh
    except LicenseError:
        if newer:  # a newer word of the vendor frees a site whose state was damaged
            return fresh
        raise


def _mark(known: LicenseState) -> tuple[int, int]:
    return known.issued_ns, known.revision
