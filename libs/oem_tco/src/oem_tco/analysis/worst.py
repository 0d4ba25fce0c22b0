"""The dearest orders, each with its story: what happened when, and which part of it cost what."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from oem_security.clock import rfc3339
from oem_tco.errors import InputError
from oem_tco.ledger.analysis import TcoResult
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.money import EXACT, MINOR_DIGITS, MINOR_PER_UNIT, bps, minor_text
from oem_tco.terms import Component

_SHOWN = Context(prec=10)
_WORDS = {
    Component.DELAY: "delay",
    Component.SPREAD: "spread",
    Component.IMPACT_TEMPORARY: "temporary impact",
    Component.IMPACT_PERMANENT: "permanent impact and drift",
    Component.FEES: "fees",
    Component.FUNDING: "funding",
    Component.OPPORTUNITY: "opportunity on the unfilled part",
}


class Rank(enum.StrEnum):
    """What makes an order worse than another."""

    AMOUNT = "amount"
    """The money it cost."""
    BPS = "bps"
    """The basis points it cost."""


@dataclass(frozen=True, slots=True)
class WorstOrder:
    """One of the dearest orders.

    Attributes:
        order_id: The order.
        currency: Quote currency.
        total: What it cost, minor units; `cost_bps` of its notional.
        story: Sentences, in the order in which things happened.
    """

    order_id: str
    currency: str
    total: int
    cost_bps: float
    story: tuple[str, ...]


def worst_orders(
    result: TcoResult,
    fills: Iterable[FillRow],
    *,
    count: int = 5,
    rank: Rank | str = Rank.AMOUNT,
) -> tuple[WorstOrder, ...]:
    """Return the dearest orders of each currency, dearest first; gains are never among them.

    Args:
        result: The analysis of a ledger.
        fills: The ledger's fills, any order; those of other orders are passed over.
        count: How many for each currency, at least 0.
        rank: By money or by basis points; ties go to the smaller id.

    Raises:
        InputError: `count` is negative or `rank` not known.
    """
    if count < 0:
        raise InputError(f"count is {count}", where="count", remedy="give 0 or more")
    if rank not in tuple(Rank):
        raise InputError(f"rank is {rank!r}", where="rank", remedy="give amount or bps")
    by_currency: dict[str, list[Shortfall]] = {}
    for found in result.orders:
        if found.total > 0:
            by_currency.setdefault(found.order.currency, []).append(found)
    chosen: list[Shortfall] = []
    for _, orders in sorted(by_currency.items()):
        orders.sort(key=lambda s: (-_badness(s, Rank(rank)), s.order.order_id))
        chosen += orders[:count]
    wanted: dict[str, list[FillRow]] = {found.order.order_id: [] for found in chosen}
    for fill in fills:
        if fill.order_id in wanted:
            wanted[fill.order_id].append(fill)
    return tuple(
        WorstOrder(
            found.order.order_id,
            found.order.currency,
            found.total,
            bps(found.total, found.notional),
            story_of(found, wanted[found.order.order_id]),
        )
        for found in chosen
    )


def story_of(found: Shortfall, fills: Sequence[FillRow]) -> tuple[str, ...]:
    """Return what happened to one order, in sentences.

    Args:
        found: Its shortfall.
        fills: Its fills, any order, each id once.
    """
    order = found.order
    return (
        _decided(order),
        _arrived(order),
        *_filled(found, sorted(fills, key=lambda f: (f.time_ns, f.fill_id))),
        *_named(found),
        *_against_estimate(found),
        *(f"Note: {note}." for note in found.notes),
    )


def _decided(order: OrderRow) -> str:
    who = order.strategy or "an operator"
    price = _text(order.decision_price)
    what = f"{_text(order.quantity)} {'contracts of ' * order.inverse}{order.symbol}"
    unit = "" if order.inverse else f" {order.currency}"
    return (
        f"{rfc3339(order.decision_time_ns)[:19]}Z: {who} decided to {order.side.value} "
        f"{what} on {order.venue} as a {order.order_type.value} "
        f"order; the mid was {price}{unit}."
    )


def _arrived(order: OrderRow) -> str:
    wait_ms = (order.arrival_time_ns - order.decision_time_ns) / 1e6
    move = order.side.sign * (order.arrival_price / order.decision_price - 1) * 10_000
    where = "unchanged" if not move else f"{abs(move):.2f} bps {'worse' if move > 0 else 'better'}"
    return f"It arrived {wait_ms:,.1f} ms later; the mid was {where}."


def _filled(found: Shortfall, fills: Sequence[FillRow]) -> Iterable[str]:
    order = found.order
    if not found.filled:
        yield f"Nothing of it was filled; {_ended(order)}."
        return
    if not fills:
        yield f"{found.filled / order.quantity:.1%} was filled; {_ended(order)}."
        return
    share = found.filled / order.quantity
    if order.inverse:  # the price at which all of it would have been worth the same
        paid = found.filled / sum((fill.quantity / fill.price for fill in fills), Decimal(0))
    else:
        paid = sum((fill.price * fill.quantity for fill in fills), Decimal(0)) / found.filled
    makers = sum(fill.liquidity.value == "maker" for fill in fills)
    last_ms = (fills[-1].time_ns - order.arrival_time_ns) / 1e6
    yield (
        f"{share:.1%} was filled in {len(fills)} part{'s' * (len(fills) > 1)} ({makers} as maker) "
        f"at {_text(paid)} on average, the last {last_ms:,.1f} ms after arrival; "
        f"{_ended(order)}."
    )
    if found.filled < order.quantity and order.end_price is not None:
        yield (
            f"{_text(order.quantity - found.filled)} was never filled; the mid ended at "
            f"{_text(order.end_price)}."
        )


def _ended(order: OrderRow) -> str:
    return f"it ended as {order.status}" if order.status else "how it ended is not known"


def _named(found: Shortfall) -> Iterable[str]:
    costs = sorted(
        ((amount, component) for component, amount in found.parts.items() if amount > 0),
        key=lambda pair: (-pair[0], pair[1].value),
    )
    gains = -sum(amount for amount in found.parts.values() if amount < 0)
    named = ", ".join(
        f"{_WORDS[component]} {bps(amount, found.notional):.2f}" for amount, component in costs
    )
    gained = f", less {bps(gains, found.notional):.2f} gained elsewhere" if gains else ""
    yield (
        f"It cost {minor_text(found.total)} {found.order.currency}, "
        f"{bps(found.total, found.notional):.2f} bps: {named}{gained}."
    )


def _against_estimate(found: Shortfall) -> Iterable[str]:
    order = found.order
    low, high, realised = order.est_low_bps, order.est_high_bps, executed_bps(found)
    if low is None or high is None or realised is None:
        return
    place = "inside" if low <= realised <= high else "above" if realised > high else "below"
    yield (
        f"What was filled cost {realised:.2f} bps, {place} the estimate of {low:.2f} to "
        f"{high:.2f} bps."
    )


def executed_bps(found: Shortfall) -> float | None:
    """Return what the filled part cost against the mid at the decision, as estimates foresee it.

    Price and fees of the fills over their value at the decision price, bps; None without fills.
    Opportunity is not in it, and delay only as far as it was filled.
    """
    order = found.order
    if not found.filled:
        return None
    unfilled = EXACT.subtract(order.quantity, found.filled)
    if order.inverse:
        return _executed_inverse(found, unfilled)
    # both conventions of delay agree on delay + opportunity; take the unfilled part out of it
    last = order.end_price if order.end_price is not None else order.arrival_price
    rise = EXACT.subtract(last, order.decision_price)
    never = EXACT.multiply(unfilled, rise).scaleb(MINOR_DIGITS, EXACT)
    keep = EXACT.subtract if order.side.sign > 0 else EXACT.add
    cost, per = keep(Decimal(found.total), never).as_integer_ratio()
    value, of = EXACT.multiply(order.decision_price, found.filled).as_integer_ratio()
    return cost * 10_000 * of / (value * per * MINOR_PER_UNIT)


def _executed_inverse(found: Shortfall, unfilled: Decimal) -> float:
    order = found.order
    last = order.end_price if order.end_price is not None else order.arrival_price
    decided = Fraction(order.decision_price)
    never = Fraction(unfilled) / Fraction(last) - Fraction(unfilled) / decided
    cost = Fraction(found.total, MINOR_PER_UNIT) - order.cost_sign * never
    return float(cost * 10_000 * decided / Fraction(found.filled))


def _badness(found: Shortfall, rank: Rank) -> Fraction | int:
    if rank is Rank.AMOUNT:
        return found.total
    return Fraction(found.total, found.notional or 1)


def _text(number: Decimal) -> str:
    return format(_SHOWN.plus(number).normalize(), "f")
