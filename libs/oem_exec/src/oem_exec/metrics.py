"""What Prometheus learns about execution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, write_to_textfile

from oem_exec.breaker import BreakerState
from oem_exec.model.enums import KillState
from oem_exec.tally import TallyHistogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LATENCY_BUCKETS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
FILLED_SHARE_BUCKETS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class RouterMetrics:
    """The router's metrics in a registry that the application owns.

    Labels are bounded: venues come from the configuration; outcomes, phases and reasons are enums.

    Args:
        registry: Where the metrics are registered, once per registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._orders = Counter(
            "live_orders_total",
            "Orders by venue and outcome",
            ["venue", "outcome"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "live_orders_fallback_total",
            "Orders that went on to the next venue of their route",
            ["from_venue", "to_venue", "reason"],
            registry=registry,
        )
        self._reconciled = Counter(
            "live_orders_reconciled_total",
            "Unknown or interrupted orders resolved by the venue's evidence",
            ["venue", "outcome"],
            registry=registry,
        )
        self._unknown = Gauge(
            "live_orders_unknown", "Orders whose outcome is not known", ["venue"], registry=registry
        )
        self._latency = TallyHistogram(
            "live_execution_latency_seconds",
            "Time of an order by phase",
            ("venue", "phase"),
            LATENCY_BUCKETS_S,
        )
        self._ratio = Gauge(
            "live_fill_ratio", "Filled share of the accepted quantity", ["venue"], registry=registry
        )
        self._shares = TallyHistogram(
            "live_filled_share",
            "Filled share of each accepted order that has ended",
            ("venue",),
            FILLED_SHARE_BUCKETS,
        )
        registry.register(self._latency)
        registry.register(self._shares)
        self._budget = Gauge(
            "live_budget_used_ratio",
            "Used share of a venue's rate limit",
            ["venue", "bucket"],
            registry=registry,
        )
        self._breaker = Gauge(
            "live_breaker_state",
            "1 for the state the breaker is in",
            ["venue", "state"],
            registry=registry,
        )
        self._kill = Gauge(
            "live_kill_switch_state",
            "1 for the state the switch is in",
            ["state"],
            registry=registry,
        )
        self._children: dict[tuple[str, str, str], Counter] = {}
        self._ratios: dict[str, Gauge] = {}
        self._fill_totals: dict[str, tuple[int, float]] = {}

    def order(self, venue: str, outcome: str) -> None:
        """Count one order's first outcome."""
        self._counter(self._orders, "orders", venue, outcome).inc()

    def fallback(self, from_venue: str, to_venue: str, reason: str) -> None:
        """Count one order that went on to the next venue."""
        self._fallbacks.labels(from_venue, to_venue, reason).inc()

    def reconciled(self, venue: str, outcome: str) -> None:
        """Count one order resolved by evidence."""
        self._reconciled.labels(venue, outcome).inc()

    def unknown(self, venue: str, count: int) -> None:
        """Set the number of orders whose outcome is not known."""
        self._unknown.labels(venue).set(count)

    def latency(self, venue: str, phase: str, seconds: float) -> None:
        """Observe a phase: `durable`, `budget`, `venue` or `total`."""
        self._latency.observe((venue, phase), seconds)

    def finished(self, venue: str, filled_share: float) -> None:
        """Note the filled share of one accepted order that has ended."""
        count, total = self._fill_totals.get(venue, (0, 0.0))
        count, total = count + 1, total + filled_share
        self._fill_totals[venue] = count, total
        ratio = self._ratios.get(venue)
        if ratio is None:
            ratio = self._ratios[venue] = self._ratio.labels(venue)
        ratio.set(total / count)
        self._shares.observe((venue,), filled_share)

    def budget(self, venue: str, bucket: str, used_share: float) -> None:
        """Set how much of a rate limit is used."""
        self._budget.labels(venue, bucket).set(used_share)

    def breaker(self, venue: str, state: BreakerState) -> None:
        """Set the state of a breaker."""
        for candidate in BreakerState:
            self._breaker.labels(venue, candidate.value).set(candidate is state)

    def kill_switch(self, state: KillState) -> None:
        """Set the state of the kill switch."""
        for candidate in KillState:
            self._kill.labels(candidate.value).set(candidate is state)

    def write_textfile(self, path: Path) -> None:
        """Write the registry for Prometheus' textfile collector, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), self._registry)

    def _counter(self, counter: Counter, name: str, venue: str, label: str) -> Counter:
        key = (name, venue, label)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(venue, label)
        return child
