"""From a gRPC status to an error with a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from oem_api._stubs import trading_pb2 as pb
from oem_api.errors import (
    ApiError,
    Conflict,
    DaemonFault,
    DeadlinePassed,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    StorageRefused,
    TlsRefused,
    Unreachable,
    Unsupported,
    WrongState,
)
from oem_api.server import ERROR_METADATA_KEY

Code = grpc.StatusCode
_ERRORS: dict[grpc.StatusCode, tuple[type[ApiError], str]] = {
    Code.INVALID_ARGUMENT: (InvalidRequest, "correct the request"),
    Code.OUT_OF_RANGE: (InvalidRequest, "correct the request"),
    Code.NOT_FOUND: (NotFound, "list the orders and check the id"),
    Code.ALREADY_EXISTS: (Conflict, "choose another client order id"),
    Code.UNAUTHENTICATED: (
        NotAuthenticated,
        "give a valid operator token (`oem token issue` makes one)",
    ),
    Code.PERMISSION_DENIED: (NotPermitted, "ask for a token with the scope this call needs"),
    Code.FAILED_PRECONDITION: (WrongState, "look at the daemon's status, then decide"),
    Code.ABORTED: (WrongState, "look at the daemon's status, then repeat the call"),
    Code.UNAVAILABLE: (Unreachable, "check that the daemon runs and that the address is right"),
    Code.DEADLINE_EXCEEDED: (
        DeadlinePassed,
        "look whether it took effect; an order may be sent again under the same client order id",
    ),
    Code.CANCELLED: (Unreachable, "connect again"),
    Code.RESOURCE_EXHAUSTED: (StorageRefused, "free space or wait, then repeat the call"),
    Code.DATA_LOSS: (StorageRefused, "verify the site with `oem verify`"),
    Code.UNIMPLEMENTED: (Unsupported, "install the same version on both sides"),
}
_DEFECT = (DaemonFault, "look into the daemon's log and report the defect")
_HANDSHAKE = ("ssl", "tls", "certificate", "handshake", "verification check", "peer name")


def refusal(error: grpc.RpcError | grpc.aio.AioRpcError, target: str) -> ApiError:
    """Return the typed error of a failed call.

    Args:
        error: What grpc raised.
        target: The daemon's address, named where the daemon itself names no place.
    """
    code = error.code()
    text = error.details() or code.name.lower().replace("_", " ")
    kind, remedy = _ERRORS.get(code, _DEFECT)
    detail = _detail(error.trailing_metadata())
    if detail is not None:
        return kind(
            detail.what or text,
            where=detail.where or target,
            remedy=detail.remedy or remedy,
            code=code.name,
        )
    if code is Code.UNAVAILABLE:
        return _no_connection(text, target)
    return kind(text, where=target, remedy=remedy, code=code.name)


def _no_connection(text: str, target: str) -> ApiError:
    low = text.lower()
    # A server that refuses the client's certificate under TLS 1.3 does so after the client's side
    # of the handshake is done (RFC 8446, section 4.4.2.4): the client only sees the socket close.
    dropped = "connection refused" not in low and any(
        word in low for word in ("socket closed", "reset by peer", "broken pipe", "eof")
    )
    if dropped or any(word in low for word in _HANDSHAKE):
        return TlsRefused(
            "the daemon and this client do not trust each other's certificates",
            where=target,
            remedy="give the site's CA, and a client certificate that is neither expired "
            "nor revoked (`oem mtls` issues one), and the name the daemon's certificate carries",
            code=Code.UNAVAILABLE.name,
        )
    kind, remedy = _ERRORS[Code.UNAVAILABLE]
    return kind("nobody answers", where=target, remedy=remedy, code=Code.UNAVAILABLE.name)


def _detail(metadata: Iterable[Any] | None) -> pb.ErrorDetail | None:
    for key, value in metadata or ():
        if key == ERROR_METADATA_KEY and isinstance(value, bytes):
            try:
                return pb.ErrorDetail.FromString(value)
            except DecodeError:
                return None
    return None
