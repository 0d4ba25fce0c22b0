"""The gRPC surface of the daemon: protos, generated stubs and a small client.

Importing it leaves TLS 1.3 as the only handshake grpc can make in this process. grpcio has no
setting for a minimum version, and it reads its environment variable when it is itself imported,
so the variable has to be set here, before any module of this package imports grpc. It limits the
suites of TLS 1.2 only; naming one that needs a pre-shared key leaves TLS 1.2 nothing to agree on.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oem_api._stubs import trading_pb2 as pb
    from oem_api.aio import AsyncTradingClient
    from oem_api.client import TradingClient
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
    from oem_api.text import as_json, enum_of, enum_text
    from oem_api.tls import TlsMaterial

__all__ = [
    "ApiError",
    "AsyncTradingClient",
    "Conflict",
    "DaemonFault",
    "DeadlinePassed",
    "InvalidRequest",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "StorageRefused",
    "TlsMaterial",
    "TlsRefused",
    "TradingClient",
    "Unreachable",
    "Unsupported",
    "WrongState",
    "as_json",
    "enum_of",
    "enum_text",
    "pb",
]

os.environ["GRPC_SSL_CIPHER_SUITES"] = "PSK-AES256-CBC-SHA"

_HOMES = {
    "AsyncTradingClient": "oem_api.aio",
    "TradingClient": "oem_api.client",
    "TlsMaterial": "oem_api.tls",
    "as_json": "oem_api.text",
    "enum_of": "oem_api.text",
    "enum_text": "oem_api.text",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562), so that the package costs nothing."""
    value: object
    if name == "pb":
        value = importlib.import_module("oem_api._stubs.trading_pb2")
    elif name in __all__:
        value = getattr(importlib.import_module(_HOMES.get(name, "oem_api.errors")), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[__name__]), *__all__})
