"""The report for people, byte for byte the same for the same result."""

from __future__ import annotations

import io

from reportlab.graphics.shapes import Drawing, Line, Rect
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import (
    Flowable,
    Image,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from oem_risk.lab.backtest import VarBacktest
from oem_risk.lab.figures import backtest_chart, profile_figure, stress_chart, waterfall
from oem_risk.lab.result import LabResult, LimitUse, ProfileResult
from oem_risk.lab.verdict import Verdict
from oem_risk.paths.calibrate import PathKind
from oem_security.clock import rfc3339

_COLOURS = {Verdict.PASS: "#1a7f4b", Verdict.FAIL: "#b42318", Verdict.INCONCLUSIVE: "#9a6700"}
_RULES = TableStyle(
    [
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.HexColor("#1f2933")),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor("#d5dbe1")),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
)


def report_pdf(result: LabResult, *, json_sha384: str) -> bytes:
    """Return the PDF of a lab result; it names the JSON report by its hash."""
    styles = getSampleStyleSheet()
    body = ParagraphStyle("body", parent=styles["BodyText"], fontSize=8.5, leading=11.5)
    small = ParagraphStyle(
        "small", parent=body, fontSize=7, leading=9, textColor=colors.HexColor("#52606d")
    )
    story: list[Flowable] = [
        Paragraph("Paper Labs", styles["Title"]),
        Paragraph(_summary(result), body),
        Spacer(1, 3 * mm),
        _overview(result),
        Spacer(1, 3 * mm),
        Paragraph(_READING, body),
        _image(stress_chart(result), 2.2),
        *_backtest(result.backtest, body),
    ]
    heading = ParagraphStyle("profile", parent=body, fontSize=11, spaceBefore=8, spaceAfter=3)
    story += [KeepTogether(_profile(profile, result, heading, body)) for profile in result.profiles]
    hashes = "<br/>".join(f"{symbol}: {digest}" for symbol, digest in result.hashes.items())
    story += [
        Spacer(1, 4 * mm),
        Paragraph(
            f"Data, SHA-384<br/>{hashes}<br/>Report in JSON, SHA-384<br/>{json_sha384}", small
        ),
    ]
    buffer = io.BytesIO()
    SimpleDocTemplate(
        buffer,
        pagesize=A4,
        invariant=1,
        title="Paper Labs",
        author="",
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
    ).build(story)
    return buffer.getvalue()


_MODELS = {
    PathKind.STATIONARY: "stationary bootstrap of",
    PathKind.CIRCULAR: "circular block bootstrap of",
    PathKind.MOVING: "moving block bootstrap of",
    PathKind.GBM: "correlated geometric Brownian motions fitted to",
    PathKind.MERTON: "jump diffusions with common jumps fitted to",
    PathKind.GARCH: "GARCH(1,1) filtered historical simulation of",
    PathKind.GJR: "GJR filtered historical simulation of",
}


def _summary(result: LabResult) -> str:
    settings = result.settings
    origin = "<b>synthetic data</b>" if result.synthetic else "recorded data"
    start, end = (rfc3339(t)[:10] for t in result.span_ns)
    strategies = ", ".join(f"{name} ({share:.0%})" for name, share in result.strategies)
    paths = f"{settings.paths:,} paths"
    if settings.sequential:
        paths += f" or more, up to {settings.most_paths:,}, until decided,"
    return (
        f"{paths} of {settings.horizon_days} days per profile: "
        f"{_MODELS[settings.path_model]} {origin}, {start} to {end} "
        f"({', '.join(result.hashes)}). "
        f"Strategies: {strategies}. Cost of turnover {settings.cost_bps:g} bps. "
        f"Seed {settings.seed}. Confidence {settings.confidence:.0%}."
    )


_READING = (
    "PASS means that the whole interval of the breach probability lies inside the limit and "
    "that every stress test stays inside the drawdown limit; FAIL that the interval lies "
    "outside, or a stress test does; INCONCLUSIVE that more paths are needed to tell."
)


