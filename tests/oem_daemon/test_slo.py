"""Service levels of a site: the log's own numbers, and rules that fit what is exported."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from oem_daemon.metrics import DaemonMetrics
from oem_daemon.slo import metric_sources, order_measurements
from oem_exec import RouterMetrics
from oem_tco import DEFAULT_SLOS, Indicator, rules_yaml


def test_every_rule_names_a_series_that_the_daemon_exports(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    router, daemon = RouterMetrics(registry), DaemonMetrics(registry)
    router.latency("paper", "total", 0.2)
    router.finished("paper", 1.0)
    daemon.trade_cost.labels("BTC/USDT").observe(12)
    page = generate_latest(registry).decode()
    for slo in DEFAULT_SLOS:
        source = metric_sources()[slo.indicator]
        assert f'le="{source.bucket(slo.threshold)}"' in page
        for text in source.buckets:
            assert any(
                line.startswith(f"{source.name}_bucket") and f'le="{text}"' in line
                for line in page.splitlines()
            )
    rules = tmp_path / "rules.yml"
    rules.write_text(rules_yaml(DEFAULT_SLOS, metric_sources()))
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    assert subprocess.run([promtool, "check", "rules", rules], check=False).returncode == 0


def test_latency_and_filled_share_are_read_from_the_log() -> None:
    def body(filled: str, venue_order_id: str = "1") -> dict[str, object]:
        return {
            "client_order_id": "a", "venue_order_id": venue_order_id, "filled_quantity": filled
        }  # fmt: skip

    records = [
        ("order.intent", 10**9, {"client_order_id": "a", "quantity": "2"}),
        ("order.outcome", 3 * 10**9, body("0", "")),  # not taken yet
        ("order.outcome", 4 * 10**9, body("0.5")),
        ("order.fill", 9 * 10**9, body("1.5")),
        ("order.intent", 10**10, {"client_order_id": "refused", "quantity": "1"}),
        ("decision.step", 10**10, {}),
    ]
    found = order_measurements(records)
    assert [(m.at_ns, m.value) for m in found[Indicator.LATENCY]] == [(4 * 10**9, 3.0)]
    assert [(m.at_ns, m.value) for m in found[Indicator.FILL_RATE]] == [(9 * 10**9, 0.75)]
