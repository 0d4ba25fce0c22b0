"""What is known of licence and client at the moment of a decision."""

from __future__ import annotations

from dataclasses import dataclass

from oem_daemon.config.model import Client
from oem_security import CapabilityGuard
from oem_tco import ComplianceFacts

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Compliance:
    """Asks the licence at each decision, so that one that ends stops entries while it runs.

    Attributes:
        guard: The verified licence.
        client: What the operator has established of the client.
        mode: Stage the site runs in.
    """

    guard: CapabilityGuard
    client: Client
    mode: str

    def facts(self) -> ComplianceFacts:
        """Return the facts as they stand now, by the guard's own clock."""
        left_ns = self.guard.license.ends_ns - self.guard.clock.now_ns()
        return ComplianceFacts(
            licence_features=frozenset(self.guard.features),
            licence_valid=left_ns > 0,
            kyc_ok=self.client.kyc,
            aml_ok=self.client.aml,
            mode=self.mode,
            licence_days_left=left_ns / _DAY_NS,
        )
