"""The thresholds a candidate is held to: the section `decision_engine` of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Section):
    """What a candidate must reach.

    Attributes:
        min_net_edge_bps: Least expected edge after expected costs, bps.
        min_probability: Least probability of a gain, in [0, 1].
        max_cost_bps: Highest upper end of the cost interval, bps; exits are held to twice that.
        min_stressed_net_edge_bps: Least net edge in the worst stress scenario, bps.
        caution: Standard errors of the edge that are taken off it, >= 0.
    """

    min_net_edge_bps: float = Field(default=2.0, ge=-10_000, le=10_000)
    min_probability: float = Field(default=0.5, ge=0, le=1)
    max_cost_bps: float = Field(default=40.0, gt=0, le=10_000)
    min_stressed_net_edge_bps: float = Field(default=-25.0, ge=-10_000, le=10_000)
    caution: float = Field(default=0.0, ge=0, le=10)


class Overrides(_Section):
    """Thresholds that differ for one profile; what is absent is inherited."""

    min_net_edge_bps: float | None = Field(default=None, ge=-10_000, le=10_000)
    min_probability: float | None = Field(default=None, ge=0, le=1)
    max_cost_bps: float | None = Field(default=None, gt=0, le=10_000)
    min_stressed_net_edge_bps: float | None = Field(default=None, ge=-10_000, le=10_000)
    caution: float | None = Field(default=None, ge=0, le=10)


class StressScenario(_Section):
    """A way in which costs may turn out worse.

    Attributes:
        name: Name in decisions.
        cost_multiplier: Factor on the expected cost, >= 1.
        latency_ms: Latency to survive; None takes the worst latency of the facts.
    """

    name: str = Field(min_length=1, max_length=32)
    cost_multiplier: float = Field(default=1.0, ge=1, le=100)
    latency_ms: float | None = Field(default=None, ge=0)


class ComplianceRules(_Section):
    """Rules on who may trade what, and when.

    Attributes:
        allowed_symbols: Only these; empty allows all.
        forbidden_symbols: Never these.
        hours_utc: First and last hour (exclusive) of trading, UTC; None for any time.
        required_features: Features the licence must grant, by mode.
        require_kyc: Whether the client must be identified; so is require_aml for screening.
    """

    allowed_symbols: tuple[str, ...] = ()
    forbidden_symbols: tuple[str, ...] = ()
    hours_utc: tuple[int, int] | None = None
    required_features: dict[str, tuple[str, ...]] = Field(
        default={"paper": ("paper",), "live": ("live",)}
    )
    require_kyc: bool = True
    require_aml: bool = True

    @model_validator(mode="after")
    def _hours(self) -> ComplianceRules:
        if self.hours_utc is not None:
            start, end = self.hours_utc
            if not 0 <= start < end <= 24:
                raise ValueError("hours_utc must be two hours, 0 <= first < last <= 24")
        return self


class DecisionPolicy(_Section):
    """The whole policy.

    Attributes:
        defaults: Thresholds of every profile.
        profiles: Overrides by profile name.
        stress: Scenarios every candidate must survive.
        compliance: Rules on who may trade what, and when.
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

    def thresholds(self, profile: str) -> Thresholds:
        """Return the thresholds of a profile, its overrides applied."""
        overrides = self.profiles.get(profile)
        if overrides is None:
            return self.defaults
        return self.defaults.model_copy(update=overrides.model_dump(exclude_none=True))
