"""All stress tests of a book on a site's profiles: made-up markets, replays, shocks, reverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from oem_risk.data.bars import Bars
from oem_risk.data.describe import liquidity_of
from oem_risk.errors import DataProblem
from oem_risk.lab.verdict import Verdict
from oem_risk.limits.profile import RiskProfile
from oem_risk.stress.book import StressBook
from oem_risk.stress.factors import FactorModel, market_factors
from oem_risk.stress.fills import FillModel, Floats
from oem_risk.stress.replay import ReplayResult, run_replay
from oem_risk.stress.reverse import (
    BrokenLimit,
    MildestScenario,
    ReverseStress,
    mildest_scenario,
    reverse_stress,
)
from oem_risk.stress.scenario import StressResult, run_stress
from oem_risk.stress.shock import FactorShock, Holding, ShockResult, apply_shock

FACTORS = "factor shocks and reverse stress"


@dataclass(frozen=True, slots=True)
class StressMarket:
    """The market that stress tests start from.

    Attributes:
        bars: History of each symbol at the same times, the market leader first.
        fills: The book that sales walk.
        spread_bps: Usual spread, >= 0.
        depth_share: Share of a bar's mean volume that stands on one side of the book, > 0.
        equity: Equity at the start, quote units, > 0.
        recorded: Longer history for the replayed days, where there is one; else `bars`.
    """

    bars: Sequence[Bars]
    fills: FillModel
    spread_bps: float
    depth_share: float
    equity: float
    recorded: Sequence[Bars] = ()

    @property
    def prices(self) -> Floats:
        """Last price of each symbol."""
        return np.array([b.close[-1] for b in self.bars])

    @property
    def depths(self) -> Floats:
        """Usual base units on one side of each book."""
        return np.array([float(b.volume.mean()) * self.depth_share for b in self.bars])

    @property
    def history(self) -> Sequence[Bars]:
        """The longest history there is."""
        return self.recorded or self.bars


@dataclass(frozen=True, slots=True)
class ProfileStress:
    """What the stress tests did to the largest holding that a profile allows.

    Attributes:
        profile: The profile.
        scenarios: Made-up markets.
        replays: Days that happened; those that data covers.
        shocks: Moves of factors.
        reverse: The mildest moves that break each limit.
        mildest: The mildest form of each scenario that breaks the drawdown limit.
        gates: Names of the shocks that decide.
    """

    profile: RiskProfile
    scenarios: tuple[StressResult, ...]
    replays: tuple[ReplayResult, ...] = ()
    shocks: tuple[ShockResult, ...] = ()
    reverse: tuple[ReverseStress, ...] = ()
    mildest: tuple[MildestScenario, ...] = ()
    gates: tuple[str, ...] = ()

    @property
    def broken_by_shock(self) -> tuple[str, ...]:
        """Shocks that break the drawdown limit, deciding or not."""
        limit = self.profile.max_drawdown
        return tuple(shock.shock for shock in self.shocks if shock.loss > limit)

    @property
    def worst(self) -> float:
        """Deepest loss in a scenario or replay, a share of equity."""
        losses = [s.loss for s in self.scenarios] + [r.worst for r in self.replays]
        return max(losses, default=0.0)

    @property
    def verdict(self) -> Verdict:
        """FAIL where a scenario, a replay or a deciding shock breaks the drawdown limit."""
        found = {r.verdict for r in self.scenarios} | {r.verdict for r in self.replays}
        decided = Verdict.FAIL in found or any(n in self.gates for n in self.broken_by_shock)
        return Verdict.FAIL if decided else Verdict.PASS

    def as_json(self) -> dict[str, object]:
        return {
            "scenarios": [r.as_json() for r in self.scenarios],
            "replays": [r.as_json() for r in self.replays],
            "shocks": [
                {**r.as_json(), "breaks_drawdown_limit": r.shock in self.broken_by_shock,
                 "decides": r.shock in self.gates}
                for r in self.shocks
            ],
            "reverse": [r.as_json() for r in self.reverse],
            "mildest_scenarios": [
                {
                    "scenario": m.scenario.name,
                    "severity": m.scenario.severity if m.reachable else None,
                    "seen": m.seen,
                    "stretches": m.stretches,
                }
                for m in self.mildest
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class StressSuite:
    """What all stress tests found.

    Attributes:
        profiles: Results by profile.
        not_covered: What no data covers, with the reason: replays by name, or factor shocks.
    """

    profiles: tuple[ProfileStress, ...]
    not_covered: dict[str, str]


def run_stress_book(
    book: StressBook,
    profiles: Sequence[RiskProfile],
    market: StressMarket,
    *,
    reverse: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> StressSuite:
    """Run every stress test of a book against each profile's largest holding.

    A replay that the recorded bars do not cover, or factors that a short history does not give, are
    named in `not_covered` and not made up.

    Args:
        book: The tests.
        profiles: Profiles to hold against.
        market: Prices, depth, spread and history.
        reverse: Whether to look for the mildest moves and scenarios that break a limit.
        progress: Called with (profiles done, profiles in all).

    Raises:
        LabProblem: Prices, depths, spread or equity are no numbers in range.
    """
    missing: dict[str, str] = {}
    played = _replays(book, profiles, market, missing)
    try:
        model = market_factors(market.history)
    except DataProblem as problem:
        model, missing[FACTORS] = None, f"{problem.what} ({problem.where})"
    found = []
    for number, profile in enumerate(profiles, 1):
        found.append(_stressed(book, profile, market, model, played[profile.name], reverse))
        if progress:
            progress(number, len(profiles))
    return StressSuite(tuple(found), missing)


def _stressed(
    book: StressBook,
    profile: RiskProfile,
    market: StressMarket,
    model: FactorModel | None,
    replays: tuple[ReplayResult, ...],
    reverse: bool,
) -> ProfileStress:
    prices, depths = market.prices, market.depths
    spread_bps, equity = market.spread_bps, market.equity
    scenarios = tuple(
        run_stress(
            scenario, profile, market.fills,
            prices=prices, depths=depths, spread_bps=spread_bps, equity=equity,
        )
        for scenario in book.scenarios
    )  # fmt: skip
    shocks: tuple[ShockResult, ...] = ()
    moves: tuple[ReverseStress, ...] = ()
    if model is not None:
        holdings = _holdings(profile, market)
        shocks = tuple(
            apply_shock(_known(shock, model), holdings, model, equity=equity)
            for shock in book.shocks
        )
        if reverse:
            moves = tuple(
                reverse_stress(holdings, model, profile, limit, equity=equity)
                for limit in BrokenLimit
            )
    history = market.history[0].close
    mildest = tuple(
        mildest_scenario(
            scenario, profile, market.fills, prices=prices, depths=depths,
            spread_bps=spread_bps, equity=equity, history=history,
        )
        for scenario in book.scenarios
        if reverse and len(history) > scenario.duration_bars
    )  # fmt: skip
    gates = tuple(shock.name for shock in book.shocks if shock.gate)
    return ProfileStress(profile, scenarios, replays, shocks, moves, mildest, gates)


def _replays(
    book: StressBook,
    profiles: Sequence[RiskProfile],
    market: StressMarket,
    missing: dict[str, str],
) -> dict[str, tuple[ReplayResult, ...]]:
    found: dict[str, list[ReplayResult]] = {p.name: [] for p in profiles}
    for replay in book.replays:
        try:
            for profile in profiles:
                found[profile.name].append(
                    run_replay(
                        replay, market.history, profile, market.fills,
                        spread_bps=market.spread_bps, depth_share=market.depth_share,
                        equity=market.equity,
                    )
                )  # fmt: skip
        except DataProblem as problem:
            missing[replay.name] = problem.what
    return {name: tuple(rows) for name, rows in found.items()}


def _holdings(profile: RiskProfile, market: StressMarket) -> list[Holding]:
    share = min(profile.max_position, profile.max_leverage / len(market.bars))
    found = []
    for bars in market.bars:
        measured = liquidity_of(bars)
        daily = measured.median_daily_notional if measured else None
        found.append(
            Holding(
                symbol=bars.symbol,
                notional=share * market.equity,
                # a market that trades nothing costs all that it can cost to leave
                daily_notional=daily or 1e-9,
                spread_bps=market.spread_bps,
            )
        )
    return found


def _known(shock: FactorShock, model: FactorModel) -> FactorShock:
    """With one symbol there is no factor beside the market: its move cannot matter."""
    known = {name: move for name, move in shock.shocks.items() if name in model.factors}
    return shock.model_copy(update={"shocks": known or {model.factors[0]: 0.0}})
