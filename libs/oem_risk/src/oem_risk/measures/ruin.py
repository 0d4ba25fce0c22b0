"""The probability of losing what must not be lost."""

from __future__ import annotations

import math
from statistics import NormalDist

from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.binomial import clopper_pearson
from oem_risk.measures.estimate import Estimate, finite, sample, share


def ruin_probability(lowest: ArrayLike, barrier: float, confidence: float = 0.95) -> Estimate:
    """Return the share of simulated paths whose lowest equity fell to a barrier.

    Every path counts once over its whole length, so the figure rises with the horizon and does
    not depend on how often a path is looked at.

    Args:
        lowest: (paths,) lowest equity of each path.
        barrier: Equity at which a path is ruined.
        confidence: Of the exact interval (Clopper, Pearson 1934).
    """
    least = sample(lowest, "lowest", least=1)
    finite(barrier, "barrier")
    events = int((least <= barrier).sum())
    low, high = clopper_pearson(events, least.size, share(confidence, "confidence"))
    return Estimate(
        events / least.size, low, high, confidence, "Clopper-Pearson, exact",
        f"probability that equity falls to {barrier:g} within the horizon", least.size,
    )  # fmt: skip


def brownian_ruin_probability(
    distance: float, drift: float, deviation: float, horizon: float = math.inf
) -> float:
    """Return the probability that Brownian motion with drift falls by `distance`.

    Source: Harrison, "Brownian Motion and Stochastic Flow Systems" (1985), 1.8 (reflection).

    Args:
        distance: Absolute fall from the start, above 0.
        drift: Per unit of time; so is deviation per its square root, above 0.
        deviation: Sigma.
        horizon: Time, above 0; infinite for ever.

    Example:
        >>> round(brownian_ruin_probability(1.0, 0.5, 1.0), 6)
        0.367879
    """
    finite(distance, "distance", above=0.0)
    finite(deviation, "deviation", above=0.0)
    finite(drift, "drift")
    if math.isnan(horizon) or horizon <= 0:
        raise DataProblem(
            f"horizon is {horizon}", where="horizon", remedy="give a number above 0, or infinity"
        )
    exponent = -2 * drift * distance / deviation**2
    if math.isinf(horizon):
        return math.exp(exponent) if drift > 0 else 1.0
    spread = deviation * math.sqrt(horizon)
    normal = NormalDist()
    first = normal.cdf((-distance - drift * horizon) / spread)
    mirrored = (-distance + drift * horizon) / spread
    if exponent > 50:
        # e^a Phi(b) with a large: in logs, by the scaled complementary error function
        from scipy.special import log_ndtr

        return min(1.0, first + math.exp(exponent + float(log_ndtr(mirrored))))
    return min(1.0, first + math.exp(exponent) * normal.cdf(mirrored))
