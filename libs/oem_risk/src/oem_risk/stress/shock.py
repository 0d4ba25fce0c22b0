"""What a move of factors does to a portfolio, with what leaving would cost on such a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from oem_risk.errors import LabProblem
from oem_risk.stress.factors import FactorModel, Floats


class FactorShock(BaseModel):
    """A move of factors, as data.

    Attributes:
        name: Name in reports.
        title: What happens.
        shocks: Simple return of each factor, above -1; factors not named stand still.
        spread_multiplier: Factor on the usual spread, >= 1.
        depth_divisor: Divisor of the usual daily volume, >= 1.
        gate: Whether breaking the drawdown limit fails a run. A shock is a gap through which no
            stop sells, so that a profile is rarely meant to bear it whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    shocks: dict[str, float] = Field(min_length=1)
    spread_multiplier: float = Field(default=1.0, ge=1, le=10_000)
    depth_divisor: float = Field(default=1.0, ge=1, le=1_000_000)
    gate: bool = False

    @field_validator("shocks")
    @classmethod
    def _above_ruin(cls, shocks: dict[str, float]) -> dict[str, float]:
        wrong = [name for name, move in shocks.items() if not -1 < move < math.inf]
        if wrong:
            raise ValueError(f"a return must be finite and above -1: {', '.join(wrong)}")
        return shocks


@dataclass(frozen=True, slots=True)
class Holding:
    """One position, and what its market takes.

    Attributes:
        symbol: Symbol such as `BTC/USDT`.
        notional: Quote units; negative is short.
        daily_notional: Usually traded in a day, quote units, > 0.
        spread_bps: Usual width of the book, basis points, >= 0.
    """

    symbol: str
    notional: float
    daily_notional: float
    spread_bps: float

    def __post_init__(self) -> None:
        fine = (
            math.isfinite(self.notional)
            and 0 < self.daily_notional < math.inf
            and 0 <= self.spread_bps < math.inf
        )
        if not fine:
            raise LabProblem(
                "a holding needs a finite notional, a daily notional above 0 and a spread",
                where=self.symbol,
                remedy="correct the numbers",
            )


@dataclass(frozen=True, slots=True)
class PositionShock:
    """What a shock does to one holding, quote units; losses are positive."""

    symbol: str
    notional: float
    price_loss: float
    spread_cost: float
    impact_cost: float
    days_to_exit: float

    @property
    def loss(self) -> float:
        return self.price_loss + self.spread_cost + self.impact_cost


@dataclass(frozen=True, slots=True)
class ShockResult:
    """What a shock does to a portfolio.

    Attributes:
        shock: Name of the shock.
        positions: Parts by holding; they add up to the loss.
        loss: Share of equity.
        leverage: Gross notional after the move over equity after it; infinite where none is left.
    """

    shock: str
    positions: tuple[PositionShock, ...]
    loss: float
    leverage: float

    def as_json(self) -> dict[str, object]:
        return {
            "shock": self.shock,
            "loss": self.loss,
            "leverage": self.leverage if math.isfinite(self.leverage) else None,
            "positions": {
                p.symbol: {
                    "notional": p.notional,
                    "price_loss": p.price_loss,
                    "spread_cost": p.spread_cost,
                    "impact_cost": p.impact_cost,
                    "days_to_exit": p.days_to_exit,
                }
                for p in self.positions
            },
        }


@dataclass(frozen=True, slots=True)
class Haircut:
    """What leaving costs: half the spread, and the square root of the share of a day's volume.

        impact = coefficient * daily volatility * sqrt(notional / daily notional)

    Sources: Almgren, Thum, Hauptmann, Li (2005) and Tóth and others (2011) for the square root;
    Bangia and others (1999) for the spread.

    Attributes:
        spread_multiplier: Factor on the usual spread, >= 1.
        depth_divisor: Divisor of the usual daily notional, >= 1.
        coefficient: Of the impact, about 1, >= 0.
        participation: Share of a day's notional that one seller can be, in (0, 1].
    """

    spread_multiplier: float = 1.0
    depth_divisor: float = 1.0
    coefficient: float = 1.0
    participation: float = 0.1

    def __post_init__(self) -> None:
        fine = (
            1 <= self.spread_multiplier < math.inf
            and 1 <= self.depth_divisor < math.inf
            and 0 <= self.coefficient < math.inf
            and 0 < self.participation <= 1
        )
        if not fine:
            raise LabProblem(
                "the haircut's numbers are out of range",
                where="haircut",
                remedy="multiplier and divisor at least 1, coefficient at least 0, participation "
                "above 0 and at most 1",
            )

    def costs(self, holding: Holding, value: float, volatility: float) -> tuple[float, float]:
        """Return spread and impact cost of leaving a holding worth `value`, quote units."""
        traded = abs(value)
        spread = traded * holding.spread_bps * 1e-4 * self.spread_multiplier / 2
        share = traded / (holding.daily_notional / self.depth_divisor)
        impact = traded * min(1.0, self.coefficient * volatility * math.sqrt(share))
        return min(spread, traded), impact

    def days(self, holding: Holding, value: float) -> float:
        """Return how many days leaving takes at the largest share of the volume."""
        return abs(value) / (holding.daily_notional / self.depth_divisor * self.participation)


