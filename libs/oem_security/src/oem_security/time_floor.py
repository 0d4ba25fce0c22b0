"""The latest time that is known to have been: a clock set back does not revive a licence.

A single look at the clock proves nothing, because a clock may be wrong ahead: it becomes a
candidate, and the floor rises to it only when the clock is seen to have gone on from there by an
hour. So a wrong jump forward that is put right before that leaves no trace, while normal running
raises the floor behind the clock. What the vendor signed (the issue of a licence) is a floor at
once; a newly issued licence also lowers a floor that a wrong clock raised, for the vendor's
signature says what the time is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from oem_security.clock import NS_PER_SECOND, rfc3339
from oem_security.errors import LicenseError, OemSecurityError
from oem_security.fields import Fields, b64
from oem_security.files import read_bounded, write_atomic
from oem_security.keyring import Keyring
from oem_security.keys import Purpose
from oem_security.strict_json import canonical, loads_object

SLACK_NS = 600 * NS_PER_SECOND
CONFIRM_NS = 3_600 * NS_PER_SECOND
_WHAT = "time floor"
_CONTEXT = b"oem-time-floor-v1\n"
_LATEST_S = 1 << 33
_NAMES = ("floor", "candidate", "signed")


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


def read_time_floor(path: Path, keyring: Keyring) -> TimeFloor:
    """Return what is known of the time; nothing where there is no file yet.

    Raises:
        LicenseError: The file was changed by someone without this site's device key.
    """
    if not path.exists():
        return TimeFloor()
    try:
        value = loads_object(read_bounded(path, 4096, what=_WHAT), what=_WHAT, max_bytes=4096)
        fields = Fields(value, _WHAT)
        mac = fields.bytes_b64("mac", length=48)
        found = TimeFloor(*(fields.integer(name, 0, _LATEST_S) * NS_PER_SECOND for name in _NAMES))
        fields.done()
    except OemSecurityError as error:
        raise _broken(path) from error
    message = _CONTEXT + canonical(_as_json(found))
    keys = [epoch.mac_key("time-floor") for epoch in keyring.usable(Purpose.DEVICE)]
    if not any(key.verifies(mac, message) for key in keys):
        raise _broken(path)
    return found


def write_time_floor(path: Path, keyring: Keyring, floor: TimeFloor) -> None:
    """Keep what is known of the time."""
    value = _as_json(floor)
    mac = keyring.active(Purpose.DEVICE).mac_key("time-floor").sign(_CONTEXT + canonical(value))
    write_atomic(path, canonical({**value, "mac": b64(mac)}) + b"\n", mode=0o600)


def _as_json(floor: TimeFloor) -> dict[str, object]:
    # whole seconds: nanoseconds are beyond what the numbers of RFC 8785 hold
    times = (floor.floor_ns, floor.candidate_ns, floor.signed_ns)
    return {name: at // NS_PER_SECOND for name, at in zip(_NAMES, times, strict=True)}


def _broken(path: Path) -> LicenseError:
    return LicenseError(
        "the time floor was changed",
        where=str(path),
        remedy="restore it from a backup, or have the vendor issue the licence again",
    )
