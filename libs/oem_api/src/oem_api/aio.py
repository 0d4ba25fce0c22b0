"""The asynchronous client of the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from oem_api._stubs import trading_pb2 as pb
from oem_api._stubs.trading_pb2_grpc import TradingServiceStub
from oem_api.connection import Connection
from oem_api.refusal import refusal
from oem_api.tls import TlsMaterial

T = TypeVar("T")


class AsyncTradingClient:
    """Asks a running daemon from an event loop.

    Every method raises a subclass of `ApiError` and nothing else; `status`, `risk` and the lists
    return the messages of the contract (`oem_api.pb`).

    Args:
        target: HOST:PORT of the daemon.
        tls: CA, client certificate and key; the connection is never plaintext.
        token: The operator token.
        server_name: The name in the daemon's certificate, where it is not the target's host.
        timeout_s: Deadline of each call, in seconds.

    Raises:
        InvalidRequest: The address or the material is malformed.
    """

    def __init__(
        self,
        target: str,
        tls: TlsMaterial,
        token: str = "",
        *,
        server_name: str = "",
        timeout_s: float = 5.0,
    ) -> None:
        self._connection = Connection(target, tls, token, server_name, timeout_s)
        self._channel = grpc.aio.secure_channel(
            target, tls.credentials(), options=self._connection.options
        )
        self._stub: Any = TradingServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; running streams end with it."""
        await self._channel.close(None)

    async def status(self) -> pb.Status:
        """Return what the daemon is, what it may do and whether it is well."""
        return await self._call(self._stub.GetStatus, pb.GetStatusRequest(), pb.Status)

    async def risk(self) -> pb.Risk:
        """Return exposure, profit and loss, and the limits."""
        return await self._call(self._stub.GetRisk, pb.GetRiskRequest(), pb.Risk)

    async def orders(self, **filters: Any) -> pb.ListOrdersResponse:
        """Return one page of orders, newest first; filters are ListOrdersRequest's fields."""
        request = pb.ListOrdersRequest(**filters)
        return await self._call(self._stub.ListOrders, request, pb.ListOrdersResponse)

    async def fills(self, **filters: Any) -> pb.ListFillsResponse:
        """Return one page of fills, newest first; filters are ListFillsRequest's fields."""
        request = pb.ListFillsRequest(**filters)
        return await self._call(self._stub.ListFills, request, pb.ListFillsResponse)

    async def decisions(self, **filters: Any) -> pb.ListDecisionsResponse:
        """Return one page of decisions, newest first; filters are the request's fields."""
        request = pb.ListDecisionsRequest(**filters)
        return await self._call(self._stub.ListDecisions, request, pb.ListDecisionsResponse)

    async def iter_orders(self, **filters: Any) -> AsyncIterator[pb.Order]:
        """Yield every order, page by page."""
        while True:
            page = await self.orders(**filters)
            for order in page.orders:
                yield order
            if not page.next_page_token:
                return
            filters["page_token"] = page.next_page_token

    async def iter_fills(self, **filters: Any) -> AsyncIterator[pb.Fill]:
        """Yield every fill, page by page."""
        while True:
            page = await self.fills(**filters)
            for fill in page.fills:
                yield fill
            if not page.next_page_token:
                return
            filters["page_token"] = page.next_page_token

    async def iter_decisions(self, **filters: Any) -> AsyncIterator[pb.Decision]:
        """Yield every decision, page by page."""
        while True:
            page = await self.decisions(**filters)
            for decision in page.decisions:
                yield decision
            if not page.next_page_token:
                return
            filters["page_token"] = page.next_page_token

    async def submit_order(self, request: pb.SubmitOrderRequest) -> pb.Order:
        """Place an operator's order; repeating it under the same id places no second one."""
        return await self._call(self._stub.SubmitOrder, request, pb.Order)

    async def cancel_order(self, client_order_id: str, reason: str = "") -> pb.Order:
        """Ask for an open order to be cancelled and return it as it is then."""
        request = pb.CancelOrderRequest(client_order_id=client_order_id, reason=reason)
        return await self._call(self._stub.CancelOrder, request, pb.Order)

    async def set_trading_state(self, state: pb.TradingState, reason: str) -> pb.Status:
        """Turn the kill switch; the reason goes to the decision log."""
        request = pb.SetTradingStateRequest(state=state, reason=reason)
        return await self._call(self._stub.SetTradingState, request, pb.Status)

    async def events(self, kinds: Sequence[pb.EventKind] = ()) -> AsyncIterator[pb.Event]:
        """Yield what happens from now on; the first event is a heartbeat. No deadline applies.

        Args:
            kinds: The kinds wanted; empty means every kind.
        """
        request = pb.StreamEventsRequest(kinds=kinds)
        call = self._stub.StreamEvents(request, metadata=self._connection.metadata)
        try:
            async for event in call:
                yield event
        except grpc.aio.AioRpcError as error:
            raise refusal(error, self._connection.target) from None
        finally:
            call.cancel()

    async def _call(self, method: Any, request: Any, kind: type[T]) -> T:
        try:
            answer = await method(
                request,
                timeout=self._connection.timeout_s,
                metadata=self._connection.metadata,
            )
        except grpc.aio.AioRpcError as error:
            raise refusal(error, self._connection.target) from None
        if not isinstance(answer, kind):
            raise TypeError(f"{type(answer).__name__} is not {kind.__name__}")
        return answer
