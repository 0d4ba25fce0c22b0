"""Value at risk and expected shortfall of tomorrow: today's volatility, history's surprises.

Source: Barone-Adesi, Giannopoulos, Vosper, "VaR without correlations for portfolios of derivative
securities", J. Futures Markets 19 (1999).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, sample, share
from oem_risk.measures.tail import ES_CONVENTION, historical_var, tail_count
from oem_risk.measures.tail_bootstrap import (
    SmoothTail,
    ranks_needed,
    studentised_draws,
    tail_error,
    tail_mean,
)
from oem_risk.paths.garch import LEAST_OBSERVATIONS, GarchFit, filter_variances, fit_garch
from oem_risk.paths.garch_posterior import filtered, parameter_draws

DRAWS = 1_000
_LEAST_DRAWS = 50


def filtered_var(
    returns: ArrayLike,
    level: float = 0.99,
    confidence: float = 0.95,
    *,
    asymmetric: bool = True,
    draws: int = DRAWS,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Return value at risk of the next step by filtered historical simulation.

    The interval is for the loss of the next step given the history: the fit's parameters are drawn
    from their quasi-likelihood (`oem_risk.paths.garch_posterior`), each draw filters the history
    anew, and the quantile of its residuals is drawn between the order statistics that enclose it.

    Args:
        returns: (n,) returns in order, at least 100.
        level: In (0, 1).
        confidence: Of the interval.
        asymmetric: GJR instead of GARCH(1,1).
        draws: Of the parameters, at least 50; cost and smoothness of the interval.
        rng: Source of the draws; None is a fixed seed.
    """
    share(level, "level")
    share(confidence, "confidence")
    fit, drawn = _drawn(returns, level, asymmetric, draws, rng)
    centre = historical_var(fit.residuals, level, confidence)
    return _next_step(centre, fit, drawn.var(), confidence)


