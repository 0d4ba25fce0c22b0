"""The exact interval of a probability."""

from __future__ import annotations


def clopper_pearson(events: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return the exact two-sided interval of a probability (Clopper & Pearson 1934)."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, events, trials - events + 1)) if events else 0.0
    high = float(beta.isf(tail, events + 1, trials - events)) if events < trials else 1.0
    return low, high
