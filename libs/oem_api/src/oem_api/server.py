"""What the daemon and the clients must agree on, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable

import grpc

from oem_api._stubs import trading_pb2 as pb
from oem_api._stubs.trading_pb2_grpc import (
    TradingServiceServicer,
    add_TradingServiceServicer_to_server,
)
from oem_api.text import enum_of

__all__ = [
    "DEFAULT_PAGE_SIZE",
    "ERROR_METADATA_KEY",
    "MAX_PAGE_SIZE",
    "SERVICE_NAME",
    "TOKEN_METADATA_KEY",
    "TradingServiceServicer",
    "add_TradingServiceServicer_to_server",
    "bearer_metadata",
    "bearer_token",
    "error_trailer",
    "status_code_of",
]

SERVICE_NAME = "oem.v1.TradingService"
TOKEN_METADATA_KEY = "authorization"  # noqa: S105 - the name of a header
ERROR_METADATA_KEY = "oem-error-bin"
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

_SCHEME = "Bearer "
_CODES = {
    "input": grpc.StatusCode.INVALID_ARGUMENT,
    "trust": grpc.StatusCode.PERMISSION_DENIED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "storage": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "state": grpc.StatusCode.FAILED_PRECONDITION,
}


def bearer_metadata(token: str) -> tuple[tuple[str, str], ...]:
    """Return the request metadata that carries an operator token; none for an empty token.

    Source: RFC 6750, section 2.1.
    """
    return ((TOKEN_METADATA_KEY, _SCHEME + token),) if token else ()


def bearer_token(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the operator token of a call, empty when there is none or more than one.

    Example:
        >>> bearer_token([("authorization", "Bearer abc")])
        'abc'
    """
    found = [value for key, value in metadata or () if key == TOKEN_METADATA_KEY]
    if len(found) != 1 or not isinstance(found[0], str):
        return ""
    scheme, token = found[0][: len(_SCHEME)], found[0][len(_SCHEME) :]
    return token.strip() if scheme.lower() == _SCHEME.lower() else ""


def status_code_of(category: str) -> grpc.StatusCode:
    """Return the gRPC status code of an error category; UNKNOWN for an unknown category."""
    return _CODES.get(category, grpc.StatusCode.UNKNOWN)


def error_trailer(
    category: str, what: str, where: str, remedy: str
) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata that tells the caller why a call was refused.

    Args:
        category: `input`, `trust`, `unavailable`, `storage` or `state`.
        what: What happened.
        where: The file, field or peer concerned.
        remedy: What the caller can do about it.
    """
    detail = pb.ErrorDetail(
        category=enum_of(pb.ErrorCategory, category),
        what=what,
        where=where,
        remedy=remedy,
    )
    return ((ERROR_METADATA_KEY, detail.SerializeToString()),)
