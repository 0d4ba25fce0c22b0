"""Service levels of the site: where each indicator is exported, and what the logs say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import oem_tco
from oem_daemon.config.model import CoreConfig
from oem_daemon.metrics import TRADE_COST_BUCKETS_BPS
from oem_daemon.site import Site
from oem_exec import FILLED_SHARE_BUCKETS, LATENCY_BUCKETS_S
from oem_security import Keyring, read_journal
from oem_tco import Indicator, Measurement, MetricSource

_NS = 1_000_000_000


def metric_sources() -> dict[Indicator, MetricSource]:
    """Return the histogram of every indicator, as the daemon's metrics page shows it."""

    def texts(bounds: Iterable[float]) -> tuple[str, ...]:
        return tuple(str(float(bound)) for bound in bounds)

    return {
        Indicator.LATENCY: MetricSource(
            "live_execution_latency_seconds", texts(LATENCY_BUCKETS_S), 'phase="total"'
        ),
        Indicator.COST: MetricSource("oem_trade_cost_bps", texts(TRADE_COST_BUCKETS_BPS)),
        Indicator.FILL_RATE: MetricSource("live_filled_share", texts(FILLED_SHARE_BUCKETS)),
    }


def slo_statuses(site: Site, config: CoreConfig) -> tuple[oem_tco.SloStatus, ...]:
    """Return every service level of the configuration, as of the site's last order.

    Latency and filled share come from the decision log, costs from the cost ledger; each is
    measured at the time of its own newest order, because the ledger keeps market time.

    Raises:
        JournalError: The decision log does not hold.
        LedgerError: There is no cost ledger.
    """
    keyring = Keyring.open(site.keys)
    records = (
        (r.kind, r.time_ns, r.body)
        for r in read_journal(site.decision_log(config.runtime.stage.value), keyring)
    )
    measured = dict(order_measurements(records))
    measured[Indicator.COST] = cost_measurements(oem_tco.read_ledger(site.cost_ledger))
    return tuple(
        oem_tco.measure_slo(
            definition,
            measured[definition.indicator],
            max((one.at_ns for one in measured[definition.indicator]), default=0),
        )
        for definition in config.slo
    )


def order_measurements(
    records: Iterable[tuple[str, int, Mapping[str, Any]]],
) -> dict[Indicator, list[Measurement]]:
    """Return latency and filled share of every order that a venue took, from log records.

    The latency is from the intent's record to that of the first answer, by the log's own clock:
    in paper trading on recorded data the orders carry market time.

    Args:
        records: (kind, time in UTC nanoseconds, body) of the decision log, in order.
    """
    wanted: dict[str, tuple[int, Decimal]] = {}
    latency: dict[str, Measurement] = {}
    filled: dict[str, Measurement] = {}
    for kind, time_ns, body in records:
        if not kind.startswith("order.") or "client_order_id" not in body:
            continue
        key = body["client_order_id"]
        if kind == "order.intent":
            wanted[key] = time_ns, Decimal(body["quantity"])
        elif body.get("venue_order_id") and key in wanted:
            sent_ns, quantity = wanted[key]
            latency.setdefault(key, Measurement(time_ns, (time_ns - sent_ns) / _NS))
            filled[key] = Measurement(time_ns, float(Decimal(body["filled_quantity"]) / quantity))
    return {
        Indicator.LATENCY: list(latency.values()),
        Indicator.FILL_RATE: list(filled.values()),
    }


def cost_measurements(rows: oem_tco.LedgerRows) -> list[Measurement]:
    """Return spread, impact and fees of every fill, in basis points of its notional at the mid.

    A fill whose quote is not known, or whose fee cannot be converted, is left out: the cost report
    names it.
    """
    orders = {order.order_id: order for order in rows.orders}
    found = []
    for fill in rows.fills:
        order = orders.get(fill.order_id)
        rate = Decimal(1) if order and fill.fee_asset == order.currency else fill.fee_rate_to_quote
        if order is None or fill.bid is None or fill.ask is None or rate is None:
            continue
        mid = (fill.bid + fill.ask) / 2
        part = (fill.price, fill.quantity, fill.fee_amount * rate)
        found.append(Measurement(fill.time_ns, oem_tco.realised_cost_bps(order.side, mid, [part])))
    return found
