"""Paths of several prices that move together.

Correlation comes from a covariance matrix (Gaussian models), from jumps at common times (Das,
Uppal, "Systemic risk and international portfolio choice", J. Finance 59, 2004), or from drawing
whole rows of history at once (bootstrap and filtered history; Barone-Adesi and others 1999), which
keeps every dependence of one moment, not only the linear one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import LabProblem
from oem_risk.paths.blocks import Floats
from oem_risk.paths.bootstrap import BlockKind, block_indices
from oem_risk.paths.garch import GarchFit, GarchParameters


class JointModel(Protocol):
    """A model of several prices; it can be pickled, so that other processes can draw from it."""

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        """Return log returns of shape (symbols, paths, steps); the array belongs to the caller."""
        ...


@dataclass(frozen=True, slots=True)
class JointBootstrap:
    """Blocks of a common history: all symbols take the same rows.

    Attributes:
        history: (symbols, observations) log returns, at least two observations.
        block: Mean length (stationary) or length in steps, from 1 to the history's.
        kind: How blocks are drawn.
    """

    history: Floats
    block: float
    kind: BlockKind = BlockKind.STATIONARY

    def __post_init__(self) -> None:
        _table(self.history, "history", least=2)
        if not 1 <= self.block <= self.history.shape[1]:
            raise LabProblem(
                f"a block of {self.block} in a history of {self.history.shape[1]}",
                where="block",
                remedy="give a length of at least 1 and at most the history's",
            )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        index = block_indices(
            rng, self.kind, paths=paths, steps=steps, observations=self.history.shape[1],
            block=self.block,
        )  # fmt: skip
        return self.history.take(index, axis=1)


@dataclass(frozen=True, slots=True)
class JointGbm:
    """Correlated geometric Brownian motions, exact at every step.

    Attributes:
        drift: (symbols,) expected growth rates per unit of time.
        covariance: (symbols, symbols) of the log returns per unit of time, positive semi-definite.
        dt: Length of a step, above 0.
        antithetic: Whether each second path mirrors the one before; see `GbmModel`.
    """

    drift: Floats
    covariance: Floats
    dt: float = 1.0
    antithetic: bool = False

    def __post_init__(self) -> None:
        _vector(self.drift, "drift")
        covariance_root(self.covariance, self.drift.size, "covariance")
        _step(self.dt)

    @classmethod
    def of(
        cls,
        drift: ArrayLike,
        volatility: ArrayLike,
        correlation: ArrayLike,
        dt: float = 1.0,
        *,
        antithetic: bool = False,
    ) -> Self:
        """Return the model by volatilities and a correlation matrix.

        Args:
            drift: (symbols,) expected growth rates.
            volatility: (symbols,) each at least 0.
            correlation: (symbols, symbols), ones on the diagonal.
            dt: Length of a step.
            antithetic: See the class.

        Example:
            >>> model = JointGbm.of([0.1, 0.0], [0.5, 0.4], [[1, 0.8], [0.8, 1]], 1 / 365)
            >>> round(float(model.covariance[0, 1]), 6)
            0.16
        """
        spread, together = np.asarray(volatility, float), np.asarray(correlation, float)
        _vector(spread, "volatility")
        if together.shape != (spread.size, spread.size) or not np.allclose(np.diag(together), 1):
            raise LabProblem(
                f"a correlation of shape {together.shape} for {spread.size} symbols",
                where="correlation",
                remedy="give a square matrix with ones on its diagonal",
            )
        covariance = together * np.outer(spread, spread)
        return cls(np.asarray(drift, float), covariance, dt, antithetic)

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        count = self.drift.size
        half = (paths + 1) // 2 if self.antithetic else paths
        root = covariance_root(self.covariance * self.dt, count, "covariance")
        moves = correlate(root, rng.standard_normal((count, half, steps)))
        if self.antithetic:
            moves = np.stack([moves, -moves], axis=2).reshape(count, -1, steps)[:, :paths]
        centre = (self.drift - np.diag(self.covariance) / 2) * self.dt
        moves += centre[:, None, None]
        return moves

    def mean(self, horizon: float) -> Floats:
        """Return the expected prices over the first ones, `exp(drift T)`: a control variate."""
        return np.exp(self.drift * horizon)


@dataclass(frozen=True, slots=True)
class JointMerton:
    """Correlated jump diffusions whose jumps come at the same times.

    Attributes:
        drift: (symbols,) expected growth rates; jumps are compensated.
        covariance: (symbols, symbols) of the smooth part per unit of time.
        intensity: Jump times per unit of time, at least 0.
        jump_mean: (symbols,) means of the jumps of the log prices.
        jump_covariance: (symbols, symbols) of one jump.
        dt: Length of a step, above 0.
    """

    drift: Floats
    covariance: Floats
    intensity: float
    jump_mean: Floats
    jump_covariance: Floats
    dt: float = 1.0

    def __post_init__(self) -> None:
        _vector(self.drift, "drift")
        _vector(self.jump_mean, "jump_mean", self.drift.size)
        covariance_root(self.covariance, self.drift.size, "covariance")
        covariance_root(self.jump_covariance, self.drift.size, "jump_covariance")
        _step(self.dt)
        if not math.isfinite(self.intensity) or self.intensity < 0:
            raise LabProblem(
                f"intensity is {self.intensity}",
                where="intensity",
                remedy="give a number of at least 0",
            )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        symbols = self.drift.size
        root = covariance_root(self.covariance * self.dt, symbols, "covariance")
        moves = correlate(root, rng.standard_normal((symbols, paths, steps)))
        count = rng.poisson(self.intensity * self.dt, (paths, steps))
        jumped = np.flatnonzero(count)
        if jumped.size:
            # few steps jump: a second draw for those alone; n jumps are one of n times the variance
            times = count.ravel()[jumped].astype(np.float64)
            jump_root = covariance_root(self.jump_covariance, symbols, "jump_covariance")
            sizes = correlate(jump_root, rng.standard_normal((symbols, jumped.size)))
            sizes *= np.sqrt(times)
            sizes += self.jump_mean[:, None] * times
            moves.reshape(symbols, -1)[:, jumped] += sizes
        expected = np.expm1(self.jump_mean + np.diag(self.jump_covariance) / 2)
        smooth = self.drift - self.intensity * expected - np.diag(self.covariance) / 2
        moves += (smooth * self.dt)[:, None, None]
        return moves

    def mean(self, horizon: float) -> Floats:
        """Return the expected prices over the first ones, `exp(drift T)`: a control variate."""
        return np.exp(self.drift * horizon)


@dataclass(frozen=True, slots=True)
class JointFilteredHistory:
    """Each symbol's volatility follows its own fit; the surprises of one moment stay together.

    Attributes:
        parameters: One fit a symbol.
        residuals: (symbols, observations) standardised residuals, rows of the same times.
        start_variances: (symbols,) variance of each symbol's first step.
    """

    stepwise: ClassVar[bool] = True

    parameters: tuple[GarchParameters, ...]
    residuals: Floats
    start_variances: Floats

    def __post_init__(self) -> None:
        _table(self.residuals, "residuals", least=2)
        _vector(self.start_variances, "start_variances", len(self.parameters))
        if len(self.residuals) != len(self.parameters) or (self.start_variances <= 0).any():
            raise LabProblem(
                f"{len(self.parameters)} fits and residuals of {len(self.residuals)} symbols",
                where="residuals",
                remedy="give one fit, one row of residuals and one variance above 0 a symbol",
            )

    @classmethod
    def of(cls, fits: tuple[GarchFit, ...]) -> Self:
        """Return the model that goes on where the fitted histories end; they must be as long."""
        return cls(
            tuple(fit.parameters for fit in fits),
            np.stack([fit.residuals for fit in fits]),
            np.array([fit.next_variance for fit in fits]),
        )

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        index = rng.integers(0, self.residuals.shape[1], (steps, paths))
        moves = np.empty((len(self.parameters), paths, steps))
        for symbol, p in enumerate(self.parameters):
            shocks = self.residuals[symbol].take(index)
            variance = np.full(paths, self.start_variances[symbol])
            for shock in shocks:
                shock *= np.sqrt(variance)
                square = shock * shock
                weight = p.alpha + np.where(shock < 0, p.gamma, 0.0) if p.gamma else p.alpha
                variance = p.omega + weight * square + p.beta * variance
                shock += p.mean
            moves[symbol] = shocks.T
        return moves


def covariance_root(covariance: Floats, symbols: int, name: str) -> Floats:
    """Return a matrix whose square is the covariance; singular ones are allowed.

    Raises:
        LabProblem: Wrong shape, not symmetric, not finite, or not positive semi-definite.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    sound = matrix.shape == (symbols, symbols) and bool(np.isfinite(matrix).all())
    if sound and np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-300):
        values, vectors = np.linalg.eigh(matrix)
        if values.min(initial=0.0) >= -1e-10 * max(float(np.abs(values).max()), 1e-300):
            return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
    raise LabProblem(
        f"{name} is no covariance of {symbols} symbols",
        where=name,
        remedy="give a symmetric, positive semi-definite matrix; shrink correlations that "
        "contradict each other",
    )


def correlate(root: Floats, independent: Floats) -> Floats:
    """Return `root @ independent` along the first axis, added up in a fixed order.

    A matrix product may sum differently with another number of threads; reports must not.
    """
    out = np.zeros_like(independent)
    for row, line in enumerate(root):
        for weight, column in zip(line, independent, strict=True):
            if weight:
                out[row] += weight * column
    return out


def _table(values: Floats, name: str, *, least: int) -> None:
    if values.ndim != 2 or values.shape[1] < least or not np.isfinite(values).all():
        raise LabProblem(
            f"{name} of shape {values.shape}",
            where=name,
            remedy=f"give finite numbers, one row a symbol, at least {least} columns",
        )


def _vector(values: Floats, name: str, size: int | None = None) -> None:
    wrong = values.ndim != 1 or values.size == 0 or not np.isfinite(values).all()
    if wrong or (size is not None and values.size != size):
        raise LabProblem(
            f"{name} of shape {values.shape}", where=name, remedy="give one finite number a symbol"
        )


def _step(dt: float) -> None:
    if not math.isfinite(dt) or dt <= 0:
        raise LabProblem(f"dt is {dt}", where="dt", remedy="give a step above 0")
