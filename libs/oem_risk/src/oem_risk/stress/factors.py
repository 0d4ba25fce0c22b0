"""How symbols move with common factors: the model, fitted to returns or to bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.data.bars import Bars, common_times
from oem_risk.data.quality import require_usable
from oem_risk.data.quality_bars import check_bars
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import varying

Floats = NDArray[np.float64]
LEAST_OBSERVATIONS = 60
MARKET, ALT = "market", "alt"
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class FactorModel:
    """How symbols move with factors, a day at a time: `r = beta f + e` in log returns.

    Attributes:
        factors: Names of the factors.
        symbols: Names of the symbols.
        betas: (symbols, factors).
        covariance: (factors, factors) of daily factor returns.
        residual: (symbols,) standard deviation of what the factors do not explain.
        volatility: (symbols,) standard deviation of the daily returns.
        observations: Days it was fitted on.
        history: (days, factors) the factors' returns.
    """

    factors: tuple[str, ...]
    symbols: tuple[str, ...]
    betas: Floats
    covariance: Floats
    residual: Floats
    volatility: Floats
    observations: int
    history: Floats

    def moves(self, factor_returns: ArrayLike) -> Floats:
        """Return the simple return of each symbol, shape (symbols,), for log factor returns."""
        return np.expm1(self.betas @ np.asarray(factor_returns, dtype=np.float64))


def fit_factors(factors: Mapping[str, ArrayLike], returns: Mapping[str, ArrayLike]) -> FactorModel:
    """Fit betas by least squares without a constant mean move.

    Args:
        factors: Name to (days,) log returns of the factor.
        returns: Symbol to (days,) log returns, of the same days.

    Raises:
        DataProblem: Fewer than 60 days, columns of different length, constant or not finite ones,
            or factors that repeat each other.
    """
    if not factors or not returns:
        raise DataProblem(
            "there is no factor or no symbol", where="factors", remedy="give at least one of each"
        )
    columns = [varying(c, f"factor {n}", least=LEAST_OBSERVATIONS) for n, c in factors.items()]
    assets = [varying(c, n, least=LEAST_OBSERVATIONS) for n, c in returns.items()]
    lengths = {len(column) for column in (*columns, *assets)}
    if len(lengths) > 1:
        raise DataProblem(
            f"the columns have {', '.join(map(str, sorted(lengths)))} days",
            where="factors, returns",
            remedy="cut them to the same days",
        )
    matrix = np.stack(columns, axis=1)
    demeaned = matrix - matrix.mean(axis=0)
    if np.linalg.matrix_rank(demeaned) < len(columns):
        raise DataProblem(
            "a factor is a combination of the others",
            where=", ".join(factors),
            remedy="leave it out",
        )
    table = np.stack(assets, axis=1)
    solved, _, _, _ = np.linalg.lstsq(demeaned, table - table.mean(axis=0), rcond=None)
    rest = table - table.mean(axis=0) - demeaned @ solved
    return FactorModel(
        factors=tuple(factors),
        symbols=tuple(returns),
        betas=solved.T.copy(),
        covariance=np.atleast_2d(np.cov(matrix, rowvar=False)),
        residual=rest.std(axis=0, ddof=len(columns) + 1),
        volatility=table.std(axis=0, ddof=1),
        observations=len(matrix),
        history=matrix,
    )


def market_factors(bars: Sequence[Bars]) -> FactorModel:
    """Fit the factors `market` and `alt` on the daily closes of several symbols.

    `market` is the first symbol's daily return. `alt`, where there are others, is the mean of what
    their returns do beyond their share in the market.

    Args:
        bars: Bars of a day or less; the first symbol leads the market.

    Raises:
        DataProblem: Unusable bars, no common days, or fewer than 61 of them.
    """
    if not bars:
        raise DataProblem("there are no bars", where="bars", remedy="give the market leader first")
    require_usable(check_bars(series) for series in bars)
    daily = common_times([_daily(series) for series in bars])
    returns = {b.symbol: np.diff(np.log(b.close)) for b in daily}
    names = list(returns)
    market = varying(returns[names[0]], names[0], least=LEAST_OBSERVATIONS)
    factors = {MARKET: market}
    if len(names) > 1:
        deviations = market - market.mean()
        share = [float(returns[n] @ deviations / (deviations @ deviations)) for n in names[1:]]
        rest = [returns[n] - b * market for n, b in zip(names[1:], share, strict=True)]
        factors[ALT] = np.mean(rest, axis=0)
    return fit_factors(factors, returns)


def _daily(bars: Bars) -> Bars:
    """The last bar of each whole UTC day."""
    if bars.timeframe == "1d":
        return bars
    days = bars.open_ns // _DAY_NS
    last = np.flatnonzero(np.diff(days, append=days[-1] + 1))
    ends = (bars.open_ns[last] + bars.interval_ns) % _DAY_NS == 0
    rows = last[ends]
    if len(rows) == 0:
        raise DataProblem(
            "no day is whole", where=bars.source, remedy="give bars of at least some weeks"
        )
    return replace(bars.take(rows), open_ns=days[rows] * _DAY_NS, timeframe="1d")
