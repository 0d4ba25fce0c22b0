"""Plain spot orders of Binance without ccxt's detours: the same request, the same reading.

ccxt's unified `create_order` serves every product of the venue, and most of its time goes into
finding out that an order is a plain one. What is plain is built and read here, byte for byte and
value for value as ccxt does it, which the tests hold against ccxt itself. Everything else is None
here and goes through ccxt.

Source: Binance Spot REST API, "New order (TRADE)" and "Request security".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from oem_exec.ccxt_venue.parse import decimal_of
from oem_exec.model.enums import OrderType, TimeInForce
from oem_exec.model.order import Order

_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.POST_ONLY: "LIMIT_MAKER",
}
_STATES = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
_NEEDED = frozenset(
    {
        "symbol", "orderId", "clientOrderId", "transactTime", "price", "origQty", "executedQty",
        "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "fills",
    }
)  # fmt: skip
_KNOWN = _NEEDED | {
    "orderListId", "workingTime", "selfTradePreventionMode", "origQuoteOrderQty", "icebergQty",
    "stopPrice", "time", "updateTime", "isWorking",
}  # fmt: skip
_FILL = frozenset({"price", "qty", "commission", "commissionAsset", "tradeId"})
_UNESCAPED = re.compile(r"[A-Za-z0-9_.~-]+")
_NUMBER = re.compile(r"\d{1,16}(\.\d{1,16})?")
"""Numbers that ccxt's arithmetic, 18 digits after the point and floats at the end, keeps."""
_LONGEST = 24
"""Characters of a number that ccxt's rounding, with 28 digits of its own, leaves as it is."""


