"""Impact of a large order measured on real trades: permanent part, and cost of the execution.

Source: Almgren, Thum, Hauptmann, Li, "Direct estimation of equity market impact", Risk 18 (2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from oem_tco.errors import ModelError


@dataclass(frozen=True, slots=True)
class AlmgrenImpact:
    """Impact as a share of the price; all volumes in the same units.

    Attributes:
        permanent: gamma, universal coefficient of the permanent part (paper: 0.314 +- 0.041).
        temporary: eta, universal coefficient of the temporary part (paper: 0.142 +- 0.0062).
        exponent: beta of the trading rate in the temporary part (paper: 0.600 +- 0.038; published
            rule: 3/5), in (0, 1].
        shares_exponent: delta of the inverse turnover (paper: 0.267 +- 0.22; published rule: 1/4).

    Raises:
        ModelError: A number is out of range.

    Example:
        >>> model = AlmgrenImpact()
        >>> i = model.permanent_impact(656_100, 6_561_000, 0.0157, 1_728_000_000)
        >>> round(i * 1e4, 2)
        19.86
        >>> j = model.realised_impact(656_100, 6_561_000, 0.0157, 0.5, 1_728_000_000)
        >>> round(j * 1e4)
        18
    """

    permanent: float = 0.314
    temporary: float = 0.142
    exponent: float = 0.6
    shares_exponent: float = 0.25

    def __post_init__(self) -> None:
        for name in ("permanent", "temporary", "shares_exponent"):
            _at_least_zero(name, getattr(self, name))
        if not 0 < self.exponent <= 1:
            raise ModelError(
                f"exponent is {self.exponent}",
                where="exponent",
                remedy="give a number above 0 and at most 1",
            )

    def permanent_impact(
        self, quantity: float, daily_volume: float, daily_volatility: float, outstanding: float
    ) -> float:
        """Return I, the share by which the price is moved for good, with the sign of `quantity`.

        Args:
            quantity: Units bought (positive) or sold.
            daily_volume: Average daily volume V, above 0.
            daily_volatility: Standard deviation of one day's return, 0.0157 for 1.57 %.
            outstanding: Units outstanding Theta, above 0; for a coin its circulating supply.
        """
        self._check(quantity, daily_volume, daily_volatility, outstanding)
        turnover = math.pow(outstanding / daily_volume, self.shares_exponent)
        return self.permanent * daily_volatility * quantity / daily_volume * turnover

    def temporary_impact(
        self, quantity: float, daily_volume: float, daily_volatility: float, days: float
    ) -> float:
        """Return K = J - I/2, the share conceded for speed, with the sign of `quantity`.

        Args:
            quantity: Units bought (positive) or sold.
            daily_volume: Average daily volume V, above 0.
            daily_volatility: Standard deviation of one day's return.
            days: Duration of the execution T in days of volume time, above 0.
        """
        self._check(quantity, daily_volume, daily_volatility, days)
        rate = abs(quantity) / (daily_volume * days)
        size = self.temporary * daily_volatility * rate**self.exponent
        return math.copysign(size, quantity) if quantity else 0.0

    def realised_impact(
        self,
        quantity: float,
        daily_volume: float,
        daily_volatility: float,
        days: float,
        outstanding: float,
    ) -> float:
        """Return J = I/2 + K, the average share by which the fills were worse than the start."""
        permanent = self.permanent_impact(quantity, daily_volume, daily_volatility, outstanding)
        temporary = self.temporary_impact(quantity, daily_volume, daily_volatility, days)
        return permanent / 2 + temporary

    def _check(self, quantity: float, volume: float, volatility: float, last: float) -> None:
        if not math.isfinite(quantity):
            raise ModelError("quantity is not finite", where="quantity", remedy="give a number")
        _at_least_zero("daily_volatility", volatility)
        for name, value in (("daily_volume", volume), ("days or outstanding", last)):
            if not math.isfinite(value) or value <= 0:
                raise ModelError(
                    f"{name} is {value}", where=name, remedy="give a finite number above 0"
                )


def _at_least_zero(name: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise ModelError(
            f"{name} is {value}", where=name, remedy="give a finite number of at least 0"
        )
