"""From an intent to the order it becomes: along the route, one venue and one attempt at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal

from oem_exec.desk import unsent
from oem_exec.errors import (
    ExecError,
    IntentConflict,
    InvalidOrder,
    KillSwitchEngaged,
    VenueUnavailable,
)
from oem_exec.gateway import Gateway
from oem_exec.model.enums import RefusalReason
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.resolver import window_ns
from oem_exec.routing.background import Background
from oem_exec.routing.floor import Floor
from oem_exec.routing.kill_switch import KillGuard
from oem_exec.venue import Accepted, PlaceAnswer, Refused


class _Running:
    """A submission under way, and the callers that wait for it, each with a future of its own."""

    __slots__ = ("task", "waiting")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.waiting: list[asyncio.Future[Order]] = []

    def answer(self, order: Order) -> None:
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(order)

    def fail(self, error: BaseException) -> bool:
        """Hand the error to whoever waits; False when nobody does any more."""
        left = [waiter for waiter in self.waiting if not waiter.done()]
        for waiter in left:
            waiter.set_exception(error)
        return bool(left)


class Submissions:
    """Has intents executed, each in a task of its own, each once.

    Args:
        floor: The router's parts.
        guard: Stands before every order.
        background: Goes on where patience ends.
    """

    def __init__(self, floor: Floor, guard: KillGuard, background: Background) -> None:
        self._floor = floor
        self._guard = guard
        self._background = background
        self._running: dict[str, _Running] = {}

    async def join(self, intent_id: str) -> Order | None:
        """Wait for the intent's submission under way; None when there is none."""
        running = self._running.get(intent_id)
        return None if running is None else await self._outcome(running)

    async def start(self, intent: OrderIntent, names: Sequence[str]) -> Order:
        """Execute an intent along venues and return the order it became."""
        running = self._running[intent.intent_id] = _Running()
        # a task of its own: a caller that gives up must not leave an order half-way
        work = self._run(intent, names, running)
        running.task = asyncio.get_running_loop().create_task(work)
        return await self._outcome(running)

    async def finished(self, intent_id: str) -> None:
        """Return when no submission of the intent is under way."""
        running = self._running.get(intent_id)
        if running is not None and running.task is not None:
            await asyncio.wait({running.task})

    async def all_finished(self) -> None:
        """Return when no submission is under way."""
        tasks = [r.task for r in self._running.values() if r.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    async def attempt(
        self,
        gateway: Gateway,
        intent: OrderIntent,
        attempt: int,
        quantity: Decimal,
        price: Decimal | None,
    ) -> Order:
        """Make one order durable, send it, return it when certain or when patience ends."""
        floor = self._floor
        granted_s = await gateway.reserve_place()
        if attempt:
            # how the attempt before ended, and with which fills, must survive with this one
            await floor.desk.durable()
        order = self._new(intent, gateway.name, attempt, quantity, price)
        began = time.perf_counter()
        if not await floor.desk.admit(order):
            existing = floor.desk.get(order.client_order_id)
            if existing is None:
                raise IntentConflict(
                    "another order has this id",
                    where=intent.intent_id,
                    remedy="use a new intent id",
                )
            return existing
        if floor.metrics is not None:
            floor.metrics.latency(gateway.name, "durable", time.perf_counter() - began)
        try:
            # the switch may have been thrown while the budget or the disk was waited for
            self._guard.require_allowed(intent)
        except KillSwitchEngaged:
            now = floor.clock.now_ns()
            floor.desk.change(unsent(order, RefusalReason.NOT_SENT.value, now), "outcome")
            raise
        return await self._placed(gateway, order, await gateway.place(order, granted_s))

    # inside: a submission and its callers

    async def _outcome(self, running: _Running) -> Order:
        waiter: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        running.waiting.append(waiter)
        return await waiter

    async def _run(self, intent: OrderIntent, names: Sequence[str], running: _Running) -> None:
        try:
            order = await self._submit(intent, names)
        except asyncio.CancelledError:
            for waiter in running.waiting:
                waiter.cancel()
            raise
        except Exception as error:
            if not running.fail(error) and not isinstance(error, ExecError):
                raise
        else:
            running.answer(order)
        finally:
            del self._running[intent.intent_id]

    # inside: along the route

    async def _submit(self, intent: OrderIntent, names: Sequence[str]) -> Order:
        floor = self._floor
        started = time.perf_counter()
        intent = intent if intent.created_ns else intent.stamped(floor.clock.now_ns())
        order = await self._along(intent, names)
        if not floor.gateways[order.venue].capabilities.remembers:
            await floor.desk.durable()  # nobody could tell us again
        if floor.metrics is not None:
            floor.metrics.latency(order.venue, "total", time.perf_counter() - started)
        return order

    async def _along(self, intent: OrderIntent, names: Sequence[str]) -> Order:
        settings, gateways = self._floor.settings, self._floor.gateways
        order: Order | None = None
        complaint: ExecError | None = None
        position = tries = 0
        while position < len(names) and tries < settings.max_attempts:
            gateway = gateways[names[position]]
            reason: str | None = None
            if not gateway.allows():
                reason = RefusalReason.BREAKER_OPEN.value
            elif (here := await _complaint(gateway, intent)) is not None:
                complaint = here
                unreachable = isinstance(here, VenueUnavailable)
                reason = "unavailable" if unreachable else RefusalReason.INVALID.value
            if reason is None:
                order = await self.attempt(gateway, intent, tries, intent.quantity, intent.price)
                tries += 1
                reason, again = _next_step(order)
                if reason is None:
                    return order
                last = position == len(names) - 1
                if again and last and tries < settings.max_attempts:
                    await asyncio.sleep(settings.backoff.wait_s(tries - 1, self._floor.rng))
                    self._guard.require_allowed(intent)
                    continue
            position += 1
            if position < len(names) and self._floor.metrics is not None:
                self._floor.metrics.fallback(gateway.name, names[position], reason)
        if order is not None:
            return order
        if complaint is not None:
            raise complaint
        return await self._never_sent(intent, names[0])

    async def _never_sent(self, intent: OrderIntent, venue: str) -> Order:
        desk = self._floor.desk
        order = self._new(intent, venue, 0, intent.quantity, intent.price)
        if not await desk.admit(order):
            return self._floor.order(intent.intent_id)
        refused = unsent(order, RefusalReason.BREAKER_OPEN.value, order.sent_ns)
        return desk.change(refused, "outcome")

    def _new(
        self,
        intent: OrderIntent,
        venue: str,
        attempt: int,
        quantity: Decimal,
        price: Decimal | None,
    ) -> Order:
        now = self._floor.clock.now_ns()
        return Order(
            intent=intent,
            client_order_id=intent.client_order_id(attempt),
            venue=venue,
            attempt=attempt,
            state=OrderState.SUBMITTING,
            quantity=quantity,
            price=price,
            sent_ns=now,
            updated_ns=now,
        )

    async def _placed(self, gateway: Gateway, order: Order, answer: PlaceAnswer) -> Order:
        desk = self._floor.desk
        if isinstance(answer, Accepted):
            return desk.learn(order.client_order_id, answer.order, "outcome")
        now = self._floor.clock.now_ns()
        if isinstance(answer, Refused):
            reason = f"{answer.reason.value}: {answer.text}"[:500]
            return desk.change(unsent(order, reason, now), "outcome")
        reason = f"{answer.cause.value}: {answer.text}"[:500]
        until_ns = now + window_ns(gateway)
        unknown = order.moved(OrderState.UNKNOWN, now, reason=reason)
        unknown = desk.change(unknown.changed(valid_until_ns=until_ns), "outcome")
        return await self._background.settle(unknown)


def same_order(order: Order, intent: OrderIntent) -> Order:
    """Return the order an intent id became; raises `IntentConflict` when it was another's."""
    if not order.intent.same_order(intent):
        raise IntentConflict(
            "the intent id was used for another order",
            where=intent.intent_id,
            remedy="use a new intent id for a new order",
        )
    return order


def _next_step(order: Order) -> tuple[str | None, bool]:
    """Return why the intent may go on elsewhere (None: it may not), and whether to repeat."""
    if order.state is OrderState.ABSENT:
        return "absent", True
    if order.state is not OrderState.REJECTED:
        return None, False
    reason = RefusalReason(order.reason.partition(":")[0])
    if not reason.venue_is_at_fault:
        return None, False
    return reason.value, reason is RefusalReason.RATE_LIMITED


async def _complaint(gateway: Gateway, intent: OrderIntent) -> ExecError | None:
    """Return which rule of the venue that is known beforehand the intent breaks."""
    try:
        instrument = await gateway.instrument(intent.symbol)
    except VenueUnavailable as error:
        return error
    if instrument is None:
        return InvalidOrder(
            f"{gateway.name} does not trade {intent.symbol}",
            where=intent.intent_id,
            remedy="choose another symbol or venue",
        )
    capabilities = gateway.capabilities
    if (
        intent.type not in capabilities.order_types
        or intent.time_in_force not in capabilities.times_in_force
    ):
        return InvalidOrder(
            f"{gateway.name} does not take {intent.type} {intent.time_in_force} orders",
            where=intent.intent_id,
            remedy="choose another type, time in force or venue",
        )
    try:
        instrument.check(intent)
    except InvalidOrder as error:
        return error
    return None
