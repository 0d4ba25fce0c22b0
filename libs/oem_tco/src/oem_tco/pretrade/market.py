"""What is known of the market and of the order before it is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from oem_tco.errors import InputError
from oem_tco.terms import Liquidity, OrderType, Side

Level = tuple[Decimal, Decimal]
"""Price and quantity of one book level."""


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """The order whose cost is asked for.

    Attributes:
        venue: Venue id.
        symbol: Symbol as the venue names it.
        side: Direction.
        quantity: Base units, positive; quote units of an inverse contract, and so are the sizes of
            its book and its daily volume.
        order_type: Market or limit.
        market: `spot`, `linear` or `inverse`; sets the fee schedule and whether funding applies.
        liquidity: How it is expected to fill.
        horizon_s: Seconds over which it will be worked, 0 for at once: its urgency.
        at_ns: UTC nanoseconds of the decision.
        latency_ms: Time from decision to the venue's matching.
        hold_s: Seconds the position is expected to be held, for funding.
    """

    venue: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    market: str = "spot"
    liquidity: Liquidity = Liquidity.TAKER
    horizon_s: float = 0.0
    at_ns: int = 0
    latency_ms: float = 50.0
    hold_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InputError(
                f"quantity {self.quantity} is not positive",
                where=self.symbol,
                remedy="ask for a positive quantity",
            )
        times = (self.horizon_s, self.latency_ms, self.hold_s)
        if not all(0 <= time < math.inf for time in times):
            raise InputError(
                "a time is negative or not finite",
                where=self.symbol,
                remedy="give times of 0 or more",
            )


@dataclass(frozen=True, slots=True)
class MarketView:
    """What is known of the market; None where it is not known.

    Attributes:
        bid: Best bid.
        ask: Best ask.
        levels_bid: Bids, best first, for the walk of a sell; a level of size 0 is empty.
        levels_ask: Asks, best first, for the walk of a buy.
        volatility_bps_per_sqrt_s: Standard deviation of the mid's move over one second.
        adv: Average daily volume, base units.
        quote_age_ms: Age of the quote at the decision.
        funding_rate: Next rate per interval, positive is paid by longs.
        funding_interval_s: Seconds between settlements.
        last_price: Used for reference when there is no valid quote.
    """

    bid: Decimal | None
    ask: Decimal | None
    levels_bid: tuple[Level, ...] = ()
    levels_ask: tuple[Level, ...] = ()
    volatility_bps_per_sqrt_s: float | None = None
    adv: Decimal | None = None
    quote_age_ms: float = 0.0
    funding_rate: Decimal | None = None
    funding_interval_s: float = 28_800.0
    last_price: Decimal | None = None

    def __post_init__(self) -> None:
        known = (self.bid, self.ask, self.adv, self.funding_rate, self.last_price)
        finite = all(number is None or number.is_finite() for number in known)
        sigma = self.volatility_bps_per_sqrt_s
        if not finite or (sigma is not None and not 0 <= sigma < math.inf):
            raise InputError(
                "a price, volume, rate or volatility is not a number",
                where="market view",
                remedy="give None for what is not known",
            )
        if not 0 <= self.quote_age_ms < math.inf or not 0 < self.funding_interval_s < math.inf:
            raise InputError(
                f"quote age {self.quote_age_ms} ms, funding interval {self.funding_interval_s} s",
                where="market view",
                remedy="give an age of 0 or more and an interval above 0",
            )
        _require_ordered("levels_bid", self.levels_bid, -1)
        _require_ordered("levels_ask", self.levels_ask, 1)

    @property
    def has_quote(self) -> bool:
        """Whether bid and ask are both there, positive and not crossed."""
        return self.bid is not None and self.ask is not None and 0 < self.bid <= self.ask


def _require_ordered(name: str, levels: tuple[Level, ...], sign: int) -> None:
    """Refuse levels that are no numbers or not best first: a walk of them would mean nothing."""
    before: Decimal | None = None
    for price, size in levels:
        sound = price.is_finite() and size.is_finite() and price > 0 and size >= 0
        if not sound or (before is not None and (price < before if sign > 0 else price > before)):
            raise InputError(
                f"{name} holds {size} at {price}" + (f" after {before}" if before else ""),
                where="market view",
                remedy="give finite prices above 0, best first, with sizes of 0 or more",
            )
        before = price
