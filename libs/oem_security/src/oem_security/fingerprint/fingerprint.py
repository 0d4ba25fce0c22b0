"""Which device this is: salted digests of what identifies it, and how much may change.

Each probe reads one component. Only salted digests leave the machine, so a stored fingerprint
tells nobody a serial number.
"""

from __future__ import annotations

import enum
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from hmac import compare_digest
from pathlib import Path
from typing import Protocol, cast

from oem_security.envelope.dsse import open_payload, seal_payload
from oem_security.envelope.policy import PayloadType
from oem_security.errors import FingerprintError
from oem_security.fields import Fields, is_hex
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.keyring import Keyring
from oem_security.values import dataclass, replace

WEIGHTS: Mapping[str, int] = {
    "machine_id": 3,
    "cpu": 2,
    "mac": 2,
    "disk": 2,
    "tpm": 4,
    "dongle": 3,
}
"""How much each component counts; what no probe found counts nothing."""
DIGEST_HEX = 48
"""SHA-384 cut to half, 192 bits, so that a licence fits into a QR code."""
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


def default_probes(root: Path = Path("/"), platform: str = sys.platform) -> tuple[Probe, ...]:
    """Return the probes of a platform, without a dongle's, which a site has to name.

    Args:
        root: Root of the file system, for Linux.
        platform: As `sys.platform` names it.

    Raises:
        FingerprintError: There are no probes for this platform.
    """
    if platform == "linux":
        from oem_security.fingerprint.linux import linux_probes

        return linux_probes(root)
    if platform in ("darwin", "win32"):
        from oem_security.fingerprint.commands import command_probes

        return command_probes(platform)
    raise FingerprintError(
        f"there are no probes for the platform {platform!r}",
        where="fingerprint",
        remedy="pass probes of your own to probe_device",
    )


def probe_device(probes: Iterable[Probe] | None = None) -> dict[str, str]:
    """Return what every probe reads, by component; what cannot be read is left out."""
    found = {p.component: p.read() for p in (default_probes() if probes is None else probes)}
    return {component: text for component, text in found.items() if text}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Salted digests of a device's components.

    Attributes:
        salt: 16 random bytes, hex; digests of another salt cannot be compared.
        digests: Component to the salted SHA-384 of what was read, its first 192 bits, hex.
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
            FingerprintError: A mandatory component could not be read, one is unknown, or the salt
                is malformed.
        """
        missing = MANDATORY - set(observation)
        if missing:
            raise FingerprintError(
                f"the device shows no {', '.join(sorted(missing))}",
                where="fingerprint",
                remedy="give the machine an identifier (systemd-machine-id-setup) and try again",
            )
        foreign = set(observation) - set(WEIGHTS)
        if foreign or (salt and not is_hex(salt, 32)):
            raise FingerprintError(
                f"no component is named {', '.join(sorted(foreign))}" if foreign else "no salt",
                where="fingerprint",
                remedy=f"name components of {', '.join(WEIGHTS)}, and a salt of 32 hex digits",
            )
        salt = salt or os.urandom(16).hex()
        digest = _digester(salt)
        return cls(salt, {name: digest(name, text) for name, text in observation.items()})

    @classmethod
    def from_fields(cls, fields: Fields) -> Fingerprint:
        """Return the fingerprint that a document states."""
        salt = fields.hex("salt", 32)
        digests = fields.mapping("digests")
        fields.done()
        for name, digest in digests.items():
            if name not in WEIGHTS or type(digest) is not str or not is_hex(digest, DIGEST_HEX):
                fields.fail("digests", f"has a malformed component {name!r}")
        return cls(salt, cast("dict[str, str]", digests))


class Match(enum.Enum):
    """How well a device fits a fingerprint."""

    MATCH = "match"
    DEGRADED = "degraded"
    REBIND_REQUIRED = "rebind_required"
    MISMATCH = "mismatch"


class Basis(enum.Enum):
    """On what a device is accepted; it stands in every verdict."""

    HARDWARE = "hardware"
    """What the probes read."""
    DONGLE = "dongle"
    """The dongle fits, though the rest of the hardware reads differently."""
    TOTP = "totp"
    """The vendor's support read out a one-time password; for some days only."""


