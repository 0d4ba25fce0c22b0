"""A private certificate authority, and the TLS 1.3 material that comes from it.

The directory of the material holds `ca.pem`, `ca.key`, `crl.pem`, `registry.json` and one
`NAME.pem` / `NAME.key` pair per certificate. Sources: RFC 5280, RFC 8446.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import json
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock
from oem_security.errors import CertificateError, InputError, StateError
from oem_security.files import PRIVATE_FILE, make_private_dir, read_bounded, write_atomic

if TYPE_CHECKING:
    import grpc

CA_DAYS = 3650
LEAF_DAYS = 90
RENEW_DAYS = 30
CRL_DAYS = 90
TLS12_PSK_SUITE = "PSK-AES128-CBC-SHA"
"""The only TLS 1.2 suite grpc is left with; it needs a shared key nobody has, so 1.3 remains."""
_MAX_BYTES = 1 << 20
_MAX_KNOWN = 256


class Use(enum.Enum):
    """What a certificate is for."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Issued:
    """One issued certificate, as the registry keeps it.

    Attributes:
        name: Common name, and name of its files.
        use: `server` or `client`.
        serial: Serial number, hexadecimal.
        not_before: RFC 3339; so is not_after.
        sha256: Fingerprint of the certificate, hexadecimal.
        revoked: When it was revoked, RFC 3339, or empty.
    """

    name: str
    use: str
    serial: str
    not_before: str
    not_after: str
    sha256: str
    revoked: str = ""


class CertificateAuthority:
    """Issues, renews and revokes the certificates of one site.

    Args are those of `create` and `open`; use them, not the constructor.
    """

    def __init__(
        self,
        directory: Path,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        clock: Clock,
    ) -> None:
        self.directory = directory
        self._certificate = certificate
        self._key = key
        self._clock = clock

    @classmethod
    def create(
        cls, directory: Path, *, name: str = "Core OEM site CA", clock: Clock | None = None
    ) -> CertificateAuthority:
        """Make a new authority, with an empty revocation list.

        Raises:
            StateError: There is one already.
        """
        clock = clock or SystemClock()
        if (directory / "ca.key").exists():
            raise StateError(
                "there is a certificate authority already",
                where=str(directory),
                remedy="use it, or choose another directory",
            )
        make_private_dir(directory)
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = _now(clock)
        public = key.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA384())
        )
        _write_key(directory / "ca.key", key)
        write_atomic(directory / "ca.pem", _pem(certificate))
        authority = cls(directory, certificate, key, clock)
        authority._save((), crl_number=0)
        authority.write_crl()
        return authority

    @classmethod
    def open(cls, directory: Path, *, clock: Clock | None = None) -> CertificateAuthority:
        """Read the authority of a directory.

        Raises:
            InputError: There is none, or a file is malformed.
        """
        remedy = "make one with: oem mtls init"
        raw = read_bounded(directory / "ca.pem", _MAX_BYTES, what="CA certificate", remedy=remedy)
        secret = read_bounded(directory / "ca.key", _MAX_BYTES, what="CA key", remedy=remedy)
        try:
            certificate = x509.load_pem_x509_certificate(raw)
            key = serialization.load_pem_private_key(secret, None)
        except (ValueError, TypeError):
            raise InputError(
                "the CA's files are malformed", where=str(directory), remedy="restore a backup"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InputError("the CA's key is of another kind", where=str(directory), remedy=remedy)
        return cls(directory, certificate, key, clock or SystemClock())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate, in the colon form people compare."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def issue_server(
        self,
        name: str = "server",
        *,
        dns: Iterable[str] = ("localhost",),
        ips: Iterable[str] = ("127.0.0.1", "::1"),
    ) -> Issued:
        """Issue a server certificate for the given host names and addresses."""
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in dns]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ips]
        return self._issue(name, Use.SERVER, names)

    def issue_client(self, name: str = "client") -> Issued:
        """Issue a client certificate; its common name is who the peer is."""
        return self._issue(name, Use.CLIENT, [x509.DNSName(name)])

    def issued(self) -> tuple[Issued, ...]:
        """Return every certificate ever issued, oldest first."""
        return self._registry()[0]

    def revoke(self, serial: str) -> None:
        """Revoke a certificate and write a new revocation list.

        Raises:
            InputError: No certificate has this serial number.
        """
        entries = list(self.issued())
        for i, entry in enumerate(entries):
            if entry.serial == serial:
                when = entry.revoked or _rfc3339(_now(self._clock))
                entries[i] = Issued(**{**asdict(entry), "revoked": when})
                self._save(entries, self._registry()[1])
                self.write_crl()
                return
        raise InputError(
            f"no certificate has the serial number {serial}",
            where=str(self.directory / "registry.json"),
            remedy="list them with: oem mtls status",
        )

    def write_crl(self) -> int:
        """Write the revocation list with the next number and return it (RFC 5280, section 5)."""
        number = self._registry()[1] + 1
        now = _now(self._clock)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - dt.timedelta(minutes=5))
            .next_update(now + dt.timedelta(days=CRL_DAYS))
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for entry in self.issued():
            if entry.revoked:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(entry.serial, 16))
                    .revocation_date(dt.datetime.fromisoformat(entry.revoked))
                    .build()
                )
        crl = builder.sign(self._key, hashes.SHA384())
        write_atomic(self.directory / "crl.pem", crl.public_bytes(serialization.Encoding.PEM))
        self._save(self.issued(), number)
        return number

    def _issue(self, name: str, use: Use, names: list[x509.GeneralName]) -> Issued:
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name == "ca":
            raise InputError(
                f"{name!r} cannot name a certificate", remedy="use letters, digits, '-', '_', '.'"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        now = _now(self._clock)
        eku = (
            ExtendedKeyUsageOID.SERVER_AUTH
            if use is Use.SERVER
            else ExtendedKeyUsageOID.CLIENT_AUTH
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=LEAF_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([eku]), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA384())
        )
        _write_key(self.directory / f"{name}.key", key)
        write_atomic(self.directory / f"{name}.pem", _pem(certificate))
        entry = Issued(
            name=name,
            use=use.value,
            serial=f"{certificate.serial_number:x}",
            not_before=_rfc3339(certificate.not_valid_before_utc),
            not_after=_rfc3339(certificate.not_valid_after_utc),
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        )
        self._save((*self.issued(), entry), self._registry()[1])
        return entry

    def _registry(self) -> tuple[tuple[Issued, ...], int]:
        path = self.directory / "registry.json"
        raw = read_bounded(path, _MAX_BYTES, what="certificate registry", remedy="restore a backup")
        try:
            registry = json.loads(raw)
            entries = tuple(Issued(**entry) for entry in registry["certificates"])
            return entries, int(registry["crl_number"])
        except (ValueError, KeyError, TypeError):
            raise InputError(
                "the certificate registry is malformed", where=str(path), remedy="restore a backup"
            ) from None

    def _save(self, entries: Iterable[Issued], crl_number: int) -> None:
        document = {"certificates": [asdict(e) for e in entries], "crl_number": crl_number}
        write_atomic(
            self.directory / "registry.json", json.dumps(document, indent=1).encode() + b"\n"
        )


