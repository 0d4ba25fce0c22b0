"""A portfolio of several prices as one path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from oem_risk.errors import LabProblem
from oem_risk.paths.blocks import Floats
from oem_risk.paths.joint import JointModel

_RUINED = 1e-12


@dataclass(frozen=True, slots=True)
class PortfolioModel:
    """The value of a portfolio; what the weights leave of 1 is cash without interest.

    Attributes:
        joint: Model of the prices.
        weights: (symbols,) share of the first value held in each, negative is short.
        rebalanced: Whether the weights are restored at every step; else the first holding is kept.
    """

    stepwise: ClassVar[bool] = False

    joint: JointModel
    weights: Floats
    rebalanced: bool = True

    def __post_init__(self) -> None:
        if self.weights.ndim != 1 or not np.isfinite(self.weights).all():
            raise LabProblem(
                f"weights of shape {self.weights.shape}",
                where="weights",
                remedy="give one finite weight a symbol",
            )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        moves = self.joint.log_returns(rng, paths, steps)
        if len(moves) != self.weights.size:
            raise LabProblem(
                f"{self.weights.size} weights for {len(moves)} symbols",
                where="weights",
                remedy="give one weight a symbol",
            )
        if not self.rebalanced:
            np.cumsum(moves, axis=2, out=moves)
        np.expm1(moves, out=moves)
        # symbol by symbol in a fixed order: the same sum for any number of threads
        gain = np.zeros(moves.shape[1:])
        for weight, move in zip(self.weights, moves, strict=True):
            gain += weight * move
        # a leveraged holding can lose more than there is; a path that is ruined stays so
        np.maximum(gain, _RUINED - 1, out=gain)
        value = np.log1p(gain)
        return value if self.rebalanced else np.diff(value, axis=1, prepend=0.0)
