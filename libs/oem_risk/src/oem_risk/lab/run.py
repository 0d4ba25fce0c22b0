"""Paper Labs: every profile, simulated and stressed, with a verdict that says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.quality import QualityReport, QualityVerdict
from oem_risk.data.quality_bars import check_bars
from oem_risk.errors import LabProblem
from oem_risk.lab.simulate import LabStrategy, Market, PathResults, Plan, Progress, simulate
from oem_risk.lab.stress import (
    FillModel,
    LinearBook,
    StressResult,
    StressScenario,
    run_stress,
    shipped_scenarios,
)
from oem_risk.lab.verdict import ProbabilityGate, Verdict, probability_gate
from oem_risk.limits.profile import RiskProfile

DAY_NS = 86_400 * 10**9
MAX_BREACH_PROBABILITY = 0.05


@dataclass(frozen=True, slots=True)
class LabSettings:
    """How the lab is run; all of it stands in the report.

    Attributes:
        paths: Paths per profile, >= 100.
        horizon_days: Days ahead, >= 1.
        mean_block_days: Mean block of the stationary bootstrap, days, > 0.
        seed: Root seed.
        cost_bps: Cost of turnover, basis points: half spread plus commission.
        spread_bps: Usual spread, for the stress tests.
        depth_share: Share of a bar's mean volume that stands on one side of the book, > 0.
        equity: Equity the stress tests sell with, quote units, > 0.
        confidence: Confidence of every gate, in (0, 1).
    """

    paths: int = 2048
    horizon_days: int = 30
    mean_block_days: float = 1.0
    seed: int = 20260101
    cost_bps: float = 11.0
    spread_bps: float = 2.0
    depth_share: float = 0.1
    equity: float = 100_000.0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What the lab found for one profile.

    Attributes:
        profile: The profile.
        drawdown_gate: Probability of reaching the drawdown limit within the horizon.
        daily_loss_gate: Probability of reaching the daily loss limit on some day of the horizon;
            informative, it does not decide: the engine stops entries when it happens.
        stress: The stress tests.
        paths: Results by path.
        verdict: FAIL when the drawdown gate or a stress test fails, INCONCLUSIVE when the gate
            cannot tell, else PASS.
    """

    profile: RiskProfile
    drawdown_gate: ProbabilityGate
    daily_loss_gate: ProbabilityGate
    stress: tuple[StressResult, ...]
    paths: PathResults
    verdict: Verdict

    def quantiles(self) -> dict[str, dict[str, float]]:
        """Return 5 %, 50 % and 95 % quantiles of return, drawdown and turnover."""
        columns = {
            "total_return": self.paths.total_return,
            "max_drawdown": self.paths.max_drawdown,
            "turnover": self.paths.turnover,
        }
        return {
            name: {f"q{q:02d}": float(np.quantile(values, q / 100)) for q in (5, 50, 95)}
            for name, values in columns.items()
        }


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
    """

    settings: LabSettings
    strategies: tuple[tuple[str, float], ...]
    data: dict[str, QualityReport]
    hashes: dict[str, str]
    synthetic: bool
    span_ns: tuple[int, int]
    profiles: tuple[ProfileResult, ...]

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
) -> LabResult:
    """Run Paper Labs.

    Args:
        bars: History of each symbol, all at the same times.
        strategies: Strategy and its share of capital, in (0, 1].
        profiles: The profiles to judge.
        settings: How to run it; None takes the defaults.
        fills: The book the stress tests sell into; None takes an evenly filled one.
        scenarios: Stress tests; None takes the three shipped ones.
        executor: Runs the simulation; results do not depend on it.
        progress: Called with (blocks done, blocks in all), over all profiles.

    Raises:
        LabProblem: Unusable data, too little history, or settings out of range.
    """
    settings = settings or LabSettings()
    quality = {b.symbol: check_bars(b, at_least=100) for b in bars}
    _require_usable(quality)
    market = _market(bars)
    plan = _plan(market, tuple(strategies), settings)
    if market.log_returns.shape[1] < 2 * settings.mean_block_days * market.bars_per_day:
        raise LabProblem(
            f"{market.log_returns.shape[1]} bars of history are too few for blocks of "
            f"{settings.mean_block_days} days",
            where="market data",
            remedy="use a longer history or shorter blocks",
        )
    depths = np.array([float(b.volume.mean()) * settings.depth_share for b in bars])
    results = []
    for number, profile in enumerate(profiles):
        done = number * plan.blocks

        def step(block: int, _: int, done: int = done) -> None:
            if progress:
                progress(done + block, plan.blocks * len(profiles))

        paths = simulate(market, plan, profile, executor=executor, progress=step)
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
        results.append(_judge(profile, paths, stress, settings.confidence))
    first = bars[0]
    return LabResult(
        settings=settings,
        strategies=tuple((strategy.name, share) for strategy, share in strategies),
        data=quality,
        hashes={b.symbol: b.sha384 for b in bars},
        synthetic=any(b.synthetic for b in bars),
        span_ns=(int(first.open_ns[0]), int(first.open_ns[-1]) + first.interval_ns),
        profiles=tuple(results),
    )


def _judge(
    profile: RiskProfile, paths: PathResults, stress: tuple[StressResult, ...], confidence: float
) -> ProfileResult:
    def gate(losses: NDArray[np.float64], limit: float) -> ProbabilityGate:
        return probability_gate(
            int((losses >= limit).sum()),
            len(losses),
            limit=MAX_BREACH_PROBABILITY,
            confidence=confidence,
        )

    drawdown = gate(paths.max_drawdown, profile.max_drawdown)
    verdict = drawdown.verdict
    if any(result.verdict is Verdict.FAIL for result in stress):
        verdict = Verdict.FAIL
    return ProfileResult(
        profile, drawdown, gate(paths.worst_day, profile.max_daily_loss), stress, paths, verdict
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
    if settings.paths < 100 or settings.horizon_days < 1 or settings.mean_block_days <= 0:
        raise LabProblem(
            "the lab needs at least 100 paths, 1 day and a positive block",
            where="settings",
            remedy="raise paths, horizon_days or mean_block_days",
        )
    if not strategies:
        raise LabProblem("no strategy to simulate", where="strategies", remedy="name at least one")
    return Plan(
        strategies=strategies,
        paths=settings.paths,
        steps=settings.horizon_days * market.bars_per_day,
        mean_block=max(1.0, settings.mean_block_days * market.bars_per_day),
        cost_bps=settings.cost_bps,
        seed=settings.seed,
    )
