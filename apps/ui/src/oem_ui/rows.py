"""Messages as the cells of a table: text for people, and a tone that the colour follows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oem_api import enum_text, pb


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        key: What makes it the same line when it changes.
        cells: Texts, one for each column.
        tone: `good`, `bad`, `warn` or empty; the cells say the same in words.
    """

    key: str
    cells: tuple[str, ...]
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, share of the width, and whether it holds numbers."""

    title: str
    share: int
    number: bool = False


ORDER_COLUMNS = (
    Column("Time (UTC)", 13), Column("Symbol", 12), Column("Side", 7), Column("Type", 9),
    Column("Quantity", 12, True), Column("Filled", 12, True), Column("Avg price", 13, True),
    Column("State", 14), Column("Strategy", 14), Column("Order id", 20),
)  # fmt: skip
FILL_COLUMNS = (
    Column("Time (UTC)", 13), Column("Symbol", 12), Column("Side", 7),
    Column("Quantity", 12, True), Column("Price", 13, True), Column("Fee", 16, True),
    Column("Cost (bps)", 10, True), Column("Of which", 32),
)  # fmt: skip
DECISION_COLUMNS = (
    Column("Time (UTC)", 13), Column("Symbol", 12), Column("Strategy", 16), Column("Side", 7),
    Column("Quantity", 12, True), Column("Venue", 10), Column("Verdict", 11),
    Column("Edge (bps)", 11, True), Column("Cost (bps)", 11, True), Column("Net (bps)", 10, True),
    Column("Reasons", 30),
)  # fmt: skip
LIMIT_COLUMNS = (
    Column("Limit", 22), Column("Now", 16, True), Column("Allowed", 16, True),
    Column("Used", 10, True), Column("State", 14),
)  # fmt: skip
ALERT_COLUMNS = (
    Column("Time (UTC)", 13), Column("Severity", 11), Column("Source", 14),
    Column("What", 40), Column("Remedy", 40),
)  # fmt: skip

_BAD_ORDERS = {"rejected", "unknown", "quarantined", "absent"}


def clock_text(time_ns: int) -> str:
    """Return the time of day in UTC, a dash for 0."""
    if not time_ns:
        return "–"
    return f"{dt.datetime.fromtimestamp(time_ns // 1_000_000_000, dt.UTC):%H:%M:%S}"


def words(text: str) -> str:
    """Return an enum's word as people read it."""
    return text.replace("_", " ") or "–"


def order_row(order: pb.Order) -> Row:
    """Return the line of an order."""
    state = enum_text(pb.OrderState, order.state)
    tone = "bad" if state in _BAD_ORDERS else "good" if state == "filled" else ""
    return Row(
        order.client_order_id,
        (
            clock_text(order.created_ns),
            order.symbol,
            words(enum_text(pb.Side, order.side)),
            words(enum_text(pb.OrderType, order.type)),
            order.quantity,
            order.filled_quantity or "0",
            order.average_price or "–",
            words(state),
            order.strategy or "operator",
            order.client_order_id,
        ),
        tone,
    )


def fill_row(fill: pb.Fill) -> Row:
    """Return the line of a fill with what it cost."""
    parts = ", ".join(
        f"{words(enum_text(pb.CostComponent, part.component))} {part.bps:.2f}"
        for part in fill.costs
    )
    return Row(
        f"{fill.venue} {fill.trade_id}",
        (
            clock_text(fill.time_ns),
            fill.symbol,
            words(enum_text(pb.Side, fill.side)),
            fill.quantity,
            fill.price,
            f"{fill.fee} {fill.fee_asset}".strip() or "–",
            f"{fill.cost_bps:.2f}" if fill.costs else "–",
            parts or "not measured yet",
        ),
    )


def decision_row(decision: pb.Decision) -> Row:
    """Return the line of a decision with its reasons."""
    verdict = enum_text(pb.Verdict, decision.verdict)
    return Row(
        decision.decision_id,
        (
            clock_text(decision.time_ns),
            decision.symbol,
            decision.strategy,
            words(enum_text(pb.Side, decision.side)),
            decision.quantity or "–",
            decision.venue or "–",
            words(verdict),
            f"{decision.expected_edge_bps:.2f}",
            f"{decision.cost_bps:.2f}",
            f"{decision.net_edge_bps:+.2f}",
            ", ".join(words(reason.lower()) for reason in decision.reasons) or "–",
        ),
        {"accept": "good", "reject": "warn"}.get(verdict, ""),
    )


def limit_row(limit: pb.RiskLimit) -> Row:
    """Return the line of a risk limit."""
    tone = "bad" if limit.breached else "warn" if limit.used >= 0.8 else "good"
    state = {"bad": "breached", "warn": "near the limit", "good": "within"}[tone]
    name = words(limit.name)
    return Row(
        limit.name,
        (
            name,
            amount(limit.value, limit.unit),
            amount(limit.limit, limit.unit),
            f"{limit.used * 100:.1f} %",
            state,
        ),
        tone,
    )


def amount(text: str, unit: str) -> str:
    """Return a number as a person reads it: a fraction in per cent, a count whole.

    What is no number stays as it is.

    Example:
        >>> amount("0.034500", "fraction"), amount("2.000000", "count"), amount("0.5", "x")
        ('3.45 %', '2', '0.50 x')
    """
    try:
        number = float(text)
    except ValueError:
        return text
    if unit == "fraction":
        return f"{number * 100:.2f} %"
    if unit == "count":
        return f"{number:,.0f}"
    return f"{number:,.2f}" if unit == "quote" else f"{number:,.2f} {unit}".strip()


def alert_row(alert: pb.Alert) -> Row:
    """Return the line of an alert."""
    severity = enum_text(pb.Severity, alert.severity)
    what = f"{alert.what} ({alert.where})" if alert.where else alert.what
    return Row(
        alert.alert_id or f"{alert.time_ns} {alert.what}",
        (clock_text(alert.time_ns), words(severity), alert.source, what, alert.remedy),
        {"critical": "bad", "warning": "warn"}.get(severity, ""),
    )
