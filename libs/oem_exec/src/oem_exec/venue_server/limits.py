"""How an exchange counts requests: fixed windows, decaying counters, and what was used at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class WindowCounter:
    """Units in fixed windows, as Binance counts, with the largest use of any sliding window.

    Args:
        units: Units allowed in a window.
        window_s: Length of the window, seconds.
        monotonic_s: Time.
    """

    def __init__(self, units: int, window_s: float, monotonic_s: Callable[[], float]) -> None:
        self.units = units
        self.window_s = window_s
        self.peak = 0
        self.total = 0
        self.refused = 0
        self.refused_in_a_row = 0
        self._now = monotonic_s
        self._log: deque[tuple[float, int]] = deque()
        self._used = 0

    def take(self, units: int) -> float:
        """Count a request; return 0, or the seconds until it would be allowed."""
        now = self._now()
        while self._log and self._log[0][0] <= now - self.window_s:
            self._used -= self._log.popleft()[1]
        if self._used + units > self.units:
            self.refused += 1
            self.refused_in_a_row += 1
            return max(self._log[0][0] + self.window_s - now, 0.001) if self._log else self.window_s
        self._log.append((now, units))
        self._used += units
        self.total += units
        self.refused_in_a_row = 0
        self.peak = max(self.peak, self._used)
        return 0.0

    @property
    def used(self) -> int:
        """Return the units in the window that ends now."""
        return self._used


class DecayingCounter:
    """A counter that requests raise and time lowers, as Kraken's.

    Args:
        units: Highest value allowed.
        decay_per_s: How much it falls each second.
        monotonic_s: Time.
    """

    def __init__(self, units: float, decay_per_s: float, monotonic_s: Callable[[], float]) -> None:
        self.units = units
        self.peak = 0.0
        self.refused = 0
        self._decay = decay_per_s
        self._now = monotonic_s
        self._value = 0.0
        self._at = monotonic_s()

    def take(self, units: float) -> bool:
        """Count a request; return whether it is allowed."""
        now = self._now()
        self._value = max(0.0, self._value - (now - self._at) * self._decay)
        self._at = now
        if self._value + units > self.units:
            self.refused += 1
            return False
        self._value += units
        self.peak = max(self.peak, self._value)
        return True
