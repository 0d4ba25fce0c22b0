"""The latest time that is known to have been: a clock set back does not revive a licence.

A single look at the clock proves nothing, because a clock may be wrong ahead: it becomes a
candidate, and the floor rises to it only when the clock is seen to have gone on from there by an
hour. So a wrong jump forward that is put right before that leaves no trace, while normal running
raises the floor behind the clock. What the vendor signed (the issue of a licence or of a
revocation list) is a floor at once; a newly issued licence also lowers a floor that a wrong clock
raised, for the vendor's signature says what the time is.
"""

from __future__ import annotations

from oem_security.clock import NS_PER_SECOND, rfc3339
from oem_security.errors import LicenseError
from oem_security.values import dataclass, replace

SLACK_NS = 600 * NS_PER_SECOND
CONFIRM_NS = 3_600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class TimeFloor:
    """What is known of the time, UTC nanoseconds.

    Attributes:
        floor_ns: It is later than this.
        candidate_ns: The clock once stood here; not confirmed yet.
        signed_ns: Issue of the newest licence that was looked at.
    """

    floor_ns: int = 0
    candidate_ns: int = 0
    signed_ns: int = 0

    def signed(self, issued_ns: int) -> TimeFloor:
        """Return what is known once a licence of this issue is held."""
        issued = issued_ns // NS_PER_SECOND * NS_PER_SECOND
        if issued <= self.signed_ns:
            return self
        # a newer word of the vendor replaces what the clock alone said
        return TimeFloor(issued, 0, issued)

    def at_least(self, time_ns: int) -> TimeFloor:
        """Return what is known once something signed at `time_ns` is held."""
        return replace(self, floor_ns=max(self.floor_ns, time_ns // NS_PER_SECOND * NS_PER_SECOND))

    def seen(self, now_ns: int) -> TimeFloor:
        """Return what is known after a look at the clock.

        Raises:
            LicenseError: The clock stands before the floor.
        """
        if now_ns < self.floor_ns - SLACK_NS:
            raise LicenseError(
                f"the clock stands at {rfc3339(now_ns)}, and it has been "
                f"{rfc3339(self.floor_ns)} already",
                where="clock",
                remedy="set the clock of this machine right; if it was wrong ahead before, have "
                "the vendor issue the licence again",
            )
        now_ns = now_ns // NS_PER_SECOND * NS_PER_SECOND
        if self.candidate_ns and now_ns >= self.candidate_ns + CONFIRM_NS:
            return replace(
                self, floor_ns=max(self.floor_ns, self.candidate_ns), candidate_ns=now_ns
            )
        if not self.candidate_ns or now_ns < self.candidate_ns:
            return replace(self, candidate_ns=now_ns)
        return self
