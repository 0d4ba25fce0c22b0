"""The vendor's side of a licence's life: issue, renew, rebind, revoke, publish the list.

Every step goes to the vendor's registry, a journal, before its result leaves the house.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock
from oem_security.envelope.dsse import seal_bytes
from oem_security.envelope.policy import PayloadType, Role, Signers, vendor_signers
from oem_security.errors import LicenseError
from oem_security.fields import Fields
from oem_security.fingerprint.fingerprint import compare_digests
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import Keyring
from oem_security.license.registry import (
    APPROVED,
    ISSUED,
    PUBLISHED,
    REVOKED,
    Registry,
    read_registry,
)
from oem_security.license.request import LicenseRequest
from oem_security.license.revocations import RevocationList, Revoked, seal_revocations
from oem_security.license.terms import License, LicenseTerms
from oem_security.strict_json import canonical, loads

_MAX_TEXT = 200


def issue_license(
    request: LicenseRequest,
    terms: LicenseTerms,
    vendor: Keyring,
    registry: Journal,
    *,
    approved_by: str,
    post_quantum: bool = False,
    clock: Clock | None = None,
) -> bytes:
    """Approve a request and return the licence; both steps go to the vendor's registry first.

    Args:
        request: A verified request.
        terms: What is granted; a feature that was not asked for may be granted.
        vendor: The vendor's keyring.
        registry: The vendor's licence registry.
        approved_by: Who takes the responsibility.
        post_quantum: Sign with the vendor's ML-DSA-65 key as well.
        clock: Tells the time.

    Raises:
        LicenseError: No approver is named, the terms are not sound, the request asks to replace a
            licence, or it was answered before.
    """
    state = _state(request, vendor, registry, approved_by)
    if request.replaces:
        raise LicenseError(
            f"the request asks to replace {request.replaces}",
            where="request",
            remedy="answer it with: oem license renew, or oem license rebind",
        )
    terms.require_sound()
    now = _now(clock)
    fresh = License(
        license_id=f"lic-{secrets.token_hex(8)}",
        site=request.site,
        issued_ns=now,
        not_after_ns=now,
        fingerprint=request.fingerprint,
        terms=terms,
        nonce=request.nonce,
        list_number=state.list_number,
    ).granted(terms, now)
    return _hand_out(fresh, request, vendor, registry, "issue", approved_by, post_quantum)


def renew_license(
    request: LicenseRequest,
    vendor: Keyring,
    registry: Journal,
    *,
    approved_by: str,
    days: int,
    terms: LicenseTerms | None = None,
    post_quantum: bool = False,
    clock: Clock | None = None,
) -> bytes:
    """Issue the next revision of a licence for the same device.

    Args:
        request: A verified request that names the licence.
        vendor: The vendor's keyring.
        registry: The vendor's licence registry.
        approved_by: Who takes the responsibility.
        days: Validity from now.
        terms: New terms; None keeps those of the licence, without a second trial.
        post_quantum: Sign with the vendor's ML-DSA-65 key as well.
        clock: Tells the time.

    Raises:
        LicenseError: The licence is unknown, revoked, of another site, or the device is another.
    """
    state = _state(request, vendor, registry, approved_by)
    before = _to_replace(request, state)
    known, asked = before.fingerprint, request.fingerprint
    same_salt = known.salt == asked.salt
    if not same_salt or not compare_digests(known.digests, asked.digests).usable:
        raise LicenseError(
            "the request is from another device, or does not say which it was",
            where=before.license_id,
            remedy="have it bound to the new device: oem license rebind",
        )
    kept = replace(before.terms, trial_features=(), trial_days=0)
    granted = replace(terms or kept, days=days)
    granted.require_sound()
    fresh = replace(
        before.granted(granted, _now(clock)),
        fingerprint=asked,
        revision=before.revision + 1,
        nonce=request.nonce,
        list_number=state.list_number,
    )
    return _hand_out(fresh, request, vendor, registry, "renewal", approved_by, post_quantum)


def rebind_license(
    request: LicenseRequest,
    vendor: Keyring,
    registry: Journal,
    *,
    approved_by: str,
    reason: str,
    post_quantum: bool = False,
    clock: Clock | None = None,
) -> bytes:
    """Bind a licence to another device; its revisions so far go onto the revocation list.

    Terms and end stay as they are.

    Args:
        request: A verified request from the new device that names the licence.
        vendor: The vendor's keyring.
        registry: The vendor's licence registry.
        approved_by: Who takes the responsibility.
        reason: Why, for the registry and the list.
        post_quantum: Sign with the vendor's ML-DSA-65 key as well.
        clock: Tells the time.

    Raises:
        LicenseError: The licence is unknown, revoked, expired, or of another site.
    """
    _require(reason, "a reason", "--reason")
    state = _state(request, vendor, registry, approved_by)
    before = _to_replace(request, state)
    now = _now(clock)
    if now >= before.not_after_ns:
        raise LicenseError(
            "the licence has ended", where=before.license_id, remedy="issue a new one instead"
        )
    fresh = replace(
        before,
        issued_ns=now,
        fingerprint=request.fingerprint,
        revision=before.revision + 1,
        nonce=request.nonce,
        list_number=state.list_number,
    )
    ended = Revoked(
        before.license_id, before.revision, f"bound to another device: {reason}"[:_MAX_TEXT]
    )
    issued = _hand_out(
        fresh, request, vendor, registry, "rebinding", approved_by, post_quantum, ended
    )
    _revoke(registry, ended, approved_by)
    return issued


def revoke_license(
    license_id: str, vendor: Keyring, registry: Journal, *, approved_by: str, reason: str
) -> Revoked:
    """Revoke a licence with all its revisions; sites learn it from the next list.

    Raises:
        LicenseError: There is no such licence, it is revoked already, or nobody says why.
    """
    _require(reason, "a reason", "--reason")
    _require(approved_by, "an approver", "--approved-by")
    state = read_registry(registry.path, vendor)
    found = _known(license_id, state)
    return _revoke(registry, Revoked(found.license_id, found.revision, reason), approved_by)


def publish_revocations(
    vendor: Keyring,
    registry: Journal,
    *,
    post_quantum: bool = False,
    clock: Clock | None = None,
) -> bytes:
    """Return the vendor's next revocation list, signed, numbered one higher than the last.

    A list is published also when nothing was revoked: it is the vendor's word that sites with a
    maximum age wait for.
    """
    state = read_registry(registry.path, vendor)
    found = RevocationList(state.list_number + 1, _now(clock), state.revoked)
    data = seal_revocations(found, vendor, post_quantum=post_quantum)
    registry.append(
        PUBLISHED,
        {
            "number": found.number,
            "revoked": len(found.entries),
            "sha384": hashlib.sha384(data).hexdigest(),
        },
    )
    return data


def _hand_out(
    fresh: License,
    request: LicenseRequest,
    vendor: Keyring,
    registry: Journal,
    step: str,
    approved_by: str,
    post_quantum: bool,
    ended: Revoked | None = None,
) -> bytes:
    signers: Signers = {
        **vendor_signers(vendor, post_quantum=post_quantum),
        Role.DEVICE_MAC: request.device_key,
    }
    payload = canonical(fresh.as_payload())
    # what could not be read back would make the registry unreadable
    License.from_fields(Fields(loads(payload, what="licence", max_bytes=1 << 20), "licence"))
    envelope = seal_bytes(payload, PayloadType.LICENSE, signers)
    registry.append(
        APPROVED,
        {
            "step": step,
            "site": request.site,
            "features": list(request.features),
            "created": request.created,
            "nonce": request.nonce,
            "approved_by": approved_by,
        },
    )
    issued: dict[str, object] = {"license": fresh.as_payload()}
    if ended is not None:  # in one record: a crash never leaves both in force
        issued["ends"] = _entry(ended)
    registry.append(ISSUED, issued)
    return envelope


def _state(
    request: LicenseRequest, vendor: Keyring, registry: Journal, approved_by: str
) -> Registry:
    _require(approved_by, "an approver", "--approved-by")
    state = read_registry(registry.path, vendor)
    if request.nonce in state.nonces:
        raise LicenseError(
            "the request was answered already",
            where="request",
            remedy="send out the licence that answered it, or have the site make a new request",
        )
    return state


def _to_replace(request: LicenseRequest, state: Registry) -> License:
    if not request.replaces:
        raise LicenseError(
            "the request names no licence to replace",
            where="request",
            remedy="have the site make it with: oem license request --renew (or --rebind)",
        )
    before = _known(request.replaces, state)
    if before.site != request.site:
        raise LicenseError(
            "the licence is of another site",
            where=before.license_id,
            remedy="restore the site's keys from a backup on the new device, then ask again",
        )
    return before


def _known(license_id: str, state: Registry) -> License:
    found = state.issued.get(license_id)
    if found is None:
        raise LicenseError(
            f"{license_id} was never issued here",
            where=license_id,
            remedy="see what was: oem license registry --vendor DIR",
        )
    gone = state.revoked.get(license_id)
    if gone is not None and gone.revision >= found.revision:
        raise LicenseError(
            f"the licence is revoked: {gone.reason}",
            where=license_id,
            remedy="issue a new licence instead",
        )
    return found


def _revoke(registry: Journal, entry: Revoked, approved_by: str) -> Revoked:
    registry.append(REVOKED, {**_entry(entry), "approved_by": approved_by})
    return entry


def _entry(entry: Revoked) -> dict[str, object]:
    return {
        "license_id": entry.license_id,
        "revision": entry.revision,
        "reason": entry.reason,
    }


def _require(text: str, what: str, flag: str) -> None:
    if not text.strip():
        raise LicenseError(f"it needs {what}", where="terms", remedy=f"give {flag}")
    if len(text) > _MAX_TEXT:
        raise LicenseError(
            f"{what} has {len(text)} characters, at most {_MAX_TEXT} are written down",
            where="terms",
            remedy=f"shorten {flag}",
        )


def _now(clock: Clock | None) -> int:
    return (clock or SystemClock()).now_ns() // NS_PER_SECOND * NS_PER_SECOND
