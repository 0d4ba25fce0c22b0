"""Paper Labs: every profile, simulated and stressed, with a verdict that says how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.quality import QualityReport, QualityVerdict
from oem_risk.data.quality_bars import check_bars
from oem_risk.errors import LabProblem
from oem_risk.lab.backtest import VarBacktest, backtest_paths
from oem_risk.lab.settings import LabSettings
from oem_risk.lab.simulate import Enough, LabStrategy, Market, PathResults, Plan, Progress, simulate
from oem_risk.lab.stress import (
    FillModel,
    LinearBook,
    StressResult,
    StressScenario,
    run_stress,
    shipped_scenarios,
)
from oem_risk.lab.verdict import ProbabilityGate, Verdict, probability_gate, sequential_gate
from oem_risk.limits.profile import RiskProfile
from oem_risk.measures.drawdown import drawdown_quantile
from oem_risk.measures.estimate import Estimate
from oem_risk.paths.calibrate import fit_paths

DAY_NS = 86_400 * 10**9
MAX_BREACH_PROBABILITY = 0.05


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
        stress: The stress tests.
        paths: Results by path.
        verdict: FAIL when the drawdown gate or a stress test fails, INCONCLUSIVE when the gate
            cannot tell, else PASS.
    """

    profile: RiskProfile
    drawdown_gate: ProbabilityGate
    daily_loss_gate: ProbabilityGate
    drawdown: Estimate
    stress: tuple[StressResult, ...]
    paths: PathResults
    verdict: Verdict

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

    @property
    def verdict(self) -> Verdict:
        found = {result.verdict for result in self.profiles}
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if verdict in found:
                return verdict
        return Verdict.PASS


