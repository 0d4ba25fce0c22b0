"""The error tree of the client: what happened, where, and what to do about it.

ApiError
├── InvalidRequest     a field, flag or file handed in is wrong          (input)
├── NotFound           no such order                                     (input)
├── Conflict           the id is taken by another content                (state)
├── NotAuthenticated   no token, or one that does not hold               (trust)
├── NotPermitted       the token or certificate does not grant this      (trust)
├── TlsRefused         the mutual TLS handshake failed                   (trust)
├── WrongState         right request, wrong moment: halted, finished     (state)
├── Unreachable        nobody answers at the address                     (unavailable)
├── DeadlinePassed     no answer in time; the outcome is not known       (unavailable)
├── StorageRefused     the daemon's disk or a quota refused              (storage)
├── Unsupported        the daemon is of another version                  (unavailable)
└── DaemonFault        a defect of the daemon                            (unavailable)

`category` has the same words as the categories of the rest of the product, so that an application
maps both to the same exit codes.
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """A call that did not succeed.

    Args:
        what: What happened, one clause.
        where: The peer, file or field concerned.
        remedy: What the reader can do about it, one imperative clause.
        code: Name of the gRPC status code, such as `UNAVAILABLE`; empty when no call was made.

    Example:
        >>> str(NotFound("no such order", where="op-7", remedy="list the orders"))
        'no such order (op-7); list the orders'
    """

    category: ClassVar[str] = "unavailable"

    def __init__(self, what: str, *, where: str = "", remedy: str, code: str = "") -> None:
        super().__init__(what, where, remedy, code)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.code = code

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}; {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.remedy, self.code)


def _rebuild(kind: type[ApiError], what: str, where: str, remedy: str, code: str) -> ApiError:
    return kind(what, where=where, remedy=remedy, code=code)


class InvalidRequest(ApiError):
    """A field, flag or file handed in is wrong; nothing was done."""

    category = "input"


class NotFound(ApiError):
    """There is no such order."""

    category = "input"


class Conflict(ApiError):
    """The client order id belongs to an order of another content; nothing was done."""

    category = "state"


class NotAuthenticated(ApiError):
    """The token is missing, expired, revoked or not of this site."""

    category = "trust"


class NotPermitted(ApiError):
    """The token or the certificate does not grant this call."""

    category = "trust"


class TlsRefused(ApiError):
    """The mutual TLS 1.3 handshake failed: one side does not trust the other's certificate."""

    category = "trust"


class WrongState(ApiError):
    """The request is right but the moment is wrong: trading is halted, the order is finished."""

    category = "state"


class Unreachable(ApiError):
    """Nobody answers at the address."""


class DeadlinePassed(ApiError):
    """No answer came in time; whether the call took effect is not known."""


class StorageRefused(ApiError):
    """The daemon's disk, or a quota of it, refused."""

    category = "storage"


class Unsupported(ApiError):
    """The daemon does not know this call: it is of another version."""


class DaemonFault(ApiError):
    """A defect of the daemon."""
