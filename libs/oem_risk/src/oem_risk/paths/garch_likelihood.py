"""The normal likelihood of one GARCH history, with analytic derivatives.

Source: Fiorentini, Calzolari, Panattoni, "Analytic derivatives and the computation of GARCH
estimates", J. Applied Econometrics 11 (1996).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oem_risk.paths.blocks import Floats

MOST_PERSISTENCE = 0.9999
LEAST_OMEGA = 1e-6
"""Edges of the allowed region; omega as a share of the variance."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log-likelihood of each observation and its derivatives.

    Attributes:
        terms: (n,).
        scores: (4 or 5, n) derivatives by mean, omega, alpha, beta and, for GJR, gamma.
        variances: (n + 1,) conditional variances, and that of the step after the last.
    """

    terms: Floats
    scores: Floats
    variances: Floats


def likelihood(vector: Floats, returns: Floats) -> Likelihood:
    """Return the likelihood of returns under mean, omega, alpha, beta and perhaps gamma."""
    mean, omega, alpha, beta = vector[:4].tolist()
    gamma = float(vector[4]) if vector.size > 4 else 0.0
    surprise = returns - mean
    square = surprise * surprise
    start = float(square.mean())
    weight = alpha + gamma * (surprise < 0) if gamma else np.full(surprise.size, alpha)
    pushed = np.empty(surprise.size + 1)
    pushed[0] = omega + (alpha + gamma / 2 + beta) * start
    pushed[1:] = omega + weight * square
    variances = decayed(pushed, beta)
    slope = np.empty((vector.size, surprise.size))
    slope[0, 0] = -2 * (alpha + gamma / 2 + beta) * float(surprise.mean())
    slope[0, 1:] = -2 * weight[:-1] * surprise[:-1]
    slope[1] = 1.0
    slope[2:4, 0] = start
    slope[2, 1:] = square[:-1]
    slope[3, 1:] = variances[:-2]
    if vector.size > 4:
        slope[4, 0] = start / 2
        slope[4, 1:] = np.where(surprise[:-1] < 0, square[:-1], 0.0)
    slope = decayed(slope, beta)
    now = variances[:-1]
    ratio = square / now
    scores = 0.5 * (ratio - 1) / now * slope
    scores[0] += surprise / now
    return Likelihood(-0.5 * (math.log(2 * math.pi) + np.log(now) + ratio), scores, variances)


def curvature(vector: Floats, returns: Floats) -> Floats:
    """Return the second derivatives of the log-likelihood, by differences of the first."""
    step = 1e-6 * np.maximum(np.abs(vector), 1e-2)
    rows = [
        (likelihood(vector + move, returns).scores - likelihood(vector - move, returns).scores)
        .sum(axis=1) / (2 * h)
        for move, h in zip(np.diag(step), step, strict=True)
    ]  # fmt: skip
    table = np.array(rows)
    return np.asarray((table + table.T) / 2)


def maximum(returns: Floats, starts: Floats, floor: float) -> Floats | None:
    """Return the vector of greatest likelihood in the allowed region, None where none is found.

    Sequential quadratic programming (Kraft 1988) from the two likeliest starts, then Newton's
    steps: the optimiser stops some digits short of the maximum.

    Args:
        returns: (n,) of about unit variance.
        starts: (k, 4 or 5) vectors.
        floor: Least omega.
    """
    from scipy.optimize import LinearConstraint, minimize

    size = starts.shape[1]
    # a fall's whole weight, alpha + gamma, in place of gamma: then only one edge is no bound
    turn = np.eye(size)
    if size > 4:
        turn[4, 2] = -1.0
    back = np.linalg.inv(turn)
    persistence = np.array([0.0, 0.0, 1.0, 1.0, 0.5][:size]) @ turn

    def negative(point: Floats) -> tuple[float, Floats]:
        found = likelihood(turn @ point, returns)
        return -float(found.terms.sum()), -(turn.T @ found.scores.sum(axis=1))

    ranked = sorted((back @ start for start in starts), key=lambda point: negative(point)[0])
    bounds = [(None, None), (floor, None), (0.0, 1.0), (0.0, 1.0), (0.0, 2.0)][:size]
    inside = LinearConstraint(persistence, -math.inf, MOST_PERSISTENCE)
    best: Floats | None = None
    least = math.inf
    for start in ranked[:2]:
        found = minimize(
            negative, start, jac=True, method="SLSQP", bounds=bounds, constraints=[inside],
            options={"ftol": 1e-10, "maxiter": 300},
        )  # fmt: skip
        vector = _moved_inside(turn @ np.asarray(found.x, dtype=np.float64), floor)
        height = float(likelihood(vector, returns).terms.sum())
        if math.isfinite(height) and -height < least:
            best, least = vector, -height
    return None if best is None else _polished(best, returns, floor)


def decayed(values: Floats, rate: float) -> Floats:
    """Return `y_t = x_t + rate y_(t-1)` along the last axis."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -rate], values), dtype=np.float64)


def _allowed(vector: Floats, floor: float) -> bool:
    mean, omega, alpha, beta = vector[:4].tolist()
    gamma = float(vector[4]) if vector.size > 4 else 0.0
    return (
        math.isfinite(mean)
        and omega >= floor * (1 - 1e-9)
        and min(alpha, beta, alpha + gamma) >= -1e-12
        and alpha + gamma / 2 + beta <= MOST_PERSISTENCE + 1e-9
    )


def _moved_inside(vector: Floats, floor: float) -> Floats:
    """Return a vector in the region: the optimiser keeps to its edges only within a tolerance."""
    inside = vector.copy()
    inside[1] = max(float(vector[1]), floor)
    inside[2:4] = np.maximum(vector[2:4], 0.0)
    if vector.size > 4:
        inside[4] = max(float(vector[4]), -float(inside[2]))
    gamma = float(inside[4]) if vector.size > 4 else 0.0
    excess = float(inside[2]) + gamma / 2 + float(inside[3]) - MOST_PERSISTENCE
    if excess > 0:
        inside[3] -= min(excess, float(inside[3]))
    return inside


def _polished(vector: Floats, returns: Floats, floor: float) -> Floats:
    """Return the vector after Newton's steps, as long as they stay inside and climb."""
    before = float(likelihood(vector, returns).terms.sum())
    for _ in range(8):
        try:
            step = np.linalg.solve(
                curvature(vector, returns), likelihood(vector, returns).scores.sum(axis=1)
            )
        except np.linalg.LinAlgError:
            return vector
        moved = vector - step
        if not np.isfinite(moved).all() or not _allowed(moved, floor):
            return vector
        after = float(likelihood(moved, returns).terms.sum())
        if after < before - 1e-9:
            return vector
        vector, before = moved, after
        if float(np.abs(step).max()) < 1e-11:
            break
    return vector
