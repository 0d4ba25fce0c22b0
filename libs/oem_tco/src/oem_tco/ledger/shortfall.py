"""Implementation shortfall of an order, split into named parts that sum to it exactly.

All amounts are integer minor units of the order's currency. Every part is a difference of values,
`price x quantity` or `quantity / price` of inverse contracts, that are rounded once, so the parts
telescope to the total whatever the rounding.
Sources: Perold 1988; Wagner & Edwards 1993 for the delay on the whole order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from oem_tco.errors import InputError
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.money import EXACT, to_minor, value_minor
from oem_tco.terms import COMPONENTS, Component, DelayConvention


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What one order cost.

    Attributes:
        order: The order.
        parts: Component to amount, every component present, minor units.
        total: Their sum.
        notional: Wanted quantity at the decision price, minor units; what bps refer to.
        filled: Filled base units.
        notes: Every fallback that was used, in words.
    """

    order: OrderRow
    parts: dict[Component, int]
    total: int
    notional: int
    filled: Decimal
    notes: tuple[str, ...] = ()


def shortfall(
    order: OrderRow,
    fills: Sequence[FillRow],
    *,
    convention: DelayConvention = DelayConvention.WHOLE_ORDER,
    funding: int = 0,
) -> Shortfall:
    """Return the shortfall of one order.

    Args:
        order: The order; without `end_price` the unfilled part is valued at arrival.
        fills: Its fills, in any order; duplicates by id already removed.
        convention: Whether the unfilled part shares in the delay.
        funding: Funding paid while the fills were held, minor units, positive is a cost.

    Returns:
        Parts that sum exactly to `total`.

    Raises:
        InputError: More was filled than ordered, or a fee asset has no rate.

    Example (Wagner's form, item 13 of the reference numbers):
        >>> from oem_tco import FillRow, Liquidity, OrderRow, OrderType, Side
        >>> D = Decimal
        >>> order = OrderRow("1", "1", "s", "p", "", "v", "spot", "X", Side.BUY, OrderType.MARKET,
        ...                  D(5000), "USD", 0, D(10), 0, D("10.25"), 0, D(11))
        >>> fill = FillRow("f", "1", 0, D("10.5"), D(4000), Liquidity.TAKER, D(80), "USD")
        >>> s = shortfall(order, [fill])
        >>> s.parts[Component.DELAY] // 10**8, s.parts[Component.OPPORTUNITY] // 10**8
        (1250, 750)
        >>> s.total // 10**8
        3080
    """
    sign = order.cost_sign
    notes: list[str] = []
    parts = dict.fromkeys(COMPONENTS, 0)
    filled = reduce(EXACT.add, (fill.quantity for fill in fills), Decimal(0))
    unfilled = EXACT.subtract(order.quantity, filled)
    if unfilled < 0:
        raise InputError(
            f"filled {filled} of {order.quantity}",
            where=order.order_id,
            remedy="remove the fill that does not belong to this order",
        )
    decided = arrived = paid = 0
    for fill in fills:
        at_decision = order.value(order.decision_price, fill.quantity)
        at_arrival = order.value(order.arrival_price, fill.quantity)
        at_price = order.value(fill.price, fill.quantity)
        mid, touch = _quote(order, fill, notes)
        at_mid, at_touch = order.value(mid, fill.quantity), order.value(touch, fill.quantity)
        parts[Component.IMPACT_PERMANENT] += sign * (at_mid - at_arrival)
        parts[Component.SPREAD] += sign * (at_touch - at_mid)
        parts[Component.IMPACT_TEMPORARY] += sign * (at_price - at_touch)
        parts[Component.FEES] += _fee(order, fill)
        decided += at_decision
        arrived += at_arrival
        paid += at_price
    last = order.end_price
    if last is None:
        last = order.arrival_price
        if unfilled:
            notes.append("no last price: the unfilled part is valued at arrival")
    rest_decided = order.value(order.decision_price, unfilled)
    rest_arrived = order.value(order.arrival_price, unfilled)
    rest_last = order.value(last, unfilled)
    parts[Component.DELAY] = sign * (arrived - decided)
    if convention is DelayConvention.WHOLE_ORDER:
        parts[Component.DELAY] += sign * (rest_arrived - rest_decided)
        parts[Component.OPPORTUNITY] = sign * (rest_last - rest_arrived)
    else:
        parts[Component.OPPORTUNITY] = sign * (rest_last - rest_decided)
    parts[Component.FUNDING] = funding
    total = sign * (paid + rest_last - decided - rest_decided) + parts[Component.FEES] + funding
    return Shortfall(order, parts, total, decided + rest_decided, filled, tuple(notes))


def _quote(order: OrderRow, fill: FillRow, notes: list[str]) -> tuple[Decimal, Decimal]:
    """Return mid and touch of a fill; without a valid quote its price stands for both."""
    if fill.bid is None or fill.ask is None or not 0 < fill.bid <= fill.ask:
        crossed = fill.bid is not None and fill.ask is not None
        why = "crossed quote" if crossed else "no quote"
        notes.append(f"{fill.fill_id}: {why}: spread and temporary impact are inside permanent")
        return fill.price, fill.price
    mid = EXACT.divide(EXACT.add(fill.bid, fill.ask), 2)
    if fill.liquidity.value == "maker":
        return mid, fill.price
    return mid, fill.ask if order.side.sign > 0 else fill.bid


def _fee(order: OrderRow, fill: FillRow) -> int:
    if fill.fee_asset == order.currency or not fill.fee_amount:
        return to_minor(fill.fee_amount)
    if fill.fee_asset == order.symbol.split("/")[0] and fill.fee_rate_to_quote is None:
        return value_minor(fill.fee_amount, fill.price)
    if fill.fee_rate_to_quote is None:
        raise InputError(
            f"the fee was paid in {fill.fee_asset}, and there is no rate to {order.currency}",
            where=fill.fill_id,
            remedy="give fee_rate_to_quote for this fill",
        )
    return value_minor(fill.fee_amount, fill.fee_rate_to_quote)
