"""One trade of one order, as the venue reported it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from oem_exec.model.enums import Liquidity, Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; `venue`, `symbol` and `trade_id` together are its identity.

    Attributes:
        venue: Venue that executed it.
        symbol: Unified symbol.
        trade_id: The venue's trade id.
        client_order_id: The order it belongs to.
        side: Buy or sell.
        quantity: Base units (contracts for derivatives), > 0.
        price: Quote units, > 0.
        fee: What was paid, in `fee_asset`; negative is a rebate.
        fee_asset: Asset the fee was paid in.
        liquidity: Maker or taker.
        time_ns: The venue's time, UTC nanoseconds.
        notional: Price × quantity × contract size, in quote units.
    """

    venue: str
    symbol: str
    trade_id: str
    client_order_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ns: int
    notional: Decimal

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what makes this fill the same as another report of it."""
        return self.venue, self.symbol, self.trade_id

    def as_json(self) -> dict[str, object]:
        """Return the fill in JSON's types, numbers as text."""
        return {
            "venue": self.venue,
            "symbol": self.symbol,
            "trade_id": self.trade_id,
            "client_order_id": self.client_order_id,
            "side": self.side.value,
            "quantity": str(self.quantity),
            "price": str(self.price),
            "fee": str(self.fee),
            "fee_asset": self.fee_asset,
            "liquidity": self.liquidity.value,
            "time_ns": self.time_ns,
            "notional": str(self.notional),
        }
