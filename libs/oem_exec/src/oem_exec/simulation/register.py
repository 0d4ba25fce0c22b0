"""The orders of a simulated exchange, found by who placed them and by what they wait for."""

from __future__ import annotations

from decimal import Decimal

from oem_exec.model.enums import Side
from oem_exec.simulation.market import SimOrder


class OrderRegister:
    """Every order an exchange remembers.

    Args:
        remember: Finished orders kept for look-ups; the oldest are forgotten first.

    Attributes:
        orders: By the exchange's id, oldest first.
        dated: Open orders that end at a time, by id.
        reducing: Open orders that may only reduce a position, by id.
        stops: Orders that have not woken, by symbol.
    """

    def __init__(self, remember: int) -> None:
        self.orders: dict[str, SimOrder] = {}
        self.dated: dict[str, SimOrder] = {}
        self.reducing: dict[str, SimOrder] = {}
        self.stops: dict[str, list[SimOrder]] = {}
        self._remember = remember
        self._open: dict[str, SimOrder] = {}
        self._by_client: dict[tuple[str, str], list[str]] = {}

    def add(self, order: SimOrder, *, reducing: bool) -> None:
        """Take a new order in."""
        self.orders[order.order_id] = self._open[order.order_id] = order
        if order.intent.expires_ns is not None:
            self.dated[order.order_id] = order
        if reducing:
            self.reducing[order.order_id] = order
        if not order.triggered:
            self.stops.setdefault(order.intent.symbol, []).append(order)
        self._by_client.setdefault((order.owner, order.client_order_id), []).append(order.order_id)

    def find(self, owner: str, client_order_id: str) -> list[SimOrder]:
        """Return the orders an account gave this client order id, oldest first."""
        return [self.orders[i] for i in self._by_client.get((owner, client_order_id), ())]

    def open_of(self, owner: str) -> list[SimOrder]:
        """Return an account's open orders, oldest first."""
        return [order for order in self._open.values() if order.owner == owner]

    def open_in(self, symbol: str) -> list[SimOrder]:
        """Return every account's open orders of a symbol, oldest first."""
        return [order for order in self._open.values() if order.intent.symbol == symbol]

    def reached(self, symbol: str, low: Decimal, high: Decimal) -> list[SimOrder]:
        """Return the stops that prices from `low` to `high` reach, oldest first."""
        return [
            order
            for order in self.stops.get(symbol, ())
            if (stop := order.intent.stop_price) is not None
            and (stop <= high if order.intent.side is Side.BUY else stop >= low)
        ]

    def woke(self, order: SimOrder) -> None:
        """Take a stop off the waiting ones, whether it woke or has ended."""
        waiting = self.stops.get(order.intent.symbol, [])
        if order in waiting:
            waiting.remove(order)

    def ended(self, order: SimOrder) -> None:
        """Keep an order for look-ups alone."""
        self._open.pop(order.order_id, None)
        self.dated.pop(order.order_id, None)
        self.reducing.pop(order.order_id, None)
        if not order.triggered:
            self.woke(order)

    def forget(self) -> None:
        """Drop the oldest orders beyond what is remembered, up to the first that is open."""
        while len(self.orders) > self._remember:
            oldest = next(iter(self.orders))
            order = self.orders[oldest]
            if order.state.open:
                return
            del self.orders[oldest]
            named = self._by_client[order.owner, order.client_order_id]
            named.remove(oldest)
            if not named:
                del self._by_client[order.owner, order.client_order_id]
