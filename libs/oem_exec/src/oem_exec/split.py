"""One order over several venues: each unit where it costs least, all in.

Every venue's book is a staircase of marginal prices; with what it charges added, the cheapest steps
over all venues are taken until the quantity is reached. Smallest orders make the choice a search
over sets of venues: each set gets its minima first, then the cheapest steps; the cheapest set wins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import combinations

from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import Side
from oem_exec.model.instrument import Instrument
from oem_exec.venue import BookSnapshot

CostOf = Callable[[str, Decimal], Decimal]
"""(venue, price) to the all-in price of one unit there, in quote units: the price with fees and
whatever else trading there is expected to cost; for a sale what is left of the price."""

_ZERO = Decimal(0)
_SEARCHED = 8
"""Up to this many venues every set of them is tried; beyond it sets are found by dropping one at a
time."""


@dataclass(frozen=True, slots=True)
class VenueBook:
    """One venue as the split sees it.

    Attributes:
        venue: Its name.
        instrument: Lot, smallest and largest quantity and smallest notional there.
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


def taker_cost(side: Side, instruments: Iterable[tuple[str, Instrument]]) -> CostOf:
    """Return the cost function that adds each venue's taker fee to the price, and nothing else.

    Args:
        side: A buy pays the fee on top of the price, a sale gets the price less the fee.
        instruments: Venue and its instrument.
    """
    fees = {venue: instrument.taker_fee for venue, instrument in instruments}
    return lambda venue, price: price * (1 + side.sign * fees[venue])


def split_order(
    side: Side,
    quantity: Decimal,
    venues: Sequence[VenueBook],
    cost_of: CostOf,
    limit_price: Decimal | None = None,
) -> tuple[Slice, ...]:
    """Return the slices that execute a quantity at the least all-in cost, largest first.

    Args:
        side: Buy or sell.
        quantity: Base units, above 0, a multiple of at least one venue's lot.
        venues: The venues; those whose smallest order cannot be reached are left out.
        cost_of: All-in price of a unit.
        limit_price: Worst price that may be taken from a book; None takes any.

    Raises:
        InvalidOrder: The visible books together are not deep enough, or the quantity cannot be
            made of the venues' lots and smallest orders.
    """
    if not quantity.is_finite() or quantity <= 0:
        raise InvalidOrder(
            f"a quantity of {quantity}", where="split", remedy="give a quantity above 0"
        )
    ladders = [
        ladder
        for number, venue in enumerate(venues)
        if (ladder := _Ladder.of(number, side, venue, cost_of, limit_price)).most > 0
    ]
    if sum((ladder.most for ladder in ladders), _ZERO) < quantity:
        raise InvalidOrder(
            f"the visible books do not hold {quantity}",
            where="split",
            remedy="give a smaller quantity, deeper books, or a quantity of whole lots",
        )
    best: tuple[Decimal, dict[int, Decimal]] | None = None
    for chosen in _sets(ladders, quantity):
        taken = _cheapest(chosen, quantity)
        if taken is None:
            continue
        total = sum((ladder.cost(taken[ladder.number]) for ladder in chosen), _ZERO)
        if best is None or total < best[0]:
            best = total, taken
    if best is None:
        raise InvalidOrder(
            "no venue can take this quantity",
            where=f"split of {quantity}",
            remedy="give a quantity of whole lots above the smallest order of a venue",
        )
    return _slices(side, ladders, best[1], quantity)


@dataclass(frozen=True, slots=True)
class _Ladder:
    """A venue's marginal costs, cheapest first, with sums so far; a sale's are negative."""

    number: int
    venue: str
    lot: Decimal
    ends: tuple[Decimal, ...]
    prices: tuple[Decimal, ...]
    sums: tuple[Decimal, ...]
    least: Decimal
    most: Decimal

    @classmethod
    def of(
        cls, number: int, side: Side, venue: VenueBook, cost_of: CostOf, limit: Decimal | None
    ) -> _Ladder:
        rules = venue.instrument
        levels = venue.book.asks if side is Side.BUY else venue.book.bids
        steps = []
        for price, size in levels:
            if limit is not None and (price - limit) * side.sign > 0:
                break
            cost = side.sign * cost_of(venue.venue, price)
            if not cost.is_finite() or size <= 0:
                raise InvalidOrder(
                    f"a unit at {price} costs {cost}, size {size}",
                    where=venue.venue,
                    remedy="correct the cost function or the book",
                )
            steps.append((cost, size))
        steps.sort(key=lambda step: step[0])
        ends, sums, end, total = [], [], _ZERO, _ZERO
        for cost, size in steps:
            end, total = end + size, total + cost * size
            ends.append(end)
            sums.append(total)
        most = _whole(end, rules.lot_size, ROUND_FLOOR)
        if rules.max_quantity is not None:
            most = min(most, _whole(rules.max_quantity, rules.lot_size, ROUND_FLOOR))
        least = max(rules.min_quantity, rules.lot_size)
        if levels:
            # the venue judges the notional at prices we do not know yet: the dearest kept for sale
            worst = levels[0][0] if limit is None or side is Side.BUY else limit
            unit = worst * rules.contract_size
            least = max(least, rules.min_notional / unit)
        least = _whole(least, rules.lot_size, ROUND_CEILING)
        return cls(
            number,
            venue.venue,
            rules.lot_size,
            tuple(ends),
            tuple(step[0] for step in steps),
            tuple(sums),
            least,
            most if most >= least else _ZERO,
        )

    def cost(self, quantity: Decimal) -> Decimal:
        """Return the cost of the cheapest `quantity` units."""
        at = bisect_right(self.ends, quantity)
        paid = self.sums[at - 1] if at else _ZERO
        rest = quantity - (self.ends[at - 1] if at else _ZERO)
        return paid + rest * self.prices[at] if rest else paid

    def chunk(self, taken: Decimal, missing: Decimal) -> tuple[Decimal, Decimal] | None:
        """Return unit cost and size of the next whole lots of one price; None when there are none.

        Lots that lie inside one step go together; a lot that spans steps goes alone.
        """
        room = _whole(min(missing, self.most - taken), self.lot, ROUND_FLOOR)
        if room <= 0:
            return None
        at = bisect_right(self.ends, taken)
        inside = _whole(min(self.ends[at] - taken, room), self.lot, ROUND_FLOOR)
        if inside > 0:
            return self.prices[at], inside
        return (self.cost(taken + self.lot) - self.cost(taken)) / self.lot, self.lot