def run_lab(
    bars: Sequence[Bars],
    strategies: Sequence[tuple[LabStrategy, float]],
    profiles: Sequence[RiskProfile],
    *,
    settings: LabSettings | None = None,
    fills: FillModel | None = None,
    scenarios: Sequence[StressScenario] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LabResult:
    """Run Paper Labs.

    Args:
        bars: History of each symbol, all at the same times.
        strategies: Strategy and its share of capital, in (0, 1].
        profiles: The profiles to judge, at least one.
        settings: How to run it; None takes the defaults.
        fills: The book the stress tests sell into; None takes an evenly filled one.
        scenarios: Stress tests; None takes the three shipped ones.
        executor: Runs the simulation; results do not depend on it.
        progress: Called with (blocks done, blocks in all); where paths are added until decided
            the second number grows with the first.
        cancelled: Asked before each block; True ends the run.

    Raises:
        LabProblem: Unusable data, too little history, or settings out of range.
        RunCancelled: `cancelled` said so.
    """
    settings = settings or LabSettings()
    settings.require()
    if not profiles:
        raise LabProblem("no profile to judge", where="profiles", remedy="name at least one")
    quality = {b.symbol: check_bars(b, at_least=100) for b in bars}
    _require_usable(quality)
    market = _market(bars)
    plan = _plan(market, tuple(strategies), settings)
    depths = np.array([float(b.volume.mean()) * settings.depth_share for b in bars])
    simulated = simulate(
        market, plan, profiles, executor=executor, progress=progress,
        enough=_decided(settings) if settings.sequential else None, cancelled=cancelled,
    )  # fmt: skip
    results: list[ProfileResult] = []
    for profile, paths in zip(profiles, simulated, strict=True):
        stress = tuple(
            run_stress(
                scenario,
                profile,
                fills or LinearBook(),
                prices=market.start_prices,
                depths=depths,
                spread_bps=settings.spread_bps,
                equity=settings.equity,
            )
            for scenario in (scenarios or shipped_scenarios())
        )
        results.append(_judge(profile, paths, stress, settings))
    first = bars[0]
    return LabResult(
        settings=settings,
        strategies=tuple((strategy.name, share) for strategy, share in strategies),
        data=quality,
        hashes={b.symbol: b.sha384 for b in bars},
        synthetic=any(b.synthetic for b in bars),
        span_ns=(int(first.open_ns[0]), int(first.open_ns[-1]) + first.interval_ns),
        profiles=tuple(results),
        backtest=backtest_paths(settings.path_model, market.log_returns, market.bars_per_day),
        bars_per_day=market.bars_per_day,
    )


def _decided(settings: LabSettings) -> Enough:
    def enough(events: int, paths: int) -> bool:
        found = sequential_gate(
            events, paths, limit=MAX_BREACH_PROBABILITY, confidence=settings.confidence
        )
        return found.verdict is not Verdict.INCONCLUSIVE

    return enough


def _judge(
    profile: RiskProfile,
    paths: PathResults,
    stress: tuple[StressResult, ...],
    settings: LabSettings,
) -> ProfileResult:
    # both gates stop with the run, so both need intervals that allow for its stopping
    gate = sequential_gate if settings.sequential else probability_gate

    def judged(events: int) -> ProbabilityGate:
        return gate(
            events, paths.paths, limit=MAX_BREACH_PROBABILITY, confidence=settings.confidence
        )

    drawdown = judged(paths.drawdown_events)
    verdict = drawdown.verdict
    if any(result.verdict is Verdict.FAIL for result in stress):
        verdict = Verdict.FAIL
    return ProfileResult(
        profile,
        drawdown,
        judged(paths.daily_loss_events),
        # of the paths whose number was fixed: this interval does not allow for stopping
        drawdown_quantile(paths.columns.max_drawdown[: settings.paths], 0.95, settings.confidence),
        stress,
        paths,
        verdict,
    )


def _require_usable(quality: dict[str, QualityReport]) -> None:
    for symbol, report in quality.items():
        if report.verdict is QualityVerdict.UNUSABLE:
            fatal = [f"{f.check} ({f.detail})" for f in report.findings if f.fatal]
            raise LabProblem(
                f"the data of {symbol} is unusable: {'; '.join(fatal)}",
                where=report.source,
                remedy="repair or replace the file; nothing was simulated",
            )


def _market(bars: Sequence[Bars]) -> Market:
    if not bars:
        raise LabProblem("no market data", where="bars", remedy="name at least one symbol")
    first = bars[0]
    if len({b.symbol for b in bars}) < len(bars):
        raise LabProblem(
            "a symbol is given twice",
            where=", ".join(b.symbol for b in bars),
            remedy="give the bars of each symbol once",
        )
    for other in bars[1:]:
        if not np.array_equal(other.open_ns, first.open_ns):
            raise LabProblem(
                "the symbols' bars do not stand at the same times",
                where=f"{first.symbol}, {other.symbol}",
                remedy="cut them with oem_risk.common_times",
            )
    # a return across a gap is not a return of one bar
    adjacent = np.diff(first.open_ns) == first.interval_ns
    returns = np.stack([np.diff(np.log(b.close))[adjacent] for b in bars])
    per_day = max(1, DAY_NS // first.interval_ns)
    return Market(
        symbols=tuple(b.symbol for b in bars),
        log_returns=returns,
        start_prices=np.array([b.close[-1] for b in bars]),
        bars_per_day=int(per_day),
        bars_per_year=365 * DAY_NS / first.interval_ns,
    )


def _plan(
    market: Market, strategies: tuple[tuple[LabStrategy, float], ...], settings: LabSettings
) -> Plan:
    if not strategies:
        raise LabProblem("no strategy to simulate", where="strategies", remedy="name at least one")
    for strategy, share in strategies:
        if not 0 < share <= 1:  # also refuses nan
            raise LabProblem(
                f"the share of {strategy.name} is {share}",
                where="strategies",
                remedy="give a share of capital above 0 and at most 1",
            )
    observations = market.log_returns.shape[1]
    if settings.horizon_days * market.bars_per_day > observations:
        raise LabProblem(
            f"the horizon of {settings.horizon_days} days is longer than the history of "
            f"{observations / market.bars_per_day:.0f} days",
            where="settings.horizon_days",
            remedy="use a longer history or a shorter horizon",
        )
    block = max(1.0, settings.mean_block_days * market.bars_per_day)
    if observations < 2 * block:
        raise LabProblem(
            f"{observations} bars of history are too few for blocks of "
            f"{settings.mean_block_days} days",
            where="market data",
            remedy="use a longer history or shorter blocks",
        )
    return Plan(
        model=fit_paths(settings.path_model, market.log_returns, block=block),
        strategies=strategies,
        paths=settings.paths,
        most_paths=max(settings.most_paths, settings.paths),
        steps=settings.horizon_days * market.bars_per_day,
        cost_bps=settings.cost_bps,
        seed=settings.seed,
    )
