"""Whether promises were kept: good orders, what is left of the budget, how fast it burns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from oem_tco.errors import InputError
from oem_tco.slo.definition import WINDOWS, BurnWindow, SloDefinition

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """One order's value: seconds, basis points or filled share, by the indicator.

    Attributes:
        at_ns: When the order ended, UTC nanoseconds.
        value: Finite.
    """

    at_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget burns in one pair of windows.

    Attributes:
        window: The pair.
        long_rate: Burn rate in the long window, None without orders in it.
        short_rate: Burn rate in the short window, None without orders in it.
        limit: Rate above which the alert fires.
    """

    window: BurnWindow
    long_rate: float | None
    short_rate: float | None
    limit: float

    @property
    def firing(self) -> bool:
        """Whether both windows burn faster than the limit."""
        rates = (self.long_rate, self.short_rate)
        return all(rate is not None and rate > self.limit for rate in rates)


@dataclass(frozen=True, slots=True)
class SloStatus:
    """One service level at one time.

    Attributes:
        definition: The promise.
        at_ns: When it was measured.
        good: Good orders in the period.
        total: All orders in the period.
        burns: Every window pair.
    """

    definition: SloDefinition
    at_ns: int
    good: int
    total: int
    burns: tuple[Burn, ...]

    @property
    def share(self) -> float | None:
        """Share of good orders; None without orders."""
        return self.good / self.total if self.total else None

    @property
    def budget_left(self) -> float | None:
        """Share of the error budget that is left, negative when overspent; None without orders."""
        if not self.total:
            return None
        return 1.0 - (self.total - self.good) / (self.definition.budget * self.total)

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None without orders."""
        return None if self.share is None else self.share >= self.definition.objective

    def to_record(self) -> dict[str, Any]:
        """Return the status as JSON-ready values."""
        definition = self.definition
        return {
            "name": definition.name,
            "indicator": definition.indicator.value,
            "threshold": definition.threshold,
            "objective": definition.objective,
            "period_days": definition.period_days,
            "good": self.good,
            "total": self.total,
            "share": self.share,
            "budget_left": self.budget_left,
            "met": self.met,
            "burns": [
                {
                    "severity": burn.window.severity.value,
                    "long_s": burn.window.long_s,
                    "short_s": burn.window.short_s,
                    "long_rate": burn.long_rate,
                    "short_rate": burn.short_rate,
                    "limit": burn.limit,
                    "firing": burn.firing,
                }
                for burn in self.burns
            ],
        }


def measure_slo(
    definition: SloDefinition, measurements: Iterable[Measurement], at_ns: int
) -> SloStatus:
    """Return how a service level stood at a time.

    Args:
        definition: The promise.
        measurements: Orders in any order; those after `at_ns` and before the period do not count.
        at_ns: The time, UTC nanoseconds.

    Raises:
        InputError: A value is not a finite number.

    Example:
        >>> from oem_tco.slo.definition import Indicator, SloDefinition
        >>> slo = SloDefinition(name="cost", indicator=Indicator.COST, threshold=20, objective=0.9)
        >>> costs = [Measurement(n, 30.0 if n < 5 else 10.0) for n in range(100)]
        >>> status = measure_slo(slo, costs, 99)
        >>> status.share, round(status.budget_left, 3), status.met
        (0.95, 0.5, True)
    """
    judged: list[tuple[int, bool]] = []
    for one in measurements:
        if one.value != one.value or one.value in (float("inf"), float("-inf")):
            raise InputError(
                f"a measurement is {one.value}",
                where=f"{definition.name} at {one.at_ns}",
                remedy="measure only orders that ended",
            )
        judged.append((one.at_ns, definition.indicator.good(one.value, definition.threshold)))
    judged.sort()
    times = [at for at, _ in judged]
    bad = [0, *accumulate(not good for _, good in judged)]
    end = bisect_right(times, at_ns)

    def counts(window_s: float) -> tuple[int, int]:
        # a window is open at its old end: (at - window, at]
        start = bisect_right(times, at_ns - round(window_s * _NS), hi=end)
        return bad[end] - bad[start], end - start

    def rate(window_s: float) -> float | None:
        failed, total = counts(window_s)
        return failed / total / definition.budget if total else None

    failed, total = counts(definition.period_s)
    burns = tuple(
        Burn(w, rate(w.long_s), rate(w.short_s), w.rate(definition.period_s)) for w in WINDOWS
    )
    return SloStatus(definition, at_ns, total - failed, total, burns)
