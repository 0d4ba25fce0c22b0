"""What Prometheus learns about the markets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from oem_exec.intel.source import IntelField
from oem_exec.model.enums import Side

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from oem_exec.intel.reading import MarketReading

DEPTH_WITHIN_BPS = 25.0


class IntelMetrics:
    """The newest figures of every market in a registry that the application owns.

    Labels are bounded: venues and symbols come from the configuration, fields are an enum. A stale
    figure is NaN, so that no alert and no panel takes it for the present.

    Args:
        registry: Where the metrics are registered, once per registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        market = ["venue", "symbol"]

        def gauge(name: str, text: str, labels: list[str]) -> Gauge:
            return Gauge(f"market_{name}", text, labels, registry=registry)

        self._spread = gauge("spread_bps", "Quoted spread over the mid", market)
        self._depth = gauge(
            "depth_base", f"Base units within {DEPTH_WITHIN_BPS:g} bps", [*market, "side"]
        )
        self._volume = gauge("volume_24h_base", "Base units traded in 24 hours", market)
        self._volatility = gauge(
            "volatility_bps_per_sqrt_s", "Realised volatility of log prices", market
        )
        self._funding = gauge("funding_rate", "Funding rate of the next settlement", market)
        self._latency = gauge("round_trip_seconds", "Median round trip of the newest", market)
        self._age = gauge("data_age_seconds", "Age of the newest answer", [*market, "field"])
        self._stale = gauge(
            "data_stale", "1 when older than allowed or missing", [*market, "field"]
        )

    def show(self, reading: MarketReading) -> None:
        """Set every gauge of a market to what a reading says."""
        labels = (reading.venue, reading.symbol)
        nothing = float("nan")
        stale = reading.stale | reading.not_offered
        fresh_book = IntelField.BOOK not in stale
        self._spread.labels(*labels).set(reading.spread_bps if fresh_book else nothing)
        for side in Side:
            depth = float(reading.depth(side, DEPTH_WITHIN_BPS)) if fresh_book else nothing
            self._depth.labels(*labels, side.value).set(depth)
        volume = nothing if IntelField.TICKER in stale else float(reading.volume_24h)
        self._volume.labels(*labels).set(volume)
        volatility = nothing if IntelField.CANDLES in stale else reading.volatility_bps_per_sqrt_s
        self._volatility.labels(*labels).set(volatility)
        funding = nothing if IntelField.FUNDING in stale else float(reading.funding.rate)
        self._funding.labels(*labels).set(funding)
        round_trip = reading.round_trip_s
        self._latency.labels(*labels).set(nothing if round_trip is None else round_trip)
        for one in IntelField:
            age = reading.age_s(one)
            self._age.labels(*labels, one.value).set(nothing if age is None else age)
            self._stale.labels(*labels, one.value).set(one in reading.stale)
