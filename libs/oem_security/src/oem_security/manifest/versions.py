"""The highest version of each manifest that was accepted: versions never go back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oem_security.envelope.dsse import open_payload, seal_payload
from oem_security.envelope.policy import PayloadType
from oem_security.errors import ManifestError, OemSecurityError
from oem_security.fields import Fields
from oem_security.files import exclusive, read_bounded, write_atomic
from oem_security.keys.keyring import Keyring
from oem_security.manifest.manifest import Manifest
from oem_security.strict_json import Json

_MAX_BYTES = 1 << 20
_WAIT_S = 10.0
_WHAT = "manifest versions"


@dataclass(frozen=True, slots=True)
class _Seen:
    """The newest version of one name, and what was in it; empty where that was not kept."""

    version: int
    sha384: str


class ManifestVersions:
    """Versions seen by a site, in a sealed document.

    Args:
        path: The document; made on first use. Who deletes it makes older versions acceptable.
        keyring: The site's keyring.
    """

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._path = path
        self._keyring = keyring

    def accept(self, manifest: Manifest) -> None:
        """Remember a manifest that was verified.

        Raises:
            ManifestError: A newer version of that name was accepted before, or the same version
                with other files, or the document does not hold.
        """
        digest = manifest.sha384
        if self._judged(self._read(), manifest, digest):
            return
        with exclusive(self._path.with_name(f"{self._path.name}.lock"), what=_WHAT, wait_s=_WAIT_S):
            seen = self._read()
            if self._judged(seen, manifest, digest):
                return
            seen[manifest.name] = _Seen(manifest.version, digest)
            stated = {
                name: {"version": one.version, "sha384": one.sha384} if one.sha384 else one.version
                for name, one in sorted(seen.items())
            }
            payload: dict[str, object] = {"manifest_versions": stated}
            data = seal_payload(payload, PayloadType.DOCUMENT, self._keyring)
            if len(data) > _MAX_BYTES:
                raise ManifestError(
                    f"the memory of {len(seen)} names is full",
                    where=str(self._path),
                    remedy="keep to fewer names: versions of one name follow each other",
                )
            write_atomic(self._path, data)

    def _judged(self, seen: dict[str, _Seen], manifest: Manifest, digest: str) -> bool:
        """Tell whether a manifest is the one that is known; False where it is news."""
        newest = seen.get(manifest.name)
        if newest is None or manifest.version > newest.version:
            return False
        if manifest.version < newest.version:
            raise ManifestError(
                f"version {manifest.version} of {manifest.name!r}, and {newest.version} was "
                "accepted before",
                where=str(self._path),
                remedy="install the newest bundle; an older one is not accepted again",
            )
        if newest.sha384 and newest.sha384 != digest:
            raise ManifestError(
                f"version {manifest.version} of {manifest.name!r} was accepted with other files "
                "before",
                where=str(self._path),
                remedy="seal what is wanted under the next version; if nobody sealed it twice, "
                "keep both manifests as evidence",
            )
        return bool(newest.sha384)

    def _read(self) -> dict[str, _Seen]:
        if not self._path.exists():
            return {}
        try:
            data = read_bounded(self._path, _MAX_BYTES, what=_WHAT)
            fields = Fields(open_payload(data, PayloadType.DOCUMENT, self._keyring), _WHAT)
            found = fields.mapping("manifest_versions")
            fields.done()
            return {name: _seen(name, value) for name, value in found.items()}
        except OemSecurityError as error:
            raise ManifestError(
                f"the versions seen do not hold: {error.what}",
                where=str(self._path),
                remedy="restore it from a backup",
            ) from error


def _seen(name: str, value: Json) -> _Seen:
    if not isinstance(value, dict):  # as it was written before the files were remembered
        return _Seen(Fields({name: value}, _WHAT).integer(name, 1, 1 << 40), "")
    fields = Fields(value, f"{_WHAT}.{name}")
    one = _Seen(fields.integer("version", 1, 1 << 40), fields.hex("sha384", 96))
    fields.done()
    return one
