"""What a site remembers between two looks at its licence, authenticated by its device key.

The time that has been, the newest licence and revocation list that were held, and which files
were verified in full. Without it an old licence, an old list or an old clock would do; so it is
written when a licence is installed, and a licence without it is not accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from oem_security.clock import NS_PER_SECOND
from oem_security.errors import LicenseError, OemSecurityError
from oem_security.fields import Fields, b64
from oem_security.files import read_bounded, write_atomic
from oem_security.keyring import Keyring
from oem_security.keys import Purpose
from oem_security.strict_json import canonical, loads_object
from oem_security.time_floor import TimeFloor

_WHAT = "licence state"
_CONTEXT = b"oem-license-state-v1\n"
_USE = "license-state"
_LATEST_S = 1 << 33
_MAX_BYTES = 4096
_DIGEST = "[0-9a-f]{96}|"


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
        list_sha384: Digest of the revocation list whose signature was verified, hex.
        lease: The fallback that was accepted last.
    """

    time: TimeFloor = field(default_factory=TimeFloor)
    issued_ns: int = 0
    revision: int = 0
    list_number: int = 0
    anchors_sha384: str = ""
    list_sha384: str = ""
    lease: Lease = field(default_factory=Lease)


def read_state(path: Path, keyring: Keyring) -> LicenseState | None:
    """Return what is remembered, or None where there is no file.

    Raises:
        LicenseError: The file was changed by someone without this site's device key.
    """
    try:
        data = read_bounded(path, _MAX_BYTES, what=_WHAT)
        value = loads_object(data, what=_WHAT, max_bytes=_MAX_BYTES)
        mac = Fields({"mac": value.pop("mac", "")}, _WHAT).bytes_b64("mac", length=48)
        message = _CONTEXT + canonical(value)
        keys = [epoch.mac_key(_USE) for epoch in keyring.usable(Purpose.DEVICE)]
        if not any(key.verifies(mac, message) for key in keys):
            raise _broken(path)
        return _state(Fields(value, _WHAT))
    except OemSecurityError as error:
        if not path.exists():
            return None
        raise _broken(path) from error


def write_state(path: Path, keyring: Keyring, state: LicenseState) -> None:
    """Keep what is remembered, whole or not at all."""
    value = _as_json(state)
    mac = keyring.active(Purpose.DEVICE).mac_key(_USE).sign(_CONTEXT + canonical(value))
    write_atomic(path, canonical({**value, "mac": b64(mac)}) + b"\n", mode=0o600)


def _state(fields: Fields) -> LicenseState:
    def seconds(name: str) -> int:
        return fields.integer(name, 0, _LATEST_S) * NS_PER_SECOND

    found = LicenseState(
        time=TimeFloor(seconds("floor"), seconds("candidate"), seconds("signed")),
        issued_ns=seconds("issued"),
        revision=fields.integer("revision", 0, 1 << 30),
        list_number=fields.integer("list_number", 0, 1 << 40),
        anchors_sha384=fields.text("anchors", pattern=_DIGEST),
        list_sha384=fields.text("list", pattern=_DIGEST),
        lease=Lease(
            seconds("lease_until"),
            fields.text("lease_device", pattern=_DIGEST),
            fields.integer("lease_step", 0, _LATEST_S),
        ),
    )
    fields.done()
    return found


def _as_json(state: LicenseState) -> dict[str, object]:
    # whole seconds: nanoseconds are beyond what the numbers of RFC 8785 hold
    times = {
        "floor": state.time.floor_ns,
        "candidate": state.time.candidate_ns,
        "signed": state.time.signed_ns,
        "issued": state.issued_ns,
        "lease_until": state.lease.until_ns,
    }
    return {
        **{name: at // NS_PER_SECOND for name, at in times.items()},
        "revision": state.revision,
        "list_number": state.list_number,
        "anchors": state.anchors_sha384,
        "list": state.list_sha384,
        "lease_device": state.lease.device,
        "lease_step": state.lease.step,
    }


def _broken(path: Path) -> LicenseError:
    return LicenseError(
        "the licence state was changed",
        where=str(path),
        remedy="restore it from a backup, or have the vendor issue the licence again",
    )
