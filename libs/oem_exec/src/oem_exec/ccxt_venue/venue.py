"""One exchange behind ccxt's asynchronous class, as a venue of the router."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from oem_exec.ccxt_venue.answers import judge_error
from oem_exec.ccxt_venue.binance_spot import BinanceSpot
from oem_exec.ccxt_venue.dialects import ccxt_type, common_params, dialect_of
from oem_exec.ccxt_venue.loader import load_exchange_class
from oem_exec.ccxt_venue.market import CcxtMarket
from oem_exec.ccxt_venue.parse import (
    Unusable,
    decimal_of,
    fills_of,
    instrument_of,
    order_of,
    plain_text,
)
from oem_exec.ccxt_venue.table import capabilities_of
from oem_exec.ccxt_venue.transport import send_directly
from oem_exec.ccxt_venue.whole import demand_whole
from oem_exec.errors import BadSettings, VenueUnavailable
from oem_exec.model.enums import InstrumentKind, RefusalReason, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.order import Order
from oem_exec.venue import (
    Accepted,
    BookSnapshot,
    CancelAnswer,
    Capabilities,
    Found,
    LookupAnswer,
    NotFound,
    PlaceAnswer,
    Refused,
    Unknown,
    VenueOrder,
    VenueTrade,
)
from oem_security.clock import Clock, SystemClock

_HOST = re.compile(r"^https?://[^/]+")


@dataclass(frozen=True, slots=True)
class CcxtSettings:
    """How one exchange is reached.

    Attributes:
        exchange: Venue of the capability table, such as `binance`.
        api_key: Key; empty for public data alone.
        secret: Secret in the venue's own form.
        password: Passphrase where the venue has one.
        base_url: Scheme, host and port put in place of the exchange's own; empty keeps them.
        kind: Spot or linear perpetuals.
        timeout_s: Longest time for one HTTP request.
        name: Name in routes; empty takes the exchange's.
        capabilities: In place of the table's row, for a sandbox with other limits.
    """

    exchange: str
    api_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    base_url: str = ""
    kind: InstrumentKind = InstrumentKind.SPOT
    timeout_s: float = 8.0
    name: str = ""
    capabilities: Capabilities | None = None


class CcxtVenue:
    """A venue of the router that speaks through a ccxt class as ccxt ships it.

    On this one object `fetch` is replaced (`send_directly`, `demand_whole`), and plain spot orders
    of Binance take a shorter way to the same request and reading (`BinanceSpot`).

    Args:
        settings: Exchange, keys, address.
        clock: Time for deadlines.

    Raises:
        BadSettings: The venue is not in the table, does not offer the kind, or the address is bad.
        VenueNotInstalled: ccxt is missing.
    """

    def __init__(self, settings: CcxtSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._capabilities = settings.capabilities or capabilities_of(settings.exchange)
        self._dialect = dialect_of(settings.exchange)
        if settings.kind not in self._capabilities.kinds:
            raise BadSettings(
                f"{settings.exchange} is not routed for {settings.kind}",
                where=settings.exchange,
                remedy="use spot, or a venue with linear perpetuals",
            )
        kind = load_exchange_class(settings.exchange)
        linear = settings.kind is InstrumentKind.LINEAR_PERPETUAL
        if linear:
            kept = self._capabilities.order_types - self._dialect.spot_only
            self._capabilities = replace(self._capabilities, order_types=kept)
        options: dict[str, Any] = dict(self._dialect.options)
        options["defaultType"] = "swap" if linear else "spot"
        if settings.exchange == "binance":
            options["fetchMarkets"] = {"types": ["linear" if linear else "spot"]}
            options["fetchMargins"] = False
        if settings.exchange in {"binance", "bybit"}:
            options["recvWindow"] = int(self._capabilities.receive_window_s * 1000)
        self._ccxt: Any = kind(
            {
                "apiKey": settings.api_key,
                "secret": settings.secret,
                "password": settings.password,
                "timeout": int(settings.timeout_s * 1000),
                "enableRateLimit": False,  # the site's shared budgets do it, for all processes
                "options": options,
            }
        )
        self._ccxt.has["fetchCurrencies"] = False
        send_directly(self._ccxt)
        demand_whole(self._ccxt, self._dialect.lists)
        quick = settings.exchange == "binance" and not linear
        self._quick = BinanceSpot(self._ccxt) if quick else None
        if settings.base_url:
            self._ccxt.urls["api"] = _moved(self._ccxt.urls["api"], settings.base_url)
        self._instruments: dict[str, Instrument] | None = None

    @property
    def name(self) -> str:
        return self._settings.name or self._settings.exchange

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def market(self) -> CcxtMarket:
        """Return the venue's public market data, over the same connections."""
        return CcxtMarket(self, self._ccxt, self._judge)

    @property
    def addresses(self) -> frozenset[str]:
        """Return every host the exchange object may speak to."""
        return frozenset(urlsplit(url).hostname or "" for url in _strings(self._ccxt.urls["api"]))

    async def instruments(self) -> Mapping[str, Instrument]:
        if self._instruments is None:
            try:
                markets = await self._ccxt.load_markets()
            except Exception as error:
                raise VenueUnavailable(
                    f"the markets cannot be read: {type(error).__name__}: {str(error)[:200]}",
                    where=self.name,
                    remedy="check the address, the network and the venue's status",
                ) from error
            found = (instrument_of(market) for market in markets.values())
            self._instruments = {
                i.symbol: i for i in found if i is not None and i.kind is self._settings.kind
            }
        return self._instruments

    async def place(self, order: Order) -> PlaceAnswer:
        if (why := self._dialect.refuses(order)) is not None:
            return Refused(RefusalReason.NOT_SUPPORTED, why)
        try:
            raw = await self._created(order)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises anything on bad bodies
            return self._judge(error)
        if not isinstance(raw, Mapping) or not raw.get("id"):
            return Unknown(UnknownCause.NO_ORDER_ID, f"an answer without order id: {_brief(raw)}")
        echoed = raw.get("clientOrderId")
        if echoed and echoed != order.client_order_id:
            return Unknown(UnknownCause.BAD_BODY, f"the answer is about another order: {echoed}")
        return self._accepted(raw, order, new=True)

    async def cancel(self, order: Order) -> CancelAnswer:
        try:
            # by the venue's id where it is known; the client id is tried only without one
            params = {} if order.venue_order_id else self._dialect.cancel_params(order)
            raw = await self._ccxt.cancel_order(
                order.venue_order_id or None, order.intent.symbol, params
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            if type(error).__name__ == "OrderNotFound":
                return Refused(RefusalReason.OTHER, plain_text(str(error)[:200]))
            return self._judge(error)
        if not isinstance(raw, Mapping) or not raw.get("id") or not raw.get("status"):
            return Unknown(UnknownCause.NO_ORDER_ID, "the cancel was taken; look the order up")
        return self._accepted(raw, order)

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        try:
            await self._ccxt.edit_order(
                order.venue_order_id,
                order.intent.symbol,
                ccxt_type(order),
                order.intent.side.value,
                format(quantity, "f"),
                None if price is None else format(price, "f"),
                {},
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._judge(error)
        return Unknown(UnknownCause.NO_ORDER_ID, "the amendment was taken; look the order up")

    async def lookup(self, order: Order) -> LookupAnswer:
        try:
            await self.instruments()
            raws = await self._dialect.find(self._ccxt, order)
            if not raws:
                return NotFound()
            return Found(tuple(order_of(raw, self.name, order.client_order_id) for raw in raws))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            if type(error).__name__ == "OrderNotFound":
                return NotFound()
            judged = self._judge(error)
            return (
                judged
                if isinstance(judged, Unknown)
                else Unknown(UnknownCause.UNCLASSIFIED, judged.text)
            )

    async def trades(self, order: Order) -> tuple[Fill, ...] | Unknown:
        symbol = order.intent.symbol
        since_ms = order.sent_ns // 1_000_000 - 60_000
        params = self._dialect.trade_params(order)
        since = None if params else since_ms
        try:
            raws = await self._ccxt.fetch_my_trades(symbol, since, None, params)
            mine = [raw for raw in raws if raw.get("order") == order.venue_order_id]
            size = (await self.instruments())[symbol].contract_size
            return fills_of(mine, self.name, order.client_order_id, size)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._unknown(error)

    async def account_trades(self, symbol: str, since_ns: int) -> tuple[VenueTrade, ...] | Unknown:
        try:
            raws = await self._ccxt.fetch_my_trades(symbol, since_ns // 1_000_000)
            size = (await self.instruments())[symbol].contract_size
            return tuple(
                VenueTrade(plain_text(raw.get("order") or ""), fill)
                for raw in raws
                for fill in fills_of([raw], self.name, "", size)
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._unknown(error)

    async def open_orders(self) -> tuple[VenueOrder, ...] | Unknown:
        try:
            await self.instruments()
            raws = await self._ccxt.fetch_open_orders()
            return tuple(order_of(raw, self.name) for raw in raws)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._unknown(error)

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        try:
            await self.instruments()
            raw = await self._ccxt.fetch_order_book(symbol, depth)
            now = self._clock.now_ns()
            return BookSnapshot(
                symbol,
                tuple(_level(level) for level in raw["bids"][:depth]),
                tuple(_level(level) for level in raw["asks"][:depth]),
                int(raw["timestamp"]) * 1_000_000 if raw.get("timestamp") else now,
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._unknown(error)

    async def close(self) -> None:
        await self._ccxt.close()

    async def _created(self, order: Order) -> Any:
        """Send an order and return what ccxt reads in the answer."""
        if self._quick is not None and (created := await self._quick.create(order)) is not None:
            return created
        window_s = self._capabilities.receive_window_s
        deadline_s = self._clock.now_ns() / 1e9 + window_s
        params = {
            **common_params(order, self._dialect.stop_param),
            **self._dialect.place(order, deadline_s),
        }
        return await self._ccxt.create_order(
            order.intent.symbol,
            ccxt_type(order),
            order.intent.side.value,
            format(order.quantity, "f"),
            None if order.price is None else format(order.price, "f"),
            params,
        )

    def _accepted(
        self, raw: Mapping[str, Any], order: Order, *, new: bool = False
    ) -> Accepted | Unknown:
        if new and not raw.get("status"):
            # accepted, and nothing more is said: the order's fate is read by look-ups
            raw = {
                **raw,
                "status": "open",
                "filled": None,
                "amount": None,
                "price": None,
                "cost": None,
            }
        try:
            seen = order_of(raw, self.name, order.client_order_id)
        except (Unusable, ValueError) as error:
            return Unknown(UnknownCause.BAD_BODY, str(error))
        return Accepted(seen)

    def _judge(self, error: Exception) -> Refused | Unknown:
        if isinstance(error, Unusable):
            return Unknown(UnknownCause.BAD_BODY, str(error))
        now_ms = self._clock.now_ns() // 1_000_000
        return judge_error(
            error, self._capabilities.definite_errors, now_ms, self._capabilities.definite_text
        )

    def _unknown(self, error: Exception) -> Unknown:
        judged = self._judge(error)
        if isinstance(judged, Unknown):
            return judged
        return Unknown(UnknownCause.UNCLASSIFIED, judged.text)


def _level(level: list[Any]) -> tuple[Decimal, Decimal]:
    price, size = decimal_of(level[0]), decimal_of(level[1])
    if price is None or size is None:
        raise Unusable("a book level without numbers")
    return price, size


def _moved(urls: Any, base_url: str) -> Any:
    if isinstance(urls, str):
        return _HOST.sub(base_url.rstrip("/"), urls)
    if isinstance(urls, dict):
        return {key: _moved(value, base_url) for key, value in urls.items()}
    return urls


def _strings(urls: Any) -> list[str]:
    if isinstance(urls, str):
        return [urls]
    return [text for value in urls.values() for text in _strings(value)] if urls else []


def _brief(raw: object) -> str:
    return plain_text(repr(raw)[:120])
