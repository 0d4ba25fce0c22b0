"""Both ends of a connection: TLS 1.3 contexts, gRPC credentials, and who the peer is."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oem_security.clock import Clock, SystemClock
from oem_security.errors import CertificateError
from oem_security.files import read_bounded, require_private
from oem_security.mtls.certificate import moment_of
from oem_security.mtls.crl import AHEAD_DIR, CRL_FILE, Crl, current_crl, require_crl_sign
from oem_security.mtls.registry import Use

if TYPE_CHECKING:
    import grpc

TLS12_PSK_SUITE = "PSK-AES128-CBC-SHA"
"""The only TLS 1.2 suite grpc is left with; it needs a shared key nobody has, so 1.3 remains."""
_MAX_BYTES = 1 << 20
_INIT = "make one with: oem mtls init"
_MAX_KNOWN = 256
_Stamp = tuple[tuple[int, int], ...]


def server_context(
    directory: Path, name: str = "server", *, clock: Clock | None = None
) -> ssl.SSLContext:
    """Return a TLS 1.3 server context that requires an unrevoked client certificate.

    Args:
        directory: Folder of the material.
        name: Which certificate this end shows.
        clock: Tells which revocation list is in force.

    Raises:
        CertificateError: There is no revocation list in force, an older one was put back, or key
            and certificate do not belong together.
        InputError: The certificate is missing.
        StorageError: Others can read its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _filled(context, directory, name, clock)


def client_context(
    directory: Path, name: str = "client", *, clock: Clock | None = None
) -> ssl.SSLContext:
    """Return a TLS 1.3 client context that accepts unrevoked certificates of this CA only.

    Raises:
        CertificateError: As `server_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _filled(context, directory, name, clock)


def _filled(
    context: ssl.SSLContext, directory: Path, name: str, clock: Clock | None
) -> ssl.SSLContext:
    authority = _load_authority(directory)
    crl = current_crl(directory, authority, moment_of(clock or SystemClock()))
    pem = crl.crl.public_bytes(serialization.Encoding.PEM)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    certificate = authority.public_bytes(serialization.Encoding.PEM)
    context.load_verify_locations(cadata=certificate.decode("ascii"))
    _load_crl(context, directory, pem)
    _pair(directory, name)
    try:
        context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    except ssl.SSLError as error:
        raise CertificateError(
            f"certificate and key do not belong together: {error.reason or error}",
            where=str(directory / f"{name}.pem"),
            remedy=f"a crash may have parted them: oem mtls renew {name}",
        ) from None
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= (
        ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_X509_STRICT
    )
    return context


def _pair(directory: Path, name: str) -> tuple[bytes, bytes]:
    """Return a private key, which nobody else may read, and its certificate.

    Raises:
        InputError: One is missing.
        StorageError: Others can read the key.
    """
    remedy = "issue it with: oem mtls issue"
    key = read_bounded(directory / f"{name}.key", _MAX_BYTES, what="key", remedy=remedy)
    require_private(directory / f"{name}.key")
    path = directory / f"{name}.pem"
    return key, read_bounded(path, _MAX_BYTES, what="certificate", remedy=remedy)


def _load_crl(context: ssl.SSLContext, directory: Path, pem: bytes) -> None:
    """Hand the list to OpenSSL, which takes lists from files only."""
    for path in (directory / CRL_FILE, *sorted((directory / AHEAD_DIR).glob("*.pem"))):
        if path.exists() and path.read_bytes() == pem:
            context.load_verify_locations(cafile=path)
            return
    raise CertificateError(
        "the revocation list changed meanwhile", where=CRL_FILE, remedy="try again"
    )


def require_tls13_for_grpc() -> None:
    """Leave grpc no handshake but TLS 1.3; call it before grpc is first used."""
    os.environ["GRPC_SSL_CIPHER_SUITES"] = TLS12_PSK_SUITE


def grpc_server_credentials(directory: Path, name: str = "server") -> grpc.ServerCredentials:
    """Return gRPC server credentials that require a client certificate of this CA (TLS 1.3).

    gRPC looks at no revocation list; `PeerCheck` does, on every call.
    """
    require_tls13_for_grpc()
    import grpc

    pair = _pair(directory, name)
    root = read_bounded(directory / "ca.pem", _MAX_BYTES, what="CA certificate", remedy=_INIT)
    return grpc.ssl_server_credentials([pair], root, require_client_auth=True)


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who a verified peer is: the certificate's common name and its serial number, hex."""

    name: str
    serial: str


