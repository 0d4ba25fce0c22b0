"""The shapes of Binance's answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument


def market_id(symbol: str) -> str:
    """Return the exchange's name of a unified symbol."""
    return symbol.replace("/", "")


def fill_body(fill: Fill) -> dict[str, Any]:
    """Return a fill as an order's answer shows it."""
    return {
        "price": str(fill.price),
        "qty": str(fill.quantity),
        "commission": str(fill.fee),
        "commissionAsset": fill.fee_asset,
        "tradeId": int(fill.trade_id),
    }


def symbol_body(i: Instrument, order_types: Iterable[str]) -> dict[str, Any]:
    """Return an instrument as `exchangeInfo` shows it, with its filters."""
    largest = str(i.max_quantity or "9000")
    return {
        "symbol": market_id(i.symbol),
        "status": "TRADING",
        "baseAsset": i.base,
        "baseAssetPrecision": 8,
        "quoteAsset": i.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": list(order_types),
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissionSets": [["SPOT"]],
        "permissions": [],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(i.tick_size),
                "maxPrice": "1000000",
                "tickSize": str(i.tick_size),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": str(i.min_quantity or i.lot_size),
                "maxQty": largest,
                "stepSize": str(i.lot_size),
            },
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": largest, "stepSize": "0"},
            {"filterType": "NOTIONAL", "minNotional": str(i.min_notional)},
        ],
    }
