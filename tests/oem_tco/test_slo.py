"""Service levels: measured exactly, and the same verdicts from Prometheus' own rule engine."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oem_security import Keyring
from oem_security.envelope.seal import verify_file
from oem_tco import (
    DEFAULT_SLOS,
    Indicator,
    InputError,
    Measurement,
    MetricSource,
    SloDefinition,
    measure_slo,
    rules_yaml,
    write_slo_report,
)
from oem_tco.slo.definition import WINDOWS, Severity
from oem_tco.slo.rules import alert_name

S = 1_000_000_000
SOURCES = {
    Indicator.LATENCY: MetricSource("latency_seconds", ("0.1", "0.25", "1.0"), 'phase="total"'),
    Indicator.COST: MetricSource("cost_bps", ("10.0", "30.0", "50.0")),
    Indicator.FILL_RATE: MetricSource("filled_share", ("0.5", "0.99", "1.0")),
}
MINUTES = 130


def test_the_promise_is_judged_at_its_edge() -> None:
    assert Indicator.LATENCY.good(0.25, 0.25)
    assert not Indicator.LATENCY.good(0.2500001, 0.25)
    assert not Indicator.FILL_RATE.good(0.99, 0.99)
    assert Indicator.FILL_RATE.good(1.0, 0.99)


@given(
    st.lists(st.tuples(st.integers(0, 40 * 86_400), st.floats(0, 100)), max_size=60),
    st.integers(0, 40 * 86_400),
)
def test_every_window_counts_what_lies_in_it(seen: list[tuple[int, float]], now: int) -> None:
    slo = SloDefinition(name="cost", indicator=Indicator.COST, threshold=50, objective=0.9)
    status = measure_slo(slo, [Measurement(t * S, v) for t, v in seen], now * S)

    def ratio(span: float) -> float | None:
        inside = [v > 50 for t, v in seen if now - span < t <= now]
        return sum(inside) / len(inside) / slo.budget if inside else None

    assert status.total == sum(1 for t, _ in seen if now - slo.period_s < t <= now)
    for burn in status.burns:
        assert burn.long_rate == pytest.approx(ratio(burn.window.long_s))
        assert burn.short_rate == pytest.approx(ratio(burn.window.short_s))
        expected = (ratio(burn.window.long_s) or 0) > burn.limit
        assert burn.firing == (expected and (ratio(burn.window.short_s) or 0) > burn.limit)


def test_no_orders_is_not_a_kept_promise() -> None:
    status = measure_slo(DEFAULT_SLOS[0], [], 0)
    assert (status.share, status.budget_left, status.met) == (None, None, None)
    assert not any(burn.firing for burn in status.burns)


@pytest.mark.parametrize(
    "wrong",
    [
        {"objective": 1.0},
        {"objective": 0.0},
        {"threshold": float("nan")},
        {"indicator": "latency", "threshold": 0.0},
        {"indicator": "fill_rate", "threshold": 1.0},
        {"name": "Has Space"},
        {"period_days": 0},
        {"unknown": 1},
    ],
)
def test_wrong_definitions_are_refused(wrong: dict[str, object]) -> None:
    good = {"name": "x", "indicator": "cost", "threshold": 5.0, "objective": 0.9}
    SloDefinition.model_validate(good)
    with pytest.raises(ValidationError):
        SloDefinition.model_validate(good | wrong)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="nan"):
        measure_slo(DEFAULT_SLOS[1], [Measurement(1, float("nan"))], 2)
    odd = DEFAULT_SLOS[0].model_copy(update={"threshold": 0.3})
    with pytest.raises(InputError, match="no bucket") as refused:
        rules_yaml([odd], SOURCES)
    assert "0.25" in refused.value.remedy
    with pytest.raises(InputError, match="not exported"):
        rules_yaml(DEFAULT_SLOS, {})


def test_the_report_is_sealed_and_says_what_was_missed(tmp_path: Path) -> None:
    keyring = Keyring.create(tmp_path / "keys")
    kept = measure_slo(DEFAULT_SLOS[1], [Measurement(S, 1.0)], S)
    missed = measure_slo(DEFAULT_SLOS[2], [Measurement(S, 0.2)], S)
    path = tmp_path / "slo.json"
    write_slo_report([kept, missed], path, keyring)
    assert verify_file(path, keyring).claims["met"] is False
    first = path.read_bytes()
    write_slo_report([kept, missed], path, keyring)
    assert path.read_bytes() == first
    report = json.loads(first)
    assert [slo["met"] for slo in report["slos"]] == [True, False]
    assert report["slos"][1]["budget_left"] == pytest.approx(-19)


# what follows asks promtool, the rule engine of Prometheus itself


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return found


def series(slo: SloDefinition, bad_per_minute: str, orders: str) -> list[dict[str, str]]:
    source = SOURCES[slo.indicator]
    labels = f"{source.selector}," if source.selector else ""
    at_most = f'{source.name}_bucket{{{labels}le="{source.bucket(slo.threshold)}"}}'
    return [
        {"series": at_most, "values": bad_per_minute},
        {"series": f"{source.name}_count{{{source.selector}}}", "values": orders},
    ]


def steady(slo: SloDefinition, bad_share: float) -> list[dict[str, str]]:
    up_to = bad_share if slo.indicator is Indicator.FILL_RATE else 1 - bad_share
    return series(slo, f"0+{up_to * 1e6:.0f}x{MINUTES}", f"0+1000000x{MINUTES}")


def check(promtool: str, folder: Path, slos: list[SloDefinition], tests: list[dict]) -> None:
    (folder / "rules.yml").write_text(rules_yaml(slos, SOURCES))
    suite = {"rule_files": ["rules.yml"], "evaluation_interval": "5m", "tests": tests}
    (folder / "suite.yml").write_text(json.dumps(suite))
    for words in (["check", "rules", "rules.yml"], ["test", "rules", "suite.yml"]):
        done = subprocess.run(
            [promtool, *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def expected(slo: SloDefinition, window, fires: bool, at: str) -> dict:
    alert = {
        "exp_labels": {"severity": window.severity.value, "slo": slo.name},
        "exp_annotations": {
            "summary": f"{slo.name}: the error budget burns more than "
            f"{window.rate(slo.period_s):g} times too fast over {alert_name(window)[13:]}",
            "remedy": "see `oem slo report` for the orders behind it",
        },
    }
    return {
        "eval_time": at,
        "alertname": alert_name(window),
        "exp_alerts": [alert] if fires else [],
    }


@pytest.mark.parametrize("slo", DEFAULT_SLOS, ids=lambda slo: slo.name)
def test_each_alert_fires_above_its_burn_rate_and_not_below(
    promtool: str, tmp_path: Path, slo: SloDefinition
) -> None:
    tests = []
    for window in WINDOWS:
        limit = window.rate(slo.period_s) * slo.budget
        for factor in (1.05, 0.95):
            share = limit * factor
            tests.append(
                {
                    "interval": "1m",
                    "input_series": steady(slo, share),
                    "alert_rule_test": [
                        expected(slo, w, share > w.rate(slo.period_s) * slo.budget, "2h5m")
                        for w in WINDOWS
                    ],
                }
            )
    check(promtool, tmp_path, [slo], tests)


def test_an_alert_ends_soon_after_the_trouble_does(promtool: str, tmp_path: Path) -> None:
    slo = DEFAULT_SLOS[0]
    page = WINDOWS[0]
    assert page.severity is Severity.PAGE
    # an hour in which every second order is late, then ten good minutes
    good = "0+500000x60 30000000+1000000x10"
    tests = [
        {
            "interval": "1m",
            "input_series": series(slo, good, "0+1000000x71"),
            "alert_rule_test": [
                expected(slo, page, True, "60m"),
                expected(slo, page, False, "70m"),
            ],
        }
    ]
    check(promtool, tmp_path, [slo], tests)


def test_an_alert_that_could_never_fire_is_left_out_and_named(
    promtool: str, tmp_path: Path
) -> None:
    slo = SloDefinition(name="often", indicator=Indicator.FILL_RATE, threshold=0.5, objective=0.5)
    text = rules_yaml([slo], SOURCES)
    assert text.count("alert:") == 1
    assert text.startswith("# SloBudgetBurn1h is left out for often: 14.4 x 0.5 is not below 1\n")
    check(promtool, tmp_path, [slo], [])
