"""Payloads as exchanges sent them, through ccxt's own parsers, to the state they mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from oem_exec import OrderState
from oem_exec.ccxt_venue.parse import fills_of, order_of

D = Decimal
VENUES = ("binance", "kraken", "coinbase", "bybit")

ORDERS = [
    ("kraken/http_open_orders.json", "kraken", OrderState.OPEN),
    ("kraken/http_closed_orders.json", "kraken", OrderState.FILLED),
    ("kraken/http_add_order_spot.json", "kraken", OrderState.OPEN),
    ("coinbase/http_order.json", "coinbase", OrderState.PARTIALLY_FILLED),
    ("bybit/http_get_orders_history.json", "bybit", OrderState.CANCELED),
    ("bybit/http_get_orders_realtime.json", "bybit", OrderState.OPEN),
    ("bybit/http_get_orders_realtime_tp_sl.json", "bybit", OrderState.OPEN),
]


@pytest.fixture(scope="module")
def exchanges() -> Iterator[dict[str, Any]]:
    import ccxt.async_support as ccxt

    made = {name: getattr(ccxt, name)() for name in VENUES}
    yield made
    asyncio.run(_close(made))


async def _close(made: dict[str, Any]) -> None:
    for exchange in made.values():
        await exchange.close()


@pytest.fixture(scope="module")
def payloads(shared_data: Path) -> Path:
    return shared_data / "api_payloads" / "nautilus"


def orders_of(payload: Any) -> list[dict[str, Any]]:
    """Return every order of a payload, wherever its venue puts them."""
    found: list[dict[str, Any]] = []
    if isinstance(payload, list):
        return [order for item in payload for order in orders_of(item)]
    if not isinstance(payload, dict):
        return []
    if {"orderId", "order_id", "descr", "txid"} & set(payload):
        return [payload]
    for key, value in payload.items():
        inner = orders_of(value)
        if isinstance(value, dict) and inner == [value]:
            inner = [{"id": key, **value}]  # kraken: id to order
        found += inner
    return found


@pytest.mark.parametrize(("name", "venue", "state"), ORDERS)
def test_an_order_is_in_the_state_it_says(
    payloads: Path, exchanges: dict[str, Any], name: str, venue: str, state: OrderState
) -> None:
    found = orders_of(json.loads((payloads / name).read_text()))
    assert found
    for raw in found:
        seen = order_of(exchanges[venue].parse_order(raw), venue, "ours")
        assert seen.state is state
        assert seen.venue_order_id
        assert seen.client_order_id not in ("", "0")
        assert seen.quantity is None or seen.filled_quantity <= seen.quantity


def test_a_list_holds_each_order_in_its_own_state(
    payloads: Path, exchanges: dict[str, Any]
) -> None:
    raw = json.loads((payloads / "coinbase" / "http_orders_list.json").read_text())["orders"]
    seen = [order_of(exchanges["coinbase"].parse_order(o), "coinbase") for o in raw]
    assert [o.state for o in seen] == [OrderState.OPEN, OrderState.FILLED]
    assert seen[1].filled_quantity == D("0.0325")


def test_what_was_filled_before_a_rejection_stays_filled(
    payloads: Path, exchanges: dict[str, Any]
) -> None:
    name = payloads / "bybit" / "http_get_order_partially_filled_rejected.json"
    (raw,) = orders_of(json.loads(name.read_text()))
    seen = order_of(exchanges["bybit"].parse_order(raw), "bybit")
    assert (seen.state, seen.filled_quantity, seen.quantity) == (
        OrderState.CANCELED, D("0.005"), D("0.01")
    )  # fmt: skip


def test_binance_answers_to_a_new_order(shared_data: Path, exchanges: dict[str, Any]) -> None:
    path = shared_data / "api_payloads" / "ccxt" / "excerpt.json"
    answers = json.loads(path.read_text())["response/binance.json"]
    raw = answers["createOrder spot httpResponse"]
    seen = order_of(exchanges["binance"].parse_order(raw), "binance")
    assert (seen.state, seen.quantity, seen.price) == (OrderState.OPEN, D("0.05"), D("241.0"))
    assert seen.client_order_id == "x-R4BD3S824d31be3228a348eaa0a303"


@pytest.mark.parametrize(
    ("name", "venue", "first"),
    [
        ("coinbase/http_fills.json", "coinbase", ("45123.45", "0.005", "1.14")),
        ("bybit/http_get_executions.json", "bybit", ("50000", "0.1", "0.015")),
        ("kraken/http_trades_history.json", "kraken", ("29500.5", "0.5", "23.6")),
    ],
)
def test_trades_become_fills(
    payloads: Path, exchanges: dict[str, Any], name: str, venue: str, first: tuple[str, ...]
) -> None:
    payload = json.loads((payloads / name).read_text())
    rows = payload.get("fills") or payload["result"].get("list")
    if rows is None:
        rows = [{"id": key, **row} for key, row in payload["result"]["trades"].items()]
    found = fills_of([exchanges[venue].parse_trade(row) for row in rows], venue, "ours")
    assert len({fill.trade_id for fill in found}) == len(rows)
    assert (found[0].price, found[0].quantity, found[0].fee) == tuple(map(D, first))


@pytest.mark.parametrize(
    ("name", "venue", "key"),
    [
        ("kraken/http_order_book.json", "kraken", "result"),
        ("bybit/http_get_orderbook.json", "bybit", ""),
    ],
)
def test_books_are_sorted_and_do_not_cross(
    payloads: Path, exchanges: dict[str, Any], name: str, venue: str, key: str
) -> None:
    payload = json.loads((payloads / name).read_text())
    raw = next(iter(payload["result"].values())) if key else payload["result"]
    sides = ("bids", "asks") if key else ("b", "a")
    book = exchanges[venue].parse_order_book(raw, "BTC/USDT", None, *sides)
    assert book["bids"] == sorted(book["bids"], reverse=True)
    assert book["asks"] == sorted(book["asks"])
    assert book["bids"][0][0] < book["asks"][0][0]