@dataclass(frozen=True, slots=True)
class FingerprintVerdict:
    """How well the device fits, and which components say so.

    Attributes:
        match: How well the hardware fits, whatever the basis.
        share: Weight of the components that fit, as a share of all that were expected.
        changed: Components that read differently; missing ones could not be read.
        basis: On what the device is accepted.
    """

    match: Match
    share: float
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    basis: Basis = Basis.HARDWARE

    @property
    def usable(self) -> bool:
        return self.basis is not Basis.HARDWARE or self.match in (Match.MATCH, Match.DEGRADED)

    @property
    def words(self) -> str:
        """The verdict in words, such as `degraded (changed: mac)`."""
        named = [("changed", self.changed), ("missing", self.missing)]
        parts = "; ".join(f"{what}: {', '.join(names)}" for what, names in named if names)
        words = f"{self.match.value} ({parts})" if parts else self.match.value
        return words if self.basis is Basis.HARDWARE else f"{words}, accepted by {self.basis.value}"


def compare(
    expected: Fingerprint, observation: Mapping[str, str], *, dongle_stands_in: bool = False
) -> FingerprintVerdict:
    """Compare a device with a stored fingerprint.

    All fit: match. A mandatory component does not, or less than half by weight does: mismatch.
    At least three quarters fit: degraded. Between: rebind required.

    Args:
        expected: What the device was.
        observation: What `probe_device` reads now.
        dongle_stands_in: A dongle that fits makes up for other hardware that does not.

    Example:
        >>> was = Fingerprint.of({"machine_id": "m", "cpu": "c", "mac": "a", "disk": "d"})
        >>> compare(was, {"machine_id": "m", "cpu": "c", "mac": "other", "disk": "d"}).words
        'degraded (changed: mac)'
    """
    digest = _digester(expected.salt)
    now = {n: digest(n, observation[n]) for n in expected.digests if n in observation}
    verdict = compare_digests(expected.digests, now)
    lost = {*verdict.changed, *verdict.missing}
    if dongle_stands_in and not verdict.usable and "dongle" in {*expected.digests} - lost:
        return replace(verdict, basis=Basis.DONGLE)
    return verdict


def compare_digests(expected: Mapping[str, str], now: Mapping[str, str]) -> FingerprintVerdict:
    """Compare two sets of digests of one salt, as a vendor does who never sees the device."""
    off = [n for n, digest in expected.items() if not compare_digest(digest, now.get(n, ""))]
    if expected and not off:
        return FingerprintVerdict(Match.MATCH, 1.0, (), ())
    missing = tuple(sorted(name for name in off if name not in now))
    changed = tuple(sorted(name for name in off if name in now))
    total = sum(WEIGHTS[name] for name in expected)
    lost = sum(WEIGHTS[name] for name in (*missing, *changed))
    share = (total - lost) / total if total else 0.0
    if MANDATORY & {*missing, *changed} or share < REBIND_SHARE:
        match = Match.MISMATCH
    else:
        match = Match.DEGRADED if share >= DEGRADED_SHARE else Match.REBIND_REQUIRED
    return FingerprintVerdict(match, share, changed, missing)


def reading_digest(expected: Fingerprint, observation: Mapping[str, str]) -> str:
    """Return one value for all a device reads now, hex, by the salt of a fingerprint."""
    digest = _digester(expected.salt)
    parts = [digest(name, text) for name, text in sorted(observation.items())]
    return hashlib.sha384("|".join(parts).encode()).hexdigest()


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


def _digester(salt: str) -> Callable[[str, str], str]:
    """Return what digests a component's reading under a salt, which is hashed once."""
    # the salt is public and of one length, so that nothing but a hash is needed
    salted = hashlib.sha384(b"oem-device-v1\0" + bytes.fromhex(salt))

    def digest(component: str, text: str) -> str:
        state = salted.copy()
        state.update(f"{component}\0{text}".encode("utf-8", "surrogatepass"))
        return state.hexdigest()[:DIGEST_HEX]

    return digest
