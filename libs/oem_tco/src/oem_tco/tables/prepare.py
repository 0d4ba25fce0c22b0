"""Orders and fills made ready: each once, each in its place, what cannot be used named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oem_tco.inputs.decode import Coded, Decoder
from oem_tco.inputs.findings import FindingCode, Findings, Treatment
from oem_tco.inputs.fixed import Bools, Fixed
from oem_tco.inputs.ids import all_different, positions
from oem_tco.inputs.read import InputTable
from oem_tco.ledger.rows import INVERSE
from oem_tco.tables.exact import Ints, group_sums

C, T = FindingCode, Treatment


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders that can be costed, by decision time and id.

    Attributes:
        decoder: For findings; its rows are those of the table as given.
        row: Row of each order in the table.
        ids: Order ids.
        sign: +1 for a buy, -1 for a sell.
        quantity: Wanted base units.
        decided_ns: Decision time; so are arrived_ns and ended_ns, with has_end where it ended.
        prices: `decision_price`, `arrival_price` and `end_price` as given, filled in later.
        names: The text columns by name.
    """

    decoder: Decoder
    row: Ints
    ids: pa.Array
    sign: Ints
    quantity: Fixed
    decided_ns: Ints
    arrived_ns: Ints
    ended_ns: Ints
    has_end: Bools
    prices: dict[str, Fixed]
    names: dict[str, Coded]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def inverse(self) -> Bools:
        """Which are of contracts counted in quote units that settle in their base asset."""
        return self.names["market"].lookup({INVERSE: True}, False).astype(np.bool_)

    @property
    def cost_sign(self) -> Ints:
        """+1 where more value paid is a cost, -1 where it is a gain, as `OrderRow.cost_sign`."""
        inverse = self.inverse
        return np.where(inverse, -self.sign, self.sign) if inverse.any() else self.sign

    def take(self, rows: npt.NDArray[np.integer]) -> Orders:
        return replace(
            self,
            row=self.row[rows],
            ids=self.ids.take(pa.array(rows)),
            sign=self.sign[rows],
            quantity=self.quantity.take(rows),
            decided_ns=self.decided_ns[rows],
            arrived_ns=self.arrived_ns[rows],
            ended_ns=self.ended_ns[rows],
            has_end=self.has_end[rows],
            prices={name: column.take(rows) for name, column in self.prices.items()},
            names={name: column.take(rows) for name, column in self.names.items()},
        )


@dataclass(frozen=True, slots=True)
class Fills:
    """The fills that can be costed, by time and id.

    Attributes:
        decoder: For findings; its rows are those of the table as given.
        row: Row of each fill in the table.
        ids: Fill ids; of_order the id of its order.
        order: Position of each fill's order in `Orders`.
        at_ns: When, venue clock put right.
        price: Quote units; so are quantity in base units, and the given bid and ask.
        maker: Whether it rested in the book.
        fee: Fee in the fee asset; fee_rate its rate where it is given.
    """

    decoder: Decoder
    row: Ints
    ids: pa.Array
    of_order: pa.Array
    order: Ints
    at_ns: Ints
    price: Fixed
    quantity: Fixed
    maker: Bools
    bid: Fixed
    ask: Fixed
    fee: Fixed
    fee_rate: Fixed
    fee_asset: Coded

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: npt.NDArray[np.integer]) -> Fills:
        return replace(
            self,
            row=self.row[rows],
            ids=self.ids.take(pa.array(rows)),
            of_order=self.of_order.take(pa.array(rows)),
            order=self.order[rows],
            at_ns=self.at_ns[rows],
            price=self.price.take(rows),
            quantity=self.quantity.take(rows),
            maker=self.maker[rows],
            bid=self.bid.take(rows),
            ask=self.ask.take(rows),
            fee=self.fee.take(rows),
            fee_rate=self.fee_rate.take(rows),
            fee_asset=self.fee_asset.take(rows),
        )


NAMES = (
    "strategy", "profile", "scheduler", "venue", "market", "symbol", "side", "order_type",
    "status", "currency",
)  # fmt: skip
DEFAULTS = {"market": "spot", "order_type": "market"}


