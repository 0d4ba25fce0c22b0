"""PASS, FAIL or INCONCLUSIVE: a gate that says how sure it is."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

from oem_risk.errors import LabProblem
from oem_risk.measures.binomial import clopper_pearson
from oem_risk.measures.sequential import confidence_sequence, log_ratio, mixture_prior

FIXED = "Clopper-Pearson, exact at a number of paths fixed beforehand"
SEQUENTIAL = "beta-binomial confidence sequence, valid whenever the paths end"


class Verdict(enum.StrEnum):
    """What a gate says."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


def worst_verdict(found: Iterable[Verdict]) -> Verdict:
    """Return FAIL where there is one, else INCONCLUSIVE where there is one, else PASS.

    So that all of several gates say PASS needs no correction for their number: whichever of them
    ought not to, its own error bounds that of all (the intersection-union test of Berger 1982).
    """
    seen = set(found)
    return next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in seen), Verdict.PASS)


@dataclass(frozen=True, slots=True)
class ProbabilityGate:
    """A probability estimated from simulated paths, held against its limit.

    Attributes:
        events: Paths on which it happened.
        paths: Paths simulated.
        limit: Highest probability allowed, in (0, 1).
        confidence: Confidence of the interval, in (0, 1).
        low: Lower end of the interval; high is the upper.
        verdict: PASS when the whole interval is inside the limit, FAIL when it is outside.
        more_paths: Further paths that would decide at the observed rate; 0 when decided.
        method: How the interval was made.
    """

    events: int
    paths: int
    limit: float
    confidence: float
    low: float
    high: float
    verdict: Verdict
    more_paths: int
    method: str = FIXED

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
            "method": self.method,
        }


def probability_gate(
    events: int, paths: int, *, limit: float, confidence: float = 0.95
) -> ProbabilityGate:
    """Hold an estimated probability against its limit, once, at a number of paths fixed before.

    The interval is that of Clopper and Pearson (1934). Whoever would add paths and look again
    needs `sequential_gate`.

    Raises:
        LabProblem: No paths, more events than paths, or a limit outside (0, 1).

    Example:
        >>> probability_gate(0, 299, limit=0.0122).verdict.value
        'INCONCLUSIVE'
        >>> probability_gate(0, 299, limit=0.0124).verdict.value
        'PASS'
    """
    _require(events, paths, limit, confidence)
    low, high = clopper_pearson(events, paths, confidence)
    verdict = _verdict(low, high, limit)
    more = 0
    if verdict is Verdict.INCONCLUSIVE:
        needed = _paths_to_decide(events / paths, limit, confidence)
        more = max(needed - paths, paths // 10 + 1)
    return ProbabilityGate(events, paths, limit, confidence, low, high, verdict, more, FIXED)


def sequential_gate(
    events: int, paths: int, *, limit: float, confidence: float = 0.95
) -> ProbabilityGate:
    """Hold an estimated probability against its limit, as often as one likes.

    Of all runs whose true probability is above the limit, at most `1 - confidence` ever see a PASS
    at any number of paths, however they decide when to stop; and as many of those below it a FAIL.

    Raises:
        LabProblem: No paths, more events than paths, or a limit outside (0, 1).

    Example:
        >>> sequential_gate(0, 80, limit=0.05).verdict.value
        'INCONCLUSIVE'
        >>> sequential_gate(0, 81, limit=0.05).verdict.value
        'PASS'
    """
    _require(events, paths, limit, confidence)
    low, high = confidence_sequence(events, paths, confidence, expected=limit)
    verdict = _verdict(low, high, limit)
    more = 0
    if verdict is Verdict.INCONCLUSIVE:
        needed = _sequential_paths_to_decide(events / paths, limit, confidence)
        more = max(needed - paths, paths // 10 + 1)
    return ProbabilityGate(events, paths, limit, confidence, low, high, verdict, more, SEQUENTIAL)


def _require(events: int, paths: int, limit: float, confidence: float) -> None:
    if paths < 1 or not 0 <= events <= paths or not 0 < limit < 1 or not 0 < confidence < 1:
        raise LabProblem(
            f"cannot judge {events} events on {paths} paths against {limit}",
            where="gate",
            remedy="simulate at least one path and give a limit between 0 and 1",
        )


def _verdict(low: float, high: float, limit: float) -> Verdict:
    if high <= limit:
        return Verdict.PASS
    return Verdict.FAIL if low > limit else Verdict.INCONCLUSIVE


def _paths_to_decide(rate: float, limit: float, confidence: float) -> int:
    """Return the number of paths at which an interval around `rate` would leave `limit` aside."""
    from scipy.special import ndtri

    distance = max(abs(rate - limit), limit / 50)
    z = -float(ndtri((1 - confidence) / 2))
    spread = max(rate * (1 - rate), limit * (1 - limit) / 4)
    return math.ceil(z * z * spread / distance**2) + 1


def _sequential_paths_to_decide(rate: float, limit: float, confidence: float) -> int:
    """Return the number of paths at which the ratio at the limit would reach its bound."""
    # a rate on the limit would never decide: the answer is capped as the fixed one is
    if abs(rate - limit) < limit / 50:
        rate = limit * (1 - 1 / 50) if rate <= limit else limit * (1 + 1 / 50)
    bound, prior = -math.log(1 - confidence), mixture_prior(limit)
    paths = 16
    while log_ratio(rate * paths, paths, limit, prior) < bound and paths < 1 << 40:
        paths *= 2
    low = paths // 2
    while paths - low > 1:
        middle = (low + paths) // 2
        if log_ratio(rate * middle, middle, limit, prior) < bound:
            low = middle
        else:
            paths = middle
    return paths
