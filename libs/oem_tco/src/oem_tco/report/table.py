"""The report's CSV: RFC 4180, exact decimals, fixed order, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

from oem_tco.ledger.analysis import TcoResult
from oem_tco.money import minor_text
from oem_tco.terms import COMPONENTS

COLUMNS = (
    "order_id", "decision_time_ns", "strategy", "profile", "scheduler", "venue", "symbol", "side",
    "quantity_base", "filled_base", "fills", "status", "currency", "notional_quote",
    *(f"{component.value}_quote" for component in COMPONENTS),
    "total_quote", "total_bps",
)  # fmt: skip


def report_csv(result: TcoResult) -> bytes:
    """Return one line an order and a closing TOTAL line, CRLF line ends as RFC 4180 has them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for found, fills in zip(result.orders, result.fill_counts, strict=True):
        order = found.order
        writer.writerow(
            [
                *map(safe, (order.order_id, str(order.decision_time_ns), order.strategy)),
                *map(safe, (order.profile, order.scheduler, order.venue, order.symbol)),
                order.side.value,
                format(order.quantity, "f"),
                format(found.filled, "f"),
                fills,
                safe(order.status),
                safe(order.currency),
                minor_text(found.notional),
                *(minor_text(found.parts[component]) for component in COMPONENTS),
                minor_text(found.total),
                f"{found.total * 10_000 / found.notional:.6f}",
            ]
        )
    total = result.total
    writer.writerow(
        ["TOTAL", *[""] * 9, total.fills, "", safe(result.currency), minor_text(total.notional)]
        + [minor_text(total.parts[component]) for component in COMPONENTS]
        + [minor_text(total.total), f"{total.bps():.6f}" if total.notional else ""]
    )
    return buffer.getvalue().encode()


def safe(text: str) -> str:
    """Return text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
