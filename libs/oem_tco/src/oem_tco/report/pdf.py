"""The report for people: totals, a waterfall of the components, and costs by group."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import (
    Flowable,
    Image,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from oem_security.clock import rfc3339
from oem_tco.ledger.analysis import CostTotal, TcoResult
from oem_tco.money import minor_text
from oem_tco.terms import COMPONENTS

_INK, _COST, _GAIN, _TOTAL = "#1f2933", "#b4532a", "#1a7f4b", "#2563a8"
_TEXT: dict[str, Any] = {"color": _INK, "fontsize": 8}
_RULES = TableStyle(
    [
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.HexColor(_INK)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor("#d5dbe1")),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
)
_MAX_FINDINGS = 12


def report_pdf(result: TcoResult, *, title: str, generated_at_ns: int, csv_sha384: str) -> bytes:
    """Return the PDF; the same arguments give the same bytes, and it names its CSV by hash."""
    styles = getSampleStyleSheet()
    body = ParagraphStyle("body", parent=styles["BodyText"], fontSize=8.5, leading=11.5)
    heading = ParagraphStyle("heading", parent=body, fontSize=11, spaceBefore=8, spaceAfter=3)
    total = result.total
    story: list[Flowable] = [
        Paragraph(title, styles["Title"]),
        Paragraph(
            f"{total.orders} orders, {total.fills} fills, notional "
            f"{minor_text(total.notional)[:-6]} {result.currency}. Implementation shortfall "
            f"<b>{minor_text(total.total)[:-6]} {result.currency} = {total.bps():.2f} bps</b>. "
            f"Delay is counted on the {result.convention.value.replace('_', ' ')}. Generated "
            f"{rfc3339(generated_at_ns)[:19]}Z.",
            body,
        ),
        Spacer(1, 3 * mm),
        Image(io.BytesIO(_waterfall(total)), width=172 * mm, height=172 * mm * 2.6 / 7.2),
        _components(total, result.currency),
    ]
    for dimension in ("strategy", "symbol", "venue"):
        story += [
            Paragraph(f"By {dimension}", heading),
            _groups(dimension, result.groups[dimension]),
        ]
    if result.findings:
        shown = list(result.findings[:_MAX_FINDINGS])
        if len(result.findings) > len(shown):
            shown.append(f"and {len(result.findings) - len(shown)} more")
        story += [Paragraph("Findings in the input", heading), Paragraph("<br/>".join(shown), body)]
    small = ParagraphStyle("small", parent=body, fontSize=7, textColor=colors.HexColor("#52606d"))
    story += [Spacer(1, 4 * mm), Paragraph(f"Table in CSV, SHA-384<br/>{csv_sha384}", small)]
    buffer = io.BytesIO()
    SimpleDocTemplate(
        buffer, pagesize=A4, invariant=1, title=title, author="", leftMargin=18 * mm,
        rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=16 * mm,
    ).build(story)  # fmt: skip
    return buffer.getvalue()


def _components(total: CostTotal, currency: str) -> Table:
    rows: list[list[object]] = [["Component", f"amount, {currency}", "bps of notional"]]
    rows += [
        [component.value.replace("_", " "), minor_text(total.parts[component])[:-4],
         f"{total.bps(component):+.3f}"]
        for component in COMPONENTS
    ]  # fmt: skip
    rows.append(["total", minor_text(total.total)[:-4], f"{total.bps():+.3f}"])
    return Table(rows, style=_RULES, hAlign="LEFT", colWidths=[60 * mm, 50 * mm, 40 * mm])


def _groups(dimension: str, groups: dict[str, CostTotal]) -> Table:
    rows: list[list[object]] = [
        [dimension, "orders", "fills", "notional", "fees, bps", "spread, bps", "total, bps"]
    ]
    for name, cost in groups.items():
        by_name = {component.value: cost.bps(component) for component in COMPONENTS}
        rows.append(
            [name or "(none)", cost.orders, cost.fills, minor_text(cost.notional)[:-6],
             f"{by_name['fees']:.2f}", f"{by_name['spread']:.2f}", f"{cost.bps():+.2f}"]
        )  # fmt: skip
    return Table(rows, style=_RULES, hAlign="LEFT")


def _waterfall(total: CostTotal) -> bytes:
    figure = Figure(figsize=(7.2, 2.6), dpi=150)
    axes = figure.subplots()
    level = 0.0
    names = [component.value.replace("_", "\n") for component in COMPONENTS]
    for position, component in enumerate(COMPONENTS):
        value = total.bps(component) if total.notional else 0.0
        axes.bar(position, value, bottom=level, width=0.6, color=_COST if value >= 0 else _GAIN)
        level += value
        _label(axes, position, max(level, level - value), value)
    axes.bar(len(names), level, width=0.6, color=_TOTAL)
    _label(axes, len(names), max(level, 0.0), level)
    axes.axhline(0, color=_INK, linewidth=0.6)
    axes.set_xticks(range(len(names) + 1), [*names, "total"])
    axes.set_ylabel("bps of notional", **_TEXT)
    axes.set_title("Where the cost came from", **_TEXT)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.15 * (high - low))
    axes.tick_params(labelsize=7, colors=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _label(axes: Axes, position: float, top: float, value: float) -> None:
    place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points"}
    axes.annotate(f"{value:+.2f}", (position, top), ha="center", va="bottom", fontsize=7, **place)