def apply_shock(
    shock: FactorShock,
    holdings: Sequence[Holding],
    model: FactorModel,
    *,
    equity: float,
    haircut: Haircut | None = None,
) -> ShockResult:
    """Return what a shock does to a portfolio that must be sold on that day.

    Args:
        shock: The move; its own multipliers thin the market.
        holdings: The portfolio; every symbol must be in the model.
        model: How the symbols move with the factors.
        equity: Equity before, quote units, > 0.
        haircut: Coefficient and participation to use; None takes the defaults.

    Raises:
        LabProblem: A symbol or factor is not in the model, or equity is not positive.
    """
    unknown = sorted(shock.shocks.keys() - set(model.factors))
    if unknown:
        raise LabProblem(
            f"the model has no factor {', '.join(unknown)}",
            where=shock.name,
            remedy="use " + ", ".join(model.factors) + ", or add symbols to the model",
        )
    factors = np.array([math.log1p(shock.shocks.get(name, 0.0)) for name in model.factors])
    base = haircut or Haircut()
    thin = Haircut(
        shock.spread_multiplier, shock.depth_divisor, base.coefficient, base.participation
    )
    return shocked(shock.name, factors, holdings, model, equity=equity, haircut=thin)


def shocked(
    name: str,
    factor_returns: Floats,
    holdings: Sequence[Holding],
    model: FactorModel,
    *,
    equity: float,
    haircut: Haircut,
) -> ShockResult:
    """Return what log factor returns do to a portfolio, with a haircut for leaving."""
    if not (equity > 0 and math.isfinite(equity)):
        raise LabProblem("equity is not positive", where="equity", remedy="give a positive equity")
    moves = model.moves(factor_returns)
    positions, gross = [], 0.0
    for holding in holdings:
        if holding.symbol not in model.symbols:
            raise LabProblem(
                f"the factor model does not know {holding.symbol}",
                where="holdings",
                remedy="fit it with this symbol's bars; it knows " + ", ".join(model.symbols),
            )
        i = model.symbols.index(holding.symbol)
        value = holding.notional * (1 + float(moves[i]))
        gross += abs(value)
        spread, impact = haircut.costs(holding, value, float(model.volatility[i]))
        positions.append(
            PositionShock(
                symbol=holding.symbol,
                notional=holding.notional,
                price_loss=holding.notional - value,
                spread_cost=spread,
                impact_cost=impact,
                days_to_exit=haircut.days(holding, value),
            )
        )
    loss = sum(position.loss for position in positions) / equity
    left = equity - sum(position.price_loss for position in positions)
    leverage = gross / left if left > 0 else math.inf
    return ShockResult(name, tuple(positions), loss, leverage)


def shocked_many(
    factor_returns: Floats,
    holdings: Sequence[Holding],
    model: FactorModel,
    *,
    equity: float,
    haircut: Haircut,
) -> tuple[Floats, Floats]:
    """Return loss and leverage as `shocked` does, for many moves at once.

    Args:
        factor_returns: (moves, factors) log returns.
        holdings: The portfolio.
        model: How the symbols move with the factors.
        equity: Equity before, > 0.
        haircut: What leaving costs.

    Returns:
        Loss as a share of equity and leverage, shape (moves,) each.
    """
    rows = [model.symbols.index(holding.symbol) for holding in holdings]
    notional = np.array([holding.notional for holding in holdings])
    values = notional * np.exp(factor_returns @ model.betas[rows].T)
    traded = np.abs(values)
    spread = np.array([h.spread_bps * 1e-4 * haircut.spread_multiplier / 2 for h in holdings])
    depth = np.array([h.daily_notional / haircut.depth_divisor for h in holdings])
    impact = haircut.coefficient * model.volatility[rows] * np.sqrt(traded / depth)
    costs = traded * (np.minimum(spread, 1.0) + np.minimum(impact, 1.0))
    fallen = (notional - values).sum(axis=1)
    left = equity - fallen
    with np.errstate(divide="ignore"):
        leverage = np.where(left > 0, traded.sum(axis=1) / np.where(left > 0, left, 1.0), np.inf)
    return (fallen + costs.sum(axis=1)) / equity, leverage
