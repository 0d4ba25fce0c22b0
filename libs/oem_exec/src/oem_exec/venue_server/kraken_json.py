"""The shapes of Kraken's answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oem_exec.model.enums import Side
from oem_exec.model.instrument import Instrument
from oem_exec.model.market import Candle
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import SimOrder

_ALIASES = {"BTC": "XBT", "DOGE": "XDG"}


def ticker_body(exchange: SimExchange, symbol: str) -> dict[str, Any]:
    """Return today's and the last day's figures; the imitation knows the last day alone."""
    market, ticker = exchange.market(symbol), exchange.ticker(symbol)
    day = market.tape.span(ticker.time_ns)
    last = str(ticker.last or 0)
    volume = str(ticker.volume_base)
    average = str(ticker.volume_quote / ticker.volume_base) if ticker.volume_quote else last
    high, low = (str(day.high), str(day.low)) if day else (last, last)
    best = {
        side: [str(market.price(p)), "1", str(market.quantity(q))]
        for side in Side
        for p, q in market.book.levels(side, 1)
    }
    return {
        "a": best.get(Side.SELL, [last, "0", "0"]),
        "b": best.get(Side.BUY, [last, "0", "0"]),
        "c": [last, "0"],
        "v": [volume, volume],
        "p": [average, average],
        "t": [0, 0],
        "l": [low, low],
        "h": [high, high],
        "o": str(day.open) if day else last,
    }


def candle_body(candle: Candle) -> list[Any]:
    """Return a candle as `OHLC` lists it."""
    o, h, low, c, v = (
        str(n) for n in (candle.open, candle.high, candle.low, candle.close, candle.volume)
    )
    return [candle.open_ns // 1_000_000_000, o, h, low, c, c, v, 1]


def pair_name(instrument: Instrument) -> str:
    """Return the exchange's name of an instrument."""
    return _ALIASES.get(instrument.base, instrument.base) + instrument.quote


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def pair_body(i: Instrument) -> dict[str, Any]:
    """Return an instrument as `AssetPairs` shows it."""
    base = _ALIASES.get(i.base, i.base)
    return {
        "altname": pair_name(i),
        "wsname": f"{base}/{i.quote}",
        "aclass_base": "currency",
        "base": base,
        "aclass_quote": "currency",
        "quote": i.quote,
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": _decimals(i.tick_size),
        "lot_decimals": _decimals(i.lot_size),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, float(i.taker_fee * 100)]],
        "fees_maker": [[0, float(i.maker_fee * 100)]],
        "ordermin": str(i.min_quantity),
        "costmin": str(i.min_notional),
        "tick_size": str(i.tick_size),
        "status": "online",
    }


def description_of(order: SimOrder) -> str:
    """Return an order in one line, as answers repeat it."""
    kind = "market" if order.price is None else f"limit {order.price}"
    pair = order.intent.symbol.replace("/", "")
    return f"{order.intent.side.value} {order.quantity} {pair} @ {kind}"
