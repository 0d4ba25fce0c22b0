"""What differs from venue to venue when ccxt's unified calls are made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oem_exec.model.enums import OrderType, Side, TimeInForce
from oem_exec.model.order import Order

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The venue's own ways.

    Attributes:
        place: Extra parameters of an order that carry its client id, deadline and kind.
        find: Coroutine function from exchange and order to a list of ccxt orders; it raises
            `OrderNotFound` or returns an empty list when the venue shows none.
        cancel_params: Parameters that name the order by its client id.
        options: ccxt options to set.
        stop_param: ccxt's name of the price at which a stop order wakes. Kraken's class drops
            `triggerPrice` in silence and would send a stop as a plain order.
        spot_only: Order types that are not routed for perpetuals: where they live among orders of
            another kind, a look-up by client id would not find them.
        trade_params: Parameters that ask for one order's trades alone; none where the venue lists
            the account's trades only, from which the order's are taken.
        refuses: Why an order cannot be sent as it is meant; None when it can.
        lists: Part of a path to the keys that its answers must hold, where an answer without them
            would read as "no such order".
    """

    place: Callable[[Order, float], Params]
    find: Callable[[Any, Order], Any]
    cancel_params: Callable[[Order], Params]
    options: Mapping[str, Any]
    stop_param: str = "triggerPrice"
    spot_only: frozenset[OrderType] = frozenset()
    trade_params: Callable[[Order], Params] = lambda _: {}
    refuses: Callable[[Order], str | None] = lambda _: None
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def dialect_of(venue: str) -> Dialect:
    """Return the dialect of a venue of the capability table."""
    return _DIALECTS[venue]


def ccxt_type(order: Order) -> str:
    """Return ccxt's order type: stops are market or limit orders with a trigger price."""
    return "market" if order.intent.type in {OrderType.MARKET, OrderType.STOP} else "limit"


def common_params(order: Order, stop_param: str) -> Params:
    """Return the parameters that ccxt unifies; `stop_param` is the venue's name of the trigger."""
    intent = order.intent
    params: Params = {}
    if intent.type is OrderType.POST_ONLY:
        params["postOnly"] = True
    elif ccxt_type(order) == "limit" or intent.time_in_force is not TimeInForce.GTC:
        params["timeInForce"] = intent.time_in_force.value
    if intent.stop_price is not None:
        params[stop_param] = format(intent.stop_price, "f")
    if intent.reduce_only and ":" in intent.symbol:
        params["reduceOnly"] = True
    return params


def _client(name: str) -> Callable[[Order, float], Params]:
    def place(order: Order, deadline_s: float) -> Params:  # noqa: ARG001 - one signature for all
        return {name: order.client_order_id}

    return place


def _kraken_place(order: Order, deadline_s: float) -> Params:
    params: Params = {"clientOrderId": order.client_order_id}
    if order.intent.expires_ns is not None:
        params["timeInForce"] = "GTD"
        params["expiretm"] = str(order.intent.expires_ns // 1_000_000_000)
    if deadline_s:
        # the matching engine refuses the order after this moment: no late acceptance
        moment = dt.datetime.fromtimestamp(deadline_s, dt.UTC)
        text = moment.isoformat(timespec="milliseconds")
        params["deadline"] = text.replace("+00:00", "Z")
    return params


async def _binance_find(exchange: Any, order: Order) -> list[Any]:
    params = {"origClientOrderId": order.client_order_id}
    return [await exchange.fetch_order(None, order.intent.symbol, params)]


async def _okx_find(exchange: Any, order: Order) -> list[Any]:
    params = {"clOrdId": order.client_order_id}
    return [await exchange.fetch_order(None, order.intent.symbol, params)]


async def _kraken_find(exchange: Any, order: Order) -> list[Any]:
    params = {"clientOrderId": order.client_order_id}
    found = list(await exchange.fetch_open_orders(order.intent.symbol, None, None, dict(params)))
    found += await exchange.fetch_closed_orders(order.intent.symbol, None, None, dict(params))
    return _named(found, order)


async def _bybit_find(exchange: Any, order: Order) -> list[Any]:
    params = {"orderLinkId": order.client_order_id}
    symbol = order.intent.symbol
    found = list(await exchange.fetch_open_orders(symbol, None, None, dict(params)))
    if not _named(found, order):
        found += await exchange.fetch_canceled_and_closed_orders(symbol, None, None, dict(params))
    return _named(found, order)


async def _coinbase_find(exchange: Any, order: Order) -> list[Any]:
    since_ms = order.sent_ns // 1_000_000 - 60_000
    return _named(await exchange.fetch_orders(order.intent.symbol, since_ms, 250), order)


def _coinbase_refuses(order: Order) -> str | None:
    intent = order.intent
    if intent.type is OrderType.MARKET and intent.side is Side.BUY and ":" not in intent.symbol:
        return "spot market buys are sized in quote units there; use a limit order, IOC"
    return None


def _named(found: list[Any], order: Order) -> list[Any]:
    unique = {raw["id"]: raw for raw in found if raw.get("clientOrderId") == order.client_order_id}
    return list(unique.values())


_DIALECTS: Mapping[str, Dialect] = {
    "binance": Dialect(
        place=_client("newClientOrderId"),
        find=_binance_find,
        cancel_params=lambda order: {"origClientOrderId": order.client_order_id},
        options={
            "warnOnFetchOpenOrdersWithoutSymbol": False,
            "newOrderRespType": {"market": "FULL", "limit": "FULL"},
        },
        spot_only=frozenset({OrderType.STOP, OrderType.STOP_LIMIT}),
        trade_params=lambda order: {"orderId": order.venue_order_id},
    ),
    "kraken": Dialect(
        place=_kraken_place,
        find=_kraken_find,
        cancel_params=lambda order: {"clientOrderId": order.client_order_id},
        options={},
        stop_param="stopLossPrice",
        lists={"/OpenOrders": ("result", "open"), "/ClosedOrders": ("result", "closed")},
    ),
    "okx": Dialect(
        place=_client("clOrdId"),
        find=_okx_find,
        cancel_params=lambda order: {"clOrdId": order.client_order_id},
        options={"tgtCcy": "base_ccy"},  # a market buy is of base units, not of money
        trade_params=lambda order: {"ordId": order.venue_order_id},
    ),
    "bybit": Dialect(
        place=_client("clientOrderId"),
        find=_bybit_find,
        cancel_params=lambda order: {"orderLinkId": order.client_order_id},
        # a classic account would read the quantity of a market buy as money: refused, not sent
        options={"createOrder": {"createMarketBuyOrderRequiresPrice": True}},
        lists={"/order/realtime": ("result", "list"), "/order/history": ("result", "list")},
        trade_params=lambda order: {"orderId": order.venue_order_id},
    ),
    "coinbase": Dialect(
        place=_client("client_order_id"),
        find=_coinbase_find,
        cancel_params=lambda order: {},  # noqa: ARG005 - the venue cancels by its own id alone
        options={},
        stop_param="stopLossPrice",
        refuses=_coinbase_refuses,
        lists={"/orders/historical/batch": ("orders",)},
    ),
}
