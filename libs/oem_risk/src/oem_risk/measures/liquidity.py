"""Value at risk of a position that must be sold across the spread."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, finite, sample


@dataclass(frozen=True, slots=True)
class LiquidityVar:
    """Value at risk with the cost of leaving added.

    Attributes:
        market: The price risk.
        liquidity: Half of the spread in bad times, same unit.
    """

    market: Estimate
    liquidity: float

    @property
    def total(self) -> float:
        return self.market.value + self.liquidity


def liquidity_adjusted(
    market: Estimate, relative_spreads: ArrayLike, *, position: float = 1.0, multiple: float = 2.0
) -> LiquidityVar:
    """Add the exogenous cost of liquidity: half of mean spread plus a multiple of its deviation.

    Source: Bangia, Diebold, Schuermann, Stroughair, "Modeling liquidity risk", Risk 12 (1999).

    Args:
        market: Value at risk of the position, in the unit of `position` (share of value: 1).
        relative_spreads: (n,) bid-ask spreads over mid, at least 0.
        position: Value of the position.
        multiple: Deviations above the mean; the paper finds 2 to 4.5 for the 99th percentile.
    """
    spreads = sample(relative_spreads, "relative_spreads")
    finite(position, "position")
    finite(multiple, "multiple")
    if spreads.min() < 0 or multiple < 0:
        raise DataProblem(
            "a spread or the multiple is negative",
            where="relative_spreads",
            remedy="give spreads over the mid; a crossed quote has none",
        )
    worst = float(spreads.mean()) + multiple * float(spreads.std(ddof=1))
    return LiquidityVar(market, abs(position) * worst / 2)
