"""Routing orders to venues so that none is placed twice and none is forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, Self
from weakref import WeakValueDictionary

from oem_exec.backoff import Backoff
from oem_exec.breaker import BreakerSettings
from oem_exec.budget import Budgets, Unlimited
from oem_exec.desk import Desk, OrderEvent, unsent
from oem_exec.errors import (
    BadSettings,
    ExecError,
    IntentConflict,
    InvalidOrder,
    KillSwitchEngaged,
    NoRoute,
    NotStarted,
    UnknownOrder,
    UnresolvedOrders,
    VenueUnavailable,
)
from oem_exec.gateway import Gateway
from oem_exec.journal import Journal
from oem_exec.metrics import RouterMetrics
from oem_exec.model.enums import KillState, RefusalReason
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import LIVE, OrderState
from oem_exec.resolver import (
    ReconcileReport,
    Resolver,
    certain,
    interrupted,
    summary,
    window_ns,
)
from oem_exec.routes import RouteTable
from oem_exec.sequencer import Sequencer
from oem_exec.store.protocol import KillSwitch, OrderStore
from oem_exec.venue import Accepted, AmendMode, PlaceAnswer, Refused, Unknown, Venue
from oem_security.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """How the router behaves.

    Attributes:
        request_timeout_s: Longest time for one request to a venue.
        resolve_patience_s: How long `submit`, `cancel` and `amend` wait for an unknown outcome
            to be resolved before they return the order as it is; resolution goes on behind them.
        start_patience_s: How long `start` waits for open intents to be resolved.
        max_attempts: Orders one intent may become at most, over fallbacks and repetitions.
        poll_interval_s: Open orders are refreshed this often; 0 leaves it to calls of `poll`.
        refuse_while_unresolved: Refuse new orders as long as any outcome is unknown.
        backoff: Waits between repetitions.
        breaker: When a venue is left alone.
    """

    request_timeout_s: float = 10.0
    resolve_patience_s: float = 5.0
    start_patience_s: float = 30.0
    max_attempts: int = 4
    poll_interval_s: float = 0.0
    refuse_while_unresolved: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


_RECENT = 500
"""Newest orders whose venues and symbols a reconciliation compares with the account's trades."""


