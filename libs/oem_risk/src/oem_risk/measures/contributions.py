"""Which position the risk comes from: parts that add up to the whole (Euler allocation).

Source: Tasche, "Risk contributions and performance measurement" (1999); McNeil, Frey, Embrechts,
"Quantitative Risk Management" (2015), 8.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Floats, share
from oem_risk.measures.tail import normal_tail, tail_weights


@dataclass(frozen=True, slots=True)
class Contributions:
    """Risk of a portfolio and of each position in it.

    Attributes:
        total: The whole risk, positive is a loss.
        components: (assets,) parts that sum to the total.
        marginals: (assets,) change of the total for one more unit of each position.
    """

    total: float
    components: tuple[float, ...]
    marginals: tuple[float, ...]


def normal_var_contributions(
    positions: ArrayLike, covariance: ArrayLike, level: float = 0.99, mean: ArrayLike | None = None
) -> Contributions:
    """Return contributions to value at risk of jointly normal returns.

    Args:
        positions: (assets,) value held of each, negative is short.
        covariance: (assets, assets) of the returns, symmetric and positive semi-definite.
        level: In (0, 1).
        mean: (assets,) expected returns; None is 0.

    Example:
        >>> found = normal_var_contributions([100, 100], [[0.04, 0], [0, 0.04]], 0.99)
        >>> round(found.total, 4), [round(part, 4) for part in found.components]
        (65.7991, [32.8995, 32.8995])
    """
    z = NormalDist().inv_cdf(share(level, "level"))
    return _normal(positions, covariance, z, mean)


def normal_es_contributions(
    positions: ArrayLike, covariance: ArrayLike, level: float = 0.99, mean: ArrayLike | None = None
) -> Contributions:
    """Return contributions to expected shortfall of jointly normal returns."""
    return _normal(positions, covariance, normal_tail(level).es, mean)


def historical_es_contributions(
    positions: ArrayLike, returns: ArrayLike, level: float = 0.99
) -> Contributions:
    """Return contributions to historical expected shortfall: each position's mean loss in the tail.

    Args:
        positions: (assets,) value held of each.
        returns: (n, assets) joint returns, gains positive.
        level: In (0, 1).

    Returns:
        Contributions to the same figure as `historical_es` of the portfolio's returns.
    """
    held = np.asarray(positions, dtype=np.float64)
    moves = np.asarray(returns, dtype=np.float64)
    if moves.ndim != 2 or held.shape != (moves.shape[1],) or moves.shape[0] < 2:
        raise DataProblem(
            f"{held.size} positions and returns of shape {moves.shape}",
            where="returns",
            remedy="give one column of returns for each position",
        )
    _finite("positions", held)
    _finite("returns", moves)
    losses = -moves @ held
    order = np.argsort(-losses, kind="stable")
    weights = np.zeros(losses.size)
    weights[order] = tail_weights(losses.size, share(level, "level"))
    marginals = -weights @ moves
    components = marginals * held
    return Contributions(
        float(components.sum()), tuple(components.tolist()), tuple(marginals.tolist())
    )


def _normal(
    positions: ArrayLike, covariance: ArrayLike, factor: float, mean: ArrayLike | None
) -> Contributions:
    held = np.asarray(positions, dtype=np.float64)
    matrix = np.asarray(covariance, dtype=np.float64)
    drift = np.zeros(held.size) if mean is None else np.asarray(mean, dtype=np.float64)
    if held.ndim != 1 or matrix.shape != (held.size, held.size) or drift.shape != held.shape:
        raise DataProblem(
            f"{held.size} positions, a covariance of shape {matrix.shape}",
            where="covariance",
            remedy="give one row and column for each position",
        )
    for name, numbers in (("positions", held), ("covariance", matrix), ("mean", drift)):
        _finite(name, numbers)
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
        raise DataProblem("it is not symmetric", where="covariance", remedy="give a covariance")
    spread = np.linalg.eigvalsh(matrix)
    if spread[0] < -1e-10 * max(1e-300, spread[-1]):
        raise DataProblem(
            f"an eigenvalue is {spread[0]:g}: no returns have this covariance",
            where="covariance",
            remedy="estimate the whole matrix on the same rows",
        )
    variance = float(held @ matrix @ held)
    if variance <= 0:
        raise DataProblem(
            f"the portfolio's variance is {variance:g}",
            where="covariance",
            remedy="give a positive definite covariance and a position",
        )
    marginals = factor * (matrix @ held) / np.sqrt(variance) - drift
    components = marginals * held
    return Contributions(
        float(components.sum()), tuple(components.tolist()), tuple(marginals.tolist())
    )


def _finite(name: str, numbers: Floats) -> None:
    if not np.isfinite(numbers).all():
        raise DataProblem(
            f"{name} holds a number that is not finite", where=name, remedy="mend the source"
        )
