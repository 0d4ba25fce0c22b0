"""What every fill and order of a table cost, named part by named part."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from oem_tco.errors import InputError
from oem_tco.inputs.decode import Coded
from oem_tco.inputs.findings import FindingCode, Findings, Treatment
from oem_tco.inputs.fixed import Bools
from oem_tco.inputs.read import InputTable
from oem_tco.inputs.schema import TableName
from oem_tco.tables.benchmarks import MarketVolume, benchmark_costs
from oem_tco.tables.decompose import FillParts, OrderParts, fill_parts, order_parts
from oem_tco.tables.exact import Ints, decimal_column
from oem_tco.tables.fees import FeeRules, RateTable
from oem_tco.tables.funding import FundingTable, order_funding
from oem_tco.tables.markouts import fill_markouts
from oem_tco.tables.prepare import NAMES, Fills, Orders, read_fills, read_orders
from oem_tco.tables.quotes import Keys, QuoteBook
from oem_tco.terms import COMPONENTS, Benchmark, DelayConvention, Provenance

C, T = FindingCode, Treatment


@dataclass(frozen=True, slots=True)
class TcoTables:
    """The tables that costs are computed from.

    Attributes:
        orders: Orders.
        fills: Their fills.
        quotes: Best bid and ask over time; without them fills must bring their own.
        funding: Settlements of perpetual contracts.
        volume: Trades or bars of the market, for VWAP benchmarks.
        rates: Rates of assets that fees are paid in.
    """

    orders: InputTable
    fills: InputTable
    quotes: InputTable | None = None
    funding: InputTable | None = None
    volume: InputTable | None = None
    rates: InputTable | None = None

    def __iter__(self) -> Any:
        return (t for n in TableName if (t := getattr(self, n.value)) is not None)


@dataclass(frozen=True, slots=True)
class CostRules:
    """What holds where the tables leave a choice.

    Attributes:
        convention: Whether the unfilled part shares in the delay.
        max_quote_age_ns: Age above which a quote does not count.
        clock_ahead_ns: By how much a venue's clock is ahead of the site's, by venue.
        fees: How a fee is found where the fill does not tell it.
        benchmarks: Benchmarks that the filled parts are held against.
        markouts_ns: Horizons after each fill at which the market is looked at, nanoseconds.
    """

    convention: DelayConvention = DelayConvention.WHOLE_ORDER
    max_quote_age_ns: int = 60 * 10**9
    clock_ahead_ns: Mapping[str, int] = field(default_factory=dict)
    fees: FeeRules = field(default_factory=FeeRules)
    benchmarks: tuple[Benchmark, ...] = ()
    markouts_ns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.max_quote_age_ns <= _LONGEST_NS:
            raise _too_long("max_quote_age_ns", self.max_quote_age_ns, "0")
        for venue, ahead in self.clock_ahead_ns.items():
            if not -_LONGEST_NS <= ahead <= _LONGEST_NS:
                raise _too_long(f"clock_ahead_ns of {venue}", ahead, "minus a year")
        for horizon in self.markouts_ns:
            if not 0 < horizon <= _LONGEST_NS:
                raise _too_long("markouts_ns", horizon, "1")


_LONGEST_NS = 366 * 86_400 * 10**9


def _too_long(name: str, value: int, least: str) -> InputError:
    return InputError(
        f"{name} is {value}", where=name, remedy=f"give nanoseconds, from {least} to a year"
    )


@dataclass(frozen=True, slots=True, eq=False)
class TableCosts:
    """The costs of tables; the same for any order of their rows.

    Attributes:
        convention: How delay is counted.
        orders: One row an order, by decision time and id; amounts are int64 minor units, the
            columns of `COMPONENTS` sum to `total_minor` exactly.
        fills: One row a fill, by time and id; delay, spread, impact and fees sum to `total_minor`.
        findings: What was wrong with the input.
        order_rows: Where each order stood in the table as it was given.
        benchmarks: One row an order and benchmark, as `benchmark_costs` describes them.
        markouts: One row a fill and horizon, as `fill_markouts` describes them.
    """

    convention: DelayConvention
    orders: pa.Table
    fills: pa.Table
    findings: Findings
    order_rows: Ints
    benchmarks: pa.Table | None = None
    markouts: pa.Table | None = None


def cost_tables(tables: TcoTables, rules: CostRules | None = None) -> TableCosts:
    """Split the costs of whole tables.

    Args:
        tables: The tables, in any row order.
        rules: Choices; the defaults are those of `CostRules`.

    Returns:
        Costs of every order that can be costed; what cannot, and every fallback, is a finding.

    Raises:
        InputError: A column holds what it cannot hold.
    """
    rules = rules or CostRules()
    findings = Findings()
    orders = read_orders(tables.orders, findings)
    quotes = None
    if tables.quotes is not None:
        quotes = QuoteBook(tables.quotes, findings, rules.max_quote_age_ns)
    rates = None if tables.rates is None else RateTable(tables.rates, findings)
    orders, sources = priced(orders, quotes)
    with ThreadPoolExecutor(1) as beside:
        if quotes is not None:
            keys = Keys(orders.names["venue"], orders.names["symbol"])
            ready = beside.submit(quotes.table.prepare, keys)
        orders, fills, sources = _with_fills(tables.fills, orders, sources, findings, rules)
        if quotes is not None:
            ready.result()
    parts = fill_parts(orders, fills, quotes, rules.fees, rates)
    if parts.large.any():
        refused = np.zeros(len(orders), np.bool_)
        refused[fills.order[parts.large]] = True
        orders.decoder.refuse(
            C.TOO_LARGE, "quantity", "more than 20 billion quote units", orders.row[refused]
        )
        orders, fills, sources, parts = _without(orders, fills, sources, parts, refused)
    settled = None
    if tables.funding is not None:
        settled = FundingTable(tables.funding, findings, quotes)
    funding = order_funding(orders, fills, settled)
    whole = order_parts(orders, fills, parts, funding, rules.convention)
    if whole.large.any():
        orders.decoder.refuse(
            C.TOO_LARGE, "quantity", "more than 20 billion quote units", orders.row[whole.large]
        )
        funding = funding[~whole.large]
        orders, fills, sources, parts = _without(orders, fills, sources, parts, whole.large)
        whole = order_parts(orders, fills, parts, funding, rules.convention)
    _name_ends(orders, fills, whole, sources)
    table = _orders_table(orders, whole, sources)
    given = tables.orders.positions
    rows = orders.row if given is None else given[orders.row]
    name_currencies(findings, table, rows)
    benchmarks = markouts = None
    if rules.benchmarks:
        volume = None if tables.volume is None else MarketVolume(tables.volume, findings)
        benchmarks = benchmark_costs(
            orders, fills, parts, whole.filled, rules.benchmarks, quotes, volume
        )
    if rules.markouts_ns and quotes is not None:
        markouts = fill_markouts(orders, fills, parts.notional, quotes, rules.markouts_ns)
    of_fills = _fills_table(orders, fills, parts, table, whole.fills > 0)
    return TableCosts(rules.convention, table, of_fills, findings, rows, benchmarks, markouts)


def priced(orders: Orders, quotes: QuoteBook | None) -> tuple[Orders, dict[str, Coded]]:
    """Return the orders with every price filled in, and where each price comes from.

    Decision and arrival price: as given, else the mid of the quotes at that time, else each other.
    End price: as given, else the mid at the end, else the arrival price.
    """
    keys = Keys(orders.names["venue"], orders.names["symbol"])
    prices, sources = dict(orders.prices), {}
    ended = orders.has_end
    for name, at, asked in (
        ("decision_price", orders.decided_ns, None),
        ("arrival_price", np.maximum(orders.arrived_ns, orders.decided_ns), None),
        ("end_price", orders.ended_ns, ended),
    ):
        given = prices[name]
        source = np.where(given.present, 0, 2)
        wanted = ~given.present if asked is None else ~given.present & asked
        if quotes is not None and wanted.any():
            found = quotes.find(keys, at, wanted)
            use = wanted & found.sound
            prices[name] = given.filled(found.mid(), use)
            source[use] = 1
        sources[name] = source
    decision, arrival = prices["decision_price"], prices["arrival_price"]
    none = ~decision.present & ~arrival.present
    prices["decision_price"] = decision.filled(arrival, ~decision.present)
    prices["arrival_price"] = arrival.filled(decision, ~arrival.present)
    prices["end_price"] = prices["end_price"].filled(
        prices["arrival_price"], ~prices["end_price"].present
    )
    for name, code, other in (
        ("decision_price", C.NO_DECISION_PRICE, "arrival price"),
        ("arrival_price", C.NO_ARRIVAL_PRICE, "decision price"),
    ):
        for source_code, text in (
            (1, "mid of the quotes at that time"),
            (2, f"no quote at that time: {other} stands, the delay is 0 and inside the impact"),
        ):
            rows = (sources[name] == source_code) & ~none
            orders.decoder.note(code, T.FALLBACK, name, text, orders.row[rows])
    orders.decoder.refuse(
        C.NO_DECISION_PRICE, "decision_price",
        "neither decision nor arrival price, and no quote", orders.row[none],
    )  # fmt: skip
    words = {
        "decision_price": ("given", "quotes", "arrival"),
        "arrival_price": ("given", "quotes", "decision"),
        "end_price": ("given", "quotes", "arrival"),
    }
    coded = {n: Coded(s.astype(np.int32), words[n]) for n, s in sources.items()}
    ready = Orders(**{**_fields(orders), "prices": prices})
    if not none.any():
        return ready, coded
    kept = np.flatnonzero(~none)
    return ready.take(kept), {name: one.take(kept) for name, one in coded.items()}


def _fields(orders: Orders) -> dict[str, Any]:
    return {name: getattr(orders, name) for name in Orders.__slots__}


def _with_fills(
    table: InputTable,
    orders: Orders,
    sources: dict[str, Coded],
    findings: Findings,
    rules: CostRules,
) -> tuple[Orders, Fills, dict[str, Coded]]:
    before = orders.row
    orders, fills = read_fills(table, orders, findings, dict(rules.clock_ahead_ns))
    if len(before) != len(orders):
        kept = np.flatnonzero(np.isin(before, orders.row))
        sources = {name: one.take(kept) for name, one in sources.items()}
    return orders, fills, sources


def _without(
    orders: Orders, fills: Fills, sources: dict[str, Coded], parts: FillParts, refused: Bools
) -> tuple[Orders, Fills, dict[str, Coded], FillParts]:
    keep, rows = np.flatnonzero(~refused), np.flatnonzero(~refused[fills.order])
    fills.decoder.note(
        C.REFUSED_FILL, T.REFUSED, "", "its order is too large",
        fills.row[np.flatnonzero(refused[fills.order])],
    )  # fmt: skip
    moved = np.cumsum(~refused) - 1
    left = fills.take(rows)
    fields = {name: getattr(left, name) for name in Fills.__slots__}
    fields["order"] = moved[left.order]
    return (
        orders.take(keep),
        Fills(**fields),
        {name: one.take(keep) for name, one in sources.items()},
        parts.take(rows),
    )


def name_currencies(findings: Findings, orders: pa.Table, rows: Ints) -> None:
    """Name all orders where they are in more than one currency."""
    words = sorted(orders.column("currency").unique().cast(pa.string()).to_pylist())
    if len(words) > 1:
        findings.add(
            C.MIXED_CURRENCIES, T.NOTED, TableName.ORDERS, "currency",
            f"amounts in {', '.join(words)} are grouped by currency and never added", rows,
            orders.column("order_id").combine_chunks(),
        )  # fmt: skip


def _name_ends(orders: Orders, fills: Fills, whole: OrderParts, sources: dict[str, Coded]) -> None:
    rest = whole.filled.ints != orders.quantity.at(whole.filled.digits).ints
    guessed = rest & (sources["end_price"].codes == 2)
    orders.decoder.note(
        C.NO_END_PRICE, T.FALLBACK, "end_price", "the unfilled part is valued at arrival",
        orders.row[guessed],
    )  # fmt: skip
    last = np.zeros(len(orders), np.int64)
    last[fills.order] = fills.at_ns  # fills are in the order of time: the last one stays
    orders.decoder.note(
        C.CLOCK_SKEW, T.NOTED, "end_time_ns", "it ended before its last fill",
        orders.row[orders.has_end & (whole.fills > 0) & (orders.ended_ns < last)],
    )  # fmt: skip


def _orders_table(orders: Orders, whole: OrderParts, sources: dict[str, Coded]) -> pa.Table:
    decoder, rows = orders.decoder, pa.array(orders.row)
    columns: dict[str, pa.Array] = {
        "order_id": orders.ids,
        "decision_id": decoder.ids("decision_id").take(rows),
    }
    for name in NAMES:
        columns[name] = text_column(orders.names[name])
    columns["decision_time_ns"] = pa.array(orders.decided_ns)
    columns["arrival_time_ns"] = pa.array(orders.arrived_ns)
    columns["end_time_ns"] = pa.array(orders.ended_ns, mask=~orders.has_end)
    columns["quantity"] = decimal_column(orders.quantity)
    columns["filled"] = decimal_column(whole.filled)
    for name in ("decision_price", "arrival_price", "end_price"):
        columns[name] = decimal_column(orders.prices[name])
        columns[f"{name}_from"] = text_column(sources[name])
    columns["fills"] = pa.array(whole.fills)
    columns["notional_minor"] = pa.array(whole.notional)
    for component in COMPONENTS:
        columns[f"{component.value}_minor"] = pa.array(whole.parts[component])
    columns["total_minor"] = pa.array(whole.total)
    columns["fees_low_minor"] = pa.array(whole.fees_low)
    columns["fees_high_minor"] = pa.array(whole.fees_high)
    for name in ("est_low_bps", "est_expected_bps", "est_high_bps"):
        values = decoder.numbers(name)[orders.row]
        columns[name] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)


def _fills_table(
    orders: Orders, fills: Fills, parts: FillParts, table: pa.Table, used: Bools
) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "fill_id": fills.ids,
        "order_id": fills.of_order,
        "time_ns": pa.array(fills.at_ns),
    }
    for name in NAMES:
        if name != "status":
            columns[name] = _of_fills(orders, fills, name, table, used)
    columns["liquidity"] = text_column(Coded(fills.maker.astype(np.int32), ("taker", "maker")))
    columns["quote_from"] = text_column(Coded(parts.quote_from, ("none", "fill", "quotes")))
    words = tuple(p.value for p in Provenance)
    columns["fee_from"] = text_column(Coded(parts.fees.provenance.astype(np.int32), words))
    columns["notional_minor"] = pa.array(parts.notional)
    for component, amounts in parts.components().items():
        columns[f"{component.value}_minor"] = pa.array(amounts)
    columns["total_minor"] = pa.array(parts.total)
    return pa.table(columns)


def _of_fills(orders: Orders, fills: Fills, name: str, table: pa.Table, used: Bools) -> pa.Array:
    """Return a text column of the orders for their fills; words that no fill has are left out."""
    if not len(orders) or not used.all():
        return text_column(orders.names[name].take(fills.order))
    column = table.column(name).chunk(0)
    if len(column.dictionary) == 1:
        return repeated(column, len(fills))
    return column.take(pa.array(fills.order))


def repeated(column: pa.DictionaryArray, rows: int) -> pa.Array:
    """Return the only word of a dictionary column in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), column.dictionary)


def text_column(column: Coded) -> pa.Array:
    """Return codes as a dictionary column whose words are those that occur, ascending.

    Args:
        column: Codes and words; -1 becomes empty text.
    """
    words, codes = (*column.words, ""), column.codes
    low = high = -1
    if len(codes):
        low, high = int(codes.min()), int(codes.max())
    if len(codes) and low == high:
        return repeated(pa.array([words[low]]).dictionary_encode(), len(codes))
    placed = np.where(codes < 0, len(words) - 1, codes) if low < 0 else codes
    seen = np.bincount(placed, minlength=len(words)) > 0
    kept = sorted(word for word, on in zip(words, seen.tolist(), strict=True) if on)
    if low < 0 or len(kept) < len(column.words):
        position = {word: code for code, word in enumerate(kept)}
        codes = np.array([position.get(word, 0) for word in words], np.int32)[codes]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(kept, pa.string()))
