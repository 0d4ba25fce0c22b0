"""A responder that says what a script tells it, for venues the venue server does not imitate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

from oem_exec import InstrumentKind, OrderIntent, OrderState, OrderType, Side
from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue
from oem_exec.model.order import Order

IDS = {"okx": "BTC-USDT", "bybit": "BTCUSDT", "coinbase": "BTC-USDT"}
KNOWN = {"retCode": 0, "result": {"uta": "1", "unified": "1", "unifiedMarginStatus": 5}}


@dataclass
class Script:
    """What a POST is answered with, and every POST's path and body as it arrived."""

    status: int = 200
    body: str = "{}"
    content_type: str = "application/json"
    posts: list[tuple[str, Any]] = field(default_factory=list)
    gets: dict[str, str] = field(default_factory=dict)
    """Last part of a path to the body a GET of it is answered with."""
    replies: dict[str, str] = field(default_factory=dict)
    """Last part of a path to the body a POST of it is answered with, in place of `body`."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Every GET's path and query as it arrived."""

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            self.asked.append((request.path, dict(request.query)))
        if request.method == "GET" and (said := self.gets.get(request.path.rpartition("/")[2])):
            return web.Response(text=said, content_type="application/json")
        if request.method == "GET":
            return web.json_response(KNOWN)
        self.posts.append((request.path, json.loads(await request.text())))
        body = self.replies.get(request.path.rpartition("/")[2], self.body)
        return web.Response(status=self.status, text=body, content_type=self.content_type)


@contextlib.asynccontextmanager
async def scripted(
    exchange: str, *, linear: bool = False
) -> AsyncIterator[tuple[Script, CcxtVenue]]:
    """Yield a script and the ccxt venue that meets it on loopback."""
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    venue = CcxtVenue(
        CcxtSettings(
            exchange,
            "key",
            "secret",
            "pass",
            base_url=f"http://127.0.0.1:{port}",
            timeout_s=2.0,
            kind=InstrumentKind.LINEAR_PERPETUAL if linear else InstrumentKind.SPOT,
        )
    )
    assert venue.addresses == {"127.0.0.1"}, "no test may reach a real exchange"
    venue._ccxt.set_markets([_market(IDS.get(exchange, "BTCUSDT"), linear=linear)])
    try:
        yield script, venue
    finally:
        await venue.close()
        await runner.cleanup()


def order(venue: str, *, linear: bool = False, reduce_only: bool = False) -> Order:
    """Return a limit order as the router would send it."""
    symbol = "BTC/USDT:USDT" if linear else "BTC/USDT"
    intent = OrderIntent(
        "a", symbol, Side.BUY, Decimal("0.01"), OrderType.LIMIT, Decimal(60000),
        reduce_only=reduce_only,
    )  # fmt: skip
    return Order(
        intent, intent.client_order_id(0), venue, 0, OrderState.SUBMITTING, intent.quantity,
        intent.price,
    )  # fmt: skip


def _market(market_id: str, *, linear: bool = False) -> dict[str, Any]:
    market = {
        "id": market_id, "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "baseId": "BTC",
        "quoteId": "USDT", "type": "spot", "spot": True, "active": True, "contract": False,
        "swap": False, "future": False, "option": False, "margin": False, "linear": None,
        "inverse": None, "precision": {"amount": 0.00001, "price": 0.01},
        "limits": {"amount": {"min": 0.00001}, "price": {}, "cost": {"min": 1}, "leverage": {}},
        "info": {},
    }  # fmt: skip
    if linear:
        market |= {"symbol": "BTC/USDT:USDT", "settle": "USDT", "settleId": "USDT", "type": "swap"}
        market |= {"spot": False, "swap": True, "contract": True, "linear": True, "inverse": False}
        market |= {"contractSize": 1.0}
    return market
