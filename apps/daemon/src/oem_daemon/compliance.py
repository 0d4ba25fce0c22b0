"""What is known of licence and client at the moment of a decision."""

from __future__ import annotations

from dataclasses import dataclass

from oem_daemon.config.model import Client
from oem_daemon.license_watch import LicenseWatch
from oem_tco import ComplianceFacts

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Compliance:
    """Asks the licence at each decision, so that one that ends stops entries while it runs.

    Attributes:
        watch: The licence as it was found last.
        client: What the operator has established of the client.
        mode: Stage the site runs in.
    """

    watch: LicenseWatch
    client: Client
    mode: str

    def facts(self) -> ComplianceFacts:
        """Return the facts as they stand now, by the guard's own clock."""
        guard = self.watch.guard
        left_ns = guard.license.ends_ns - guard.clock.now_ns()
        return ComplianceFacts(
            licence_features=frozenset(guard.features),
            licence_valid=left_ns > 0 and self.watch.refusal is None,
            kyc_ok=self.client.kyc,
            aml_ok=self.client.aml,
            mode=self.mode,
            licence_days_left=left_ns / _DAY_NS,
        )
