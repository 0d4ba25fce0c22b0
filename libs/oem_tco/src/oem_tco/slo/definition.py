"""What a service level promises, and how fast its error budget may burn.

Source: Beyer et al., "The Site Reliability Workbook", O'Reilly (2018), chapter 5.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oem_tco.errors import InputError

HOUR_S = 3_600
DAY_S = 24 * HOUR_S


class Indicator(enum.StrEnum):
    """What is measured of each order."""

    LATENCY = "latency"
    COST = "cost"
    FILL_RATE = "fill_rate"

    def good(self, value: float, threshold: float) -> bool:
        """Return whether an order of this value keeps the promise.

        A latency (seconds) or cost (basis points) may be at most the threshold; the filled share
        must be above it.
        """
        return value > threshold if self is Indicator.FILL_RATE else value <= threshold


class Severity(enum.StrEnum):
    """Whether someone is woken or a ticket is written."""

    PAGE = "page"
    TICKET = "ticket"


class SloDefinition(BaseModel):
    """A promise: of all orders of the period, at least the share `objective` is good.

    Attributes:
        name: Short name, used in rules and reports.
        indicator: What is measured.
        threshold: Seconds, basis points, or filled share, by indicator.
        objective: Share of good orders promised, above 0 and below 1.
        period_days: Length of the rolling period.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    indicator: Indicator
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    objective: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    period_days: Annotated[int, Field(ge=1, le=366)] = 30

    @model_validator(mode="after")
    def _in_range(self) -> SloDefinition:
        if self.indicator is Indicator.FILL_RATE and not 0 <= self.threshold < 1:
            raise ValueError("threshold of a fill rate: give a share of at least 0 and below 1")
        if self.indicator is Indicator.LATENCY and self.threshold <= 0:
            raise ValueError("threshold of a latency: give seconds above 0")
        return self

    @property
    def budget(self) -> float:
        """Share of orders that may be bad."""
        return 1.0 - self.objective

    @property
    def period_s(self) -> int:
        return self.period_days * DAY_S


DEFAULT_SLOS = (
    SloDefinition(name="execution_latency", indicator=Indicator.LATENCY, threshold=0.25,
                  objective=0.99),
    SloDefinition(name="cost_per_trade", indicator=Indicator.COST, threshold=30.0,
                  objective=0.95),
    SloDefinition(name="fill_rate", indicator=Indicator.FILL_RATE, threshold=0.99,
                  objective=0.95),
)  # fmt: skip
"""Used where the configuration names none."""


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """One rule of a multi-window alert.

    Attributes:
        severity: What the alert does.
        long_s: The window that shows the burn matters, in seconds.
        short_s: The window that shows it is still going on: a twelfth of the long one.
        budget_share: Share of the period's budget that is gone when the long window is full.
    """

    severity: Severity
    long_s: int
    short_s: int
    budget_share: float

    def can_fire(self, definition: SloDefinition) -> bool:
        """Return whether the burn rate can be reached: at most all orders can be bad."""
        return self.rate(definition.period_s) * definition.budget < 1

    def rate(self, period_s: float) -> float:
        """Return the burn rate that uses up `budget_share` of the budget in the long window."""
        return burn_rate(self.budget_share, self.long_s, period_s)


WINDOWS = (
    BurnWindow(Severity.PAGE, HOUR_S, HOUR_S // 12, 0.02),
    BurnWindow(Severity.PAGE, 6 * HOUR_S, HOUR_S // 2, 0.05),
    BurnWindow(Severity.TICKET, DAY_S, 2 * HOUR_S, 0.10),
    BurnWindow(Severity.TICKET, 3 * DAY_S, 6 * HOUR_S, 0.10),
)
"""The workbook's table 5-8: burn rates 14.4, 6, 3 and 1 for a period of 30 days."""


def burn_rate(budget_share: float, window_s: float, period_s: float) -> float:
    """Return how many times faster than even the budget burns.

    Args:
        budget_share: Share of the period's error budget used in the window, at least 0.
        window_s: Length of the window, seconds, above 0.
        period_s: Length of the period, seconds, above 0.

    Example:
        >>> burn_rate(0.02, 3_600, 30 * 86_400)
        14.4
    """
    for name, value in (("window_s", window_s), ("period_s", period_s)):
        if not math.isfinite(value) or value <= 0:
            raise InputError(f"{name} is {value}", where=name, remedy="give seconds above 0")
    if not math.isfinite(budget_share) or budget_share < 0:
        raise InputError(
            f"budget_share is {budget_share}", where="budget_share", remedy="give a share"
        )
    return budget_share * period_s / window_s
