"""The HTTP side of the imitation exchange: aiohttp on loopback, faults, and a view for auditors."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Self

import orjson
from aiohttp import web

from oem_exec.errors import BadSettings, VenueUnavailable
from oem_exec.model.instrument import Instrument
from oem_exec.simulation.account import Account
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.walk import synthetic_book
from oem_exec.venue_server.binance import BinanceDialect
from oem_exec.venue_server.dialect import Dialect, Reply, Request
from oem_exec.venue_server.faults import FaultKind, FaultPlan, FaultRule
from oem_exec.venue_server.feed import FeedPlayer, FeedSettings
from oem_exec.venue_server.kraken import KrakenDialect
from oem_security.clock import Clock, SystemClock

_HTML = "<html><head><title>524</title></head><body>a timeout occurred</body></html>"
_AFTER = frozenset(
    {
        FaultKind.DROP_AFTER,
        FaultKind.LOST_MIDWAY,
        FaultKind.SERVER_ERROR_AFTER,
        FaultKind.EDGE_TIMEOUT,
        FaultKind.HTML,
        FaultKind.TRUNCATED,
    }
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the imitation exchange is.

    Attributes:
        dialect: `binance` or `kraken`.
        instruments: What is traded.
        prices: Symbol to the price its book is made around.
        depth: Size of each side of a made book, base units.
        keys: API key to secret (base64 for Kraken); each is an account.
        balances: Asset to amount that each account begins with; None refuses nothing.
        host: Loopback address to listen on.
        port: Port, 0 for any.
        rules: Faults.
        seed: Seed of the faults.
        limits: Keyword arguments of the dialect: its rate limits and visibility delay.
        feed: Recorded markets or a script that drives it; None leaves the books as they were made.
    """

    dialect: str
    instruments: tuple[Instrument, ...]
    prices: Mapping[str, Decimal]
    keys: Mapping[str, str]
    depth: Decimal = Decimal(1000)
    balances: Mapping[str, Decimal] | None = None
    host: str = "127.0.0.1"
    port: int = 0
    rules: tuple[FaultRule, ...] = ()
    seed: int = 0
    limits: Mapping[str, float] = field(default_factory=dict)
    feed: FeedSettings | None = None


