"""The closed sets of words this library uses; every string in a table or record is one of these."""

from __future__ import annotations

import enum


class Side(enum.StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: a higher price costs a buyer and pays a seller."""
        return 1 if self is Side.BUY else -1


class Liquidity(enum.StrEnum):
    """Whether a fill rested in the book or took from it."""

    MAKER = "maker"
    TAKER = "taker"


class OrderType(enum.StrEnum):
    """How an order meets the book."""

    MARKET = "market"
    LIMIT = "limit"


class Provenance(enum.StrEnum):
    """Where a number comes from, best first."""

    MEASURED = "measured"
    """Read from fills, quotes or the book."""
    SCHEDULE = "schedule"
    """Computed from a fee schedule that was in effect."""
    ESTIMATED = "estimated"
    """A stated fallback, because the data is missing."""


class Component(enum.StrEnum):
    """The names a basis point of cost can have; positive is a cost, negative a gain."""

    DELAY = "delay"
    """Price move between the decision and the order's arrival at the market."""
    SPREAD = "spread"
    """Half spread paid by a taker, or earned by a maker, at the fill."""
    IMPACT_TEMPORARY = "impact_temporary"
    """Price beyond the touch at the fill: the book walked."""
    IMPACT_PERMANENT = "impact_permanent"
    """Move of the mid from arrival to the fill: own lasting impact plus market drift."""
    FEES = "fees"
    """Commission by tier, net of rebates and discounts, in the quote currency."""
    FUNDING = "funding"
    """Funding paid (positive) or received (negative) while the fills were held."""
    OPPORTUNITY = "opportunity"
    """Price move on the part that was wanted and never filled."""


COMPONENTS: tuple[Component, ...] = tuple(Component)


class DelayConvention(enum.StrEnum):
    """Whether the unfilled part shares in the delay cost.

    The total is the same in both; what moves between delay and opportunity is
    `unfilled × (arrival - decision)`.
    """

    WHOLE_ORDER = "whole_order"
    """Delay on the whole wanted quantity; opportunity from arrival to the last price (Wagner)."""
    FILLED_PART = "filled_part"
    """Delay on what was filled; opportunity from decision to the last price (Perold)."""


class Benchmark(enum.StrEnum):
    """Prices that the filled part of an order is held against."""

    ARRIVAL = "arrival"
    """Mid when the order reached the market."""
    DECISION = "decision"
    """Mid when it was decided."""
    MID = "mid"
    """Mid at each fill."""
    TWAP = "twap"
    """Mid from arrival to the end of the order, every instant counted alike."""
    VWAP = "vwap"
    """The market's volume-weighted price of the UTC day of the arrival."""
    INTERVAL = "interval"
    """The market's volume-weighted price from arrival to the end of the order."""
    CLOSE = "close"
    """Last mid of the UTC day of the last fill."""
