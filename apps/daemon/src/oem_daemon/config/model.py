"""The shape of `config/core.yaml`.

Sections that belong to a library are that library's own model; the daemon composes them.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oem_exec import InstrumentKind
from oem_tco import DEFAULT_SLOS, DecisionPolicy, SloDefinition
from oem_tco.decision.policy import RankBy

Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,15}/[A-Z0-9]{2,10}$", examples=["BTC/USDT"])]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Port = Annotated[int, Field(ge=0, le=65535, description="0 takes a free port")]
Scope = Literal["status:read", "trade:read", "trade:write", "trade:control"]
Loopback = Literal["127.0.0.1", "::1", "localhost"]
LEAST_BARS, MOST_BARS = 60, 1_000_000
"""Fewer bars to trade on would show nothing but the warm-up of the strategies."""


class Section(BaseModel):
    """A section of the file: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(enum.StrEnum):
    """The stage a site runs in; each has its own decision log."""

    DEMO = "demo"
    PAPER = "paper"


class Profile(enum.StrEnum):
    """The risk profiles a site can run under."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"
    MANUAL = "manual"


class Runtime(Section):
    """What runs, on how much money, and how often."""

    stage: Stage = Stage.PAPER
    risk_profile: Profile = Profile.BALANCED
    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=50)
    initial_cash: Decimal = Field(default=Decimal(100_000), gt=0, allow_inf_nan=False)
    cycle_seconds: float = Field(default=0.0, ge=0.0, le=3600.0)

    @model_validator(mode="after")
    def _one_quote_currency(self) -> Runtime:
        quotes = {symbol.split("/")[1] for symbol in self.symbols}
        if len(quotes) > 1:
            raise ValueError(f"symbols must share one quote currency, not {sorted(quotes)}")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError("a symbol is listed twice")
        return self


class ParquetData(Section):
    """Recorded bars from a folder of Parquet files."""

    source: Literal["parquet"]
    folder: Path
    venue: Name = "binance"
    timeframe: Literal["1m", "5m", "15m", "1h", "1d"] = "1h"
    bars: int = Field(default=480, ge=LEAST_BARS, le=MOST_BARS)


class SyntheticData(Section):
    """Generated bars; every report says so."""

    source: Literal["synthetic"]
    seed: int = Field(default=20260101, ge=0)
    timeframe: Literal["1m", "5m", "15m", "1h", "1d"] = "1h"
    bars: int = Field(default=480, ge=LEAST_BARS, le=MOST_BARS)


class VenueData(Section):
    """Minute bars that the venues of `execution.live` show, as they close."""

    source: Literal["venue"]
    timeframe: Literal["1m"] = "1m"


class TrendSettings(Section):
    """A moving-average crossover."""

    kind: Literal["trend"]
    fast: int = Field(default=12, ge=2, le=5_000)
    slow: int = Field(default=48, ge=3, le=10_000)

    @model_validator(mode="after")
    def _ordered(self) -> TrendSettings:
        if self.fast >= self.slow:
            raise ValueError("fast must be smaller than slow")
        return self


class MeanReversionSettings(Section):
    """A z-score reversal."""

    kind: Literal["mean_reversion"]
    window: int = Field(default=24, ge=4, le=10_000)
    entry_z: float = Field(default=1.0, ge=0.0, le=5.0)


class StrategySlot(Section):
    """One strategy of the scheduler and its share of the capital."""

    name: Name
    capital_share: float = Field(gt=0.0, le=1.0)
    settings: Annotated[TrendSettings | MeanReversionSettings, Field(discriminator="kind")]


class Scheduling(Section):
    """How proposals are made of what the strategies want.

    Attributes:
        entry_sizes: Shares of an entry that stand against each other, the whole first.
        rebalance_band: A change of a holding smaller than this share of it is left alone.
    """

    entry_sizes: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] = Field(
        default=(Decimal(1),), min_length=1, max_length=4
    )
    rebalance_band: float = Field(default=0.1, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _whole_first(self) -> Scheduling:
        sizes = self.entry_sizes
        if sizes[0] != 1 or any(a <= b for a, b in pairwise(sizes)):
            raise ValueError("entry_sizes must begin with 1 and fall, such as [1.0, 0.5]")
        return self


class PaperExecution(Section):
    """How the paper venue fills orders."""

    seed: int = Field(default=7, ge=0)
    latency_ms: float = Field(default=1.0, ge=0.0, le=60_000.0)
    spread_bps: float = Field(default=2.0, ge=0.0, le=1_000.0)
    depth_share: float = Field(default=0.1, gt=0.0, le=1.0)
    fees_of: Name = "binance"


class InstrumentRules(Section):
    """Precision and smallest sizes of one symbol at the venue."""

    tick_size: Decimal = Field(gt=0)
    lot_size: Decimal = Field(gt=0)
    min_notional: Decimal = Field(default=Decimal(5), ge=0)


class VenueLimit(Section):
    """One rate limit of an account that differs from the venue's usual one."""

    bucket: Name
    units: int = Field(ge=1)
    window_seconds: float = Field(gt=0.0, le=86_400.0)


class VenueAccess(Section):
    """One exchange and how it is reached.

    What is left out of the last three is as the capability table has it.
    """

    exchange: Name
    base_url: Annotated[str, Field(pattern=r"^https?://[^/@?#]+$")]
    kind: InstrumentKind = InstrumentKind.SPOT
    credentials: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_./-]{0,63}$")] = ""
    timeout_seconds: float = Field(default=8.0, gt=0.0, le=60.0)
    receive_window_seconds: float | None = Field(default=None, gt=0.0, le=60.0)
    visibility_delay_seconds: float | None = Field(default=None, ge=0.0, le=600.0)
    limits: tuple[VenueLimit, ...] = ()


