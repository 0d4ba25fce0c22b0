"""Whether expected shortfall was forecast high enough: the three tests of Acerbi and Székely.

Source: Acerbi, Székely, "Backtesting expected shortfall", Risk (December 2014). Each statistic is
0 on average when the forecasts are right and negative when they are too low; its p-value is the
share of simulated histories, drawn from the forecasts themselves, that are at least as bad.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.backtests.forecast import Forecast
from oem_risk.backtests.result import TestResult
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import sample, share

Floats = NDArray[np.float64]
SIMULATIONS = 10_000
_BATCH = 500


def acerbi_szekely_z1(
    returns: ArrayLike,
    forecast: Forecast,
    level: float = 0.975,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> TestResult:
    """Test the size of the exceptions, given that there are some.

    `Z1 = sum(X_t I_t / ES_t) / N + 1` over the N exceptions I_t. It does not see too many
    exceptions: use it after value at risk has been accepted.

    Args:
        returns: (days,) gains positive.
        forecast: The distributions that were forecast.
        level: Of expected shortfall.
        simulations: Histories drawn for the p-value.
        seed: Of the simulation.

    Raises:
        DataProblem: No loss exceeded value at risk, or the lengths differ.
    """

    def statistic(gains: Floats, var: Floats, es: Floats) -> Floats:
        hits = gains < -var
        count = hits.sum(axis=-1)
        total = np.where(hits, gains / es, 0.0).sum(axis=-1)
        # a simulated history without exceptions says nothing against the forecasts
        return np.asarray(np.where(count, total / np.maximum(count, 1) + 1, np.inf))

    found = _simulated("Acerbi-Szekely Z1", returns, forecast, level, statistic, simulations, seed)
    if found.exceptions == 0:
        raise DataProblem(
            "no loss exceeded value at risk",
            where="returns",
            remedy="use Z2, which counts the exceptions too",
        )
    return found


def acerbi_szekely_z2(
    returns: ArrayLike,
    forecast: Forecast,
    level: float = 0.975,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> TestResult:
    """Test frequency and size of the exceptions at once.

    `Z2 = sum(X_t I_t / (T (1 - level) ES_t)) + 1`. Arguments are those of `acerbi_szekely_z1`.
    """
    tail = 1 - share(level, "level")

    def statistic(gains: Floats, var: Floats, es: Floats) -> Floats:
        hits = gains < -var
        total = np.where(hits, gains / es, 0.0).sum(axis=-1)
        return np.asarray(total / (gains.shape[-1] * tail) + 1)

    return _simulated("Acerbi-Szekely Z2", returns, forecast, level, statistic, simulations, seed)


def acerbi_szekely_z3(
    returns: ArrayLike,
    forecast: Forecast,
    level: float = 0.975,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> TestResult:
    """Test the whole tail by ranks, mapped back through each day's forecast.

    `Z3 = -mean(ES_N(P_t^-1(U)) / E[ES_N(P_t^-1(V))]) + 1` where U are the ranks of the returns and
    ES_N the mean of the `floor(T (1 - level))` worst. Arguments are those of `acerbi_szekely_z1`.
    """
    gains = _column(returns, forecast)
    days = gains.size
    worst = math.floor(round(days * (1 - share(level, "level")), 9))
    if worst < 1:
        raise DataProblem(
            f"{days} days hold no tail of {1 - level:g}",
            where="returns",
            remedy=f"test at least {math.ceil(1 / (1 - level))} days",
        )
    rng = np.random.default_rng(seed)
    expected = _expected_tail(forecast, days, worst)

    def statistic(lowest: Floats) -> Floats:
        # (rows, worst) smallest ranks, each seen through every day's forecast
        total = np.zeros(lowest.shape[0])
        for k in range(worst):
            column = np.broadcast_to(lowest[:, k : k + 1], (lowest.shape[0], days))
            total += (forecast.quantile(column) / expected).sum(axis=1)
        return np.asarray(-total / (worst * days) + 1)

    ranks = np.sort(forecast.probability(gains))[None, :worst]
    value = float(statistic(ranks)[0])
    lower = done = 0
    while done < simulations:
        rows = min(_BATCH, simulations - done)
        drawn = rng.random((rows, days))
        drawn = np.sort(np.partition(drawn, worst - 1, axis=1)[:, :worst], axis=1)
        lower += int((statistic(drawn) <= value).sum())
        done += rows
    return TestResult(
        "Acerbi-Szekely Z3", value, (lower + 1) / (simulations + 1),
        f"simulated, {simulations} histories", days, int((gains < -forecast.var(level)).sum()),
    )  # fmt: skip


def _expected_tail(forecast: Forecast, days: int, worst: int) -> Floats:
    """Return each day's mean of its `worst` smallest of `days` draws, by quadrature.

    The mean of the k smallest order statistics of uniforms has the density
    `days / k x P(Beta(k, days - k) >= p)`, so the mean gain is an integral of the quantile.
    """
    from scipy.special import betainc

    # equal steps of the weight's own distribution would need its inverse; the tail is short, so a
    # fine grid in sqrt(p) resolves both the singular quantile at 0 and the weight's fall
    points, weights = np.polynomial.legendre.leggauss(400)
    root = (points + 1) / 2
    probability = root**2
    density = (
        days / worst * (1 - betainc(worst, days - worst, probability))
        if days > worst
        else (np.ones_like(root))
    )
    measure = weights / 2 * 2 * root * density
    total = np.zeros(days)
    for p, w in zip(probability, measure, strict=True):
        if w > 1e-16:
            total += w * forecast.quantile(np.full(days, p))
    if (total >= 0).any():
        raise DataProblem(
            "a day's forecast has no loss in its tail",
            where="forecast",
            remedy="test a level at which every day can lose",
        )
    return total


def _simulated(
    name: str,
    returns: ArrayLike,
    forecast: Forecast,
    level: float,
    statistic: Callable[[Floats, Floats, Floats], Floats],
    simulations: int,
    seed: int,
) -> TestResult:
    gains = _column(returns, forecast)
    var, es = forecast.var(share(level, "level")), forecast.es(level)
    if (es <= 0).any():
        raise DataProblem(
            "an expected shortfall is not above 0",
            where=f"forecast, day {int(np.argmax(es <= 0))}",
            remedy="test a level at which every day can lose",
        )
    value = float(statistic(gains, var, es))
    rng = np.random.default_rng(seed)
    lower = done = 0
    while done < simulations:
        rows = min(_BATCH, simulations - done)
        drawn = forecast.quantile(rng.random((rows, gains.size)))
        lower += int((statistic(drawn, var, es) <= value).sum())
        done += rows
    return TestResult(
        name, value, (lower + 1) / (simulations + 1), f"simulated, {simulations} histories",
        gains.size, int((gains < -var).sum()),
    )  # fmt: skip


def _column(returns: ArrayLike, forecast: Forecast) -> Floats:
    gains = sample(returns)
    if gains.size != forecast.days:
        raise DataProblem(
            f"{gains.size} returns and forecasts of {forecast.days} days",
            where="forecast",
            remedy="forecast every day that is tested",
        )
    return gains
