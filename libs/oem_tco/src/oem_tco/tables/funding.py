"""Funding of perpetual contracts, given to the orders whose fills were held at each settlement.

A holding is what one strategy has of a symbol at a venue, flat before its first fill. What is sold
closes what was bought first; a settlement is paid by the lots then open, in proportion, so that the
parts sum to `mark x position x rate`, of inverse contracts `position / mark x rate`, rounded once.
Holdings of strategies that offset each other pay and receive the same, as the account they share
does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from oem_tco.inputs.decode import Decoder
from oem_tco.inputs.findings import FindingCode, Findings, Treatment
from oem_tco.inputs.read import InputTable
from oem_tco.money import split_exactly, to_minor
from oem_tco.tables.exact import LIMIT, Ints, rows_alike
from oem_tco.tables.prepare import Fills, Orders
from oem_tco.tables.quotes import Keys, QuoteBook

C, T = FindingCode, Treatment
_MINUTE_NS, _JITTER_NS = 60 * 10**9, 10**9


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement of a symbol.

    Attributes:
        time_ns: When, put back on the full minute it was meant for.
        rate: Rate, positive is paid by longs.
        mark: Mark price; None where it is not known.
    """

    time_ns: int
    rate: Decimal
    mark: Decimal | None


class FundingTable:
    """The settlements of a table, each once.

    Args:
        table: The settlements.
        findings: Where rows that jitter, repeat or contradict are named.
        quotes: Quotes that stand in for a missing mark price.
    """

    def __init__(self, table: InputTable, findings: Findings, quotes: QuoteBook | None) -> None:
        decoder = Decoder(table, findings, None)
        symbol, venue = decoder.coded("symbol"), decoder.coded("venue")
        times, _ = decoder.times("time_ns")
        rate, mark = decoder.fixed("rate"), decoder.fixed("mark")
        meant = (times + _MINUTE_NS // 2) // _MINUTE_NS * _MINUTE_NS
        near = np.abs(times - meant) <= _JITTER_NS
        decoder.note_where(
            C.FUNDING_JITTER, T.FALLBACK, "time_ns",
            "taken to be of the full minute less than a second away", near & (times != meant),
        )  # fmt: skip
        times = np.where(near, meant, times)
        if quotes is not None and not mark.present.all():
            found = quotes.find(Keys(venue, symbol), times, ~mark.present)
            use = ~mark.present & found.sound
            decoder.note_where(C.NO_MARK, T.FALLBACK, "mark", "mid of the quotes at that time", use)
            mark = mark.filled(found.mid(), use)
        decoder.note_where(
            C.NO_MARK, T.FALLBACK, "mark", "valued at the last fill before it",
            ~mark.present & ~decoder.refused,
        )  # fmt: skip
        self._by_name: dict[tuple[str, str], dict[int, tuple[int, Settlement]]] = {}
        self._refused: dict[tuple[str, str], set[int]] = {}
        self._twice: list[int] = []
        self._clash: list[int] = []
        for row in np.flatnonzero(~decoder.refused).tolist():
            value = rate.decimal(row)
            if value is not None:
                one = Settlement(int(times[row]), value, mark.decimal(row))
                self._put((venue.text(row), symbol.text(row)), row, one)
        decoder.note(
            C.FUNDING_DUPLICATE, T.LEFT_OUT, "", "counted once", np.array(self._twice, np.int64)
        )
        decoder.refuse(
            C.FUNDING_CONFLICT, "rate", "two settlements at one instant differ; neither counts",
            np.array(sorted(set(self._clash)), np.int64),
        )  # fmt: skip

    def of(self, venue: str, symbol: str) -> list[Settlement]:
        """Return the settlements of a symbol by time; those of no venue where it has none."""
        name = (venue, symbol) if (venue, symbol) in self._by_name else ("", symbol)
        found, refused = self._by_name.get(name, {}), self._refused.get(name, set())
        return [found[at][1] for at in sorted(found) if at not in refused]

    def _put(self, name: tuple[str, str], row: int, one: Settlement) -> None:
        known = self._by_name.setdefault(name, {})
        if one.time_ns not in known:
            known[one.time_ns] = (row, one)
            return
        earlier, other = known[one.time_ns]
        marks = {m for m in (one.mark, other.mark) if m is not None}
        if one.rate != other.rate or len(marks) > 1:
            self._clash += [earlier, row]
            self._refused.setdefault(name, set()).add(one.time_ns)
            return
        self._twice.append(row)
        if other.mark is None:
            known[one.time_ns] = (earlier, one)


def order_funding(orders: Orders, fills: Fills, table: FundingTable | None) -> Ints:
    """Return the funding of every order in minor units; positive is paid.

    Args:
        orders: Orders; those of linear and inverse markets can pay funding.
        fills: Their fills, by time.
        table: Settlements; None where there are none.
    """
    paid = [0] * len(orders)
    perpetual = orders.names["market"].lookup({"linear": True, "inverse": True}, False)
    mine = np.flatnonzero(perpetual.astype(np.bool_)[fills.order]) if len(orders) else ()
    if not len(mine):
        return np.zeros(len(orders), np.int64)
    unknown: list[Ints] = []
    for venue, symbol, rows in _holdings(orders, fills, np.asarray(mine)):
        settlements = [] if table is None else table.of(venue, symbol)
        if not settlements:
            unknown.append(np.unique(fills.order[rows]))
            continue
        _hold(orders, fills, rows, settlements, paid)
    if unknown:
        orders.decoder.note(
            C.NO_FUNDING, T.NOTED, "", "no settlement of its symbol: funding is not in its costs",
            orders.row[np.unique(np.concatenate(unknown))],
        )  # fmt: skip
    # what is beyond the limit is refused where the parts are put together
    return np.array([max(min(p, LIMIT), -LIMIT) for p in paid], np.int64)


def _holdings(orders: Orders, fills: Fills, mine: Ints) -> Iterator[tuple[str, str, Ints]]:
    """Yield venue, symbol and fills of what each strategy holds of each symbol at each venue."""
    names = [orders.names[name] for name in ("venue", "symbol", "strategy", "market")]
    code = np.zeros(len(orders), np.int64)
    for column in names:
        code = code * (len(column.words) + 1) + column.codes + 1
    of_fill = code[fills.order[mine]]
    for alike in rows_alike(of_fill):
        rows = mine[alike]
        first = int(fills.order[rows[0]])
        yield names[0].text(first), names[1].text(first), rows


def _hold(
    orders: Orders, fills: Fills, rows: Ints, settlements: list[Settlement], paid: list[int]
) -> None:
    lots: deque[tuple[int, int]] = deque()  # order, signed quantity
    unit = Fraction(1, 10**fills.quantity.digits)
    inverse = bool(orders.inverse[fills.order[rows[0]]])
    signed = fills.quantity.ints[rows] * orders.sign[fills.order[rows]]
    due = iter(settlements)
    one = next(due, None)
    last = 0
    steps = zip(
        fills.at_ns[rows].tolist(), fills.order[rows].tolist(), signed.tolist(), strict=True
    )
    for row, (at, order, quantity) in zip(rows.tolist(), steps, strict=True):
        while one is not None and one.time_ns <= at:
            _settle(fills, lots, unit, one, last, paid, inverse)
            one = next(due, None)
        last = row
        while quantity and lots and (lots[0][1] > 0) != (quantity > 0):
            owner, held = lots.popleft()
            if abs(held) > abs(quantity):
                lots.appendleft((owner, held + quantity))
                quantity = 0
            else:
                quantity += held
        if quantity:
            lots.append((order, quantity))
    while one is not None:
        _settle(fills, lots, unit, one, last, paid, inverse)
        one = next(due, None)


def _settle(
    fills: Fills,
    lots: deque[tuple[int, int]],
    unit: Fraction,
    one: Settlement,
    last: int,
    paid: list[int],
    inverse: bool,
) -> None:
    held = sum(quantity for _, quantity in lots)
    if not held:
        return
    mark = Fraction(one.mark or fills.price.decimal(last) or 0)  # a held fill has a price
    worth = held * unit / mark if inverse else held * unit * mark
    amount = to_minor(worth * Fraction(one.rate))
    shares = split_exactly(amount, [abs(quantity) for _, quantity in lots])
    for (order, _), share in zip(lots, shares, strict=True):
        paid[order] += share
