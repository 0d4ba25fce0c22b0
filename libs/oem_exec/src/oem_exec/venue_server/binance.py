"""Binance's spot REST dialect (developers.binance.com, Spot API, 2025)."""

from __future__ import annotations

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
from oem_exec.simulation.account import balances_of
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import Refusal, SimOrder
from oem_exec.simulation.tape import DAY_NS
from oem_exec.venue_server.binance_json import fill_body, market_id, symbol_body
from oem_exec.venue_server.dialect import Reply, Request
from oem_exec.venue_server.limits import WindowCounter
from oem_security.clock import Clock

_STATUS = {
    OrderState.OPEN: "NEW",
    OrderState.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
    OrderState.REJECTED: "REJECTED",
}
_TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.POST_ONLY,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
}
_TYPE_NAMES = {kind: name for name, kind in _TYPES.items()}
_WEIGHTS = {
    ("GET", "exchangeInfo"): 20,
    ("GET", "order"): 4,
    ("GET", "openOrders"): 80,
    ("GET", "allOrders"): 20,
    ("GET", "myTrades"): 20,
    ("GET", "account"): 20,
    ("GET", "depth"): 5,
    ("GET", "ticker/24hr"): 2,
    ("GET", "klines"): 2,
    ("GET", "trades"): 25,
}
_REFUSALS = {
    RefusalReason.INSUFFICIENT_FUNDS: (
        -2010,
        "Account has insufficient balance for requested action.",
    ),
    RefusalReason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    RefusalReason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    RefusalReason.INVALID: (-1013, "Filter failure: LOT_SIZE"),
    RefusalReason.NOT_FILLABLE: (
        -2010,
        "Order book liquidity is less than LOT_SIZE filter minimum quantity.",
    ),
}
_SKEW_MS = 1000


