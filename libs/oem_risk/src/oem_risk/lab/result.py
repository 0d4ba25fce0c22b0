"""What Paper Labs found, as values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oem_risk.data.quality import QualityReport
from oem_risk.lab.backtest import VarBacktest
from oem_risk.lab.settings import LabSettings
from oem_risk.lab.simulate import PathResults
from oem_risk.lab.stressed import StressedColumns
from oem_risk.lab.verdict import ProbabilityGate, Verdict, worst_verdict
from oem_risk.limits.profile import RiskProfile
from oem_risk.measures.estimate import Estimate
from oem_risk.stress.book import StressBook
from oem_risk.stress.scenario import StressResult
from oem_risk.stress.suite import ProfileStress


@dataclass(frozen=True, slots=True)
class StressedPaths:
    """What a scenario did to a profile's simulated paths.

    Attributes:
        scenario: Its name.
        gate: Probability of reaching the drawdown limit within the horizon, given that the scenario
            comes; decides as that of the undisturbed paths does.
        columns: What came of each path.
    """

    scenario: str
    gate: ProbabilityGate
    columns: StressedColumns

    def quantile(self, level: float) -> float:
        """Return a quantile of the loss from the scenario's first bar to its last."""
        return float(np.quantile(self.columns.loss, level))

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """Mean of each part of the loss, a share of equity; they add up to the mean loss."""
        columns = self.columns
        return (
            ("market", float(columns.market.mean())),
            ("book", float(columns.book.mean())),
            ("commission", float(columns.commission.mean())),
        )

    @property
    def unfilled(self) -> float:
        """Share of all that was ordered during the scenario that a bar's book left over."""
        ordered = float(self.columns.ordered.sum())
        return float(self.columns.left.sum()) / ordered if ordered > 0 else 0.0

    def as_json(self) -> dict[str, object]:
        return {
            "scenario": self.scenario,
            "drawdown_gate": self.gate.as_json(),
            "loss": {f"q{q:02d}": self.quantile(q / 100) for q in (5, 50, 95)}
            | {"mean": float(self.columns.loss.mean()), "worst": float(self.columns.loss.max())},
            "parts_of_mean_loss": dict(self.parts),
            "exposure_mean": float(self.columns.exposure.mean()),
            "unfilled": self.unfilled,
        }


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How far the simulated paths went into one limit.

    Attributes:
        name: The limit, as in `RiskProfile` without `max_`.
        limit: Its value.
        unit: `equity`, `x`, `peak`, `a year` or `symbols`.
        median: Of the paths.
        high: 95 % of the paths stay below.
        worst: The furthest path.
        rule: Whether the engine holds it by refusing orders (True), or it can only be reached.
    """

    name: str
    limit: float
    unit: str
    median: float
    high: float
    worst: float
    rule: bool

    def as_json(self) -> dict[str, object]:
        return {
            "limit": self.name, "value": self.limit, "unit": self.unit, "q50": self.median,
            "q95": self.high, "worst": self.worst, "held_by_orders": self.rule,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What the lab found for one profile.

    Attributes:
        profile: The profile.
        drawdown_gate: Probability of reaching the drawdown limit within the horizon.
        daily_loss_gate: Probability of reaching the daily loss limit on some day of the horizon;
            informative, it does not decide: the engine stops entries when it happens.
        drawdown: The drawdown that 95 % of the paths stay below, with its interval.
        stressed: Each scenario laid over the paths, with a gate of its own.
        suite: The stress tests of the largest holding, the replays, shocks and reverse stress.
        paths: Results by path.
        verdict: FAIL when a drawdown gate or a stress test fails, INCONCLUSIVE when a gate cannot
            tell, else PASS.
    """

    profile: RiskProfile
    drawdown_gate: ProbabilityGate
    daily_loss_gate: ProbabilityGate
    drawdown: Estimate
    stressed: tuple[StressedPaths, ...]
    suite: ProfileStress
    paths: PathResults
    verdict: Verdict

    @property
    def stress(self) -> tuple[StressResult, ...]:
        """What each scenario did to the largest holding."""
        return self.suite.scenarios

    def quantiles(self) -> dict[str, dict[str, float]]:
        """Return 5 %, 50 % and 95 % quantiles of return, drawdown and turnover."""
        columns = {
            "total_return": self.paths.columns.total_return,
            "max_drawdown": self.paths.columns.max_drawdown,
            "turnover": self.paths.columns.turnover,
            "volatility": self.paths.columns.volatility,
        }
        return {
            name: {f"q{q:02d}": float(np.quantile(values, q / 100)) for q in (5, 50, 95)}
            for name, values in columns.items()
        }

    def limits(self) -> tuple[LimitUse, ...]:
        """Return how far the paths went into each limit."""
        profile, columns = self.profile, self.paths.columns
        rows = (
            ("position", profile.max_position, "equity", columns.position, True),
            ("leverage", profile.max_leverage, "x", columns.leverage, True),
            ("order", profile.max_order, "equity", columns.order, True),
            ("open_positions", float(profile.max_open_positions), "symbols",
             columns.open_positions, True),
            ("daily_loss", profile.max_daily_loss, "equity", columns.worst_day, False),
            ("drawdown", profile.max_drawdown, "peak", columns.max_drawdown, False),
            ("volatility_target", profile.volatility_target, "a year", columns.volatility, False),
        )  # fmt: skip
        return tuple(
            LimitUse(
                name, limit, unit, float(np.median(values)), float(np.quantile(values, 0.95)),
                float(values.max()), rule,
            )
            for name, limit, unit, values, rule in rows
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabResult:
    """Everything the report says.

    Attributes:
        settings: How the lab was run.
        strategies: Name and share of capital.
        data: Quality report by symbol.
        hashes: SHA-384 of each symbol's data.
        synthetic: Whether any of the data was generated.
        span_ns: First opening and last closing time of the history.
        profiles: Result by profile.
        backtest: The path model's value at risk held against the history; None where it is too
            short. It says how far the paths can be believed and does not decide.
        bars_per_day: Bars of the history in a day.
        book: The stress tests that were run.
        not_covered: Stress tests that no data covers, with the reason; they do not decide.
    """

    settings: LabSettings
    strategies: tuple[tuple[str, float], ...]
    data: dict[str, QualityReport]
    hashes: dict[str, str]
    synthetic: bool
    span_ns: tuple[int, int]
    profiles: tuple[ProfileResult, ...]
    backtest: VarBacktest | None
    bars_per_day: int
    book: StressBook
    not_covered: dict[str, str]

    @property
    def verdict(self) -> Verdict:
        return worst_verdict(result.verdict for result in self.profiles)