def _whole(quantity: Decimal, lot: Decimal, rounding: str) -> Decimal:
    return (quantity / lot).to_integral_value(rounding) * lot


def _sets(ladders: Sequence[_Ladder], quantity: Decimal) -> Iterator[Sequence[_Ladder]]:
    """Yield the sets of venues that are worth trying."""
    able = [ladder for ladder in ladders if ladder.least <= quantity]
    free = _cheapest(able, quantity, minima=False)
    if free is not None:
        used = [ladder for ladder in able if free[ladder.number]]
        if all(free[ladder.number] >= ladder.least for ladder in used):
            yield used  # nothing beats the cheapest steps when no smallest order forbids them
            return
    if len(able) <= _SEARCHED:
        for count in range(1, len(able) + 1):
            yield from combinations(able, count)
        return
    while able:
        yield able
        taken = _cheapest(able, quantity, minima=False) or {}
        # the venue that gets least is the one whose absence costs least
        able = sorted(able, key=lambda ladder: taken.get(ladder.number, _ZERO))[1:]


def _cheapest(
    ladders: Sequence[_Ladder], quantity: Decimal, *, minima: bool = True
) -> dict[int, Decimal] | None:
    """Return what each venue gets: its smallest order, then the cheapest lots over all of them."""
    taken = {ladder.number: ladder.least if minima else _ZERO for ladder in ladders}
    missing = quantity - sum(taken.values(), _ZERO)
    if missing < 0:
        return None
    while missing > 0:
        offers = [
            (offer[0], ladder.number, offer[1])
            for ladder in ladders
            if (offer := ladder.chunk(taken[ladder.number], missing)) is not None
        ]
        if not offers:
            return _exchange_lots(ladders, taken, missing, minima=minima)
        _, number, size = min(offers)
        taken[number] += size
        missing -= size
    return taken


def _exchange_lots(
    ladders: Sequence[_Ladder], taken: dict[int, Decimal], missing: Decimal, *, minima: bool
) -> dict[int, Decimal] | None:
    """Make up less than a lot: one venue takes a lot more, others give the excess back."""
    best: tuple[Decimal, dict[int, Decimal]] | None = None
    for more in ladders:
        if taken[more.number] + more.lot > more.most:
            continue
        changed = {**taken, more.number: taken[more.number] + more.lot}
        excess = more.lot - missing
        # the coarse lots first, so that the fine ones can match what is left
        for less in sorted(ladders, key=lambda ladder: -ladder.lot):
            if less is more or excess <= 0:
                continue
            spare = changed[less.number] - (less.least if minima else _ZERO)
            back = _whole(min(spare, excess), less.lot, ROUND_FLOOR)
            changed[less.number] -= back
            excess -= back
        if excess:
            continue
        total = sum((ladder.cost(changed[ladder.number]) for ladder in ladders), _ZERO)
        if best is None or total < best[0]:
            best = total, changed
    return None if best is None else best[1]


def _slices(
    side: Side, ladders: Sequence[_Ladder], taken: dict[int, Decimal], quantity: Decimal
) -> tuple[Slice, ...]:
    found = [
        Slice(ladder.venue, size, side.sign * ladder.cost(size))
        for ladder in ladders
        if (size := taken.get(ladder.number, _ZERO)) > 0
    ]
    if sum((one.quantity for one in found), _ZERO) != quantity:
        raise AssertionError("a split neither loses nor adds")
    return tuple(sorted(found, key=lambda one: (-one.quantity, one.venue)))
