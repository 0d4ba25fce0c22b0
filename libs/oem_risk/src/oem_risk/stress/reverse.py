"""Reverse stress: the mildest move of the factors, by plausibility, that breaks a limit.

Plausibility is Mahalanobis distance: of all moves that break the limit, the one fewest standard
deviations away given how the factors move together. Sources: Studer (1999), maximum loss;
Breuer, Jandačka, Rheinberger, Summer, "How to find plausible, severe and useful stress scenarios",
International Journal of Central Banking 5 (2009).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oem_risk.errors import LabProblem
from oem_risk.lab.verdict import Verdict
from oem_risk.limits.profile import RiskProfile
from oem_risk.stress.factors import FactorModel
from oem_risk.stress.fills import FillModel
from oem_risk.stress.scenario import StressScenario, run_stress
from oem_risk.stress.shock import Haircut, Holding, ShockResult, shocked, shocked_many

Floats = NDArray[np.float64]
Excess = Callable[[Floats], Floats]
FARTHEST = 50.0
_STEPS = 100
_REFINEMENTS = 5
_STARTS = 24
_SEVERITY_STEP = 1e-4


class BrokenLimit(enum.StrEnum):
    """Limits that a move can break."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    LEVERAGE = "leverage"


@dataclass(frozen=True, slots=True)
class ReverseStress:
    """The mildest move that breaks a limit.

    Attributes:
        limit: Which limit.
        threshold: Its value.
        broken_already: Whether it is broken without any move; then all else is of no move.
        reachable: Whether a move within 50 deviations breaks it; if not, the rest is of no move.
        moves: Simple return of each factor, by name.
        distance: Mahalanobis distance of the move, standard deviations of the horizon.
        plausibility: Chance of a normal move at least that far out, in any direction.
        seen: Days of the history whose factors alone would have broken the limit.
        observations: Days of the history.
        result: What the move does to the portfolio.
    """

    limit: BrokenLimit
    threshold: float
    broken_already: bool
    reachable: bool
    moves: dict[str, float]
    distance: float
    plausibility: float
    seen: int
    observations: int
    result: ShockResult

    def as_json(self) -> dict[str, object]:
        return {
            "limit": self.limit.value,
            "threshold": self.threshold,
            "broken_already": self.broken_already,
            "reachable": self.reachable,
            "moves": dict(self.moves),
            "distance": self.distance,
            "plausibility": self.plausibility,
            "seen": self.seen,
            "observations": self.observations,
            "result": self.result.as_json(),
        }


def reverse_stress(
    holdings: Sequence[Holding],
    model: FactorModel,
    profile: RiskProfile,
    limit: BrokenLimit,
    *,
    equity: float,
    haircut: Haircut | None = None,
    horizon_days: float = 1.0,
) -> ReverseStress:
    """Find the mildest move of the factors that breaks a limit.

    In whitened factors the search follows rays from no move to the first that breaks the limit
    (along the gradient, the axes and a fixed spread of directions), then slides along the limit to
    the nearest point. The answer breaks the limit; a thousandth nearer it does not.

    Args:
        holdings: The portfolio.
        model: Factors, their covariance a day, and betas.
        profile: Whose limits are meant.
        limit: Which of them.
        equity: Equity before, quote units, > 0.
        haircut: What leaving costs; None takes the usual market.
        horizon_days: Days the move takes, > 0; the covariance grows with it.

    Raises:
        LabProblem: No holding, a symbol the model does not know, or a number out of range.
    """
    if not holdings or not horizon_days > 0 or not math.isfinite(horizon_days):
        raise LabProblem(
            "reverse stress needs holdings and a horizon above 0",
            where="holdings, horizon_days",
            remedy="name at least one holding and some days",
        )
    cut = haircut or Haircut()
    root = _root(model.covariance * horizon_days)
    threshold = _threshold(profile, limit)

    still = np.zeros(len(model.factors))
    now = shocked(limit.value, still, holdings, model, equity=equity, haircut=cut)

    def excess(factors: Floats) -> Floats:
        loss, leverage = shocked_many(factors, holdings, model, equity=equity, haircut=cut)
        measured = leverage if limit is BrokenLimit.LEVERAGE else loss
        return np.minimum(measured - threshold, 1e6)

    def whitened(z: Floats) -> Floats:
        return excess(z @ root.T)

    already = _measure(now, limit) >= threshold
    nearest = None if already else _nearest(whitened, len(model.factors))
    z = still if nearest is None else nearest
    distance = float(np.linalg.norm(z))
    factors = root @ z
    days = model.history * math.sqrt(horizon_days)
    return ReverseStress(
        limit=limit,
        threshold=threshold,
        broken_already=already,
        reachable=already or nearest is not None,
        moves={name: math.expm1(f) for name, f in zip(model.factors, factors, strict=True)},
        distance=distance,
        plausibility=_chance(distance, len(model.factors)),
        seen=int((excess(days) >= 0).sum()),
        observations=len(days),
        result=shocked(limit.value, factors, holdings, model, equity=equity, haircut=cut),
    )


@dataclass(frozen=True, slots=True)
class MildestScenario:
    """The least severity at which a scenario breaks the drawdown limit.

    Attributes:
        scenario: The scenario at that severity.
        reachable: Whether a fall below 100 % breaks the limit at all.
        seen: Stretches of the history, as long as the fall, that fell at least as far.
        stretches: Stretches there are.
    """

    scenario: StressScenario
    reachable: bool
    seen: int
    stretches: int


