"""Sidecar seals: `report.pdf` is sealed by `report.pdf.dsse.json` beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import open_envelope, seal_payload
from oem_security.envelope.policy import POLICIES, PayloadType, Role, site_pins
from oem_security.errors import InputError, SealError
from oem_security.fields import Fields
from oem_security.files import open_sized, read_bounded, write_atomic
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import Json

SEAL_SUFFIX = ".dsse.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What a verified sidecar says of its file.

    Attributes:
        name: The file's name, without folder.
        size: Bytes.
        sha384: Hexadecimal SHA-384 of the content.
        media_type: Such as `application/pdf`.
        claims: Whatever the sealer stated about it.
        sealed_at: RFC 3339 time of sealing, by the sealer's clock.
        key_ids: Which key signed in which role.
    """

    name: str
    size: int
    sha384: str
    media_type: str
    claims: Mapping[str, Json]
    sealed_at: str
    key_ids: Mapping[Role, str]


def seal_path(document: Path) -> Path:
    """Return the path of the sidecar of `document`."""
    return document.with_name(document.name + SEAL_SUFFIX)


def hash_file(path: Path) -> tuple[int, str]:
    """Return size and hexadecimal SHA-384 of a regular file, read once as a stream.

    Raises:
        InputError: There is no such regular file, or it changes while it is read.
        StorageError: It cannot be read.
    """
    size, stream = open_sized(path)
    digest, buffer, total = hashlib.sha384(), memoryview(bytearray(min(_CHUNK, size + 1))), 0
    with stream:
        while total <= size and (got := stream.readinto(buffer)):
            digest.update(buffer[:got])
            total += got
    if total != size:
        raise InputError(
            "the file changed while it was read",
            where=str(path),
            remedy="stop what writes it, then repeat",
        )
    return total, digest.hexdigest()


def seal_file(
    path: Path,
    keyring: Keyring,
    *,
    media_type: str,
    claims: Mapping[str, object] | None = None,
    clock: Clock | None = None,
) -> Path:
    """Seal a file with a sidecar envelope beside it (HMAC-SHA384 and Ed25519).

    Args:
        path: The file; it is not changed.
        keyring: Its active document key seals.
        media_type: The file's media type.
        claims: JSON statements about the file, such as `{"profile": "balanced"}`.
        clock: Tells the time of sealing.

    Returns:
        The sidecar's path.

    Raises:
        InputError: There is no such file.
        StorageError: The disk refused.
    """
    size, digest = hash_file(path)
    payload = {
        "name": path.name,
        "size": size,
        "sha384": digest,
        "media_type": media_type,
        "claims": dict(claims or {}),
        "sealed_at": rfc3339((clock or SystemClock()).now_ns()),
    }
    sidecar = seal_path(path)
    write_atomic(sidecar, seal_payload(payload, PayloadType.SEAL, keyring))
    return sidecar


def verify_file(path: Path, keyring: Keyring) -> SealedFile:
    """Verify a file against its sidecar.

    Raises:
        InputError: The file or its sidecar is missing.
        SealError: The seal does not hold, or the file is not the one that was sealed.
    """
    sealed = read_seal(seal_path(path), keyring)
    if sealed.name != path.name:
        raise SealError(
            f"the seal is of {sealed.name!r}",
            where=str(path),
            remedy="put each sidecar back beside its own file",
        )
    size, stream = open_sized(path)
    stream.close()
    # a file of another size is not read: it may have no end
    digest = hash_file(path)[1] if size == sealed.size else ""
    if digest != sealed.sha384:
        raise SealError(
            f"the content is not what was sealed: {size} bytes with SHA-384 {digest[:16]}…, "
            f"sealed were {sealed.size} bytes with {sealed.sha384[:16]}…"
            if digest
            else f"the content is not what was sealed: {size} bytes, sealed were {sealed.size}",
            where=str(path),
            remedy="restore the sealed file from a backup; if the change is wanted, seal it anew",
        )
    return sealed


def read_seal(sidecar: Path, keyring: Keyring) -> SealedFile:
    """Verify a sidecar envelope alone, without its file."""
    limit = POLICIES[PayloadType.SEAL].max_bytes * 2
    data = read_bounded(sidecar, limit, what="seal", remedy="seal the file, or restore its sidecar")
    verified = open_envelope(data, PayloadType.SEAL, site_pins(keyring))
    fields = Fields(verified.value, str(sidecar))
    sealed = SealedFile(
        name=fields.text("name", pattern=r"[^/\\\0]+"),
        size=fields.integer("size", 0, 1 << 52),
        sha384=fields.hex("sha384", 96),
        media_type=fields.text("media_type"),
        claims=fields.mapping("claims"),
        sealed_at=fields.text("sealed_at", max_length=40),
        key_ids=verified.key_ids,
    )
    fields.done()
    return sealed
