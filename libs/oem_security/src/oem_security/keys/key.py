"""Keys as values: what a key is for, its epoch, and what may still be done with it."""

from __future__ import annotations

import enum
import hashlib
import hmac
from typing import TYPE_CHECKING

from oem_security.clock import NS_PER_SECOND
from oem_security.errors import KeyringError
from oem_security.values import dataclass, field, replace

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SECRET_BYTES = 48
DAY_NS = 86_400 * NS_PER_SECOND


class Purpose(enum.Enum):
    """What a key is for; a key of one purpose is never accepted for another."""

    DOCUMENT = "document"
    """Seals documents, reports and manifests of the site."""
    TOKEN = "token"  # noqa: S105 - a purpose, not a secret
    """Authenticates operator tokens."""
    STATE = "state"
    """Authenticates the library's own state files, such as the time floor."""
    DEVICE = "device"
    """The MAC key that makes a licence valid on this site only."""
    JOURNAL = "journal"
    """Starts the epoch keys of new journals and marks the rotation of running ones."""
    VENDOR = "vendor"
    """Signs licences, revocation lists and bundles; never on a customer's machine."""
    ROOT = "root"
    """Signs trust anchors; kept further away than the vendor key."""
    TRANSPORT = "transport"
    """Receives what sites encrypt to the vendor (HPKE)."""


class KeyState(enum.Enum):
    """What may be done with a key."""

    ACTIVE = "active"
    """Signs and verifies; one epoch of each purpose."""
    VERIFY_ONLY = "verify-only"
    """Superseded: verifies what it signed, signs nothing new."""
    REVOKED = "revoked"
    """Neither signs nor verifies; its secret is erased."""


class Algorithm(enum.Enum):
    """The algorithms this library signs with; the pinned key says which, never the document."""

    HMAC_SHA384 = "hmac-sha384"
    ED25519 = "ed25519"
    ML_DSA_65 = "ml-dsa-65"


@dataclass(frozen=True, slots=True)
class RotationRule:
    """How often a key is replaced, and how long before that a warning starts (days)."""

    interval_days: int = 90
    warn_days: int = 14


