"""The report for people, byte for byte the same for the same result."""

from __future__ import annotations

import io
from functools import partial

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)

from oem_risk.lab.backtest import VarBacktest
from oem_risk.lab.figures import backtest_chart, profile_figure, waterfall
from oem_risk.lab.pdf_parts import (
    BODY,
    COLOURS,
    HEADING,
    RED,
    SMALL,
    bar_cell,
    pct,
    picture,
    ruled,
    verdict_cell,
)
from oem_risk.lab.pdf_stress import stress_pages, stressed_table
from oem_risk.lab.result import LabResult, LimitUse, ProfileResult
from oem_risk.paths.calibrate import PathKind
from oem_security.clock import rfc3339


def report_pdf(result: LabResult, *, json_sha384: str) -> bytes:
    """Return the PDF of a lab result; it names the JSON report by its hash."""
    verdict = result.verdict
    story: list[Flowable] = [
        Paragraph(
            f'<font size="18"><b>Paper Labs: <font color="{COLOURS[verdict]}">{verdict.value}'
            "</font></b></font>",
            HEADING,
        ),
        Spacer(1, 3 * mm),
        *_synthetic(result),
        Paragraph(_summary(result), BODY),
        Spacer(1, 3 * mm),
        _overview(result),
        Spacer(1, 3 * mm),
        Paragraph(_READING, BODY),
        Paragraph(_together(result), BODY),
        *_backtest(result.backtest),
        *stress_pages(result),
    ]
    for profile in result.profiles:
        story += [Spacer(1, 4 * mm), KeepTogether(_profile(profile, result))]
    hashes = "<br/>".join(f"{symbol}: {digest}" for symbol, digest in result.hashes.items())
    story += [
        Spacer(1, 4 * mm),
        Paragraph(
            f"Data, SHA-384<br/>{hashes}<br/>Report in JSON, SHA-384<br/>{json_sha384}", SMALL
        ),
    ]
    buffer = io.BytesIO()
    foot = partial(_foot, result, json_sha384)
    SimpleDocTemplate(
        buffer,
        pagesize=A4,
        invariant=1,
        title="Paper Labs",
        author="",
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=18 * mm,
    ).build(story, onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _foot(result: LabResult, json_sha384: str, canvas: Canvas, _: BaseDocTemplate) -> None:
    """Mark each page with what it belongs to, so that none can be shown alone."""
    canvas.saveState()
    canvas.setFont("Helvetica", 7)
    canvas.setFillColor(colors.HexColor("#52606d"))
    words = f"Paper Labs, seed {result.settings.seed}, report {json_sha384[:16]}"
    canvas.drawString(18 * mm, 10 * mm, words)
    canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, f"page {canvas.getPageNumber()}")
    if result.synthetic:
        canvas.setFillColor(colors.HexColor(RED))
        canvas.drawCentredString(A4[0] / 2, 10 * mm, "SYNTHETIC DATA")
    canvas.restoreState()


def _synthetic(result: LabResult) -> list[Flowable]:
    if not result.synthetic:
        return []
    names = ", ".join(s for s, report in result.data.items() if report.synthetic)
    return [
        Paragraph(
            f'<font color="{RED}"><b>Made of synthetic data ({names}): it shows that the '
            "machinery works, and says nothing of a real market.</b></font>",
            BODY,
        )
    ]


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
    strategies = ", ".join(f"{name} ({pct(share, 0)})" for name, share in result.strategies)
    paths = f"{settings.paths:,} paths"
    if settings.sequential:
        paths += f" or more, up to {settings.most_paths:,}, until decided,"
    return (
        f"{paths} of {settings.horizon_days} days per profile: "
        f"{_MODELS[settings.path_model]} {origin}, {start} to {end} "
        f"({', '.join(result.hashes)}). "
        f"Strategies: {strategies}. Cost of turnover {settings.cost_bps:g} bps. "
        f"Seed {settings.seed}. Confidence {pct(settings.confidence, 0)}."
    )


_READING = (
    "PASS means that the whole interval of the breach probability lies inside what is allowed, "
    "undisturbed and under each scenario, and that every deciding stress test stays inside the "
    "drawdown limit; FAIL that an interval lies outside, or a stress test does; INCONCLUSIVE that "
    "more paths are needed to tell."
)


