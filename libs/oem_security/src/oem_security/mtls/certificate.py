"""Certificates as an authority makes them: its own, and those of servers and clients.

Sources: RFC 5280, sections 4.1 and 4.2; RFC 6125 for names.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oem_security.clock import NS_PER_SECOND, Clock
from oem_security.errors import InputError
from oem_security.files import PRIVATE_FILE, write_atomic
from oem_security.mtls.crl import BACKDATED
from oem_security.mtls.registry import Use

CA_DAYS = 3650
LEAF_DAYS = 90
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def root_certificate(
    key: ec.EllipticCurvePrivateKey, name: str, now: dt.datetime
) -> x509.Certificate:
    """Return the authority's own certificate, which may sign leaves and lists and nothing below.

    Args:
        key: Its key.
        name: Its common name.
        now: When its ten years begin.
    """
    subject = _name(name)
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA384())
    )


def leaf_certificate(
    authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    public: ec.EllipticCurvePublicKey,
    name: str,
    use: Use,
    alternative: Iterable[str],
    now: dt.datetime,
) -> x509.Certificate:
    """Return a certificate of 90 days for one use.

    Args:
        authority: The issuer's certificate and key.
        public: Whose key it certifies.
        name: Common name.
        use: What it may be used for.
        alternative: Host names and addresses.
        now: When its life begins; it does not outlive the authority's.

    Raises:
        InputError: A name or address is malformed, or there is none.
    """
    issuer, key = authority
    names = [general_name(text) for text in alternative]
    if not names:
        raise InputError("a server has no name", remedy="give --dns or --ip")
    server = use is Use.SERVER
    eku = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + dt.timedelta(days=LEAF_DAYS), issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([eku]), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA384())
    )


def general_name(text: str) -> x509.GeneralName:
    """Return a host name or an address as a certificate states it.

    Raises:
        InputError: It is neither.
    """
    try:
        if "%" not in text:  # the zone of an address means nothing to another machine
            return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if len(text) > 253 or not _HOST.fullmatch(text) or text.rpartition(".")[2].isdigit():
        raise InputError(
            f"{text!r} is neither a host name nor an address",
            remedy="give names such as core.example or addresses such as 192.0.2.7",
        )
    return x509.DNSName(text)


def moment_of(clock: Clock) -> dt.datetime:
    """Return the time in UTC, to the second, as certificates state it."""
    return dt.datetime.fromtimestamp(clock.now_ns() // NS_PER_SECOND, dt.UTC)


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key that only its owner can read."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomic(path, text, mode=PRIVATE_FILE)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
