"""Rolling sums over the last axis, shared by the strategies."""

from __future__ import annotations

import numpy as np

from oem_daemon.strategies.signal import FloatArray


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` values at each position; NaN before the first full one.

    Args:
        values: Shape (..., n).
        window: Length in bars, at least 1.
    """
    result = np.full(values.shape, np.nan)
    if values.shape[-1] < window:
        return result
    view = np.lib.stride_tricks.sliding_window_view(values, window, axis=-1)
    result[..., window - 1 :] = view.mean(axis=-1)
    return result


def rolling_std(values: FloatArray, window: int) -> FloatArray:
    """Return the population standard deviation of the last `window` values at each position."""
    result = np.full(values.shape, np.nan)
    if values.shape[-1] < window:
        return result
    view = np.lib.stride_tricks.sliding_window_view(values, window, axis=-1)
    result[..., window - 1 :] = view.std(axis=-1)
    return result
