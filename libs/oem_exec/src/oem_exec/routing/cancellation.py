"""Cancelling orders: the wish is durable, and goes on until the venue shows the order's end."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from oem_exec.errors import ExecError
from oem_exec.model.order import Order
from oem_exec.model.states import LIVE
from oem_exec.resolver import certain
from oem_exec.routing.background import Background
from oem_exec.routing.floor import Floor
from oem_exec.routing.submission import Submissions
from oem_exec.venue import Accepted


class Cancellation:
    """Cancels one order at a time an intent, within a caller's patience and beyond it.

    Args:
        floor: The router's parts.
        background: Where it goes on.
        submissions: Orders on their way, which are waited for.
    """

    def __init__(self, floor: Floor, background: Background, submissions: Submissions) -> None:
        self._floor = floor
        self._background = background
        self._submissions = submissions
        self._cancelling: set[str] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, intent_id: str) -> asyncio.Lock:
        """Return the lock under which an intent's order is cancelled or amended."""
        return self._locks.setdefault(intent_id, asyncio.Lock())

    async def cancel(self, intent_id: str, *, wish: bool = True) -> Order:
        """Cancel within the patience; a caller's wish is kept until the order has ended.

        Args:
            intent_id: Whose order.
            wish: Keep at it; False for the cancel of an amendment, which may be given up.
        """
        floor = self._floor
        await self._submissions.finished(intent_id)
        order = floor.order(intent_id)
        if wish and order.state.open and not order.cancel_requested:
            order = floor.desk.change(order.changed(cancel_requested=True), "canceled")
            await floor.desk.durable()
        if not certain(order):
            order = await self._background.settle(order)
        deadline = floor.clock.now_ns() + int(floor.settings.resolve_patience_s * 1e9)
        attempt = 0
        while order.state in LIVE:
            answer = await floor.gateways[order.venue].cancel(order)
            if isinstance(answer, Accepted):
                order = floor.desk.learn(order.client_order_id, answer.order, "canceled")
            if order.state.open or not order.settled:
                order = await floor.resolver.look(order, "canceled")
            if not order.state.open or floor.clock.now_ns() >= deadline:
                break
            await asyncio.sleep(floor.settings.backoff.wait_s(attempt, floor.rng))
            attempt += 1
        self.go_on(order)
        return order

    def go_on(self, order: Order) -> None:
        """Go on cancelling an order whose cancel is wished and not done."""
        here = order.venue in self._floor.gateways
        wished = order.cancel_requested and order.state in LIVE and here
        if wished and order.intent_id not in self._cancelling:
            self._cancelling.add(order.intent_id)
            self._background.spawn(self._cancel_for_ever(order.intent_id))

    async def _cancel_for_ever(self, intent_id: str) -> None:
        try:
            while self._floor.order(intent_id).state in LIVE:
                await asyncio.sleep(self._floor.settings.backoff.longest_s)
                async with self.turn(intent_id):
                    await self.cancel(intent_id)
        except ExecError:
            return  # journal or store failed; the wish is durable, the next start goes on
        finally:
            self._cancelling.discard(intent_id)
