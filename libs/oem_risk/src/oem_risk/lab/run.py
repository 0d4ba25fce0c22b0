"""Paper Labs: every profile, simulated and stressed, with a verdict that says how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.quality import QualityReport, QualityVerdict
from oem_risk.data.quality_bars import check_bars
from oem_risk.errors import LabProblem
from oem_risk.lab.backtest import backtest_paths
from oem_risk.lab.plan import LabStrategy, Market, Plan, StressPlan
from oem_risk.lab.result import LabResult, ProfileResult, StressedPaths
from oem_risk.lab.settings import LabSettings
from oem_risk.lab.simulate import Enough, PathResults, Progress, simulate
from oem_risk.lab.stressed import StressBooks
from oem_risk.lab.verdict import (
    ProbabilityGate,
    Verdict,
    probability_gate,
    sequential_gate,
    worst_verdict,
)
from oem_risk.limits.profile import RiskProfile
from oem_risk.measures.drawdown import drawdown_quantile
from oem_risk.paths.calibrate import fit_paths
from oem_risk.stress.book import StressBook, shipped_stress
from oem_risk.stress.fills import FillModel, LinearBook
from oem_risk.stress.suite import ProfileStress, StressMarket, run_stress_book

DAY_NS = 86_400 * 10**9
MAX_BREACH_PROBABILITY = 0.05


def run_lab(
    bars: Sequence[Bars],
    strategies: Sequence[tuple[LabStrategy, float]],
    profiles: Sequence[RiskProfile],
    *,
    settings: LabSettings | None = None,
    fills: FillModel | None = None,
    book: StressBook | None = None,
    recorded: Sequence[Bars] = (),
    reverse: bool = True,
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
        fills: The book that stress tests and stressed paths trade into; None takes an evenly
            filled one.
        book: Stress tests; None takes the shipped ones.
        recorded: A longer history of the same symbols, for the replayed days and the factors;
            none takes `bars`.
        reverse: Whether to look for the mildest moves and scenarios that break a limit.
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
    book = book or shipped_stress()
    stress = StressMarket(
        bars, fills or LinearBook(), settings.spread_bps, settings.depth_share, settings.equity,
        recorded,
    )  # fmt: skip
    plan = _plan(market, tuple(strategies), settings, book, stress)
    suite = run_stress_book(book, profiles, stress, reverse=reverse)
    simulated = simulate(
        market, plan, profiles, executor=executor, progress=progress,
        enough=_decided(settings) if settings.sequential else None, cancelled=cancelled,
    )  # fmt: skip
    results = [
        _judge(profile, paths, tests, settings)
        for profile, paths, tests in zip(profiles, simulated, suite.profiles, strict=True)
    ]
    first = bars[0]
    return LabResult(
        settings=settings,
        strategies=tuple((strategy.name, share) for strategy, share in strategies),
        data=quality,
        hashes={b.symbol: b.sha384 for b in bars},
        synthetic=any(b.synthetic for b in (*bars, *recorded)),
        span_ns=(int(first.open_ns[0]), int(first.open_ns[-1]) + first.interval_ns),
        profiles=tuple(results),
        backtest=backtest_paths(settings.path_model, market.log_returns, market.bars_per_day),
        bars_per_day=market.bars_per_day,
        book=book,
        not_covered=suite.not_covered,
    )


def _decided(settings: LabSettings) -> Enough:
    def enough(events: int, paths: int) -> bool:
        found = sequential_gate(
            events, paths, limit=MAX_BREACH_PROBABILITY, confidence=settings.confidence
        )
        return found.verdict is not Verdict.INCONCLUSIVE

    return enough


def _judge(
    profile: RiskProfile, paths: PathResults, suite: ProfileStress, settings: LabSettings
) -> ProfileResult:
    # all gates stop with the run, so all need intervals that allow for its stopping
    gate = sequential_gate if settings.sequential else probability_gate

    def judged(events: int, count: int) -> ProbabilityGate:
        return gate(events, count, limit=MAX_BREACH_PROBABILITY, confidence=settings.confidence)

    drawdown = judged(paths.drawdown_events, paths.paths)
    stressed = tuple(
        StressedPaths(one.scenario, judged(one.drawdown_events, one.paths), one.columns)
        for one in paths.stressed
    )
    return ProfileResult(
        profile,
        drawdown,
        judged(paths.daily_loss_events, paths.paths),
        # of the paths whose number was fixed: this interval does not allow for stopping
        drawdown_quantile(paths.columns.max_drawdown[: settings.paths], 0.95, settings.confidence),
        stressed,
        suite,
        paths,
        worst_verdict([drawdown.verdict, suite.verdict, *(s.gate.verdict for s in stressed)]),
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
    market: Market,
    strategies: tuple[tuple[LabStrategy, float], ...],
    settings: LabSettings,
    book: StressBook,
    stress: StressMarket,
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
    books = StressBooks(
        stress.fills, stress.depths, settings.spread_bps, settings.equity,
        # the cost of turnover is half the spread and commission
        max(0.0, settings.cost_bps - settings.spread_bps / 2),
    )  # fmt: skip
    return Plan(
        model=fit_paths(settings.path_model, market.log_returns, block=block),
        strategies=strategies,
        paths=settings.paths,
        most_paths=max(settings.most_paths, settings.paths),
        steps=settings.horizon_days * market.bars_per_day,
        cost_bps=settings.cost_bps,
        band=settings.rebalance_band,
        seed=settings.seed,
        stress=StressPlan(settings.stress_paths, book.scenarios, books)
        if settings.stress_paths and book.scenarios
        else None,
    )
