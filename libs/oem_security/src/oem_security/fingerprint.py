"""Which device this is: salted digests of what identifies it, and how much may change.

Each probe reads one component. Only salted digests leave the machine, so a stored fingerprint
tells nobody a serial number.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oem_security.envelope import open_payload, seal_payload
from oem_security.errors import FingerprintError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.keyring import Keyring
from oem_security.policy import PayloadType

WEIGHTS: Mapping[str, int] = {"machine_id": 3, "cpu": 2, "mac": 2, "disk": 2}
"""How much each component counts; what no probe found counts nothing."""
MANDATORY = frozenset({"machine_id"})
DEGRADED_SHARE = 0.75
REBIND_SHARE = 0.5


class Probe(Protocol):
    """Reads one component of the device; replaceable by an integrator."""

    @property
    def component(self) -> str:
        """Name of the component, a key of `WEIGHTS`."""
        ...

    def read(self) -> str:
        """Return what identifies the component, or an empty string when it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class LinuxProbe:
    """Reads one component from the files Linux shows.

    Attributes:
        component: `machine_id`, `cpu`, `mac` or `disk`.
        root: Root of the file system to look at.
    """

    component: str
    root: Path = Path("/")

    def read(self) -> str:
        reader = {
            "machine_id": self._machine_id,
            "cpu": self._cpu,
            "mac": self._mac,
            "disk": self._disk,
        }[self.component]
        return reader()

    def _machine_id(self) -> str:
        for name in ("etc/machine-id", "var/lib/dbus/machine-id", "sys/class/dmi/id/product_uuid"):
            found = _text(self.root / name)
            if found:
                return found
        return _text(self.root / "etc/hostname")

    def _cpu(self) -> str:
        wanted = ("vendor_id", "cpu family", "model", "model name", "stepping", "CPU part")
        lines = _text(self.root / "proc/cpuinfo").split("\n\n")[0].splitlines()
        return "\n".join(line for line in lines if line.split(":")[0].strip() in wanted)

    def _mac(self) -> str:
        links = sorted((self.root / "sys/class/net").glob("*"))
        # a virtual adapter has no device behind it
        addresses = [_text(link / "address") for link in links if (link / "device").exists()]
        return "\n".join(a for a in addresses if a.strip("0:"))

    def _disk(self) -> str:
        serials = []
        for block in sorted((self.root / "sys/block").glob("*")):
            for name in ("device/serial", "serial", "device/wwid", "wwid"):
                found = _text(block / name)
                if found:
                    serials.append(found)
                    break
        return "\n".join(serials)


def default_probes(root: Path = Path("/")) -> tuple[Probe, ...]:
    """Return the probes of this platform."""
    return tuple(LinuxProbe(component, root) for component in WEIGHTS)


def probe_device(probes: Iterable[Probe] | None = None) -> dict[str, str]:
    """Return what every probe reads, by component; what cannot be read is left out."""
    found = {p.component: p.read() for p in (default_probes() if probes is None else probes)}
    return {component: text for component, text in found.items() if text}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Salted digests of a device's components.

    Attributes:
        salt: 16 random bytes, hex; digests of another salt cannot be compared.
        digests: Component to HMAC-SHA384 of what was read, keyed by the salt, hex.
    """

    salt: str
    digests: Mapping[str, str]

    @property
    def identity(self) -> str:
        """One value for the whole fingerprint, hex; what licences and tokens are bound to."""
        text = self.salt + "".join(f"|{k}={v}" for k, v in sorted(self.digests.items()))
        return hashlib.sha384(text.encode()).hexdigest()

    def as_json(self) -> dict[str, object]:
        return {"salt": self.salt, "digests": dict(self.digests)}

    @classmethod
    def of(cls, observation: Mapping[str, str], *, salt: str = "") -> Fingerprint:
        """Return the fingerprint of an observation.

        Raises:
            FingerprintError: A mandatory component could not be read.
        """
        missing = MANDATORY - set(observation)
        if missing:
            raise FingerprintError(
                f"the device shows no {', '.join(sorted(missing))}",
                where="fingerprint",
                remedy="give the machine an identifier (systemd-machine-id-setup) and try again",
            )
        salt = salt or secrets.token_hex(16)
        return cls(salt, {name: _digest(salt, name, text) for name, text in observation.items()})

    @classmethod
    def from_fields(cls, fields: Fields) -> Fingerprint:
        """Return the fingerprint that a document states."""
        salt = fields.text("salt", pattern="[0-9a-f]{32}")
        digests = fields.mapping("digests")
        fields.done()
        for name, digest in digests.items():
            if name not in WEIGHTS or not isinstance(digest, str) or len(digest) != 96:
                fields.fail("digests", f"has a malformed component {name!r}")
        return cls(salt, {name: str(digest) for name, digest in digests.items()})


class Match(enum.Enum):
    """How well a device fits a fingerprint."""

    MATCH = "match"
    DEGRADED = "degraded"
    REBIND_REQUIRED = "rebind_required"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class FingerprintVerdict:
    """How well the device fits, and which components say so.

    Attributes:
        match: The verdict.
        share: Weight of the components that fit, as a share of all that were expected.
        changed: Components that read differently; missing ones could not be read.
    """

    match: Match
    share: float
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return self.match in (Match.MATCH, Match.DEGRADED)


def compare(expected: Fingerprint, observation: Mapping[str, str]) -> FingerprintVerdict:
    """Compare a device with a stored fingerprint.

    All fit: match. A mandatory component does not, or less than half by weight does: mismatch.
    At least three quarters fit: degraded. Between: rebind required.
    """
    missing = tuple(sorted(set(expected.digests) - set(observation)))
    changed = tuple(
        sorted(
            name
            for name, digest in expected.digests.items()
            if name in observation
            and not hmac.compare_digest(digest, _digest(expected.salt, name, observation[name]))
        )
    )
    total = sum(WEIGHTS[name] for name in expected.digests)
    lost = sum(WEIGHTS[name] for name in (*missing, *changed))
    share = (total - lost) / total if total else 0.0
    if not missing and not changed and total:
        match = Match.MATCH
    elif MANDATORY & {*missing, *changed} or share < REBIND_SHARE:
        match = Match.MISMATCH
    else:
        match = Match.DEGRADED if share >= DEGRADED_SHARE else Match.REBIND_REQUIRED
    return FingerprintVerdict(match, share, changed, missing)


def save_fingerprint(path: Path, fingerprint: Fingerprint, keyring: Keyring) -> None:
    """Write a fingerprint, sealed by the site."""
    write_atomic(path, seal_payload(fingerprint.as_json(), PayloadType.DOCUMENT, keyring))


def load_fingerprint(path: Path, keyring: Keyring) -> Fingerprint:
    """Read a sealed fingerprint.

    Raises:
        InputError: There is none.
        SealError: Its seal does not hold.
    """
    data = read_bounded(
        path,
        1 << 20,
        what="expected fingerprint",
        remedy="a request takes one: oem license request",
    )
    return Fingerprint.from_fields(
        Fields(open_payload(data, PayloadType.DOCUMENT, keyring), str(path))
    )


def _digest(salt: str, component: str, text: str) -> str:
    return hmac.digest(bytes.fromhex(salt), f"{component}\0{text}".encode(), "sha384").hex()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