def mildest_scenario(
    scenario: StressScenario,
    profile: RiskProfile,
    fills: FillModel,
    *,
    prices: Floats,
    depths: Floats,
    spread_bps: float,
    equity: float,
    history: Floats,
) -> MildestScenario:
    """Find the least severe form of a scenario that breaks the drawdown limit.

    Duration, recovery, spread, depth and latency stay; the fall shrinks or grows. Because selling
    earlier can make a deeper fall cheaper, severities are tried upwards in steps of 1 % and the
    first that fails is refined.

    Args:
        scenario: Its form.
        profile: Whose limits size the holding and judge it.
        fills: The book the sales walk.
        prices: Start price of each symbol, shape (symbols,).
        depths: Usual base units on the buying side a bar, shape (symbols,).
        spread_bps: Usual spread.
        equity: Equity at the start, quote units.
        history: (bars,) closes of the market leader, to count how often such a fall was seen.
    """

    def breaks(severity: float) -> bool:
        result = run_stress(
            scenario.model_copy(update={"severity": severity}), profile, fills,
            prices=prices, depths=depths, spread_bps=spread_bps, equity=equity,
        )  # fmt: skip
        return result.verdict is Verdict.FAIL

    closes = np.asarray(history, dtype=np.float64)
    fine = closes.ndim == 1 and np.isfinite(closes).all() and (closes > 0).all()
    if not fine or len(closes) <= scenario.duration_bars:
        raise LabProblem(
            "the history is not a column of prices longer than the scenario's fall",
            where="history",
            remedy=f"give more than {scenario.duration_bars} closes",
        )
    found = next((s / 100 for s in range(1, 100) if breaks(s / 100)), None)
    severity = 0.99 if found is None else _refined(breaks, found - 0.01, found)
    falls = 1 - closes[scenario.duration_bars :] / closes[: -scenario.duration_bars]
    return MildestScenario(
        scenario=scenario.model_copy(update={"severity": severity}),
        reachable=found is not None,
        seen=int((falls >= severity).sum()) if found is not None else 0,
        stretches=len(falls),
    )


def _refined(breaks: Callable[[float], bool], holds: float, fails: float) -> float:
    while fails - holds > _SEVERITY_STEP:
        middle = (holds + fails) / 2
        if breaks(middle):
            fails = middle
        else:
            holds = middle
    return fails


def _root(covariance: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise LabProblem(
            "the factors' covariance is not positive definite",
            where="model.covariance",
            remedy="leave out factors that repeat each other",
        ) from None


def _threshold(profile: RiskProfile, limit: BrokenLimit) -> float:
    return {
        BrokenLimit.DAILY_LOSS: profile.max_daily_loss,
        BrokenLimit.DRAWDOWN: profile.max_drawdown,
        BrokenLimit.LEVERAGE: profile.max_leverage,
    }[limit]


def _measure(result: ShockResult, limit: BrokenLimit) -> float:
    return result.leverage if limit is BrokenLimit.LEVERAGE else result.loss


def _nearest(excess: Excess, size: int) -> Floats | None:
    """The point nearest to 0 where `excess` is not negative; None where within 50 there is none."""
    best: Floats | None = None
    for direction in _directions(excess, size):
        farthest = FARTHEST if best is None else float(np.linalg.norm(best))
        radius = _first_crossing(excess, direction, farthest)
        if radius is not None:
            best = _slid(excess, direction, radius)
    return best


def _directions(excess: Excess, size: int) -> list[Floats]:
    found = []
    gradient = _gradient(excess, np.zeros(size))
    length = float(np.linalg.norm(gradient))
    if length > 0:
        found += [gradient / length, -gradient / length]
    found += [sign * axis for axis in np.eye(size) for sign in (1.0, -1.0)]
    if size > 1:
        # a fixed spread, so that the same portfolio has the same answer
        spread = np.random.Generator(np.random.PCG64(0)).standard_normal((_STARTS, size))
        found += list(spread / np.linalg.norm(spread, axis=1)[:, None])
    return found


def _gradient(excess: Excess, at: Floats, step: float = 1e-5) -> Floats:
    rows = np.eye(len(at)) * step
    return (excess(at + rows) - excess(at - rows)) / (2 * step)


def _first_crossing(excess: Excess, direction: Floats, farthest: float) -> float | None:
    """First radius at which a ray breaks the limit; the grid is refined where it does."""
    low, high = 0.0, farthest
    for _ in range(_REFINEMENTS):
        radii = np.linspace(low, high, _STEPS + 1)[1:]
        broken = excess(radii[:, None] * direction) >= 0
        if not broken.any():
            return None
        first = int(np.argmax(broken))
        low, high = low if first == 0 else float(radii[first - 1]), float(radii[first])
    return high


def _slid(excess: Excess, direction: Floats, radius: float) -> Floats:
    """Turn a ray towards the limit's normal while that brings the crossing nearer."""
    best, turn = radius, 1.0
    while turn > 1e-6:
        normal = _gradient(excess, best * direction)
        length = float(np.linalg.norm(normal))
        if length == 0:
            break
        tried = (1 - turn) * direction + turn * normal / length
        size = float(np.linalg.norm(tried))
        if size == 0:
            break
        tried = tried / size
        nearer = _first_crossing(excess, tried, best)
        if nearer is not None and nearer < best * (1 - 1e-12):
            direction, best = tried, nearer
        else:
            turn /= 2
    return best * direction


def _chance(distance: float, factors: int) -> float:
    """The upper tail of chi-square, as the incomplete gamma function."""
    from scipy.special import gammaincc

    return float(gammaincc(factors / 2, distance**2 / 2))
