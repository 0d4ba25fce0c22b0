"""Plain spot orders of Binance: the same request and the same reading as through ccxt itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_live_support import live, venue_of
from exec_scripted import _market
from exec_support import BTC, D
from oem_exec import Order, OrderIntent, OrderState, OrderType, Side, TimeInForce
from oem_exec.ccxt_venue.binance_spot import BinanceSpot
from oem_exec.ccxt_venue.dialects import ccxt_type, common_params, dialect_of
from oem_exec.ccxt_venue.parse import Unusable, order_of
from oem_exec.ccxt_venue.venue import CcxtVenue
from oem_exec.ccxt_venue.whole import demand_whole
from oem_exec.venue import Accepted, PlaceAnswer
from oem_exec.venue_server.faults import FaultKind, FaultRule

TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"]
STATES = ["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"]


@pytest.fixture(scope="module")
def venue() -> CcxtVenue:
    made = venue_of("http://127.0.0.1:9")
    market = _market("BTCUSDT") | {"info": {"orderTypes": TYPES}}
    made._ccxt.set_markets([market])
    made._ccxt.nonce = lambda: 1_700_000_000_000
    return made


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from([OrderType.LIMIT, OrderType.POST_ONLY, OrderType.MARKET]))
    tif = TimeInForce.GTC
    if kind is not OrderType.POST_ONLY:
        tif = draw(st.sampled_from([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]))
    lots = draw(st.integers(1, 10**14))
    ticks = draw(st.integers(1, 10**14))
    quantity = lots * BTC.lot_size * draw(st.sampled_from([D(1), D("1.000"), D("1E+3")]))
    price = None if kind is OrderType.MARKET else ticks * BTC.tick_size
    side = draw(st.sampled_from(list(Side)))
    intent = OrderIntent("a", "BTC/USDT", side, quantity, kind, price, time_in_force=tif)
    return _order(intent)


def _order(intent: OrderIntent) -> Order:
    return Order(
        intent, intent.client_order_id(0), "binance", 0, OrderState.SUBMITTING, intent.quantity,
        intent.price,
    )  # fmt: skip


def _by_ccxt(venue: CcxtVenue, order: Order) -> dict[str, Any]:
    params = {
        **common_params(order, "triggerPrice"),
        **dialect_of("binance").place(order, 0.0),
        "isAlgoOrder": False,
    }
    made: dict[str, Any] = venue._ccxt.create_order_request(
        "BTC/USDT",
        ccxt_type(order),
        order.intent.side.value,
        format(order.quantity, "f"),
        None if order.price is None else format(order.price, "f"),
        params,
    )
    return made


@given(order=orders())
def test_the_request_and_its_signature_are_what_ccxt_sends(venue: CcxtVenue, order: Order) -> None:
    quick = BinanceSpot(venue._ccxt)
    request = quick.request(order)
    assert request is not None
    by_ccxt = _by_ccxt(venue, order)
    assert list(request.items()) == list(by_ccxt.items())
    signed = venue._ccxt.sign("order", ["private"], "POST", by_ccxt)
    assert quick.signed(request) == (signed["url"], signed["headers"], signed["body"])


def test_what_ccxt_would_round_escape_or_refuse_is_left_to_it(venue: CcxtVenue) -> None:
    quick = BinanceSpot(venue._ccxt)
    limit = OrderIntent("a", "BTC/USDT", Side.BUY, D("0.01"), OrderType.LIMIT, D("60000"))
    assert quick.request(_order(limit)) is not None
    for odd in (
        replace(limit, quantity=D("0.000001")),
        replace(limit, price=D("60000.001")),
        replace(limit, quantity=D(10) ** 30),
        replace(limit, symbol="ETH/USDT"),
        replace(limit, type=OrderType.STOP_LIMIT, stop_price=D("60000")),
        replace(limit, type=OrderType.STOP, price=None, stop_price=D("60000")),
    ):
        assert quick.request(_order(odd)) is None
    request = quick.request(_order(limit))
    assert request is not None
    assert quick.signed({**request, "symbol": "ÅBTC"}) is None
    venue._ccxt.secret, kept = "-----BEGIN PRIVATE KEY-----", venue._ccxt.secret
    try:
        assert quick.signed(request) is None
    finally:
        venue._ccxt.secret = kept


numbers = st.decimals(0, 10**12, places=8, allow_nan=False).map(lambda n: format(n, "f"))
moments = st.integers(1, 2 * 10**12)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Order, dict[str, Any]]:
    order = draw(orders())
    fill = st.fixed_dictionaries(
        {
            "price": numbers,
            "qty": numbers,
            "commission": numbers,
            "commissionAsset": st.sampled_from(["BNB", "USDT", "BTC", "XBT", "usdc"]),
            "tradeId": st.integers(1, 10**10),
        }
    )
    raw: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "orderId": draw(st.integers(1, 2**53)),
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": draw(moments),
        "price": draw(numbers),
        "origQty": draw(numbers),
        "executedQty": draw(st.one_of(st.just("0.00000000"), numbers)),
        "cummulativeQuoteQty": draw(numbers),
        "status": draw(st.sampled_from(STATES)),
        "timeInForce": order.intent.time_in_force.value,
        "type": "LIMIT_MAKER" if order.intent.type is OrderType.POST_ONLY
        else order.intent.type.name,
        "side": order.intent.side.value.upper(),
        "fills": draw(st.lists(fill, max_size=4)),
        "selfTradePreventionMode": "NONE",
    }  # fmt: skip
    for name in ("workingTime", "time", "updateTime"):
        if draw(st.booleans()):
            raw[name] = draw(moments)
    if draw(st.booleans()):
        raw |= {"stopPrice": "0.00", "isWorking": True, "origQuoteOrderQty": "0.00000000"}
    if draw(st.booleans()):
        raw |= {name: str(raw[name]) for name in ("orderId", "transactTime")}
    return order, raw


def _seen(raw: Any, order: Order) -> str:
    try:
        return repr(order_of(raw, "binance", order.client_order_id))
    except Unusable as error:
        return f"unusable: {error}"


@given(answer=answers())
def test_the_answer_says_what_it_says_through_ccxt(
    venue: CcxtVenue, answer: tuple[Order, dict[str, Any]]
) -> None:
    order, raw = answer
    read = BinanceSpot(venue._ccxt).read(raw, order)
    kept = json.loads(json.dumps(raw))
    by_ccxt = venue._ccxt.parse_order(kept, venue._ccxt.market("BTC/USDT"))
    if read is None:
        assert "0" in {raw["price"].strip("0.") or "0", raw["origQty"].strip("0.") or "0"}
    else:
        assert _seen(read, order) == _seen(by_ccxt, order)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "PENDING_NEW"},
        {"status": None},
        {"clientOrderId": "another"},
        {"symbol": "ETHUSDT"},
        {"side": "SELL"},
        {"type": "STOP_LOSS"},
        {"orderId": None},
        {"orderId": 0},
        {"orderId": True},
        {"transactTime": "soon"},
        {"executedQty": "NaN"},
        {"executedQty": "-0.01"},
        {"executedQty": 0.01},
        {"cummulativeQuoteQty": "1e400"},
        {"fills": None},
        {"fills": [{}]},
        {"fills": [{"price": "1", "qty": "1", "commission": "0", "commissionAsset": "BNB",
                    "tradeId": "x"}]},
        {"code": -2010},
        {"positionSide": "LONG"},
        {"strategyId": 7},
    ],
)  # fmt: skip
def test_an_answer_out_of_the_ordinary_is_left_to_ccxt(
    venue: CcxtVenue, change: dict[str, Any]
) -> None:
    order, raw = _plain()
    quick = BinanceSpot(venue._ccxt)
    assert quick.read(raw, order) is not None
    assert quick.read({**raw, **change}, order) is None
    for name in change.keys() & raw.keys():
        assert quick.read({k: v for k, v in raw.items() if k != name}, order) is None


def _plain() -> tuple[Order, dict[str, Any]]:
    intent = OrderIntent("a", "BTC/USDT", Side.BUY, D("0.05"), OrderType.LIMIT, D("241"))
    order = _order(intent)
    raw = {
        "symbol": "BTCUSDT", "orderId": 9780331417, "orderListId": -1,
        "clientOrderId": order.client_order_id, "transactTime": 1737635557417,
        "price": "241.00000000", "origQty": "0.05000000", "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": "0.00000000", "status": "NEW",
        "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "workingTime": 1737635557417,
        "fills": [], "selfTradePreventionMode": "EXPIRE_MAKER",
    }  # fmt: skip
    return order, raw


def test_the_recorded_answer_is_read_as_ccxt_reads_it(shared_data: Path, venue: CcxtVenue) -> None:
    path = shared_data / "api_payloads" / "ccxt" / "excerpt.json"
    raw = json.loads(path.read_text())["response/binance.json"]["createOrder spot httpResponse"]
    order = replace(_plain()[0], client_order_id=raw["clientOrderId"])
    raw["symbol"] = "BTCUSDT"
    read = BinanceSpot(venue._ccxt).read(raw, order)
    assert read is not None
    by_ccxt = venue._ccxt.parse_order(dict(raw), venue._ccxt.market("BTC/USDT"))
    assert _seen(read, order) == _seen(by_ccxt, order)


SPOILT = (None, FaultKind.LOST_MIDWAY, FaultKind.TRUNCATED, FaultKind.DUPLICATE)
ENDS = [("rest", kind) for kind in (None, *FaultKind)]
ENDS += [(trade, kind) for trade in ("take", "refused") for kind in SPOILT]


@pytest.mark.parametrize(("trade", "kind"), ENDS)
async def test_every_fault_of_the_venue_ends_as_it_ends_through_ccxt(
    trade: str, kind: FaultKind | None
) -> None:
    late_s = 1.1 if kind is FaultKind.DELAY else 20
    rules = [] if kind is None else [FaultRule(kind=kind, method="POST", seconds=late_s)]
    ends = []
    for direct in (True, False):
        async with live("binance", *rules) as (_, venue):
            # patient, so that a busy machine ends no request but the one that is to end
            venue._ccxt.options["recvWindow"] = 10_000
            venue._ccxt.timeout = 30_000
            await venue.instruments()
            if kind is FaultKind.DELAY:
                venue._ccxt.timeout = 1_000
            if not direct:  # ccxt's own way from the intent to the answer
                venue._quick = None
                del venue._ccxt.fetch
                demand_whole(venue._ccxt, {})
            ends.append(_comparable(await venue.place(_traded(trade))))
    assert ends[0] == ends[1]


def _traded(trade: str) -> Order:
    price, kind = {
        "rest": ("50000", OrderType.LIMIT),
        "take": ("70000", OrderType.LIMIT),
        "refused": ("70000", OrderType.POST_ONLY),
    }[trade]
    return _order(OrderIntent("a", "BTC/USDT", Side.BUY, D("0.01"), kind, D(price)))


def _comparable(answer: PlaceAnswer) -> str:
    if isinstance(answer, Accepted):
        seen = answer.order
        fills = tuple(replace(fill, time_ns=0) for fill in seen.fills)
        answer = Accepted(replace(seen, time_ns=0, fills=fills))
    # ports, moments and seals differ from one run to the next
    return re.sub(r"127\.0\.0\.1:\d+|\d{13}|[0-9a-f]{64}", "*", repr(answer))