class ApiError(Exception):
    """An answer `{"code": …, "msg": …}`."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"code": code, "msg": message})


class BinanceDialect:
    """Signed requests, filters, weights and order counts over a simulated exchange.

    Args:
        exchange: The exchange behind it.
        keys: API key to secret; each key is an account.
        clock: The venue's time.
        weight_limit: Request weight allowed in a window.
        order_limit: Orders allowed in a window.
        weight_window_s: Length of the weight window, seconds.
        order_window_s: Length of the order window, seconds.
        visibility_s: How long a new order stays invisible to look-ups.
    """

    def __init__(
        self,
        exchange: SimExchange,
        keys: Mapping[str, str],
        clock: Clock,
        *,
        weight_limit: int = 6000,
        order_limit: int = 100,
        weight_window_s: float = 60.0,
        order_window_s: float = 10.0,
        visibility_s: float = 0.0,
    ) -> None:
        self._exchange = exchange
        self._keys = dict(keys)
        self._clock = clock
        self._visibility_ns = int(visibility_s * 1e9)
        self._weight = WindowCounter(weight_limit, weight_window_s, time.monotonic)
        self._orders = WindowCounter(order_limit, order_window_s, time.monotonic)
        self._by_id = {market_id(s): s for s in exchange.markets}
        self._signed: dict[tuple[str, str], Callable[[Request, str, dict[str, str]], Any]] = {
            ("POST", "order"): self._place,
            ("DELETE", "order"): self._cancel,
            ("GET", "order"): self._order,
            ("GET", "openOrders"): self._open,
            ("GET", "allOrders"): self._all,
            ("GET", "myTrades"): self._trades,
            ("GET", "account"): self._account,
        }
        self._public: dict[str, Callable[[dict[str, str]], Any]] = {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": self._now_ms()},
            "exchangeInfo": lambda _: self._info(),
            "depth": self._depth,
            "ticker/24hr": self._ticker,
            "klines": self._klines,
        }

    def handle(self, request: Request) -> Reply:
        name = request.path.removeprefix("/api/v3/")
        weight = _WEIGHTS.get((request.method, name), 1)
        wait = self._weight.take(weight)
        if wait:
            banned = self._weight.refused_in_a_row > 10
            return Reply(
                418 if banned else 429,
                {"code": -1003, "msg": "Too many requests; current limit is reached."},
                {"Retry-After": str(int(wait) + 1)},
            )
        try:
            payload = self._answer(request, name)
            reply = Reply(200, payload)
        except ApiError as error:
            reply = error.reply
        except (KeyError, ValueError, ArithmeticError) as error:
            reply = Reply(400, {"code": -1102, "msg": f"Mandatory parameter was not sent: {error}"})
        headers = {
            "X-MBX-USED-WEIGHT-1M": str(self._weight.used),
            "X-MBX-ORDER-COUNT-10S": str(self._orders.used),
        }
        return Reply(reply.status, reply.payload, headers)

    def counters(self) -> Mapping[str, object]:
        return {"weight": _count(self._weight), "orders": _count(self._orders)}

    def _answer(self, request: Request, name: str) -> Any:
        text = "&".join(part for part in (request.query, request.body) if part)
        params = dict(parse_qsl(text, keep_blank_values=True))
        if request.method == "GET" and name in self._public:
            return self._public[name](params)
        handler = self._signed.get((request.method, name))
        if handler is None:
            raise ApiError(-1000, "no such endpoint", 404)
        owner = self._authenticate(request, text, params)
        return handler(request, owner, params)

    def _authenticate(self, request: Request, text: str, params: dict[str, str]) -> str:
        key = request.headers.get("X-MBX-APIKEY", "")
        secret = self._keys.get(key)
        if secret is None:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        signed, _, signature = text.rpartition("&signature=")
        expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise ApiError(-1022, "Signature for this request is not valid.")
        now, stamp = self._now_ms() + int(request.skew_s * 1000), int(params["timestamp"])
        window = int(params.get("recvWindow", "5000"))
        if stamp >= now + _SKEW_MS or now - stamp > window:
            raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
        return key

    def _place(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        wait = self._orders.take(1)
        if wait:
            raise ApiError(-1015, "Too many new orders.", 429)
        client_id = (
            params.get("newClientOrderId") or f"auto-{self._now_ms()}-{len(self._exchange.orders)}"
        )
        if any(o.state.open for o in self._exchange.find(owner, client_id)):
            raise ApiError(-2010, "Duplicate order sent.")
        symbol = self._by_id.get(params["symbol"])
        if symbol is None:
            raise ApiError(-1121, "Invalid symbol.")
        kind = _TYPES.get(params["type"])
        if kind is None:
            raise ApiError(-1116, "Invalid orderType.")
        try:
            intent = OrderIntent(
                intent_id=client_id[:64],
                symbol=symbol,
                side=Side(params["side"].lower()),
                quantity=Decimal(params["quantity"]),
                type=kind,
                price=Decimal(params["price"]) if kind.needs_price else None,
                stop_price=Decimal(params["stopPrice"]) if kind.needs_stop_price else None,
                time_in_force=TimeInForce(params.get("timeInForce", "GTC")),
            )
            order = self._exchange.place(owner, client_id, intent)
        except InvalidOrder as error:
            raise ApiError(-1100, f"Illegal characters found in parameter: {error.what}") from error
        except Refusal as refusal:
            code, message = _REFUSALS.get(refusal.reason, (-2010, refusal.text))
            if "notional" in refusal.text:
                message = "Filter failure: NOTIONAL"
            elif "tick" in refusal.text:
                message = "Filter failure: PRICE_FILTER"
            raise ApiError(code, message) from refusal
        return {
            **self._view(order, stale=False),
            "transactTime": self._now_ms(),
            "fills": [fill_body(fill) for fill in order.fills],
        }

    def _cancel(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        order = self._find(owner, params, hidden=False)
        try:
            self._exchange.cancel(order)
        except Refusal as refusal:
            raise ApiError(-2011, "Unknown order sent.") from refusal
        view = self._view(order, stale=False)
        return {
            **view,
            "origClientOrderId": view["clientOrderId"],
            "clientOrderId": f"c-{order.order_id}",
        }

    def _order(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        return self._view(self._find(owner, params, hidden=True), stale=request.stale)

    def _open(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        symbol = self._by_id.get(params.get("symbol", ""))
        return [
            self._view(order, stale=request.stale)
            for order in self._exchange.open_orders(owner)
            if symbol in {None, order.intent.symbol} and not self._hidden(order)
        ]

    def _all(self, request: Request, owner: str, params: dict[str, str]) -> Any:
        symbol = self._by_id[params["symbol"]]
        return [
            self._view(order, stale=request.stale)
            for order in self._exchange.orders.values()
            if order.owner == owner and order.intent.symbol == symbol and not self._hidden(order)
        ][-int(params.get("limit", "500")) :]

    def _trades(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        symbol = self._by_id[params["symbol"]]
        wanted = params.get("orderId")
        found = (
            [self._exchange.orders[wanted]]
            if wanted in self._exchange.orders
            else []
            if wanted
            else list(self._exchange.orders.values())
        )
        return [
            {
                **fill_body(fill),
                "symbol": params["symbol"],
                "id": int(fill.trade_id),
                "orderId": int(order.order_id),
                "quoteQty": str(fill.notional),
                "time": fill.time_ns // 1_000_000,
                "isBuyer": fill.side is Side.BUY,
                "isMaker": fill.liquidity is Liquidity.MAKER,
            }
            for order in found
            if order.owner == owner and order.intent.symbol == symbol
            for fill in order.fills
        ]

    def _account(self, request: Request, owner: str, params: dict[str, str]) -> Any:  # noqa: ARG002
        balances = balances_of(self._exchange.account(owner))
        return {
            "canTrade": True,
            "balances": [
                {"asset": asset, "free": str(free), "locked": str(locked)}
                for asset, (free, locked) in balances.items()
            ],
        }

    def _find(self, owner: str, params: dict[str, str], *, hidden: bool) -> SimOrder:
        if params.get("orderId"):
            found = self._exchange.orders.get(params["orderId"])
            if found is not None and found.owner == owner:
                return found
        else:
            orders = self._exchange.find(owner, params["origClientOrderId"])
            if orders and not (hidden and self._hidden(orders[-1])):
                return orders[-1]
        if hidden:
            raise ApiError(-2013, "Order does not exist.")
        raise ApiError(-2011, "Unknown order sent.")

    def _hidden(self, order: SimOrder) -> bool:
        return self._clock.now_ns() - order.created_ns < self._visibility_ns

    def _view(self, order: SimOrder, *, stale: bool) -> dict[str, Any]:
        intent = order.intent
        filled, notional, state = order.filled, order.notional, order.state
        if stale:
            filled, notional, state = Decimal(0), Decimal(0), OrderState.OPEN
        return {
            "symbol": market_id(intent.symbol),
            "orderId": int(order.order_id),
            "orderListId": -1,
            "clientOrderId": order.client_order_id,
            "price": str(order.price or Decimal("0.00")),
            "origQty": str(order.quantity),
            "executedQty": str(filled),
            "cummulativeQuoteQty": str(notional),
            "status": _STATUS[state],
            "timeInForce": intent.time_in_force.value,
            "type": _TYPE_NAMES[intent.type],
            "side": intent.side.value.upper(),
            "stopPrice": str(intent.stop_price or Decimal("0.00")),
            "time": order.created_ns // 1_000_000,
            "updateTime": order.updated_ns // 1_000_000,
            "isWorking": order.triggered,
            "selfTradePreventionMode": "NONE",
        }

    def _info(self) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [symbol_body(m.instrument, _TYPES) for m in self._exchange.markets.values()],
        }

    def _depth(self, params: dict[str, str]) -> dict[str, Any]:
        market = self._exchange.market(self._by_id[params["symbol"]])
        limit = int(params.get("limit", "100"))
        bids, asks = (
            [
                [str(market.price(p)), str(market.quantity(q))]
                for p, q in market.book.levels(side, limit)
            ]
            for side in (Side.BUY, Side.SELL)
        )
        return {"lastUpdateId": self._now_ms(), "bids": bids, "asks": asks}

    def _ticker(self, params: dict[str, str]) -> dict[str, Any]:
        symbol = self._by_id[params["symbol"]]
        market, ticker = self._exchange.market(symbol), self._exchange.ticker(symbol)
        now = self._clock.now_ns()
        day = market.tape.span(market.time_ns or now)
        last = str(ticker.last or 0)
        return {
            "symbol": params["symbol"],
            "lastPrice": last,
            "openPrice": str(day.open) if day else last,
            "highPrice": str(day.high) if day else last,
            "lowPrice": str(day.low) if day else last,
            "volume": str(ticker.volume_base),
            "quoteVolume": str(ticker.volume_quote),
            "openTime": (now - DAY_NS) // 1_000_000,
            "closeTime": now // 1_000_000,
        }

    def _klines(self, params: dict[str, str]) -> list[list[Any]]:
        market = self._exchange.market(self._by_id[params["symbol"]])
        if params.get("interval", "1m") != "1m":
            raise ApiError(-1120, "Invalid interval.")
        count = int(params.get("limit", "500"))
        return [
            [
                c.open_ns // 1_000_000,
                *(str(number) for number in (c.open, c.high, c.low, c.close, c.volume)),
                c.close_ns // 1_000_000 - 1,
                str(c.volume * c.close),
            ]
            for c in market.tape.candles(count, self._clock.now_ns())
        ]

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _count(counter: WindowCounter) -> dict[str, int]:
    return {
        "limit": counter.units,
        "peak": counter.peak,
        "total": counter.total,
        "refused": counter.refused,
    }