def _backtest(test: VarBacktest | None, body: ParagraphStyle) -> list[Flowable]:
    if test is None:
        return [
            Paragraph(
                "The history is too short to back-test the paths' model: it needs 50 days of "
                "forecasts after 100 days to make them from.",
                body,
            )
        ]
    found = "rejected" if test.rejected else "not rejected"
    return [
        _image(backtest_chart(test), 2.2),
        Paragraph(
            f"Equal holding of all symbols, each day's forecast made from the {test.window} days "
            f"before it. Number of exceptions: p = {test.coverage.p_value:.3f} "
            f"({test.coverage.method}); one following another: p = "
            f"{test.independence.p_value:.3f} ({test.independence.method}); traffic light "
            f"{test.light.zone.value}. At 1 % the model is <b>{found}</b>. This does not decide "
            "the verdict: it says how far the paths can be believed.",
            body,
        ),
    ]


def _overview(result: LabResult) -> Table:
    rows: list[list[object]] = [
        [
            "Profile", "Verdict", "P(drawdown breach)", "interval", "limit", "paths",
            "median return", "worst stress",
        ]
    ]  # fmt: skip
    for profile in result.profiles:
        gate = profile.drawdown_gate
        rows.append(
            [
                profile.profile.name,
                _coloured(profile.verdict),
                f"{gate.estimate:.2%}",
                f"{gate.low:.2%} – {gate.high:.2%}",
                f"{gate.limit:.0%}",
                f"{gate.paths:,}",
                f"{profile.quantiles()['total_return']['q50']:+.2%}",
                f"{max(s.loss for s in profile.stress):.1%}",
            ]
        )
    return Table(rows, style=_RULES, hAlign="LEFT")


def _profile(
    result: ProfileResult, lab: LabResult, heading: ParagraphStyle, body: ParagraphStyle
) -> list[Flowable]:
    gate, deep = result.drawdown_gate, result.drawdown
    words = (
        f"95 % of the paths fall by less than {deep.value:.2%} from their peak "
        f"({deep.low:.2%} to {deep.high:.2%} at {deep.confidence:.0%}). The "
        "daily loss limit was reached on some day of "
        f"{result.daily_loss_gate.estimate:.2%} of the paths; new exposure then stops until the "
        "next day."
    )
    if gate.more_paths:
        words += f" About {gate.more_paths:,} further paths would decide."
    return [
        Paragraph(f"{result.profile.name}: {result.verdict.value}", heading),
        _image(profile_figure(result, lab.bars_per_day, lab.settings.paths), 2.55),
        _image(waterfall(result), 2.15),
        _limit_table(result.limits()),
        Paragraph(words, body),
    ]


def _limit_table(uses: tuple[LimitUse, ...]) -> Table:
    """Return each limit with how far the paths went into it, and a bar of the 95 % figure."""
    rows: list[list[object]] = [
        ["Limit", "value", "median path", "95 % stay below", "furthest path", "95 % against limit"]
    ]
    rows += [
        [
            use.name.replace("_", " "),
            *(_amount(n, use.unit) for n in (use.limit, use.median, use.high, use.worst)),
            _bar(use.high / use.limit, use.worst > use.limit * (1 + 1e-9)),
        ]
        for use in uses
    ]
    widths = [32 * mm, 24 * mm, 24 * mm, 28 * mm, 26 * mm, 38 * mm]
    return Table(rows, style=_RULES, hAlign="LEFT", colWidths=widths)


def _amount(number: float, unit: str) -> str:
    if unit == "symbols":
        return f"{number:.0f}"
    return f"{number:.2f} x" if unit == "x" else f"{number:.2%}"


def _bar(share: float, beyond: bool) -> Drawing:
    """Return a bar whose frame is the limit; red where some path went beyond it."""
    full, height = 30 * mm, 2.6 * mm
    drawing = Drawing(full * 1.2, height)
    parts = ((full, "#eef1f4"), (full * min(share, 1.2), "#b42318" if beyond else "#2563a8"))
    for width, ink in parts:
        rectangle = Rect(0, 0, width, height)
        rectangle.fillColor, rectangle.strokeColor = colors.HexColor(ink), None
        drawing.add(rectangle)
    drawing.add(Line(full, -1, full, height + 1))
    return drawing


def _coloured(verdict: Verdict) -> Paragraph:
    style = ParagraphStyle("verdict", fontSize=8, leading=10, alignment=2)
    return Paragraph(f'<font color="{_COLOURS[verdict]}"><b>{verdict.value}</b></font>', style)


def _image(png: bytes, height_in: float) -> Image:
    return Image(io.BytesIO(png), width=172 * mm, height=172 * mm * height_in / 7.2)