class VenueServer:
    """An imitation exchange; use it as `async with VenueServer(settings) as server:`.

    Besides the dialect it serves `/oem/orders`, `/oem/counters` and `/oem/faults` (POST a list of
    rules) to whoever audits a run.

    Raises:
        BadSettings: An unknown dialect, or an address that is not loopback.
    """

    def __init__(self, settings: ServerSettings, clock: Clock | None = None) -> None:
        if not ipaddress.ip_address(settings.host).is_loopback:
            raise BadSettings(
                "the imitation exchange listens on loopback alone",
                where=settings.host,
                remedy="use 127.0.0.1",
            )
        self._settings = settings
        clock = clock or SystemClock()
        self.exchange = SimExchange(settings.instruments, clock=clock, name=settings.dialect)
        for key in settings.keys:
            self.exchange.accounts[key] = Account(
                totals=dict(settings.balances or {}), unlimited=settings.balances is None
            )
        self.dialect = _dialect(settings, self.exchange, clock)
        self.faults = FaultPlan(settings.rules, settings.seed)
        self.refill()
        self.feed = self._player(clock)
        self._feeding: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    def refill(self) -> None:
        """Make every book fresh around its price."""
        for symbol, price in self._settings.prices.items():
            made = synthetic_book(price, spread_bps=Decimal(2), depth=self._settings.depth)
            i = self.exchange.markets[symbol].instrument
            self.exchange.feed_book(
                symbol,
                [(i.round_price(p), i.round_quantity(q)) for p, q in made.bids],
                [(i.round_price(p), i.round_quantity(q)) for p, q in made.asks],
                0,
            )

    async def start(self) -> str:
        """Listen; return the base URL. Raises `VenueUnavailable` when the port is taken."""
        app = web.Application()
        app.router.add_get("/oem/orders", self._orders)
        app.router.add_get("/oem/counters", self._counters)
        app.router.add_post("/oem/faults", self._set_faults)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise VenueUnavailable(
                f"the port cannot be used: {error.strerror}",
                where=f"{self._settings.host}:{self._settings.port}",
                remedy="choose another port, or 0 for any",
            ) from error
        if self.feed is not None:
            self._feeding = asyncio.create_task(self.feed.run(), name="venue-server-feed")
        address = self._runner.addresses[0]
        self.url = f"http://{address[0]}:{address[1]}"
        return self.url

    async def stop(self) -> None:
        """Close the port and every connection, and end the feed."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)
            self._feeding = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _player(self, clock: Clock) -> FeedPlayer | None:
        if self._settings.feed is None:
            return None

        def set_faults(rules: Iterable[FaultRule]) -> None:
            self.faults = FaultPlan(rules, self._settings.seed)

        return FeedPlayer(self._settings.feed, self.exchange, clock, set_faults)

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        body = await http.text()
        query = http.rel_url.raw_query_string
        fault = self.faults.draw(http.method, http.path, query + "&" + body)
        kind = None if fault is None else fault.kind
        request = Request(
            http.method,
            http.path,
            query,
            body,
            http.headers,
            skew_s=fault.seconds if fault and kind is FaultKind.CLOCK_SKEW else 0.0,
            stale=kind is FaultKind.STALE_READ,
        )
        if fault is None:
            return _response(self.dialect.handle(request))
        return await self._faulty(http, request, fault)

    async def _faulty(
        self, http: web.Request, request: Request, fault: FaultRule
    ) -> web.StreamResponse:
        kind = fault.kind
        if kind is FaultKind.DROP_BEFORE:
            return _abort(http)
        if kind in {FaultKind.TOO_MANY_REQUESTS, FaultKind.BANNED}:
            return web.Response(
                status=int(kind.value),
                text='{"code":-1003,"msg":"Too many requests."}',
                content_type="application/json",
                headers={"Retry-After": str(int(fault.seconds) or 1)},
            )
        if kind is FaultKind.SERVER_ERROR_BEFORE:
            return web.Response(status=503, text=_HTML, content_type="text/html")
        if kind is FaultKind.DUPLICATE:
            reply = self.dialect.handle(request)
            self.dialect.handle(request)
            return _response(reply)
        if kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
        reply = self.dialect.handle(request)
        if kind in _AFTER:
            return await _spoilt(http, reply, kind)
        return _response(reply)

    async def _orders(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "orders": [
                    {
                        "order_id": order.order_id,
                        "client_order_id": order.client_order_id,
                        "symbol": order.intent.symbol,
                        "state": order.state.value,
                        "quantity": str(order.quantity),
                        "filled": str(order.filled),
                        "trades": [fill.trade_id for fill in order.fills],
                    }
                    for order in self.exchange.orders.values()
                ]
            }
        )

    async def _counters(self, _: web.Request) -> web.Response:
        counts: dict[str, object] = {
            "limits": self.dialect.counters(),
            "faults": self.faults.counts,
        }
        if self.feed is not None:
            counts["feed"] = asdict(self.feed.progress)
        return web.json_response(counts)

    async def _set_faults(self, http: web.Request) -> web.Response:
        rules = [FaultRule.model_validate(rule) for rule in await http.json()]
        self.faults = FaultPlan(rules, self._settings.seed)
        return web.json_response({"rules": len(rules)})


def _dialect(settings: ServerSettings, exchange: SimExchange, clock: Clock) -> Dialect:
    limits: dict[str, Any] = dict(settings.limits)
    if settings.dialect == "binance":
        return BinanceDialect(exchange, settings.keys, clock, **limits)
    if settings.dialect == "kraken":
        return KrakenDialect(exchange, settings.keys, clock, **limits)
    raise BadSettings(
        f"unknown dialect {settings.dialect!r}", where="dialect", remedy="use binance or kraken"
    )


def _response(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status,
        body=orjson.dumps(reply.payload),
        content_type="application/json",
        headers=dict(reply.headers),
    )


async def _spoilt(http: web.Request, reply: Reply, kind: FaultKind) -> web.StreamResponse:
    data = orjson.dumps(reply.payload)
    if kind is FaultKind.DROP_AFTER:
        return _abort(http)
    if kind is FaultKind.SERVER_ERROR_AFTER:
        return web.Response(status=503, text=_HTML, content_type="text/html")
    if kind is FaultKind.EDGE_TIMEOUT:
        return web.Response(status=524, text=_HTML, content_type="text/html")
    if kind is FaultKind.HTML:
        return web.Response(status=200, text=_HTML, content_type="text/html")
    if kind is FaultKind.TRUNCATED:
        return web.Response(body=data[: len(data) // 2], content_type="application/json")
    half = web.StreamResponse(headers={"Content-Length": str(len(data))})
    half.content_type = "application/json"
    await half.prepare(http)
    await half.write(data[: len(data) // 2])
    _abort(http)
    return half


def _abort(http: web.Request) -> web.Response:
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=499)


def instruments_of(rows: Iterable[Mapping[str, str]]) -> tuple[Instrument, ...]:
    """Return instruments from plain rows (symbol, tick, lot, min_notional), as configured."""
    return tuple(
        Instrument(
            row["symbol"],
            row["symbol"].partition("/")[0],
            row["symbol"].partition("/")[2],
            Decimal(row["tick"]),
            Decimal(row["lot"]),
            min_quantity=Decimal(row["lot"]),
            min_notional=Decimal(row.get("min_notional", "0")),
            maker_fee=Decimal(row.get("maker_fee", "0.001")),
            taker_fee=Decimal(row.get("taker_fee", "0.001")),
        )
        for row in rows
    )
