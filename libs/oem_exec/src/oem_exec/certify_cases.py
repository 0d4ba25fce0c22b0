"""The cases of a venue's certification: each does one thing and says what it saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from oem_exec.certify_bench import Bench, CaseFailed, NotOffered, hold
from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import OrderType, TimeInForce
from oem_exec.model.states import OrderState

_ENDED_UNFILLED = frozenset({OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED})
_LIMIT_WAIT_NS = 900_000_000


# life of an order


async def accept(bench: Bench) -> str:
    """A limit order far from the market rests, and the venue gives it an id."""
    order = await bench.submit("accept")
    return hold(order.state, holds=order.state is OrderState.OPEN and bool(order.venue_order_id))


async def fill(bench: Bench) -> str:
    """A limit order through the market is filled, and every unit is explained by a trade."""
    order = await bench.seen_again(await bench.submit("fill", "through"))
    fees = ", ".join(f"{amount} {asset}" for asset, amount in order.fees)
    seen = f"{order.state} at {order.average_price}, fees {fees or 'none'}"
    return hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def market_order(bench: Bench) -> str:
    """A market order is filled, and every unit is explained by a trade."""
    order = await bench.seen_again(await bench.submit("market", kind=OrderType.MARKET))
    seen = f"{order.state} {order.filled_quantity}"
    return hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def partial_fill(bench: Bench) -> str:
    """Take the whole best level and rest behind it; then cancel what is left."""
    book, rules = await bench.book(), await bench.instrument()
    price, size = book.asks[0]
    quantity = rules.round_quantity(size) + await bench.smallest()
    cost = rules.notional(price, quantity)
    if bench.largest_notional is not None and cost > bench.largest_notional:
        raise NotOffered(f"the best level would cost {cost:.2f} {rules.quote}")
    order = await bench.submit("partial", quantity=quantity, price=price)
    order = await bench.seen_again(order)
    seen = f"{order.state} {order.filled_quantity} of {order.quantity}"
    if order.state is not OrderState.PARTIALLY_FILLED:
        await bench.router.cancel(order.intent_id)
        raise CaseFailed(seen)
    ended = await bench.seen_again(await bench.router.cancel(order.intent_id))
    explained = sum((one.quantity for one in ended.fills), Decimal(0))
    holds = (
        ended.state is OrderState.CANCELED
        and 0 < order.filled_quantity <= ended.filled_quantity < quantity
        and explained == ended.filled_quantity
        and ended.settled
    )
    return hold(f"{seen}; then {ended.state}, {explained} in trades", holds=holds)


async def immediate_or_cancel(bench: Bench) -> str:
    """An immediate-or-cancel order that meets nothing ends at once, unfilled."""
    order = await bench.seen_again(await bench.submit("ioc", time_in_force=TimeInForce.IOC))
    return hold(order.state, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def fill_or_kill(bench: Bench) -> str:
    """A fill-or-kill order that meets nothing ends at once, unfilled."""
    order = await bench.seen_again(await bench.submit("fok", time_in_force=TimeInForce.FOK))
    return hold(order.state, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def post_only(bench: Bench) -> str:
    """A post-only order that would take liquidity is refused, and nothing of it trades."""
    order = await bench.seen_again(await bench.submit("post", "through", OrderType.POST_ONLY))
    seen = f"{order.state} {order.reason}"
    return hold(seen, holds=order.state in _ENDED_UNFILLED and not order.filled_quantity)


async def stop_waits(bench: Bench) -> str:
    """A stop-limit order above the market waits, and can be cancelled."""
    rules, high = await bench.instrument(), await bench.price("through")
    order = await bench.submit(
        "stop",
        kind=OrderType.STOP_LIMIT,
        stop_price=rules.round_price(high * Decimal("1.02")),
        price=rules.round_price(high * Decimal("1.03")),
    )
    ended = await bench.router.cancel(order.intent_id)
    seen = f"{order.state}, then {ended.state}"
    holds = order.state is OrderState.OPEN and ended.state is OrderState.CANCELED
    return hold(seen, holds=holds and not ended.filled_quantity)


async def too_small(bench: Bench) -> str:
    """An order below the venue's minimum is refused here, before anything is sent."""
    rules = await bench.instrument()
    quantity, price = rules.lot_size, await bench.price("far")
    if quantity >= rules.min_quantity and rules.notional(price, quantity) >= rules.min_notional:
        raise NotOffered("one lot is large enough")
    try:
        order = await bench.submit("small", quantity=quantity)
    except InvalidOrder as refusal:
        return f"not sent: {refusal.what}"
    raise CaseFailed(f"sent, and {order.state}")


async def cancel(bench: Bench) -> str:
    """A resting order is cancelled."""
    order = await bench.router.cancel(f"{bench.run}-accept")
    return hold(order.state, holds=order.state is OrderState.CANCELED)


async def cancel_after_fill(bench: Bench) -> str:
    """Cancelling a filled order leaves it filled."""
    order = await bench.router.cancel(f"{bench.run}-fill")
    return hold(order.state, holds=order.state is OrderState.FILLED)


async def cancel_answer_lost(bench: Bench) -> str:
    """A cancel whose answer is lost is proven by a look-up."""
    order = await bench.submit("cancel-lost")
    bench.venue.lose["cancel"] = "answer"
    ended = await bench.router.cancel(order.intent_id)
    return hold(ended.state, holds=ended.state is OrderState.CANCELED)


async def amend(bench: Bench) -> str:
    """The price of a resting order is changed, in place or by cancel and replace."""
    return await _amended(bench, "amend")


