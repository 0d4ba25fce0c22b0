"""The cost report for people: where the cost came from, who had it, and what it might become."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oem_security.clock import rfc3339
from oem_tco.analysis.groups import (
    DAY_NS,
    REPORTED,
    Dimension,
    GroupCost,
    currencies,
    group_costs,
)
from oem_tco.analysis.outliers import Outlier, find_outliers
from oem_tco.analysis.stress import StressReport
from oem_tco.analysis.trend import MOST_BUCKETS, CostTrend, cost_trends
from oem_tco.analysis.worst import WorstOrder, executed_bps, worst_orders
from oem_tco.ledger.analysis import TcoResult
from oem_tco.ledger.rows import FillRow
from oem_tco.money import MINOR_PER_UNIT, from_minor, minor_text
from oem_tco.pretrade.coverage import wilson
from oem_tco.report.figures import (
    estimates,
    height_ratio,
    markouts,
    venue_hours,
    waterfall,
)
from oem_tco.report.page import Page
from oem_tco.report.points import EstimatePoint, MarkoutPoint
from oem_tco.terms import COMPONENTS

MOST_GROUPS = 40
MOST_FINDINGS = 25
_SHORT = ("delay", "spread", "imp. tmp", "imp. prm", "fees", "funding", "opport.")


@dataclass(frozen=True, slots=True)
class CostReading:
    """Everything a cost report shows beside the ledger's own sums.

    Attributes:
        outliers: Orders of unusual cost, marked.
        trends: Cost over time, of all and by strategy.
        worst: The dearest orders with their stories.
        stress: What the orders would have cost had the world been worse.
        markouts: Label to markout curve.
        bucket_ns: Length of the report's time buckets.
        confidence: Confidence of the ledger's estimates.
    """

    outliers: tuple[Outlier, ...] = ()
    trends: tuple[CostTrend, ...] = ()
    worst: tuple[WorstOrder, ...] = ()
    stress: StressReport | None = None
    markouts: Mapping[str, Sequence[MarkoutPoint]] = field(default_factory=dict)
    bucket_ns: int = DAY_NS
    confidence: float = 0.8


def read_costs(
    result: TcoResult,
    fills: Sequence[FillRow] = (),
    *,
    stress: StressReport | None = None,
    markouts: Mapping[str, Sequence[MarkoutPoint]] | None = None,
    bucket_ns: int = DAY_NS,
    worst: int = 5,
    confidence: float = 0.8,
) -> CostReading:
    """Return the reading of an analysis that a report shows.

    Args:
        result: The analysis.
        fills: The ledger's fills, for the stories.
        stress: Result of `stress_costs`.
        markouts: Label to curve, in any order.
        bucket_ns: Length of a time bucket, nanoseconds, above 0; trends take longer ones where
            there would be more than they can hold.
        worst: How many of the dearest orders to tell of, for each currency.
        confidence: Confidence the ledger's estimates were made with.
    """
    times = [found.order.decision_time_ns for found in result.orders]
    span_ns = max(times) - min(times) if times else 0
    trend_ns = bucket_ns
    while trend_ns > 0 and span_ns // trend_ns >= MOST_BUCKETS - 1:
        trend_ns *= 2  # the test compares all pairs of buckets
    return CostReading(
        outliers=find_outliers(result),
        trends=(
            *cost_trends(result, bucket_ns=trend_ns),
            *cost_trends(result, by=(Dimension.STRATEGY,), bucket_ns=trend_ns),
        ),
        worst=worst_orders(result, fills, count=worst),
        stress=stress,
        markouts=dict(markouts or {}),
        bucket_ns=bucket_ns,
        confidence=confidence,
    )


def cost_pdf(
    result: TcoResult,
    reading: CostReading,
    *,
    title: str,
    generated_at_ns: int,
    csv_sha384: str,
    schedules: Sequence[str] = (),
    inputs: Mapping[str, str] | None = None,
) -> bytes:
    """Return the PDF of a cost report; the same arguments give the same bytes."""
    made = f"{rfc3339(generated_at_ns)[:19]}Z"
    page = Page(title, csv_sha384=csv_sha384, subtitle=f"as of {made}")
    page.text(
        f"As of {made}. Delay is counted on the {result.convention.value.replace('_', ' ')}. "
        "A positive figure is a cost, a negative one a gain; basis points are of the wanted "
        "quantity at the price of the decision. Every figure of a currency stands for itself: "
        "currencies are never added."
    )
    if not result.orders:
        page.text("The ledger holds no order.")
    for currency in currencies(result.orders):
        _currency(page, result, reading, currency)
    _trends(page, reading)
    _unusual(page, reading)
    _stress(page, reading)
    if reading.markouts:
        png = markouts(reading.markouts)
        page.heading("Markouts")
        page.figure(png, ratio=height_ratio(png))
        page.table(
            ("curve", "seconds", "mean, bps", "low", "high", "fills"),
            [
                (label, f"{p.horizon_s:g}", f"{p.mean_bps:+.3f}", f"{p.low_bps:+.3f}",
                 f"{p.high_bps:+.3f}", p.fills)
                for label, points in sorted(reading.markouts.items())
                for p in points
            ],
        )  # fmt: skip
    if result.findings:
        page.heading("Findings in the input")
        shown = list(result.findings[:MOST_FINDINGS])
        if len(result.findings) > len(shown):
            shown.append(f"and {len(result.findings) - len(shown)} more")
        page.lines(shown)
    page.heading("What this was made from")
    page.lines(
        [
            *(f"{name}: SHA-384 {digest}" for name, digest in sorted((inputs or {}).items())),
            f"fee schedules: {', '.join(schedules) or 'none'}",
        ]
    )
    return page.pdf()


def _currency(page: Page, result: TcoResult, reading: CostReading, currency: str) -> None:
    total = next(g.costs for g in group_costs(result, ()) if g.currency == currency)
    page.heading(f"Costs in {currency}")
    page.text(
        f"{total.orders} orders, {total.fills} fills, notional {_money(total.notional)} "
        f"{currency}. Implementation shortfall {_money(total.total)} {currency} = "
        f"{total.bps():.2f} bps."
    )
    png = waterfall(total)
    page.figure(png, ratio=height_ratio(png))
    rows = [
        (c.value.replace("_", " "), minor_text(total.parts[c]), f"{total.bps(c):+.4f}")
        for c in COMPONENTS
    ]
    rows.append(("total", minor_text(total.total), f"{total.bps():+.4f}"))
    page.table(("component", f"amount, {currency}", "bps of notional"), rows)
    for dimension in REPORTED:
        groups = group_costs(result, (dimension,), bucket_ns=reading.bucket_ns)
        _groups(page, dimension, [g for g in groups if g.currency == currency])
    page.small(
        f"Notional in {currency}; all else in basis points of it. Median, p10 and p90 are of the "
        "orders' own costs."
    )
    by_hour = group_costs(result, (Dimension.VENUE, Dimension.HOUR))
    png = venue_hours([g for g in by_hour if g.currency == currency])
    page.heading("By venue and hour")
    page.figure(png, ratio=height_ratio(png))
    _estimates(page, result, reading, currency)


def _groups(page: Page, dimension: Dimension, groups: Sequence[GroupCost]) -> None:
    page.heading(f"By {dimension.value.replace('_', ' ')}")
    page.table(
        (dimension.value.replace("_", " "), "orders", "fills", "notional", *_SHORT, "total",
         "median", "p10", "p90"),
        [
            (
                group.key[0] or "(none)",
                group.costs.orders,
                group.costs.fills,
                _rounded(group.costs.notional),
                *(f"{group.costs.bps(c):.2f}" for c in COMPONENTS),
                f"{group.costs.bps():+.2f}",
                f"{group.median_bps:.2f}",
                f"{group.low_bps:.2f}",
                f"{group.high_bps:.2f}",
            )
            for group in groups[-MOST_GROUPS:]
        ],
        widths=(2.3, 0.95, 0.8, 1.6, *[1.05] * 7, 1.1, 1.1, 1.0, 1.0),
        size=6.0,
    )  # fmt: skip
    if len(groups) > MOST_GROUPS:
        page.small(f"The last {MOST_GROUPS} of {len(groups)}; the CSV holds every order.")


def _rounded(amount_minor: int) -> str:
    """Return an amount for a narrow column; one below 1,000 keeps four digits, as of a coin."""
    amount = amount_minor / MINOR_PER_UNIT
    return f"{amount:,.0f}" if abs(amount) >= 1_000 else f"{amount:.4g}"


def _estimates(page: Page, result: TcoResult, reading: CostReading, currency: str) -> None:
    points = []
    for found in result.orders:
        order, realised = found.order, executed_bps(found)
        low, expected, high = order.est_low_bps, order.est_expected_bps, order.est_high_bps
        if order.currency != currency or realised is None:
            continue
        if low is not None and expected is not None and high is not None:
            points.append(EstimatePoint(low, expected, high, realised))
    page.heading("Estimate against realised")
    if not points:
        page.text("No filled order carries an estimate.")
        return
    png = estimates(points)
    page.figure(png, ratio=height_ratio(png))
    inside = sum(p.inside for p in points)
    low_share, high_share = wilson(inside, len(points))
    bias = sum(p.realised_bps - p.expected_bps for p in points) / len(points)
    page.text(
        f"{inside} of {len(points)} filled orders ({inside / len(points):.1%}) cost what their "
        f"{reading.confidence:.0%} interval foresaw; a 95 % interval for that share is "
        f"{low_share:.1%} to {high_share:.1%}. On average they cost {abs(bias):.3f} bps "
        f"{'more' if bias >= 0 else 'less'} than expected."
    )


def _trends(page: Page, reading: CostReading) -> None:
    page.heading("Trends")
    page.table(
        ("of", "direction", "buckets", "slope, bps a day", "low", "high", "p", "p, adjusted"),
        [
            (
                f"{t.key[0] or '(none)'} ({t.currency})" if t.key else f"all orders ({t.currency})",
                t.direction.value,
                t.fit.points,
                *(_signed(v) for v in (t.fit.slope, t.fit.slope_low, t.fit.slope_high)),
                f"{t.fit.p_value:.4f}",
                f"{t.p_adjusted:.4f}",
            )
            for t in reading.trends
        ],
        texts=2,
    )
    page.small(
        "Mann-Kendall test at 5 %, adjusted for the number of groups (Holm); Theil-Sen slope with "
        "its 95 % interval, over time buckets; fewer than five buckets cannot show a trend."
    )


def _unusual(page: Page, reading: CostReading) -> None:
    page.heading("Outliers")
    if reading.outliers:
        page.table(
            ("order", "like it", "cost, bps", "median of its like", "score"),
            [
                (o.order_id, ", ".join(o.group), f"{o.cost_bps:+.2f}", f"{o.median_bps:+.2f}",
                 f"{o.score:+.1f}")
                for o in reading.outliers[:MOST_GROUPS]
            ],
            texts=2,
        )  # fmt: skip
    page.text(
        f"{len(reading.outliers)} orders are marked, none is dropped: every sum of this report "
        "holds them."
    )
    page.heading("The dearest orders")
    if not reading.worst:
        page.text("No order cost anything.")
    for order in reading.worst:
        cost = f"{_money(order.total)} {order.currency}, {order.cost_bps:.2f} bps"
        page.lines(order.story, title=f"{order.order_id}: {cost}")


def _stress(page: Page, reading: CostReading) -> None:
    if reading.stress is None:
        return
    page.heading("Cost stress")
    page.table(
        ("scenario", "of", *_SHORT, "as it was", "stressed"),
        [
            (
                cost.scenario,
                ", ".join((*cost.key, cost.currency)),
                *(f"{cost.added[c] * 1e4 / (cost.notional or 1):+.2f}" for c in COMPONENTS),
                f"{cost.base_bps:.2f}",
                f"{cost.total_bps:.2f}",
            )
            for cost in reading.stress.costs
        ],
        texts=2,
        widths=(1.9, 2.3, *[1.05] * 7, 1.1, 1.1),
        size=6.2,
    )
    page.small("bps of notional; what each scenario adds to each component.")
    if reading.stress.notes:
        page.lines(reading.stress.notes, title="Assumed, and how often")


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.4f}"


def _money(amount_minor: int) -> str:
    """Return an amount for a sentence, rounded to cents; one below 1,000 with all its digits."""
    if abs(amount_minor) < 1_000 * MINOR_PER_UNIT:
        return minor_text(amount_minor)
    return f"{from_minor(amount_minor):,.2f}"
