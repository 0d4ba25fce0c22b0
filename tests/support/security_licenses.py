"""A site and a vendor that exchange licences, with a clock that stands where a test puts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oem_security import CapabilityGuard, Fingerprint, Journal, Keyring, KeyringKind, License
from oem_security.anchors.trusted import Anchors
from oem_security.license.install import install_license, install_revocations, trust_vendor
from oem_security.license.issue import (
    issue_license,
    publish_revocations,
    rebind_license,
    renew_license,
    revoke_license,
)
from oem_security.license.paths import LicensePaths
from oem_security.license.request import LicenseRequest, create_request, read_request
from oem_security.license.terms import LicenseTerms
from oem_security.license.verify import verify_license

DEVICE = {"machine_id": "m1", "cpu": "c1", "mac": "a1", "disk": "d1"}
OTHER = {"machine_id": "m2", "cpu": "c2", "mac": "a2", "disk": "d1"}
SECOND = 10**9
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
T0 = 1_800_000_000 * SECOND


@dataclass
class At:
    ns: int = T0

    def now_ns(self) -> int:
        return self.ns


@dataclass
class Trade:
    """One site, one vendor."""

    site: Keyring
    vendor: Keyring
    paths: LicensePaths
    registry: Path
    clock: At = field(default_factory=At)

    @classmethod
    def begin(cls, folder: Path) -> Trade:
        site = Keyring.create(folder / "keys", clock=At())
        vendor = Keyring.create(folder / "vendor", KeyringKind.VENDOR, clock=At())
        made = cls(site, vendor, LicensePaths(folder / "licenses"), folder / "vendor.jsonl")
        trust_vendor(made.paths, Anchors.of(vendor), site, clock=made.clock)
        return made

    def ask(self, device: Mapping[str, str] = DEVICE, replaces: str = "", salt: str = "") -> bytes:
        return create_request(
            self.site,
            Fingerprint.of(device, salt=salt),
            Anchors.of(self.vendor),
            features=("paper",),
            replaces=replaces,
            clock=self.clock,
        )

    def read(self, request: bytes) -> LicenseRequest:
        return read_request(request, self.vendor)

    def answered(self, answer: Callable[..., Any], *args: object, **more: object) -> Any:
        """Call one of the vendor's functions with its keyring and its open registry."""
        with Journal.open(self.registry, self.vendor, clock=self.clock) as registry:
            return answer(*args, self.vendor, registry, **more)

    def issue(
        self, request: bytes | None = None, post_quantum: bool = False, **terms: object
    ) -> bytes:
        wanted = LicenseTerms(**{"profile": "paper", "features": ("paper",), "days": 30, **terms})  # type: ignore[arg-type]
        return self.answered(
            issue_license,
            self.read(request or self.ask()),
            wanted,
            approved_by="anna",
            post_quantum=post_quantum,
            clock=self.clock,
        )

    def renew(self, held: License, device: Mapping[str, str] = DEVICE, **more: object) -> bytes:
        request = self.ask(device, held.license_id, held.fingerprint.salt)
        return self.answered(
            renew_license,
            self.read(request),
            **{"approved_by": "anna", "days": 30, "clock": self.clock, **more},
        )

    def rebind(self, held: License, device: Mapping[str, str] = OTHER) -> bytes:
        return self.answered(
            rebind_license,
            self.read(self.ask(device, held.license_id)),
            approved_by="anna",
            reason="new board",
            clock=self.clock,
        )

    def revoke(self, held: License, reason: str = "not paid") -> None:
        self.answered(revoke_license, held.license_id, approved_by="anna", reason=reason)

    def publish(self, *, post_quantum: bool = False) -> bytes:
        return self.answered(publish_revocations, post_quantum=post_quantum, clock=self.clock)

    def install(self, data: bytes) -> License:
        return install_license(data, self.paths, self.site, clock=self.clock)

    def take_list(self, data: bytes) -> int:
        return install_revocations(data, self.paths, self.site, clock=self.clock).number

    def verify(self, device: Mapping[str, str] = DEVICE, code: str = "") -> CapabilityGuard:
        return verify_license(self.paths, self.site, device, clock=self.clock, one_time_code=code)

    def licensed(self, **terms: object) -> License:
        return self.install(self.issue(**terms))

    def elsewhere(self, folder: Path) -> Trade:
        """Return another site of the same vendor."""
        site = Keyring.create(folder / "keys", clock=At())
        made = replace(self, site=site, paths=LicensePaths(folder / "licenses"))
        trust_vendor(made.paths, Anchors.of(self.vendor), site, clock=self.clock)
        return made
