"""The gRPC service: reads the pipeline's state and hands operators' orders to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import grpc
import grpc.aio

from oem_api import pb
from oem_api.server import TradingServiceServicer
from oem_api.text import enum_of, enum_text
from oem_daemon.auth import Caller, Gatekeeper, refuse
from oem_daemon.config.model import CoreConfig
from oem_daemon.costed_fill import CostedFill
from oem_daemon.decision_log import DecisionLog
from oem_daemon.events import Event, EventHub
from oem_daemon.license_watch import LicenseWatch
from oem_daemon.paging import page_of, page_size, place_of, token_of
from oem_daemon.pipeline import Decided, TradePipeline
from oem_daemon.scheduler import OPERATOR
from oem_daemon.views import decision_view, fill_view, order_view, risk_view
from oem_exec import (
    IntentConflict,
    KillState,
    Order,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
    UnknownOrder,
)
from oem_risk import TradingState, tighter
from oem_security import InputError, OemError
from oem_security.clock import Clock

HEARTBEAT_S = 5.0
MAX_REASON = 500
EXPIRING_DAYS = 14
Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the status says that does not change while the daemon runs.

    Attributes:
        version: Version of the daemon.
        started_ns: When it started, UTC nanoseconds.
        config: The configuration it runs under; config_sha384 is its hash.
        license: The licence as it was found last.
        venues: Where orders go, the preferred first.
    """

    version: str
    started_ns: int
    config: CoreConfig
    config_sha384: str
    license: LicenseWatch
    venues: tuple[str, ...]


