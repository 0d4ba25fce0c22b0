"""What the cost ledger is told: every order and fill of the store, each once, after a crash too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import oem_tco
from oem_daemon import translate
from oem_daemon.decision_log import DecisionLog
from oem_daemon.history import OrderHistory
from oem_daemon.scheduler import OPERATOR, SCHEDULER_NAME
from oem_exec import BookSnapshot, Fill, Order
from oem_tco import OrderRow
from oem_tco.ledger.rows import header, order_from, to_cells

TERMS = "cost.terms"
"""Kind of the log entry that holds an order's row as it was before the order was sent."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far the ledger is behind the orders.

    Attributes:
        changed: Intents whose row is missing or shows another state, with the id of their order.
        rows: The rows there are of these and of the orders that may still change.
        resting: Intents whose row is right and may still change.
    """

    changed: Mapping[str, str]
    rows: Mapping[str, OrderRow]
    resting: Collection[str]

    @property
    def unknown(self) -> frozenset[str]:
        """Return the orders whose terms are wanted: a part of an order goes by the whole's."""
        missing = self.changed.keys() - self.rows.keys()
        return frozenset({*missing, *map(whole_id, missing)})


class CostBook:
    """Keeps the cost ledger in step with the orders.

    The terms of an order (decision and arrival with their prices) go to the decision log before
    the order is sent, its row to the ledger when its outcome is known. A process killed in between
    leaves an order without a row; `catch_up` writes it from the log. Order and terms go to the
    disk side by side, and nothing is sent before both are there: an order killed when only the
    store had it never left, and its row goes by what the store knows.

    Args:
        ledger: The ledger.
        log: The decision log.
    """

    def __init__(self, ledger: oem_tco.CostLedger, log: DecisionLog) -> None:
        self._ledger = ledger
        self._log = log
        self._rows: dict[str, OrderRow] = {}
        self._ahead: set[str] = set()  # fills whose row is older than their place in the store

    def announce(self, row: OrderRow) -> None:
        """Hand the terms of an order to the log; the router's own entry waits for them."""
        cells = dict(zip(header(OrderRow), to_cells(row), strict=True))
        self._log.write(TERMS, cells)

    def outcome(self, row: OrderRow, order: Order, now_ns: int, mid: Decimal | None) -> None:
        """Write the row of an order whose submission has returned."""
        self._rows[row.order_id] = row
        self._write(row, order, now_ns, mid)

    def changed(self, order: Order, now_ns: int, mid: Decimal | None) -> None:
        """Write the row of an order again, when it has one and its state is another."""
        row = self._rows.get(order.intent_id)
        if row is not None and row.status != order.state.value:
            self._write(row, order, now_ns, mid)

    def _write(self, row: OrderRow, order: Order, now_ns: int, mid: Decimal | None) -> None:
        changed = replace(
            row,
            venue=order.venue or row.venue,
            status=order.state.value,
            end_time_ns=now_ns,
            end_price=mid,
        )
        self._ledger.record_order(changed)
        if order.state.terminal:
            self._rows.pop(order.intent_id, None)
        else:
            self._rows[order.intent_id] = changed

    def filled(self, fill: Fill, order: Order, touch: BookSnapshot | None) -> None:
        """Write a fill, unless a process wrote it that was killed before the store had it."""
        name = translate.fill_id(fill)
        if name in self._ahead:
            self._ahead.discard(name)
        else:
            self._ledger.record_fill(translate.fill_row(fill, order, touch))

    def sync(self) -> None:
        """Return once everything written is on disk."""
        self._ledger.sync()

    def behind(self, history: OrderHistory) -> Behind:
        """Compare the ledger with every order there is, by id and status alone."""
        statuses = self._ledger.statuses()
        resting, changed = [], {}
        for name, client_order_id, state in history.outcomes():
            if statuses.get(name) != state.value:
                changed[name] = client_order_id
            elif not state.terminal:
                resting.append(name)
        return Behind(changed, self._ledger.orders({*changed, *resting}), resting)

    def catch_up(
        self, behind: Behind, history: OrderHistory, terms: Mapping[str, Mapping[str, str]]
    ) -> int:
        """Write what an earlier process did not get to write; returns the number of rows.

        Args:
            behind: What `behind` found.
            history: Every order there is.
            terms: Terms of `behind.unknown` as the log has them, cells by column.
        """
        self._rows |= {name: behind.rows[name] for name in behind.resting}
        written = 0
        for name, client_order_id in behind.changed.items():
            order = history.order(client_order_id)
            row = behind.rows.get(name) or _terms(order, terms)
            if row is None:
                continue
            last = max((fill.time_ns for fill in order.fills), default=order.updated_ns)
            self.outcome(translate.part_terms(row, order), order, last, None)
            written += 1
        return written + self._restore_fills(history)

    def _restore_fills(self, history: OrderHistory) -> int:
        known = set(self._ledger.fill_ids())
        written = 0
        for fill, _ in history.fills():
            name = translate.fill_id(fill)
            if name in known:
                known.discard(name)
            else:
                self.filled(fill, history.order(fill.client_order_id), None)
                written += 1
        self._ahead = known
        return written


def _terms(order: Order, logged: Mapping[str, Mapping[str, str]]) -> OrderRow | None:
    name = order.intent_id
    cells = logged.get(name) or logged.get(whole_id(name))
    if cells is not None:
        return order_from(dict(cells), TERMS)
    arrival = order.intent.arrival_price
    if arrival is None:
        return None
    made_ns, operators = order.intent.created_ns, order.intent.strategy == OPERATOR
    row = translate.order_terms(
        order.intent,
        venue=order.venue,
        quote=order.intent.symbol.split("/")[1],
        scheduler=OPERATOR if operators else SCHEDULER_NAME,
        decision_time_ns=made_ns,
        decision_price=arrival,
        arrival_time_ns=made_ns,
        arrival_price=arrival,
        estimate=None,
    )
    return replace(row, decision_id=whole_id(name))


def whole_id(intent_id: str) -> str:
    """Return the id of the order that a part belongs to, or the id itself.

    Example:
        >>> whole_id("17c-4~1"), whole_id("17c-4"), whole_id("a~b")
        ('17c-4', '17c-4', 'a~b')
    """
    whole, mark, number = intent_id.rpartition("~")
    return whole if mark and number.isdecimal() else intent_id
