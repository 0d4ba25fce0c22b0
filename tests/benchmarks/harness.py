"""Ratios, not seconds: a subject and its baseline, measured alternately in the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's figure against its baseline.

    Attributes:
        name: Dotted name from the issue, such as `daemon.submit_order`.
        value: The subject's median figure, in `unit`.
        unit: Unit of both figures, such as `s` or `entries/s`.
        baseline: What the figure is compared with, in words.
        baseline_value: The baseline's median figure, in `unit`.
        goal: What the ratio should be, such as `<= 2` or `>= 0.35`; empty for a figure to know.
    """

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    goal: str

    @property
    def ratio(self) -> float:
        return self.value / self.baseline_value

    @property
    def met(self) -> bool:
        if not self.goal:
            return True
        operator, bound = self.goal.split()
        return self.ratio <= float(bound) if operator == "<=" else self.ratio >= float(bound)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_value": self.baseline_value,
            "ratio": self.ratio,
            "goal": self.goal,
            "met": self.met,
        }


Benchmark = Callable[[], list[Result]]
"""A benchmark module offers `BENCHMARKS: list[Benchmark]`."""


def alternate(
    subject: Callable[[], float], baseline: Callable[[], float], *, rounds: int = 7
) -> tuple[float, float]:
    """Measure both sides in turn and return the median of each.

    Args:
        subject: Returns one figure of the thing under test (seconds, or a rate).
        baseline: Returns the same kind of figure of the baseline.
        rounds: How many pairs; the first, unmeasured pair warms both up.
    """
    subject()
    baseline()
    pairs = [(subject(), baseline()) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


_PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_rss_kib(code: str, *arguments: object, **environment: str) -> int:
    """Run Python code in a process of its own and return its peak resident memory, KiB.

    It is the high-water mark of the new program's own memory (`VmHWM`): the figure of `getrusage`
    begins at that of the process which started it, here a benchmark run that has grown.

    Args:
        code: The program; what it prints comes before the figure and is left out.
        arguments: Its `sys.argv[1:]`.
        environment: Variables beside those of this process.
    """
    done = subprocess.run(
        [sys.executable, "-c", code + _PEAK, *map(str, arguments)],
        check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    return int(done.stdout.splitlines()[-1])
