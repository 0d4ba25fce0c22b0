"""What is read of a store's whole history: light rows, for a start that costs little an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from oem_exec.model.enums import Liquidity, Side
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState

SELECT_BOOKED = """SELECT f.venue, f.symbol, f.trade_id, f.client_order_id, f.side, f.quantity,
    f.price, f.fee, f.fee_asset, f.liquidity, f.time_ns, f.notional, o.intent_id,
    json_extract(o.intent, '$.strategy')
    FROM fills f JOIN orders o USING (client_order_id) WHERE f.venue IN ({marks})
    ORDER BY f.time_ns, f.client_order_id, f.trade_id"""
SELECT_OUTCOMES = """SELECT intent_id, client_order_id, state, max(attempt) FROM orders
    WHERE venue IN ({marks}) GROUP BY intent_id ORDER BY sent_ns"""
SELECT_NEWEST_FILL = "SELECT max(time_ns) FROM fills WHERE venue = ?"


class BookedFill(NamedTuple):
    """A fill with whose it was; the fields of a `Fill`, and the intent and its strategy."""

    venue: str
    symbol: str
    trade_id: str
    client_order_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ns: int
    notional: Decimal
    intent_id: str
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
        before: Where the page before ended, as `cursor` says; None for the newest orders.
    """

    venues: tuple[str, ...]
    symbol: str = ""
    intent_id: str = ""
    unfinished: bool = False
    before: tuple[int, str] | None = None


def cursor(order: Order) -> tuple[int, str]:
    """Return the place of an order in the listing."""
    return order.sent_ns, order.client_order_id


_SIDES = {side.value: side for side in Side}
_LIQUIDITY = {liquidity.value: liquidity for liquidity in Liquidity}
_STATES = {state.value: state for state in OrderState}
_TERMINAL = tuple(state.value for state in OrderState if state.terminal)


def booked_of(row: Sequence[Any]) -> BookedFill:
    """Return the fill of a row of `SELECT_BOOKED`; raises KeyError or ArithmeticError."""
    return BookedFill(
        row[0], row[1], row[2], row[3],
        _SIDES[row[4]], Decimal(row[5]), Decimal(row[6]), Decimal(row[7]),
        row[8], _LIQUIDITY[row[9]], row[10], Decimal(row[11]), row[12], row[13],
    )  # fmt: skip


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
