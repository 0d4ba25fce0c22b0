"""Venues that live on while the trading process dies, and what must be true of both at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from exec_faults import (
    ALLOWED,
    ENDED,
    NEVER_LIVE,
    FaultyJournal,
    FaultyStore,
    FaultyVenue,
    Process,
)
from exec_support import BTC, D, limit, market
from oem_exec import (
    Backoff,
    KillState,
    LiveExecutionRouter,
    Order,
    OrderIntent,
    OrderState,
    OrderType,
    PaperVenue,
    Route,
    RouterSettings,
    RouteTable,
    Side,
    TimeInForce,
    Venue,
)
from oem_exec.errors import ExecError, KillSwitchEngaged
from oem_exec.model.enums import UnknownCause
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import SimOrder
from oem_exec.venue import (
    Accepted,
    AmendMode,
    Capabilities,
    DuplicateIds,
    Found,
    NotFound,
    Unknown,
    VenueOrder,
    VenueTrade,
)
from oem_security.clock import Clock

INTENTS: tuple[OrderIntent, ...] = (
    limit("i0", "59000", "0.01"),
    limit("i1", "60010", "1.5"),
    limit("i2", "60010", "0.02", time_in_force=TimeInForce.IOC),
    market("i3", "0.01"),
    replace(limit("i4", "61000", "0.03", side=Side.SELL), reduce_only=True),
    limit("i5", "60010", "0.01", order_type=OrderType.POST_ONLY),
    limit("i6", "59000", "0.05"),
)
BOOK = (
    [(D("60000"), D("1")), (D("59990"), D("2"))],
    [(D("60010"), D("1")), (D("60020"), D("2"))],
)


class RemoteVenue(PaperVenue):
    """An exchange that outlives the trading process and shows new orders late.

    Args:
        name: Its name.
        clock: Time.
        terse: Answers carry no more than ids, as Kraken's; it amends in place.
    """

    def __init__(self, name: str, clock: Clock, *, terse: bool) -> None:
        super().__init__([BTC], clock=clock, name=name)
        self.feed_book("BTC/USDT", *BOOK, 1)
        self._terse = terse
        self._capabilities = Capabilities(
            set_client_id="own",
            find_by_client_id="own",
            visibility_delay_s=2.0,
            receive_window_s=5.0,
            amend=AmendMode.IN_PLACE if terse else AmendMode.CANCEL_REPLACE,
            duplicate_ids=DuplicateIds.REFUSED_WHILE_OPEN,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def place(self, order: Order) -> Any:
        answer = await super().place(order)
        if self._terse and isinstance(answer, Accepted):
            return Accepted(_silent(answer.order, order))
        return answer

    async def cancel(self, order: Order) -> Any:
        answer = await super().cancel(order)
        return self._changed(answer)

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> Any:
        return self._changed(await super().amend(order, quantity, price))

    async def lookup(self, order: Order) -> Any:
        await asyncio.sleep(0.01)
        found = self.exchange.find(self.OWNER, order.client_order_id)
        visible = [o for o in found if self._clock.now_ns() - o.created_ns > 1_500_000_000]
        if not visible:
            return NotFound()
        answer = await super().lookup(order)
        return Found(tuple(replace(o, fills=()) for o in answer.orders))

    async def account_trades(self, symbol: str, since_ns: int) -> Any:
        return tuple(
            VenueTrade(order.order_id, replace(fill, client_order_id=""))
            for order in self.exchange.orders.values()
            for fill in order.fills
            if fill.time_ns >= since_ns
        )

    def _changed(self, answer: Any) -> Any:
        if not isinstance(answer, Accepted):
            return answer
        if self._terse:
            return Unknown(UnknownCause.NO_ORDER_ID, "taken; look the order up")
        return Accepted(replace(answer.order, fills=()))


def _silent(seen: VenueOrder, order: Order) -> VenueOrder:
    return VenueOrder(order.client_order_id, seen.venue_order_id, seen.symbol, OrderState.OPEN)


class World:
    """Venues, a store and a journal on disk, and one trading process after the other.

    Args:
        folder: Where the store is.
        venues: Makes the venues of a new process.
        exchanges: Venue name to the exchange behind it.
        clock: Time.
        settings: Time-outs and patience of the router.
        late_s: When a late request arrives after it was sent.
    """

    def __init__(
        self,
        folder: Path,
        venues: Callable[[], Iterable[Venue]],
        exchanges: Mapping[str, SimExchange],
        clock: Clock,
        settings: RouterSettings,
        late_s: tuple[float, ...] = (0.3,),
    ) -> None:
        self._path = folder / "orders.sqlite"
        self._venues = venues
        self.exchanges = exchanges
        self._clock = clock
        self._settings = settings
        self._late_s = late_s
        self._seed = 0
        self.late: set[asyncio.Task[Any]] = set()
        self.journal: list[tuple[str, Mapping[str, Any]]] = []
        self.wanted: dict[str, Decimal] = {}
        self.intent_of: dict[str, str] = {}
        self.violations: list[str] = []
        self.struck: list[str] = []
        self.process = Process()
        self._opened: list[Venue] = []
        self.store: FaultyStore | None = None
        self.router: LiveExecutionRouter | None = None
        for name, exchange in exchanges.items():
            self._watch(name, exchange)

    # life of the process

    async def start(self, faults: Iterable[tuple[str, str]] = ()) -> None:
        """Start a trading process; it may die while it starts."""
        asyncio.get_running_loop().set_task_factory(self._started)
        self.process = Process(list(faults), late=self.late, late_s=self._late_s)
        self._seed += 1
        try:
            self.store = FaultyStore(self._path, self.process)
        except ExecError as error:
            self.violations.append(f"the store does not open again: {error}")
            return
        opened = list(self._venues())
        self._opened += opened
        watch = self._before_send, self._before_change
        venues = [FaultyVenue(venue, self.process, *watch) for venue in opened]
        self.router = LiveExecutionRouter(
            self.store,
            venues,  # type: ignore[arg-type]
            RouteTable((Route(venues=tuple(v.name for v in venues)),)),
            journal=FaultyJournal(self.journal, self.process),
            clock=self._clock,
            settings=self._settings,
            rng=Random(self._seed),
        )
        await self.during(self._starting())

    def _started(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        """Make a task; what a task of the process starts belongs to the process."""
        task = asyncio.Task(work, loop=loop, **more)
        tasks = self.process.tasks
        if asyncio.current_task(loop) in tasks:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return task

    async def _starting(self) -> None:
        assert self.router is not None
        try:
            await self.router.start()
        except ExecError:
            self.process.dead.set()  # a supervisor starts it again

    async def during(self, work: Awaitable[Any]) -> Any:
        """Return what a piece of work returns, None when the process dies first."""
        died = asyncio.ensure_future(self.process.dead.wait())
        task = asyncio.ensure_future(work)
        self.process.tasks.add(task)
        done, _ = await asyncio.wait({task, died}, timeout=900, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self.violations.append(f"nothing came of {work!r}")
        if task in done:
            died.cancel()
            return task.result()
        await self.kill()
        return None

    async def kill(self, *, power_cut: bool = False) -> None:
        """End the process at once, as SIGKILL does; requests on their way stay on their way."""
        self.process.dead.set()
        self.process.faults.clear()
        tasks = [task for task in self.process.tasks if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.store is not None:
            self.store.kill(power_cut=power_cut)
        self.struck += self.process.struck
        self.store = self.router = None

    async def stop(self) -> None:
        """End the process in good order."""
        if self.router is not None and self.store is not None:
            await self.during(self.router.stop())
        if self.store is not None:
            self.store.close()
        self.struck += self.process.struck
        self.store = self.router = None

    async def close(self) -> None:
        """End the process and close every connection that any process opened."""
        await self.stop()
        for venue in self._opened:
            await venue.close()

    async def heal(self, patience_s: float) -> None:
        """Let every fault end, every late request arrive, and the process find out."""
        self.process.faults.clear()
        if self.late:
            await asyncio.wait(self.late)
        if self.process.dead.is_set():
            await self.kill()
        if self.router is None or self.router.halted_by is not None:
            await self.stop()
            await self.start()
        await asyncio.sleep(patience_s)
        for _ in range(3):
            assert self.router is not None
            await self.during(self.router.reconcile())
            await self.during(self.router.poll())
        assert self.store is not None
        await self.router._desk.drain()

    # what must be true at any time

    def _watch(self, name: str, exchange: SimExchange) -> None:
        place, amend = exchange.place, exchange.amend

        def placing(owner: str, client_order_id: str, intent: OrderIntent) -> SimOrder:
            order = place(owner, client_order_id, intent)
            self._accepted(name, order)
            return order

        def amending(order: SimOrder, quantity: Decimal, price: Decimal | None) -> SimOrder:
            changed = amend(order, quantity, price)
            self._exposure(order.client_order_id)
            return changed

        exchange.place, exchange.amend = placing, amending  # type: ignore[method-assign]

    def _before_send(self, order: Order) -> None:
        """Called in the trading process with what it is about to send."""
        assert self.store is not None
        self.intent_of[order.client_order_id] = order.intent_id
        known = self.store.order(order.client_order_id)
        if known is None:
            self.violations.append(f"{order.client_order_id} is sent and not durable")
        entries = (b for kind, b in self.journal if kind == "order.intent")
        if not any(body["client_order_id"] == order.client_order_id for body in entries):
            self.violations.append(f"{order.client_order_id} is sent and not in the journal")
        state = self.store.kill_switch().state
        if order.intent.reduce_only not in ALLOWED[state]:
            self.violations.append(f"{order.client_order_id} is sent while {state}")
        assert self.router is not None
        for other in self.store.attempts(order.intent_id):
            newest = self.router._desk.get(other.client_order_id) or other
            if other.client_order_id != order.client_order_id and newest.state not in ENDED:
                self.violations.append(f"{order.intent_id} is sent again while {newest.state}")

    def _before_change(self, order: Order) -> None:
        """Called in the trading process with what it is about to cancel or amend."""
        assert self.store is not None
        durable = self.store.synced.get(order.client_order_id)
        if order.cancel_requested and not (durable and durable.cancel_requested):
            self.violations.append(f"{order.intent_id} is cancelled and the wish is not durable")
        if order.asked_quantity is not None and (
            durable is None or durable.asked_quantity != order.asked_quantity
        ):
            self.violations.append(f"{order.intent_id} is amended and what is asked not durable")

    def _accepted(self, venue: str, order: SimOrder) -> None:
        """Called when a venue accepts an order."""
        client_id = order.client_order_id
        if client_id not in self.intent_of:
            self.violations.append(f"{venue} got {client_id}, which nobody sent")
            return
        mine = [o for o in self.all_orders() if o.client_order_id == client_id]
        if len(mine) > 1:
            self.violations.append(f"{len(mine)} orders of {client_id}")
        if self.router is not None:
            known = self.router._desk.get(client_id)
            if known is not None and known.state in NEVER_LIVE:
                self.violations.append(f"{client_id} was {known.state} and is accepted")
        self._exposure(client_id)

    def exposure(self, intent_id: str) -> Decimal:
        """Return what an intent has got and may still get, over all venues."""
        mine = (o for o in self.all_orders() if self.intent_of.get(o.client_order_id) == intent_id)
        return sum(((o.quantity if o.state.open else o.filled) for o in mine), Decimal(0))

    def _exposure(self, client_id: str) -> None:
        intent_id = self.intent_of[client_id]
        total = self.exposure(intent_id)
        if total > self.wanted[intent_id]:
            self.violations.append(f"{intent_id} wants {self.wanted[intent_id]}, may get {total}")

    def all_orders(self) -> list[SimOrder]:
        """Return the orders of all venues."""
        return [o for exchange in self.exchanges.values() for o in exchange.orders.values()]


async def together(world: World, actions: Iterable[tuple[Any, ...]]) -> None:
    """Do several things at once."""
    await asyncio.gather(*(act(world, action) for action in actions))


async def act(world: World, action: tuple[Any, ...]) -> None:
    """Do one thing a caller may do; only this library's own errors may come of it."""
    router = world.router
    if router is None:
        return
    kind, *rest = action
    try:
        if kind == "submit":
            intent = INTENTS[rest[0]]
            world.wanted.setdefault(intent.intent_id, intent.quantity)
            await router.submit(intent)
        elif kind == "cancel":
            order = await router.cancel(INTENTS[rest[0]].intent_id)
            _ended_there_too(world, order)
        elif kind == "amend":
            number, quantity, price = rest
            intent = INTENTS[number]
            if intent.intent_id in world.wanted and quantity is not None:
                asked = max(world.wanted[intent.intent_id], quantity)
                world.wanted[intent.intent_id] = asked
            await router.amend(intent.intent_id, quantity=quantity, price=price)
        elif kind == "kill":
            await router.set_kill_state(KillState(rest[0]), reason="test", operator="test")
        else:
            await getattr(router, kind)()
    except KillSwitchEngaged:
        assert router.kill_state is not KillState.ACTIVE
    except ExecError as error:
        world.process.struck.append(f"{kind}: {error}")


def _ended_there_too(world: World, order: Order) -> None:
    for theirs in world.all_orders():
        same = theirs.client_order_id == order.client_order_id
        if same and order.state.terminal and theirs.state.open:
            world.violations.append(f"{order.intent_id} is {order.state} here and open there")


FAST_VIRTUAL = RouterSettings(
    request_timeout_s=2.0,
    resolve_patience_s=6.0,
    start_patience_s=10.0,
    backoff=Backoff(first_s=0.1, longest_s=1.0),
)
