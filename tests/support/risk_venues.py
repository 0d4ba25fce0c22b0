"""Kraken, Coinbase, OKX and Bybit on loopback: public history as their documents describe it.

Each answers newest or oldest first, with its own page length, and cuts a span at the side at which
the venue cuts it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from loopback_http import answering

Bar = tuple[int, float, float, float, float, float]
"""Open time in milliseconds, open, high, low, close, volume."""


@dataclass
class Venue:
    """A venue's history, and what was asked of it.

    Attributes:
        name: ccxt's id.
        bars: By length in milliseconds, oldest first.
        trades: Time in milliseconds, price, size, side; oldest first.
        funding: Time in milliseconds and rate, oldest first.
        script: Statuses given instead of the next answers to a request for history.
        asked: Path and query of each request for history.
    """

    name: str
    bars: dict[int, list[Bar]] = field(default_factory=dict)
    trades: list[tuple[int, float, float, str]] = field(default_factory=list)
    funding: list[tuple[int, float]] = field(default_factory=list)
    script: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        found = _MARKETS[self.name](path, query)
        if found is not None:
            return 200, found
        self.asked.append(f"{path} {sorted(query.items())}")
        if self.script:
            return self.script.pop(0), {}
        return 200, _HISTORY[self.name](self, path, query)


def _kraken_markets(path: str, query: dict[str, str]) -> Any:
    if path.endswith("/Assets"):
        return {"error": [], "result": {
            "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5},
            "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2},
        }}  # fmt: skip
    if path.endswith("/AssetPairs"):
        return {"error": [], "result": {"XXBTZUSD": {
            "altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD",
            "pair_decimals": 1, "lot_decimals": 8, "cost_decimals": 5, "lot_multiplier": 1,
            "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.0001", "costmin": "0.5",
            "tick_size": "0.1", "status": "online", "leverage_buy": [], "leverage_sell": [],
        }}}  # fmt: skip
    return None


def _kraken(venue: Venue, path: str, query: dict[str, str]) -> Any:
    since = int(query.get("since", 0))
    if path.endswith("/Trades"):
        rows = [t for t in venue.trades if t[0] >= since * 1000][: int(query.get("count", 1000))]
        found = [
            [f"{p}", f"{q}", t / 1000, side[0], "l", "", n]
            for n, (t, p, q, side) in enumerate(rows)
        ]
        last = str(rows[-1][0] * 10**6) if rows else "0"
        return {"error": [], "result": {"XXBTZUSD": found, "last": last}}
    bars = venue.bars.get(int(query["interval"]) * 60_000, [])
    # only the newest 720, whatever was asked
    kept = [
        [t // 1000, *(f"{x}" for x in (o, h, low, c)), "0", f"{v}", 3]
        for t, o, h, low, c, v in bars[-720:]
        if t // 1000 > since
    ]
    return {"error": [], "result": {"XXBTZUSD": kept, "last": 0}}


def _coinbase_markets(path: str, query: dict[str, str]) -> Any:
    if path.startswith("/v2/"):
        return {"data": {"currency": "USD", "rates": {}} if "rates" in path else []}
    if path.endswith("/market/products"):
        product = {
            "product_id": "BTC-USD", "base_currency_id": "BTC", "quote_currency_id": "USD",
            "product_type": "SPOT", "base_increment": "0.00000001", "quote_increment": "0.01",
            "price_increment": "0.01", "base_min_size": "0.00000001", "base_max_size": "3400",
            "quote_min_size": "1", "quote_max_size": "150000000", "trading_disabled": False,
            "is_disabled": False, "status": "online", "alias_to": [], "view_only": False,
        }  # fmt: skip
        return {"products": [] if query.get("product_type") == "FUTURE" else [product]}
    return None


_SECONDS = {"ONE_HOUR": 3_600, "ONE_DAY": 86_400, "ONE_MINUTE": 60}


def _coinbase(venue: Venue, path: str, query: dict[str, str]) -> Any:
    start, end = int(query["start"]) * 1000, int(query["end"]) * 1000
    if path.endswith("/ticker"):
        inside = [t for t in venue.trades if start <= t[0] <= end]
        newest = inside[-int(query["limit"]) :][::-1]
        return {"trades": [
            {"trade_id": f"{t}-{p}", "product_id": "BTC-USD", "price": f"{p}", "size": f"{q}",
             "time": _iso(t), "side": side.upper()} for t, p, q, side in newest
        ]}  # fmt: skip
    bars = venue.bars.get(_SECONDS[query["granularity"]] * 1000, [])
    inside_bars = [bar for bar in bars if start <= bar[0] <= end][-350:][::-1]
    return {"candles": [
        {"start": str(t // 1000), "open": f"{o}", "high": f"{h}", "low": f"{low}", "close": f"{c}",
         "volume": f"{v}"} for t, o, h, low, c, v in inside_bars
    ]}  # fmt: skip


def _okx_markets(path: str, query: dict[str, str]) -> Any:
    if not path.endswith("/public/instruments"):
        return None
    spot = {
        "instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT",
        "tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "state": "live", "uly": "",
        "settleCcy": "", "ctVal": "", "lever": "10", "maxMktSz": "1000000",
    }  # fmt: skip
    swap = {
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "baseCcy": "", "quoteCcy": "",
        "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01", "state": "live", "uly": "BTC-USDT",
        "settleCcy": "USDT", "ctVal": "0.01", "ctType": "linear", "lever": "100",
    }  # fmt: skip
    found = {"SPOT": [spot], "SWAP": [swap]}.get(query["instType"], [])
    return {"code": "0", "msg": "", "data": found}


_OKX_BARS = {"1H": 3_600_000, "1m": 60_000, "1Dutc": 86_400_000}


def _okx(venue: Venue, path: str, query: dict[str, str]) -> Any:
    after, before = int(query.get("after", 2**62)), int(query.get("before", 0))
    if path.endswith("funding-rate-history"):
        rows = [row for row in venue.funding if before < row[0] < after]
        newest = rows[-min(int(query.get("limit", 100)), 100) :][::-1]
        data: list[Any] = [
            {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "fundingTime": str(t),
             "fundingRate": f"{r}", "realizedRate": f"{r}"} for t, r in newest
        ]  # fmt: skip
    else:
        bars = venue.bars.get(_OKX_BARS[query["bar"]], [])
        inside = [bar for bar in bars if before < bar[0] < after]
        data = [
            [str(t), *(f"{x}" for x in (o, h, low, c, v)), "1", "1", "1"]
            for t, o, h, low, c, v in inside[-min(int(query["limit"]), 300) :][::-1]
        ]
    return {"code": "0", "msg": "", "data": data}


def _bybit_markets(path: str, query: dict[str, str]) -> Any:
    if not path.endswith("/instruments-info"):
        return None
    lot = {
        "basePrecision": "0.000001", "quotePrecision": "0.0001", "minOrderQty": "0.00001",
        "maxOrderQty": "100", "minOrderAmt": "1", "maxOrderAmt": "1000000", "qtyStep": "0.001",
    }  # fmt: skip
    market = {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
        "lotSizeFilter": lot, "priceFilter": {"tickSize": "0.1"}, "marginTrading": "none",
    }  # fmt: skip
    perpetual = {
        **market, "contractType": "LinearPerpetual", "settleCoin": "USDT", "launchTime": "0",
        "deliveryTime": "0", "fundingInterval": 480, "leverageFilter": {"maxLeverage": "100"},
    }  # fmt: skip
    found = {"spot": [market], "linear": [perpetual]}.get(query["category"], [])
    return {"retCode": 0, "retMsg": "OK", "result": {"category": query["category"], "list": found}}


def _bybit(venue: Venue, path: str, query: dict[str, str]) -> Any:
    rows: list[Any]
    if path.endswith("/funding/history"):
        start, end = int(query["startTime"]), int(query["endTime"])
        inside = [row for row in venue.funding if start <= row[0] <= end]
        rows = [
            {"symbol": "BTCUSDT", "fundingRate": f"{r}", "fundingRateTimestamp": str(t)}
            for t, r in inside[-min(int(query["limit"]), 200) :][::-1]
        ]
    else:
        step = 86_400_000 if query["interval"] == "D" else int(query["interval"]) * 60_000
        bars = [bar for bar in venue.bars.get(step, []) if bar[0] >= int(query["start"])]
        rows = [
            [str(t), *(f"{x}" for x in (o, h, low, c, v)), "1"]
            for t, o, h, low, c, v in bars[: min(int(query["limit"]), 1_000)][::-1]
        ]
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows}}


_MARKETS = {"kraken": _kraken_markets, "coinbase": _coinbase_markets, "okx": _okx_markets,
            "bybit": _bybit_markets}  # fmt: skip
_HISTORY = {"kraken": _kraken, "coinbase": _coinbase, "okx": _okx, "bybit": _bybit}


def _iso(milliseconds: int) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


@contextlib.contextmanager
def venue_on_loopback(name: str) -> Iterator[Venue]:
    """Yield a venue that listens on loopback."""
    served = Venue(name)

    def answer(path: str, query: dict[str, str]) -> tuple[int, str]:
        status, found = served.answer(path, query)
        # who refuses at the gate speaks no dialect
        return status, json.dumps(found) if status == 200 else "<html>busy</html>"

    with answering(answer) as served.url:
        yield served
