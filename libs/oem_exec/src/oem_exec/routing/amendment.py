"""Changing open orders, in place where the venue can, else by cancel and replacement."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from oem_exec.errors import InvalidOrder
from oem_exec.gateway import Gateway
from oem_exec.model.order import Order
from oem_exec.model.states import LIVE, OrderState
from oem_exec.resolver import certain
from oem_exec.routing.background import Background
from oem_exec.routing.cancellation import Cancellation
from oem_exec.routing.floor import Floor
from oem_exec.routing.submission import Submissions
from oem_exec.venue import Accepted, AmendMode, Unknown


class Amendment:
    """Changes quantity and price of orders.

    Args:
        floor: The router's parts.
        background: Resolves an order in doubt first.
        cancellation: Ends an order that is to be replaced.
        submissions: Sends the replacement.
    """

    def __init__(
        self,
        floor: Floor,
        background: Background,
        cancellation: Cancellation,
        submissions: Submissions,
    ) -> None:
        self._floor = floor
        self._background = background
        self._cancellation = cancellation
        self._submissions = submissions

    async def amend(self, intent_id: str, quantity: Decimal | None, price: Decimal | None) -> Order:
        """Change an order to a total quantity (None keeps it) and a price.

        Raises:
            InvalidOrder: The order has ended, or the new numbers break the venue's rules.
        """
        floor = self._floor
        order = floor.order(intent_id)
        if not certain(order):
            order = await self._background.settle(order)
        gateway = floor.gateways[order.venue]
        if order.state not in LIVE or order.cancel_requested:
            wish = " and to be cancelled" if order.cancel_requested else ""
            raise InvalidOrder(
                f"the order is {order.state}{wish}",
                where=intent_id,
                remedy="amend open orders only",
            )
        before = self._filled(floor.store.attempts(intent_id)[:-1])
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
        await floor.desk.note(
            "order.amend",
            {
                "intent_id": intent_id,
                "client_order_id": order.client_order_id,
                "quantity": str(quantity),
                "price": None if price is None else str(price),
            },
        )
        if gateway.capabilities.amend is AmendMode.IN_PLACE:
            return await self._in_place(gateway, order, quantity - before, price)
        return await self._replace(gateway, order, quantity, price)

    async def _in_place(
        self, gateway: Gateway, order: Order, quantity: Decimal, price: Decimal | None
    ) -> Order:
        floor = self._floor
        largest = max(quantity, order.asked_quantity or order.quantity)
        order = floor.desk.change(order.changed(asked_quantity=largest), "amended")
        await floor.desk.durable()
        answer = await gateway.amend(order, quantity, price)
        if isinstance(answer, Accepted):
            return floor.desk.learn(order.client_order_id, answer.order, "amended")
        if isinstance(answer, Unknown):
            # whether it was changed is read from the order itself; nothing is repeated
            return await floor.resolver.look(order, "amended")
        raise InvalidOrder(
            f"{gateway.name} refused the amendment: {answer.text}",
            where=order.intent_id,
            remedy="look at the order; it may have ended",
        )

    async def _replace(
        self, gateway: Gateway, order: Order, quantity: Decimal, price: Decimal | None
    ) -> Order:
        ended = await self._cancellation.cancel(order.intent_id, wish=False)
        if ended.state is not OrderState.CANCELED:
            return ended  # filled meanwhile, or its end is not proven: nothing is sent
        rest = quantity - self._filled(self._floor.store.attempts(order.intent_id))
        if rest <= 0:
            return ended
        return await self._submissions.attempt(
            gateway, order.intent, ended.attempt + 1, rest, price
        )

    def _filled(self, attempts: tuple[Order, ...]) -> Decimal:
        return sum((self._floor.newest(o).filled_quantity for o in attempts), Decimal(0))
