"""ccxt's dictionaries as values of this library; what makes no sense is refused, not guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from oem_exec.model.enums import InstrumentKind, Liquidity, Side
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.states import OrderState
from oem_exec.venue import VenueOrder

_STATES = {
    "open": OrderState.OPEN,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "canceling": OrderState.OPEN,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
_ZERO = Decimal(0)
_MS = 1_000_000


class Unusable(ValueError):
    """An answer of the venue that does not hold what it must."""


def decimal_of(value: object) -> Decimal | None:
    """Return a ccxt number as Decimal, None for None; raises `Unusable` for anything else."""
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError as error:
        raise Unusable(f"not a number: {value!r}") from error
    if not found.is_finite():
        raise Unusable(f"not a finite number: {value!r}")
    return found


def plain_text(value: object) -> str:
    """Return a venue's text so that log and store can keep it: half characters are spelt out."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def order_of(raw: Mapping[str, Any], venue: str, client_order_id: str = "") -> VenueOrder:
    """Return what a ccxt order says; raises `Unusable` without id or with an unknown status.

    Args:
        raw: ccxt's unified order.
        venue: Venue name for its fills.
        client_order_id: Ours, where the venue's answer does not repeat it.
    """
    venue_order_id = raw.get("id")
    if not venue_order_id:
        raise Unusable("an order without id")
    filled = decimal_of(raw.get("filled")) or _ZERO
    quantity = decimal_of(raw.get("amount"))
    status = raw.get("status") or "open"
    state = _STATES.get(str(status))
    if state is None:
        raise Unusable(f"unknown order status {status!r}")
    if state is OrderState.FILLED and quantity is not None and filled < quantity:
        # some venues call every ended order closed
        state = OrderState.CANCELED if filled or quantity else OrderState.FILLED
    if state is OrderState.REJECTED and filled:
        # bybit calls an order rejected whose rest was; what was filled was filled
        state = OrderState.CANCELED
    if state is OrderState.OPEN and filled:
        state = OrderState.PARTIALLY_FILLED
    named = plain_text(raw.get("clientOrderId") or client_order_id)
    if named == "0":
        named = client_order_id  # kraken's userref where no id was given
    symbol = plain_text(raw.get("symbol") or "")
    return VenueOrder(
        client_order_id=named,
        venue_order_id=plain_text(venue_order_id),
        symbol=symbol,
        state=state,
        filled_quantity=filled,
        filled_notional=decimal_of(raw.get("cost")),
        quantity=quantity or None,
        price=decimal_of(raw.get("price")) or None,
        fills=fills_of(
            [_told(t, raw) for t in raw.get("trades") or [] if t.get("price") is not None],
            venue,
            named,
        ),
        time_ns=int(raw.get("lastTradeTimestamp") or raw.get("timestamp") or 0) * _MS,
    )


def _told(trade: Mapping[str, Any], order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a trade inside an order's answer with what only the order says."""
    missing = {
        key: order.get(key) for key in ("symbol", "side", "timestamp") if trade.get(key) is None
    }
    return {**trade, **missing}


def fills_of(
    trades: Iterable[Mapping[str, Any]],
    venue: str,
    client_order_id: str,
    contract_size: Decimal = Decimal(1),
) -> tuple[Fill, ...]:
    """Return ccxt trades as fills of one order; raises `Unusable` for one without id or numbers."""
    found: list[Fill] = []
    for raw in trades:
        price, quantity = decimal_of(raw.get("price")), decimal_of(raw.get("amount"))
        if not raw.get("id") or price is None or quantity is None or price <= 0 or quantity <= 0:
            raise Unusable(f"a trade without id, price or amount: {dict(raw).get('id')!r}")
        fee = raw.get("fee") or {}
        symbol = plain_text(raw.get("symbol") or "")
        found.append(
            Fill(
                venue=venue,
                symbol=symbol,
                trade_id=plain_text(raw["id"]),
                client_order_id=client_order_id,
                side=Side(str(raw.get("side"))),
                quantity=quantity,
                price=price,
                fee=decimal_of(fee.get("cost")) or _ZERO,
                fee_asset=plain_text(
                    fee.get("currency") or symbol.partition("/")[2].partition(":")[0]
                ),
                liquidity=Liquidity.MAKER
                if raw.get("takerOrMaker") == "maker"
                else Liquidity.TAKER,
                time_ns=int(raw.get("timestamp") or 0) * _MS,
                notional=price * quantity * contract_size,
            )
        )
    return tuple(found)


def instrument_of(market: Mapping[str, Any]) -> Instrument | None:
    """Return a ccxt market as instrument, None for kinds that are not routed."""
    if market.get("spot"):
        kind = InstrumentKind.SPOT
    elif market.get("swap") and market.get("linear"):
        kind = InstrumentKind.LINEAR_PERPETUAL
    else:
        return None
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    tick, lot = decimal_of(precision.get("price")), decimal_of(precision.get("amount"))
    if not tick or not lot:
        return None
    amount, cost = limits.get("amount") or {}, limits.get("cost") or {}
    return Instrument(
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        tick_size=tick,
        lot_size=lot,
        min_quantity=decimal_of(amount.get("min")) or _ZERO,
        min_notional=decimal_of(cost.get("min")) or _ZERO,
        max_quantity=decimal_of(amount.get("max")) or None,
        kind=kind,
        contract_size=decimal_of(market.get("contractSize")) or Decimal(1),
        maker_fee=decimal_of(market.get("maker")) or _ZERO,
        taker_fee=decimal_of(market.get("taker")) or _ZERO,
    )
