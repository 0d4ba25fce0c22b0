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
