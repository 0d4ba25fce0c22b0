"""An exchange on loopback that serves history in Binance's dialect, and fails by a script."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from loopback_http import answering

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
]
SPOT = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "baseAssetPrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT"],
    "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
    "filters": FILTERS,
}  # fmt: skip
PERP = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING",
    "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "baseAsset": "BTC",
    "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3,
    "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": ["LIMIT"], "filters": FILTERS,
}  # fmt: skip


@dataclass
class Exchange:
    """What is served, and how often.

    Attributes:
        klines: Rows as the venue gives them, oldest first.
        trades: Aggregate trades, oldest first.
        funding: Funding rates, oldest first.
        page: Most rows of an answer.
        script: Answers given instead of the next ones to a history request: status and body; a
            status of 0 breaks the connection.
        asked: Path and query of every history request.
    """

    klines: list[list[Any]] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    funding: list[dict[str, Any]] = field(default_factory=list)
    page: int = 1_000
    script: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, str]:
        query = {name: int(value) for name, value in asked.items() if value.isdecimal()}
        if path.endswith("exchangeInfo"):
            symbols = [] if "dapi" in path else [PERP if "fapi" in path else SPOT]
            return 200, json.dumps({"symbols": symbols, "rateLimits": [], "timezone": "UTC"})
        self.asked.append(f"{path} {query.get('startTime', 0)}")
        if self.script:
            return self.script.pop(0)
        start, end = query.get("startTime", 0), query.get("endTime", 2**62)
        rows = min(self.page, query.get("limit", 500))
        found: list[Any]
        if path.endswith("klines"):
            found = [row for row in self.klines if start <= row[0] <= end]
        elif path.endswith("aggTrades"):
            found = [row for row in self.trades if start <= row["T"] <= end]
        else:
            found = [row for row in self.funding if start <= row["fundingTime"] <= end]
        return 200, json.dumps(found[:rows])


@contextlib.contextmanager
def exchange() -> Iterator[Exchange]:
    """Yield an exchange that listens on loopback."""
    served = Exchange()
    with answering(served.answer) as served.url:
        yield served
