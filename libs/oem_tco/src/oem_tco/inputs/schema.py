"""The tables costs are computed from: columns, units, what may be empty."""

# ruff: noqa: E501 - a row of a table below stays on one line
from __future__ import annotations

import enum
from dataclasses import dataclass

from oem_tco.terms import Liquidity, OrderType, Side


class TableName(enum.StrEnum):
    """The tables this library reads."""

    ORDERS = "orders"
    FILLS = "fills"
    QUOTES = "quotes"
    FUNDING = "funding"
    VOLUME = "volume"
    RATES = "rates"


class Kind(enum.StrEnum):
    """What a column holds, and which Arrow types say so."""

    ID = "id"
    """Text or integer, hardly two alike."""
    NAME = "name"
    """Text of few values; dictionary-encoded or plain."""
    WORD = "word"
    """One of a closed set of words."""
    TIME = "time"
    """UTC: int64 nanoseconds, or an Arrow timestamp with a time zone."""
    DECIMAL = "decimal"
    """decimal128, integer, text, or float64 read as the shortest decimal that gives it back."""
    NUMBER = "number"
    """float64."""
    COUNT = "count"
    """int64."""


class Presence(enum.StrEnum):
    """Whether a column, and each cell of it, has to be there."""

    REQUIRED = "required"
    """In the table and in every row."""
    NULLABLE = "nullable"
    """In the table; a cell may be empty, what then holds is in the findings."""
    OPTIONAL = "optional"
    """The whole column may be missing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name; other names are mapped to it when the table is read.
        kind: What it holds.
        unit: Unit of its values; empty for text.
        meaning: What it says, and what holds where it is empty.
        presence: Whether it may be missing or empty.
        positive: Whether values must be above 0.
        words: The closed set of a WORD column.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    presence: Presence = Presence.REQUIRED
    positive: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of one table."""

    name: TableName
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


# name | kind, "+" for values above 0 | unit | presence | meaning
_ORDERS = """
order_id         | id       |            | required | id of the order
symbol           | name     |            | required | symbol; BASE/QUOTE where the base asset pays fees
side             | word     |            | required | direction
quantity         | decimal+ | base       | required | wanted quantity; of inverse contracts quote units
currency         | name     |            | required | quote currency of every price and amount of the order; of inverse contracts the base asset
decision_time_ns | time     | UTC ns     | required | when it was decided
decision_price   | decimal+ | quote/base | nullable | mid at the decision; empty: mid of the quotes, else arrival price
arrival_time_ns  | time     | UTC ns     | nullable | when it reached the market; empty: decision time
arrival_price    | decimal+ | quote/base | nullable | mid at arrival; empty: mid of the quotes, else decision price
end_time_ns      | time     | UTC ns     | optional | when it ended; empty: still open
end_price        | decimal+ | quote/base | optional | mid at the end; empty: mid of the quotes, else arrival price
status           | name     |            | optional | last state
decision_id      | id       |            | optional | decision that led to it
strategy         | name     |            | optional | who wanted it
profile          | name     |            | optional | risk profile
scheduler        | name     |            | optional | scheduler
venue            | name     |            | optional | where it went
market           | word     |            | optional | kind of market; empty: spot
order_type       | word     |            | optional | how it meets the book; empty: market
est_low_bps      | number   | bps        | optional | lower end of the estimate before the trade, an 80 % interval
est_expected_bps | number   | bps        | optional | expected cost before the trade
est_high_bps     | number   | bps        | optional | upper end of the estimate, of the same interval
revision         | count    |            | optional | of two rows of one order the higher counts (amendments)
"""

_FILLS = """
fill_id           | id       |                 | required | id of the fill
order_id          | id       |                 | required | order it belongs to
time_ns           | time     | UTC ns          | required | when, by the venue's clock
price             | decimal+ | quote/base      | required | price
quantity          | decimal+ | base            | required | filled quantity; of inverse contracts quote units
liquidity         | word     |                 | nullable | maker or taker; empty: taken for taker
fee_amount        | decimal  | fee_asset       | nullable | fee, positive is a cost, negative a rebate; empty: from the fee schedule
fee_asset         | name     |                 | nullable | asset the fee was paid in; empty: the order's currency
bid               | decimal  | quote/base      | optional | best bid just before the fill; empty: from the quotes
ask               | decimal  | quote/base      | optional | best ask just before the fill; empty: from the quotes
fee_rate_to_quote | decimal+ | quote/fee_asset | optional | rate of the fee asset at the time; empty: from the rates
"""

_QUOTES = """
symbol  | name    |            | required | symbol
time_ns | time    | UTC ns     | required | from when the quote holds
bid     | decimal | quote/base | nullable | best bid; empty: the quote is not used
ask     | decimal | quote/base | nullable | best ask; empty: the quote is not used
venue   | name    |            | optional | venue; empty: of every venue that has no quotes of its own
seq     | count   |            | optional | of quotes at one instant the highest counts; without it the widest
"""

_FUNDING = """
symbol  | name     |            | required | symbol of the perpetual contract
time_ns | time     | UTC ns     | required | settlement as published
rate    | decimal  | 1          | required | rate of the interval, positive is paid by longs
mark    | decimal+ | quote/base | nullable | mark price; empty: mid of the quotes
venue   | name     |            | optional | venue; empty: every venue
"""

_VOLUME = """
symbol  | name     |            | required | symbol
time_ns | time     | UTC ns     | required | when it traded; for bars their last instant, before midnight for the last of a day
price   | decimal+ | quote/base | required | price of the trade, or the bar's own VWAP
volume  | decimal+ | base       | required | traded quantity
venue   | name     |            | optional | venue; empty: every venue
"""

_RATES = """
asset    | name     |                | required | asset that is converted
currency | name     |                | required | currency it is converted to
time_ns  | time     | UTC ns         | required | from when the rate holds
rate     | decimal+ | currency/asset | required | price of one asset
"""


def _words(kind: type[enum.StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in kind)


_WORDS = {
    "side": _words(Side),
    "liquidity": _words(Liquidity),
    "order_type": _words(OrderType),
    "market": ("spot", "linear", "inverse"),
}


def _schema(name: TableName, text: str) -> TableSchema:
    columns = []
    for line in text.strip().splitlines():
        column, kind, unit, presence, meaning = (part.strip() for part in line.split("|"))
        columns.append(
            Column(
                name=column,
                kind=Kind(kind.rstrip("+")),
                unit=unit,
                meaning=meaning,
                presence=Presence(presence),
                positive=kind.endswith("+"),
                words=_WORDS.get(column, ()),
            )
        )
    return TableSchema(name, tuple(columns))


SCHEMAS: dict[TableName, TableSchema] = {
    name: _schema(name, text)
    for name, text in (
        (TableName.ORDERS, _ORDERS),
        (TableName.FILLS, _FILLS),
        (TableName.QUOTES, _QUOTES),
        (TableName.FUNDING, _FUNDING),
        (TableName.VOLUME, _VOLUME),
        (TableName.RATES, _RATES),
    )
}
"""The schema of every table."""
