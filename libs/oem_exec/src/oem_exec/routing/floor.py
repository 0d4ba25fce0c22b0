"""What every room of the router works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from oem_exec.desk import Desk
from oem_exec.errors import UnknownOrder
from oem_exec.gateway import Gateway
from oem_exec.metrics import RouterMetrics
from oem_exec.model.order import Order
from oem_exec.resolver import Resolver
from oem_exec.routing.settings import RouterSettings
from oem_exec.store.protocol import OrderStore
from oem_security.clock import Clock


@dataclass(frozen=True, slots=True)
class Floor:
    """Store, desk, venues and the ways to ask them, made once by the router."""

    store: OrderStore
    desk: Desk
    gateways: Mapping[str, Gateway]
    resolver: Resolver
    clock: Clock
    settings: RouterSettings
    rng: Random
    metrics: RouterMetrics | None

    def order(self, intent_id: str) -> Order:
        """Return the newest order of an intent; raises `UnknownOrder`."""
        found = self.desk.latest(intent_id)
        if found is None:
            raise UnknownOrder("no such intent", where=intent_id, remedy="check the intent id")
        return found

    def newest(self, order: Order) -> Order:
        """Return an order as it is known now: what was just learnt may not be in the store yet."""
        return self.desk.get(order.client_order_id) or order
