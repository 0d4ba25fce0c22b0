"""A histogram that counts in plain numbers and becomes Prometheus' own only when it is scraped."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class TallyHistogram(Collector):
    """Observations by label values and bucket, for code that observes several times an order.

    Observe from one thread; scrape from any.

    Args:
        name: Metric name, without suffix.
        text: Its help text.
        labels: Names of the labels.
        buckets: Upper bounds, ascending; the bucket without bound is added.
    """

    def __init__(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> None:
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._bounds = (*buckets, math.inf)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, values: tuple[str, ...], amount: float) -> None:
        """Count one observation under its label values."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * len(self._bounds)
            self._sums[values] = 0.0
        counts[bisect_left(self._bounds, amount)] += 1
        self._sums[values] += amount

    def describe(self) -> Iterator[Metric]:
        """Yield the metric without samples, so that a registry knows its name."""
        yield HistogramMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric as it stands."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, counts in list(self._counts.items()):
            total, buckets = 0, []
            for bound, count in zip(self._bounds, list(counts), strict=True):
                total += count
                buckets.append((floatToGoString(bound), total))  # type: ignore[no-untyped-call]
            family.add_metric(values, buckets, self._sums[values])
        yield family