def _together(result: LabResult) -> str:
    gates = sum(1 + len(profile.stressed) for profile in result.profiles)
    wrong = 1 - result.settings.confidence
    each = wrong if result.settings.sequential else wrong / 2
    words = (
        f"A profile whose true breach probability is above the limit passes in at most "
        f"{pct(each, 1)} of such reports, and so does the report as a whole: to pass, every gate "
        "must. "
    )
    if (count := len(result.profiles)) > 1:
        words += (
            f"That some one of the {count} profiles passes wrongly, were all of them bad, is at "
            f"most {pct(min(1.0, each * count), 1)}; "
        )
    return words + (
        f"{'that' if count > 1 else 'That'} any of the {gates} gates is on the wrong side, at most "
        f"{pct(min(1.0, each * gates), 1)}."
    )


def _backtest(test: VarBacktest | None) -> list[Flowable]:
    if test is None:
        return [
            Paragraph(
                "The history is too short to back-test the paths' model: it needs 50 days of "
                "forecasts after 100 days to make them from.",
                BODY,
            )
        ]
    found = "rejected" if test.rejected else "not rejected"
    return [
        picture(backtest_chart(test), 2.2),
        Paragraph(
            f"Equal holding of all symbols, each day's forecast made from the {test.window} days "
            f"before it. Number of exceptions: p = {test.coverage.p_value:.3f} "
            f"({test.coverage.method}); one following another: p = "
            f"{test.independence.p_value:.3f} ({test.independence.method}); traffic light "
            f"{test.light.zone.value}. At 1 % the model is <b>{found}</b>. This does not decide "
            "the verdict: it says how far the paths can be believed.",
            BODY,
        ),
    ]


def _overview(result: LabResult) -> Table:
    rows: list[list[object]] = [
        [
            "Profile", "verdict", "P(drawdown\nbreach)", "interval", "allowed", "paths",
            "the same in\na scenario", "worst\nstress test", "drawdown\nlimit",
            "median\nreturn",
        ]
    ]  # fmt: skip
    for profile in result.profiles:
        gate = profile.drawdown_gate
        stressed = [one.gate.estimate for one in profile.stressed]
        rows.append(
            [
                profile.profile.name,
                verdict_cell(profile.verdict),
                pct(gate.estimate),
                f"{pct(gate.low)} – {pct(gate.high)}",
                pct(gate.limit, 0),
                f"{gate.paths:,}",
                pct(max(stressed)) if stressed else "-",
                pct(profile.suite.worst, 1),
                pct(profile.profile.max_drawdown, 0),
                pct(profile.quantiles()["total_return"]["q50"], sign=True),
            ]
        )
    return ruled(rows, [21, 24, 15.5, 26, 12, 12, 18, 19, 13.5, 13.5])


def _profile(result: ProfileResult, lab: LabResult) -> list[Flowable]:
    gate, deep = result.drawdown_gate, result.drawdown
    words = (
        f"95 % of the paths fall by less than {pct(deep.value)} from their peak "
        f"({pct(deep.low)} to {pct(deep.high)} at {pct(deep.confidence, 0)}). The "
        "daily loss limit was reached on some day of "
        f"{pct(result.daily_loss_gate.estimate)} of the paths; new exposure then stops until the "
        "next day."
    )
    if gate.more_paths:
        words += f" About {gate.more_paths:,} further paths would decide."
    name, verdict = result.profile.name, result.verdict
    story: list[Flowable] = [
        Paragraph(
            f'<b>{name}: <font color="{COLOURS[verdict]}">{verdict.value}</font></b>', HEADING
        ),
        picture(profile_figure(result, lab.bars_per_day, lab.settings.paths), 2.55),
    ]
    if result.stress:
        story.append(picture(waterfall(result), 2.15))
    return [
        *story,
        _limit_table(result.limits()),
        Paragraph(words, BODY),
        *stressed_table(result),
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
            bar_cell(use.high / use.limit, beyond=use.worst > use.limit * (1 + 1e-9)),
        ]
        for use in uses
    ]
    return ruled(rows, [32, 24, 24, 28, 26, 38])


def _amount(number: float, unit: str) -> str:
    if unit == "symbols":
        return f"{number:.0f}"
    return f"{number:.2f} x" if unit == "x" else pct(number)
