"""Kraken's spot REST dialect (docs.kraken.com, Spot REST API, 2025)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import Liquidity, OrderType, RefusalReason, Side, TimeInForce
from oem_exec.model.intent import OrderIntent
from oem_exec.model.states import OrderState
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import Refusal, SimOrder
from oem_exec.venue_server.dialect import Reply, Request
from oem_exec.venue_server.kraken_json import (
    candle_body,
    description_of,
    pair_body,
    pair_name,
    ticker_body,
)
from oem_exec.venue_server.limits import DecayingCounter
from oem_security.clock import Clock

_STATUS = {
    OrderState.OPEN: "open",
    OrderState.PARTIALLY_FILLED: "open",
    OrderState.FILLED: "closed",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
}
_TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
}
_REFUSALS = {
    RefusalReason.INSUFFICIENT_FUNDS: "EOrder:Insufficient funds",
    RefusalReason.WOULD_TAKE: "EOrder:Post only order",
    RefusalReason.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    RefusalReason.INVALID: "EOrder:Invalid order",
    RefusalReason.NOT_FILLABLE: "EOrder:Invalid order",
}


class ApiError(Exception):
    """An answer `{"error": ["E…"]}`."""


class KrakenDialect:
    """Signed requests with increasing nonces over a simulated exchange.

    Args:
        exchange: The exchange behind it.
        keys: API key to base64 secret; each key is an account.
        clock: The venue's time.
        counter_limit: Highest value of a key's call counter.
        counter_decay_per_s: How fast the counter falls.
        visibility_s: How long a new order stays invisible to look-ups.
    """

    def __init__(
        self,
        exchange: SimExchange,
        keys: Mapping[str, str],
        clock: Clock,
        *,
        counter_limit: float = 15.0,
        counter_decay_per_s: float = 0.33,
        visibility_s: float = 0.0,
    ) -> None:
        self._exchange = exchange
        self._keys = dict(keys)
        self._clock = clock
        self._visibility_ns = int(visibility_s * 1e9)
        self._counters = {
            key: DecayingCounter(counter_limit, counter_decay_per_s, time.monotonic) for key in keys
        }
        self._nonces: dict[str, int] = {}
        self._pairs = {pair_name(m.instrument): s for s, m in exchange.markets.items()}
        self._private: dict[str, tuple[int, Callable[[Request, str, dict[str, str]], Any]]] = {
            "AddOrder": (0, self._add),
            "CancelOrder": (0, self._cancel),
            "AmendOrder": (0, self._amend),
            "OpenOrders": (1, self._open),
            "ClosedOrders": (1, self._closed),
            "QueryOrders": (1, self._query),
            "TradesHistory": (2, self._trades),
            "Balance": (1, self._balance),
        }

    def handle(self, request: Request) -> Reply:
        try:
            return Reply(200, {"error": [], "result": self._answer(request)})
        except ApiError as error:
            return Reply(200, {"error": [str(error)]})
        except (KeyError, ValueError, ArithmeticError) as error:
            return Reply(200, {"error": [f"EGeneral:Invalid arguments:{error}"]})

    def counters(self) -> Mapping[str, object]:
        return {
            key[:6]: {"limit": c.units, "peak": c.peak, "refused": c.refused}
            for key, c in self._counters.items()
        }

    def _answer(self, request: Request) -> Any:
        _, _, tail = request.path.partition("/0/")
        access, _, name = tail.partition("/")
        if access == "public":
            return self._public(name, dict(parse_qsl(request.query)))
        if name not in self._private:
            raise ApiError("EGeneral:Unknown method")
        cost, handler = self._private[name]
        params = dict(parse_qsl(request.body, keep_blank_values=True))
        owner = self._authenticate(request, params)
        if cost and not self._counters[owner].take(cost):
            raise ApiError("EAPI:Rate limit exceeded")
        return handler(request, owner, params)

    def _authenticate(self, request: Request, params: dict[str, str]) -> str:
        key = request.headers.get("API-Key", "")
        if key not in self._keys:
            raise ApiError("EAPI:Invalid key")
        digest = hashlib.sha256((params["nonce"] + request.body).encode()).digest()
        try:
            given = base64.b64decode(request.headers.get("API-Sign", ""))
        except binascii.Error as error:
            raise ApiError("EAPI:Invalid signature") from error
        secret = base64.b64decode(self._keys[key])
        expected = hmac.new(secret, request.path.encode() + digest, hashlib.sha512).digest()
        if not hmac.compare_digest(expected, given):
            raise ApiError("EAPI:Invalid signature")
        nonce = int(params["nonce"])
        if nonce <= self._nonces.get(key, -1):
            raise ApiError("EAPI:Invalid nonce")
        self._nonces[key] = nonce
        return key

    def _add(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        now_s = self._clock.now_ns() / 1e9 + request.skew_s
        if params.get("deadline") and _moment(params["deadline"]) < now_s:
            raise ApiError("EOrder:Deadline exceeded")
        client_id = params.get("cl_ord_id", "")
        if client_id and any(o.state.open for o in self._exchange.find(owner, client_id)):
            raise ApiError("EOrder:Duplicate client order id")
        symbol = self._pairs.get(params["pair"])
        if symbol is None:
            raise ApiError("EQuery:Unknown asset pair")
        kind = _TYPES[params["ordertype"]]
        stop = params.get("price") if kind.needs_stop_price else None
        price = params.get("price2") if kind is OrderType.STOP_LIMIT else params.get("price")
        if "post" in params.get("oflags", ""):
            kind = OrderType.POST_ONLY
        expires = int(params["expiretm"]) if params.get("timeinforce") == "GTD" else None
        try:
            intent = OrderIntent(
                intent_id=client_id or f"auto-{len(self._exchange.orders)}",
                symbol=symbol,
                side=Side(params["type"]),
                quantity=Decimal(params["volume"]),
                type=kind,
                price=Decimal(str(price)) if kind.needs_price else None,
                stop_price=Decimal(stop) if stop else None,
                time_in_force=TimeInForce(params.get("timeinforce", "GTC")),
                expires_ns=None if expires is None else expires * 1_000_000_000,
            )
            order = self._exchange.place(owner, client_id, intent)
        except InvalidOrder as error:
            raise ApiError("EGeneral:Invalid arguments:volume") from error
        except Refusal as refusal:
            raise ApiError(_REFUSALS.get(refusal.reason, "EOrder:Invalid order")) from refusal
        return {"descr": {"order": description_of(order)}, "txid": [order.order_id]}

    def _cancel(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        order = self._find(owner, params)
        try:
            self._exchange.cancel(order)
        except Refusal as refusal:
            raise ApiError("EOrder:Unknown order") from refusal
        return {"count": 1}

    def _amend(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        order = self._find(owner, params)
        price = Decimal(params["limit_price"]) if "limit_price" in params else None
        try:
            self._exchange.amend(
                order, Decimal(params.get("order_qty", str(order.quantity))), price
            )
        except Refusal as refusal:
            raise ApiError("EOrder:Invalid order") from refusal
        return {"amend_id": f"A{order.order_id}"}

    def _open(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        return {"open": self._select(request, owner, params, is_open=True)}

    def _closed(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        found = self._select(request, owner, params, is_open=False)
        return {"closed": found, "count": len(found)}

    def _query(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        wanted = params["txid"].split(",")
        return {
            i: self._view(self._exchange.orders[i], stale=request.stale)
            for i in wanted
            if i in self._exchange.orders and self._exchange.orders[i].owner == owner
        }

    def _select(
        self, request: Request, owner: str, params: dict[str, str], *, is_open: bool
    ) -> dict[str, Any]:
        client_id = params.get("cl_ord_id")
        if client_id:
            orders = self._exchange.find(owner, client_id)
        elif is_open:
            orders = self._exchange.open_orders(owner)
        else:
            orders = [o for o in self._exchange.orders.values() if o.owner == owner][-50:]
        now = self._clock.now_ns()
        return {
            order.order_id: self._view(order, stale=request.stale)
            for order in orders
            if (order.state.open or request.stale) is is_open
            and now - order.created_ns >= self._visibility_ns
        }

    def _trades(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        start = float(params.get("start", "0"))
        trades = {
            f"T{fill.trade_id}": {
                "ordertxid": order.order_id,
                "pair": pair_name(self._exchange.markets[fill.symbol].instrument),
                "time": fill.time_ns / 1e9,
                "type": fill.side.value,
                "ordertype": "limit",
                "price": str(fill.price),
                "cost": str(fill.notional),
                "fee": str(fill.fee),
                "vol": str(fill.quantity),
                "maker": fill.liquidity is Liquidity.MAKER,
                "trade_id": int(fill.trade_id.lstrip("T-") or 0),
            }
            for order in self._exchange.orders.values()
            if order.owner == owner and order.updated_ns / 1e9 >= start
            for fill in order.fills
        }
        return {"trades": trades, "count": len(trades)}

    def _balance(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        totals = self._exchange.account(owner).totals
        return {asset: str(amount) for asset, amount in totals.items()}

    def _find(self, owner: str, params: dict[str, str]) -> SimOrder:
        order = self._exchange.orders.get(params.get("txid", ""))
        if order is not None and order.owner == owner:
            return order
        found = self._exchange.find(owner, params.get("cl_ord_id") or params.get("txid", ""))
        if not found:
            raise ApiError("EOrder:Unknown order")
        return found[-1]

    def _view(self, order: SimOrder, *, stale: bool) -> dict[str, Any]:
        filled, notional, state = order.filled, order.notional, order.state
        if stale:
            filled, notional, state = Decimal(0), Decimal(0), OrderState.OPEN
        intent = order.intent
        fees = sum((fill.fee for fill in order.fills), Decimal(0))
        return {
            "refid": None,
            "userref": 0,
            "cl_ord_id": order.client_order_id,
            "status": _STATUS[state],
            "opentm": order.created_ns / 1e9,
            "closetm": order.updated_ns / 1e9,
            "descr": {
                "pair": pair_name(self._exchange.markets[intent.symbol].instrument),
                "type": intent.side.value,
                "ordertype": "market" if order.price is None else "limit",
                "price": str(order.price or 0),
                "price2": "0",
                "leverage": "none",
                "order": description_of(order),
            },
            "vol": str(order.quantity),
            "vol_exec": str(filled),
            "cost": str(notional),
            "fee": str(fees),
            "price": str(notional / filled if filled else 0),
            "oflags": "fciq",
            "trades": [f"T{fill.trade_id}" for fill in order.fills],
        }

    def _public(self, name: str, params: dict[str, str]) -> Any:
        if name == "Time":
            return {"unixtime": self._clock.now_ns() // 1_000_000_000}
        if name == "AssetPairs":
            return {
                pair_name(m.instrument): pair_body(m.instrument)
                for m in self._exchange.markets.values()
            }
        if name == "Depth":
            market = self._exchange.market(self._pairs[params["pair"]])
            now = self._clock.now_ns() // 1_000_000_000
            bids, asks = (
                [
                    [str(market.price(p)), str(market.quantity(q)), now]
                    for p, q in market.book.levels(side, int(params.get("count", "100")))
                ]
                for side in (Side.BUY, Side.SELL)
            )
            return {params["pair"]: {"bids": bids, "asks": asks}}
        if name == "Ticker":
            symbol = self._pairs[params["pair"]]
            return {params["pair"]: ticker_body(self._exchange, symbol)}
        if name == "OHLC":
            market = self._exchange.market(self._pairs[params["pair"]])
            if params.get("interval", "1") != "1":
                raise ApiError("EGeneral:Invalid arguments:interval")
            return {
                params["pair"]: [
                    candle_body(c) for c in market.tape.candles(720, self._clock.now_ns())
                ]
            }
        raise ApiError("EGeneral:Unknown method")


def _moment(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
