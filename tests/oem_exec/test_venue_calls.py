"""okx, bybit and coinbase through unmodified ccxt: look-up, cancel, amend, trades, perpetuals.

The bodies have the shape of the venues' documents; they are written for these tests.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exec_scripted import Script, order, scripted
from exec_support import D
from oem_exec import Order, OrderState, OrderType, RefusalReason, Side
from oem_exec.venue import Accepted, Found, NotFound, Refused, Unknown

VENUES = ("okx", "bybit", "coinbase")
CID = order("x").client_order_id
EMPTY: dict[str, Any] = {"retCode": 0, "result": {"list": [], "category": "spot"}, "code": "0"}


def okx_order(state: str, filled: str, **more: Any) -> dict[str, Any]:
    return {
        "instId": "BTC-USDT", "instType": "SPOT", "ordId": "7", "clOrdId": CID, "state": state,
        "sz": "0.01", "accFillSz": filled, "avgPx": "60000" if D(filled) else "", "px": "60000",
        "side": "buy", "ordType": "limit", "cTime": "1700000000000", "uTime": "1700000001000",
        "fee": "0", "feeCcy": "BTC", "tgtCcy": "", **more,
    }  # fmt: skip


def bybit_order(state: str, filled: str, **more: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "orderId": "7", "orderLinkId": CID, "orderStatus": state,
        "qty": "0.01", "cumExecQty": filled, "cumExecValue": str(D(filled) * 60000),
        "leavesQty": str(D("0.01") - D(filled)), "price": "60000", "side": "Buy",
        "orderType": "Limit", "timeInForce": "GTC", "createdTime": "1700000000000",
        "updatedTime": "1700000001000", "avgPrice": "60000", **more,
    }  # fmt: skip


def coinbase_order(state: str, filled: str, **more: Any) -> dict[str, Any]:
    limit = {"base_size": "0.01", "limit_price": "60000", "post_only": False}
    return {
        "order_id": "7", "client_order_id": CID, "product_id": "BTC-USDT", "side": "BUY",
        "status": state, "filled_size": filled, "average_filled_price": "60000",
        "filled_value": str(D(filled) * 60000), "total_fees": "0", "order_type": "LIMIT",
        "order_configuration": {"limit_limit_gtc": limit},
        "created_time": "2023-11-14T22:13:20Z", **more,
    }  # fmt: skip


STATES: dict[str, dict[str, tuple[OrderState, str]]] = {
    "okx": {
        "live": (OrderState.OPEN, "0"),
        "partially_filled": (OrderState.PARTIALLY_FILLED, "0.004"),
        "filled": (OrderState.FILLED, "0.01"),
        "canceled": (OrderState.CANCELED, "0.004"),
        "mmp_canceled": (OrderState.CANCELED, "0"),
    },
    "bybit": {
        "New": (OrderState.OPEN, "0"),
        "PartiallyFilled": (OrderState.PARTIALLY_FILLED, "0.004"),
        "Filled": (OrderState.FILLED, "0.01"),
        "Cancelled": (OrderState.CANCELED, "0"),
        "PartiallyFilledCanceled": (OrderState.CANCELED, "0.004"),
        "Rejected": (OrderState.REJECTED, "0"),
    },
    "coinbase": {
        "OPEN": (OrderState.OPEN, "0"),
        "FILLED": (OrderState.FILLED, "0.01"),
        "CANCELLED": (OrderState.CANCELED, "0.004"),
        "EXPIRED": (OrderState.CANCELED, "0"),
        "FAILED": (OrderState.CANCELED, "0"),
    },
}
CASES = [(v, word, *seen) for v, words in STATES.items() for word, seen in words.items()]


def show(script: Script, name: str, state: str = "", filled: str = "0", **more: Any) -> None:
    """Let a venue show one order, or none."""
    if name == "okx":
        body = {"code": "0", "data": [okx_order(state, filled, **more)], "msg": ""}
        if not state:
            body = {"code": "51603", "data": [], "msg": "Order does not exist"}
        script.gets["order"] = json.dumps(body)
        return
    if name == "coinbase":
        orders = [coinbase_order("OPEN", "0", order_id="9", client_order_id="another")]
        orders += [coinbase_order(state, filled, **more)] if state else []
        script.gets["batch"] = json.dumps({"orders": orders, "has_next": False, "cursor": ""})
        return
    live = state in {"New", "PartiallyFilled"}
    body = {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": []}}
    script.gets["realtime"] = script.gets["history"] = json.dumps(body)
    if state:
        body["result"]["list"] = [bybit_order(state, filled, **more)]  # type: ignore[index]
        script.gets["realtime" if live else "history"] = json.dumps(body)


@pytest.mark.parametrize(("name", "word", "state", "filled"), CASES)
async def test_a_look_up_by_client_id_tells_state_and_executed_quantity(
    name: str, word: str, state: OrderState, filled: str
) -> None:
    async with scripted(name) as (script, venue):
        show(script, name, word, filled)
        answer = await venue.lookup(order(name))
        assert isinstance(answer, Found), answer
        (seen,) = answer.orders
        assert (seen.state, seen.filled_quantity) == (state, D(filled))
        assert (seen.venue_order_id, seen.client_order_id) == ("7", CID)
        if name != "coinbase":
            field = {"okx": "clOrdId", "bybit": "orderLinkId"}[name]
            assert any(query.get(field) == CID for _, query in script.asked)


@pytest.mark.parametrize("name", VENUES)
async def test_what_no_list_shows_is_not_found_and_a_spoilt_list_proves_nothing(name: str) -> None:
    async with scripted(name) as (script, venue):
        show(script, name)
        assert isinstance(await venue.lookup(order(name)), NotFound)
        for spoilt in ('{"code": "0", "ord', "<html>524</html>", "{}", "[]", "null"):
            script.gets = dict.fromkeys(script.gets, spoilt)
            answer = await venue.lookup(order(name))
            assert isinstance(answer, Unknown), (spoilt, answer)


CANCELS = {
    "okx": ("cancel-order", {"code": "0", "data": [{"ordId": "7", "sCode": "0", "clOrdId": CID}]}),
    "bybit": ("cancel", {"retCode": 0, "result": {"orderId": "7", "orderLinkId": CID}}),
    "coinbase": ("batch_cancel", {"results": [{"success": True, "order_id": "7"}]}),
}
GONE = {
    "okx": {"code": "1", "data": [{"sCode": "51400", "sMsg": "Cancellation failed", "ordId": "7"}]},
    "bybit": {"retCode": 170213, "retMsg": "Order does not exist.", "result": {}},
    "coinbase": {
        "results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "7"}]
    },
}


def known(name: str, **more: Any) -> Order:
    return replace(order(name, **more), state=OrderState.OPEN, venue_order_id="7", sent_ns=10**18)


@pytest.mark.parametrize("name", VENUES)
async def test_a_cancel_names_the_order_and_leaves_the_rest_to_a_look_up(name: str) -> None:
    async with scripted(name) as (script, venue):
        path, body = CANCELS[name]
        script.replies[path] = json.dumps(body)
        answer = await venue.cancel(known(name))
        assert isinstance(answer, Accepted | Unknown), answer
        ((where, sent),) = script.posts
        assert where.endswith(path)
        assert "7" in json.dumps(sent)


@pytest.mark.parametrize("name", VENUES)
async def test_a_cancel_of_an_ended_order_changes_nothing(name: str) -> None:
    async with scripted(name) as (script, venue):
        script.replies[CANCELS[name][0]] = json.dumps(GONE[name])
        answer = await venue.cancel(known(name))
        assert isinstance(answer, Refused | Unknown), answer


AMENDS = {
    "okx": ("amend-order", {"code": "0", "data": [{"ordId": "7", "sCode": "0"}]}),
    "bybit": ("amend", {"retCode": 0, "result": {"orderId": "7", "orderLinkId": CID}}),
}


@pytest.mark.parametrize("name", sorted(AMENDS))
async def test_an_amendment_sends_both_numbers_and_is_read_back(name: str) -> None:
    async with scripted(name) as (script, venue):
        path, body = AMENDS[name]
        script.replies[path] = json.dumps(body)
        answer = await venue.amend(known(name), D("0.02"), D("59500"))
        assert isinstance(answer, Unknown), answer
        ((where, sent),) = script.posts
        assert where.endswith(path)
        assert {"0.02", "59500"} <= {str(value) for value in sent.values()}


TRADES: dict[str, tuple[str, Any]] = {
    "okx": (
        "fills-history",
        {
            "code": "0",
            "data": [
                {
                    "instId": "BTC-USDT", "ordId": "7", "tradeId": "t1", "billId": "b1",
                    "fillSz": "0.01", "fillPx": "60000", "side": "buy", "fee": "-0.00001",
                    "feeCcy": "BTC", "execType": "M", "ts": "1700000001000", "clOrdId": CID,
                }
            ],
        },
    ),
    "bybit": (
        "list",
        {
            "retCode": 0,
            "result": {
                "category": "spot",
                "list": [
                    {
                        "symbol": "BTCUSDT", "orderId": "7", "orderLinkId": CID, "execId": "t1",
                        "execQty": "0.01", "execPrice": "60000", "execFee": "0.00001",
                        "feeCurrency": "BTC", "side": "Buy", "isMaker": True,
                        "execTime": "1700000001000", "execValue": "600", "orderType": "Limit",
                    }
                ],
            },
        },
    ),
    "coinbase": (
        "fills",
        {
            "fills": [
                {
                    "trade_id": tid, "order_id": oid, "product_id": "BTC-USDT", "size": "0.01",
                    "price": "60000", "commission": "0.6", "side": "BUY",
                    "liquidity_indicator": "MAKER", "trade_time": "2023-11-14T22:13:21Z",
                }
                for tid, oid in (("t1", "7"), ("t2", "another"))
            ],
            "cursor": "",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VENUES)
async def test_an_order_s_trades_come_with_fee_and_side_and_no_other_order_s(name: str) -> None:
    async with scripted(name) as (script, venue):
        path, body = TRADES[name]
        script.gets[path] = json.dumps(body)
        fills = await venue.trades(known(name))
        assert isinstance(fills, tuple), fills
        (fill,) = fills
        assert (fill.quantity, fill.price, fill.side) == (D("0.01"), D("60000"), Side.BUY)
        assert fill.fee > 0
        assert fill.liquidity.value == "maker"
        everyone = await venue.account_trades("BTC/USDT", 10**18)
        assert isinstance(everyone, tuple)
        assert len(everyone) == (2 if name == "coinbase" else 1)


LINEAR = {"okx": "reduceOnly", "bybit": "reduceOnly"}


@pytest.mark.parametrize("name", sorted(LINEAR))
async def test_a_perpetual_order_says_reduce_only(name: str) -> None:
    bodies = {
        "okx": {"code": "0", "data": [{"ordId": "7", "sCode": "0"}]},
        "bybit": {"retCode": 0, "result": {"orderId": "7"}},
    }
    async with scripted(name, linear=True) as (script, venue):
        script.body = json.dumps(bodies[name])
        answer = await venue.place(order(name, linear=True, reduce_only=True))
        assert isinstance(answer, Accepted), answer
        ((_, sent),) = script.posts
        sent = sent[0] if isinstance(sent, list) else sent
        assert str(sent["reduceOnly"]).lower() == "true"
        assert sent.get("category", "linear") == "linear"


def _market_buy(name: str) -> Order:
    limit = order(name)
    intent = replace(limit.intent, type=OrderType.MARKET, price=None)
    return replace(limit, intent=intent, price=None)


async def test_a_market_buy_of_base_units_is_not_sent_as_money() -> None:
    async with scripted("okx") as (script, venue):
        script.body = json.dumps({"code": "0", "data": [{"ordId": "7", "sCode": "0"}]})
        assert isinstance(await venue.place(_market_buy("okx")), Accepted)
        sent = script.posts[0][1]
        sent = sent[0] if isinstance(sent, list) else sent
        assert (sent["sz"], sent["tgtCcy"]) == ("0.01", "base_ccy")
    async with scripted("bybit") as (script, venue):
        script.body = json.dumps({"retCode": 0, "result": {"orderId": "7"}})
        assert isinstance(await venue.place(_market_buy("bybit")), Accepted)
        assert (script.posts[0][1]["qty"], script.posts[0][1]["marketUnit"]) == ("0.01", "baseCoin")
    async with scripted("bybit") as (script, venue):
        classic = {"uta": "0", "unified": "0", "unifiedMarginStatus": 1}
        script.gets["query-api"] = script.gets["info"] = json.dumps(
            {"retCode": 0, "result": classic}
        )
        answer = await venue.place(_market_buy("bybit"))
        assert isinstance(answer, Refused), answer
        assert script.posts == []
    async with scripted("coinbase") as (script, venue):
        answer = await venue.place(_market_buy("coinbase"))
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.NOT_SUPPORTED
        assert script.posts == []
