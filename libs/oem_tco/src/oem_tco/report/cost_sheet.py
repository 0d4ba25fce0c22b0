"""The cost report's table: one line an order, every component, estimate and mark beside it."""

from __future__ import annotations

from collections.abc import Iterable

from oem_tco.analysis.outliers import Outlier
from oem_tco.analysis.worst import executed_bps
from oem_tco.ledger.analysis import TcoResult
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.money import bps
from oem_tco.report.sheet import Cell, Column, Kind, Sheet, cells_of, wrong
from oem_tco.terms import COMPONENTS

_PARTS = tuple(f"{component.value}_quote" for component in COMPONENTS)

COST_COLUMNS: tuple[Column, ...] = (
    Column("order_id"),
    Column("decision_id"),
    Column("decision_utc", Kind.TIME, "RFC 3339"),
    Column("strategy"),
    Column("profile"),
    Column("scheduler"),
    Column("venue"),
    Column("market"),
    Column("symbol"),
    Column("side"),
    Column("order_type"),
    Column("status"),
    Column("quantity", Kind.QUANTITY, "quantity_unit"),
    Column("filled", Kind.QUANTITY, "quantity_unit"),
    Column("quantity_unit"),
    Column("fills", Kind.INTEGER, "count", summed=True),
    Column("currency"),
    Column("notional_quote", Kind.AMOUNT, "currency", summed=True),
    *(Column(name, Kind.AMOUNT, "currency", summed=True) for name in _PARTS),
    Column("total_quote", Kind.AMOUNT, "currency", summed=True),
    Column("total_bps", Kind.NUMBER, "bps of notional"),
    Column("est_low_bps", Kind.NUMBER, "bps of filled notional"),
    Column("est_expected_bps", Kind.NUMBER, "bps of filled notional"),
    Column("est_high_bps", Kind.NUMBER, "bps of filled notional"),
    Column("executed_bps", Kind.NUMBER, "bps of filled notional"),
    Column("outlier_score", Kind.NUMBER, "modified z-score; empty where it is not an outlier"),
)
"""The columns, in the order of the file; each line names its own `currency` and `quantity_unit`."""


def cost_sheet(result: TcoResult, outliers: Iterable[Outlier] = ()) -> Sheet:
    """Return the table of an analysis, by decision time and order id; totals for each currency."""
    scores = {outlier.order_id: outlier.score for outlier in outliers}
    rows = tuple(
        cells_of(COST_COLUMNS, _cells(found, count, scores.get(found.order.order_id)))
        for found, count in zip(result.orders, result.fill_counts, strict=True)
    )
    return Sheet(COST_COLUMNS, rows, "currency")


def check_costs(sheet: Sheet, where: str) -> None:
    """Check what holds within each line of a cost table.

    Raises:
        ReportError: A line's components do not sum to its total, or its bps are not theirs.
    """
    parts = [sheet.place(name) for name in _PARTS]
    total_at, bps_at = sheet.place("total_quote"), sheet.place("total_bps")
    notional_at = sheet.place("notional_quote")
    for number, row in enumerate(sheet.rows, start=2):
        amounts = [row[i] for i in (*parts, total_at, notional_at)]
        if not all(isinstance(amount, int) for amount in amounts):
            raise wrong("an amount is missing", f"{where}:{number}")
        *components, total, notional = (int(str(amount)) for amount in amounts)
        if sum(components) != total:
            raise wrong("the components do not sum to the total", f"{where}:{number}")
        wanted = f"{bps(total, notional):.6f}" if notional else ""
        stated = row[bps_at]
        if wanted != ("" if stated is None else f"{stated:.6f}"):
            raise wrong("total_bps is not total over notional", f"{where}:{number}")


def base_asset(symbol: str) -> str:
    """Return the asset a symbol's quantities are in; `base` where the symbol does not say.

    Example:
        >>> base_asset("BTC/USDT"), base_asset("ETH/USDT:USDT"), base_asset("BTCUSDT")
        ('BTC', 'ETH', 'base')
    """
    base, slash, _ = symbol.partition("/")
    return base if slash and base else "base"


def quote_asset(symbol: str) -> str:
    """Return the asset a symbol's prices are in; `quote` where the symbol does not say.

    Example:
        >>> quote_asset("BTC/USD:BTC"), quote_asset("XBTUSD")
        ('USD', 'quote')
    """
    quote = symbol.partition("/")[2].partition(":")[0]
    return quote or "quote"


def _cells(found: Shortfall, fills: int, score: float | None) -> dict[str, Cell]:
    order = found.order
    return {
        "order_id": order.order_id,
        "decision_id": order.decision_id,
        "decision_utc": order.decision_time_ns,
        "strategy": order.strategy,
        "profile": order.profile,
        "scheduler": order.scheduler,
        "venue": order.venue,
        "market": order.market,
        "symbol": order.symbol,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "status": order.status,
        "quantity": order.quantity,
        "filled": found.filled,
        "quantity_unit": quote_asset(order.symbol) if order.inverse else base_asset(order.symbol),
        "fills": fills,
        "currency": order.currency,
        "notional_quote": found.notional,
        **{f"{component.value}_quote": found.parts[component] for component in COMPONENTS},
        "total_quote": found.total,
        "total_bps": bps(found.total, found.notional),
        "est_low_bps": order.est_low_bps,
        "est_expected_bps": order.est_expected_bps,
        "est_high_bps": order.est_high_bps,
        "executed_bps": executed_bps(found),
        "outlier_score": score,
    }