class PeerCheck:
    """Checks what gRPC says of a peer on every call: TLS 1.3, this CA, not revoked, in date.

    Args:
        directory: Folder of the material; revocation lists are read again when they change, and
            the highest number seen is kept there.
        clock: Tells the time.

    Raises:
        CertificateError: There is no revocation list in force.
    """

    def __init__(self, directory: Path, *, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()
        self._ca = _load_authority(directory)
        self._stamp: _Stamp = ()
        self._until = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._crl = self._current_crl(moment_of(self._clock))
        self._known: dict[bytes, x509.Certificate] = {}

    def check(self, auth_context: Mapping[str, Iterable[bytes]]) -> PeerIdentity:
        """Return who the peer is.

        Args:
            auth_context: What `ServicerContext.auth_context()` gave.

        Raises:
            CertificateError: Not TLS 1.3, no certificate, another issuer, wrong use, out of date,
                revoked, or the revocation list itself is not valid.
        """
        version = b"".join(auth_context.get("ssl_tls_version", ()))
        if version != b"TLSv1.3":
            used = version.decode("ascii", "replace") or "an unknown version of TLS"
            raise _refused(f"the connection uses {used}", "connect with TLS 1.3")
        pem = b"".join(auth_context.get("x509_pem_cert", ()))
        if not pem:
            raise _refused("the peer shows no certificate", "connect with a client certificate")
        certificate = self._known.get(pem)
        if certificate is None:
            try:
                certificate = x509.load_pem_x509_certificate(pem)
            except ValueError:
                raise _refused(
                    "the peer's certificate is malformed", "use one that this site issued"
                ) from None
            self.check_certificate(certificate, Use.CLIENT)
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[pem] = certificate
        else:
            # issuer and use of the same bytes cannot change; date and revocation can
            self._require_in_force(certificate)
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = str(common[0].value) if common else ""
        return PeerIdentity(name, f"{certificate.serial_number:x}")

    def check_certificate(self, certificate: x509.Certificate, use: Use) -> None:
        """Raise CertificateError unless this CA issued it for this use and it is in force."""
        try:
            certificate.verify_directly_issued_by(self._ca)
        except (ValueError, TypeError, InvalidSignature):
            raise _refused(
                "the certificate is of another authority", "use one that this site issued"
            ) from None
        wanted = (
            ExtendedKeyUsageOID.SERVER_AUTH
            if use is Use.SERVER
            else ExtendedKeyUsageOID.CLIENT_AUTH
        )
        try:
            granted = tuple(
                certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            )
        except (x509.ExtensionNotFound, ValueError):
            granted = ()
        if wanted not in granted:
            raise _refused(f"the certificate is not for a {use.value}", "use the right one")
        self._require_in_force(certificate)

    def _require_in_force(self, certificate: x509.Certificate) -> None:
        now = moment_of(self._clock)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise _refused("the certificate is out of date", "renew it with: oem mtls renew")
        if not self._ca.not_valid_before_utc <= now <= self._ca.not_valid_after_utc:
            raise _refused("the authority's certificate is out of date", "make a new authority")
        if self._current_crl(now).revokes(certificate.serial_number):
            raise _refused("the certificate is revoked", "have a new one issued: oem mtls issue")

    def _current_crl(self, now: dt.datetime) -> Crl:
        """Return the list in force; files are read again when they change or time has passed."""
        stamp = _stamp(self._directory)
        if stamp != self._stamp or not stamp or now >= self._until:
            self._crl = current_crl(self._directory, self._ca, now)
            self._stamp = stamp
            # a list that was issued ahead may take over before this one ends: look each minute
            self._until = min(self._crl.next_update, now + dt.timedelta(minutes=1))
        elif now < self._crl.this_update:
            raise _refused("the revocation list is not in force yet", "check the clock")
        return self._crl


def _stamp(directory: Path) -> _Stamp:
    found = []
    for path in (directory / CRL_FILE, directory / AHEAD_DIR):
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append((0, 0))
        else:
            found.append((stat.st_mtime_ns, stat.st_ino))
    return tuple(found)


def _load_authority(directory: Path) -> x509.Certificate:
    raw = read_bounded(
        directory / "ca.pem",
        _MAX_BYTES,
        what="CA certificate",
        remedy=_INIT,
    )
    try:
        authority = x509.load_pem_x509_certificate(raw)
    except ValueError:
        raise CertificateError(
            "the CA certificate is malformed",
            where=str(directory / "ca.pem"),
            remedy="restore a backup",
        ) from None
    require_crl_sign(authority)
    return authority


def _refused(what: str, remedy: str) -> CertificateError:
    return CertificateError(what, where="peer", remedy=remedy)