def filtered_es(
    returns: ArrayLike,
    level: float = 0.99,
    confidence: float = 0.95,
    *,
    asymmetric: bool = True,
    draws: int = DRAWS,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Return expected shortfall of the next step by filtered historical simulation.

    Arguments are those of `filtered_var`; so is the interval, but that each draw of the parameters
    takes the error of its residuals' tail mean from `historical_es`'s studentised bootstrap.
    """
    share(level, "level")
    share(confidence, "confidence")
    fit, drawn = _drawn(returns, level, asymmetric, draws, rng)
    losses = np.sort(-fit.residuals)[::-1]
    value = float(tail_mean(losses, drawn.count))
    centre = Estimate(
        value, value, value, confidence, "", ES_CONVENTION.format(tail=1 - level), losses.size
    )
    return _next_step(centre, fit, drawn.es(), confidence)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What the residuals' tails are under each draw of the parameters.

    Attributes:
        largest: (draws, ranks) standardised losses, largest first.
        spread: (draws,) deviation of the next step.
        mean: (draws,) mean of the next step.
        tail: The fitted residuals' losses with a smooth tail.
        count: n (1 - level).
        rng: Source of the tails' errors.
    """

    largest: Floats
    spread: Floats
    mean: Floats
    tail: SmoothTail
    count: float
    rng: np.random.Generator

    def var(self) -> Floats:
        """Return a draw of value at risk under each draw of the parameters."""
        n, rows = self.tail.losses.size, np.arange(self.mean.size)
        share = self.count / n
        # as many losses are beyond the quantile as a binomial number says: it lies between two
        beyond = np.minimum(self.rng.binomial(n, share, rows.size), self.largest.shape[1] - 1)
        between = self.rng.random(rows.size)
        below = self.largest[rows, beyond]
        above = self.largest[rows, np.maximum(beyond - 1, 0)]
        # where it is beyond them all, by the smooth tail from the largest on
        most = 1 - (1 - share) * between ** (1 / n)
        shape, top = self.tail.shape, self.largest[:, 0]
        scale = self.tail.scale + shape * max(self.tail.losses[0] - self.tail.threshold, 0.0)
        far = top + scale / shape * ((share / most) ** -shape - 1)
        quantile = np.where(beyond > 0, below + between * (above - below), far)
        return np.asarray(self.spread * quantile - self.mean)

    def es(self) -> Floats:
        """Return a draw of expected shortfall under each draw of the parameters."""
        share = self.count / self.tail.losses.size
        errors = studentised_draws(self.tail, self.count, self.rng, self.mean.size)
        mean = tail_mean(self.largest, self.count)
        return np.asarray(
            self.spread * (mean - errors * tail_error(self.largest, self.count, share)) - self.mean
        )


@dataclass(frozen=True, slots=True)
class RollingForecast:
    """Forecasts made each day from the days before it only.

    Attributes:
        first: Index of the first day forecast.
        var: (days,) value at risk, positive is a loss.
        es: (days,) expected shortfall.
        returns: (days,) what came.
    """

    first: int
    var: Floats = field(repr=False)
    es: Floats = field(repr=False)
    returns: Floats = field(repr=False)


def rolling_filtered(
    returns: ArrayLike,
    level: float = 0.99,
    *,
    window: int = 1_000,
    refit_every: int = 50,
    asymmetric: bool = True,
) -> RollingForecast:
    """Return filtered value at risk and expected shortfall for every day after a first window.

    The model is fitted again every `refit_every` days to the last `window`; in between its
    variances and residuals go on with each day.

    Raises:
        DataProblem: The window is longer than the history, or too short to fit.
    """
    history = sample(returns, least=LEAST_OBSERVATIONS)
    share(level, "level")
    if not LEAST_OBSERVATIONS <= window < history.size or refit_every < 1:
        raise DataProblem(
            f"a window of {window} in a history of {history.size}",
            where="window",
            remedy=f"give at least {LEAST_OBSERVATIONS} and less than the history",
        )
    var, es = [], []
    for start in range(window, history.size, refit_every):
        fit = fit_garch(history[start - window : start], asymmetric=asymmetric)
        for day in range(start, min(start + refit_every, history.size)):
            known = history[start - window : day]
            variances, following = filter_variances(fit.parameters, known)
            residuals = (known - fit.parameters.mean) / np.sqrt(variances)
            losses = np.sort(-residuals)[::-1]
            spread = float(np.sqrt(following))
            count = residuals.size * (1 - level)
            whole = int(np.floor(round(count, 9)))
            mean_worst = (losses[:whole].sum() + (count - whole) * losses[whole]) / count
            var.append(spread * float(losses[whole]) - fit.parameters.mean)
            es.append(spread * float(mean_worst) - fit.parameters.mean)
    return RollingForecast(window, np.array(var), np.array(es), history[window:])


def _drawn(
    returns: ArrayLike,
    level: float,
    asymmetric: bool,
    draws: int,
    rng: np.random.Generator | None,
) -> tuple[GarchFit, _Drawn]:
    fit = fit_garch(returns, asymmetric=asymmetric)
    if draws < _LEAST_DRAWS:
        raise DataProblem(
            f"draws is {draws}", where="draws", remedy=f"give at least {_LEAST_DRAWS}"
        )
    source = rng or np.random.default_rng(0)
    history = np.asarray(returns, dtype=np.float64)
    n, count = history.size, tail_count(history.size, level)
    # in units of the sample's deviation, as the fit itself was made
    unit = float(history.std())
    p = fit.parameters
    vector = np.array([p.mean / unit, p.omega / unit**2, p.alpha, p.beta, p.gamma])
    vector = vector[: 5 if asymmetric else 4]
    at = parameter_draws(vector, history / unit, draws, source)
    variances, following = filtered(at, history / unit)
    losses = (at[0] - (history / unit)[:, None]) / np.sqrt(variances)
    ranks = min(n, ranks_needed(count, n) + math.ceil(6 * math.sqrt(count)) + 6)
    largest = -np.sort(-np.partition(losses, n - ranks, axis=0)[n - ranks :], axis=0).T
    tail = SmoothTail.of(np.sort(-fit.residuals)[::-1], count)
    return fit, _Drawn(
        np.ascontiguousarray(largest), unit * np.sqrt(following), unit * at[0], tail, count, source
    )


def _next_step(found: Estimate, fit: GarchFit, drawn: Floats, confidence: float) -> Estimate:
    value = found.value * math.sqrt(fit.next_variance) - fit.parameters.mean
    rest = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(drawn, [rest, 1 - rest]))
    return replace(
        found,
        value=value,
        low=min(low, value),
        high=max(high, value),
        method=f"{drawn.size} draws of the parameters and of the residuals' tail",
        convention=f"{found.convention}; of the next step, filtered by GARCH",
    )
