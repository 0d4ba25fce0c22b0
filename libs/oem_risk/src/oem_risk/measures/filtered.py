"""Value at risk and expected shortfall of tomorrow: today's volatility, history's surprises.

Source: Barone-Adesi, Giannopoulos, Vosper, "VaR without correlations for portfolios of derivative
securities", J. Futures Markets 19 (1999).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, sample, share
from oem_risk.measures.tail import historical_es, historical_var
from oem_risk.paths.garch import LEAST_OBSERVATIONS, GarchFit, filter_variances, fit_garch


def filtered_var(
    returns: ArrayLike, level: float = 0.99, confidence: float = 0.95, *, asymmetric: bool = True
) -> Estimate:
    """Return value at risk of the next step by filtered historical simulation.

    The interval is that of the residuals' quantile; the fit of the volatility is taken as given.

    Args:
        returns: (n,) returns in order, at least 100.
        level: In (0, 1).
        confidence: Of the interval.
        asymmetric: GJR instead of GARCH(1,1).
    """
    share(level, "level")
    share(confidence, "confidence")
    fit = fit_garch(returns, asymmetric=asymmetric)
    return _scaled(historical_var(fit.residuals, level, confidence), fit)


def filtered_es(
    returns: ArrayLike, level: float = 0.99, confidence: float = 0.95, *, asymmetric: bool = True
) -> Estimate:
    """Return expected shortfall of the next step by filtered historical simulation."""
    share(level, "level")
    share(confidence, "confidence")
    fit = fit_garch(returns, asymmetric=asymmetric)
    return _scaled(historical_es(fit.residuals, level, confidence), fit)


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


def _scaled(found: Estimate, fit: GarchFit) -> Estimate:
    spread, mean = float(np.sqrt(fit.next_variance)), fit.parameters.mean
    return replace(
        found,
        value=found.value * spread - mean,
        low=found.low * spread - mean,
        high=found.high * spread - mean,
        convention=f"{found.convention}; of the next step, filtered by GARCH",
    )
