"""The split itself, on columns: every part a difference of products rounded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oem_tco.inputs.findings import FindingCode, Treatment
from oem_tco.inputs.fixed import Bools, Fixed, spread_fixed
from oem_tco.tables.exact import LIMIT, Ints, group_sums, worth_minor
from oem_tco.tables.fees import FeeRules, FillFees, RateTable, fill_fees
from oem_tco.tables.prepare import Fills, Orders
from oem_tco.tables.quotes import Keys, QuoteBook, middle
from oem_tco.terms import Component, DelayConvention

C, T = FindingCode, Treatment


@dataclass(frozen=True, slots=True)
class FillParts:
    """Parts of every fill, minor units; positive is a cost.

    Attributes:
        decided: Quantity at the decision price; so are arrived, at_mid and notional at the
            arrival price, the mid and the price of the fill.
        delay: Arrival against decision, of the filled part; so are spread, temporary, permanent.
        fees: Fees.
        total: Price against decision, and fees.
        mid: Mid at the fill, the fill's price where there is no quote.
        quote_from: 0 no quote, 1 the fill's own, 2 the quotes.
        large: Which are too large for the arithmetic.
    """

    decided: Ints
    arrived: Ints
    notional: Ints
    delay: Ints
    spread: Ints
    temporary: Ints
    permanent: Ints
    fees: FillFees
    total: Ints
    mid: Fixed
    quote_from: npt.NDArray[np.int32]
    large: Bools

    def components(self) -> dict[Component, Ints]:
        """Return the parts that a fill has by itself; they sum to `total`."""
        return {
            Component.DELAY: self.delay,
            Component.SPREAD: self.spread,
            Component.IMPACT_TEMPORARY: self.temporary,
            Component.IMPACT_PERMANENT: self.permanent,
            Component.FEES: self.fees.amount,
        }

    def take(self, rows: npt.NDArray[np.integer]) -> FillParts:
        fees = FillFees(*(getattr(self.fees, name)[rows] for name in FillFees.__slots__))
        taken: dict[str, Any] = {
            name: getattr(self, name)[rows]
            for name in FillParts.__slots__
            if name not in ("fees", "mid")
        }
        return FillParts(**taken, fees=fees, mid=self.mid.take(rows))


@dataclass(frozen=True, slots=True)
class OrderParts:
    """Parts of every order, minor units.

    Attributes:
        parts: Component to amounts.
        total: Their sum.
        notional: Wanted quantity at the decision price.
        fees_low: Fees at the low end of what was estimated; so is fees_high.
        filled: Filled base units.
        fills: Number of fills.
        large: Which are too large for the arithmetic.
    """

    parts: dict[Component, Ints]
    total: Ints
    notional: Ints
    fees_low: Ints
    fees_high: Ints
    filled: Fixed
    fills: Ints
    large: Bools


def fill_parts(
    orders: Orders,
    fills: Fills,
    quotes: QuoteBook | None,
    rules: FeeRules,
    rates: RateTable | None,
) -> FillParts:
    """Return the parts of every fill.

    Args:
        orders: Orders with all prices.
        fills: Their fills.
        quotes: Quotes for fills that bring none.
        rules: How missing fees are found.
        rates: Rates of fee assets.
    """
    bid, ask, source = fill_quotes(orders, fills, quotes)
    sound = bid.present
    sign, inverse = orders.cost_sign[fills.order], orders.inverse[fills.order]
    quantity = fills.quantity
    prices = orders.prices
    decided, large = worth_minor(prices["decision_price"].take(fills.order), quantity, inverse)
    arrived, more = worth_minor(prices["arrival_price"].take(fills.order), quantity, inverse)
    large |= more
    notional, more = worth_minor(fills.price, quantity, inverse)
    large |= more
    buys = orders.sign[fills.order] > 0
    mid, touch = middle(bid, ask), Fixed(np.where(buys, ask.ints, bid.ints), bid.digits, sound)
    at_mid, more = worth_minor(mid, quantity, inverse)
    large |= more & sound
    at_touch, more = worth_minor(touch, quantity, inverse)
    large |= more & sound
    # without a quote the price stands for both, and a maker sets the touch
    if not sound.all():
        at_mid = np.where(sound, at_mid, notional)
        mid = mid.filled(fills.price, ~sound)
    at_touch = np.where(sound & ~fills.maker, at_touch, notional)
    fees = fill_fees(orders, fills, notional, rules, rates)
    large |= fees.large
    total = notional - decided
    total *= sign
    total += fees.amount
    return FillParts(
        decided=decided,
        arrived=arrived,
        notional=notional,
        delay=sign * (arrived - decided),
        spread=sign * (at_touch - at_mid),
        temporary=sign * (notional - at_touch),
        permanent=sign * (at_mid - arrived),
        fees=fees,
        total=total,
        mid=mid,
        quote_from=source,
        large=large,
    )


def fill_quotes(
    orders: Orders, fills: Fills, quotes: QuoteBook | None
) -> tuple[Fixed, Fixed, npt.NDArray[np.int32]]:
    """Return bid and ask of every fill, present where sound, and where they come from."""
    digits = max(fills.bid.digits, fills.ask.digits)
    bid, ask = fills.bid.at(digits), fills.ask.at(digits)
    given = bid.present & ask.present
    own = given & (bid.ints > 0) & (bid.ints <= ask.ints)

    def note(code: FindingCode, treatment: Treatment, column: str, text: str, mask: Bools) -> None:
        if mask.any():
            fills.decoder.note(code, treatment, column, text, fills.row[mask])

    inside = "spread and temporary impact are inside the permanent impact"
    early = fills.at_ns < orders.arrived_ns[fills.order]
    note(
        C.CLOCK_SKEW, T.FALLBACK, "time_ns",
        "stamped before its order arrived; the quote is looked up at the arrival",
        early,
    )  # fmt: skip
    note(C.CROSSED_QUOTE, T.FALLBACK, "bid", inside, given & ~own)
    wanted = np.flatnonzero(~given)
    source = own.astype(np.int32)
    bid, ask = Fixed(bid.ints, digits, own), Fixed(ask.ints, digits, own)
    if not len(wanted):
        return bid, ask, source
    if quotes is None:
        note(C.NO_QUOTE, T.FALLBACK, "bid", inside, ~given)
        return bid, ask, source
    keys = Keys(orders.names["venue"], orders.names["symbol"]).take(fills.order[wanted])
    at = np.maximum(fills.at_ns[wanted], orders.arrived_ns[fills.order[wanted]])
    found = quotes.find(keys, at)
    for code, missed in (
        (C.NO_QUOTE, found.row < 0),
        (C.STALE_QUOTE, found.stale),
        (C.CROSSED_QUOTE, found.crossed),
    ):
        if missed.any():
            fills.decoder.note(code, T.FALLBACK, "bid", inside, fills.row[wanted[missed]])
    if len(wanted) == len(fills):
        return found.bid, found.ask, np.where(found.sound, 2, 0).astype(np.int32)
    source[wanted[found.sound]] = 2
    rest = ~given
    bid = bid.filled(spread_fixed(found.bid, wanted, len(fills)), rest)
    ask = ask.filled(spread_fixed(found.ask, wanted, len(fills)), rest)
    digits = max(bid.digits, ask.digits)
    return bid.at(digits), ask.at(digits), source


def order_parts(
    orders: Orders, fills: Fills, parts: FillParts, funding: Ints, convention: DelayConvention
) -> OrderParts:
    """Return the parts of every order: its fills summed, its funding, and the unfilled part."""
    count = len(orders)

    def summed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return group_sums(values, fills.order, count)

    digits = max(orders.quantity.digits, fills.quantity.digits)
    wanted = orders.quantity.at(digits)
    done = Fixed(summed(fills.quantity.ints), fills.quantity.digits, np.ones(count, np.bool_))
    done = done.at(digits)
    unfilled = Fixed(wanted.ints - done.ints, digits, wanted.present)
    sign, inverse, prices = orders.cost_sign, orders.inverse, orders.prices
    rest_decided, large = worth_minor(prices["decision_price"], unfilled, inverse)
    rest_arrived, more = worth_minor(prices["arrival_price"], unfilled, inverse)
    large |= more
    rest_last, more = worth_minor(prices["end_price"], unfilled, inverse)
    large |= more
    sums: dict[str, npt.NDArray[Any]] = {
        "decided": summed(parts.decided),
        **{component.value: summed(a) for component, a in parts.components().items()},
    }
    sums["total"] = np.sum([sums[c.value] for c in parts.components()], axis=0)
    for name, range_end in (("low", parts.fees.low), ("high", parts.fees.high)):
        same = range_end is parts.fees.amount
        sums[name] = sums[Component.FEES.value] if same else summed(range_end)
    for amounts in (*sums.values(), funding):
        large |= np.abs(amounts) >= LIMIT
    safe = {name: np.where(large, 0, amounts).astype(np.int64) for name, amounts in sums.items()}
    delay = safe["delay"]
    opportunity = sign * (rest_last - rest_decided)
    if convention is DelayConvention.WHOLE_ORDER:
        delay = delay + sign * (rest_arrived - rest_decided)
        opportunity = sign * (rest_last - rest_arrived)
    return OrderParts(
        parts={
            Component.DELAY: delay,
            Component.SPREAD: safe["spread"],
            Component.IMPACT_TEMPORARY: safe["impact_temporary"],
            Component.IMPACT_PERMANENT: safe["impact_permanent"],
            Component.FEES: safe["fees"],
            Component.FUNDING: funding,
            Component.OPPORTUNITY: opportunity,
        },
        total=safe["total"] + funding + sign * (rest_last - rest_decided),
        notional=safe["decided"] + rest_decided,
        fees_low=safe["low"],
        fees_high=safe["high"],
        filled=done,
        fills=np.bincount(fills.order, minlength=count),
        large=large,
    )
