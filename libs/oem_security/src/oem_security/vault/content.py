"""What stands in a vault's file, read strictly; nothing of it is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oem_security.errors import MalformedError
from oem_security.fields import Fields, b64
from oem_security.strict_json import Json, loads_object
from oem_security.vault.kdf import Kdf

MAX_BYTES = 16 << 20
MAX_SECRET_BYTES = 64 << 10
MAX_SECRETS = 10_000
WHAT = "vault"
KEY = 32
"""Bytes of each of a vault's two keys."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One encrypted secret."""

    version: int
    nonce: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """Everything in the file but its tag."""

    id: str
    version: int
    kdf: Kdf
    wrap_nonce: bytes
    wrapped: bytes
    secrets: Mapping[str, Sealed]

    def as_json(self) -> dict[str, Json]:
        return {
            "vault": 1,
            "id": self.id,
            "version": self.version,
            "kdf": self.kdf.as_json(),
            "key": {"nonce": b64(self.wrap_nonce), "data": b64(self.wrapped)},
            "secrets": {
                name: {"version": s.version, "nonce": b64(s.nonce), "data": b64(s.data)}
                for name, s in sorted(self.secrets.items())
            },
        }


def parse_vault(data: bytes) -> tuple[Content, bytes]:
    """Return the content of a vault file and its tag; nothing is verified yet.

    Raises:
        MalformedError: It is not a vault.
    """
    fields = Fields(loads_object(data, what=WHAT, max_bytes=MAX_BYTES), WHAT)
    fields.integer("vault", 1, 1)
    key = fields.object("key")
    entries: dict[str, Sealed] = {}
    stored = fields.mapping("secrets")
    if len(stored) > MAX_SECRETS:
        raise MalformedError("too many secrets", where=WHAT, remedy="fetch an intact copy")
    for name, value in stored.items():
        entry = Fields(value, f"secret {name!r}")
        entries[name] = Sealed(
            entry.integer("version", 1, 1 << 40),
            entry.bytes_b64("nonce", length=12),
            entry.bytes_b64("data", max_length=MAX_SECRET_BYTES + 16),
        )
        entry.done()
    content = Content(
        fields.text("id", pattern="[0-9a-f]{16}"),
        fields.integer("version", 1, 1 << 40),
        Kdf.from_json(fields.take("kdf")),
        key.bytes_b64("nonce", length=12),
        key.bytes_b64("data", length=2 * KEY + 16),
        entries,
    )
    key.done()
    tag = fields.bytes_b64("tag", length=48)
    fields.done()
    return content, tag
