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
from oem_risk.paths.garch_likelihood import (
    LEAST_OMEGA,
    curvature,
    decayed,
    likelihood,
    maximum,
)

LEAST_OBSERVATIONS = 100


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
    raw = varying(returns, least=LEAST_OBSERVATIONS)
    scale = float(raw.std())
    scaled = raw / scale
    count = 5 if asymmetric else 4
    centre = float(scaled.mean())
    starts = np.array([
        [centre, 1 - persistence, alpha - skew / 2, persistence - alpha, skew][:count]
        for persistence in (0.5, 0.8, 0.95, 0.99)
        for alpha in (0.03, 0.1, 0.2)
        for skew in ((0.0, alpha) if asymmetric else (0.0,))
    ])  # fmt: skip
    vector = maximum(scaled, starts, LEAST_OMEGA)
    if vector is None:
        raise DataProblem(
            "the likelihood has no maximum",
            where="returns",
            remedy="check the returns for outliers, or use a longer history",
        )
    found = likelihood(vector, scaled)
    errors = _robust_errors(vector, scaled, found.scores)
    units = np.array([scale, scale**2, 1.0, 1.0, 1.0])[:count]
    parameters = GarchParameters(*(vector * units).tolist())
    variances, following = filter_variances(parameters, raw)
    return GarchFit(
        parameters,
        GarchParameters(*(errors * units).tolist()),
        float(found.terms.sum()) - raw.size * math.log(scale),
        (raw - parameters.mean) / np.sqrt(variances),
        variances,
        following,
    )


def filter_variances(parameters: GarchParameters, returns: ArrayLike) -> tuple[Floats, float]:
    """Return the conditional variances of returns, and that of the step after the last."""
    p = parameters
    surprise = varying(returns) - p.mean
    square = surprise * surprise
    pushed = np.empty(surprise.size + 1)
    pushed[0] = p.omega + p.persistence * float(square.mean())
    pushed[1:] = p.omega + (p.alpha + p.gamma * (surprise < 0)) * square
    variances = decayed(pushed, p.beta)
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


def _robust_errors(vector: Floats, returns: Floats, scores: Floats) -> Floats:
    """Return sandwich standard errors; NaN-free: infinite where the curvature has no inverse."""
    try:
        bread = np.linalg.inv(curvature(vector, returns))
    except np.linalg.LinAlgError:
        return np.full(vector.size, math.inf)
    variance = np.diag(bread @ (scores @ scores.T) @ bread)
    sound = np.isfinite(variance) & (variance >= 0)
    return np.asarray(np.sqrt(np.where(sound, variance, math.inf)))