class BinanceSpot:
    """Builds, signs and reads plain spot orders for one ccxt exchange object.

    Args:
        exchange: A ccxt `binance` object as the venue has set it up; its keys, clock, options and
            markets are used.
    """

    def __init__(self, exchange: Any) -> None:
        self._ccxt = exchange
        self._steps: dict[str, tuple[Decimal, Decimal]] = {}

    async def create(self, order: Order) -> Mapping[str, Any] | None:
        """Send an order and return what `order_of` needs of the answer.

        Returns:
            None where nothing was sent, because ccxt has to build the order, or to refuse it.

        Raises:
            Exception: What ccxt raises, for the same reasons.
        """
        request = self.request(order)
        signed = None if request is None else self.signed(request)
        if signed is None:
            return None
        url, headers, body = signed
        answer = await self._ccxt.fetch(url, "POST", headers, body)
        # ccxt takes a later "invalid key" for a short ban instead of a wrong key
        self._ccxt.options["hasAlreadyAuthenticatedSuccessfully"] = True
        told = self.read(answer, order)
        if told is not None:
            return told
        unified: Mapping[str, Any] = self._ccxt.parse_order(
            answer, self._ccxt.market(order.intent.symbol)
        )
        return unified

    def request(self, order: Order) -> dict[str, str] | None:
        """Return the parameters of an order as ccxt's `create_order_request` makes them.

        Returns:
            None for an order that ccxt has to build, or to refuse.
        """
        intent = order.intent
        kind = _TYPES.get(intent.type)
        market = (self._ccxt.markets or {}).get(intent.symbol)
        if kind is None or market is None or kind not in market["info"].get("orderTypes", ()):
            return None
        request = {
            "symbol": market["id"],
            "side": intent.side.value.upper(),
            "newClientOrderId": order.client_order_id,
            "newOrderRespType": "FULL",
            "type": kind,
        }
        lot, tick = self._step(intent.symbol, market)
        if (quantity := _whole(order.quantity, lot)) is None:
            return None
        request["quantity"] = quantity
        if kind != "MARKET":
            if order.price is None or (price := _whole(order.price, tick)) is None:
                return None
            request["price"] = price
        elif order.price is not None:
            return None
        if kind == "LIMIT" or (kind == "MARKET" and intent.time_in_force is not TimeInForce.GTC):
            request["timeInForce"] = intent.time_in_force.value
        return request

    def signed(self, request: Mapping[str, str]) -> tuple[str, dict[str, str], str] | None:
        """Return URL, headers and body as ccxt's `sign` makes them.

        Returns:
            None for keys or texts that ccxt has to sign or to escape.
        """
        exchange = self._ccxt
        key, secret = exchange.apiKey, exchange.secret
        if not key or not secret or "PRIVATE KEY" in secret:
            return None
        if not all(map(_UNESCAPED.fullmatch, request.values())):
            return None
        window = exchange.options.get("recvWindow")
        query = f"timestamp={exchange.nonce()}&" + "&".join(
            [f"{name}={value}" for name, value in request.items()]
        )
        if window is not None:
            query += f"&recvWindow={window}"
        signature = hmac.digest(secret.encode(), query.encode(), "sha256").hex()
        headers = {"X-MBX-APIKEY": key, "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{exchange.urls['api']['private']}/order"
        return url, headers, f"{query}&signature={signature}"

    def read(self, raw: object, order: Order) -> dict[str, Any] | None:
        """Return what `order_of` needs of ccxt's reading of the answer to a new order.

        Returns:
            None for an answer that is not plainly about this order; ccxt has to read it.
        """
        if not isinstance(raw, dict) or not _NEEDED <= raw.keys() <= _KNOWN:
            return None
        intent = order.intent
        market = (self._ccxt.markets or {}).get(intent.symbol)
        status = _STATES.get(raw["status"]) if isinstance(raw["status"], str) else None
        done = raw["transactTime"]
        times: tuple[Any, Any] = (
            raw.get("time", raw.get("workingTime", done)),
            raw.get("updateTime", done),
        )
        numbers = raw["price"], raw["origQty"], raw["executedQty"], raw["cummulativeQuoteQty"]
        if (
            status is None
            or market is None
            or raw["symbol"] != market["id"]
            or raw["clientOrderId"] != order.client_order_id
            or raw["side"] != intent.side.value.upper()
            or raw["type"] != _TYPES.get(intent.type)
            or not all(map(_is_count, (raw["orderId"], done, *times)))
            or not all(map(_is_number, numbers))
        ):
            return None
        began, changed = int(times[0]), int(times[1])
        price, amount, filled, cost = map(float, numbers)
        trades = self._trades(raw["fills"])
        # a market order's price is the average ccxt works out with its own arithmetic
        if trades is None or amount == 0 or price == 0:
            return None
        traded = filled > 0 and status == "open"
        return {
            "id": str(raw["orderId"]),
            "clientOrderId": raw["clientOrderId"],
            "symbol": intent.symbol,
            "side": intent.side.value,
            "status": status,
            "price": price,
            "amount": amount,
            "filled": filled,
            "cost": cost,
            "timestamp": began,
            "lastTradeTimestamp": changed if traded or status == "closed" else None,
            "trades": trades,
        }

    def _trades(self, fills: object) -> list[dict[str, Any]] | None:
        if not isinstance(fills, list):
            return None
        found = []
        for fill in fills:
            if not isinstance(fill, dict) or fill.keys() != _FILL:
                return None
            numbers = fill["price"], fill["qty"], fill["commission"]
            if not _is_count(fill["tradeId"]) or not all(map(_is_number, numbers)):
                return None
            price, amount, fee = map(float, numbers)
            currency = self._ccxt.safe_currency_code(fill["commissionAsset"])
            found.append(
                {
                    "id": str(fill["tradeId"]),
                    "price": price,
                    "amount": amount,
                    "fee": {"cost": fee, "currency": currency},
                }
            )
        return sorted(found, key=lambda trade: str(trade["id"]))  # as ccxt does

    def _step(self, symbol: str, market: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
        found = self._steps.get(symbol)
        if found is None:
            precision = market["precision"]
            lot, tick = decimal_of(precision["amount"]), decimal_of(precision["price"])
            found = self._steps[symbol] = lot or Decimal(0), tick or Decimal(0)
        return found


def _whole(number: Decimal, step: Decimal) -> str | None:
    """Return a multiple of a step as ccxt writes it; None for what ccxt has to round."""
    text = format(number, "f")
    if not step or len(text) > _LONGEST or number % step:
        return None
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_count(value: object) -> bool:
    """Return whether a value is an id or a moment, as a number or in plain digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and not value.startswith("0")
    return type(value) is int and value > 0


def _is_number(value: object) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
