"""PASS, FAIL or INCONCLUSIVE: a gate that says how sure it is."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from oem_risk.errors import LabProblem
from oem_risk.measures.binomial import clopper_pearson


class Verdict(enum.StrEnum):
    """What a gate says."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class ProbabilityGate:
    """A probability estimated from simulated paths, held against its limit.

    Attributes:
        events: Paths on which it happened.
        paths: Paths simulated.
        limit: Highest probability allowed, in (0, 1).
        confidence: Confidence of the interval, in (0, 1).
        low: Lower end of the exact (Clopper & Pearson 1934) interval; high is the upper.
        verdict: PASS when the whole interval is inside the limit, FAIL when it is outside.
        more_paths: Further paths that would decide at the observed rate; 0 when decided.
    """

    events: int
    paths: int
    limit: float
    confidence: float
    low: float
    high: float
    verdict: Verdict
    more_paths: int

    @property
    def estimate(self) -> float:
        return self.events / self.paths

    def as_json(self) -> dict[str, object]:
        return {
            "events": self.events,
            "paths": self.paths,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "limit": self.limit,
            "verdict": self.verdict.value,
            "more_paths": self.more_paths,
        }


def probability_gate(
    events: int, paths: int, *, limit: float, confidence: float = 0.95
) -> ProbabilityGate:
    """Hold an estimated probability against its limit.

    Raises:
        LabProblem: No paths, more events than paths, or a limit outside (0, 1).

    Example:
        >>> probability_gate(0, 299, limit=0.0122).verdict.value
        'INCONCLUSIVE'
        >>> probability_gate(0, 299, limit=0.0124).verdict.value
        'PASS'
    """
    if paths < 1 or not 0 <= events <= paths or not 0 < limit < 1 or not 0 < confidence < 1:
        raise LabProblem(
            f"cannot judge {events} events on {paths} paths against {limit}",
            where="gate",
            remedy="simulate at least one path and give a limit between 0 and 1",
        )
    low, high = clopper_pearson(events, paths, confidence)
    if high <= limit:
        return ProbabilityGate(events, paths, limit, confidence, low, high, Verdict.PASS, 0)
    if low > limit:
        return ProbabilityGate(events, paths, limit, confidence, low, high, Verdict.FAIL, 0)
    more = _paths_to_decide(events / paths, limit, confidence) - paths
    verdict = Verdict.INCONCLUSIVE
    return ProbabilityGate(
        events, paths, limit, confidence, low, high, verdict, max(more, paths // 10 + 1)
    )


def _paths_to_decide(rate: float, limit: float, confidence: float) -> int:
    """Return the number of paths at which an interval around `rate` would leave `limit` aside."""
    from scipy.stats import norm

    distance = max(abs(rate - limit), limit / 50)
    z = float(norm.isf((1 - confidence) / 2))
    spread = max(rate * (1 - rate), limit * (1 - limit) / 4)
    return math.ceil(z * z * spread / distance**2) + 1
