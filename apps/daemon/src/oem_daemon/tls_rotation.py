"""The register of a site's certificates: which of them is to be rotated when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oem_daemon.site import Site
from oem_security import Keyring
from oem_security.mtls.registry import write_rotation

if TYPE_CHECKING:
    from oem_security import CertificateAuthority


def record_rotation(site: Site, authority: CertificateAuthority) -> None:
    """Write `var/security/tls_rotation.json`, sealed: the register that checklists ask for."""
    write_rotation(
        site.tls_rotation,
        authority.standings(),
        authority.registry(),
        authority.fingerprint,
        Keyring.open(site.keys),
    )
