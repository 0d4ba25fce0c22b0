"""What Prometheus learns about the markets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from oem_exec.intel.source import IntelField
from oem_exec.model.enums import Side

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from oem_exec.intel.reading import MarketReading

DEPTH_WITHIN_BPS = 25.0
_MARKET = ("venue", "symbol")
_NOTHING = float("nan")


class IntelMetrics:
    """The newest figures of every market in a registry that the application owns.

    They are made when they are asked for, so that ages are those of that moment and trading pays
    nothing for them. Ask in the thread of the event loop that reads the markets. Labels are
    bounded: venues and symbols come from the configuration, fields are an enum. A stale figure is
    NaN, so that no alert and no panel takes it for the present.

    Args:
        registry: Where the metrics are registered, once per registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._readings: Callable[[], Iterable[MarketReading]] = tuple
        registry.register(self)

    def watch(self, readings: Callable[[], Iterable[MarketReading]]) -> None:
        """Show from now on what a function returns: a reading of every market."""
        self._readings = readings

    def describe(self) -> list[GaugeMetricFamily]:
        """Return the families without samples, for the registry's check of names."""
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families with a sample for every market."""
        families = _families()
        for reading in self._readings():
            for name, labels, value in _samples(reading):
                families[name].add_metric([reading.venue, reading.symbol, *labels], value)
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    texts: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("spread_bps", "Quoted spread over the mid", ()),
        ("depth_base", f"Base units within {DEPTH_WITHIN_BPS:g} bps", ("side",)),
        ("volume_24h_base", "Base units traded in 24 hours", ()),
        ("volatility_bps_per_sqrt_s", "Realised volatility of log prices", ()),
        ("funding_rate", "Funding rate of the next settlement", ()),
        ("round_trip_seconds", "Median round trip of the newest", ()),
        ("data_age_seconds", "Age of the newest answer", ("field",)),
        ("data_stale", "1 when older than allowed or missing", ("field",)),
    )
    return {
        name: GaugeMetricFamily(f"market_{name}", text, labels=[*_MARKET, *labels])
        for name, text, labels in texts
    }


def _samples(reading: MarketReading) -> Iterator[tuple[str, tuple[str, ...], float]]:
    missing = reading.stale
    stale = missing | reading.not_offered
    fresh_book = IntelField.BOOK not in stale
    yield "spread_bps", (), reading.spread_bps if fresh_book else _NOTHING
    for side in Side:
        depth = float(reading.depth(side, DEPTH_WITHIN_BPS)) if fresh_book else _NOTHING
        yield "depth_base", (side.value,), depth
    yield (
        "volume_24h_base",
        (),
        (_NOTHING if IntelField.TICKER in stale else float(reading.volume_24h)),
    )
    yield (
        "volatility_bps_per_sqrt_s",
        (),
        (_NOTHING if IntelField.CANDLES in stale else reading.volatility_bps_per_sqrt_s),
    )
    yield (
        "funding_rate",
        (),
        (_NOTHING if IntelField.FUNDING in stale else float(reading.funding.rate)),
    )
    round_trip_s = reading.round_trip_s
    yield "round_trip_seconds", (), _NOTHING if round_trip_s is None else round_trip_s
    for one in IntelField:
        age_s = reading.age_s(one)
        yield "data_age_seconds", (one.value,), _NOTHING if age_s is None else age_s
        yield "data_stale", (one.value,), float(one in missing)
