"""How files of market data are named: `venue_SYMBOL_timeframe[_window].parquet`."""

from __future__ import annotations

from dataclasses import dataclass

from oem_risk.data.schema import DataKind
from oem_risk.errors import DataProblem

NS_PER_SECOND = 1_000_000_000
TIMEFRAME_NS = {
    name: seconds * NS_PER_SECOND
    for name, seconds in (
        ("1s", 1), ("1m", 60), ("3m", 180), ("5m", 300), ("15m", 900), ("30m", 1_800),
        ("1h", 3_600), ("2h", 7_200), ("4h", 14_400), ("6h", 21_600), ("8h", 28_800),
        ("12h", 43_200), ("1d", 86_400),
    )
}  # fmt: skip
"""Timeframe to the length of its bars, nanoseconds."""
QUOTE_CURRENCIES = (
    "USDT", "USDC", "BUSD", "FDUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB",
)  # fmt: skip
_PERP = "-PERP"
_MARK = "-MARK"


@dataclass(frozen=True, slots=True)
class DataName:
    """What a file's name says.

    Attributes:
        venue: Venue such as `binance`.
        symbol: Symbol such as `BTC/USDT`, or `BTC/USDT:USDT` of a perpetual, with `-MARK` behind
            it where the prices are mark prices.
        timeframe: A key of `TIMEFRAME_NS`; empty for other kinds than bars.
    """

    venue: str
    symbol: str
    timeframe: str = ""


def file_symbol(symbol: str) -> str:
    """Return a symbol as file names carry it.

    Example:
        >>> file_symbol("BTC/USDT"), file_symbol("BTC/USDT:USDT-MARK")
        ('BTCUSDT', 'BTCUSDT-PERP-MARK')
    """
    mark = _MARK if symbol.endswith(_MARK) else ""
    pair, _, settled = symbol.removesuffix(_MARK).partition(":")
    return pair.replace("/", "") + (_PERP if settled else "") + mark


def symbol_of(text: str) -> str:
    """Return the symbol a file name or an exchange's own id stands for.

    Raises:
        DataProblem: The text ends in no known quote currency.

    Example:
        >>> symbol_of("XRPETH"), symbol_of("BTCUSDT-PERP"), symbol_of("btc_usd")
        ('XRP/ETH', 'BTC/USDT:USDT', 'BTC/USD')
    """
    plain = text.upper()
    mark = _MARK if plain.endswith(_MARK) else ""
    plain = plain.removesuffix(_MARK)
    perp = plain.endswith(_PERP)
    plain = plain.removesuffix(_PERP)
    for sign in ("/", "_", "-"):
        base, _, quote = plain.partition(sign)
        if base and quote:
            break
    else:
        quote = next((q for q in QUOTE_CURRENCIES if plain.endswith(q) and len(plain) > len(q)), "")
        base = plain.removesuffix(quote) if quote else ""
    if not base:
        raise DataProblem(
            f"cannot tell base and quote currency of {text!r}",
            where="symbol",
            remedy="name the symbol as BASE/QUOTE, on the command line with --symbol",
        )
    return f"{base}/{quote}" + (f":{quote}" if perp else "") + mark


def data_name(stem: str, kind: DataKind) -> DataName:
    """Return what the name of a file, without its suffix, says.

    Raises:
        DataProblem: It is not of the form `venue_SYMBOL[_timeframe][_window]`.

    Example:
        >>> data_name("binance_BTCUSDT_1m_202105", DataKind.BARS)
        DataName(venue='binance', symbol='BTC/USDT', timeframe='1m')
    """
    parts = stem.split("_")
    timeframe = ""
    if kind is DataKind.BARS:
        timeframe = next((part for part in parts[2:] if part in TIMEFRAME_NS), "")
    if len(parts) < 2 or (kind is DataKind.BARS and not timeframe):
        raise DataProblem(
            f"the name {stem!r} does not tell venue, symbol and timeframe",
            where=stem,
            remedy="name the file venue_SYMBOL_timeframe.parquet, such as binance_BTCUSDT_1h",
        )
    return DataName(parts[0], symbol_of(parts[1]), timeframe)


def timeframe_ns(timeframe: str) -> int:
    """Return the length of a timeframe's bars, nanoseconds.

    Raises:
        DataProblem: There is no such timeframe.
    """
    try:
        return TIMEFRAME_NS[timeframe]
    except KeyError:
        raise DataProblem(
            f"no timeframe is named {timeframe!r}",
            where="timeframe",
            remedy="use one of " + ", ".join(TIMEFRAME_NS),
        ) from None
