"""The main job as a user runs it, and what one changed byte does to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_process import oem

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    site = tmp_path_factory.mktemp("demo") / "site"
    done = oem("demo", "--site", site, "--paths", "100", "--bars", "90", "--json")
    assert done.returncode == 0, done.stderr
    return site, json.loads(done.stdout)


def test_the_demo_trades_costs_and_verifies(demo: tuple[Path, dict[str, object]]) -> None:
    site, result = demo
    assert result["synthetic_data"] is True
    assert result["verdict"] == "PASS"
    assert int(str(result["orders"])) > 5
    refused = result["refused"]
    assert isinstance(refused, dict)
    assert all(refused.values())
    costs = result["cost_bps"]
    assert isinstance(costs, dict)
    assert sum(costs.values()) == pytest.approx(result["cost_total_bps"])
    assert costs["fees"] == pytest.approx(10.0, abs=0.01)
    for path in ("reports/paper_labs/paper_labs.pdf", "reports/tco/tco.pdf"):
        assert (site / path).read_bytes().startswith(b"%PDF")
    assert (site / "metrics" / "live_router.prom").read_text().count("live_orders_total") >= 1


def test_every_decision_recomputes_to_itself(demo: tuple[Path, dict[str, object]]) -> None:
    done = oem("decision", "replay", "--site", demo[0], "--json")
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert replayed["checked"] > 5
    assert replayed["differences"] == []


def test_service_levels_are_reported_and_their_report_is_verified(
    demo: tuple[Path, dict[str, object]],
) -> None:
    site = demo[0]
    done = oem("slo", "report", "--site", site, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {slo["name"] for slo in found["slos"]} == {
        "execution_latency", "cost_per_trade", "fill_rate"
    }  # fmt: skip
    assert all(slo["total"] > 5 for slo in found["slos"])
    verified = oem("verify", "--site", site, "--json")
    assert any(
        f["path"].startswith("reports/slo/slo.json")
        for f in json.loads(verified.stdout)["findings"]
    )
    assert oem("slo", "rules", "--site", site).returncode == 0
    assert (site / "metrics" / "slo.rules.yml").read_text().count("record:") == 21


def test_the_cost_report_validates(demo: tuple[Path, dict[str, object]]) -> None:
    assert oem("report", "validate", "--site", demo[0]).returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "audit/decision_logs/paper.jsonl",
        "config/core.yaml",
        "config/core.yaml.dsse.json",
        "reports/tco/tco.csv",
        "reports/paper_labs/paper_labs.pdf",
        "var/licenses/license.dsse.json",
    ],
)
def test_one_changed_byte_is_found_and_named(
    demo: tuple[Path, dict[str, object]], name: str
) -> None:
    site = demo[0]
    path = site / name
    original = path.read_bytes()
    middle = len(original) // 2
    try:
        path.write_bytes(original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1 :])
        done = oem("verify", "--site", site, "--json")
    finally:
        path.write_bytes(original)
    assert done.returncode == 1
    broken = [f for f in json.loads(done.stdout)["findings"] if not f["ok"]]
    assert len(broken) == 1
    assert broken[0]["path"].startswith(name.removesuffix(".dsse.json"))
    assert broken[0]["where"]
    assert broken[0]["remedy"]


def test_bad_input_is_one_line_and_a_documented_code(
    demo: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    for words, code in (
        (("demo", "--site", demo[0]), 8),
        (("demo", "--site", tmp_path / "new", "--bars", "59"), 3),
        (("demo", "--site", tmp_path / "new", "--bars", "1000001"), 3),
        (("demo", "--site", tmp_path / "new", "--paths", "99"), 3),
        (("demo", "--site", tmp_path / "new", "--seed", "-1"), 3),
        (("demo", "--site", tmp_path / "new", "--data", tmp_path / "nowhere"), 3),
        (("verify", "--site", tmp_path), 3),
        (("verify", "--site", demo[0], tmp_path / "nothing"), 3),
        (("config", "validate", "--site", tmp_path), 3),
        (("daemon", "status", "--site", demo[0]), 5),
        (("risk", "lab", "--site", demo[0], "--profile", "reckless"), 3),
        (("daemon", "run", "--site", tmp_path), 3),
    ):
        done = oem(*words)
        assert done.returncode == code, (words, done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        assert len(errors) == 1
        assert ";" in errors[0]
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
