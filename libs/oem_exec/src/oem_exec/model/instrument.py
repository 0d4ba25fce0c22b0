"""What can be traded, and the venue's rules about sizes and prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from oem_exec.errors import BadSettings, InvalidOrder
from oem_exec.model.enums import InstrumentKind, Side
from oem_exec.model.intent import OrderIntent

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol of one venue with its precision, minima and fees.

    Attributes:
        symbol: Unified symbol, such as `BTC/USDT` or `BTC/USDT:USDT`.
        base: Asset that is bought and sold.
        quote: Asset the price is in.
        tick_size: Smallest price step, > 0.
        lot_size: Smallest quantity step in base units (contracts for derivatives), > 0.
        min_quantity: Smallest quantity, >= 0.
        min_notional: Smallest price × quantity in quote units, >= 0.
        max_quantity: Largest quantity, None without a limit.
        kind: Spot or linear perpetual.
        contract_size: Base units of one contract; 1 for spot.
        maker_fee: Fee for making liquidity as a fraction of the notional; negative is a rebate.
        taker_fee: Fee for taking liquidity as a fraction of the notional.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal = _ZERO
    min_notional: Decimal = _ZERO
    max_quantity: Decimal | None = None
    kind: InstrumentKind = InstrumentKind.SPOT
    contract_size: Decimal = Decimal(1)
    maker_fee: Decimal = _ZERO
    taker_fee: Decimal = _ZERO

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "contract_size"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise BadSettings(
                    f"{name} is {value}", where=self.symbol, remedy="give a number above 0"
                )

    def notional(self, price: Decimal, quantity: Decimal) -> Decimal:
        """Return the value in quote units of `quantity` at `price`."""
        return price * quantity * self.contract_size

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Return the quantity rounded down to a whole number of lots.

        Example:
            >>> from decimal import Decimal as D
            >>> btc = Instrument("BTC/USDT", "BTC", "USDT", D("0.01"), D("0.001"))
            >>> btc.round_quantity(D("1.2349"))
            Decimal('1.234')
        """
        return (quantity / self.lot_size).to_integral_value(ROUND_DOWN) * self.lot_size

    def round_price(self, price: Decimal) -> Decimal:
        """Return the price rounded to the nearest tick, ties to even."""
        return (price / self.tick_size).to_integral_value(ROUND_HALF_EVEN) * self.tick_size

    def check(self, intent: OrderIntent, reference_price: Decimal | None = None) -> None:
        """Raise `InvalidOrder` when the venue would refuse the intent for size, price or precision.

        Args:
            intent: The order wanted.
            reference_price: Price for the minimum notional of an order without a price of its own;
                None leaves that check to the venue.
        """
        quantity = intent.quantity
        self._check_quantity(quantity)
        for name, price in (("price", intent.price), ("stop price", intent.stop_price)):
            if price is not None and price % self.tick_size:
                raise InvalidOrder(
                    f"{name} {price} is finer than the tick",
                    where=self.symbol,
                    remedy=f"use multiples of {self.tick_size}",
                )
        if intent.reduce_only and self.kind is InstrumentKind.SPOT and intent.side is Side.BUY:
            raise InvalidOrder(
                "a spot buy cannot reduce a holding", where=self.symbol, remedy="leave it out"
            )
        price = intent.price if intent.type.needs_price else intent.stop_price
        price = price if price is not None else reference_price
        if price is not None and self.notional(price, quantity) < self.min_notional:
            raise InvalidOrder(
                f"{quantity} at {price} is below the minimum notional",
                where=self.symbol,
                remedy=f"order at least {self.min_notional} {self.quote}",
            )

    def _check_quantity(self, quantity: Decimal) -> None:
        if quantity % self.lot_size:
            raise InvalidOrder(
                f"quantity {quantity} is finer than the lot",
                where=self.symbol,
                remedy=f"use multiples of {self.lot_size}",
            )
        if quantity < self.min_quantity:
            raise InvalidOrder(
                f"quantity {quantity} is too small",
                where=self.symbol,
                remedy=f"order at least {self.min_quantity}",
            )
        if self.max_quantity is not None and quantity > self.max_quantity:
            raise InvalidOrder(
                f"quantity {quantity} is too large",
                where=self.symbol,
                remedy=f"order at most {self.max_quantity}",
            )
