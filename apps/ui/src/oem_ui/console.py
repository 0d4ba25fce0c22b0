"""What the window shows, as properties QML binds to."""

from __future__ import annotations

from PySide6.QtCore import Property, QObject, Signal, Slot

from oem_api import ApiError, enum_text, pb
from oem_ui import rows
from oem_ui.feed import Snapshot
from oem_ui.table import TableModel


class Console(QObject):
    """Holds the newest state; changed only in the window's thread."""

    changed = Signal()

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._connection = "Connecting"
        self._error = ""
        self._remedy = ""
        self._status = pb.Status()
        self._risk = pb.Risk()
        self._orders = TableModel(rows.ORDER_COLUMNS)
        self._fills = TableModel(rows.FILL_COLUMNS)
        self._decisions = TableModel(rows.DECISION_COLUMNS)
        self._limits = TableModel(rows.LIMIT_COLUMNS)
        self._alerts = TableModel(rows.ALERT_COLUMNS)

    @Slot(object)
    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Show a new connection's state."""
        self._connection, self._error, self._remedy = "Connected", "", ""
        self._orders.replace(map(rows.order_row, snapshot.orders))
        self._fills.replace(map(rows.fill_row, snapshot.fills))
        self._decisions.replace(map(rows.decision_row, snapshot.decisions))
        self._take_risk(snapshot.risk)
        self._take_status(snapshot.status)

    @Slot(object)
    def take_event(self, event: pb.Event) -> None:
        """Show one thing that happened."""
        kind = event.WhichOneof("value")
        if kind == "order":
            self._orders.upsert(rows.order_row(event.order))
        elif kind == "fill":
            self._fills.upsert(rows.fill_row(event.fill))
        elif kind == "decision":
            self._decisions.upsert(rows.decision_row(event.decision))
        elif kind == "alert":
            self._alerts.upsert(rows.alert_row(event.alert))
        elif kind == "risk":
            self._take_risk(event.risk)
        elif kind == "status":
            self._take_status(event.status)
        elif kind == "heartbeat":
            self._status.now_ns = max(self._status.now_ns, event.heartbeat.now_ns)
            self.changed.emit()

    @Slot(object, float)
    def take_refusal(self, error: ApiError, wait_s: float) -> None:
        """Say why there is no connection and what to do."""
        self._connection = "Not connected"
        place = f" ({error.where})" if error.where else ""
        self._error = error.what[:1].upper() + error.what[1:] + place
        self._remedy = (
            f"{error.remedy[:1].upper()}{error.remedy[1:]}. Next try in {max(wait_s, 1):.0f} s."
        )
        self.changed.emit()

    def _take_status(self, status: pb.Status) -> None:
        self._status = status
        self._alerts.replace(map(rows.alert_row, status.alerts))
        self.changed.emit()

    def _take_risk(self, risk: pb.Risk) -> None:
        self._risk = risk
        self._limits.replace(map(rows.limit_row, risk.limits))
        self.changed.emit()

    def _money(self, text: str) -> str:
        return f"{text} {self._risk.currency}".strip() if text else "–"

    def _licence_text(self) -> str:
        licence = self._status.licence
        state = rows.words(enum_text(pb.LicenceState, licence.state))
        return f"{state}: {licence.reason}" if licence.reason else state

    def _uptime_text(self) -> str:
        if not self._status.started_ns:
            return "–"
        seconds = max(0, self._status.now_ns - self._status.started_ns) // 1_000_000_000
        days, rest = divmod(seconds, 86_400)
        clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
        return f"{days} d {clock}" if days else clock

    def _drawdown_text(self) -> str:
        try:
            return f"{float(self._risk.drawdown) * 100:.2f} %"
        except ValueError:
            return "–"

    target = Property(str, lambda self: self._target, constant=True)
    connection = Property(str, lambda self: self._connection, notify=changed)
    error = Property(str, lambda self: self._error, notify=changed)
    remedy = Property(str, lambda self: self._remedy, notify=changed)
    mode = Property(
        str, lambda self: rows.words(enum_text(pb.Mode, self._status.mode)), notify=changed
    )
    tradingState = Property(  # noqa: N815
        str,
        lambda self: rows.words(enum_text(pb.TradingState, self._status.trading_state)),
        notify=changed,
    )
    tradingReason = Property(  # noqa: N815
        str, lambda self: self._status.trading_state_reason, notify=changed
    )
    licence = Property(str, _licence_text, notify=changed)
    uptime = Property(str, _uptime_text, notify=changed)
    caller = Property(str, lambda self: self._status.caller or "–", notify=changed)
    version = Property(str, lambda self: self._status.version or "–", notify=changed)
    equity = Property(str, lambda self: self._money(self._risk.equity), notify=changed)
    dailyPnl = Property(str, lambda self: self._money(self._risk.daily_pnl), notify=changed)  # noqa: N815
    exposure = Property(str, lambda self: self._money(self._risk.gross_notional), notify=changed)
    feesPaid = Property(str, lambda self: self._money(self._risk.fees_paid), notify=changed)  # noqa: N815
    drawdown = Property(str, _drawdown_text, notify=changed)
    orders = Property(QObject, lambda self: self._orders, constant=True)
    fills = Property(QObject, lambda self: self._fills, constant=True)
    decisions = Property(QObject, lambda self: self._decisions, constant=True)
    limits = Property(QObject, lambda self: self._limits, constant=True)
    alerts = Property(QObject, lambda self: self._alerts, constant=True)
