"""The report for people, byte for byte the same for the same result."""

from __future__ import annotations

import io

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

from oem_risk.lab.figures import fan_chart, stress_chart
from oem_risk.lab.run import LabResult, ProfileResult
from oem_risk.lab.verdict import Verdict
from oem_security.clock import rfc3339

_COLOURS = {Verdict.PASS: "#1a7f4b", Verdict.FAIL: "#b42318", Verdict.INCONCLUSIVE: "#9a6700"}
_RULES = TableStyle(
    [
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.HexColor("#1f2933")),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor("#d5dbe1")),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
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
        _image(stress_chart(result), 2.4),
        Paragraph(_READING, body),
    ]
    heading = ParagraphStyle("profile", parent=body, fontSize=11, spaceBefore=8, spaceAfter=3)
    story += [
        KeepTogether(_profile(profile, _bars_per_day(result), heading))
        for profile in result.profiles
    ]
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


def _summary(result: LabResult) -> str:
    settings = result.settings
    origin = "<b>synthetic data</b>" if result.synthetic else "recorded data"
    start, end = (rfc3339(t)[:10] for t in result.span_ns)
    strategies = ", ".join(f"{name} ({share:.0%})" for name, share in result.strategies)
    return (
        f"{settings.paths:,} paths of {settings.horizon_days} days per profile, stationary "
        f"bootstrap of {origin}, {start} to {end} ({', '.join(result.hashes)}). "
        f"Strategies: {strategies}. Cost of turnover {settings.cost_bps:g} bps. "
        f"Seed {settings.seed}. Confidence {settings.confidence:.0%}."
    )


_READING = (
    "PASS means that the whole interval of the breach probability lies inside the limit and "
    "that every stress test stays inside the drawdown limit; FAIL that the interval lies "
    "outside, or a stress test does; INCONCLUSIVE that more paths are needed to tell."
)


def _overview(result: LabResult) -> Table:
    rows: list[list[object]] = [
        [
            "Profile",
            "Verdict",
            "P(drawdown breach)",
            "interval",
            "limit",
            "median return",
            "worst stress",
        ]
    ]
    for profile in result.profiles:
        gate = profile.drawdown_gate
        rows.append(
            [
                profile.profile.name,
                _coloured(profile.verdict),
                f"{gate.estimate:.2%}",
                f"{gate.low:.2%} – {gate.high:.2%}",
                f"{gate.limit:.0%}",
                f"{profile.quantiles()['total_return']['q50']:+.2%}",
                f"{max(s.loss for s in profile.stress):.1%}",
            ]
        )
    return Table(rows, style=_RULES, hAlign="LEFT")


def _profile(result: ProfileResult, bars_per_day: int, heading: ParagraphStyle) -> list[Flowable]:
    limits = result.profile
    rows: list[list[object]] = [
        ["Limit", "value", "Stress test", "loss", "of it slippage", "unsold", "verdict"]
    ]
    named = [
        ("position", f"{limits.max_position:.0%}"),
        ("leverage", f"{limits.max_leverage:g}×"),
        ("daily loss", f"{limits.max_daily_loss:.0%}"),
        ("drawdown", f"{limits.max_drawdown:.0%}"),
    ]
    for i, (name, value) in enumerate(named):
        stress = result.stress[i] if i < len(result.stress) else None
        tail: list[object] = ["", "", "", "", ""]
        if stress is not None:
            tail = [
                stress.scenario.replace("_", " "),
                f"{stress.loss:.2%}",
                f"{stress.slippage:.2%}",
                f"{stress.unsold:.0%}",
                _coloured(stress.verdict),
            ]
        rows.append([name, value, *tail])
    return [
        Paragraph(f"{limits.name}: {result.verdict.value}", heading),
        _image(fan_chart(result, bars_per_day), 2.5),
        Table(rows, style=_RULES, hAlign="LEFT"),
    ]


def _coloured(verdict: Verdict) -> Paragraph:
    style = ParagraphStyle("verdict", fontSize=8, leading=10, alignment=2)
    return Paragraph(f'<font color="{_COLOURS[verdict]}"><b>{verdict.value}</b></font>', style)


def _image(png: bytes, height_in: float) -> Image:
    return Image(io.BytesIO(png), width=172 * mm, height=172 * mm * height_in / 7.2)


def _bars_per_day(result: LabResult) -> int:
    steps = int(result.profiles[0].paths.sample.shape[1]) - 1
    return max(1, steps // result.settings.horizon_days)