def read_orders(table: InputTable, findings: Findings) -> Orders:
    """Return the orders of a table, each id once; bad rows are named and left behind."""
    plain = Decoder(table, findings, None)
    ids = plain.ids("order_id")
    decoder = Decoder(table, findings, ids)
    decoder.refused = plain.refused
    names = {name: decoder.coded(name) for name in NAMES}
    for name, word in DEFAULTS.items():
        names[name] = _filled(names[name], word)
    quantity = decoder.fixed("quantity")
    prices = {n: decoder.fixed(n) for n in ("decision_price", "arrival_price", "end_price")}
    decided, _ = decoder.times("decision_time_ns")
    arrived, has_arrival = decoder.times("arrival_time_ns")
    ended, has_end = decoder.times("end_time_ns")
    decoder.note_where(
        C.NO_ARRIVAL_TIME, T.FALLBACK, "arrival_time_ns",
        "taken to have arrived when it was decided", ~has_arrival,
    )  # fmt: skip
    arrived = np.where(has_arrival, arrived, decided)
    decoder.note_where(
        C.CLOCK_SKEW, T.NOTED, "arrival_time_ns",
        "it arrived before it was decided; prices are taken as they are", arrived < decided,
    )  # fmt: skip
    decoder.refuse(
        C.WRONG_SETTLEMENT, "currency", "give the base asset, and the quantity in quote units",
        _settled_elsewhere(names),
    )  # fmt: skip
    keep = _each_once(decoder, ids, "revision", C.DUPLICATE_ORDER, C.CONFLICTING_ORDER)
    keep = keep[~decoder.refused[keep]]
    sign = np.where(names["side"].lookup({"sell": True}, False), -1, 1).astype(np.int64)
    orders = Orders(
        decoder, np.arange(table.rows), ids, sign, quantity, decided, arrived, ended, has_end,
        prices, names,
    )  # fmt: skip
    return orders.take(keep[sorted_by(decided[keep], ids.take(pa.array(keep)))])


def read_fills(
    table: InputTable, orders: Orders, findings: Findings, clock_ahead_ns: dict[str, int]
) -> tuple[Orders, Fills]:
    """Return the fills of a table, each id once, and the orders that can be costed with them.

    An order loses its place when one of its fills cannot be used: its cost is not known.

    Args:
        table: The fills.
        orders: The orders.
        findings: Where bad rows are named.
        clock_ahead_ns: By how much a venue's clock is ahead of the site's, by venue.
    """
    plain = Decoder(table, findings, None)
    ids = plain.ids("fill_id")
    decoder = Decoder(table, findings, ids)
    decoder.refused = plain.refused
    of_order = decoder.ids("order_id")
    place = positions(of_order, orders.ids)
    at, _ = decoder.times("time_ns")
    maker = _makers(decoder)
    fills = Fills(
        decoder, np.arange(table.rows), ids, of_order, place, at, decoder.fixed("price"),
        decoder.fixed("quantity"), maker, decoder.fixed("bid"), decoder.fixed("ask"),
        decoder.fixed("fee_amount"), decoder.fixed("fee_rate_to_quote"), decoder.coded("fee_asset"),
    )  # fmt: skip
    keep = _each_once(decoder, ids, "", C.DUPLICATE_FILL, C.CONFLICTING_FILL)
    refused = np.zeros(len(orders), np.bool_)
    bad = place[decoder.refused]
    refused[bad[bad >= 0]] = True
    orders.decoder.refuse(
        C.REFUSED_FILL, "", "one of its fills cannot be used", orders.row[refused]
    )
    keep = keep[~decoder.refused[keep]]
    _name_orphans(decoder, orders, of_order, place, keep, refused)
    keep = keep[place[keep] >= 0]
    keep = keep[~refused[place[keep]]]
    over = np.flatnonzero(_unfilled(orders, fills.quantity.take(keep), place[keep]) < 0)
    orders.decoder.refuse(
        C.OVERFILLED_ORDER, "quantity", "more was filled than ordered", orders.row[over]
    )
    refused[over] = True
    keep = keep[~refused[place[keep]]]
    if refused.any():
        orders, place = _without(orders, place, refused)
        fills = replace(fills, order=place)
    if clock_ahead_ns and len(orders):
        at = at - orders.names["venue"].lookup(clock_ahead_ns, 0).astype(np.int64)[place]
        fills = replace(fills, at_ns=at)
    fills = fills.take(keep[sorted_by(at[keep], ids, keep)]) if not _ready(at, keep) else fills
    return orders, fills


def _settled_elsewhere(names: dict[str, Coded]) -> Ints:
    """Return the rows of inverse contracts whose currency is not the base of their symbol."""
    inverse = np.flatnonzero(names["market"].lookup({INVERSE: True}, False).astype(np.bool_))
    symbol, currency = names["symbol"], names["currency"]
    wrong = [
        row
        for row in inverse.tolist()
        if "/" in symbol.text(row) and symbol.text(row).split("/")[0] != currency.text(row)
    ]
    return np.array(wrong, np.int64)


def _without(orders: Orders, place: Ints, refused: Bools) -> tuple[Orders, Ints]:
    moved = np.cumsum(~refused) - 1
    moved = np.append(np.where(refused, -1, moved), -1)
    return orders.take(np.flatnonzero(~refused)), moved[place]


