"""How far the parameters of a fitted GARCH model may lie from the truth: draws of them.

The maximum of a short history's likelihood says little: it often puts alpha at 0, and a bootstrap
that starts from there believes the volatility constant. So the parameters are drawn from the
quasi-likelihood itself, under a flat prior on the allowed region (for the mean, the logarithm of
omega, alpha, beta and a fall's weight alpha + gamma). The likelihood is the normal one whatever the
law of the residuals; it is raised to the power 2 / (kurtosis - 1), which gives the variance
parameters the spread of their robust standard errors (Müller, "Risk of Bayesian inference in
misspecified models, and the sandwich covariance matrix", Econometrica 81, 2013).

The draws begin as an importance sample (Rubin 1988), half of it from a normal law around the
maximum and half from the whole region, and are then moved by differential evolution: chains that
step along the difference of two others (ter Braak, Statistics and Computing 16, 2006).
"""

from __future__ import annotations

import math

import numpy as np

from oem_risk.paths.blocks import Floats
from oem_risk.paths.garch_likelihood import MOST_PERSISTENCE, likelihood

_STEPS = 30
_WIDEST = 0.98
"""Most persistence that the importance sample tries away from the maximum."""


def parameter_draws(
    vector: Floats, history: Floats, draws: int, rng: np.random.Generator
) -> Floats:
    """Return draws (4 or 5, draws) of mean, omega, alpha, beta and, for GJR, gamma.

    Args:
        vector: (4 or 5,) the maximum.
        history: (n,) returns.
        draws: At least 50.
        rng: Source of the draws.
    """
    power = _power(vector, history)
    points, logs = _importance_sample(vector, history, draws, power, rng)
    size = len(points)
    for step in range(_STEPS):
        order = rng.permutation(draws)
        ahead, behind = np.empty_like(points), np.empty_like(points)
        ahead[:, order], behind[:, order] = (points[:, np.roll(order, shift)] for shift in (1, 2))
        # now and then a whole difference, which leaps between separate hills
        whole = 1.0 if step % 6 == 5 else 2.38 / math.sqrt(2 * size)
        reach = whole * rng.uniform(0.8, 1.2, draws)
        tried = points + reach * (ahead - behind)
        there = _log_posterior(tried, history, power, vector)
        taken = np.log(rng.random(draws)) < there - logs
        points = np.where(taken, tried, points)
        logs = np.where(taken, there, logs)
    return _parameters(points)


def filtered(at: Floats, history: Floats) -> tuple[Floats, Floats]:
    """Return each parameter vector's variances of a history, and those of the step after it.

    Args:
        at: (4 or 5, draws).
        history: (n,) returns.

    Returns:
        (n, draws) variances and (draws,) of the next step.
    """
    mean, omega, alpha, beta = at[:4]
    square = np.square(history[:, None] - mean)
    start = square.mean(axis=0)
    if len(at) > 4:
        square *= alpha + np.where(history[:, None] < mean, at[4], 0.0)
        start = (alpha + at[4] / 2 + beta) * start
    else:
        square *= alpha
        start = (alpha + beta) * start
    square += omega
    variances = np.empty_like(square)
    np.add(start, omega, out=variances[0])
    carried = np.empty_like(omega)
    for before, pushed, row in zip(variances[:-1], square[:-1], variances[1:], strict=True):
        np.multiply(before, beta, out=carried)
        np.add(pushed, carried, out=row)
    return variances, square[-1] + beta * variances[-1]


def _power(vector: Floats, history: Floats) -> float:
    found = likelihood(vector, history)
    residuals = (history - vector[0]) / np.sqrt(found.variances[:-1])
    residuals -= residuals.mean()
    kurtosis = float((residuals**4).mean()) / float((residuals**2).mean()) ** 2
    return min(1.0, 2 / (kurtosis - 1))


def _parameters(points: Floats) -> Floats:
    """Return parameters from the scale of the draws: log omega, and a fall's whole weight."""
    at = points.copy()
    at[1] = np.exp(points[1])
    if len(at) > 4:
        at[4] -= at[2]
    return at