class RouteRule(Section):
    """Venues for a pattern of symbols and risk profiles, the preferred first."""

    symbol: str = "*"
    profile: str = "*"
    venues: tuple[Name, ...] = Field(min_length=1)


class LiveExecution(Section):
    """Real adapters over REST. In stage `demo` every address is a sandbox.

    Attributes:
        venues: The exchanges.
        routes: Venues by symbol and risk profile; none sends everything everywhere.
        split: Whether a strategy's order may be split over the venues of its route, by all-in
            cost. An operator's order never is.
        poll_seconds: Pause between two looks at open orders.
        start_patience_seconds: How long a start waits for orders whose outcome is not known.
    """

    venues: tuple[VenueAccess, ...] = Field(min_length=1, max_length=16)
    routes: tuple[RouteRule, ...] = ()
    split: bool = False
    poll_seconds: float = Field(default=2.0, gt=0.0, le=60.0)
    start_patience_seconds: float = Field(default=30.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def _routed(self) -> LiveExecution:
        names = [venue.exchange for venue in self.venues]
        if len(set(names)) < len(names):
            raise ValueError("venues: an exchange is listed twice")
        strangers = {name for route in self.routes for name in route.venues} - set(names)
        if strangers:
            raise ValueError(f"routes: no access to {', '.join(sorted(strangers))}")
        if self.split and len(names) < 2:
            raise ValueError("split: one venue is nothing to split an order over")
        return self


class Execution(Section):
    """Where orders go."""

    paper: PaperExecution = PaperExecution()
    live: LiveExecution | None = None
    instruments: dict[Symbol, InstrumentRules]


class MarketIntel(Section):
    """How old market data may be before nothing is decided on it."""

    max_age_bars: float = Field(
        default=2.0, gt=0.0, le=100.0, description="age from which data is stale, in bars"
    )


class Client(Section):
    """What the operator has established of the client; the decision engine's rules ask for it.

    Attributes:
        kyc: The client is identified.
        aml: The client passed the screening.
    """

    kyc: bool = True
    aml: bool = True


class Grpc(Section):
    """Where the gRPC API listens."""

    host: Loopback = "127.0.0.1"
    port: Port = 0


class Metrics(Section):
    """Where Prometheus scrapes."""

    host: Loopback = "127.0.0.1"
    port: Port = 0


def _usual_roles() -> dict[str, tuple[Scope, ...]]:
    return {
        "operator": ("status:read", "trade:read", "trade:write", "trade:control"),
        "auditor": ("status:read", "trade:read"),
    }


class CoreConfig(Section):
    """The whole of `config/core.yaml`."""

    version: Literal[1]
    operator: Annotated[str, Field(min_length=1, max_length=64)] = "operator"
    runtime: Runtime
    market_data: Annotated[ParquetData | SyntheticData | VenueData, Field(discriminator="source")]
    strategies: tuple[StrategySlot, ...] = Field(min_length=1, max_length=32)
    scheduler: Scheduling = Scheduling()
    execution: Execution
    market_intel: MarketIntel = MarketIntel()
    decision_engine: DecisionPolicy = DecisionPolicy()
    client: Client = Client()
    rbac: dict[Name, tuple[Scope, ...]] = Field(default_factory=_usual_roles)
    slo: tuple[SloDefinition, ...] = DEFAULT_SLOS
    grpc: Grpc = Grpc()
    metrics: Metrics = Metrics()

    @model_validator(mode="after")
    def _consistent(self) -> CoreConfig:
        names = [slot.name for slot in self.strategies]
        if len(set(names)) < len(names):
            raise ValueError("strategies: two have the same name")
        promises = [definition.name for definition in self.slo]
        if len(set(promises)) < len(promises):
            raise ValueError("slo: two have the same name")
        share = sum(slot.capital_share for slot in self.strategies)
        if share > 1.0 + 1e-9:
            raise ValueError(f"strategies: capital shares add up to {share:.3f}, more than 1")
        if len(self.scheduler.entry_sizes) > 1 and self.decision_engine.rank_by is RankBy.BPS:
            # in basis points the smaller of two sizes is always the better one
            raise ValueError("scheduler: entry_sizes need decision_engine.rank_by amount")
        if isinstance(self.market_data, VenueData):
            if self.execution.live is None:
                raise ValueError("market_data: source venue needs execution.live")
            if self.runtime.stage is not Stage.DEMO:
                raise ValueError("market_data: source venue belongs to stage demo")
        missing = [s for s in self.runtime.symbols if s not in self.execution.instruments]
        if missing:
            raise ValueError(f"execution.instruments: no rules for {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _names_that_exist(self) -> CoreConfig:
        """Refuse names that match nothing: a mistyped rule would silently not hold."""
        profiles = {profile.value for profile in Profile}
        if strange := sorted(set(self.decision_engine.profiles) - profiles):
            raise ValueError(
                f"decision_engine.profiles: no risk profile is named {', '.join(strange)}; "
                f"use {', '.join(profile.value for profile in Profile)}"
            )
        for rule in self.execution.live.routes if self.execution.live else ():
            if not any(fnmatchcase(name, rule.profile) for name in profiles):
                raise ValueError(f"routes: {rule.profile!r} is no risk profile's name or pattern")
            if not any(fnmatchcase(symbol, rule.symbol) for symbol in self.runtime.symbols):
                raise ValueError(f"routes: {rule.symbol!r} matches no symbol of runtime.symbols")
        return self
