"""The counter beside a vault: the highest version that was seen, under the vault's second key."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from pathlib import Path

from oem_security.errors import OemSecurityError, VaultError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.strict_json import canonical, loads_object
from oem_security.vault.content import KEY, WHAT

FLOOR_SUFFIX = ".floor"


def _floor_of(path: Path) -> Path:
    return path.with_name(path.name + FLOOR_SUFFIX)


def _floor_mac(key: bytes, vault: str, version: int) -> str:
    message = b"oem-vault-floor-v1\n" + canonical({"vault": vault, "version": version})
    return hmac.digest(key[KEY:], message, hashlib.sha384).hex()


def write_floor(path: Path, key: bytes, vault: str, version: int) -> None:
    """Keep the version that was seen; for who holds the vault's lock."""
    value = {"mac": _floor_mac(key, vault, version), "vault": vault, "version": version}
    write_atomic(_floor_of(path), canonical(value) + b"\n", mode=0o600)


def read_floor(path: Path, key: bytes, vault: str) -> int | None:
    """Return the highest version that was seen of a vault, None where there is no counter.

    Raises:
        VaultError: The counter is of another vault or key.
        MalformedError: It is no counter.
    """
    where = _floor_of(path)
    if not where.exists():
        return None
    fields = Fields(
        loads_object(read_bounded(where, 4096, what=WHAT), what=WHAT, max_bytes=4096), WHAT
    )
    version = fields.integer("version", 1, 1 << 40)
    mac = fields.text("mac", pattern="[0-9a-f]{96}")
    if fields.text("vault") != vault or not hmac.compare_digest(
        mac, _floor_mac(key, vault, version)
    ):
        # the second key outlives every rotation, so this is the counter of another vault
        raise VaultError(
            "the counter beside the vault is not of this vault and key",
            where=str(where),
            remedy="if the vault is the right one, put it in place on purpose with: "
            "oem vault recover",
        )
    return version


def highest_seen(path: Path, key: bytes, vault: str) -> int:
    """Return the highest version that vault or counter in a place state, believed or not."""
    seen = 0
    try:
        seen = read_floor(path, key, vault) or 0
    except OemSecurityError:
        with contextlib.suppress(OemSecurityError):
            raw = read_bounded(_floor_of(path), 4096, what=WHAT)
            found = re.search(rb'"version":(\d{1,12})', raw)
            seen = int(found[1]) if found else 0
    return seen
