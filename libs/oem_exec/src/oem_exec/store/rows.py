"""Orders and fills as rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import Liquidity, Side
from oem_exec.model.fill import Fill
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState

ORDER_COLUMNS = (
    "client_order_id, intent_id, attempt, venue, symbol, state, intent, quantity, price, "
    "venue_order_id, filled_quantity, filled_notional, reason, cancel_requested, sent_ns, "
    "valid_until_ns, answered_ns, updated_ns, settled, asked_quantity"
)
INSERT_ORDER = f"INSERT OR IGNORE INTO orders ({ORDER_COLUMNS}) VALUES ({', '.join('?' * 20)})"  # noqa: S608 - constants
UPDATE_ORDER = """UPDATE orders SET state = ?, quantity = ?, price = ?, venue_order_id = ?,
    filled_quantity = ?, filled_notional = ?, reason = ?, cancel_requested = ?, sent_ns = ?,
    valid_until_ns = ?, answered_ns = ?, updated_ns = ?, settled = ?, asked_quantity = ?
    WHERE client_order_id = ?"""
SELECT_ORDERS = f"SELECT {ORDER_COLUMNS} FROM orders"  # noqa: S608 - constants
FILL_COLUMNS = (
    "venue, symbol, trade_id, client_order_id, side, quantity, price, fee, fee_asset, "
    "liquidity, time_ns, notional"
)
INSERT_FILL = f"INSERT OR IGNORE INTO fills ({FILL_COLUMNS}) VALUES ({', '.join('?' * 12)})"  # noqa: S608 - constants
# the second condition lets SQLite use the index, which holds no orders without such an id
SELECT_KNOWN_IDS = """SELECT venue_order_id FROM orders
    WHERE venue = ? AND venue_order_id <> '' AND venue_order_id IN ({marks})"""
SELECT_FILLS = f"SELECT {FILL_COLUMNS} FROM fills"  # noqa: S608 - constants

INSERT_CONTRADICTION = """INSERT INTO quarantine
    (time_ns, venue, client_order_id, what, evidence) VALUES (?, ?, ?, ?, ?)"""

Row = tuple[Any, ...]

UNREADABLE = (ValueError, ArithmeticError, TypeError, KeyError, AttributeError, InvalidOrder)
"""What `order_of` and `fill_of` raise for a row whose content makes no sense."""


def order_row(order: Order) -> Row:
    """Return the row that `INSERT_ORDER` takes."""
    intent = order.intent
    return (
        order.client_order_id,
        intent.intent_id,
        order.attempt,
        order.venue,
        intent.symbol,
        order.state.value,
        orjson.dumps(intent.as_json()).decode(),
        *_changing(order),
    )


def update_row(order: Order) -> Row:
    """Return the row that `UPDATE_ORDER` takes."""
    return (order.state.value, *_changing(order), order.client_order_id)


def _changing(order: Order) -> Row:
    return (
        str(order.quantity),
        None if order.price is None else str(order.price),
        order.venue_order_id,
        str(order.filled_quantity),
        str(order.filled_notional),
        order.reason,
        order.cancel_requested,
        order.sent_ns,
        order.valid_until_ns,
        order.answered_ns,
        order.updated_ns,
        order.settled,
        None if order.asked_quantity is None else str(order.asked_quantity),
    )


def order_of(row: Sequence[Any], fills: Sequence[Fill]) -> Order:
    """Return the order of a row of `SELECT_ORDERS`."""
    return Order(
        intent=OrderIntent.from_json(orjson.loads(row[6])),
        client_order_id=row[0],
        venue=row[3],
        attempt=row[2],
        state=OrderState(row[5]),
        quantity=Decimal(row[7]),
        price=None if row[8] is None else Decimal(row[8]),
        venue_order_id=row[9],
        filled_quantity=Decimal(row[10]),
        filled_notional=Decimal(row[11]),
        fills=tuple(fills),
        reason=row[12],
        cancel_requested=bool(row[13]),
        sent_ns=row[14],
        valid_until_ns=row[15],
        answered_ns=row[16],
        updated_ns=row[17],
        settled=bool(row[18]),
        asked_quantity=None if row[19] is None else Decimal(row[19]),
    )


def fill_row(fill: Fill) -> Row:
    """Return the row that `INSERT_FILL` takes."""
    return (
        fill.venue,
        fill.symbol,
        fill.trade_id,
        fill.client_order_id,
        fill.side.value,
        str(fill.quantity),
        str(fill.price),
        str(fill.fee),
        fill.fee_asset,
        fill.liquidity.value,
        fill.time_ns,
        str(fill.notional),
    )


def fill_of(row: Sequence[Any]) -> Fill:
    """Return the fill of a row of `SELECT_FILLS`."""
    return Fill(
        venue=row[0],
        symbol=row[1],
        trade_id=row[2],
        client_order_id=row[3],
        side=Side(row[4]),
        quantity=Decimal(row[5]),
        price=Decimal(row[6]),
        fee=Decimal(row[7]),
        fee_asset=row[8],
        liquidity=Liquidity(row[9]),
        time_ns=row[10],
        notional=Decimal(row[11]),
    )
