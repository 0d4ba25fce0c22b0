"""What one execution of a simulated exchange is as a trade of an order, with its fee."""

from __future__ import annotations

from decimal import Decimal

from oem_exec.model.enums import InstrumentKind, Liquidity, Side
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.simulation.market import SimOrder


def fill_of(
    order: SimOrder,
    liquidity: Liquidity,
    instrument: Instrument,
    price: Decimal,
    quantity: Decimal,
    *,
    name: str,
    trade_id: str,
    time_ns: int,
    in_received: bool,
) -> Fill:
    """Return the trade of an order.

    Args:
        order: Whose trade it is.
        liquidity: Whether the order made or took it.
        instrument: What traded; its fees count.
        price: Quote units.
        quantity: Base units (contracts for derivatives).
        name: The venue's name.
        trade_id: The venue's id of the trade.
        time_ns: The venue's time, UTC nanoseconds.
        in_received: A spot buy pays its fee in base units, as at Binance.
    """
    notional = instrument.notional(price, quantity)
    rate = instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee
    side = order.intent.side
    fee, asset = notional * rate, instrument.quote
    if in_received and side is Side.BUY and instrument.kind is InstrumentKind.SPOT:
        fee, asset = quantity * rate, instrument.base
    return Fill(
        venue=name,
        symbol=instrument.symbol,
        trade_id=trade_id,
        client_order_id=order.client_order_id,
        side=side,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_asset=asset,
        liquidity=liquidity,
        time_ns=time_ns,
        notional=notional,
    )
