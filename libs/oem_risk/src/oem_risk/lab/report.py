"""The lab's report: JSON for machines and PDF for people, the same bytes for the same result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from oem_risk.lab.result import LabResult, ProfileResult
from oem_security.clock import rfc3339
from oem_security.files import write_atomic


def report_json(
    result: LabResult, *, config_sha384: str, inputs: Mapping[str, object] | None = None
) -> bytes:
    """Return the report as canonical JSON bytes.

    Args:
        result: What the lab found.
        config_sha384: Hash of the configuration it ran under, hex.
        inputs: What else it needs to be run again, as JSON values: which data, strategies and book;
            read back by whoever composes the run.
    """
    document = {
        "kind": "paper_labs",
        "verdict": result.verdict.value,
        "synthetic_data": result.synthetic,
        "span": [rfc3339(t) for t in result.span_ns],
        "settings": asdict(result.settings),
        "inputs": inputs or {},
        "strategies": [{"name": n, "capital_share": s} for n, s in result.strategies],
        "config_sha384": config_sha384,
        "data_sha384": result.hashes,
        "data_quality": {symbol: report.as_json() for symbol, report in result.data.items()},
        "versions": {name: version(name) for name in ("oem-risk", "numpy", "scipy")},
        "stress_tests": result.book.as_json(),
        "stress_not_covered": result.not_covered,
        "profiles": [_profile_json(profile, result.bars_per_day) for profile in result.profiles],
        "var_backtest": result.backtest.as_json() if result.backtest else None,
    }
    return (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def write_lab_report(
    result: LabResult,
    folder: Path,
    *,
    config_sha384: str,
    name: str = "paper_labs",
    inputs: Mapping[str, object] | None = None,
) -> tuple[Path, Path]:
    """Write `name.json` and `name.pdf` into `folder`, each in one piece; return their paths."""
    from oem_risk.lab.pdf import report_pdf

    folder.mkdir(parents=True, exist_ok=True)
    data = report_json(result, config_sha384=config_sha384, inputs=inputs)
    json_path, pdf_path = folder / f"{name}.json", folder / f"{name}.pdf"
    pdf = report_pdf(result, json_sha384=hashlib.sha384(data).hexdigest())
    write_atomic(json_path, data)
    write_atomic(pdf_path, pdf)
    return json_path, pdf_path


def _profile_json(result: ProfileResult, bars_per_day: int) -> Mapping[str, object]:
    fan = {name: row.tolist() for name, row in result.paths.fan_quantiles().items()}
    return {
        "profile": result.profile.model_dump(),
        "verdict": result.verdict.value,
        "drawdown_gate": result.drawdown_gate.as_json(),
        "daily_loss_gate": result.daily_loss_gate.as_json(),
        "drawdown_q95": result.drawdown.as_json(),
        "quantiles": result.quantiles(),
        "limits": [use.as_json() for use in result.limits()],
        "fan": {"days": (result.paths.fan_steps / bars_per_day).tolist(), **fan},
        "stressed_paths": [stressed.as_json() for stressed in result.stressed],
        "stress": result.suite.as_json(),
    }