def _weight(points: Floats) -> Floats:
    """Return the mean weight of a squared surprise, alpha + gamma / 2."""
    return np.asarray((points[2] + points[4]) / 2 if len(points) > 4 else points[2])


def _log_posterior(points: Floats, history: Floats, power: float, vector: Floats) -> Floats:
    allowed = (points[2:] >= 0).all(axis=0) & (points[3] + _weight(points) < MOST_PERSISTENCE)
    # what is not allowed is not computed: the maximum stands in its place
    here = np.where(allowed, points, _points(vector)[:, None])
    at = _parameters(here)
    variances, _ = filtered(at, history)
    ratio = np.square(history[:, None] - at[0])
    ratio /= variances
    ratio += np.log(variances)
    return np.where(allowed, -0.5 * power * ratio.sum(axis=0), -np.inf)


def _points(vector: Floats) -> Floats:
    point = vector.copy()
    point[1] = math.log(vector[1])
    if vector.size > 4:
        point[4] += point[2]
    return point


def _importance_sample(
    vector: Floats, history: Floats, draws: int, power: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return draws of the posterior and its logarithm at them, by resampling two proposals."""
    size, each = vector.size, 2 * draws
    centre = _points(vector)
    found = likelihood(vector, history)
    turn = np.eye(size)
    turn[1, 1] = vector[1]
    if size > 4:
        turn[4, 2] = -1.0
    scores = turn.T @ found.scores
    # a little knowledge of the scales keeps a flat likelihood's spread finite
    scales = np.array([math.sqrt(float(history.var())), 1.0, 0.1, 0.3, 0.1][:size])
    information = scores @ scores.T * power**2 + np.diag(1 / np.square(scales))
    root = np.linalg.cholesky(np.linalg.inv(information)) * 1.2
    normal = rng.standard_normal((size, each))
    near = centre[:, None] + root @ normal
    # the whole region: persistence evenly, the weight of surprises more often small than large
    persistence = rng.random(each) * _WIDEST
    weight = persistence * np.square(rng.random(each))
    spread = math.sqrt(float(history.var()) / history.size) * 1.5
    far = np.empty((size, each))
    far[0] = vector[0] + spread * rng.standard_normal(each)
    far[1] = np.log(history.var() * (1 - persistence)) + 0.4 * rng.standard_normal(each)
    far[3] = persistence - weight
    if size > 4:
        split = rng.random(each)
        far[2], far[4] = 2 * weight * split, 2 * weight * (1 - split)
    else:
        far[2] = weight
    both = np.concatenate([near, far], axis=1)
    logs = _log_posterior(both, history, power, vector)
    weighed = logs - _log_proposal(both, centre, root, float(history.var()), spread)
    weighed[~np.isfinite(weighed)] = -np.inf
    share = np.exp(weighed - weighed.max())
    # systematic resampling
    places = (rng.random() + np.arange(draws)) / draws * share.sum()
    kept = np.minimum(np.searchsorted(np.cumsum(share), places), both.shape[1] - 1)
    return both[:, kept], logs[kept]


def _log_proposal(
    points: Floats, centre: Floats, root: Floats, variance: float, spread: float
) -> Floats:
    """Return the log density of the two proposals together, up to a constant."""
    size = len(points)
    scaled = np.linalg.solve(root, points - centre[:, None])
    near = -0.5 * np.square(scaled).sum(axis=0) - math.log(abs(float(np.linalg.det(root))))
    near -= size / 2 * math.log(2 * math.pi)
    weight = np.maximum(_weight(points), 1e-12)
    persistence = np.clip(weight + points[3], 1e-12, 1.0)
    with np.errstate(divide="ignore"):
        target = np.log(variance * (1 - persistence))
    far = -0.5 * np.square((points[0] - centre[0]) / spread) - math.log(spread)
    far -= 0.5 * np.square((points[1] - target) / 0.4) + math.log(0.4) + math.log(2 * math.pi)
    far -= np.log(2 * np.sqrt(weight * persistence)) + math.log(_WIDEST)
    if size > 4:
        far -= np.log(4 * weight)
    outside = (points[2:] < 0).any(axis=0) | (persistence > _WIDEST) | np.isnan(far)
    return np.asarray(np.logaddexp(near, np.where(outside, -np.inf, far)))
