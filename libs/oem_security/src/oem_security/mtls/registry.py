"""What a certificate authority knows: its certificates, their standing, and its list numbers."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from oem_security.envelope.seal import seal_file
from oem_security.errors import StateError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import loads

REGISTRY_FILE = "registry.json"
RENEW_DAYS = 30
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?")
"""What may name a certificate and its files."""
_MAX_BYTES = 8 << 20
_MAX_AHEAD = 64
MAX_CERTIFICATES = 10_000
"""Of one authority, ended ones included."""


class Use(enum.Enum):
    """What a certificate is for."""

    SERVER = "server"
    CLIENT = "client"


class Standing(enum.Enum):
    """How a certificate stands."""

    IN_FORCE = "in force"
    RENEW = "renew"
    """In force, and its renewal window has begun."""
    SUPERSEDED = "superseded"
    """In force until it ends; a newer one of its name exists."""
    EXPIRED = "expired"
    REVOKED = "revoked"


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
        alternative: Host names and addresses it is for.
    """

    name: str
    use: str
    serial: str
    not_before: str
    not_after: str
    sha256: str
    revoked: str = ""
    alternative: tuple[str, ...] = ()

    @property
    def renew_from(self) -> dt.datetime:
        """When its renewal window begins."""
        return dt.datetime.fromisoformat(self.not_after) - dt.timedelta(days=RENEW_DAYS)


@dataclass(frozen=True, slots=True)
class Registry:
    """What an authority knows.

    Attributes:
        certificates: Every certificate ever issued, oldest first.
        crl_number: Highest number of a revocation list, of those for later periods too.
        crl_next_update: When the list in `crl.pem` ends, RFC 3339.
        crl_ahead: How many lists for later periods there are.
    """

    certificates: tuple[Issued, ...]
    crl_number: int
    crl_next_update: str
    crl_ahead: int


def read_registry(directory: Path) -> Registry:
    """Return what the authority of a directory knows.

    Raises:
        InputError: The file is missing or malformed.
    """
    path = directory / REGISTRY_FILE
    raw = read_bounded(path, _MAX_BYTES, what="certificate registry", remedy="restore a backup")
    fields = Fields(loads(raw, what="certificate registry", max_bytes=_MAX_BYTES), str(path))
    found = Registry(
        tuple(
            _read_entry(entry)
            for entry in fields.objects("certificates", max_items=MAX_CERTIFICATES)
        ),
        fields.integer("crl_number", 0, 1 << 62),
        fields.text("crl_next_update", max_length=40),
        fields.integer("crl_ahead", 0, _MAX_AHEAD),
    )
    fields.done()
    return found


def write_registry(directory: Path, registry: Registry) -> None:
    """Replace the registry of a directory, whole or not at all.

    Raises:
        StateError: It has grown beyond what is read again.
    """
    data = json.dumps(asdict(registry), indent=1).encode() + b"\n"
    if len(data) > _MAX_BYTES:
        raise StateError(
            f"the certificate registry would have {len(data)} bytes, at most {_MAX_BYTES} are read",
            where=str(directory / REGISTRY_FILE),
            remedy="make a new authority in another directory and change over to it",
        )
    write_atomic(directory / REGISTRY_FILE, data)


def standing(entry: Issued, newest: dict[str, str], now: dt.datetime) -> Standing:
    """Return how a certificate stands; `newest` names the last serial number of each name."""
    if entry.revoked:
        return Standing.REVOKED
    if now > dt.datetime.fromisoformat(entry.not_after):
        return Standing.EXPIRED
    if newest[entry.name] != entry.serial:
        return Standing.SUPERSEDED
    return Standing.RENEW if now >= entry.renew_from else Standing.IN_FORCE


def _read_entry(fields: Fields) -> Issued:
    use = fields.choice("use", Use)
    times = {name: fields.text(name, max_length=40) for name in ("not_before", "not_after")}
    entry = Issued(
        name=fields.text("name", pattern=NAME.pattern),
        use=use.value,
        serial=fields.text("serial", pattern="[0-9a-f]{1,40}"),
        not_before=times["not_before"],
        not_after=times["not_after"],
        sha256=fields.hex("sha256", 64),
        revoked=fields.text("revoked", max_length=40),
        alternative=fields.texts("alternative"),
    )
    for text in (entry.not_before, entry.not_after, entry.revoked or entry.not_after):
        try:
            aware = dt.datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            fields.fail("not_after", "is not a time such as 2026-01-02T03:04:05Z")
    fields.done()
    return entry


def moment_text(moment: dt.datetime) -> str:
    """Return RFC 3339 text of whole seconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def write_rotation(
    path: Path,
    entries: tuple[tuple[Issued, Standing], ...],
    registry: Registry,
    fingerprint: str,
    keyring: Keyring,
) -> None:
    """Write which certificates are to be rotated when, for people and checklists, and seal it.

    Args:
        path: The file, such as `var/security/tls_rotation.json`.
        entries: Every certificate with its standing.
        registry: What the authority knows.
        fingerprint: SHA-256 of the CA certificate.
        keyring: Its document key seals.
    """
    document = {
        "format": "oem-tls-rotation",
        "version": 1,
        "ca_sha256": fingerprint,
        "crl": {"number": registry.crl_number - registry.crl_ahead,
                "next_update": registry.crl_next_update, "ahead": registry.crl_ahead},
        "certificates": [
            {"name": e.name, "use": e.use, "serial": e.serial, "not_before": e.not_before,
             "not_after": e.not_after, "rotate_from": moment_text(e.renew_from),
             "standing": stands.value, "revoked": e.revoked}
            for e, stands in entries
        ],
    }  # fmt: skip
    write_atomic(path, json.dumps(document, indent=1).encode() + b"\n")
    seal_file(path, keyring, media_type="application/json", claims={"registry": "tls-rotation"})