def server_context(directory: Path, name: str = "server") -> ssl.SSLContext:
    """Return a TLS 1.3 server context that requires an unrevoked client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _filled(context, directory, name)


def client_context(directory: Path, name: str = "client") -> ssl.SSLContext:
    """Return a TLS 1.3 client context that accepts unrevoked certificates of this CA only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _filled(context, directory, name)


def _filled(context: ssl.SSLContext, directory: Path, name: str) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(directory / "ca.pem")
    context.load_verify_locations(directory / "crl.pem")
    context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= (
        ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_X509_STRICT
    )
    return context


def require_tls13_for_grpc() -> None:
    """Leave grpc no handshake but TLS 1.3; call it before grpc is first used."""
    os.environ["GRPC_SSL_CIPHER_SUITES"] = TLS12_PSK_SUITE


def grpc_server_credentials(directory: Path, name: str = "server") -> grpc.ServerCredentials:
    """Return gRPC server credentials that require a client certificate of this CA (TLS 1.3)."""
    require_tls13_for_grpc()
    import grpc

    pair = (directory / f"{name}.key").read_bytes(), (directory / f"{name}.pem").read_bytes()
    root = (directory / "ca.pem").read_bytes()
    return grpc.ssl_server_credentials([pair], root, require_client_auth=True)


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who a verified peer is: the certificate's common name and its serial number, hex."""

    name: str
    serial: str


class PeerCheck:
    """Checks what gRPC says of a peer on every call: TLS 1.3, this CA, not revoked, in date.

    Args:
        directory: Folder of the material; the revocation list is read again when it changes.
        clock: Tells the time.
    """

    def __init__(self, directory: Path, *, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()
        self._ca = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        self._stamp: tuple[int, int] = (0, 0)
        self._crl = self._load_crl()
        self._number = _crl_number(self._crl)
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
            granted = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            granted = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
        if wanted not in granted:
            raise _refused(f"the certificate is not for a {use.value}", "use the right one")
        self._require_in_force(certificate)

    def _require_in_force(self, certificate: x509.Certificate) -> None:
        now = _now(self._clock)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise _refused("the certificate is out of date", "renew it with: oem mtls renew")
        crl = self._current_crl()
        next_update = crl.next_update_utc
        if next_update is None or next_update < now:
            raise _refused("the revocation list is out of date", "write one with: oem mtls crl")
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise _refused("the certificate is revoked", "have a new one issued: oem mtls issue")

    def _current_crl(self) -> x509.CertificateRevocationList:
        try:
            stat = (self._directory / "crl.pem").stat()
        except FileNotFoundError:
            raise _refused("there is no revocation list", "write one with: oem mtls crl") from None
        if (stat.st_mtime_ns, stat.st_ino) != self._stamp:
            fresh = self._load_crl()
            if _crl_number(fresh) < self._number:
                raise _refused(
                    "an older revocation list was put back", "write a new one: oem mtls crl"
                )
            self._crl, self._number = fresh, _crl_number(fresh)
        return self._crl

    def _load_crl(self) -> x509.CertificateRevocationList:
        path = self._directory / "crl.pem"
        try:
            stat = path.stat()
            crl = x509.load_pem_x509_crl(path.read_bytes())
        except (FileNotFoundError, ValueError):
            raise _refused("there is no revocation list", "write one with: oem mtls crl") from None
        key = self._ca.public_key()
        if crl.issuer != self._ca.subject or not (
            isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
        ):
            raise _refused("the revocation list is of another issuer", "write one: oem mtls crl")
        self._stamp = (stat.st_mtime_ns, stat.st_ino)
        return crl


def _crl_number(crl: x509.CertificateRevocationList) -> int:
    try:
        number: int = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
    return number


def _refused(what: str, remedy: str) -> CertificateError:
    return CertificateError(what, where="peer", remedy=remedy)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _now(clock: Clock) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock.now_ns() // NS_PER_SECOND, dt.UTC)


def _rfc3339(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomic(path, pem, mode=PRIVATE_FILE)
