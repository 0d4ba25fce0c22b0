"""A site's side of the trust anchors: which version it follows, on record in a journal.

The journal is the memory: its last record holds the version that is trusted, so that an earlier
one cannot be put back without the log being cut.
"""

from __future__ import annotations

from pathlib import Path

from oem_security.anchors.chain import AnchorSet, follow, open_first
from oem_security.anchors.trusted import Anchors, save_anchors
from oem_security.clock import Clock
from oem_security.errors import InputError, JournalError, LicenseError, MalformedError
from oem_security.journal.epoch import state_at
from oem_security.journal.reader import read_journal
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import Keyring
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import ROLLED, TRUSTED, read_registry

INSTALLED = "anchors.installed"


def anchor_log(paths: LicensePaths) -> Path:
    """Return the journal of the versions a site installed."""
    return paths.folder / "anchors.jsonl"


def trusted_anchors(paths: LicensePaths, keyring: Keyring) -> AnchorSet | None:
    """Return the version that a site follows, None before the first.

    Raises:
        JournalError: The record of it does not hold.
    """
    path = anchor_log(paths)
    if not path.exists():
        known = state_at(keyring.directory, path)
        if known is not None and known.begun:
            raise JournalError(
                "the record of the trust anchors was deleted",
                where=str(path),
                remedy="restore it from a backup",
            )
        return None
    found: AnchorSet | None = None
    for record in read_journal(path, keyring, {INSTALLED}, strict=True):
        try:
            found = AnchorSet.from_payload(str(record.body.get("payload")).encode())
        except MalformedError as error:
            raise JournalError(
                f"record {record.seq} holds no trust anchors: {error.what}",
                where=str(path),
                remedy="keep the log as evidence and restore it from a backup",
            ) from None
    return found


def install_anchors(
    paths: LicensePaths,
    data: bytes,
    keyring: Keyring,
    *,
    sha384: str = "",
    clock: Clock | None = None,
) -> AnchorSet:
    """Follow the next version of the trust anchors, or begin with the first.

    Args:
        paths: Where the site keeps its licence.
        data: Envelope of the version.
        keyring: The site's keyring.
        sha384: Of a first version: the SHA-384 that the vendor told over another way.
        clock: Tells the time of the records.

    Raises:
        SealError: The version is not the next one, or too few root keys signed it.
        InputError: It is a first version and its SHA-384 was not confirmed.
        LicenseError: The site trusts a vendor that a first version does not name.
    """
    trusted = trusted_anchors(paths, keyring)
    if trusted is None:
        made = _first(paths, data, keyring, sha384)
    elif open_first(data) == trusted:
        made = trusted  # again: what a crash kept from being finished is finished below
    else:
        made = follow(trusted, data)
    if made != trusted:
        with Journal.open(
            anchor_log(paths), keyring, subject="trust anchors", clock=clock
        ) as journal:
            journal.append(
                INSTALLED,
                {
                    "version": made.version,
                    "sha384": made.sha384,
                    "payload": made.payload().decode(),
                },
            )
    before, active = read_registry(paths.registry, keyring).vendor, made.vendors[0].key_id
    if before != active:
        kind, body = (ROLLED, {"from": before, "to": active}) if before else (TRUSTED, {})
        with Journal.open(paths.registry, keyring, subject="licences", clock=clock) as registry:
            registry.append(kind, body or {"vendor": active})
    anchors = Anchors(
        made.vendors[0],
        made.transport,
        made.vendors[1:],
        made.post_quantum,
        made.post_quantum_required,
    )
    save_anchors(paths.anchors, anchors, keyring)
    return made


def _first(paths: LicensePaths, data: bytes, keyring: Keyring, sha384: str) -> AnchorSet:
    made = open_first(data)
    if sha384.lower() != made.sha384:
        raise InputError(
            f"these trust anchors have the SHA-384 {made.sha384}",
            where="trust anchors",
            remedy="compare it with what the vendor told over another way, then give it: --sha384",
        )
    vendor = read_registry(paths.registry, keyring).vendor
    if vendor and vendor not in {key.key_id for key in made.vendors}:
        raise LicenseError(
            f"this site trusts {vendor}, which these trust anchors do not name",
            where="trust anchors",
            remedy="keep to that vendor; a site for another one begins with: oem init",
        )
    return made
