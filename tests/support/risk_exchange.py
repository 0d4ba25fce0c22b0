"""An exchange on loopback that serves history in Binance's dialect, and fails by a script."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

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

    def answer(self, path: str, query: dict[str, int]) -> tuple[int, str]:
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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {k: int(v[0]) for k, v in parse_qs(parts.query).items() if v[0].isdecimal()}
            status, body = served.answer(parts.path, query)
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Stay silent."""

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
