"""A private certificate authority: issues, renews and revokes the certificates of one site.

The directory of the material holds `ca.pem`, `ca.key`, `crl.pem`, `crl.d/`, `registry.json` and one
`NAME.pem` / `NAME.key` pair per certificate. Sources: RFC 5280, RFC 8446.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oem_security.clock import Clock, SystemClock
from oem_security.errors import InputError, StateError
from oem_security.files import (
    exclusive,
    make_private_dir,
    read_bounded,
    require_private,
    sweep,
    write_atomic,
)
from oem_security.mtls.certificate import (
    leaf_certificate,
    moment_of,
    pem,
    root_certificate,
    write_key,
)
from oem_security.mtls.crl import (
    AHEAD_DIR,
    BACKDATED,
    CRL_FILE,
    build_crl,
    crl_files,
    read_crl,
)
from oem_security.mtls.registry import (
    MAX_CERTIFICATES,
    NAME,
    Issued,
    Registry,
    Standing,
    Use,
    moment_text,
    read_registry,
    standing,
    write_registry,
)

CRL_DAYS = 90
AHEAD_OVERLAP_DAYS = 7
MAX_AHEAD = 24
_MAX_BYTES = 1 << 20
_RESERVED = {"ca", "crl", "registry"}


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
            InputError: The name has not 1 to 64 characters.
        """
        if not 1 <= len(name) <= 64:
            raise InputError(
                f"a name of {len(name)} characters", where="name", remedy="give 1 to 64 characters"
            )
        clock = clock or SystemClock()
        if (directory / "ca.key").exists():
            raise StateError(
                "there is a certificate authority already",
                where=str(directory),
                remedy="use it, or choose another directory",
            )
        make_private_dir(directory)
        key = ec.generate_private_key(ec.SECP384R1())
        certificate = root_certificate(key, name, moment_of(clock))
        authority = cls(directory, certificate, key, clock)
        authority._save(Registry((), 0, "", 0))
        write_atomic(directory / "ca.pem", pem(certificate))
        write_key(directory / "ca.key", key)
        authority.write_crl()
        return authority

    @classmethod
    def open(cls, directory: Path, *, clock: Clock | None = None) -> CertificateAuthority:
        """Read the authority of a directory.

        Raises:
            InputError: There is none, or a file is malformed.
            StorageError: Others can read its key.
        """
        remedy = "make one with: oem mtls init"
        raw = read_bounded(directory / "ca.pem", _MAX_BYTES, what="CA certificate", remedy=remedy)
        secret = read_bounded(directory / "ca.key", _MAX_BYTES, what="CA key", remedy=remedy)
        require_private(directory / "ca.key")
        try:
            certificate = x509.load_pem_x509_certificate(raw)
            key = serialization.load_pem_private_key(secret, None)
        except (ValueError, TypeError):
            raise InputError(
                "the CA's files are malformed", where=str(directory), remedy="restore a backup"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InputError("the CA's key is of another kind", where=str(directory), remedy=remedy)
        if key.public_key() != certificate.public_key():
            raise InputError(
                "the CA's key and certificate do not belong together",
                where=str(directory),
                remedy="restore a backup of both",
            )
        return cls(directory, certificate, key, clock or SystemClock())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate, in the colon form people compare."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def not_after(self) -> dt.datetime:
        """When the CA certificate ends."""
        return self._certificate.not_valid_after_utc

    def issue_server(
        self,
        name: str = "server",
        *,
        dns: Iterable[str] = ("localhost",),
        ips: Iterable[str] = ("127.0.0.1", "::1"),
    ) -> Issued:
        """Issue a server certificate for the given host names and addresses.

        Raises:
            InputError: A name or address is malformed, or there is none.
        """
        return self._issue(name, Use.SERVER, tuple(dict.fromkeys((*dns, *ips))))

    def issue_client(self, name: str = "client") -> Issued:
        """Issue a client certificate; its common name is who the peer is."""
        return self._issue(name, Use.CLIENT, (name,))

    def renew(self, name: str) -> Issued:
        """Issue a certificate of the same name, use, host names and addresses again.

        The one before stays in force until it ends, so that both ends can change over in turn.

        Raises:
            InputError: No certificate in force or ended has this name.
        """
        before = [e for e in self.issued() if e.name == name and not e.revoked]
        if not before:
            raise InputError(
                f"no certificate is named {name!r}", remedy="list them with: oem mtls status"
            )
        return self._issue(name, Use(before[-1].use), before[-1].alternative)

    def renew_due(self) -> tuple[Issued, ...]:
        """Renew every certificate whose renewal window has begun, 30 days before its end."""
        due = [e.name for e, standing in self.standings() if standing is Standing.RENEW]
        return tuple(self.renew(name) for name in due)

    def standings(self) -> tuple[tuple[Issued, Standing], ...]:
        """Return every certificate with how it stands now, oldest first."""
        now, entries = self._now(), self.issued()
        newest = {entry.name: entry.serial for entry in entries if not entry.revoked}
        return tuple((entry, standing(entry, newest, now)) for entry in entries)

    def issued(self) -> tuple[Issued, ...]:
        """Return every certificate ever issued, oldest first."""
        return self.registry().certificates

    def revoke(self, serial: str) -> None:
        """Revoke a certificate and write new revocation lists, as many ahead as there were.

        Raises:
            InputError: No certificate has this serial number.
        """
        with self._alone():
            registry = self.registry()
            if not any(entry.serial == serial for entry in registry.certificates):
                raise InputError(
                    f"no certificate has the serial number {serial}",
                    where=str(self.directory / "registry.json"),
                    remedy="list them with: oem mtls status",
                )
            when = moment_text(self._now())
            entries = tuple(
                replace(e, revoked=e.revoked or when) if e.serial == serial else e
                for e in registry.certificates
            )
            self._save(replace(registry, certificates=entries))
            self._write_crls(registry.crl_ahead, CRL_DAYS)

    def write_crl(self, *, ahead: int = 0, days: int = CRL_DAYS) -> int:
        """Write the revocation list with the next number and return it.

        Args:
            ahead: Lists for so many later periods as well, for sites that stay offline; they know
                no revocation that comes after them.
            days: How long each is in force, 1 to 366; those ahead begin 7 days, or a quarter of
                that, before the one before them ends.

        Raises:
            InputError: The numbers are out of range.
        """
        if not (0 <= ahead <= MAX_AHEAD and 1 <= days <= 366):
            raise InputError(
                f"{ahead} lists ahead of {days} days each cannot be written",
                remedy=f"choose at most {MAX_AHEAD} lists of 1 to 366 days",
            )
        with self._alone():
            return self._write_crls(ahead, days)

    def crl_is_late(self) -> bool:
        """Tell whether no revocation list is in force, so that every peer is refused.

        Raises:
            CertificateError: A list is malformed or not this authority's.
        """
        now = self._now()
        lists = [
            read_crl(path.read_bytes(), self._certificate, path.name)
            for path in crl_files(self.directory)
        ]
        return not any(crl.this_update <= now <= crl.next_update for crl in lists)

    def registry(self) -> Registry:
        """Return what the authority knows.

        Raises:
            InputError: The file is missing or malformed.
        """
        return read_registry(self.directory)

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return exclusive(self.directory / "ca.lock", what="certificate authority")

    def _write_crls(self, ahead: int, days: int) -> int:
        registry, now = self.registry(), self._now()
        revoked = [
            (int(e.serial, 16), dt.datetime.fromisoformat(e.revoked))
            for e in registry.certificates
            if e.revoked
        ]
        first, length = registry.crl_number + 1, dt.timedelta(days=days)
        ends = now + length
        # the numbers are used up before a list of them exists
        after = replace(
            registry,
            crl_number=first + ahead,
            crl_next_update=moment_text(ends),
            crl_ahead=ahead,
        )
        self._save(after)
        outdated = set((self.directory / AHEAD_DIR).glob("*.pem"))
        overlap = min(dt.timedelta(days=AHEAD_OVERLAP_DAYS), length / 4)
        begins = now - BACKDATED
        for place in range(ahead + 1):
            signed = build_crl(
                self._certificate,
                self._key,
                revoked,
                number=first + place,
                this_update=begins,
                next_update=ends,
            )
            name = CRL_FILE if place == 0 else f"{AHEAD_DIR}/{first + place:08d}.pem"
            write_atomic(self.directory / name, signed)
            begins = ends - overlap
            ends = begins + length
            outdated.discard(self.directory / name)
        for old in outdated:  # last: a crash leaves older lists beside newer ones, never none
            old.unlink()
        return first

    def _issue(self, name: str, use: Use, alternative: tuple[str, ...]) -> Issued:
        if not NAME.fullmatch(name) or name.partition(".")[0].casefold() in _RESERVED:
            raise InputError(
                f"{name!r} cannot name a certificate",
                remedy="use up to 64 letters, digits, '-', '_', '.', and not 'ca' or 'crl'",
            )
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = leaf_certificate(
            (self._certificate, self._key), key.public_key(), name, use, alternative, self._now()
        )
        entry = Issued(
            name=name,
            use=use.value,
            serial=f"{certificate.serial_number:x}",
            not_before=moment_text(certificate.not_valid_before_utc),
            not_after=moment_text(certificate.not_valid_after_utc),
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            alternative=alternative,
        )
        with self._alone():
            # known first: what exists can be revoked
            registry = self.registry()
            if len(registry.certificates) >= MAX_CERTIFICATES:
                raise StateError(
                    f"the registry holds {MAX_CERTIFICATES} certificates, and no more are read",
                    where=str(self.directory / "registry.json"),
                    remedy="make a new authority in another directory and change over to it",
                )
            self._save(replace(registry, certificates=(*registry.certificates, entry)))
            sweep(self.directory / f"{name}.key")
            write_key(self.directory / f"{name}.key", key)
            write_atomic(self.directory / f"{name}.pem", pem(certificate))
        return entry

    def _now(self) -> dt.datetime:
        return moment_of(self._clock)

    def _save(self, registry: Registry) -> None:
        write_registry(self.directory, registry)
