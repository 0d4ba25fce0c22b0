"""The exact interval of a probability."""

from __future__ import annotations

from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import share


def clopper_pearson(events: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return the exact two-sided interval of a probability (Clopper & Pearson 1934).

    Args:
        events: How often it happened, 0 to `trials`.
        trials: How often it could have, >= 1.
        confidence: Of the interval, in (0, 1).

    Raises:
        DataProblem: An argument is out of range.
    """
    # scipy.stats would give the same bits and take a second to import
    from scipy.special import betainccinv, betaincinv

    share(confidence, "confidence")
    if not 0 <= events <= trials or trials < 1:
        raise DataProblem(
            f"{events} events of {trials}", where="events", remedy="give 0 to all of the trials"
        )

    tail = (1 - confidence) / 2
    low = float(betaincinv(events, trials - events + 1, tail)) if events else 0.0
    high = float(betainccinv(events + 1, trials - events, tail)) if events < trials else 1.0
    return low, high
