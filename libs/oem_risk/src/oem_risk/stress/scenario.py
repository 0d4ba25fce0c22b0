"""Stress tests: the market turns bad while the profile's largest holding is open."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from oem_risk.errors import LabProblem
from oem_risk.lab.verdict import Verdict
from oem_risk.limits.profile import RiskProfile
from oem_risk.stress.fills import FillModel


class StressScenario(BaseModel):
    """One stress test as data.

    Attributes:
        name: Name in reports.
        severity: Fall of the price as a fraction, in (0, 1).
        duration_bars: Bars the fall takes, >= 1.
        recovery: Share of the fall that comes back, in [0, 1].
        recovery_bars: Bars the recovery takes, >= 1.
        spread_multiplier: Factor on the usual spread, >= 1.
        depth_divisor: Divisor of the usual depth, >= 1.
        latency_bars: Bars between the decision to sell and the sale, >= 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    severity: float = Field(gt=0, lt=1)
    duration_bars: int = Field(ge=1, le=10_000)
    recovery: float = Field(ge=0, le=1)
    recovery_bars: int = Field(ge=1, le=10_000)
    spread_multiplier: float = Field(ge=1)
    depth_divisor: float = Field(ge=1)
    latency_bars: int = Field(ge=0, le=10_000)

    def price_factors(self) -> NDArray[np.float64]:
        """Return the price relative to its start at each bar, shape (bars,)."""
        down = 1 - self.severity * np.arange(1, self.duration_bars + 1) / self.duration_bars
        share = np.arange(1, self.recovery_bars + 1) / self.recovery_bars
        up = 1 - self.severity * (1 - self.recovery * share)
        tail = np.full(self.latency_bars + 24, up[-1])
        return np.concatenate([down, up, tail])


def shipped_scenarios() -> tuple[StressScenario, ...]:
    """Return flash crash, dry liquidity and latency spike."""
    text = files("oem_risk.stress").joinpath("scenarios.toml").read_text("utf-8")
    return tuple(
        StressScenario.model_validate({"name": name, **values})
        for name, values in tomllib.loads(text).items()
    )


@dataclass(frozen=True, slots=True)
class StressResult:
    """What a scenario did to a profile's largest holding.

    Attributes:
        scenario: Name of the scenario.
        loss: Loss as a fraction of equity when all is sold or the scenario ends.
        slippage: Part of the loss that came from the book, not from the price.
        unsold: Share of the holding that found no buyer.
        bars_to_exit: Bars from the first loss limit to flat; -1 when it was never sold out.
        limit: The profile's drawdown limit.
        verdict: PASS while the loss stays inside the limit.
        parts: Where the loss came from, as fractions of equity that add up to it: the market
            before the daily loss limit was reached, during the latency, while selling, and what
            the book took.
    """

    scenario: str
    loss: float
    slippage: float
    unsold: float
    bars_to_exit: int
    limit: float
    verdict: Verdict
    parts: tuple[tuple[str, float], ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "scenario": self.scenario,
            "loss": self.loss,
            "slippage": self.slippage,
            "unsold": self.unsold,
            "bars_to_exit": self.bars_to_exit,
            "limit": self.limit,
            "verdict": self.verdict.value,
            "parts": dict(self.parts),
        }


def run_stress(
    scenario: StressScenario,
    profile: RiskProfile,
    fills: FillModel,
    *,
    prices: NDArray[np.float64],
    depths: NDArray[np.float64],
    spread_bps: float,
    equity: float,
) -> StressResult:
    """Run one scenario against the largest holding the profile allows.

    All symbols fall together. Once the loss reaches the profile's daily limit everything is sold
    at market, after the scenario's latency, into its thinned book; what finds no buyer in a bar is
    offered again in the next.

    Args:
        scenario: What happens to the market.
        profile: Whose limits size the holding and judge the loss.
        fills: The book the sales walk.
        prices: Start price of each symbol, shape (symbols,).
        depths: Usual base units on the buying side a bar, shape (symbols,).
        spread_bps: Usual spread.
        equity: Equity at the start, quote units.

    Raises:
        LabProblem: No symbol, prices or depths that are not finite and positive, as many of one
            as of the other, a negative spread, or no equity.
    """
    _require_market(prices, depths, spread_bps, equity)
    share = min(profile.max_position, profile.max_leverage / len(prices))
    held = share * equity / prices
    start = held.copy()
    cash = equity - float((held * prices).sum())
    slippage, trigger, flat_at = 0.0, -1, -1
    value, before = equity, prices
    market = dict.fromkeys(("before the limit", "latency", "while selling"), 0.0)
    for bar, factor in enumerate(scenario.price_factors()):
        mids = prices * factor
        value = cash + float((held * mids).sum())
        late = trigger >= 0 and bar <= trigger + scenario.latency_bars
        phase = "before the limit" if trigger < 0 else "latency" if late else "while selling"
        market[phase] += float((held * (before - mids)).sum())
        before = mids
        if trigger < 0 and 1 - value / equity >= profile.max_daily_loss:
            trigger = bar
        if trigger < 0 or bar < trigger + scenario.latency_bars:
            continue
        for i, mid in enumerate(mids):
            if held[i] <= 0:
                continue
            filled, price = fills.sell(
                float(held[i]),
                mid=float(mid),
                spread_bps=spread_bps * scenario.spread_multiplier,
                depth=float(depths[i] / scenario.depth_divisor),
            )
            held[i] -= filled
            cash += filled * price
            slippage += filled * (mid - price)
        value = cash + float((held * mids).sum())
        if held.max() <= start.max() * 1e-9:
            flat_at = bar
            break
    loss = 1 - value / equity
    return StressResult(
        scenario=scenario.name,
        loss=loss,
        slippage=float(slippage / equity),
        unsold=float(held.sum() / start.sum()),
        bars_to_exit=flat_at - trigger if flat_at >= 0 else -1,
        limit=profile.max_drawdown,
        verdict=Verdict.PASS if loss <= profile.max_drawdown else Verdict.FAIL,
        parts=(
            *((name, lost / equity) for name, lost in market.items()),
            ("book", float(slippage / equity)),
        ),
    )


def _require_market(
    prices: NDArray[np.float64], depths: NDArray[np.float64], spread_bps: float, equity: float
) -> None:
    for name, column, least in (("prices", prices, 0.0), ("depths", depths, -1e-300)):
        fine = np.ndim(column) == 1 and np.size(column) == np.size(prices) > 0
        if not fine or not (np.isfinite(column).all() and (column > least).all()):
            raise LabProblem(
                f"{name} are not one finite number above 0 for each symbol",
                where=name,
                remedy="check the bars: a price is positive, a depth at least 0",
            )
    if not 0 <= spread_bps < np.inf or not 0 < equity < np.inf:
        raise LabProblem(
            f"the spread is {spread_bps} and the equity {equity}",
            where="spread_bps, equity",
            remedy="give a spread of at least 0 and an equity above 0",
        )
