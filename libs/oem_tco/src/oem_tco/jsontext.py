"""Numbers as JSON can keep them."""

from __future__ import annotations

import math


def number_text(value: float) -> float | str:
    """Return a number as JSON can keep it: JSON has no infinity and no nan, so they are words.

    Example:
        >>> number_text(0.1), number_text(float("nan"))
        (0.1, 'nan')
    """
    return value if math.isfinite(value) else str(value)