class LiveExecutionRouter:
    """The one way from an intent to a venue, on paper and live alike.

    Use it from one event loop, as `async with router:` or with `start` and `stop`.

    Args:
        store: Durable orders.
        venues: The venues that routes name.
        routes: Which venues an order may go to.
        journal: The decision log; every intent is in it before it is sent. None keeps none.
        metrics: Where to count; None counts nothing.
        clock: Time.
        settings: Time-outs, patience, attempts.
        rng: Jitter; None seeds one from the operating system.
        budgets: Rate limits shared with the site's other processes; None limits nothing.
        sequencers: Venue to turn-taking across processes.

    Raises:
        BadSettings: Two venues share a name, or a route names an unknown one.
    """

    def __init__(
        self,
        store: OrderStore,
        venues: Iterable[Venue],
        routes: RouteTable,
        journal: Journal | None = None,
        metrics: RouterMetrics | None = None,
        clock: Clock | None = None,
        settings: RouterSettings | None = None,
        rng: Random | None = None,
        budgets: Budgets | None = None,
        sequencers: dict[str, Sequencer] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._settings = settings or RouterSettings()
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._routes = routes
        venues = list(venues)
        remembering = frozenset(v.name for v in venues if v.capabilities.remembers)
        self._desk = Desk(store, journal, metrics, self._clock, remembering=remembering)
        self.metrics = metrics
        self._gateways = {
            venue.name: Gateway(
                venue,
                budgets or Unlimited(),
                self._settings.breaker,
                metrics,
                self._clock,
                self._settings.request_timeout_s,
                (sequencers or {}).get(venue.name),
            )
            for venue in venues
        }
        if len(self._gateways) != len(venues):
            raise BadSettings(
                "two venues share a name",
                where=", ".join(v.name for v in venues),
                remedy="rename one",
            )
        routes.check(self._gateways)
        self._resolver = Resolver(
            self._desk, self._gateways, self._clock, self._settings.backoff, self._rng
        )
        self._submitting: dict[str, asyncio.Task[Order]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._resolving: set[str] = set()
        self._cancelling: set[str] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._started = False

    # life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> ReconcileReport:
        """Resolve what an earlier process left open, then accept new orders.

        Returns:
            What was found; unresolved orders stay unknown and are looked up in the background.

        Raises:
            StoreUnavailable: The store cannot be read.
        """
        if self._started:
            raise NotStarted("the router is started already", remedy="stop it first")
        now = self._clock.now_ns()
        before = self._desk.load()
        for order in before:
            gateway = self._gateways.get(order.venue)
            if gateway is not None and (again := interrupted(order, gateway, now)) is not order:
                self._desk.change(again, "reconciled")
        report = await self._reconcile(before, self._settings.start_patience_s)
        await self._desk.note("router.start", _short(report))
        self._started = True
        for order in report.unresolved:
            self._resolve_later(order)
        for order in self._desk.live():
            self._cancel_later(order)
        if self._settings.poll_interval_s > 0:
            self._spawn(self._poll_for_ever())
        return report

    async def stop(self) -> None:
        """Refuse new orders, let requests under way end, write everything, close the venues."""
        self._started = False
        waiting = list(self._submitting.values())
        if waiting:
            await asyncio.wait(waiting)
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._desk.drain()
        for gateway in self._gateways.values():
            await gateway.close()

    # questions

    @property
    def listeners(self) -> list[Any]:
        """Return the list of `Callable[[OrderEvent], None]` called for every event."""
        return self._desk.listeners

    @property
    def venues(self) -> tuple[str, ...]:
        """Return the names of the venues it can ask."""
        return tuple(self._gateways)

    @property
    def kill_state(self) -> KillState:
        """Return the kill switch as it is now, whoever set it."""
        return self._store.kill_switch().state

    @property
    def halted_by(self) -> Exception | None:
        """Return the failed journal or store that stopped trading, None while it goes on."""
        return self._desk.failure

    def order(self, intent_id: str) -> Order:
        """Return the newest order of an intent; raises `UnknownOrder`."""
        found = self._desk.latest(intent_id)
        if found is None:
            raise UnknownOrder("no such intent", where=intent_id, remedy="check the intent id")
        return found

    def orders(self) -> tuple[Order, ...]:
        """Return the unsettled and the recent orders, oldest first."""
        return self._desk.known()

    def open_orders(self) -> tuple[Order, ...]:
        """Return the orders that may still trade, oldest first."""
        return tuple(order for order in self._desk.live() if order.state.open)

    # orders

    async def submit(self, intent: OrderIntent, *, venues: Sequence[str] | None = None) -> Order:
        """Have an intent executed, once.

        Submitting the same intent again returns the order it became. A venue's refusal is an order
        in state REJECTED; an outcome nobody knows is an order in state UNKNOWN, which the router
        goes on resolving.

        Args:
            intent: What is wanted.
            venues: Venues in order of preference, in place of the routes'.

        Raises:
            InvalidOrder: The order breaks a rule of the venue that is known beforehand.
            VenueUnavailable: No venue of the route tells its rules; nothing was sent.
            NoRoute: No venue for its symbol and profile.
            IntentConflict: The id was used for something else.
            KillSwitchEngaged: REDUCING or HALTED refuses it.
            JournalFailed: The decision log refuses entries; trading has stopped.
            StoreUnavailable: The store refuses writes; trading has stopped.
            UnresolvedOrders: `refuse_while_unresolved` is set and an outcome is unknown.
            NotStarted: `start` has not been awaited.
        """
        running = self._submitting.get(intent.intent_id)
        if running is None:
            self._check_running()
            if (known := self._desk.latest(intent.intent_id)) is not None:
                return _same(known, intent)
            self._check_switch(intent)
            names = self._names(intent) if venues is None else self._known(venues)
            # a task of its own: a caller that gives up must not leave an order half-way
            running = asyncio.create_task(self._submit(intent, names))
            self._submitting[intent.intent_id] = running
            running.add_done_callback(lambda _: self._submitting.pop(intent.intent_id, None))
        return _same(await asyncio.shield(running), intent)

    async def cancel(self, intent_id: str) -> Order:
        """Cancel an intent's order and return it as the venue's evidence shows it.

        An order that has ended already is returned as it ended. Cancels pass a thrown kill switch.
        The wish is durable: while the venue does not answer, or the order's fate is not known, the
        order comes back as it stands and the router goes on cancelling, also after a restart.

        Raises:
            UnknownOrder: No such intent.
            NotStarted: `start` has not been awaited.
        """
        if not self._started:
            raise NotStarted("the router is not started", remedy="await start() first")
        self.order(intent_id)
        async with self._locks.setdefault(intent_id, asyncio.Lock()):
            return await self._finish_first(self._cancel(intent_id))

    async def amend(
        self, intent_id: str, *, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> Order:
        """Change the total quantity or the price of an open order.

        Where the venue changes orders in place, the order keeps its ids; elsewhere it is
        cancelled, its end is awaited, and the rest becomes a new order of the same intent.

        Raises:
            UnknownOrder: No such intent.
            InvalidOrder: The order has ended, or the new numbers break the venue's rules.
            KillSwitchEngaged: The switch is not ACTIVE.
        """
        self._check_running()
        order = self.order(intent_id)
        if self.kill_state is not KillState.ACTIVE:
            raise KillSwitchEngaged(
                f"the kill switch is {self.kill_state}", where=intent_id, remedy="cancel the order"
            )
        async with self._locks.setdefault(intent_id, asyncio.Lock()):
            return await self._finish_first(
                self._amend(
                    intent_id,
                    quantity,
                    # 0 is a wrong number to refuse, not a number left out
                    order.price if price is None else price,
                )
            )

    async def poll(self) -> tuple[Order, ...]:
        """Ask the venues about every open order; return those that changed."""
        changed: list[Order] = []
        for order in self._desk.live():
            if order.state is OrderState.QUARANTINED or order.client_order_id in self._resolving:
                continue
            if order.state is OrderState.SUBMITTING:
                continue
            after = await self._resolver.look(order, "fill")
            if after is not order:
                changed.append(after)
        return tuple(changed)

    async def reconcile(self) -> ReconcileReport:
        """Resolve every unsettled order and look for orders nobody here asked for."""
        return await self._reconcile(self._desk.live(), self._settings.resolve_patience_s)

    async def release(self, intent_id: str, *, operator: str) -> Order:
        """Let a person take an order out of quarantine: the venue's evidence decides its state.

        Raises:
            UnknownOrder: No such intent.
            UnresolvedOrders: The venue still contradicts itself or cannot be asked.
        """
        order = self.order(intent_id)
        if order.state is not OrderState.QUARANTINED:
            return order
        await self._desk.note("order.release", {"intent_id": intent_id, "operator": operator})
        asked = replace(order, state=OrderState.UNKNOWN, reason="", venue_order_id="")
        self._desk.change(asked, "reconciled")
        after = await self._resolver.until_certain(asked, self._settings.resolve_patience_s)
        if not certain(after) or after.state is OrderState.QUARANTINED:
            self._desk.change(replace(order, updated_ns=self._clock.now_ns()), "quarantined")
            raise UnresolvedOrders(
                "the venue's evidence is still contradictory or missing",
                where=intent_id,
                remedy="settle it with the venue, then release again",
            )
        return after

    async def set_kill_state(self, state: KillState, *, reason: str, operator: str) -> None:
        """Throw the kill switch, durably."""
        now = self._clock.now_ns()
        await self._store.set_kill_switch(KillSwitch(state, reason, operator, now))
        if self.metrics is not None:
            self.metrics.kill_switch(state)
        await self._desk.note(
            "router.kill_state",
            {"state": state.value, "reason": reason, "operator": operator, "time_ns": now},
        )

    def routed(self, symbol: str, profile: str) -> tuple[str, ...]:
        """Return the venues that the routes name for a symbol and profile; raises `NoRoute`."""
        return self._routes.venues(symbol, profile)

    async def instrument(self, venue: str, symbol: str) -> Instrument | None:
        """Return an instrument of a venue, None when it does not trade it.

        Raises:
            VenueUnavailable: The venue does not tell its rules.
        """
        return await self._gateways[venue].instrument(symbol)

    async def note(self, kind: str, body: dict[str, object]) -> None:
        """Append an entry to the decision log; raises `JournalFailed`, which stops trading."""
        await self._desk.note(kind, body)

    # inside, submit

    def _names(self, intent: OrderIntent) -> tuple[str, ...]:
        return self._routes.venues(intent.symbol, intent.profile)

    def _known(self, venues: Sequence[str]) -> tuple[str, ...]:
        if not venues or not set(venues) <= set(self._gateways):
            raise NoRoute(
                f"no venue {', '.join(sorted(set(venues) - set(self._gateways)))}",
                where="submit",
                remedy=f"use some of {', '.join(self._gateways)}",
            )
        return tuple(dict.fromkeys(venues))

    async def _submit(self, intent: OrderIntent, names: Sequence[str]) -> Order:
        started = time.perf_counter()
        intent = intent if intent.created_ns else intent.stamped(self._clock.now_ns())
        order = await self._along(intent, names)
        if not self._gateways[order.venue].capabilities.remembers:
            await self._desk.durable()  # nobody could tell us again
        if self.metrics is not None:
            self.metrics.latency(order.venue, "total", time.perf_counter() - started)
        return order

    async def _along(self, intent: OrderIntent, names: Sequence[str]) -> Order:
        order: Order | None = None
        complaint: ExecError | None = None
        position = tries = 0
        while position < len(names) and tries < self._settings.max_attempts:
            gateway = self._gateways[names[position]]
            reason: str | None = None
            if not gateway.allows():
                reason = RefusalReason.BREAKER_OPEN.value
            elif (here := await self._complaint(gateway, intent)) is not None:
                complaint = here
                unreachable = isinstance(here, VenueUnavailable)
                reason = "unavailable" if unreachable else RefusalReason.INVALID.value
            if reason is None:
                order = await self._attempt(gateway, intent, tries, intent.quantity, intent.price)
                tries += 1
                reason, again = self._next_step(order)
                if reason is None:
                    return order
                last = position == len(names) - 1
                if again and last and tries < self._settings.max_attempts:
                    await asyncio.sleep(self._settings.backoff.wait_s(tries - 1, self._rng))
                    self._check_switch(intent)
                    continue
            position += 1
            if position < len(names) and self.metrics is not None:
                self.metrics.fallback(gateway.name, names[position], reason)
        if order is not None:
            return order
        if complaint is not None:
            raise complaint
        return await self._never_sent(intent, names[0])

    def _next_step(self, order: Order) -> tuple[str | None, bool]:
        """Return why the intent may go on elsewhere (None: it may not), and whether to repeat."""
        if order.state is OrderState.ABSENT:
            return "absent", True
        if order.state is not OrderState.REJECTED:
            return None, False
        reason = RefusalReason(order.reason.partition(":")[0])
        if not reason.venue_is_at_fault:
            return None, False
        return reason.value, reason is RefusalReason.RATE_LIMITED

    async def _complaint(self, gateway: Gateway, intent: OrderIntent) -> ExecError | None:
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

    async def _attempt(
        self,
        gateway: Gateway,
        intent: OrderIntent,
        attempt: int,
        quantity: Decimal,
        price: Decimal | None,
    ) -> Order:
        """Make one order durable, send it, return it when certain or when patience ends."""
        granted_s = await gateway.reserve_place()
        if attempt:
            # how the attempt before ended, and with which fills, must survive with this one
            await self._desk.durable()
        now = self._clock.now_ns()
        order = Order(
            intent=intent,
            client_order_id=intent.client_order_id(attempt),
            venue=gateway.name,
            attempt=attempt,
            state=OrderState.SUBMITTING,
            quantity=quantity,
            price=price,
            sent_ns=now,
            updated_ns=now,
        )
        began = time.perf_counter()
        if not await self._desk.admit(order):
            existing = self._desk.get(order.client_order_id)
            if existing is None:
                raise IntentConflict(
                    "another order has this id",
                    where=intent.intent_id,
                    remedy="use a new intent id",
                )
            return existing
        if self.metrics is not None:
            self.metrics.latency(gateway.name, "durable", time.perf_counter() - began)
        try:
            # the switch may have been thrown while the budget or the disk was waited for
            self._check_switch(intent)
        except KillSwitchEngaged:
            self._desk.change(
                unsent(order, RefusalReason.NOT_SENT.value, self._clock.now_ns()), "outcome"
            )
            raise
        answer = await gateway.place(order, granted_s)
        return await self._placed(gateway, order, answer)

    async def _placed(self, gateway: Gateway, order: Order, answer: PlaceAnswer) -> Order:
        if isinstance(answer, Accepted):
            return self._desk.learn(order.client_order_id, answer.order, "outcome")
        now = self._clock.now_ns()
        if isinstance(answer, Refused):
            reason = f"{answer.reason.value}: {answer.text}"[:500]
            refused = replace(order.moved(OrderState.REJECTED, now, reason=reason), settled=True)
            return self._desk.change(refused, "outcome")
        reason = f"{answer.cause.value}: {answer.text}"[:500]
        unknown = replace(
            order.moved(OrderState.UNKNOWN, now, reason=reason),
            valid_until_ns=now + window_ns(gateway),
        )
        self._desk.change(unknown, "outcome")
        return await self._settle(unknown)

    async def _settle(self, order: Order) -> Order:
        """Resolve an unknown order within the patience, else go on behind the caller's back."""
        self._resolving.add(order.client_order_id)
        try:
            after = await self._resolver.until_certain(order, self._settings.resolve_patience_s)
        finally:
            self._resolving.discard(order.client_order_id)
        if not certain(after):
            self._resolve_later(after)
        return after

    async def _never_sent(self, intent: OrderIntent, venue: str) -> Order:
        now = self._clock.now_ns()
        order = Order(
            intent=intent,
            client_order_id=intent.client_order_id(0),
            venue=venue,
            attempt=0,
            state=OrderState.SUBMITTING,
            quantity=intent.quantity,
            price=intent.price,
            sent_ns=now,
            updated_ns=now,
        )
        if not await self._desk.admit(order):
            return self.order(intent.intent_id)
        return self._desk.change(unsent(order, RefusalReason.BREAKER_OPEN.value, now), "outcome")

    # inside, cancel and amend

    async def _finish_first(self, work: Coroutine[Any, Any, Order]) -> Order:
        return await asyncio.shield(self._spawn(work))

    async def _cancel(self, intent_id: str, *, wish: bool = True) -> Order:
        """Cancel within the patience; a caller's wish is kept until the order has ended."""
        running = self._submitting.get(intent_id)
        if running is not None:
            await asyncio.wait({running})
        order = self.order(intent_id)
        if wish and order.state.open and not order.cancel_requested:
            order = self._desk.change(replace(order, cancel_requested=True), "canceled")
            await self._desk.durable()
        if not certain(order):
            order = await self._settle(order)
        deadline = self._clock.now_ns() + int(self._settings.resolve_patience_s * 1e9)
        attempt = 0
        while order.state in LIVE:
            gateway = self._gateways[order.venue]
            answer = await gateway.cancel(order)
            if isinstance(answer, Accepted):
                order = self._desk.learn(order.client_order_id, answer.order, "canceled")
            if order.state.open or not order.settled:
                order = await self._resolver.look(order, "canceled")
            if not order.state.open or self._clock.now_ns() >= deadline:
                break
            await asyncio.sleep(self._settings.backoff.wait_s(attempt, self._rng))
            attempt += 1
        self._cancel_later(order)
        return order

    def _cancel_later(self, order: Order) -> None:
        """Go on cancelling an order whose cancel is wished and not done."""
        wished = order.cancel_requested and order.state in LIVE and order.venue in self._gateways
        if wished and order.intent_id not in self._cancelling:
            self._cancelling.add(order.intent_id)
            self._spawn(self._cancel_for_ever(order.intent_id))

    async def _cancel_for_ever(self, intent_id: str) -> None:
        try:
            while self.order(intent_id).state in LIVE:
                await asyncio.sleep(self._settings.backoff.longest_s)
                async with self._locks.setdefault(intent_id, asyncio.Lock()):
                    await self._cancel(intent_id)
        except ExecError:
            return  # journal or store failed; the wish is durable, the next start goes on
        finally:
            self._cancelling.discard(intent_id)

    async def _amend(
        self, intent_id: str, quantity: Decimal | None, price: Decimal | None
    ) -> Order:
        order = self.order(intent_id)
        if not certain(order):
            order = await self._settle(order)
        gateway = self._gateways[order.venue]
        if order.state not in LIVE or order.cancel_requested:
            wish = " and to be cancelled" if order.cancel_requested else ""
            raise InvalidOrder(
                f"the order is {order.state}{wish}",
                where=intent_id,
                remedy="amend open orders only",
            )
        before = sum(
            (self._newest(o).filled_quantity for o in self._store.attempts(intent_id)[:-1]),
            Decimal(0),
        )
        quantity = before + order.quantity if quantity is None else quantity
        instrument = await gateway.instrument(order.intent.symbol)
        if instrument is not None:
            instrument.check(replace(order.intent, quantity=quantity, price=price))
        if quantity <= before + order.filled_quantity:
            raise InvalidOrder(
                f"{before + order.filled_quantity} are executed already",
                where=intent_id,
                remedy="cancel it",
            )
        await self._desk.note(
            "order.amend",
            {
                "intent_id": intent_id,
                "client_order_id": order.client_order_id,
                "quantity": str(quantity),
                "price": None if price is None else str(price),
            },
        )
        if gateway.capabilities.amend is AmendMode.IN_PLACE:
            return await self._amend_in_place(gateway, order, quantity - before, price)
        return await self._replace(gateway, order, quantity, price)

    async def _amend_in_place(
        self, gateway: Gateway, order: Order, quantity: Decimal, price: Decimal | None
    ) -> Order:
        largest = max(quantity, order.asked_quantity or order.quantity)
        order = self._desk.change(replace(order, asked_quantity=largest), "amended")
        await self._desk.durable()
        answer = await gateway.amend(order, quantity, price)
        if isinstance(answer, Accepted):
            return self._desk.learn(order.client_order_id, answer.order, "amended")
        if isinstance(answer, Unknown):
            # whether it was changed is read from the order itself; nothing is repeated
            return await self._resolver.look(order, "amended")
        raise InvalidOrder(
            f"{gateway.name} refused the amendment: {answer.text}",
            where=order.intent_id,
            remedy="look at the order; it may have ended",
        )

    async def _replace(
        self, gateway: Gateway, order: Order, quantity: Decimal, price: Decimal | None
    ) -> Order:
        ended_order = await self._cancel(order.intent_id, wish=False)
        if ended_order.state is not OrderState.CANCELED:
            return ended_order  # filled meanwhile, or its end is not proven: nothing is sent
        filled = sum(self._newest(o).filled_quantity for o in self._store.attempts(order.intent_id))
        rest = quantity - filled
        if rest <= 0:
            return ended_order
        return await self._attempt(gateway, order.intent, ended_order.attempt + 1, rest, price)

    # inside, the rest

    async def _reconcile(self, orders: Sequence[Order], patience_s: float) -> ReconcileReport:
        newest = [self._newest(order) for order in orders]
        after = await asyncio.gather(*(self._certain(order, patience_s) for order in newest))
        foreign = await self._resolver.foreign()
        foreign += await self._resolver.orphans(self._store.orders(limit=_RECENT))
        return replace(summary(orders, after), foreign=foreign)

    def _newest(self, order: Order) -> Order:
        # what was learnt a moment ago may still be on its way to the store
        return self._desk.get(order.client_order_id) or order

    async def _certain(self, order: Order, patience_s: float) -> Order:
        if order.state is OrderState.QUARANTINED or order.venue not in self._gateways:
            return order
        if order.client_order_id in self._resolving:
            return order
        if order.state is OrderState.SUBMITTING:  # its request is under way in this process
            return order
        if certain(order):
            return await self._resolver.look(order)
        return await self._resolver.until_certain(order, patience_s)

    def _resolve_later(self, order: Order) -> None:
        if order.client_order_id in self._resolving:
            return
        self._resolving.add(order.client_order_id)
        self._spawn(self._resolve_for_ever(order))

    async def _resolve_for_ever(self, order: Order) -> None:
        try:
            while not certain(order):
                order = await self._resolver.until_certain(order, 3600.0)
        finally:
            self._resolving.discard(order.client_order_id)
        self._cancel_later(order)

    async def _poll_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            await self.poll()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _check_running(self) -> None:
        if not self._started:
            raise NotStarted("the router is not started", remedy="await start() first")
        self._desk.check()

    def _check_switch(self, intent: OrderIntent) -> None:
        switch = self._store.kill_switch()
        allowed = switch.state is KillState.ACTIVE or (
            switch.state is KillState.REDUCING and intent.reduce_only
        )
        if not allowed:
            raise KillSwitchEngaged(
                f"the kill switch is {switch.state} ({switch.reason or 'no reason given'})",
                where=intent.intent_id,
                remedy="an operator sets it back to active with `oem exec kill active`",
            )
        if self._settings.refuse_while_unresolved and any(
            order.state is OrderState.UNKNOWN for order in self._desk.live()
        ):
            raise UnresolvedOrders(
                "an earlier order's outcome is unknown",
                where=intent.intent_id,
                remedy="wait until the venue answers, which settles it; see: oem exec status",
            )


def _same(order: Order, intent: OrderIntent) -> Order:
    if not order.intent.same_order(intent):
        raise IntentConflict(
            "the intent id was used for another order",
            where=intent.intent_id,
            remedy="use a new intent id for a new order",
        )
    return order


def _short(report: ReconcileReport) -> dict[str, object]:
    return {
        "checked": report.checked,
        "resolved": [f"{o.client_order_id}:{o.state}" for o in report.resolved],
        "unresolved": [o.client_order_id for o in report.unresolved],
        "quarantined": [o.client_order_id for o in report.quarantined],
        "foreign": list(report.foreign),
    }


__all__ = ["LiveExecutionRouter", "OrderEvent", "RouterSettings"]
