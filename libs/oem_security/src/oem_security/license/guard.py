"""What a verified licence grants, now and as time goes on."""

from __future__ import annotations

import enum

from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.errors import LicenseError
from oem_security.fingerprint.fingerprint import FingerprintVerdict
from oem_security.keys.key import DAY_NS
from oem_security.license.terms import License
from oem_security.values import dataclass, field

_WARN_DAYS = 30


class Trust(enum.Enum):
    """Whose word a licence or a bundle is; it stands in every verdict."""

    VENDOR = "vendor"
    """Signed by the vendor whose keys this site trusts."""
    SELF_SIGNED = "self-signed"
    """Signed by the site itself, where there is no vendor: for trying out."""
    WHITELISTED = "whitelisted"
    """Signed by nobody who is known, and put on this site's own list by an operator."""


class Standing(enum.Enum):
    """Where in its life a licence is."""

    VALID = "valid"
    TRIAL = "trial"
    """Valid, and some of what it grants ends with the trial."""
    GRACE = "grace"
    """Past its end, and within its days of grace."""


@dataclass(frozen=True, slots=True)
class CapabilityGuard:
    """Answers what the verified licence grants, now and as time goes on.

    Attributes:
        license: The licence.
        device: How well this device fits, and on what basis it is accepted.
        trust: Whose word the licence is.
        list_number: Number of the revocation list it was held against; 0 for none.
        list_age_days: Age of the vendor's newest word on revocations.
        verified_ns: When it was verified.
        clock: Tells the time at each question.
    """

    license: License
    device: FingerprintVerdict
    trust: Trust = Trust.VENDOR
    list_number: int = 0
    list_age_days: int = 0
    verified_ns: int = 0
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)

    @property
    def standing(self) -> Standing:
        """Where in its life the licence is now."""
        now = self.clock.now_ns()
        if now >= self.license.not_after_ns:
            return Standing.GRACE
        trial = self.license.terms.trial_features and now < self.license.trial_until_ns
        return Standing.TRIAL if trial else Standing.VALID

    @property
    def features(self) -> tuple[str, ...]:
        """What is granted now."""
        return self.license.features_at(self.clock.now_ns())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know though everything holds."""
        now, held = self.clock.now_ns(), self.license
        found = []
        if now >= held.not_after_ns:
            found.append(f"the licence ended; its grace ends at {rfc3339(held.ends_ns)[:19]}Z")
        elif now >= held.not_after_ns - _WARN_DAYS * DAY_NS:
            found.append(f"the licence ends at {rfc3339(held.not_after_ns)[:19]}Z")
        if self.standing is Standing.TRIAL:
            names = ", ".join(held.terms.trial_features)
            found.append(f"{names} on trial until {rfc3339(held.trial_until_ns)[:19]}Z")
        allowed = held.terms.list_max_age_days
        if allowed and self.list_age_days * 4 >= allowed * 3:
            found.append(
                f"the vendor's word on revocations is {self.list_age_days} of {allowed} days old"
            )
        if self.device.words != "match":
            found.append(f"device {self.device.words}")
        if self.trust is not Trust.VENDOR:
            found.append(f"the licence is {self.trust.value}")
        return tuple(found)

    def require(self, feature: str) -> None:
        """Raise LicenseError unless the licence grants the feature, now.

        Example:
            guard.require("live")
        """
        now, held = self.clock.now_ns(), self.license
        if now >= held.ends_ns:
            raise expired(held)
        granted = held.features_at(now)
        if feature in granted:
            return
        if feature in held.terms.trial_features:
            raise LicenseError(
                f"the trial of {feature!r} ended at {rfc3339(held.trial_until_ns)}",
                where=held.license_id,
                remedy="ask the vendor for a licence that grants it: oem license request",
            )
        raise LicenseError(
            f"the licence does not grant {feature!r}",
            where=held.license_id,
            remedy=f"it grants {', '.join(granted)}; ask the vendor for a wider licence",
        )

    def require_bundle(self, released_ns: int) -> None:
        """Raise LicenseError if a bundle was released after the licence's maintenance ended.

        Args:
            released_ns: When the bundle was released, UTC nanoseconds.
        """
        until = self.license.maintenance_until_ns or self.license.not_after_ns
        if released_ns > until:
            raise LicenseError(
                f"the bundle was released at {rfc3339(released_ns)}, and maintenance ended at "
                f"{rfc3339(until)}",
                where=self.license.license_id,
                remedy="use an earlier bundle, or renew the maintenance",
            )


def expired(found: License) -> LicenseError:
    """Return the error that says a licence is past its grace."""
    return LicenseError(
        f"the licence expired at {rfc3339(found.ends_ns)}",
        where=found.license_id,
        remedy="request a renewal: oem license request --renew",
    )
