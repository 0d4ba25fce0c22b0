"""Routing orders to venues so that none is placed twice and none is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, Self

from oem_exec.budget import Budgets, Unlimited
from oem_exec.desk import Desk, OrderEvent
from oem_exec.errors import BadSettings, NoRoute, NotStarted, UnresolvedOrders
from oem_exec.gateway import Gateway
from oem_exec.journal import Journal
from oem_exec.metrics import RouterMetrics
from oem_exec.model.enums import KillState
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.resolver import ReconcileReport, Resolver, certain, interrupted, summary
from oem_exec.routes import RouteTable
from oem_exec.routing.amendment import Amendment
from oem_exec.routing.background import Background
from oem_exec.routing.cancellation import Cancellation
from oem_exec.routing.floor import Floor
from oem_exec.routing.kill_switch import KillGuard
from oem_exec.routing.settings import RouterSettings
from oem_exec.routing.submission import Submissions, same_order
from oem_exec.sequencer import Sequencer
from oem_exec.store.protocol import OrderStore
from oem_exec.venue import Venue
from oem_security.clock import Clock, SystemClock

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
        self._clock = clock or SystemClock()
        self._settings = settings or RouterSettings()
        self._routes = routes
        self.metrics = metrics
        rng = rng or Random()  # noqa: S311 - jitter
        venues = list(venues)
        remembering = frozenset(v.name for v in venues if v.capabilities.remembers)
        self._desk = desk = Desk(store, journal, metrics, self._clock, remembering=remembering)
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
        self._resolver = Resolver(desk, self._gateways, self._clock, self._settings.backoff, rng)
        self._floor = floor = Floor(
            store, desk, self._gateways, self._resolver, self._clock, self._settings, rng, metrics
        )
        self._guard = KillGuard(floor)
        self._background = background = Background(floor)
        self._submissions = Submissions(floor, self._guard, background)
        self._cancellation = Cancellation(floor, background, self._submissions)
        self._amendment = Amendment(floor, background, self._cancellation, self._submissions)
        background.when_certain = self._cancellation.go_on

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
        if self._guard.started:
            raise NotStarted("the router is started already", remedy="stop it first")
        now = self._clock.now_ns()
        before = self._desk.load()
        for order in before:
            gateway = self._gateways.get(order.venue)
            if gateway is not None and (again := interrupted(order, gateway, now)) is not order:
                self._desk.change(again, "reconciled")
        report = await self._reconcile(before, self._settings.start_patience_s)
        await self._desk.durable()  # who reads the store next sees what was found
        await self._desk.note("router.start", _short(report))
        self._guard.started = True
        for order in report.unresolved:
            self._background.resolve_later(order)
        for order in self._desk.live():
            self._cancellation.go_on(order)
        if self._settings.poll_interval_s > 0:
            self._background.spawn(self._poll_for_ever())
        return report

    async def stop(self) -> None:
        """Refuse new orders, let requests under way end, write everything, close the venues."""
        self._guard.started = False
        await self._submissions.all_finished()
        await self._background.stop()
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
        return self._floor.store.kill_switch().state

    @property
    def halted_by(self) -> Exception | None:
        """Return the failed journal or store that stopped trading, None while it goes on."""
        return self._desk.failure

    def order(self, intent_id: str) -> Order:
        """Return the newest order of an intent; raises `UnknownOrder`."""
        return self._floor.order(intent_id)

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
        joined = await self._submissions.join(intent.intent_id)
        if joined is not None:
            return same_order(joined, intent)
        self._guard.require_working()
        known, switch = self._desk.known_intent(intent.intent_id)
        if known is not None:
            return same_order(known, intent)
        self._guard.require_allowed(intent, switch)
        if venues is None:
            names = self._routes.venues(intent.symbol, intent.profile)
        else:
            names = self._known(venues)
        return same_order(await self._submissions.start(intent, names), intent)

    async def cancel(self, intent_id: str) -> Order:
        """Cancel an intent's order and return it as the venue's evidence shows it.

        An order that has ended already is returned as it ended. Cancels pass a thrown kill switch.
        The wish is durable: while the venue does not answer, or the order's fate is not known, the
        order comes back as it stands and the router goes on cancelling, also after a restart.

        Raises:
            UnknownOrder: No such intent.
            NotStarted: `start` has not been awaited.
        """
        self._guard.require_started()
        self._floor.order(intent_id)
        async with self._cancellation.turn(intent_id):
            return await self._background.finish_first(self._cancellation.cancel(intent_id))

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
        self._guard.require_working()
        order = self._floor.order(intent_id)
        self._guard.require_active(intent_id)
        # 0 is a wrong number to refuse, not a number left out
        price = order.price if price is None else price
        async with self._cancellation.turn(intent_id):
            return await self._background.finish_first(
                self._amendment.amend(intent_id, quantity, price)
            )

    async def poll(self) -> tuple[Order, ...]:
        """Ask the venues about every open order; return those that changed."""
        changed: list[Order] = []
        for order in self._desk.live():
            if self._left_alone(order):
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
        asked = order.changed(state=OrderState.UNKNOWN, reason="", venue_order_id="")
        self._desk.change(asked, "reconciled")
        after = await self._resolver.until_certain(asked, self._settings.resolve_patience_s)
        if not certain(after) or after.state is OrderState.QUARANTINED:
            self._desk.change(order.changed(updated_ns=self._clock.now_ns()), "quarantined")
            raise UnresolvedOrders(
                "the venue's evidence is still contradictory or missing",
                where=intent_id,
                remedy="settle it with the venue, then release again",
            )
        return after

    async def set_kill_state(self, state: KillState, *, reason: str, operator: str) -> None:
        """Throw the kill switch, durably."""
        await self._guard.throw(state, reason=reason, operator=operator)

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

    # inside

    def _known(self, venues: Sequence[str]) -> tuple[str, ...]:
        if not venues or not set(venues) <= set(self._gateways):
            raise NoRoute(
                f"no venue {', '.join(sorted(set(venues) - set(self._gateways)))}",
                where="submit",
                remedy=f"use some of {', '.join(self._gateways)}",
            )
        return tuple(dict.fromkeys(venues))

    async def _reconcile(self, orders: Sequence[Order], patience_s: float) -> ReconcileReport:
        newest = [self._floor.newest(order) for order in orders]
        after = await asyncio.gather(*(self._certain(order, patience_s) for order in newest))
        foreign = await self._resolver.foreign()
        foreign += await self._resolver.orphans(self._floor.store.orders(limit=_RECENT))
        return replace(summary(orders, after), foreign=foreign)

    async def _certain(self, order: Order, patience_s: float) -> Order:
        if order.venue not in self._gateways or self._left_alone(order):
            return order
        if certain(order):
            return await self._resolver.look(order)
        return await self._resolver.until_certain(order, patience_s)

    def _left_alone(self, order: Order) -> bool:
        """Return whether an order is a person's, on its way, or being looked up already."""
        if order.state in {OrderState.QUARANTINED, OrderState.SUBMITTING}:
            return True
        return order.client_order_id in self._background.resolving

    async def _poll_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            await self.poll()


def _short(report: ReconcileReport) -> dict[str, object]:
    return {
        "checked": report.checked,
        "resolved": [f"{o.client_order_id}:{o.state}" for o in report.resolved],
        "unresolved": [o.client_order_id for o in report.unresolved],
        "quarantined": [o.client_order_id for o in report.quarantined],
        "foreign": list(report.foreign),
    }


__all__ = ["LiveExecutionRouter", "OrderEvent", "RouterSettings"]
