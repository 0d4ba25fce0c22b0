"""The root of every error the product raises on purpose, and the tree of this library.

OemError                         what happened, where, and what to do about it
└── OemSecurityError             a signature, key, token … does not hold (TRUST)
    ├── InputError               malformed parameters (INPUT)
    │   └── MalformedError       bytes from outside do not have the form they claim
    ├── StorageError             the disk refused (STORAGE)
    │   └── JournalStorageError  the writer is poisoned, reopen it
    ├── StateError               right request, wrong moment (STATE)
    │   └── JournalLockedError   another process is the writer
    ├── KeyringError, SealError, JournalError, FingerprintError, LicenseError,
    └── ManifestError, CertificateError, TokenError, VaultError
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Category(enum.Enum):
    """What kind of trouble an error is; applications map it to exit codes and status codes."""

    INPUT = "input"
    """Something handed in is wrong: a file, a field, a number, a flag."""
    TRUST = "trust"
    """A signature, licence, key, token, certificate or fingerprint does not hold."""
    UNAVAILABLE = "unavailable"
    """A peer, port, venue or process cannot be reached or is taken."""
    STORAGE = "storage"
    """The disk refused: full, read-only, failed fsync, lock held."""
    STATE = "state"
    """Right request, wrong moment: halted, already exists, not initialised."""


class OemError(Exception):
    """An error that says what happened, where, and what to do.

    Args:
        what: What happened, one clause, no full stop.
        where: The file, line, field or peer concerned; empty when there is none.
        remedy: What the reader can do about it, one imperative clause.

    Example:
        >>> str(OemError("the port is taken", where="127.0.0.1:50051", remedy="choose another"))
        'the port is taken (127.0.0.1:50051); choose another'
    """

    category: ClassVar[Category] = Category.INPUT

    def __init__(self, what: str, *, where: str = "", remedy: str) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}; {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.remedy, self.__dict__)


def _rebuild(
    kind: type[OemError], what: str, where: str, remedy: str, state: dict[str, object]
) -> OemError:
    error = kind.__new__(kind)
    OemError.__init__(error, what, where=where, remedy=remedy)
    error.__dict__.update(state)
    return error


class OemSecurityError(OemError):
    """Base of everything `oem_security` raises on purpose."""

    category = Category.TRUST


class InputError(OemSecurityError):
    """Something handed in is malformed: a file, a field, a parameter."""

    category = Category.INPUT


class StorageError(OemSecurityError):
    """The disk refused: full, read-only, failed fsync, wrong permissions."""

    category = Category.STORAGE


class StateError(OemSecurityError):
    """The request is right but the moment is wrong: exists already, not initialised, locked."""

    category = Category.STATE


class MalformedError(InputError):
    """Bytes from outside do not have the form they claim; nothing of them was used."""


class KeyringError(OemSecurityError):
    """A key is missing, revoked, expired or of the wrong purpose."""


class SealError(OemSecurityError):
    """An envelope's signatures do not satisfy the policy of its payload type."""


class JournalError(OemSecurityError):
    """A journal does not hold what its keys, links and checkpoints promise."""


class JournalLockedError(StateError):
    """Another process is the writer of this journal."""


class JournalStorageError(StorageError):
    """An entry could not be made durable; the writer is poisoned and must be reopened."""


class FingerprintError(OemSecurityError):
    """A device fingerprint is missing, broken, or of another machine."""


class LicenseError(OemSecurityError):
    """A licence is missing, expired, revoked, of another machine, or does not grant the right."""


class ManifestError(OemSecurityError):
    """A tree of files is not what its manifest says."""


class CertificateError(OemSecurityError):
    """A certificate or revocation list does not hold."""


class TokenError(OemSecurityError):
    """An operator token does not hold or does not grant the scope."""


class VaultError(OemSecurityError):
    """The vault cannot be opened with this passphrase, or was tampered with."""
