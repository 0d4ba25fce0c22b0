"""The rows of the cost ledger: orders and fills, with the prices that costs are named by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from oem_tco.errors import InputError
from oem_tco.money import quotient_minor, value_minor
from oem_tco.terms import Liquidity, OrderType, Side

INVERSE = "inverse"


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order.

    Attributes:
        order_id: Id of the order; the newest row of an id counts.
        decision_id: Decision that led to it.
        strategy: Who wanted it; so are profile and scheduler.
        venue: Where it went.
        market: `spot`, `linear` or `inverse`.
        symbol: Symbol.
        side: Direction.
        order_type: Market or limit.
        quantity: Wanted base units, positive; of an inverse contract quote units, as it is counted.
        currency: Quote currency of every price and amount; of an inverse contract the base asset,
            in which it settles.
        decision_time_ns: When it was decided, UTC nanoseconds; decision_price is the mid then.
        arrival_time_ns: When it was sent; arrival_price is the mid then.
        end_time_ns: When it ended; end_price is the mid then, for what was never filled.
        status: Last state of the order.
        est_low_bps: Lower end of the cost estimate, and so on; None where there was none.
    """

    order_id: str
    decision_id: str
    strategy: str
    profile: str
    scheduler: str
    venue: str
    market: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    currency: str
    decision_time_ns: int
    decision_price: Decimal
    arrival_time_ns: int
    arrival_price: Decimal
    end_time_ns: int | None = None
    end_price: Decimal | None = None
    status: str = "open"
    est_low_bps: float | None = None
    est_expected_bps: float | None = None
    est_high_bps: float | None = None

    def __post_init__(self) -> None:
        _require_positive(self.order_id, quantity=self.quantity, decision_price=self.decision_price)
        _require_positive(self.order_id, arrival_price=self.arrival_price)
        if self.end_price is not None:
            _require_positive(self.order_id, end_price=self.end_price)
        base, slash, _ = self.symbol.partition("/")
        if self.inverse and slash and base != self.currency:
            raise InputError(
                f"an inverse contract of {base} settles in {base}, not in {self.currency}",
                where=self.order_id,
                remedy=f"give {base} as currency and the quantity in quote units",
            )

    @property
    def inverse(self) -> bool:
        """Whether it is of a contract counted in quote units that settles in the base asset."""
        return self.market == INVERSE

    @property
    def cost_sign(self) -> int:
        """+1 where more value paid is a cost, -1 where it is a gain.

        A buyer of an inverse contract gives `quantity / price` of the base asset for it: the higher
        the price, the less that is, and the less his contract is worth at any later price.
        """
        return -self.side.sign if self.inverse else self.side.sign

    def value(self, price: Decimal, quantity: Decimal) -> int:
        """Return what a quantity is worth at a price, minor units of `currency`."""
        return quotient_minor(quantity, price) if self.inverse else value_minor(price, quantity)


@dataclass(frozen=True, slots=True)
class FillRow:
    """One fill.

    Attributes:
        fill_id: Unique id; a second row of an id is a duplicate and ignored.
        order_id: Order it belongs to.
        time_ns: When, UTC nanoseconds.
        price: Quote units, positive.
        quantity: Base units, positive; quote units of an inverse contract.
        liquidity: Maker or taker.
        fee_amount: In fee_asset, positive is a cost, negative a rebate.
        fee_asset: Asset the fee was paid in.
        bid: Best bid just before the fill; None where it is not known; so is ask.
        fee_rate_to_quote: Quote units per fee_asset at the time; None when it is the quote.
    """

    fill_id: str
    order_id: str
    time_ns: int
    price: Decimal
    quantity: Decimal
    liquidity: Liquidity
    fee_amount: Decimal
    fee_asset: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    fee_rate_to_quote: Decimal | None = None

    def __post_init__(self) -> None:
        _require_positive(self.fill_id, price=self.price, quantity=self.quantity)
        if not self.fee_amount.is_finite():
            raise InputError(
                f"fee_amount {self.fee_amount} is not a number",
                where=self.fill_id,
                remedy="give the fee as the venue reports it, positive for a cost",
            )
        if self.fee_rate_to_quote is not None:
            _require_positive(self.fill_id, fee_rate_to_quote=self.fee_rate_to_quote)
        for name, quote in (("bid", self.bid), ("ask", self.ask)):
            if quote is not None and not quote.is_finite():
                raise InputError(
                    f"{name} {quote} is not a number",
                    where=self.fill_id,
                    remedy="leave the quote empty where it is not known",
                )


def to_cells(row: OrderRow | FillRow) -> list[str]:
    """Return a row as CSV cells in the order of its fields; None is an empty cell."""
    return ["" if (v := getattr(row, f.name)) is None else str(v) for f in fields(row)]


def header(kind: type[OrderRow | FillRow]) -> list[str]:
    """Return the column names of a kind of row."""
    return [field.name for field in fields(kind)]


def order_from(cells: dict[str, str], where: str) -> OrderRow:
    """Return the order of CSV cells; raises InputError that names the row."""
    return OrderRow(**_values(cells, where, _ORDER_TYPES))


def fill_from(cells: dict[str, str], where: str) -> FillRow:
    """Return the fill of CSV cells; raises InputError that names the row."""
    return FillRow(**_values(cells, where, _FILL_TYPES))


_OPTIONAL = {
    "end_time_ns", "end_price", "est_low_bps", "est_expected_bps", "est_high_bps", "bid", "ask",
    "fee_rate_to_quote",
}  # fmt: skip
_ORDER_TYPES: dict[str, Any] = {
    **dict.fromkeys(header(OrderRow), str),
    **dict.fromkeys(("quantity", "decision_price", "arrival_price", "end_price"), Decimal),
    **dict.fromkeys(("decision_time_ns", "arrival_time_ns", "end_time_ns"), int),
    **dict.fromkeys(("est_low_bps", "est_expected_bps", "est_high_bps"), float),
    "side": Side,
    "order_type": OrderType,
}
_FILL_TYPES: dict[str, Any] = {
    **dict.fromkeys(header(FillRow), str),
    **dict.fromkeys(
        ("price", "quantity", "fee_amount", "bid", "ask", "fee_rate_to_quote"), Decimal
    ),
    "time_ns": int,
    "liquidity": Liquidity,
}


def _values(cells: dict[str, str], where: str, types: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in types.items():
        text = cells.get(name)
        if text is None:
            raise InputError(f"column {name} is missing", where=where, remedy="add the column")
        if text == "" and name in _OPTIONAL:
            values[name] = None
            continue
        try:
            values[name] = kind(text)
        except (ValueError, ArithmeticError):
            raise InputError(
                f"column {name} holds {text!r}", where=where, remedy="correct the cell"
            ) from None
    return values


def _require_positive(where: str, **numbers: Decimal) -> None:
    for name, number in numbers.items():
        if not (number.is_finite() and number > 0):
            raise InputError(
                f"{name} {number} is not positive", where=where, remedy="give a positive number"
            )
