"""Revocation lists of a site's own authority: written, some of them ahead of time, and chosen.

`crl.pem` is the list in force; `crl.d/` holds lists for later periods, for sites that cannot be
reached. Among the lists whose time has come the one with the highest number counts, and no list
older than one that was seen before is taken.

Source: RFC 5280, section 5.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oem_security.errors import CertificateError, OemSecurityError
from oem_security.fields import Fields
from oem_security.files import PRIVATE_FILE, read_bounded, write_atomic
from oem_security.strict_json import loads

CRL_FILE = "crl.pem"
AHEAD_DIR = "crl.d"
SEEN_FILE = "crl.seen.json"
BACKDATED = dt.timedelta(minutes=5)
"""Clocks of peers may be this much behind."""
_MAX_BYTES = 16 << 20
_MAX_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Crl:
    """A revocation list that this authority signed.

    Attributes:
        crl: The list.
        number: Its number; later lists have higher ones.
        this_update: When its time comes.
        next_update: When it ends.
    """

    crl: x509.CertificateRevocationList
    number: int
    this_update: dt.datetime
    next_update: dt.datetime

    def revokes(self, serial: int) -> bool:
        """Tell whether it names a certificate."""
        return self.crl.get_revoked_certificate_by_serial_number(serial) is not None


def build_crl(
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    revoked: Iterable[tuple[int, dt.datetime]],
    *,
    number: int,
    this_update: dt.datetime,
    next_update: dt.datetime,
) -> bytes:
    """Return a signed list as PEM.

    Args:
        certificate: The authority's certificate.
        key: Its key.
        revoked: Serial number and time of each revocation.
        number: Its CRL number.
        this_update: When its time comes.
        next_update: When it ends.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    for serial, when in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
        )
    return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM)


def read_crl(data: bytes, authority: x509.Certificate, where: str) -> Crl:
    """Return a list that this authority signed and may sign.

    Raises:
        CertificateError: It is malformed, of another issuer, without number or end, or the
            authority's certificate does not allow it to sign lists.
    """
    try:
        crl = x509.load_pem_x509_crl(data)
        next_update, this_update = crl.next_update_utc, crl.last_update_utc
        extension = crl.extensions.get_extension_for_class(x509.CRLNumber)
        number = int(extension.value.crl_number)
    except x509.ExtensionNotFound:
        raise _refused("the revocation list has no number", where) from None
    except (ValueError, TypeError, OverflowError):
        raise _refused("the revocation list is malformed", where) from None
    public = authority.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or crl.issuer != authority.subject:
        raise _refused("the revocation list is of another issuer", where)
    try:
        signed = crl.is_signature_valid(public)
    except (ValueError, TypeError):
        signed = False
    if not signed:
        raise _refused("the revocation list is of another issuer", where)
    require_crl_sign(authority)
    if next_update is None:
        raise _refused("the revocation list does not say when it ends", where)
    return Crl(crl, number, this_update, next_update)


def require_crl_sign(authority: x509.Certificate) -> None:
    """Refuse an authority whose certificate does not allow it to sign revocation lists."""
    try:
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        allowed = usage.crl_sign and basic.ca
    except (x509.ExtensionNotFound, ValueError):
        allowed = False
    if not allowed:
        raise _refused("the authority's certificate may not sign revocation lists", "ca.pem")


def current_crl(directory: Path, authority: x509.Certificate, now: dt.datetime) -> Crl:
    """Return the list in force and remember its number.

    Args:
        directory: Folder of the material.
        authority: The authority's certificate.
        now: The time.

    Raises:
        CertificateError: There is none, it is not this authority's, none is in force, or it is
            older than one that was seen before.
    """
    found = [
        read_crl(read_bounded(path, _MAX_BYTES, what="revocation list"), authority, path.name)
        for path in crl_files(directory)
    ]
    if not found:
        raise _refused("there is no revocation list", CRL_FILE)
    begun = [crl for crl in found if crl.this_update <= now]
    if not begun:
        raise _refused("the revocation list is not in force yet", CRL_FILE)
    best = max(begun, key=lambda crl: crl.number)
    seen = seen_number(directory)
    if best.number < seen:
        raise _refused(
            f"an older revocation list was put back: number {best.number}, seen was {seen}",
            CRL_FILE,
        )
    if best.next_update < now:
        raise _refused("the revocation list is out of date", CRL_FILE)
    if best.number > seen:
        remember_number(directory, best.number)
    return best


def crl_files(directory: Path) -> list[Path]:
    """Return the files of the lists that are there, the one in `crl.pem` first."""
    ahead = sorted((directory / AHEAD_DIR).glob("*.pem"))[:_MAX_AHEAD]
    return [path for path in (directory / CRL_FILE, *ahead) if path.exists()]


def seen_number(directory: Path) -> int:
    """Return the highest number of a list that was in force here; 0 before the first.

    Raises:
        CertificateError: The memory of it is damaged.
    """
    path = directory / SEEN_FILE
    if not path.exists():
        return 0
    try:
        data = read_bounded(path, 4096, what="memory of revocation lists")
        fields = Fields(loads(data, what="memory", max_bytes=4096), path.name)
        number = fields.integer("number", 1, 1 << 62)
        fields.done()
    except OemSecurityError as error:
        raise _refused(f"the memory of revocation lists is damaged: {error.what}", SEEN_FILE) from (
            None
        )
    return number


def remember_number(directory: Path, number: int) -> None:
    """Keep the number of a list, so that an older one is refused after a restart too."""
    data = json.dumps({"number": number}).encode() + b"\n"
    write_atomic(directory / SEEN_FILE, data, mode=PRIVATE_FILE)


def _refused(what: str, where: str) -> CertificateError:
    return CertificateError(what, where=where, remedy="write one with: oem mtls crl")
