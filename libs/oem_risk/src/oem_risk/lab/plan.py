"""What is simulated: strategies, the market they meet, and how many paths of which scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oem_risk.lab.stressed import StressBooks
from oem_risk.limits.sizing import annualised_volatility
from oem_risk.paths.blocks import BLOCK_PATHS, Floats
from oem_risk.paths.joint import JointModel
from oem_risk.stress.scenario import StressScenario

CALM = -1
"""Number of the undisturbed market among the scenarios."""
_FAN_POINTS = 60


class LabStrategy(Protocol):
    """What the lab needs of a strategy; it must be picklable to run in other processes."""

    @property
    def name(self) -> str:
        """Name in reports."""
        ...

    @property
    def warmup(self) -> int:
        """Bars before the first target."""
        ...

    def targets(self, closes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return targets in [-1, 1] after each bar; closes and result have shape (paths, bars)."""
        ...


@dataclass(frozen=True, slots=True)
class Market:
    """What the paths are drawn from.

    Attributes:
        symbols: Names, in the order of the arrays.
        log_returns: History, shape (symbols, observations).
        start_prices: Shape (symbols,).
        bars_per_day: Bars in 24 hours.
        bars_per_year: Bars in a year, for annualised volatility.
    """

    symbols: tuple[str, ...]
    log_returns: Floats
    start_prices: Floats
    bars_per_day: int
    bars_per_year: float

    @property
    def volatility(self) -> Floats:
        """Annualised volatility of each symbol, shape (symbols,)."""
        return annualised_volatility(self.log_returns, self.bars_per_year)


@dataclass(frozen=True, slots=True)
class StressPlan:
    """Which scenarios are laid over how many paths.

    Attributes:
        paths: Paths of each scenario, >= 1; fewest, where they are added until decided.
        scenarios: At least one.
        books: The books that orders walk.
    """

    paths: int
    scenarios: tuple[StressScenario, ...]
    books: StressBooks


@dataclass(frozen=True, slots=True)
class Plan:
    """How a profile is simulated.

    Attributes:
        model: Draws the paths of all symbols, one step a bar.
        strategies: Pairs of strategy and share of capital.
        paths: Number of paths, >= 1; fewest, where paths are added until decided.
        most_paths: Most paths; equal to `paths` when their number is fixed.
        steps: Bars ahead of the warm-up, >= 1.
        cost_bps: Cost of turnover: half spread plus commission, basis points.
        band: Smallest change of a holding, as a share of it.
        seed: Root seed.
        stress: Scenarios that are laid over the paths too; None lays none.
    """

    model: JointModel
    strategies: tuple[tuple[LabStrategy, float], ...]
    paths: int
    most_paths: int
    steps: int
    cost_bps: float
    band: float
    seed: int
    stress: StressPlan | None = None

    @property
    def warmup(self) -> int:
        return max(strategy.warmup for strategy, _ in self.strategies)

    @property
    def blocks(self) -> int:
        """Blocks of the fewest paths."""
        return -(-max(self.fewest(CALM), self.fewest(0)) // BLOCK_PATHS)

    @property
    def scenarios(self) -> tuple[StressScenario, ...]:
        return () if self.stress is None else self.stress.scenarios

    def fewest(self, scenario: int) -> int:
        """Return the fewest paths of a scenario's number, or of `CALM`."""
        stressed = 0 if self.stress is None else self.stress.paths
        return self.paths if scenario == CALM else stressed

    def most(self, scenario: int) -> int:
        """Return the most paths; where their number is fixed, the fewest."""
        if self.most_paths == self.paths:
            return self.fewest(scenario)
        return max(self.most_paths, self.fewest(scenario))

    @property
    def fan_grid(self) -> NDArray[np.int64]:
        """Steps at which equity is kept, 0 is the start."""
        points = min(self.steps, _FAN_POINTS) + 1
        return np.unique(np.linspace(0, self.steps, points).round().astype(np.int64))
