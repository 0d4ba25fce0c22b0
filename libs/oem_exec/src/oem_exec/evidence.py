"""What a venue says, applied to what is known: the only place where orders change state."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, is_dataclass, replace
from decimal import Decimal

from oem_exec.model.fill import Fill
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState, may_follow
from oem_exec.venue import VenueOrder

_ZERO = Decimal(0)
NEVER_EXISTED = frozenset({OrderState.REJECTED, OrderState.ABSENT})
"""Orders of which the venue has none; when it shows one after all, a person has to look."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An order after evidence.

    Attributes:
        order: The order as it is known now.
        fills: Trades not known before.
        contradiction: What in the evidence cannot be true beside what was known; empty when
            everything fits.
    """

    order: Order
    fills: tuple[Fill, ...] = ()
    contradiction: str = ""


def apply_evidence(order: Order, seen: VenueOrder, now_ns: int) -> Applied:
    """Return the order after the venue's words about it.

    Evidence that is older than what is known (less filled, an earlier state) changes nothing but
    is reported. Evidence that cannot be explained by age (executed beyond the quantity, another
    venue order id, an order that was refused or absent) moves the order to quarantine.
    """
    if order.state is OrderState.QUARANTINED:
        return Applied(order)
    if order.venue_order_id and seen.venue_order_id and order.venue_order_id != seen.venue_order_id:
        return quarantined(
            order,
            f"two orders for one id: {order.venue_order_id} and {seen.venue_order_id}",
            now_ns,
        )
    if order.state in NEVER_EXISTED:
        if seen.state is OrderState.REJECTED:
            return Applied(order)
        return quarantined(order, f"{order.state} order turned up as {seen.state}", now_ns)
    quantity = order.quantity if seen.quantity is None else seen.quantity
    if (wrong := _impossible(order, seen, quantity)) is not None:
        return quarantined(order, wrong, now_ns)
    fresh = order.new_fills(seen.fills) if seen.fills else ()
    fills = order.fills + fresh
    by_trade = sum((fill.quantity for fill in fills), _ZERO) if fills else _ZERO
    filled = max(seen.filled_quantity, by_trade, order.filled_quantity)
    if filled > quantity:
        return quarantined(order, f"executed {filled} of {quantity}", now_ns)
    backwards = _retold(order, seen.fills)
    named = {(f.key, f.quantity) for f in seen.fills} if seen.fills else ()
    told = max(seen.filled_quantity, sum((q for _, q in named), _ZERO))
    if told < order.filled_quantity:
        backwards = backwards or f"filled went back from {order.filled_quantity} to {told}"
    state = _state(seen.state, filled, quantity)
    if not may_follow(order.state, state):
        backwards = backwards or f"state went back from {order.state} to {state}"
        state = order.state
    elif backwards and not state.terminal:
        state = order.state if order.state.open else state
    notional = max(
        order.filled_notional,
        seen.filled_notional if seen.filled_notional is not None else _ZERO,
        sum((fill.notional for fill in fills), _ZERO) if fills else _ZERO,
    )
    known = order.changed(
        state=state,
        quantity=quantity,
        price=order.price if seen.price is None or order.price is None else seen.price,
        venue_order_id=order.venue_order_id or seen.venue_order_id,
        filled_quantity=filled,
        filled_notional=notional,
        fills=fills,
        answered_ns=order.answered_ns or now_ns,
        updated_ns=now_ns,
        reason="" if order.state is OrderState.UNKNOWN else order.reason,
        settled=state.terminal and (by_trade == filled or state in NEVER_EXISTED),
    )
    return Applied(known, fresh, backwards)


def apply_trades(order: Order, fills: tuple[Fill, ...], now_ns: int) -> Applied:
    """Return the order after a list of its trades; they prove executions, not the end."""
    fresh = order.new_fills(fills)
    if not fresh:
        return Applied(order, (), _retold(order, fills))
    total = sum((fill.quantity for fill in order.fills + fresh), _ZERO)
    state = order.state if order.state.terminal else OrderState.OPEN
    seen = VenueOrder(
        order.client_order_id,
        order.venue_order_id,
        order.intent.symbol,
        state,
        max(total, order.filled_quantity),
        fills=fresh,
    )
    return apply_evidence(order, seen, now_ns)


def words_of(evidence: object) -> str:
    """Return a venue's words as JSON text, whole, so that nothing in quarantine is lost.

    Args:
        evidence: Dataclasses of this library, or tuples of them.
    """
    if isinstance(evidence, str):
        return evidence
    parts = evidence if isinstance(evidence, tuple) else (evidence,)
    bodies = [asdict(part) if is_dataclass(part) else str(part) for part in parts]  # type: ignore[arg-type]
    return json.dumps(bodies, default=str, separators=(",", ":"))


def ended(order: Order, state: OrderState, reason: str, now_ns: int) -> Order:
    """Return the order in a terminal state that rests on the absence of an order at the venue."""
    moved = order.moved(state, now_ns, reason=reason)
    explained = sum((fill.quantity for fill in order.fills), _ZERO) == order.filled_quantity
    return replace(moved, settled=explained)


def quarantined(order: Order, what: str, now_ns: int) -> Applied:
    """Return the order in quarantine; its fills and quantities stay as they were known."""
    if not may_follow(order.state, OrderState.QUARANTINED):
        return Applied(order, (), what)
    moved = replace(order.moved(OrderState.QUARANTINED, now_ns, reason=what), settled=False)
    return Applied(moved, (), what)


def _impossible(order: Order, seen: VenueOrder, quantity: Decimal) -> str | None:
    """Return what can be true at no time; None where nothing is."""
    asked = max(order.quantity, order.asked_quantity or _ZERO)
    if quantity > asked:
        return f"an order for {quantity}, asked were {asked}"
    intent = order.intent
    for fill in seen.fills:
        if fill.side is not intent.side or fill.symbol not in {"", intent.symbol}:
            return f"trade {fill.trade_id} is a {fill.side} of {fill.symbol}"
        if fill.quantity <= 0 or fill.price <= 0:
            return f"trade {fill.trade_id} of {fill.quantity} at {fill.price}"
    return None


def _retold(order: Order, fills: tuple[Fill, ...]) -> str:
    """Return which known trade is told with other numbers now; empty for none."""
    known = {fill.key: fill for fill in order.fills} if fills else {}
    for fill in fills:
        before = known.get(fill.key, fill)
        if (before.quantity, before.price) != (fill.quantity, fill.price):
            return (
                f"trade {fill.trade_id} was {before.quantity} at {before.price}"
                f" and is {fill.quantity} at {fill.price}"
            )
    return ""


def _state(state: OrderState, filled: Decimal, quantity: Decimal) -> OrderState:
    if filled == quantity:
        return OrderState.FILLED
    if state is OrderState.OPEN and filled:
        return OrderState.PARTIALLY_FILLED
    if state is OrderState.PARTIALLY_FILLED and not filled:
        return OrderState.OPEN
    return state
