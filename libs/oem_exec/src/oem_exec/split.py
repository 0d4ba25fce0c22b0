"""One order over several venues: each unit where it costs least, all in.

Every venue's book is a staircase of marginal prices; with what it charges added, the cheapest steps
over all venues are taken until the quantity is reached. What a venue would get below its smallest
order, or between its lots, goes to the others; nothing is lost or added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import Side
from oem_exec.model.instrument import Instrument
from oem_exec.venue import BookSnapshot

CostOf = Callable[[str, Decimal], Decimal]
"""(venue, price) to the all-in price of one unit there, in quote units: the price with fees and
whatever else trading there is expected to cost; for a sale what is left of the price."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class VenueBook:
    """One venue as the split sees it.

    Attributes:
        venue: Its name.
        instrument: Lot, smallest quantity and smallest notional there.
        book: Its book now.
    """

    venue: str
    instrument: Instrument
    book: BookSnapshot


@dataclass(frozen=True, slots=True)
class Slice:
    """What one venue gets.

    Attributes:
        venue: Its name.
        quantity: Base units, a multiple of the venue's lot.
        cost: All-in value of the slice by the cost function, in quote units.
    """

    venue: str
    quantity: Decimal
    cost: Decimal


def split_order(
    side: Side, quantity: Decimal, venues: Sequence[VenueBook], cost_of: CostOf
) -> tuple[Slice, ...]:
    """Return the slices that execute a quantity at the least all-in cost, largest first.

    Args:
        side: Buy or sell.
        quantity: Base units, above 0, a multiple of at least one venue's lot.
        venues: The venues; those whose smallest order cannot be reached are left out.
        cost_of: All-in price of a unit.

    Raises:
        InvalidOrder: The visible books together are not deep enough, or the quantity cannot be
            made of the venues' lots and smallest orders.
    """
    if not quantity.is_finite() or quantity <= 0:
        raise InvalidOrder(
            f"a quantity of {quantity}", where="split", remedy="give a quantity above 0"
        )
    left = list(venues)
    while left:
        taken = _cheapest(side, quantity, left, cost_of)
        small = [v for v in left if taken[v.venue][0] > _ZERO and not _whole(v, taken[v.venue][0])]
        if not small:
            return _slices(taken, quantity)
        # the venue that gets least is the one whose absence costs least
        left.remove(min(small, key=lambda v: taken[v.venue][0]))
    raise InvalidOrder(
        "no venue can take this quantity",
        where=f"split of {quantity}",
        remedy="give a quantity of whole lots above the smallest order of a venue",
    )


def _cheapest(
    side: Side, quantity: Decimal, venues: Sequence[VenueBook], cost_of: CostOf
) -> dict[str, tuple[Decimal, Decimal]]:
    """Return quantity and cost of each venue, the cheapest steps first."""
    sign = 1 if side is Side.BUY else -1
    steps = sorted(
        (
            (sign * cost_of(v.venue, price), number, size, v)
            for number, v in enumerate(venues)
            for price, size in (v.book.asks if side is Side.BUY else v.book.bids)
        ),
        key=lambda step: step[:2],
    )
    taken = {v.venue: (_ZERO, _ZERO) for v in venues}
    reached = dict.fromkeys(taken, _ZERO)
    missing = quantity
    for cost, _, size, venue in steps:
        had, paid = taken[venue.venue]
        reached[venue.venue] += size
        # whole lots of the depth so far, never more than is missing; a lot that spans two steps
        # is charged the dearer one
        lot = venue.instrument.lot_size
        most = min(reached[venue.venue], had + missing)
        upto = (most / lot).to_integral_value(ROUND_FLOOR) * lot
        part = max(upto - had, _ZERO)
        if part > 0:
            taken[venue.venue] = (had + part, paid + part * cost * sign)
            missing -= part
        if missing == 0:
            return taken
    raise InvalidOrder(
        f"the visible books leave {missing} of {quantity} unfilled",
        where="split",
        remedy="give a smaller quantity, deeper books, or a quantity of whole lots",
    )


def _whole(venue: VenueBook, quantity: Decimal) -> bool:
    rules = venue.instrument
    top = (venue.book.asks or venue.book.bids)[0][0]
    return quantity >= rules.min_quantity and quantity * top >= rules.min_notional


def _slices(taken: dict[str, tuple[Decimal, Decimal]], quantity: Decimal) -> tuple[Slice, ...]:
    found = [Slice(venue, size, cost) for venue, (size, cost) in taken.items() if size > 0]
    if sum((one.quantity for one in found), _ZERO) != quantity:
        raise AssertionError("a split neither loses nor adds")
    return tuple(sorted(found, key=lambda one: (-one.quantity, one.venue)))
