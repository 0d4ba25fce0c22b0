"""What starting the command costs, against starting Python."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness import Benchmark, Result, alternate


def _wall_time_of(command: list[str]) -> Callable[[], float]:
    def measure() -> float:
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - began

    return measure


def start() -> list[Result]:
    """Measure `oem --version` against `python -c pass` of the same environment."""
    oem = Path(sys.executable).with_name("oem")
    value, baseline = alternate(
        _wall_time_of([str(oem), "--version"]),
        _wall_time_of([sys.executable, "-c", "pass"]),
        rounds=31,
    )
    return [Result("cli.start", value, "s", "python -c pass", baseline, "<= 3")]


BENCHMARKS: list[Benchmark] = [start]
