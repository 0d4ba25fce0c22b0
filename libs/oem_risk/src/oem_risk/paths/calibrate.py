"""From a history to a model of paths that goes on where it ends."""

from __future__ import annotations

import enum
import math

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Floats, varying
from oem_risk.paths.bootstrap import BlockKind
from oem_risk.paths.garch import LEAST_OBSERVATIONS, fit_garch
from oem_risk.paths.joint import JointBootstrap, JointFilteredHistory, JointGbm, JointMerton

JointFit = JointBootstrap | JointFilteredHistory | JointGbm | JointMerton


class PathKind(enum.StrEnum):
    """The models Paper Labs can draw its paths from."""

    STATIONARY = "stationary"
    """Stationary bootstrap: blocks of random length."""
    CIRCULAR = "circular"
    """Circular blocks of fixed length."""
    MOVING = "moving"
    """Moving blocks of fixed length, no wrapping."""
    GBM = "gbm"
    """Correlated geometric Brownian motions."""
    MERTON = "merton"
    """Correlated diffusions with common jumps."""
    GARCH = "garch"
    """GARCH(1,1) filtered historical simulation."""
    GJR = "gjr"
    """GJR filtered historical simulation: falls may raise the volatility more."""


def fit_paths(kind: PathKind, log_returns: ArrayLike, *, block: float = 1.0) -> JointFit:
    """Return the model of a kind fitted to a common history; one step is one observation.

    Args:
        kind: Which model.
        log_returns: (symbols, observations), at least 100 observations, rows of the same times.
        block: Block length in steps, for the three bootstraps.

    Raises:
        DataProblem: Too few, constant or not finite returns; the symbol's row is named.
    """
    table = history_table(log_returns)
    match kind:
        case PathKind.STATIONARY | PathKind.CIRCULAR | PathKind.MOVING:
            return JointBootstrap(table, block, BlockKind(kind.value))
        case PathKind.GBM:
            covariance = np.atleast_2d(np.cov(table))
            return JointGbm(table.mean(axis=1) + np.diag(covariance) / 2, covariance)
        case PathKind.MERTON:
            return fit_merton(table)
        case PathKind.GARCH | PathKind.GJR:
            skewed = kind is PathKind.GJR
            return JointFilteredHistory.of(
                tuple(fit_garch(row, asymmetric=skewed) for row in table)
            )


def fit_merton(log_returns: ArrayLike, *, rounds: int = 200) -> JointMerton:
    """Fit a jump diffusion with common jumps by maximum likelihood.

    At most one jump a step is assumed while fitting (Ball, Torous, "A simplified jump process for
    common stock returns", J. Financial and Quantitative Analysis 18, 1983), which makes the
    likelihood that of a mixture of two normals; it is climbed by expectation-maximisation
    (Dempster, Laird, Rubin 1977). A history without fat tails gives jumps of no size.

    Args:
        log_returns: (symbols, observations), at least 100 observations.
        rounds: Most rounds of the climb.
    """
    table = history_table(log_returns)
    symbols, n = table.shape
    mean = table.mean(axis=1)
    whole = np.atleast_2d(np.cov(table, bias=True))
    distance = _squared_distance(table, mean, whole)
    # begin with the furthest two in a hundred as jumps
    weight = (distance > np.quantile(distance, 0.98)).astype(np.float64)
    before = -math.inf
    rate, smooth_mean, smooth, jump_mean, jump = 0.0, mean, whole, np.zeros(symbols), 0.0 * whole
    for _ in range(rounds):
        events = float(weight.sum())
        if events < 1e-3 * n or events > 0.5 * n:
            break
        rate = events / n
        smooth_mean, smooth = _moments(table, 1 - weight)
        far_mean, far = _moments(table, weight)
        jump_mean, jump = far_mean - smooth_mean, _positive_part(far - smooth)
        quiet = math.log1p(-rate) + _log_density(table, smooth_mean, smooth)
        loud = math.log(rate) + _log_density(table, far_mean, smooth + jump)
        both = np.logaddexp(quiet, loud)
        weight = np.exp(loud - both)
        likelihood = float(both.sum())
        if abs(likelihood - before) < 1e-8 * n:
            break
        before = likelihood
    expected = np.expm1(jump_mean + np.diag(jump) / 2)
    drift = smooth_mean + np.diag(smooth) / 2 + rate * expected
    return JointMerton(drift, smooth, rate, jump_mean, jump)


def history_table(log_returns: ArrayLike, *, least: int = LEAST_OBSERVATIONS) -> Floats:
    """Return a history as a table, one row a symbol.

    Raises:
        DataProblem: Not two-dimensional, too short, constant, or not finite.
    """
    table = np.atleast_2d(np.asarray(log_returns, dtype=np.float64))
    if table.ndim != 2 or table.size == 0:
        raise DataProblem(
            f"log_returns has {table.ndim} dimensions and {table.size} values",
            where="log_returns",
            remedy="give one row of returns a symbol",
        )
    return np.stack([varying(row, f"log_returns[{i}]", least=least) for i, row in enumerate(table)])


def _moments(table: Floats, weight: Floats) -> tuple[Floats, Floats]:
    total = float(weight.sum())
    mean = (table * weight).sum(axis=1) / total
    away = table - mean[:, None]
    return mean, (away * weight) @ away.T / total


def _positive_part(matrix: Floats) -> Floats:
    """Return the nearest matrix without negative variances: jumps only ever add."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _squared_distance(table: Floats, mean: Floats, covariance: Floats) -> Floats:
    away = table - mean[:, None]
    return np.asarray((away * (np.linalg.pinv(covariance) @ away)).sum(axis=0))


def _log_density(table: Floats, mean: Floats, covariance: Floats) -> Floats:
    # symbols that move as one have a density on a line; a sliver of the variance keeps it finite
    ridge = 1e-9 * float(np.diag(covariance).mean())
    steady = covariance + ridge * np.eye(len(table))
    _, log_determinant = np.linalg.slogdet(steady)
    constant = len(table) * math.log(2 * math.pi) + float(log_determinant)
    return np.asarray(-0.5 * (constant + _squared_distance(table, mean, steady)))
