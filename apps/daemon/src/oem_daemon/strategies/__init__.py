"""Strategies: they look at closed bars and say how much of a symbol they want to hold."""

from oem_daemon.strategies.mean_reversion import MeanReversion
from oem_daemon.strategies.signal import Signal, Strategy
from oem_daemon.strategies.trend import Trend

__all__ = ["MeanReversion", "Signal", "Strategy", "Trend"]
