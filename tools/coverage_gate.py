"""Combine the coverage of all processes and hold every library to its floor.

python tools/coverage_gate.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage

FLOOR_PCT = 85.0
LIBRARIES = ("oem_security", "oem_risk", "oem_exec", "oem_tco", "oem_api")


def by_library(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, float]:
    """Return line-and-branch coverage in percent of each library in a JSON coverage report."""
    covered: dict[str, int] = dict.fromkeys(LIBRARIES, 0)
    total: dict[str, int] = dict.fromkeys(LIBRARIES, 0)
    for name, entry in report["files"].items():
        library = next((part for part in Path(name).parts if part in LIBRARIES), None)
        if library is None or "src" not in Path(name).parts:
            continue
        summary = entry["summary"]
        covered[library] += summary["covered_lines"] + summary["covered_branches"]
        total[library] += summary["num_statements"] + summary["num_branches"]
    return {lib: 100 * covered[lib] / total[lib] for lib in LIBRARIES if total[lib]}


def main() -> int:
    coverage = Coverage()
    if list(Path().glob(".coverage.*")):
        coverage.combine(strict=False)
    else:
        coverage.load()
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "coverage.json"
        coverage.json_report(outfile=str(target))
        shares = by_library(json.loads(target.read_text()))
    for library, share in shares.items():
        mark = "ok  " if share >= FLOOR_PCT else "LOW "
        print(f"{mark}{library:<14} {share:5.1f} % of lines and branches (floor {FLOOR_PCT:.0f} %)")
    return 0 if all(share >= FLOOR_PCT for share in shares.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
