"""From a passphrase to a key: Argon2id with parameters that are neither weak nor a weapon.

Source: RFC 9106; the least parameters are those of the OWASP Password Storage Cheat Sheet.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from oem_security.errors import InputError, VaultError
from oem_security.fields import Fields, b64
from oem_security.strict_json import Json

LEAST_MEMORY_KIB, MOST_MEMORY_KIB = 19_456, 4 << 20
LEAST_ITERATIONS, MOST_ITERATIONS = 2, 64
MOST_LANES = 64
MOST_WORK = 16 << 20
"""KiB times passes: some twenty seconds of a slow processor, where a changed file asks for most."""
LEAST_PASSPHRASE = 8


@dataclass(frozen=True, slots=True)
class KdfParameters:
    """Work factors of Argon2id.

    Attributes:
        memory_kib: Memory in KiB, 19,456 to 4 Mi; RFC 9106 recommends 65,536 where memory is dear.
        iterations: Passes over it, 2 to 64.
        lanes: Parallel lanes, 1 to 64.

    Raises:
        InputError: A factor is out of its bounds: weaker could be guessed, stronger would let a
            changed file exhaust the machine.
    """

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        bounds = (
            ("memory_kib", self.memory_kib, LEAST_MEMORY_KIB, MOST_MEMORY_KIB),
            ("iterations", self.iterations, LEAST_ITERATIONS, MOST_ITERATIONS),
            ("lanes", self.lanes, 1, MOST_LANES),
        )
        for name, value, low, high in bounds:
            if not low <= value <= high:
                raise InputError(f"{name} is {value}", where=name, remedy=f"give {low} to {high}")
        if self.memory_kib * self.iterations > MOST_WORK:
            raise InputError(
                f"{self.memory_kib} KiB in {self.iterations} passes",
                where="iterations",
                remedy=f"give at most {MOST_WORK // self.memory_kib} passes for this memory",
            )


@dataclass(frozen=True, slots=True)
class Kdf:
    """Parameters with their salt, as they stand in a vault."""

    parameters: KdfParameters
    salt: bytes = field(repr=False)

    @classmethod
    def fresh(cls, parameters: KdfParameters | None = None) -> Kdf:
        """Return parameters with a new salt."""
        return cls(parameters or KdfParameters(), secrets.token_bytes(16))

    def derive(self, passphrase: str) -> bytes:
        """Return the 32-byte key of a passphrase.

        Raises:
            VaultError: The passphrase is shorter than 8 characters or no text, or the memory is not
                there.
        """
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        if len(passphrase) < LEAST_PASSPHRASE:
            raise VaultError(
                f"the passphrase has fewer than {LEAST_PASSPHRASE} characters",
                where="passphrase",
                remedy="use a longer one, such as five random words",
            )
        try:
            data = passphrase.encode("utf-8")
        except UnicodeEncodeError:
            raise VaultError(
                "the passphrase is no text: it holds bytes that are not UTF-8",
                where="passphrase",
                remedy="give it as UTF-8 text",
            ) from None
        chosen = self.parameters
        derivation = Argon2id(
            salt=self.salt,
            length=32,
            iterations=chosen.iterations,
            lanes=chosen.lanes,
            memory_cost=chosen.memory_kib,
        )
        try:
            return derivation.derive(data)
        except MemoryError:
            raise VaultError(
                f"this machine cannot give the {chosen.memory_kib} KiB that the passphrase needs",
                where="passphrase",
                remedy="free memory or open it on a larger machine; lower the work factors with: "
                "oem vault rotate --memory-kib",
            ) from None

    def as_json(self) -> dict[str, Json]:
        """Return what stands in the file."""
        return {
            "name": "argon2id",
            "memory_kib": self.parameters.memory_kib,
            "iterations": self.parameters.iterations,
            "lanes": self.parameters.lanes,
            "salt": b64(self.salt),
        }

    @classmethod
    def from_json(cls, value: Json) -> Kdf:
        """Return parameters read from a file; MalformedError when they are out of bounds."""
        fields = Fields(value, "vault kdf")
        fields.text("name", pattern="argon2id")
        memory = fields.integer("memory_kib", LEAST_MEMORY_KIB, MOST_MEMORY_KIB)
        iterations = fields.integer(
            "iterations", LEAST_ITERATIONS, min(MOST_ITERATIONS, MOST_WORK // memory)
        )
        lanes = fields.integer("lanes", 1, MOST_LANES)
        salt = fields.bytes_b64("salt", length=16)
        found = cls(KdfParameters(memory, iterations, lanes), salt)
        fields.done()
        return found
