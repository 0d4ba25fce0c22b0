"""Means over simulated paths, with less noise where that is valid.

Source: Glasserman, "Monte Carlo Methods in Financial Engineering" (2003), 4.1 and 4.2.

Antithetic pairs are valid for models whose noise is symmetric (`GbmModel`, `JointGbm`), and help
when the quantity rises or falls with the price; a bootstrap has no mirror image. A control variate
is valid wherever its mean is known without simulation: the price of a Gaussian or jump model, whose
expectation is `exp(drift T)`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oem_risk.distributions import student_quantile
from oem_risk.errors import DataProblem
from oem_risk.measures.estimate import Estimate, Floats, finite, sample, share
from oem_risk.paths.gbm import controlled_mean


def simulated_mean(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the mean over independent paths with its interval by Student's t.

    Args:
        values: (paths,) quantity of each path.
        confidence: Of the interval.
    """
    column = sample(values, "values")
    return _estimate(column, float(column.mean()), _error(column), column.size - 1, confidence, "")


def antithetic_mean(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the mean over antithetic pairs: the interval is that of the means of pairs.

    Args:
        values: (paths,) quantity of each path, an even number, each second path the mirror of the
            one before, as models with `antithetic=True` draw them.
        confidence: Of the interval.

    Raises:
        DataProblem: An odd number of paths, or fewer than two pairs.
    """
    column = sample(values, "values", least=4)
    if column.size % 2:
        raise DataProblem(
            f"{column.size} values are not pairs",
            where="values",
            remedy="simulate an even number of paths",
        )
    pairs = column.reshape(-1, 2).mean(axis=1)
    return _estimate(
        column, float(pairs.mean()), _error(pairs), pairs.size - 1, confidence,
        ", antithetic pairs",
    )  # fmt: skip


def control_mean(
    values: ArrayLike, control: ArrayLike, expected: float, confidence: float = 0.95
) -> Estimate:
    """Return the mean with the error that a control variate explains taken out.

    Args:
        values: (paths,) quantity of each path; paths independent of each other.
        control: (paths,) another quantity of the same paths.
        expected: The control's mean, known exactly.
        confidence: Of the interval; below some hundred paths it covers a little less, for the
            weight of the control is estimated from the same paths.

    Raises:
        LabProblem: Not one control for each value.
    """
    column, other = sample(values, "values", least=3), sample(control, "control", least=3)
    mean, error = controlled_mean(column, other, finite(expected, "expected"))
    return _estimate(column, mean, error, column.size - 2, confidence, ", control variate")


def _error(column: Floats) -> float:
    return float(column.std(ddof=1)) / math.sqrt(column.size)


def _estimate(
    column: Floats, mean: float, error: float, degrees: int, confidence: float, how: str
) -> Estimate:
    reach = student_quantile(0.5 + share(confidence, "confidence") / 2, degrees) * error
    return Estimate(
        mean, mean - reach, mean + reach, confidence, f"Student's t{how}",
        "mean over simulated paths", int(np.size(column)),
    )  # fmt: skip