async def amend_answer_lost(bench: Bench) -> str:
    """The amendment is taken and its answer lost; where it is cancel and replace, the cancel's."""
    bench.venue.lose["amend"] = bench.venue.lose["cancel"] = "answer"
    try:
        return await _amended(bench, "amend-lost")
    finally:
        bench.venue.lose.clear()


async def _amended(bench: Bench, name: str) -> str:
    lost, bench.venue.lose = bench.venue.lose, {}
    order = await bench.submit(name)
    bench.venue.lose = lost
    rules = await bench.instrument()
    wanted = (order.price or Decimal(0)) - rules.tick_size
    after = await bench.router.amend(order.intent_id, price=wanted)
    bench.venue.lose.clear()
    after = await bench.seen_again(after)
    await bench.router.cancel(order.intent_id)
    seen = f"{after.state} at {after.price}, wanted {wanted}"
    return hold(seen, holds=after.price == wanted and after.state is OrderState.OPEN)


# what nobody knows


async def unknown_found(bench: Bench) -> str:
    """An accepted order whose answer is lost is found, and not sent again."""
    bench.venue.lose["place"] = "answer"
    order = await bench.submit("found")
    await bench.router.cancel(order.intent_id)
    seen = f"{order.state} at attempt {order.attempt}"
    return hold(seen, holds=order.state is OrderState.OPEN and order.attempt == 0)


async def unknown_filled(bench: Bench) -> str:
    """A filled order whose answer is lost is found with its trades."""
    bench.venue.lose["place"] = "answer"
    order = await bench.seen_again(await bench.submit("found-filled", "through"))
    seen = f"{order.state} at attempt {order.attempt}, {len(order.fills)} trades"
    return hold(seen, holds=order.state is OrderState.FILLED and order.settled)


async def unknown_absent(bench: Bench) -> str:
    """An order that never arrived is proven absent, and only then sent again."""
    bench.venue.lose["place"] = "request"
    order = await bench.submit("absent")
    first, *rest = bench.store.attempts(order.intent_id)
    await bench.router.cancel(order.intent_id)
    seen = f"{first.state}, then {order.state} at attempt {order.attempt}"
    return hold(seen, holds=first.state is OrderState.ABSENT and len(rest) == 1)


async def duplicate_id(bench: Bench) -> str:
    """A second order under the same id does not come into being."""
    order = await bench.submit("twice")
    again = await bench.venue.place(replace(order, venue_order_id=""))
    found = await bench.venue.lookup(order)
    await bench.router.cancel(order.intent_id)
    number = len(getattr(found, "orders", ()))
    return hold(f"{type(again).__name__}; {number} order with this id", holds=number == 1)


async def same_intent_twice(bench: Bench) -> str:
    """The same intent submitted twice is one order."""
    first = await bench.submit("same")
    again = await bench.router.submit(first.intent)
    await bench.router.cancel(first.intent_id)
    return hold(
        f"{first.venue_order_id} and {again.venue_order_id}",
        holds=first.client_order_id == again.client_order_id,
    )


async def rate_limit(bench: Bench) -> str:
    """A refusal by the rate limit is definite; the order is repeated once, after a pause."""
    if bench.provoke_limit is None:
        raise NotOffered("this sandbox cannot be told to refuse by its rate limit")
    await bench.provoke_limit()
    order = await bench.submit("limit")
    first, *rest = bench.store.attempts(order.intent_id)
    await bench.router.cancel(order.intent_id)
    waited = (rest[0].sent_ns - first.sent_ns) / 1e9 if rest else 0.0
    seen = f"{first.state} {first.reason[:40]}; after {waited:.2f} s {order.state}"
    holds = (
        first.state is OrderState.REJECTED
        and first.reason.startswith("rate_limited")
        and len(rest) == 1
        and order.state is OrderState.OPEN
        and rest[0].sent_ns - first.sent_ns >= _LIMIT_WAIT_NS
    )
    return hold(seen, holds=holds)


async def restart(bench: Bench) -> str:
    """A new process finds the order that an earlier one left open."""
    order = await bench.submit("restart")
    await bench.router.poll()
    bench.router = bench.new_router()  # the old one is left as a killed process leaves it
    await bench.router.start()
    after = bench.router.order(order.intent_id)
    await bench.router.cancel(order.intent_id)
    return hold(after.state, holds=after.state is OrderState.OPEN)


async def nothing_left(bench: Bench) -> str:
    """After the run no order of it is open, unknown or in quarantine."""
    report = await bench.router.reconcile()
    mine = [o.intent_id for o in bench.router.open_orders()]
    seen = f"open: {mine or 'none'}, unresolved: {len(report.unresolved)}"
    return hold(seen, holds=not mine and not report.unresolved and not report.quarantined)


CASES: Mapping[str, Callable[[Bench], Awaitable[str]]] = MappingProxyType(
    {
        "accept": accept,
        "fill": fill,
        "market order": market_order,
        "partial fill, then cancel": partial_fill,
        "immediate-or-cancel ends": immediate_or_cancel,
        "fill-or-kill ends whole or not at all": fill_or_kill,
        "post-only refused when it would take": post_only,
        "stop-limit waits": stop_waits,
        "too small is not sent": too_small,
        "cancel": cancel,
        "cancel after fill": cancel_after_fill,
        "cancel with its answer lost": cancel_answer_lost,
        "amend": amend,
        "amend with its answer lost": amend_answer_lost,
        "unknown then found": unknown_found,
        "unknown then filled": unknown_filled,
        "unknown then absent": unknown_absent,
        "duplicate id": duplicate_id,
        "same intent twice": same_intent_twice,
        "rate limit": rate_limit,
        "restart with open orders": restart,
        "nothing left open": nothing_left,
    }
)
"""Name to case, in the order they are run: some use the orders of earlier ones."""
