"""Who may call what: TLS 1.3, an unrevoked client certificate, and a token whose role allows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from oem_api.server import bearer_token, error_trailer, status_code_of
from oem_daemon.metrics import DaemonMetrics
from oem_security import OemError, PeerCheck, Principal, TokenError, TokenVerifier

SCOPES = {
    "GetStatus": "status:read",
    "ListOrders": "trade:read",
    "ListFills": "trade:read",
    "ListDecisions": "trade:read",
    "GetRisk": "trade:read",
    "StreamEvents": "trade:read",
    "SubmitOrder": "trade:write",
    "CancelOrder": "trade:write",
    "SetTradingState": "trade:control",
}
"""Method to the scope it needs; a method that is not named here is denied."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that passed every check: its certificate's name and its token's holder."""

    certificate: str
    principal: Principal


class Gatekeeper:
    """Checks peer and token of every call.

    Args:
        peers: Checks the client certificate against the CA and its revocation list.
        tokens: Checks the operator token and writes the audit.
        metrics: Counts calls by result.
    """

    def __init__(self, peers: PeerCheck, tokens: TokenVerifier, metrics: DaemonMetrics) -> None:
        self._peers = peers
        self._tokens = tokens
        self._metrics = metrics

    async def admit(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Return the caller, or end the call with the reason and remedy in its trailers."""
        try:
            peer = self._peers.check(_auth_context(context))
            token = bearer_token(context.invocation_metadata())
            if not token:
                raise TokenError(
                    "the call carries no operator token",
                    where=method,
                    remedy="send one as metadata 'authorization: Bearer …' (oem token issue)",
                )
            principal = self._tokens.require(token, SCOPES.get(method, "denied"))
        except OemError as error:
            self._metrics.calls.labels(method, "denied").inc()
            unauthenticated = isinstance(error, TokenError) and "may not" not in error.what
            code = (
                grpc.StatusCode.UNAUTHENTICATED
                if unauthenticated
                else status_code_of(error.category.value)
            )
            await refuse(context, error, code)
            raise
        self._metrics.calls.labels(method, "admitted").inc()
        return Caller(peer.name, principal)


async def refuse(
    context: grpc.aio.ServicerContext[Any, Any],
    error: OemError,
    code: grpc.StatusCode | None = None,
) -> None:
    """End a call with an error's words in its trailing metadata; never returns normally."""
    trailer = error_trailer(error.category.value, error.what, error.where, error.remedy)
    await context.abort(code or status_code_of(error.category.value), str(error), trailer)


def _auth_context(context: grpc.aio.ServicerContext[Any, Any]) -> dict[str, list[bytes]]:
    return {str(key): list(values) for key, values in context.auth_context().items()}
