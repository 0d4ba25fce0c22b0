"""Make a site ready: keys, licence, certificates, an operator's token, a signed configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oem_daemon.device import observe
from oem_daemon.errors import NotReady
from oem_daemon.site import Site
from oem_daemon.tls_rotation import record_rotation
from oem_security import (
    Fingerprint,
    InputError,
    Journal,
    Keyring,
    KeyringKind,
    License,
    LicenseTerms,
    create_request,
    install_license,
    issue_license,
    issue_token,
    save_fingerprint,
    seal_file,
    verify_license,
)
from oem_security.anchors.trusted import Anchors
from oem_security.files import PRIVATE_FILE, make_private_dir, write_atomic
from oem_security.license.install import note_request, trust_vendor
from oem_security.license.paths import LicensePaths
from oem_security.license.request import read_request

DAY_S = 86_400


def init_site(site: Site) -> Keyring:
    """Make the site's folders and its keys.

    Raises:
        StateError: The site has keys already.
    """
    site.root.mkdir(parents=True, exist_ok=True)
    make_private_dir(site.root / "secrets")
    keyring = Keyring.create(site.keys)
    for folder in (site.config.parent, site.licenses, site.decision_logs, site.reports, site.logs):
        folder.mkdir(parents=True, exist_ok=True)
    return keyring


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's directory, which never stands on a customer's machine."""

    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def registry(self) -> Path:
        return self.root / "registry.jsonl"

    def keyring(self) -> Keyring:
        """Return the vendor's keyring, made when it is not there."""
        if (self.keys / "keyring.json").exists():
            return self.held()
        self.root.mkdir(parents=True, exist_ok=True)
        return Keyring.create(self.keys, KeyringKind.VENDOR)

    def held(self) -> Keyring:
        """Return the vendor's keyring, which must be there: a mistyped folder gets no keys.

        Raises:
            InputError: There is none.
        """
        if not (self.keys / "keyring.json").exists():
            raise InputError(
                "there are no vendor's keys",
                where=str(self.keys),
                remedy="correct the folder, or make them with: oem license anchors --vendor DIR",
            )
        return Keyring.open(self.keys)


def take_fingerprint(site: Site) -> Fingerprint:
    """Take this device's fingerprint and keep it, sealed, as the expected one."""
    fingerprint = Fingerprint.of(observe(site))
    save_fingerprint(site.expected_fingerprint, fingerprint, Keyring.open(site.keys))
    return fingerprint


def provision_license(
    site: Site, vendor: Vendor, *, features: tuple[str, ...], approved_by: str, days: int = 365
) -> License:
    """Run the whole life of a licence request: request, approval, issue, installation.

    The request and the licence are left beside each other under `var/licenses`, as they would
    travel between two machines.
    """
    keyring, paths = Keyring.open(site.keys), LicensePaths(site.licenses)
    vendor_keys = vendor.keyring()
    anchors = Anchors.of(vendor_keys)
    trust_vendor(paths, anchors, keyring)
    request = create_request(keyring, take_fingerprint(site), anchors, features=features)
    note_request(request, paths, keyring)
    write_atomic(vendor.root / "request.dsse.json", request)
    with Journal.open(vendor.registry, vendor_keys, subject="licences") as registry:
        issued = issue_license(
            read_request(request, vendor_keys),
            LicenseTerms("paper", features, days=days),
            vendor_keys,
            registry,
            approved_by=approved_by,
        )
    write_atomic(vendor.root / "license.dsse.json", issued)
    return install_license(issued, paths, keyring)


def issue_access(site: Site, *, operator: str, roles: tuple[str, ...], days: int = 30) -> Path:
    """Make the certificate authority, server and client certificates, and an operator's token.

    Returns:
        The token's file.
    """
    from oem_security import CertificateAuthority  # brings all of X.509

    authority = CertificateAuthority.create(site.mtls)
    authority.issue_server()
    authority.issue_client()
    record_rotation(site, authority)
    return issue_operator_token(site, operator=operator, roles=roles, days=days)


def issue_operator_token(
    site: Site, *, operator: str, roles: tuple[str, ...], days: int = 30, bound: bool = False
) -> Path:
    """Issue a token for the site's daemon into a private file; returns the file.

    A bound token is valid on the device of the site's licence only.

    Raises:
        InputError: The operator's name cannot be a file's name.
    """
    from oem_daemon.bootstrap import AUDIENCE

    if not operator.replace("-", "").replace("_", "").isalnum():
        raise InputError(
            f"{operator!r} cannot name a token file",
            where="operator",
            remedy="use letters, digits, '-' and '_'",
        )
    keyring = Keyring.open(site.keys)
    device = ""
    if bound:
        guard = verify_license(LicensePaths(site.licenses), keyring, observe(site))
        device = guard.license.fingerprint.identity
    token = issue_token(
        keyring,
        audience=AUDIENCE,
        subject=operator,
        roles=roles,
        ttl_s=days * DAY_S,
        device=device,
    )
    make_private_dir(site.tokens)
    path = site.tokens / f"{operator}.token"
    write_atomic(path, token.encode() + b"\n", mode=PRIVATE_FILE)
    return path


def write_config(site: Site, *, data: Path | None, bars: int, seed: int) -> None:
    """Write the first configuration of a site.

    Raises:
        NotReady: There is a configuration already.
    """
    from oem_daemon.config.template import first_config

    if site.config.exists():
        raise NotReady(
            "there is a configuration already",
            where=str(site.config),
            remedy="edit it, or move it away first",
        )
    site.config.parent.mkdir(parents=True, exist_ok=True)
    text = first_config(data=data.resolve() if data else None, bars=bars, seed=seed)
    write_atomic(site.config, text.encode())


def sign_config(site: Site) -> str:
    """Validate and seal the configuration; returns its SHA-384.

    Raises:
        ConfigError: It is missing or wrong.
    """
    from oem_daemon.config.reader import config_hash, read_config

    config = read_config(site.config)
    claims = {"stage": config.runtime.stage.value, "operator": config.operator}
    seal_file(site.config, Keyring.open(site.keys), media_type="application/yaml", claims=claims)
    return config_hash(site.config)
