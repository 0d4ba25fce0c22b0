"""A fill and what it cost against the market it met."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import oem_tco
from oem_daemon import translate
from oem_daemon.choice import Terms
from oem_exec import BookSnapshot, Fill, Order


@dataclass(frozen=True, slots=True)
class CostedFill:
    """A fill, its order, and the basis points it cost by component."""

    fill: Fill
    order: Order
    costs: tuple[tuple[oem_tco.Component, float], ...]


def fill_costs(
    fill: Fill, touch: BookSnapshot | None, fee: Decimal
) -> tuple[tuple[oem_tco.Component, float], ...]:
    """Return what one fill cost against the mid it met, in basis points of its notional.

    Args:
        fill: The fill.
        touch: The book just before it; None where nobody looked, and only the fee is known.
        fee: Its fee in the quote currency.
    """
    fees = (oem_tco.Component.FEES, float(fee / fill.notional * 10_000))
    if touch is None:
        return (fees,)
    sign = 1 if fill.side.value == "buy" else -1
    mid = translate.mid(touch)
    best = touch.asks[0][0] if sign > 0 else touch.bids[0][0]
    scale = Decimal(10_000) / mid
    return (
        (oem_tco.Component.SPREAD, float(sign * (best - mid) * scale)),
        (oem_tco.Component.IMPACT_TEMPORARY, float(sign * (fill.price - best) * scale)),
        fees,
    )


def fee_in_quote(fill: Fill, terms: Terms, fees: oem_tco.FeeBook) -> Decimal:
    """Return a fee in the quote currency; one paid in a third asset as the schedule has it."""
    base, quote = fill.symbol.split("/")
    if fill.fee_asset in (quote, "") or not fill.fee:
        return fill.fee
    if fill.fee_asset == base:
        return fill.fee * fill.price
    liquidity = oem_tco.Liquidity(fill.liquidity.value)
    venue = terms.schedule_of(fill.venue)
    rate = fees.commission(venue, "spot", liquidity, fill.time_ns, symbol=fill.symbol)
    return rate.rate * fill.notional
