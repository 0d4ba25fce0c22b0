"""How large a holding a profile makes of a strategy's target: one rule for the lab and for trading.

The lab judges the strategies by the holdings this rule gives them; whoever trades by another rule
trades something the lab has not judged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.errors import LabProblem
from oem_risk.limits.profile import RiskProfile

Floats = NDArray[np.float64]
_TINY = 1e-12


def sized_exposure(targets: ArrayLike, volatility: ArrayLike, profile: RiskProfile) -> Floats:
    """Return the exposure that targets come to under a profile, as multiples of equity.

    Each symbol is scaled to the volatility target (Moskowitz, Ooi, Pedersen 2012), at most to the
    leverage limit, then cut to the position limit; all together are cut to the leverage limit, and
    to the volatility target held against the sum of the symbols' volatilities: what they would have
    if all moved as one. A cut takes the same share from every symbol.

    Args:
        targets: (symbols, ...) targets in [-1, 1], each the sum of the strategies' targets times
            their shares of capital.
        volatility: (symbols,) annualised volatility of each, >= 0.
        profile: Whose limits hold.

    Returns:
        Signed exposure of the shape of `targets`.

    Raises:
        LabProblem: A number is not finite, a volatility negative, or there is not one for each
            symbol.

    Example:
        >>> from oem_risk import shipped_profile, sized_exposure
        >>> sized_exposure([1.0, -0.5], [0.8, 0.4], shipped_profile("balanced")).round(4).tolist()
        [0.1667, -0.1667]
    """
    wanted = np.asarray(targets, dtype=np.float64)
    sigma = np.asarray(volatility, dtype=np.float64)
    if wanted.ndim < 1 or sigma.shape != wanted.shape[:1] or not sigma.size:
        raise LabProblem(
            f"targets of shape {wanted.shape} and volatilities of shape {sigma.shape}",
            where="targets, volatility",
            remedy="give one volatility for each symbol",
        )
    if not np.isfinite(wanted).all() or not (np.isfinite(sigma) & (sigma >= 0)).all():
        raise LabProblem(
            "a target or a volatility is not a finite number, or a volatility is negative",
            where="targets, volatility",
            remedy="leave the symbol out until its history is long enough",
        )
    column = sigma.reshape(-1, *[1] * (wanted.ndim - 1))
    scale = np.minimum(profile.volatility_target / np.maximum(column, _TINY), profile.max_leverage)
    exposure = wanted * scale
    np.clip(exposure, -profile.max_position, profile.max_position, out=exposure)
    size = np.abs(exposure)
    gross = np.maximum(size.sum(axis=0), _TINY)
    together = np.maximum((size * column).sum(axis=0), _TINY)
    cut = np.minimum(profile.max_leverage / gross, profile.volatility_target / together)
    exposure *= np.minimum(cut, 1.0)
    return exposure


def order_parts(
    wanted: ArrayLike, held: ArrayLike, profile: RiskProfile, *, band: float = 0.0
) -> tuple[Floats, Floats]:
    """Return the way from what is held to what is wanted, in two parts: given up, and added.

    What reduces a holding is done at once; what adds is cut to `max_order`, and the rest follows
    with the next order. A change of less than `band` is noise and left alone, unless nothing is
    wanted any more or the holdings have drifted over the position or leverage limit.

    Args:
        wanted: (symbols, ...) exposure wanted, multiples of equity.
        held: The same shape, exposure held.
        profile: Whose largest order holds.
        band: Smallest change as a share of the larger of the two exposures, in [0, 1).

    Returns:
        `(reduced, added)`: what is left of `held` after giving up, and what is added to that; the
        order is `reduced + added - held`.

    Raises:
        LabProblem: A number is not finite, or the shapes differ.

    Example:
        >>> from oem_risk import order_parts, shipped_profile
        >>> reduced, added = order_parts([0.05, 0.34], [0.2, 0.0], shipped_profile("balanced"))
        >>> reduced.tolist(), added.tolist()
        ([0.05, 0.0], [0.0, 0.3])
    """
    target, now = np.asarray(wanted, dtype=np.float64), np.asarray(held, dtype=np.float64)
    if target.shape != now.shape or not target.ndim or not np.isfinite(target + now).all():
        raise LabProblem(
            f"wanted of shape {target.shape} and held of shape {now.shape} are not finite numbers "
            "for the same symbols",
            where="wanted, held",
            remedy="give one number of each for each symbol",
        )
    if band > 0:
        largest = np.maximum(np.abs(target), np.abs(now))
        noise = (np.abs(target - now) < band * largest) & (target != 0)
        # what has drifted over a limit is no noise
        noise &= np.abs(now) <= profile.max_position
        noise &= np.abs(now).sum(axis=0) <= profile.max_leverage
        target = np.where(noise, now, target)
    reduced = np.clip(target, np.minimum(now, 0.0), np.maximum(now, 0.0))
    return reduced, np.clip(target - reduced, -profile.max_order, profile.max_order)


def annualised_volatility(log_returns: ArrayLike, bars_per_year: float) -> Floats:
    """Return the standard deviation of log returns, annualised by the square root of time.

    Args:
        log_returns: (..., bars) returns of one bar each, at least 2.
        bars_per_year: Bars in a year.

    Returns:
        Shape (...,).

    Example:
        >>> from oem_risk import annualised_volatility
        >>> round(float(annualised_volatility([0.01, -0.01, 0.01, -0.01], 365.0)), 4)
        0.2206
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    if returns.ndim < 1 or returns.shape[-1] < 2 or not np.isfinite(returns).all():
        raise LabProblem(
            f"returns of shape {returns.shape}, or not all finite",
            where="log_returns",
            remedy="give at least 2 finite returns",
        )
    return np.asarray(returns.std(axis=-1, ddof=1) * np.sqrt(bars_per_year))
