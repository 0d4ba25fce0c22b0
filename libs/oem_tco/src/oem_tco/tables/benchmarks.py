"""Filled parts of orders against benchmark prices, each difference rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oem_tco.inputs.decode import Decoder
from oem_tco.inputs.findings import FindingCode, Findings, Treatment
from oem_tco.inputs.fixed import Fixed
from oem_tco.inputs.read import InputTable
from oem_tco.money import MINOR_DIGITS
from oem_tco.tables.decompose import FillParts
from oem_tco.tables.exact import LIMIT, Ints, PrefixSums, group_sums, worth_minor
from oem_tco.tables.prepare import Fills, Orders
from oem_tco.tables.quotes import Keys, QuoteBook, TimedTable, groups_of
from oem_tco.terms import Benchmark

_DAY_NS = 86_400 * 10**9
_PRICE_DIGITS = 18
Rational = tuple[int, int]
"""Numerator and denominator of a price; a denominator of 0 says there is none."""


@dataclass(frozen=True, slots=True)
class Spans:
    """When each order was in the market: arrival, and end or last fill, whichever is later."""

    start: Ints
    stop: Ints
    last_fill: Ints


class MarketVolume:
    """Trades or bars of a market, for averages weighted by volume.

    Args:
        table: The trades; rows that are refused do not count.
        findings: Where bad rows are named.
    """

    def __init__(self, table: InputTable, findings: Findings) -> None:
        decoder = Decoder(table, findings, None)
        self._price, self._volume = decoder.fixed("price"), decoder.fixed("volume")
        self._table = TimedTable(decoder)
        self._sums: dict[tuple[str, str], tuple[Ints, PrefixSums, PrefixSums]] = {}

    def vwap(self, venue: str, symbol: str, start: Ints, stop: Ints) -> list[Rational]:
        """Return the average price of every span, both ends included."""
        key = (venue, symbol)
        if key not in self._sums:
            ranks = self._table.ranks(venue, symbol)
            rows = self._table.rows(ranks)
            price, volume = self._price.ints[rows], self._volume.ints[rows]
            self._sums[key] = (
                self._table.times[ranks] if len(ranks) else ranks,
                PrefixSums(price, volume),
                PrefixSums(volume, np.ones(len(rows), np.int64)),
            )
        times, worth, volume_of = self._sums[key]
        first = np.searchsorted(times, start, side="left")
        last = np.maximum(np.searchsorted(times, stop, side="right"), first)
        unit = 10**self._price.digits
        pairs = zip(worth.between(first, last), volume_of.between(first, last), strict=True)
        return [(amount, traded * unit) for amount, traded in pairs]


def benchmark_costs(
    orders: Orders,
    fills: Fills,
    parts: FillParts,
    filled: Fixed,
    wanted: Sequence[Benchmark],
    quotes: QuoteBook | None,
    volume: MarketVolume | None,
) -> pa.Table:
    """Return what the filled part of every order cost against benchmarks, without fees.

    Args:
        orders: Orders; those without a fill have no row.
        fills: Their fills, by time.
        parts: Parts of the fills.
        filled: Filled quantity of every order.
        wanted: Which benchmarks.
        quotes: For mid, TWAP and close.
        volume: For VWAP and interval.

    Returns:
        One row an order and benchmark: `order_id`, `benchmark`, `price` (decimal, rounded to 18
        digits; empty where the tables do not give it), `cost_minor` (positive is a cost) and
        `notional_minor`, the filled quantity at the benchmark. What is empty is a finding.
    """
    count = np.bincount(fills.order, minlength=len(orders))
    some = np.flatnonzero(count > 0)
    paid = group_sums(parts.notional, fills.order, len(orders))
    spans = _spans(orders, fills)
    tables = []
    for benchmark in sorted(set(wanted), key=tuple(Benchmark).index):
        prices, amounts = _amounts(
            benchmark, orders, fills, parts, filled, spans, quotes, volume, some
        )
        missing = np.array([amount is None for amount in amounts], np.bool_)
        orders.decoder.note(
            FindingCode.NO_BENCHMARK, Treatment.NOTED, benchmark.value,
            f"the tables do not give its {benchmark.value} price", orders.row[some[missing]],
        )  # fmt: skip
        signs = orders.cost_sign[some].tolist()
        costs = [
            None if amount is None else sign * (int(total) - amount)
            for sign, total, amount in zip(signs, paid[some].tolist(), amounts, strict=True)
        ]
        tables.append(
            pa.table(
                {
                    "order_id": orders.ids.take(pa.array(some)),
                    "benchmark": pa.array([benchmark.value] * len(some), pa.string()),
                    "price": pa.array(prices, pa.string()).cast(pa.decimal128(38, _PRICE_DIGITS)),
                    "cost_minor": pa.array(costs, pa.int64()),
                    "notional_minor": pa.array(amounts, pa.int64()),
                }
            )
        )
    return pa.concat_tables(tables).combine_chunks()


def _spans(orders: Orders, fills: Fills) -> Spans:
    last = orders.arrived_ns.copy()
    last[fills.order] = fills.at_ns  # by time: the last fill of each order stays
    stop = np.where(orders.has_end, np.maximum(orders.ended_ns, last), last)
    return Spans(orders.arrived_ns, np.maximum(stop, orders.arrived_ns), last)


def _amounts(
    benchmark: Benchmark,
    orders: Orders,
    fills: Fills,
    parts: FillParts,
    filled: Fixed,
    spans: Spans,
    quotes: QuoteBook | None,
    volume: MarketVolume | None,
    some: Ints,
) -> tuple[list[str | None], list[int | None]]:
    """Return benchmark prices as text, and what the filled part is worth at them."""
    inverse = orders.inverse[some].tolist()
    texts: list[str | None]
    if benchmark is Benchmark.MID:
        known = group_sums((parts.quote_from > 0).astype(np.int64), fills.order, len(orders))
        whole = known == np.bincount(fills.order, minlength=len(orders))
        at_mid, _ = worth_minor(parts.mid, fills.quantity, orders.inverse[fills.order])
        amounts = group_sums(at_mid, fills.order, len(orders))
        worth = [int(a) if ok else None for a, ok in zip(amounts[some], whole[some], strict=True)]
        bases = filled.take(some)
        texts = []
        for a, q, turned in zip(worth, bases.ints.tolist(), inverse, strict=True):
            pair = (0, 0) if not a else (a * 10**bases.digits, q * 10**MINOR_DIGITS)
            top, bottom = pair[::-1] if turned else pair
            texts.append(_price(top, bottom) if bottom else None)
        return texts, worth
    if benchmark in (Benchmark.ARRIVAL, Benchmark.DECISION):
        price = orders.prices[f"{benchmark.value}_price"].take(some)
        rationals = [(int(p), 10**price.digits) for p in price.ints.tolist()]
    else:
        rationals = _rationals(benchmark, orders, spans, quotes, volume, some)
    base = filled.take(some)
    unit = 10**base.digits
    worth, texts = [], []
    for (top, bottom), quantity, turned in zip(rationals, base.ints.tolist(), inverse, strict=True):
        over, under = (bottom, top) if turned else (top, bottom)
        amount = LIMIT
        if bottom and under:
            amount = rounded(over * quantity * 10**MINOR_DIGITS, under * unit)
        sound = bottom > 0 and abs(amount) < LIMIT
        worth.append(amount if sound else None)
        texts.append(_price(top, bottom) if sound else None)
    return texts, worth


def _rationals(
    benchmark: Benchmark,
    orders: Orders,
    spans: Spans,
    quotes: QuoteBook | None,
    volume: MarketVolume | None,
    some: Ints,
) -> list[Rational]:
    keys = Keys(orders.names["venue"], orders.names["symbol"]).take(some)
    none: list[Rational] = [(0, 0)] * len(some)
    start, stop = spans.start[some], spans.stop[some]
    if benchmark is Benchmark.CLOSE:
        if quotes is None:
            return none
        midnight = (spans.last_fill[some] // _DAY_NS + 1) * _DAY_NS
        found = quotes.find(keys, midnight - 1)
        mid = found.mid()
        return [
            (int(p), 10**mid.digits if ok else 0)
            for p, ok in zip(mid.ints.tolist(), found.sound.tolist(), strict=True)
        ]
    ask: Callable[[str, str, Ints, Ints], list[Rational]]
    if benchmark is Benchmark.TWAP:
        if quotes is None:
            return none
        ask = TimeAverage(quotes).twap
    else:
        if volume is None:
            return none
        ask = volume.vwap
    if benchmark is Benchmark.VWAP:
        start = start // _DAY_NS * _DAY_NS
        stop = start + _DAY_NS - 1
    for venue, symbol, mine in groups_of(keys):
        rows = np.arange(len(some)) if mine is None else mine
        for row, one in zip(
            rows.tolist(), ask(venue, symbol, start[rows], stop[rows]), strict=True
        ):
            none[row] = one
    return none


class TimeAverage:
    """Averages of the mid over time; crossed quotes do not count, the one before them holds on.

    A mid holds as long as the book's rules allow; a span with a longer gap has no average.

    Args:
        quotes: The quotes.
    """

    def __init__(self, quotes: QuoteBook) -> None:
        self._quotes = quotes

    def twap(self, venue: str, symbol: str, start: Ints, stop: Ints) -> list[Rational]:
        """Return the average mid of every span; none where the mid is not known all through it."""
        times, mid = self._quotes.mids(venue, symbol)
        if not len(times):
            return [(0, 0)] * len(start)
        sums = PrefixSums(mid.ints[:-1], np.diff(times))
        first = np.searchsorted(times, start, side="right") - 1
        last = np.searchsorted(times, stop, side="right") - 1
        longest = self._quotes.max_age_ns
        known = (first >= 0) & (start - times[first] <= longest)
        gaps = np.append(0, np.cumsum(np.diff(times) > longest))
        known &= (gaps[np.maximum(last, 0)] == gaps[np.maximum(first, 0)]) & (
            stop - times[np.maximum(last, 0)] <= longest
        )
        inner = sums.between(np.maximum(first, 0), np.maximum(last, 0))
        before = (start - times[first]).tolist()
        after = (stop - times[last]).tolist()
        unit = 10**mid.digits
        found: list[Rational] = []
        for ok, whole, i, j, b, a, span in zip(
            known.tolist(), inner, mid.ints[first].tolist(), mid.ints[last].tolist(),
            before, after, (stop - start).tolist(), strict=True,
        ):  # fmt: skip
            if not ok:
                found.append((0, 0))
            elif span == 0:
                found.append((i, unit))
            else:
                found.append((whole - i * b + j * a, span * unit))
        return found


def rounded(top: int, bottom: int) -> int:
    """Return a quotient of integers rounded half to even; `bottom` is above 0.

    Example:
        >>> rounded(5, 2), rounded(7, 2), rounded(-5, 2)
        (2, 4, -2)
    """
    whole, rest = divmod(top, bottom)
    return whole + (2 * rest > bottom or (2 * rest == bottom and whole % 2 == 1))


def _price(top: int, bottom: int) -> str:
    value = rounded(top * 10**_PRICE_DIGITS, bottom)
    return f"{value // 10**_PRICE_DIGITS}.{value % 10**_PRICE_DIGITS:018d}"
