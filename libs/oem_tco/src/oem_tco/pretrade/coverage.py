"""Whether intervals hold: each estimate against what the order cost, and the model put right."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from oem_tco.errors import InputError
from oem_tco.pretrade.cost_estimate import CostEstimate
from oem_tco.pretrade.estimate import EstimateModel
from oem_tco.terms import Side

MINIMUM = 30
"""Observations below which the model's own interval is better than a calibrated one."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One estimate and what the order cost, in bps of the reference notional."""

    venue: str
    at_ns: int
    expected_bps: float
    sigma_bps: float
    low_bps: float
    high_bps: float
    confidence: float
    realised_bps: float

    @property
    def inside(self) -> bool:
        return self.low_bps <= self.realised_bps <= self.high_bps

    @property
    def score(self) -> float:
        """Residual in standard deviations."""
        return (self.realised_bps - self.expected_bps) / self.sigma_bps if self.sigma_bps else 0.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of realised costs inside their intervals, with a 95 % Wilson interval."""

    count: int
    inside: int
    wanted: float
    share: float
    share_low: float
    share_high: float
    bias_bps: float

    @property
    def consistent(self) -> bool:
        """Whether the wanted share lies inside the Wilson interval."""
        return self.share_low <= self.wanted <= self.share_high


class CoverageTracker:
    """Remembers the last observations, reports coverage and calibrates the model.

    Markets change faster than a window forgets, so the miss rate that is aimed at follows the
    misses seen: after each order it moves by `pace x (wanted - missed)`, where a miss is a cost
    outside the interval that `calibrated` would have given. Over n orders the share missed is
    then within `2 / (pace n)` of the wanted one, whatever the market does (adaptive conformal
    inference: Gibbs, Candès 2021, proposition 4.1).

    Args:
        window: How many observations are kept.
        confidence: Confidence of the intervals that are tracked.
        pace: Step of the miss rate after each order, in (0, 1).
    """

    def __init__(self, window: int = 5_000, confidence: float = 0.8, pace: float = 0.02) -> None:
        self._kept: deque[Observation] = deque(maxlen=window)
        self.confidence = confidence
        self._pace = pace
        self._missing = 1.0 - confidence
        self._scores: list[float] = []

    def observe(
        self, estimate: CostEstimate, realised_bps: float, *, venue: str = "", at_ns: int = 0
    ) -> Observation:
        """Remember an estimate of this confidence with the realised cost, and return both."""
        if not math.isfinite(realised_bps):
            raise InputError(
                "realised cost is not a number",
                where=estimate.symbol,
                remedy="observe only orders that were filled",
            )
        if estimate.confidence != self.confidence:
            raise InputError(
                f"interval of confidence {estimate.confidence}, tracking {self.confidence}",
                where=estimate.symbol,
                remedy="use with_confidence or a tracker of that confidence",
            )
        seen = Observation(
            venue or estimate.venue,
            at_ns,
            estimate.expected_bps,
            estimate.sigma_bps,
            estimate.low_bps,
            estimate.high_bps,
            estimate.confidence,
            realised_bps,
        )
        if len(self._scores) >= MINIMUM:
            low, high = self._ends()
            missed = not low <= seen.score <= high
            self._missing += self._pace * (1.0 - self.confidence - missed)
        self._keep(seen)
        return seen

    @property
    def observations(self) -> tuple[Observation, ...]:
        return tuple(self._kept)

    def coverage(self, venue: str = "") -> Coverage:
        """Return the measured coverage, of one venue or of all."""
        kept = [o for o in self._kept if not venue or o.venue == venue]
        return coverage_of(kept, self.confidence)

    def venue_bias_bps(self, venue: str) -> float:
        """Return by how much the venue cost more than estimated, shrunk where it was seen little.

        With n observations the mean residual counts n/(n+20): the router must not chase noise.
        """
        kept = [o.realised_bps - o.expected_bps for o in self._kept if o.venue == venue]
        return math.fsum(kept) / (len(kept) + 20) if kept else 0.0

    def calibrated(self, model: EstimateModel, minimum: int = MINIMUM) -> EstimateModel:
        """Return the model with the interval's ends at the quantiles of the residuals seen.

        The conformal rule: of n residuals the ends are those of rank `floor(alpha/2 (n+1))` and
        `ceil((1 - alpha/2)(n+1))` (Vovk et al. 2005), alpha being the miss rate aimed at. Where
        that asks for more than was ever seen, the outermost residual is doubled. Below `minimum`
        the model is unchanged.
        """
        if len(self._scores) < max(minimum, 1):
            return model
        low, high = self._ends()
        return replace(model, z_low=low, z_high=high, z_confidence=self.confidence)

    def _ends(self) -> tuple[float, float]:
        scores, n = self._scores, len(self._scores)
        tail = min(self._missing, 1.0) / 2.0
        low, high = math.floor(tail * (n + 1)), math.ceil((1.0 - tail) * (n + 1))
        return (
            scores[low - 1] if low >= 1 else 2.0 * min(scores[0], 0.0),
            scores[high - 1] if high <= n else 2.0 * max(scores[-1], 0.0),
        )

    def _keep(self, seen: Observation) -> None:
        if len(self._kept) == self._kept.maxlen:
            del self._scores[bisect_left(self._scores, self._kept[0].score)]
        self._kept.append(seen)
        insort(self._scores, seen.score)

    def to_record(self) -> dict[str, Any]:
        return {
            "confidence": self.confidence,
            "pace": self._pace,
            "missing": self._missing,
            "observations": [asdict(o) for o in self._kept],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], window: int = 5_000) -> CoverageTracker:
        tracker = cls(window, float(record["confidence"]), float(record["pace"]))
        tracker._missing = float(record["missing"])
        for item in record["observations"]:
            tracker._keep(Observation(**item))
        return tracker


def coverage_of(observations: Sequence[Observation], wanted: float) -> Coverage:
    """Return the coverage of a list of observations."""
    n = len(observations)
    inside = sum(o.inside for o in observations)
    if n == 0:
        return Coverage(0, 0, wanted, math.nan, 0.0, 1.0, math.nan)
    low, high = wilson(inside, n)
    bias = math.fsum(o.realised_bps - o.expected_bps for o in observations) / n
    return Coverage(n, inside, wanted, inside / n, low, high, bias)


def wilson(inside: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, of which `inside` of `count` were seen (Wilson 1927).

    Example:
        >>> [round(end, 4) for end in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    if count <= 0:
        return 0.0, 1.0
    share, z = inside / count, 1.959963984540054
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    half = z / (1 + z * z / count) * spread
    return centre - half, centre + half


def realised_cost_bps(
    side: Side, reference_price: Decimal, fills: Iterable[tuple[Decimal, Decimal, Decimal]]
) -> float:
    """Return what fills cost against a reference price, fees included, in bps of the notional.

    It is of spot markets and linear contracts; `executed_bps` knows inverse ones too.

    Args:
        side: Direction of the order.
        reference_price: Mid at the decision.
        fills: Price, quantity, and fee in the quote currency (positive is a cost) of each fill.

    Example:
        >>> realised_cost_bps(Side.BUY, Decimal(100), [(Decimal(101), Decimal(2), Decimal("0.1"))])
        105.0
    """
    cost = Decimal(0)
    notional = Decimal(0)
    for price, quantity, fee in fills:
        cost += side.sign * (price - reference_price) * quantity + fee
        notional += reference_price * quantity
    if notional <= 0:
        raise InputError("no fill", where="fills", remedy="give at least one fill")
    return float(cost / notional * 10_000)


def rank_venues(
    estimates: Iterable[CostEstimate], tracker: CoverageTracker
) -> tuple[tuple[str, float], ...]:
    """Return venues, cheapest first, by expected bps corrected by what they cost before."""
    ranked = [(e.venue, e.expected_bps + tracker.venue_bias_bps(e.venue)) for e in estimates]
    return tuple(sorted(ranked, key=lambda pair: (pair[1], pair[0])))
