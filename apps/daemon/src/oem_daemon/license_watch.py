"""Looks at the licence again while the daemon runs, as at its start.

So a revocation or a renewal installed meanwhile is obeyed, and the time that has been is written
down hour by hour: a clock set back after a long run is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

from oem_daemon.device import observe
from oem_daemon.site import Site
from oem_security import CapabilityGuard, Keyring, OemSecurityError, verify_license
from oem_security.clock import Clock
from oem_security.license.paths import LicensePaths

WATCH_S = 900.0
"""Seconds between two looks; less than the hour after which a time counts as confirmed."""


@dataclass(slots=True)
class LicenseWatch:
    """The licence as it was found last.

    Attributes:
        site: The site.
        keyring: Its keyring.
        guard: Answers of the last look that held.
        refusal: Why the last look did not hold, or None.
        clock: Tells the time; None for the system's.
    """

    site: Site
    keyring: Keyring
    guard: CapabilityGuard
    refusal: OemSecurityError | None = None
    clock: Clock | None = None

    def look(self) -> bool:
        """Verify the licence now; returns whether the answer is another than before."""
        before = self.refusal
        try:
            self.guard = verify_license(
                LicensePaths(self.site.licenses),
                self.keyring,
                observe(self.site),
                clock=self.clock,
            )
            self.refusal = None
        except OemSecurityError as error:
            self.refusal = error
        return str(before) != str(self.refusal)
