"""The light histogram shows exactly what Prometheus' own would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from oem_exec import RouterMetrics
from oem_exec.tally import TallyHistogram

BOUNDS = (0.0005, 0.01, 0.5, 1.0, 30.0)


def shown(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


AMOUNTS = st.one_of(st.sampled_from(BOUNDS), st.floats(-1, 100))


@given(st.lists(st.tuples(st.sampled_from("ab"), AMOUNTS), max_size=30))
def test_prop_it_equals_prometheus_own(observed: list[tuple[str, float]]) -> None:
    own, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("t_seconds", "text", ["venue"], buckets=BOUNDS, registry=own)
    tally = TallyHistogram("t_seconds", "text", ("venue",), BOUNDS)
    ours.register(tally)
    for venue, amount in observed:
        histogram.labels(venue).observe(amount)
        tally.observe((venue,), amount)
    assert shown(ours) == pytest.approx(shown(own))


def test_a_registry_takes_the_metrics_of_a_router_once() -> None:
    registry = CollectorRegistry()
    RouterMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        RouterMetrics(registry)