def _unfilled(orders: Orders, quantity: Fixed, place: Ints) -> npt.NDArray[Any]:
    """Return wanted minus filled quantity of every order."""
    filled = group_sums(quantity.ints, place, len(orders))
    done = Fixed(filled, quantity.digits, orders.quantity.present)
    digits = max(orders.quantity.digits, quantity.digits)
    left: npt.NDArray[Any] = orders.quantity.at(digits).ints - done.at(digits).ints
    return left


def _ready(at: Ints, keep: Ints) -> bool:
    """Whether every row is kept and in order already, so that nothing has to be moved."""
    return len(keep) == len(at) and bool((at[1:] > at[:-1]).all())


def _name_orphans(
    decoder: Decoder, orders: Orders, of_order: pa.Array, place: Ints, keep: Ints, refused: Bools
) -> None:
    unknown = keep[place[keep] < 0]
    if len(unknown):
        given = orders.decoder.ids("order_id")
        known = pc.is_in(of_order.take(pa.array(unknown)), value_set=given).to_numpy(
            zero_copy_only=False
        )
        decoder.note(C.FILL_WITHOUT_ORDER, T.LEFT_OUT, "order_id", "no such order", unknown[~known])
        decoder.note(C.REFUSED_FILL, T.REFUSED, "", "its order is refused", unknown[known])
    mine = keep[place[keep] >= 0]
    decoder.note(
        C.REFUSED_FILL, T.REFUSED, "", "another fill of its order cannot be used",
        mine[refused[place[mine]]],
    )  # fmt: skip


def _makers(decoder: Decoder) -> Bools:
    liquidity = decoder.coded("liquidity")
    decoder.note_where(
        C.NO_LIQUIDITY, T.FALLBACK, "liquidity", "taken for a taker", liquidity.empty
    )
    table = {word: word.lower() == "maker" for word in liquidity.words}
    return liquidity.lookup(table, False).astype(np.bool_)


def _filled(column: Coded, word: str) -> Coded:
    """Return a text column with a word in its empty cells."""
    if not column.empty.any():
        return column
    words = tuple(sorted({*column.words, word}))
    moved = np.array([*(words.index(w) for w in column.words), words.index(word)], np.int32)
    return Coded(moved[column.codes], words)


def _each_once(
    decoder: Decoder, ids: pa.Array, newest: str, twice: FindingCode, conflict: FindingCode
) -> Ints:
    """Return one row for every id: the newest, or the only content it has.

    Args:
        decoder: Of the table.
        ids: Id of every row.
        newest: Column whose highest value counts; empty where there is none.
        twice: Code for rows that only repeat another.
        conflict: Code for rows of one id that differ and nothing says which counts.
    """
    every = np.arange(len(ids))
    if all_different(ids):
        return every
    counted = ids.value_counts()
    again = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    rows = np.flatnonzero(pc.is_in(ids, value_set=again).to_numpy(zero_copy_only=False))
    table = decoder.table.take(rows).arrow()
    newer = [0] * len(rows)
    if newest and newest in table.column_names:
        newer = [v if v is not None else -1 for v in table.column(newest).to_pylist()]
    by_id: dict[str, list[int]] = {}
    for place, name in enumerate(ids.take(pa.array(rows)).to_pylist()):
        by_id.setdefault(name, []).append(place)
    drop: list[int] = []
    repeated: list[int] = []
    clashing: list[int] = []
    contents = [repr(row) for row in table.to_pylist()]
    for places in by_id.values():
        if not ids[int(rows[places[0]])].as_py():
            continue  # an empty id is named elsewhere
        top = max(newer[p] for p in places)
        latest = [p for p in places if newer[p] == top]
        drop += [p for p in places if newer[p] != top]
        if len({contents[p] for p in latest}) > 1:
            clashing += latest
            continue
        repeated += latest[1:]
    decoder.note(twice, T.LEFT_OUT, "", "counted once", rows[np.array(repeated, np.int64)])
    decoder.refuse(
        conflict, "", "rows of one id differ, and nothing says which counts",
        rows[np.array(clashing, np.int64)],
    )  # fmt: skip
    gone = np.zeros(len(ids), np.bool_)
    gone[rows[np.array(drop + repeated, np.int64)]] = True
    return every[~gone]


def sorted_by(times: Ints, ids: pa.Array, rows: Ints | None = None) -> Ints:
    """Return positions in the order of times, then ids, of `rows` of the ids (None for all)."""
    if (times[1:] > times[:-1]).all():
        return np.arange(len(times))
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    same = ordered[1:] == ordered[:-1]
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    where = order[tied] if rows is None else rows[order[tied]]
    keys = pa.table({"time": ordered[tied], "id": ids.take(pa.array(where))})
    ranked = pc.sort_indices(keys, [("time", "ascending"), ("id", "ascending")]).to_numpy()
    order[tied] = order[tied][ranked]
    return order
