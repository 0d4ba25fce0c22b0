"""What a measure returns, and what every measure demands of its input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oem_risk.errors import DataProblem

Floats = NDArray[np.float64]
RESAMPLES = 2_000
_BCA_UP_TO = 4_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number with its confidence interval.

    Attributes:
        value: The point estimate.
        low: Lower end of the interval; -inf where the data bound nothing.
        high: Upper end of the interval; inf where the data bound nothing.
        confidence: Confidence of the interval, in (0, 1).
        method: How the interval was made.
        convention: What exactly the number is, with its sign and unit.
        observations: Size of the sample.
    """

    value: float
    low: float
    high: float
    confidence: float
    method: str
    convention: str
    observations: int

    def as_json(self) -> dict[str, object]:
        """Return JSON-ready values; an open end of the interval is null."""
        return {
            "value": self.value,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "confidence": self.confidence,
            "method": self.method,
            "convention": self.convention,
            "observations": self.observations,
        }


def sample(values: ArrayLike, name: str = "returns", *, least: int = 2) -> Floats:
    """Return a column of finite numbers.

    Raises:
        DataProblem: It is empty, too short, not one column, or holds NaN or infinities; the error
            names the row.
    """
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataProblem(
            f"{name} is not a column of numbers", where=name, remedy="give one column of numbers"
        ) from None
    if column.ndim != 1:
        raise DataProblem(
            f"{name} has {column.ndim} dimensions", where=name, remedy="give one column"
        )
    if column.size < least:
        raise DataProblem(
            f"{name} has {column.size} values",
            where=name,
            remedy=f"give at least {least}",
        )
    wrong = ~np.isfinite(column)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataProblem(
            f"{name} is {column[row]}",
            where=f"{name}, row {row}",
            remedy="mend or leave out the row before measuring; nothing is dropped silently",
        )
    return column


def varying(values: ArrayLike, name: str = "returns", *, least: int = 2) -> Floats:
    """Return a column as `sample` does, and refuse one that never changes."""
    column = sample(values, name, least=least)
    if float(np.ptp(column)) == 0.0:
        raise DataProblem(
            f"{name} is constant at {column[0]}",
            where=name,
            remedy="check the source: a frozen price has no risk to measure",
        )
    return column


def share(value: float, name: str) -> float:
    """Return a share strictly between 0 and 1.

    Raises:
        DataProblem: It is not.
    """
    if not 0.0 < value < 1.0:  # also refuses nan
        raise DataProblem(
            f"{name} is {value}", where=name, remedy="give a number between 0 and 1, such as 0.99"
        )
    return value


def finite(value: float, name: str, *, above: float = -math.inf) -> float:
    """Return a finite number greater than `above`.

    Raises:
        DataProblem: It is not.
    """
    if not above < value < math.inf:  # also refuses nan
        bound = "" if above == -math.inf else f" above {above:g}"
        raise DataProblem(f"{name} is {value}", where=name, remedy=f"give a finite number{bound}")
    return value


def bootstrap_estimate(
    returns: ArrayLike,
    statistic: Callable[..., Floats],
    confidence: float = 0.95,
    *,
    convention: str,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Return a measure of your own with a bootstrap interval, bias-corrected and accelerated.

    For smooth functions of a sample's bulk, such as a mean, a spread or a median (Efron 1987). For
    tails prefer the measures of this package: BCa intervals of shortfalls are too short. Above
    4,000 observations it is the percentile interval: the correction is then far below the
    interval's width, and its jackknife would cost the square of the sample.

    Args:
        returns: (n,) exchangeable rows, any unit, at least ten.
        statistic: Function of an array along its keyword `axis`, such as `numpy.median`.
        confidence: Of the interval, in (0, 1).
        convention: What the number is, with its sign and unit.
        rng: Source of the resamples; None is a fixed seed, so that a report can be made again.

    Raises:
        DataProblem: The sample is short, constant or not finite, or cannot bound the measure.

    Example:
        >>> found = bootstrap_estimate(range(1, 101), np.median, convention="median")
        >>> found.value, found.method
        (50.5, 'bootstrap BCa')
        >>> 38 < found.low < found.value < found.high < 63
        True
    """
    from scipy.stats import bootstrap

    column = varying(returns, least=10)
    share(confidence, "confidence")
    small = column.size <= _BCA_UP_TO
    method: Literal["BCa", "percentile"] = "BCa" if small else "percentile"
    found = bootstrap(
        (column,),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, 4_000_000 // column.size),
        confidence_level=confidence,
        method=method,
        vectorized=True,
        rng=rng or np.random.default_rng(0),
    ).confidence_interval
    low, high = float(found.low), float(found.high)
    if math.isnan(low) or math.isnan(high):
        raise DataProblem(
            "the bootstrap cannot bound this measure: too few different observations",
            where="returns",
            remedy="use a longer sample or a lower level",
        )
    value = float(statistic(column, axis=-1))
    return Estimate(value, low, high, confidence, f"bootstrap {method}", convention, column.size)
