"""What a site remembers between two looks at its licence, authenticated by its device key.

The time that has been, the newest licence and revocation list that were held, and which files
were verified in full. Without it an old licence, an old list or an old clock would do; so it is
written when a licence is installed, and a licence without it is not accepted.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from oem_security.clock import NS_PER_SECOND
from oem_security.errors import InputError, LicenseError
from oem_security.files import exclusive, read_bounded, write_atomic
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import Keyring
from oem_security.time_floor import TimeFloor
from oem_security.values import dataclass, field, replace

_WHAT = "licence state"
_CONTEXT = b"oem-license-state-v1\n"
_USE = "license-state"
_MAX_BYTES = 4096
_WAIT_S = 5.0
_NAMES = (
    "floor",
    "candidate",
    "signed",
    "issued",
    "revision",
    "list_number",
    "anchors",
    "vendor",
    "list",
    "lease_until",
    "lease_device",
    "lease_step",
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A fallback that was accepted for a device that reads differently.

    Attributes:
        until_ns: When it ends, UTC nanoseconds.
        device: What the device read then, by the licence's salt, hex; another device has none.
        step: Step of the last one-time password accepted; it is not accepted again.
    """

    until_ns: int = 0
    device: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class LicenseState:
    """What is remembered.

    Attributes:
        time: The time that has been.
        issued_ns: Issue of the newest licence that was installed; an older one is a replay.
        revision: Its revision.
        list_number: Number of the newest revocation list that was installed; 0 for none.
        anchors_sha384: Digest of the trust anchors whose seal was verified, hex.
        vendor: The vendor's keys that stand in them, hex, one after another.
        list_sha384: Digest of the revocation list that was installed, hex.
        lease: The fallback that was accepted last.
    """

    time: TimeFloor = field(default_factory=TimeFloor)
    issued_ns: int = 0
    revision: int = 0
    list_number: int = 0
    anchors_sha384: str = ""
    vendor: str = ""
    list_sha384: str = ""
    lease: Lease = field(default_factory=Lease)

    def joined(self, other: LicenseState) -> LicenseState:
        """Return what two processes know together, when both learned something at once."""
        newer = self if self.issued_ns >= other.issued_ns else other
        listed = self if self.list_number >= other.list_number else other
        lease = self.lease if self.lease.step >= other.lease.step else other.lease
        time = self.time if self.time.signed_ns >= other.time.signed_ns else other.time
        if self.time.signed_ns == other.time.signed_ns:
            time = time.at_least(max(self.time.floor_ns, other.time.floor_ns))
        return replace(
            self,
            time=time,
            issued_ns=newer.issued_ns,
            revision=newer.revision,
            list_number=listed.list_number,
            list_sha384=listed.list_sha384,
            lease=lease,
        )


def read_state(path: Path, keyring: Keyring) -> LicenseState | None:
    """Return what is remembered, or None where there is no file.

    Raises:
        LicenseError: The file was changed by someone without this site's device key.
    """
    try:
        data = read_bounded(path, _MAX_BYTES, what=_WHAT)
    except InputError:
        if not path.exists():
            return None
        raise _broken(path) from None
    body, _, mac = data.rstrip(b"\n").rpartition(b" ")
    try:
        signature = bytes.fromhex(mac.decode("ascii"))
        keys = [epoch.mac_key(_USE) for epoch in keyring.usable(Purpose.DEVICE)]
        if not any(key.verifies(signature, _CONTEXT + body) for key in keys):
            raise _broken(path)
        return _state(body.decode("ascii"))
    except ValueError as error:
        raise _broken(path) from error


def write_state(path: Path, keyring: Keyring, state: LicenseState) -> None:
    """Keep what is remembered, whole or not at all."""
    body = _text(state).encode()
    mac = keyring.active(Purpose.DEVICE).mac_key(_USE).sign(_CONTEXT + body)
    write_atomic(path, body + b" " + mac.hex().encode() + b"\n", mode=0o600)


def changing(path: Path) -> AbstractContextManager[None]:
    """Hold the state alone while it is read, changed and written.

    Raises:
        StateError: Another process has held it for longer than that takes.
    """
    return exclusive(path.with_name(f"{path.name}.lock"), what=_WHAT, wait_s=_WAIT_S)


def _state(text: str) -> LicenseState:
    """Return the state of a text that this site authenticated; it is one line of `name=value`."""
    parts = text.split(" ")
    values = [part[at:] for part, at in zip(parts, _AT, strict=True)]
    if " ".join(map(_joined, _NAMES, values)) != text:
        raise ValueError("not the fields of this version")
    floor, candidate, signed, issued, revision, list_number, *rest = values
    anchors, vendor, listed, until, device, step = rest
    return LicenseState(
        TimeFloor(
            int(floor) * NS_PER_SECOND, int(candidate) * NS_PER_SECOND, int(signed) * NS_PER_SECOND
        ),
        int(issued) * NS_PER_SECOND,
        int(revision),
        int(list_number),
        anchors,
        vendor,
        listed,
        Lease(int(until) * NS_PER_SECOND, device, int(step)),
    )


def _text(state: LicenseState) -> str:
    times = (state.time.floor_ns, state.time.candidate_ns, state.time.signed_ns, state.issued_ns)
    values = (
        *(at // NS_PER_SECOND for at in times),
        state.revision,
        state.list_number,
        state.anchors_sha384,
        state.vendor,
        state.list_sha384,
        state.lease.until_ns // NS_PER_SECOND,
        state.lease.device,
        state.lease.step,
    )
    return " ".join(map(_joined, _NAMES, values))


_joined = "{}={}".format
_AT = tuple(len(name) + 1 for name in _NAMES)
"""Where the value of each field begins."""


def _broken(path: Path) -> LicenseError:
    return LicenseError(
        "the licence state was changed",
        where=str(path),
        remedy="restore it from a backup, or have the vendor issue the licence again",
    )
