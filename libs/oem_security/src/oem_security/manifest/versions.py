"""The highest version of each manifest that was accepted: versions never go back."""

from __future__ import annotations

from pathlib import Path

from oem_security.envelope.dsse import open_payload, seal_payload
from oem_security.envelope.policy import PayloadType
from oem_security.errors import ManifestError, OemSecurityError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.keyring import Keyring
from oem_security.manifest.manifest import Manifest

_MAX_BYTES = 1 << 20


class ManifestVersions:
    """Versions seen by a site, in a sealed document.

    Args:
        path: The document; made on first use.
        keyring: The site's keyring.
    """

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._path = path
        self._keyring = keyring

    def accept(self, manifest: Manifest) -> None:
        """Remember a manifest that was verified.

        Raises:
            ManifestError: A newer version of that name was accepted before, or the document does
                not hold.
        """
        seen = self._read()
        newest = seen.get(manifest.name, 0)
        if manifest.version < newest:
            raise ManifestError(
                f"version {manifest.version} of {manifest.name!r}, and {newest} was accepted "
                "before",
                where=str(self._path),
                remedy="install the newest bundle; an older one is not accepted again",
            )
        if manifest.version > newest:
            seen[manifest.name] = manifest.version
            self._path.parent.mkdir(parents=True, exist_ok=True)
            payload: dict[str, object] = {"manifest_versions": dict(sorted(seen.items()))}
            write_atomic(self._path, seal_payload(payload, PayloadType.DOCUMENT, self._keyring))

    def _read(self) -> dict[str, int]:
        if not self._path.exists():
            return {}
        try:
            data = read_bounded(self._path, _MAX_BYTES, what="manifest versions")
            fields = Fields(
                open_payload(data, PayloadType.DOCUMENT, self._keyring), "manifest versions"
            )
            found = fields.object("manifest_versions")
            fields.done()
            return {name: found.integer(name, 1, 1 << 40) for name in found.names()}
        except OemSecurityError as error:
            raise ManifestError(
                f"the versions seen do not hold: {error.what}",
                where=str(self._path),
                remedy="restore it from a backup",
            ) from error