@dataclass(frozen=True, slots=True)
class KeyEpoch:
    """One epoch of a purpose's key; the keys of every algorithm are derived from its secret.

    Attributes:
        purpose: What it is for.
        epoch: 1, 2, 3 … within the purpose.
        state: What may be done with it.
        created_ns: When it was made, UTC nanoseconds.
        rule: When it is to be replaced.
        secret: 48 random bytes; empty once revoked.

    Source: HKDF with SHA-384, RFC 5869.
    """

    purpose: Purpose
    epoch: int
    state: KeyState
    created_ns: int
    rule: RotationRule
    secret: bytes = field(repr=False)
    # what follows from the secret alone is worked out once
    _macs: dict[str, MacKey] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name people use: `document/2`."""
        return f"{self.purpose.value}/{self.epoch}"

    @property
    def due_ns(self) -> int:
        return self.created_ns + self.rule.interval_days * DAY_NS

    @property
    def warn_ns(self) -> int:
        return self.due_ns - self.rule.warn_days * DAY_NS

    def derive(self, use: str, length: int = SECRET_BYTES) -> bytes:
        """Return the key bytes for one use; different uses share nothing.

        Raises:
            KeyringError: The key is revoked.
        """
        if self.state is KeyState.REVOKED or len(self.secret) != SECRET_BYTES:
            raise KeyringError(
                f"the key {self.name} is revoked",
                remedy="sign the document anew with the active key",
            )
        info = f"oem-security/1/{self.purpose.value}/{self.epoch}/{use}"
        return hkdf_sha384(self.secret, info, length)

    def mac_key(self, use: str) -> MacKey:
        """Return the HMAC-SHA384 key for one use, such as `envelope` or `token`."""
        if self.state is KeyState.REVOKED:
            return MacKey("", self.derive(use))  # says that it is revoked
        found = self._macs.get(use)
        if found is None:
            identity = self.derive(f"{use}/id", 8).hex()
            found = MacKey(f"hmac-sha384:{identity}", self.derive(f"{use}/hmac-sha384"))
            self._macs[use] = found
        return found

    def ed25519(self) -> Ed25519PrivateKey:
        """Return the Ed25519 key of this epoch."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.derive("ed25519", 32))

    def ml_dsa_65(self) -> MLDSA65PrivateKey:
        """Return the ML-DSA-65 key of this epoch (FIPS 204)."""
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

            return MLDSA65PrivateKey.from_seed_bytes(self.derive("ml-dsa-65", 32))
        except (ImportError, UnsupportedAlgorithm):
            raise _no_ml_dsa() from None

    def x25519(self) -> X25519PrivateKey:
        """Return the X25519 key of this epoch, for HPKE."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return X25519PrivateKey.from_private_bytes(self.derive("x25519", 32))

    def public(self, algorithm: Algorithm) -> PublicKey:
        """Return the public half for Ed25519 or ML-DSA-65."""
        if algorithm is Algorithm.ED25519:
            raw = self.ed25519().public_key().public_bytes_raw()
        elif algorithm is Algorithm.ML_DSA_65:
            raw = self.ml_dsa_65().public_key().public_bytes_raw()
        else:
            raise ValueError("a MAC key has no public half")
        return PublicKey(algorithm, raw)

    def superseded(self) -> KeyEpoch:
        return replace(self, state=KeyState.VERIFY_ONLY)

    def revoked(self) -> KeyEpoch:
        return replace(self, state=KeyState.REVOKED, secret=b"")


@dataclass(frozen=True, slots=True)
class MacKey:
    """An HMAC-SHA384 key with the identifier that narrows the search for it."""

    key_id: str
    secret: bytes = field(repr=False)

    algorithm = Algorithm.HMAC_SHA384

    def sign(self, data: bytes) -> bytes:
        """Return the MAC of some bytes."""
        return hmac.digest(self.secret, data, "sha384")

    def verifies(self, signature: bytes, data: bytes) -> bool:
        if len(self.secret) < 32:  # an empty or short key would let anybody sign
            return False
        return hmac.compare_digest(self.sign(data), signature)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A pinned public key: its algorithm belongs to it, documents cannot choose another."""

    algorithm: Algorithm
    raw: bytes

    @property
    def key_id(self) -> str:
        """Algorithm and the first 16 bytes of the SHA-384 of the key."""
        return f"{self.algorithm.value}:{hashlib.sha384(self.raw).hexdigest()[:32]}"

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell whether a signature of some bytes is by this key."""
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            if self.algorithm is Algorithm.ED25519:
                Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
            elif self.algorithm is Algorithm.ML_DSA_65:
                from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

                MLDSA65PublicKey.from_public_bytes(self.raw).verify(signature, data)
            else:
                return False
        except (InvalidSignature, ValueError):
            return False
        except (ImportError, UnsupportedAlgorithm):
            raise _no_ml_dsa() from None
        return True


@dataclass(frozen=True, slots=True)
class PrivateSigner:
    """A private Ed25519 or ML-DSA-65 key ready to sign."""

    public: PublicKey
    private: Ed25519PrivateKey | MLDSA65PrivateKey = field(repr=False)

    @property
    def key_id(self) -> str:
        return self.public.key_id

    @property
    def algorithm(self) -> Algorithm:
        return self.public.algorithm

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)

    @classmethod
    def of(cls, epoch: KeyEpoch, algorithm: Algorithm) -> PrivateSigner:
        private = epoch.ed25519() if algorithm is Algorithm.ED25519 else epoch.ml_dsa_65()
        return cls(PublicKey(algorithm, private.public_key().public_bytes_raw()), private)


def _no_ml_dsa() -> KeyringError:
    return KeyringError(
        "the cryptography library here was built without ML-DSA-65",
        where="ml-dsa-65",
        remedy="install the bundle's wheel of cryptography, or trust anchors without it",
    )


def hkdf_sha384(secret: bytes, info: str, length: int) -> bytes:
    """Return `length` bytes, at most 48, of HKDF-SHA384 without salt (RFC 5869).

    One block is all this product needs, so that two HMACs do and nothing has to be imported.
    """
    if not 0 < length <= SECRET_BYTES:
        raise ValueError(f"one block of HKDF-SHA384 has 48 bytes, {length} were asked for")
    extracted = hmac.digest(bytes(SECRET_BYTES), secret, "sha384")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha384")[:length]
