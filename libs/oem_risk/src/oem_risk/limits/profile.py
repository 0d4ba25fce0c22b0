"""Risk profiles as data: what a site may hold, owe, lose and pay."""

from __future__ import annotations

import enum
import math
import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oem_risk.errors import ProfileProblem

DAYS_PER_YEAR = 365


class ProfileName(enum.StrEnum):
    """The profiles that are shipped."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"
    MANUAL = "manual"


class RiskProfile(BaseModel):
    """The limits of one profile.

    Attributes:
        name: Name in reports and decisions.
        max_position: Largest notional of one symbol, as a fraction of equity, > 0.
        max_leverage: Largest gross notional of all symbols, as a multiple of equity, > 0.
        max_order: Largest notional that one order adds, as a fraction of equity, > 0.
        max_daily_loss: Loss since the start of the UTC day, as a fraction of the equity that the
            day began with, in (0, 1).
        max_drawdown: Loss from the peak of equity, as a fraction of the peak, in (0, 1).
        max_open_positions: Largest number of symbols held, >= 1.
        max_cost_bps: Highest upper end of an order's estimated cost, in basis points, > 0.
        volatility_target: Annualised volatility the exposure is scaled and held to, > 0.
        max_daily_cost: Cost budget of a UTC day, as a fraction of equity, in (0, 1); None is the
            daily loss limit, for costs are losses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=32)
    max_position: float = Field(gt=0, le=20, allow_inf_nan=False)
    max_leverage: float = Field(gt=0, le=20, allow_inf_nan=False)
    max_order: float = Field(gt=0, le=20, allow_inf_nan=False)
    max_daily_loss: float = Field(gt=0, lt=1)
    max_drawdown: float = Field(gt=0, lt=1)
    max_open_positions: int = Field(ge=1, le=10_000)
    max_cost_bps: float = Field(gt=0, le=10_000)
    volatility_target: float = Field(gt=0, le=10)
    max_daily_cost: float | None = Field(default=None, gt=0, lt=1)

    @property
    def cost_budget(self) -> float:
        """Cost that a UTC day may bring, as a fraction of equity."""
        return self.max_daily_loss if self.max_daily_cost is None else self.max_daily_cost

    @model_validator(mode="after")
    def _consistent(self) -> RiskProfile:
        """Refuse limits of which one can never be reached, or is reached every few days."""
        sigma = self.volatility_target / math.sqrt(DAYS_PER_YEAR)
        contradictions = [
            words
            for wrong, words in (
                (self.max_position > self.max_leverage, "max_position may not exceed max_leverage"),
                (self.max_order > self.max_leverage, "max_order may not exceed max_leverage"),
                (
                    self.max_order > self.max_position,
                    "max_order may not exceed max_position, which would never let it be reached",
                ),
                (
                    self.max_daily_loss > self.max_drawdown,
                    "max_daily_loss may not exceed max_drawdown",
                ),
                (
                    self.cost_budget > self.max_daily_loss,
                    "max_daily_cost may not exceed max_daily_loss, for costs are losses",
                ),
                (
                    sigma >= self.max_daily_loss,
                    f"volatility_target is {sigma:.2%} a day, which max_daily_loss would stop",
                ),
            )
            if wrong
        ]
        if contradictions:
            raise ValueError("; ".join(contradictions))
        return self


def shipped_profiles() -> tuple[RiskProfile, ...]:
    """Return the four shipped profiles, mildest appetite first, `manual` last."""
    text = files("oem_risk.limits").joinpath("profiles.toml").read_text("utf-8")
    return tuple(
        RiskProfile.model_validate({"name": name, **values})
        for name, values in tomllib.loads(text).items()
    )


def shipped_profile(name: str) -> RiskProfile:
    """Return one shipped profile.

    Raises:
        ProfileProblem: There is no profile of that name.

    Example:
        >>> shipped_profile("balanced").max_leverage
        1.0
    """
    for profile in shipped_profiles():
        if profile.name == name:
            return profile
    raise ProfileProblem(
        f"no risk profile is named {name!r}",
        where="risk_profile",
        remedy="use one of " + ", ".join(p.value for p in ProfileName),
    )


def profile_from(values: dict[str, object]) -> RiskProfile:
    """Return a profile from outside values, with every wrong field named.

    Raises:
        ProfileProblem: A field is missing, out of range, or contradicts another.
    """
    try:
        return RiskProfile.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'profile'}: {item['msg']}"
            for item in error.errors()
        )
        raise ProfileProblem(
            f"the risk profile is not valid: {wrong}",
            where=str(values.get("name", "risk_profile")),
            remedy="correct the fields named",
        ) from None
