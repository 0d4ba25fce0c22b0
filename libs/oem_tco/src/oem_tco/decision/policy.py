"""The thresholds a candidate is held to: the section `decision_engine` of the configuration."""

from __future__ import annotations

import datetime as dt
import enum

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Section):
    """What a candidate must reach.

    Attributes:
        min_net_edge_bps: Least expected edge after expected costs, over doing nothing, bps.
        min_probability: Least probability of a gain, in [0, 1].
        max_cost_bps: Highest upper end of the cost interval, bps.
        min_stressed_net_edge_bps: Least net edge in the worst stress scenario, bps.
        caution: Standard errors of the net edge that are taken off it, >= 0; the standard error
            is that of edge and cost together.
        exit_cost_factor: Exits may cost this many times `max_cost_bps`, at least 1.
    """

    min_net_edge_bps: float = Field(default=2.0, ge=-10_000, le=10_000)
    min_probability: float = Field(default=0.5, ge=0, le=1)
    max_cost_bps: float = Field(default=40.0, gt=0, le=10_000)
    min_stressed_net_edge_bps: float = Field(default=-25.0, ge=-10_000, le=10_000)
    caution: float = Field(default=0.0, ge=0, le=10)
    exit_cost_factor: float = Field(default=2.0, ge=1, le=100)


class Overrides(_Section):
    """Thresholds that differ for one profile; what is absent is inherited."""

    min_net_edge_bps: float | None = Field(default=None, ge=-10_000, le=10_000)
    min_probability: float | None = Field(default=None, ge=0, le=1)
    max_cost_bps: float | None = Field(default=None, gt=0, le=10_000)
    min_stressed_net_edge_bps: float | None = Field(default=None, ge=-10_000, le=10_000)
    caution: float | None = Field(default=None, ge=0, le=10)
    exit_cost_factor: float | None = Field(default=None, ge=1, le=100)


class StressScenario(_Section):
    """A way in which costs may turn out worse.

    Attributes:
        name: Name in decisions.
        cost_multiplier: Factor on the expected cost, >= 1; a cost that is a gain stays as it is.
        latency_ms: Latency to survive; None takes the worst latency of the facts.
    """

    name: str = Field(min_length=1, max_length=32)
    cost_multiplier: float = Field(default=1.0, ge=1, le=100)
    latency_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class ComplianceRules(_Section):
    """Rules on who may trade what, and when.

    Attributes:
        allowed_symbols: Only these; empty allows all.
        forbidden_symbols: Never these.
        hours_utc: First and last hour (exclusive) of trading, UTC; None for any time. A first hour
            after the last one passes midnight: `[22, 6]` is from 22:00 to 06:00.
        weekdays: Days on which trading begins, 1 is Monday, 7 Sunday; empty allows all. Hours
            after midnight belong to the day before.
        closed_dates: Dates without trading, UTC; hours after midnight belong to the day before.
        required_features: Features the licence must grant, by mode; a mode that is not named is
            refused.
        min_licence_days: Days the licence must still be valid, where the facts tell.
        require_kyc: Whether the client must be identified; so is require_aml for screening.
        exits_pass: Whether exits are let out of symbols and hours that are closed to entries.
    """

    allowed_symbols: tuple[str, ...] = ()
    forbidden_symbols: tuple[str, ...] = ()
    hours_utc: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()
    closed_dates: tuple[dt.date, ...] = ()
    required_features: dict[str, tuple[str, ...]] = Field(
        default={"demo": (), "paper": ("paper",), "live": ("live",)}
    )
    min_licence_days: float = Field(default=0.0, ge=0, le=3_660, allow_inf_nan=False)
    require_kyc: bool = True
    require_aml: bool = True
    exits_pass: bool = False

    @model_validator(mode="after")
    def _times(self) -> ComplianceRules:
        if self.hours_utc is not None:
            start, end = self.hours_utc
            if not (0 <= start <= 23 and 0 <= end <= 24 and start != end):
                raise ValueError(
                    "hours_utc must be two different hours, the first of 0 to 23, the last of 0 "
                    "to 24"
                )
        if any(not 1 <= day <= 7 for day in self.weekdays):
            raise ValueError("weekdays must be of 1 (Monday) to 7 (Sunday)")
        both = sorted(set(self.allowed_symbols) & set(self.forbidden_symbols))
        if both:
            raise ValueError(f"allowed and forbidden at once: {', '.join(both)}")
        return self


class RankBy(enum.StrEnum):
    """What makes one alternative better than another."""

    BPS = "bps"
    """The cautious net edge over doing nothing in basis points."""
    AMOUNT = "amount"
    """The same in money: basis points of the candidate's own notional."""


class DecisionPolicy(_Section):
    """The whole policy.

    Attributes:
        defaults: Thresholds of every profile.
        profiles: Overrides by profile name.
        stress: Scenarios every candidate must survive.
        compliance: Rules on who may trade what, and when.
        rank_by: What alternatives of one group are ranked by.
    """

    defaults: Thresholds = Thresholds()
    profiles: dict[str, Overrides] = Field(
        default_factory=lambda: {
            "conservative": Overrides(
                min_net_edge_bps=6.0, min_probability=0.55, max_cost_bps=25.0
            ),
            "aggressive": Overrides(min_net_edge_bps=0.5, max_cost_bps=60.0),
        }
    )
    stress: tuple[StressScenario, ...] = (
        StressScenario(name="cost_shock", cost_multiplier=2.0, latency_ms=0.0),
        StressScenario(name="worst_latency"),
    )
    compliance: ComplianceRules = ComplianceRules()
    rank_by: RankBy = RankBy.BPS

    @model_validator(mode="after")
    def _names(self) -> DecisionPolicy:
        names = [scenario.name for scenario in self.stress]
        if len(set(names)) < len(names):
            raise ValueError("stress: two scenarios have the same name")
        return self

    def thresholds(self, profile: str) -> Thresholds:
        """Return the thresholds of a profile, its overrides applied."""
        overrides = self.profiles.get(profile)
        if overrides is None:
            return self.defaults
        return self.defaults.model_copy(update=overrides.model_dump(exclude_none=True))
