"""The audit once every venue answers again: each venue's book against the store and the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exec_faults import NEVER_LIVE
from exec_world import World
from oem_exec import Order
from oem_exec.simulation.market import SimOrder


def audit(world: World) -> list[str]:
    """Return what is wrong, order by order; nothing after an honest life."""
    assert world.store is not None
    ours = {order.client_order_id: order for order in world.store.orders()}
    told = [body for _, body in world.journal if "state" in body]
    logged = {_trade(fill["trade_id"]) for body in told for fill in body.get("fills", ())}
    found = list(world.violations)
    for theirs in world.all_orders():
        order = ours.pop(theirs.client_order_id, None)
        if order is None:
            found.append(f"{theirs.client_order_id} is lost")
        else:
            found += _differences(order, theirs, logged)
    found += [
        f"{order.intent_id}.{order.attempt} is {order.state}, and nowhere"
        for order in ours.values()
        if order.state not in NEVER_LIVE
    ]
    found += [
        f"{order.intent_id}.{order.attempt} is {order.state} though its cancel was wished"
        for order in world.store.orders()
        if order.cancel_requested and not order.state.terminal
    ]
    found += _untold(world, told)
    doubts = ("back",) if any("stale" in kind for kind in world.struck) else ()
    found += [
        f"contradiction without a cause: {c.what}"
        for c in world.store.contradictions()
        if not any(word in c.what for word in doubts)
    ]
    return found


def _differences(order: Order, theirs: SimOrder, logged: set[str]) -> Iterator[str]:
    name = f"{order.intent_id}.{order.attempt}@{order.venue}"
    if (order.state, order.filled_quantity) != (theirs.state, theirs.filled):
        yield (
            f"{name} is {order.state} {order.filled_quantity} {order.reason}, "
            f"the venue has {theirs.state} {theirs.filled}"
        )
    if (order.quantity, order.price) != (theirs.quantity, theirs.price):
        yield f"{name} has {order.quantity}@{order.price}, not the venue's numbers"
    trades = {_trade(fill.trade_id) for fill in theirs.fills}
    if {_trade(fill.trade_id) for fill in order.fills} != trades:
        yield f"{name} has other trades than the venue"
    if order.settled is not order.state.terminal:
        yield f"{name} is {order.state}, settled {order.settled}"
    if not trades <= logged:
        yield f"{name}: trades {trades - logged} are not in the journal"


def _untold(world: World, told: list[Mapping[str, Any]]) -> Iterator[str]:
    assert world.store is not None
    last = {body.get("client_order_id"): body["state"] for body in told}
    for order in world.store.orders():
        if last.get(order.client_order_id) != order.state.value:
            yield f"{order.intent_id}: the journal does not end with {order.state}"


def _trade(trade_id: str) -> str:
    return trade_id.removeprefix("T")  # the Kraken dialect writes its trades so
