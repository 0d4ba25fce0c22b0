"""Bundles without a vendor's signature: sealed by the site itself, or on its own list.

Where a signing certificate is missing, an operator may put one manifest, known by its SHA-384, on
a list the site seals. Whose word a manifest is stands in the verdict each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import (
    open_envelope,
    open_payload,
    payload_type_of,
    peek_payload,
    seal_payload,
)
from oem_security.envelope.policy import PayloadType, Role, site_pins
from oem_security.errors import InputError, ManifestError, SealError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.key import DAY_NS, PublicKey
from oem_security.keys.keyring import Keyring
from oem_security.license.guard import Trust
from oem_security.manifest.manifest import Manifest, parse_manifest

MAX_DAYS = 366
_MAX_BYTES = 128 << 20
_MAX_LIST = 1 << 20


@dataclass(frozen=True, slots=True)
class LetPass:
    """One manifest an operator lets pass.

    Attributes:
        sha384: Of the manifest's file, hex.
        operator: Who takes the responsibility.
        reason: Why.
        until_ns: When it ends, UTC nanoseconds.
    """

    sha384: str
    operator: str
    reason: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A manifest and whose word it is.

    Attributes:
        manifest: What it says.
        trust: Vendor, the site itself, or the site's list.
        words: The verdict in words, such as `whitelisted by anna until 2026-…: no certificate`.
    """

    manifest: Manifest
    trust: Trust
    words: str


class Whitelist:
    """The site's own list of manifests nobody known has signed, in a sealed document.

    Args:
        path: The document; made on first use.
        keyring: The site's keyring.
    """

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._path = path
        self._keyring = keyring

    def allow(
        self,
        manifest: Path,
        *,
        operator: str,
        reason: str,
        days: int,
        clock: Clock | None = None,
    ) -> LetPass:
        """Let one manifest pass for some days.

        Args:
            manifest: Its file; the very same bytes pass, no others.
            operator: Who takes the responsibility.
            reason: Why.
            days: 1 to 366.
            clock: Tells the time.

        Raises:
            InputError: Operator or reason is missing, or the days are out of range.
            ManifestError: It is no manifest.
        """
        if not operator.strip() or not reason.strip() or not 1 <= days <= MAX_DAYS:
            raise InputError(
                f"an exception needs an operator, a reason, and 1 to {MAX_DAYS} days",
                where="whitelist",
                remedy="give --operator, --reason and --days",
            )
        bundle = read_bounded(manifest, _MAX_BYTES, what="manifest", remedy="correct the path")
        _unsigned(bundle)
        now = (clock or SystemClock()).now_ns()
        entry = LetPass(_sha384(bundle), operator[:64], reason[:200], now + days * DAY_NS)
        kept = {e.sha384: e for e in self.entries().values() if e.until_ns > now}
        payload: dict[str, object] = {
            "whitelist": [
                {
                    "sha384": e.sha384,
                    "operator": e.operator,
                    "reason": e.reason,
                    "until": rfc3339(e.until_ns),
                }
                for e in {**kept, entry.sha384: entry}.values()
            ]
        }
        data = seal_payload(payload, PayloadType.DOCUMENT, self._keyring)
        if len(data) > _MAX_LIST:
            raise InputError(
                f"the whitelist would have {len(data)} bytes, at most {_MAX_LIST} are read",
                where=str(self._path),
                remedy="wait until older exceptions end, or give shorter reasons",
            )
        write_atomic(self._path, data)
        return entry

    def entries(self) -> Mapping[str, LetPass]:
        """Return every exception by the SHA-384 of its manifest, ended ones as well.

        Raises:
            SealError: The list was changed.
        """
        if not self._path.exists():
            return {}
        data = read_bounded(self._path, _MAX_LIST, what="whitelist")
        opened = open_payload(data, PayloadType.DOCUMENT, self._keyring)
        fields = Fields(opened, str(self._path))
        found = {}
        for entry in fields.objects("whitelist"):
            one = LetPass(
                entry.text("sha384", pattern="[0-9a-f]{96}"),
                entry.text("operator", max_length=64),
                entry.text("reason", max_length=200),
                entry.time_ns("until"),
            )
            entry.done()
            found[one.sha384] = one
        fields.done()
        return found


def judge_manifest(
    path: Path,
    vendors: Sequence[PublicKey],
    keyring: Keyring,
    whitelist: Whitelist,
    *,
    clock: Clock | None = None,
) -> Judged:
    """Read a bundle's manifest and say whose word it is.

    Args:
        path: The manifest.
        vendors: The trusted vendor's keys, `Anchors.vendors`; none where there is no vendor.
        keyring: The site's keyring.
        whitelist: The site's own list.
        clock: Tells the time.

    Raises:
        SealError: It is signed by nobody who is trusted, and on no list, or no longer.
        ManifestError: It names a path that no manifest may name.
    """
    data = read_bounded(path, _MAX_BYTES, what="manifest", remedy="restore it from the bundle")
    if payload_type_of(data) is PayloadType.SITE_MANIFEST:
        opened = open_envelope(data, PayloadType.SITE_MANIFEST, site_pins(keyring))
        return Judged(parse_manifest(opened.value), Trust.SELF_SIGNED, Trust.SELF_SIGNED.value)
    refusal: SealError | None = None
    if vendors:
        try:
            opened = open_envelope(
                data, PayloadType.BUNDLE_MANIFEST, {Role.VENDOR_SIGN: tuple(vendors)}
            )
            return Judged(parse_manifest(opened.value), Trust.VENDOR, Trust.VENDOR.value)
        except SealError as error:
            refusal = error
    entry = whitelist.entries().get(_sha384(data))
    if entry is None:
        raise refusal or SealError(
            "the bundle is signed by nobody who is trusted here",
            where=str(path),
            remedy="trust its vendor: oem license trust; or let it pass: oem manifest whitelist",
        )
    until = rfc3339(entry.until_ns)[:19] + "Z"
    if (clock or SystemClock()).now_ns() >= entry.until_ns:
        raise SealError(
            f"its place on the whitelist ended at {until}",
            where=str(path),
            remedy="get the vendor's signature, or let it pass again: oem manifest whitelist",
        )
    words = f"{Trust.WHITELISTED.value} by {entry.operator} until {until}: {entry.reason}"
    return Judged(_unsigned(data), Trust.WHITELISTED, words)


def _unsigned(data: bytes) -> Manifest:
    """Return the manifest of an envelope whose signatures nobody looked at."""
    kind = payload_type_of(data)
    if kind is not PayloadType.BUNDLE_MANIFEST:
        raise ManifestError(
            "not a bundle's manifest", where="manifest", remedy="name the bundle's manifest"
        )
    return parse_manifest(peek_payload(data, kind))


def _sha384(data: bytes) -> str:
    return hashlib.sha384(data).hexdigest()
