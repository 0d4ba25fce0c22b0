"""Volatility that clusters: GARCH(1,1) and GJR, fitted, and paths by filtered history.

    e_t = r_t - mu,  h_t = omega + (alpha + gamma 1[e_(t-1) < 0]) e_(t-1)^2 + beta h_(t-1)

The recursion starts from the mean of the squared residuals, as in the benchmark of Fiorentini,
Calzolari, Panattoni (J. Applied Econometrics 11, 1996). Sources: Bollerslev (1986); Glosten,
Jagannathan, Runkle (1993); Barone-Adesi, Giannopoulos, Vosper (1999), the filtered paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import varying
from oem_risk.paths.blocks import Floats

LEAST_OBSERVATIONS = 100
_OUTSIDE = 1e10


@dataclass(frozen=True, slots=True)
class GarchParameters:
    """Parameters in the unit of the returns.

    Attributes:
        mean: mu.
        omega: Above 0; alpha and beta at least 0.
        alpha: Weight of the last squared surprise.
        beta: Weight of the last variance.
        gamma: Further weight of a negative surprise; 0 is plain GARCH.
    """

    mean: float
    omega: float
    alpha: float
    beta: float
    gamma: float = 0.0

    @property
    def persistence(self) -> float:
        """Share of a shock to the variance that is left a step later."""
        return self.alpha + self.gamma / 2 + self.beta

    @property
    def variance(self) -> float:
        """The variance in the long run; infinite where shocks do not fade."""
        return self.omega / (1 - self.persistence) if self.persistence < 1 else math.inf


@dataclass(frozen=True, slots=True)
class GarchFit:
    """A model fitted by (quasi) maximum likelihood.

    Attributes:
        parameters: The estimates.
        errors: Their robust standard errors (Bollerslev, Wooldridge 1992).
        log_likelihood: Normal log-likelihood at the estimates.
        residuals: (n,) standardised residuals `e_t / sqrt(h_t)`.
        variances: (n,) conditional variances.
        next_variance: Variance of the step after the last.
    """

    parameters: GarchParameters
    errors: GarchParameters
    log_likelihood: float
    residuals: Floats = field(repr=False)
    variances: Floats = field(repr=False)
    next_variance: float


def fit_garch(returns: ArrayLike, *, asymmetric: bool = False) -> GarchFit:
    """Fit GARCH(1,1), or GJR when `asymmetric`.

    Args:
        returns: (n,) returns, at least 100.
        asymmetric: Whether falls may raise the volatility more than rises do.

    Raises:
        DataProblem: Too few, constant or not finite returns, or a likelihood without a maximum.
    """
    from scipy.optimize import minimize

    raw = varying(returns, least=LEAST_OBSERVATIONS)
    scale = float(raw.std())
    scaled = raw / scale
    count = 5 if asymmetric else 4

    def negative(vector: Floats) -> float:
        terms = _log_likelihoods(vector, scaled)
        return _OUTSIDE if terms is None else -float(terms.sum())

    best = None
    for alpha, beta in ((0.05, 0.9), (0.1, 0.8), (0.2, 0.6)):
        start = np.array([float(scaled.mean()), 1 - alpha - beta, alpha, beta, 0.0][:count])
        found = minimize(
            negative, start, method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 5_000, "adaptive": True},
        )  # fmt: skip
        if best is None or found.fun < best.fun:
            best = found
    if best is None or best.fun >= _OUTSIDE:
        raise DataProblem(
            "the likelihood has no maximum",
            where="returns",
            remedy="check the returns for outliers, or use a longer history",
        )
    vector = _polished(np.asarray(best.x, dtype=np.float64), scaled)
    likelihood = -negative(vector)
    errors = _robust_errors(vector, scaled)
    units = np.array([scale, scale**2, 1.0, 1.0, 1.0])[:count]
    parameters = GarchParameters(*(vector * units).tolist())
    variances, following = filter_variances(parameters, raw)
    return GarchFit(
        parameters,
        GarchParameters(*(errors * units).tolist()),
        likelihood - raw.size * math.log(scale),
        (raw - parameters.mean) / np.sqrt(variances),
        variances,
        following,
    )


def filter_variances(parameters: GarchParameters, returns: ArrayLike) -> tuple[Floats, float]:
    """Return the conditional variances of returns, and that of the step after the last."""
    column = varying(returns)
    square = (column - parameters.mean) ** 2
    start = float(square.mean())
    pushed = _pushes(parameters, column - parameters.mean, square)
    variances = _recursion(parameters, pushed, start)
    return variances[:-1], float(variances[-1])


@dataclass(frozen=True, slots=True)
class FilteredHistoryModel:
    """Paths whose shocks are drawn from a fit's residuals and whose volatility follows the fit.

    Attributes:
        parameters: Of the fitted model, for log returns.
        residuals: (n,) standardised residuals.
        start_variance: Variance of the first step.
    """

    stepwise: ClassVar[bool] = True

    parameters: GarchParameters
    residuals: Floats
    start_variance: float

    @classmethod
    def of(cls, fit: GarchFit) -> FilteredHistoryModel:
        """Return the model that goes on where the fitted history ends."""
        return cls(fit.parameters, fit.residuals, fit.next_variance)

    def log_returns(self, rng: np.random.Generator, paths: int, steps: int) -> Floats:
        p = self.parameters
        # steps first: each step is one contiguous row
        shocks = self.residuals[rng.integers(0, self.residuals.size, (steps, paths))]
        variance = np.full(paths, self.start_variance)
        for shock in shocks:
            shock *= np.sqrt(variance)
            square = shock * shock
            weight = p.alpha + np.where(shock < 0, p.gamma, 0.0) if p.gamma else p.alpha
            variance = p.omega + weight * square + p.beta * variance
            shock += p.mean
        return np.ascontiguousarray(shocks.T)


def _pushes(parameters: GarchParameters, surprise: Floats, square: Floats) -> Floats:
    weight = parameters.alpha + np.where(surprise < 0, parameters.gamma, 0.0)
    start = (parameters.alpha + parameters.gamma / 2) * float(square.mean())
    return np.concatenate([[start], weight * square])


def _recursion(parameters: GarchParameters, pushed: Floats, start: float) -> Floats:
    from scipy.signal import lfilter

    beta = parameters.beta
    found, _ = lfilter([1.0], [1.0, -beta], parameters.omega + pushed, zi=[beta * start])
    return np.asarray(found, dtype=np.float64)


def _log_likelihoods(vector: Floats, returns: Floats) -> Floats | None:
    """Return each observation's log-likelihood, None where the parameters are not allowed."""
    parameters = GarchParameters(*vector.tolist())
    if (
        parameters.omega <= 0
        or min(parameters.alpha, parameters.beta, parameters.alpha + parameters.gamma) < 0
        or parameters.persistence >= 1
    ):
        return None
    surprise = returns - parameters.mean
    square = surprise * surprise
    start = float(square.mean())
    variances = _recursion(parameters, _pushes(parameters, surprise, square), start)[:-1]
    return np.asarray(-0.5 * (math.log(2 * math.pi) + np.log(variances) + square / variances))


