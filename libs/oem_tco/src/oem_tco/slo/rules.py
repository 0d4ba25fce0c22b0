"""Recording and alerting rules for Prometheus, made from the definitions the report uses.

Source: "The Site Reliability Workbook", chapter 5, multiwindow multi-burn-rate alerts; rule files
by the Prometheus documentation, "Recording rules" and "Alerting rules".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oem_tco.errors import InputError
from oem_tco.slo.definition import DAY_S, HOUR_S, WINDOWS, BurnWindow, Indicator, SloDefinition

GROUP = "oem-slo"


@dataclass(frozen=True, slots=True)
class MetricSource:
    """The histogram that an indicator is exported as.

    Attributes:
        name: Metric name without `_bucket`.
        buckets: Texts of its `le` labels, as exported.
        selector: Further label matchers, such as `phase="total"`.
    """

    name: str
    buckets: tuple[str, ...]
    selector: str = ""

    def bucket(self, threshold: float) -> str:
        """Return the `le` text of a threshold.

        Raises:
            InputError: No bucket ends there, so that Prometheus could not tell good from bad.
        """
        for text in self.buckets:
            if float(text) == threshold:
                return text
        raise InputError(
            f"{self.name} has no bucket that ends at {threshold}",
            where=self.name,
            remedy=f"set the threshold to one of {', '.join(self.buckets)}",
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: recording when `record` is set, alerting when `alert` is."""

    expr: str
    labels: Mapping[str, str]
    record: str = ""
    alert: str = ""
    annotations: Mapping[str, str] | None = None


def rules(
    definitions: Iterable[SloDefinition], sources: Mapping[Indicator, MetricSource]
) -> tuple[Rule, ...]:
    """Return all rules of all definitions.

    Raises:
        InputError: An indicator has no metric, or a threshold no bucket.
    """
    found: list[Rule] = []
    for definition in definitions:
        source = sources.get(definition.indicator)
        if source is None:
            raise InputError(
                f"{definition.indicator.value} is not exported",
                where=definition.name,
                remedy="name the metric of this indicator",
            )
        spans = sorted({span for w in WINDOWS for span in (w.long_s, w.short_s)})
        found += [_recording(definition, source, span) for span in spans]
        found += [_alerting(definition, w) for w in WINDOWS if w.can_fire(definition)]
    return tuple(found)


def rules_yaml(
    definitions: Iterable[SloDefinition], sources: Mapping[Indicator, MetricSource]
) -> str:
    """Return the rule file; the same definitions give the same bytes.

    An alert that could never fire, because its burn rate needs more than all orders to be bad, is
    left out and named in a comment.
    """
    definitions = tuple(definitions)
    lines = [
        f"# {alert_name(window)} is left out for {definition.name}: "
        f"{window.rate(definition.period_s):g} x {definition.budget:.4g} is not below 1"
        for definition in definitions
        for window in WINDOWS
        if not window.can_fire(definition)
    ]
    lines += ["groups:", f"  - name: {GROUP}", "    rules:"]
    for rule in rules(definitions, sources):
        kind, name = ("record", rule.record) if rule.record else ("alert", rule.alert)
        lines += [f"      - {kind}: {name}", f"        expr: {_text(rule.expr)}"]
        blocks = [("labels", rule.labels), ("annotations", rule.annotations or {})]
        for title, block in blocks:
            if block:
                lines.append(f"        {title}:")
                lines += [f"          {key}: {_text(value)}" for key, value in block.items()]
    return "\n".join(lines) + "\n"


def recorded_name(span_s: int) -> str:
    """Return the name of the recorded error ratio over a span, such as `slo:error_ratio:rate5m`."""
    return f"slo:error_ratio:rate{_span(span_s)}"


def alert_name(window: BurnWindow) -> str:
    """Return the name of a window's alert, such as `SloBudgetBurn1h`."""
    return f"SloBudgetBurn{_span(window.long_s)}"


def _recording(definition: SloDefinition, source: MetricSource, span_s: int) -> Rule:
    inside = ",".join(
        filter(None, (source.selector, f'le="{source.bucket(definition.threshold)}"'))
    )
    span = _span(span_s)
    at_most = f"sum(rate({source.name}_bucket{{{inside}}}[{span}]))"
    selector = f"{{{source.selector}}}" if source.selector else ""
    total = f"sum(rate({source.name}_count{selector}[{span}]))"
    # a filled share up to the threshold is bad; a latency or cost up to it is good
    ratio = f"{at_most} / {total}"
    bad = ratio if definition.indicator is Indicator.FILL_RATE else f"1 - {ratio}"
    return Rule(bad, {"slo": definition.name}, record=recorded_name(span_s))


def _alerting(definition: SloDefinition, window: BurnWindow) -> Rule:
    limit = window.rate(definition.period_s)
    slo = f'{{slo="{definition.name}"}}'
    expr = " and ".join(
        f"{recorded_name(span)}{slo} > {limit:g} * {definition.budget:.10g}"
        for span in (window.long_s, window.short_s)
    )
    return Rule(
        expr,
        {"severity": window.severity.value, "slo": definition.name},
        alert=alert_name(window),
        annotations={
            "summary": f"{definition.name}: the error budget burns more than {limit:g} times "
            f"too fast over {_span(window.long_s)}",
            "remedy": "see `oem slo report` for the orders behind it",
        },
    )


def _span(seconds: int) -> str:
    for unit, length in (("d", DAY_S), ("h", HOUR_S), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string is a YAML string