class TradingService(TradingServiceServicer):
    """Implements `oem.v1.TradingService` over one pipeline.

    Args:
        facts: What the status says.
        gatekeeper: Checks every caller first.
        pipeline: Orders, fills, decisions and risk.
        log: The decision log, for what operators do.
        events: Where streams listen.
        clock: Market time.
        alerts: Returns the newest alerts, newest first.
    """

    def __init__(
        self,
        *,
        facts: ServiceFacts,
        gatekeeper: Gatekeeper,
        pipeline: TradePipeline,
        log: DecisionLog,
        events: EventHub,
        clock: Clock,
        alerts: Callable[[], Sequence[pb.Alert]],
    ) -> None:
        self._facts = facts
        self._gatekeeper = gatekeeper
        self._pipeline = pipeline
        self._log = log
        self._events = events
        self._clock = clock
        self._alerts = alerts

    async def GetStatus(  # noqa: N802
        self,
        request: pb.GetStatusRequest,  # noqa: ARG002 - gRPC passes it
        context: Context,
    ) -> pb.Status:
        return self._status(await self._gatekeeper.admit("GetStatus", context))

    async def ListOrders(  # noqa: N802
        self, request: pb.ListOrdersRequest, context: Context
    ) -> pb.ListOrdersResponse:
        await self._gatekeeper.admit("ListOrders", context)
        try:
            page, end = self._pipeline.history.page(
                page_size(request.page_size),
                symbol=request.symbol,
                intent_id=request.client_order_id,
                unfinished=request.open_only,
                before=place_of(request.page_token),
            )
        except OemError as error:
            await refuse(context, error)
            raise
        return pb.ListOrdersResponse(orders=map(order_view, page), next_page_token=token_of(end))

    async def ListFills(  # noqa: N802
        self, request: pb.ListFillsRequest, context: Context
    ) -> pb.ListFillsResponse:
        await self._gatekeeper.admit("ListFills", context)
        found = [
            costed
            for costed in reversed(self._pipeline.fills)
            if request.symbol in ("", costed.fill.symbol)
            and request.client_order_id in ("", costed.order.intent_id)
        ]
        page, token = await _page(found, request.page_size, request.page_token, context)
        return pb.ListFillsResponse(fills=map(fill_view, page), next_page_token=token)

    async def ListDecisions(  # noqa: N802
        self, request: pb.ListDecisionsRequest, context: Context
    ) -> pb.ListDecisionsResponse:
        await self._gatekeeper.admit("ListDecisions", context)
        verdict = request.verdict and enum_text(pb.Verdict, request.verdict)
        found = [
            decided
            for decided in reversed(self._pipeline.decisions)
            if request.symbol in ("", decided.inputs.candidate.symbol)
            and request.strategy in ("", decided.inputs.candidate.strategy)
            and (not verdict or decided.decision.verdict.value == verdict)
        ]
        page, token = await _page(found, request.page_size, request.page_token, context)
        return pb.ListDecisionsResponse(decisions=map(decision_view, page), next_page_token=token)

    async def GetRisk(  # noqa: N802
        self,
        request: pb.GetRiskRequest,  # noqa: ARG002 - gRPC passes it
        context: Context,
    ) -> pb.Risk:
        await self._gatekeeper.admit("GetRisk", context)
        return self._risk()

    async def SubmitOrder(  # noqa: N802
        self, request: pb.SubmitOrderRequest, context: Context
    ) -> pb.Order:
        caller = await self._gatekeeper.admit("SubmitOrder", context)
        try:
            intent = self._intent(request)
            order = await self._pipeline.operator_order(
                intent, caller=caller.principal.subject, reason=request.reason
            )
        except IntentConflict as error:
            await refuse(context, error, grpc.StatusCode.ALREADY_EXISTS)
            raise
        except OemError as error:
            await refuse(context, error)
            raise
        return order_view(order)

    async def CancelOrder(  # noqa: N802
        self, request: pb.CancelOrderRequest, context: Context
    ) -> pb.Order:
        caller = await self._gatekeeper.admit("CancelOrder", context)
        try:
            _require_short(request.reason)
            self._pipeline.router.order(request.client_order_id)
            await self._log.append(
                "operator.cancel",
                {
                    "client_order_id": request.client_order_id,
                    "operator": caller.principal.subject,
                    "reason": request.reason,
                },
            )
            return order_view(await self._pipeline.router.cancel(request.client_order_id))
        except UnknownOrder as error:
            await refuse(context, error, grpc.StatusCode.NOT_FOUND)
            raise
        except OemError as error:
            await refuse(context, error)
            raise

    async def SetTradingState(  # noqa: N802
        self, request: pb.SetTradingStateRequest, context: Context
    ) -> pb.Status:
        caller = await self._gatekeeper.admit("SetTradingState", context)
        try:
            _require_short(request.reason)
            if not request.state or not request.reason.strip():
                raise InputError(
                    "a state and a reason are needed",
                    where="SetTradingState",
                    remedy="say active, reducing or halted, and why",
                )
            wanted = KillState(enum_text(pb.TradingState, request.state))
            if wanted is KillState.ACTIVE:
                # first: should its journal refuse, the router's switch stays where it is
                engine = self._pipeline.gate.engine
                if engine.state is not TradingState.ACTIVE:
                    engine.reset(caller.principal.subject, request.reason)
            await self._pipeline.router.set_kill_state(
                wanted, reason=request.reason, operator=caller.principal.subject
            )
        except OemError as error:
            await refuse(context, error)
            raise
        status = self._status(caller)
        self._events.publish(Event("status", status, self._clock.now_ns()))
        return status

    async def StreamEvents(  # noqa: N802
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.Event]:
        await self._gatekeeper.admit("StreamEvents", context)
        wanted = {enum_text(pb.EventKind, kind) for kind in request.kinds}
        subscription = self._events.subscribe()
        upcoming: asyncio.Future[Event] = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)  # lets the subscription stand before the first heartbeat says so
        yield self._heartbeat()
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=HEARTBEAT_S)
                if not done:
                    yield self._heartbeat()
                    continue
                event = upcoming.result()
                upcoming = asyncio.ensure_future(anext(subscription))
                if not wanted or event.kind in wanted:
                    yield self._event(event)
        except StopAsyncIteration:
            return
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
            await subscription.aclose()

    def _heartbeat(self) -> pb.Event:
        now = self._clock.now_ns()
        return pb.Event(time_ns=now, heartbeat=pb.Heartbeat(now_ns=now))

    def _event(self, event: Event) -> pb.Event:
        value = event.value
        message = pb.Event(time_ns=event.time_ns)
        if isinstance(value, Order):
            message.order.CopyFrom(order_view(value))
        elif isinstance(value, CostedFill):
            message.fill.CopyFrom(fill_view(value))
        elif isinstance(value, Decided):
            message.decision.CopyFrom(decision_view(value))
        elif isinstance(value, pb.Alert):
            message.alert.CopyFrom(value)
        elif isinstance(value, pb.Status):
            message.status.CopyFrom(value)
        else:
            message.risk.CopyFrom(self._risk())
        return message

    def _risk(self) -> pb.Risk:
        pipeline = self._pipeline
        return risk_view(
            pipeline.portfolio,
            pipeline.gate,
            state=self._state(),
            quote=pipeline.terms.quote,
            now_ns=self._clock.now_ns(),
        )

    def _state(self) -> str:
        """Return the tighter of the router's kill switch and the risk engine's."""
        routed = TradingState(self._pipeline.router.kill_state.value)
        engine = self._pipeline.gate.engine.state
        return (engine if tighter(engine, routed) else routed).value

    def _state_reason(self) -> str:
        stands = self._pipeline.gate.engine.position
        return "" if stands.state is TradingState.ACTIVE else stands.reason

    def _licence_state(self) -> str:
        """Return what holds of the licence now; why it does not is in the alerts."""
        facts = self._pipeline.terms.compliance()
        if facts.licence_days_left is not None and facts.licence_days_left <= 0:
            return "expired"
        if not facts.licence_valid:
            return "refused"
        left = facts.licence_days_left
        return "expiring" if left is not None and left <= EXPIRING_DAYS else "valid"

    def _status(self, caller: Caller) -> pb.Status:
        facts, pipeline = self._facts, self._pipeline
        held = facts.license.guard.license
        config = facts.config
        failure = self._log.failure
        return pb.Status(
            version=facts.version,
            mode=enum_of(pb.Mode, config.runtime.stage.value),
            trading_state=enum_of(pb.TradingState, "halted" if failure else self._state()),
            trading_state_reason=failure.what if failure else self._state_reason(),
            started_ns=facts.started_ns,
            now_ns=time.time_ns(),
            licence=pb.Licence(
                state=enum_of(pb.LicenceState, self._licence_state()),
                licence_id=held.license_id,
                profile=held.terms.profile,
                valid_until_ns=held.not_after_ns,
                features=held.terms.features,
            ),
            cycles=pipeline.cycles,
            market_time_ns=max((b.close_ns for b in pipeline.market.current().values()), default=0),
            strategies=[slot.name for slot in config.strategies],
            symbols=config.runtime.symbols,
            venues=facts.venues,
            decision_log_seq=self._log.records,
            caller=caller.principal.subject,
            caller_roles=caller.principal.roles,
            alerts=self._alerts(),
            profile=config.runtime.risk_profile.value,
            config_sha384=facts.config_sha384,
        )

    def _intent(self, request: pb.SubmitOrderRequest) -> OrderIntent:
        _require_short(request.reason)
        if not request.side or not request.type:
            raise _bad_field("side and type", "say buy or sell, and market, limit, post_only …")
        force = enum_text(pb.TimeInForce, request.time_in_force or pb.TIME_IN_FORCE_GTC)
        return OrderIntent(
            intent_id=request.client_order_id,
            symbol=request.symbol,
            side=Side(enum_text(pb.Side, request.side)),
            quantity=_decimal(request.quantity, "quantity"),
            type=OrderType(enum_text(pb.OrderType, request.type)),
            price=_decimal(request.limit_price, "limit_price") if request.limit_price else None,
            stop_price=_decimal(request.stop_price, "stop_price") if request.stop_price else None,
            time_in_force=next(t for t in TimeInForce if t.value.lower() == force),
            reduce_only=request.reduce_only,
            profile=self._pipeline.terms.profile,
            strategy=OPERATOR,
            created_ns=self._clock.now_ns(),
        )


async def _page(
    items: Sequence[T], size: int, token: str, context: Context
) -> tuple[Sequence[T], str]:
    try:
        return page_of(items, size, token)
    except InputError as error:
        await refuse(context, error)
        raise


def _decimal(text: str, field: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _bad_field(field, "write a decimal number such as 0.01") from None


def _require_short(reason: str) -> None:
    """Refuse a reason that would fill the decision log."""
    if len(reason) > MAX_REASON:
        raise _bad_field("reason", f"say it in at most {MAX_REASON} characters")


def _bad_field(field: str, remedy: str) -> InputError:
    return InputError(f"{field} is missing or wrong", where=field, remedy=remedy)