def _polished(vector: Floats, returns: Floats) -> Floats:
    """Return the maximum by a few Newton steps: the simplex stops some digits short of it."""
    for _ in range(8):
        gradient, curvature = _derivatives(vector, returns)
        if gradient is None or curvature is None:
            return vector
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError:
            return vector
        before = _log_likelihoods(vector, returns)
        size = 1.0
        while size > 1e-3:
            after = _log_likelihoods(vector - size * step, returns)
            if before is not None and after is not None and after.sum() >= before.sum() - 1e-12:
                break
            size /= 2
        else:
            return vector
        vector = vector - size * step
        if float(np.abs(size * step).max()) < 1e-10:
            break
    return vector


def _derivatives(vector: Floats, returns: Floats) -> tuple[Floats | None, Floats | None]:
    count = vector.size
    step = 1e-4 * np.maximum(np.abs(vector), 1e-2)
    moves = np.diag(step)

    def at(shift: Floats) -> float:
        terms = _log_likelihoods(vector + shift, returns)
        return math.nan if terms is None else float(terms.sum())

    middle = at(np.zeros(count))
    gradient = np.array([(at(m) - at(-m)) / (2 * h) for m, h in zip(moves, step, strict=True)])
    curvature = np.empty((count, count))
    for i in range(count):
        for j in range(i, count):
            if i == j:
                value = (at(moves[i]) - 2 * middle + at(-moves[i])) / step[i] ** 2
            else:
                value = (
                    at(moves[i] + moves[j]) - at(moves[i] - moves[j])
                    - at(moves[j] - moves[i]) + at(-moves[i] - moves[j])
                ) / (4 * step[i] * step[j])  # fmt: skip
            curvature[i, j] = curvature[j, i] = value
    sound = np.isfinite(gradient).all() and np.isfinite(curvature).all()
    return (gradient, curvature) if sound else (None, None)


def _robust_errors(vector: Floats, returns: Floats) -> Floats:
    """Return sandwich standard errors; NaN-free: infinite at the edge of the allowed region."""
    step = 1e-5 * np.maximum(np.abs(vector), 1e-2)
    scores = []
    for move, h in zip(np.diag(step), step, strict=True):
        up, down = (_log_likelihoods(vector + sign * move, returns) for sign in (1, -1))
        if up is None or down is None:
            return np.full(vector.size, math.inf)
        scores.append((up - down) / (2 * h))
    table = np.stack(scores)
    _, curvature = _derivatives(vector, returns)
    if curvature is None:
        return np.full(vector.size, math.inf)
    try:
        bread = np.linalg.inv(curvature)
    except np.linalg.LinAlgError:
        return np.full(vector.size, math.inf)
    variance = np.diag(bread @ (table @ table.T) @ bread)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))
