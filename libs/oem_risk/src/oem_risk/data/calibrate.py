"""Generators fitted to a history, so that made-up bars move as the recorded ones did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.bars import Bars
from oem_risk.data.quality import require_usable
from oem_risk.data.quality_bars import check_bars, log_returns
from oem_risk.data.synthetic import SyntheticMarket, per_year, synthetic_bars
from oem_risk.errors import DataProblem
from oem_risk.paths.garch import GarchParameters, fit_garch

LEAST_RETURNS = 500
JUMP_DEVIATIONS = 4.0
_MOST_FOR_FIT = 2_000
_MOST_PERSISTENCE = 0.99
_LEAST_DIFFUSION = 0.2
_DAY_NS = 86_400 * 10**9


def calibrate(bars: Bars) -> SyntheticMarket:
    """Return the generator whose bars move like a history's.

    GARCH(1,1) is fitted to the newest 2,000 returns; those beyond four of its conditional
    deviations are jumps, which are cut to one deviation before it is fitted once more, its alpha
    bounded by the kurtosis that is left. Drift, volume and variance are those of the whole
    history: the long-run volatility is what jumps leave of it.

    Args:
        bars: At least 500 returns between adjacent bars; real or generated.

    Returns:
        The parameters; they start at the last close.

    Raises:
        DataProblem: The history is unusable, too short, constant, or moves more than the
            generator can (500 % a year).
    """
    require_usable([check_bars(bars)])
    returns, _ = log_returns(bars)
    if len(returns) < LEAST_RETURNS:
        raise DataProblem(
            f"{len(returns)} returns are too few to calibrate on",
            where=bars.source,
            remedy=f"give at least {LEAST_RETURNS} adjacent bars, or parameters of your own",
        )
    recent = returns[-_MOST_FOR_FIT:]
    first = fit_garch(recent)
    loud = np.abs(first.residuals) > JUMP_DEVIATIONS
    quiet = np.where(loud, np.sign(recent) * np.sqrt(first.variances), recent)
    calm = fit_garch(quiet) if loud.any() else first
    # held against a variance that no jump has raised, more of them stand out
    loud = np.abs(recent - calm.parameters.mean) > JUMP_DEVIATIONS * np.sqrt(calm.variances)
    alpha, beta = _with_moments(calm.parameters, recent[~loud])
    rate = float(loud.mean())
    excess = (recent**2 - calm.variances)[loud]
    jump_variance = max(0.0, float(excess.mean())) if loud.any() else 0.0
    whole = float(returns.var(ddof=1))
    long_run = max(whole - rate * jump_variance, _LEAST_DIFFUSION * whole)
    yearly = per_year(bars.timeframe)
    volatility = float(np.sqrt(long_run * yearly))
    if not 0 < volatility <= 5:
        raise DataProblem(
            f"the history moves by {volatility:.0%} a year",
            where=bars.source,
            remedy="check its unit and its jumps; the generator goes up to 500 %",
        )
    return SyntheticMarket(
        start_price=float(bars.close[-1]),
        annual_volatility=volatility,
        annual_drift=float(returns.mean() * yearly),
        alpha=alpha,
        beta=beta,
        jumps_per_year=rate * yearly,
        jump_volatility=float(np.sqrt(jump_variance)),
        jumps_excite=False,
        daily_volume=max(float(bars.volume.mean()) * _DAY_NS / bars.interval_ns, 1e-9),
    )


def synthetic_like(bars: Bars, *, count: int, seed: int) -> Bars:
    """Return generated bars that go on where a history ends and move as it did.

    They carry the mark of synthetic data, and their source names the history.

    Args:
        bars: The history.
        count: How many bars, >= 1.
        seed: Root seed, >= 0.

    Raises:
        DataProblem: See `calibrate` and `synthetic_bars`.
    """
    return synthetic_bars(
        bars.symbol,
        calibrate(bars),
        timeframe=bars.timeframe,
        bars=count,
        seed=seed,
        start_ns=int(bars.open_ns[-1]) + bars.interval_ns,
        calibrated_to=f"{bars.source}, sha384 {bars.sha384[:32]}",
    )


def _with_moments(fitted: GarchParameters, returns: NDArray[np.float64]) -> tuple[float, float]:
    """Keep the fitted persistence and let the kurtosis of the returns bound alpha.

    A likelihood of normal steps explains fat tails by an alpha so high that the fourth moment is
    infinite. With `p = alpha + beta` the kurtosis is `3 (1 - p^2) / (1 - p^2 - 2 alpha^2)`
    (Bollerslev 1986), which is solved for alpha.
    """
    persistence = float(np.clip(fitted.alpha + fitted.beta, 0.0, _MOST_PERSISTENCE))
    centred = returns - returns.mean()
    kurtosis = float(np.mean(centred**4) / np.mean(centred**2) ** 2)
    room = max(0.0, (1 - persistence**2) * (1 - 3 / kurtosis) / 2)
    alpha = min(max(fitted.alpha, 0.0), float(np.sqrt(room)), persistence)
    return alpha, persistence - alpha
