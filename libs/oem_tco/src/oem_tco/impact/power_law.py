"""Impact of an order by its share of the day's volume: the square-root law, exponent free.

Source: Torre, "BARRA Market Impact Model Handbook" (1997); Tóth et al., "Anomalous price impact
and the critical nature of liquidity in financial markets", Physical Review X 1 (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from oem_tco.errors import ModelError


@dataclass(frozen=True, slots=True)
class PowerLawImpact:
    """`Y sigma (Q / V)^delta`, in the unit of sigma.

    Attributes:
        coefficient: Y, at least 0; about 1 in most markets.
        exponent: delta, in (0, 1]; 0.5 is the square-root law. Above 1 large orders would be
            dearer per unit than the market has ever shown, and splitting alone would pay.

    Raises:
        ModelError: A number is out of range.

    Example:
        >>> PowerLawImpact().cost(0.01, 300.0)
        30.0
    """

    coefficient: float = 1.0
    exponent: float = 0.5

    def __post_init__(self) -> None:
        if not math.isfinite(self.coefficient) or self.coefficient < 0:
            raise ModelError(
                f"coefficient is {self.coefficient}",
                where="coefficient",
                remedy="give a finite number of at least 0",
            )
        if not 0 < self.exponent <= 1:
            raise ModelError(
                f"exponent is {self.exponent}",
                where="exponent",
                remedy="give a number above 0 and at most 1",
            )

    def cost(self, participation: float, volatility: float) -> float:
        """Return the impact of an order of `participation` = quantity / volume, in units of sigma.

        Args:
            participation: Quantity over the volume of the period sigma is of, at least 0.
            volatility: Sigma of the period, for instance in basis points a day.
        """
        for name, value in (("participation", participation), ("volatility", volatility)):
            if not math.isfinite(value) or value < 0:
                raise ModelError(
                    f"{name} is {value}", where=name, remedy="give a finite number of at least 0"
                )
        return self.coefficient * volatility * math.pow(participation, self.exponent)
