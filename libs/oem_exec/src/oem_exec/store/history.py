"""What is read of a store's whole history: light rows, for a start that costs little an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from oem_exec.model.fill import Fill
from oem_exec.model.states import OrderState
from oem_exec.store.rows import FILL_COLUMNS, fill_of

_FILL_COLUMNS = ", ".join(f"f.{name}" for name in FILL_COLUMNS.split(", "))
SELECT_BOOKED = f"""SELECT {_FILL_COLUMNS}, json_extract(o.intent, '$.strategy')
    FROM fills f JOIN orders o USING (client_order_id) WHERE f.venue IN ({{marks}})
    ORDER BY f.time_ns, f.client_order_id, f.trade_id"""  # noqa: S608 - constants
SELECT_OUTCOMES = """SELECT intent_id, client_order_id, state, max(attempt) FROM orders
    WHERE venue IN ({marks}) GROUP BY intent_id ORDER BY sent_ns"""
SELECT_NEWEST_FILL = "SELECT max(time_ns) FROM fills WHERE venue = ?"


class BookedFill(NamedTuple):
    """A fill, and the strategy whose order it filled."""

    fill: Fill
    strategy: str


class Outcome(NamedTuple):
    """How the newest order of an intent stands."""

    intent_id: str
    client_order_id: str
    state: OrderState


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which orders a page holds.

    Attributes:
        venues: Only orders of these venues.
        symbol: Only of this symbol; empty for all.
        intent_id: Only of this intent; empty for all.
        unfinished: Only those that are not in a terminal state.
        before: `sent_ns` and `client_order_id` of the last order of the page before;
            None for the newest orders.
    """

    venues: tuple[str, ...]
    symbol: str = ""
    intent_id: str = ""
    unfinished: bool = False
    before: tuple[int, str] | None = None


_STATES = {state.value: state for state in OrderState}
_TERMINAL = tuple(state.value for state in OrderState if state.terminal)


def booked_of(row: Sequence[Any]) -> BookedFill:
    """Return the fill of a row of `SELECT_BOOKED`; raises one of `UNREADABLE`."""
    return BookedFill(fill_of(row), row[-1])


def outcome_of(row: Sequence[Any]) -> Outcome:
    """Return the outcome of a row of `SELECT_OUTCOMES`; raises KeyError."""
    return Outcome(row[0], row[1], _STATES[row[2]])


def marks(values: Iterable[object]) -> str:
    """Return the placeholders of an IN list."""
    return ", ".join("?" for _ in values)


def page_clause(query: PageQuery, limit: int) -> tuple[str, tuple[object, ...]]:
    """Return the end of a SELECT of orders, newest first, and its values."""
    where = [f"venue IN ({marks(query.venues)})"]
    values: list[object] = [*query.venues]
    if query.symbol:
        where.append("symbol = ?")
        values.append(query.symbol)
    if query.intent_id:
        where.append("intent_id = ?")
        values.append(query.intent_id)
    if query.unfinished:
        where.append(f"state NOT IN ({marks(_TERMINAL)})")
        values += _TERMINAL
    if query.before is not None:
        where.append("(sent_ns, client_order_id) < (?, ?)")
        values += query.before
    clause = f"WHERE {' AND '.join(where)} ORDER BY sent_ns DESC, client_order_id DESC LIMIT ?"
    return clause, (*values, limit)
