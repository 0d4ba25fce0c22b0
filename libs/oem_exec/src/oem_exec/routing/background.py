"""What goes on when a caller's patience is over: finding out what became of orders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from oem_exec.model.order import Order
from oem_exec.resolver import certain
from oem_exec.routing.floor import Floor


class Background:
    """Tasks that outlive their callers, and the orders that are being looked up.

    Args:
        floor: The router's parts.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._tasks: set[asyncio.Task[Any]] = set()
        self.resolving: set[str] = set()
        """Client order ids that somebody looks up already."""
        self.when_certain: Callable[[Order], None] = lambda _: None
        """Called with an order whose fate became certain behind its caller's back."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work that `stop` ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish_first(self, work: Coroutine[Any, Any, Order]) -> Order:
        """Return what the work returns; a caller that gives up does not stop it half-way."""
        return await asyncio.shield(self.spawn(work))

    async def settle(self, order: Order) -> Order:
        """Resolve an unknown order within the patience, else go on behind the caller's back."""
        self.resolving.add(order.client_order_id)
        try:
            patience_s = self._floor.settings.resolve_patience_s
            after = await self._floor.resolver.until_certain(order, patience_s)
        finally:
            self.resolving.discard(order.client_order_id)
        if not certain(after):
            self.resolve_later(after)
        return after

    def resolve_later(self, order: Order) -> None:
        """Look an order up until its fate is certain, however long that takes."""
        if order.client_order_id in self.resolving:
            return
        self.resolving.add(order.client_order_id)
        self.spawn(self._resolve_for_ever(order))

    async def stop(self) -> None:
        """End every task and wait for its end."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _resolve_for_ever(self, order: Order) -> None:
        try:
            while not certain(order):
                order = await self._floor.resolver.until_certain(order, 3600.0)
        finally:
            self.resolving.discard(order.client_order_id)
        self.when_certain(order)
