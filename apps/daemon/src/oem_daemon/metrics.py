"""Prometheus metrics of the daemon, in a registry that is passed in."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

TRADE_COST_BUCKETS_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class DaemonMetrics:
    """What the daemon counts; label values are bounded by the configuration.

    Args:
        registry: Where the metrics are registered; one registry, one instance.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.cycles = Counter("oem_cycles_total", "Strategy cycles completed.", registry=registry)
        self.candidates = Counter(
            "oem_candidates_total",
            "Candidates proposed, by strategy and by what became of them.",
            ["strategy", "outcome"],
            registry=registry,
        )
        self.decision_seconds = Histogram(
            "oem_decision_seconds",
            "Candidate to order or refusal, in seconds.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.trade_cost = Histogram(
            "oem_trade_cost_bps",
            "Realised cost of a trade in basis points of its notional.",
            ["symbol"],
            buckets=TRADE_COST_BUCKETS_BPS,
            registry=registry,
        )
        self.coverage = Gauge(
            "oem_estimate_coverage_ratio",
            "Share of orders whose cost fell inside the estimate's interval; 0.8 is promised.",
            registry=registry,
        )
        self.equity = Gauge("oem_equity", "Equity in quote currency.", registry=registry)
        self.drawdown = Gauge(
            "oem_drawdown_ratio", "Loss from the peak of equity, 0 to 1.", registry=registry
        )
        self.position = Gauge(
            "oem_position_notional",
            "Signed notional held, in quote currency.",
            ["symbol"],
            registry=registry,
        )
        self.trading_state = Gauge(
            "oem_trading_state",
            "1 for the state trading is in.",
            ["state"],
            registry=registry,
        )
        self.key_days_left = Gauge(
            "oem_key_days_left",
            "Days until a key's rotation interval is over, by purpose; negative when overdue.",
            ["purpose"],
            registry=registry,
        )
        self.certificate_days_left = Gauge(
            "oem_certificate_days_left",
            "Days until the daemon's own certificate ends.",
            registry=registry,
        )
        self.calls = Counter(
            "oem_grpc_calls_total",
            "gRPC calls, by method and result.",
            ["method", "result"],
            registry=registry,
        )
