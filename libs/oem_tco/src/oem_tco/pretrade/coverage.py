"""Whether intervals hold: each estimate against what the order cost, and the model put right."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from oem_tco.errors import InputError
from oem_tco.pretrade.estimate import CostEstimate, EstimateModel
from oem_tco.terms import Side


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

    Args:
        window: How many observations are kept.
        confidence: Confidence of the intervals that are tracked.
    """

    def __init__(self, window: int = 5_000, confidence: float = 0.8) -> None:
        self._kept: deque[Observation] = deque(maxlen=window)
        self.confidence = confidence

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
        self._kept.append(seen)
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

    def calibrated(self, model: EstimateModel, minimum: int = 30) -> EstimateModel:
        """Return the model with the interval's ends at the quantiles of the residuals seen.

        The split-conformal rule: of n residuals the ends are those of rank
        `floor(alpha/2 (n+1))` and `ceil((1 - alpha/2)(n+1))`, which covers at least the wanted
        share of exchangeable orders (Vovk et al. 2005). Below `minimum` the model is unchanged.
        """
        scores = sorted(o.score for o in self._kept)
        n = len(scores)
        if n < minimum:
            return model
        tail = (1.0 - self.confidence) / 2.0
        low = max(math.floor(tail * (n + 1)), 1)
        high = min(math.ceil((1.0 - tail) * (n + 1)), n)
        return replace(
            model,
            z_low=scores[low - 1],
            z_high=scores[high - 1],
            z_confidence=self.confidence,
        )

    def to_record(self) -> dict[str, Any]:
        return {"confidence": self.confidence, "observations": [asdict(o) for o in self._kept]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], window: int = 5_000) -> CoverageTracker:
        tracker = cls(window, float(record["confidence"]))
        tracker._kept.extend(Observation(**item) for item in record["observations"])
        return tracker


def coverage_of(observations: Sequence[Observation], wanted: float) -> Coverage:
    """Return the coverage of a list of observations."""
    n = len(observations)
    inside = sum(o.inside for o in observations)
    if n == 0:
        return Coverage(0, 0, wanted, math.nan, 0.0, 1.0, math.nan)
    share = inside / n
    z = 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    bias = math.fsum(o.realised_bps - o.expected_bps for o in observations) / n
    return Coverage(n, inside, wanted, share, centre - half, centre + half, bias)


def realised_cost_bps(
    side: Side, reference_price: Decimal, fills: Iterable[tuple[Decimal, Decimal, Decimal]]
) -> float:
    """Return what fills cost against a reference price, fees included, in bps of the notional.

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
