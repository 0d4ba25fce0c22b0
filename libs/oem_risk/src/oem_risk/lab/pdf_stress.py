"""The report's pages on stress: on paths, on days replayed, on factors, and in reverse."""

from __future__ import annotations

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, Table

from oem_risk.lab.figures import replay_chart, stress_chart
from oem_risk.lab.pdf_parts import (
    BODY,
    HEADING,
    RED,
    coloured,
    pct,
    picture,
    ruled,
    verdict_cell,
    words_cell,
)
from oem_risk.lab.result import LabResult, ProfileResult
from oem_risk.stress.reverse import ReverseStress

_TESTS = (
    "<b>Largest holding.</b> Each test meets the largest holding that the profile allows. When the "
    "day's loss reaches the daily limit, all of it is sold at market: late by the scenario's "
    "latency, into its thinned book. A test fails when the loss exceeds the drawdown limit."
)
_SHOCKS = (
    "<b>Factor shocks</b> are gaps through which no stop sells: loss of the largest holding with "
    "the cost of leaving a thin market. They inform; those marked as deciding decide."
)
_REVERSE = (
    "<b>Reverse stress</b>: the mildest move of the factors within a day, by plausibility, that "
    "breaks a limit; its distance in standard deviations of the history, and on how many days of "
    "the history the factors moved so that it would have broken."
)


def stress_pages(result: LabResult) -> list[Flowable]:
    """Return the pages on stress tests of the largest holding."""
    story: list[Flowable] = [
        Paragraph("Stress tests", HEADING),
        Paragraph(_TESTS, BODY),
    ]
    if result.book.scenarios:
        story.append(picture(stress_chart(result), 2.2))
    story += _replays(result)
    if result.profiles[0].suite.shocks:
        story.append(KeepTogether([Spacer(1, 2 * mm), Paragraph(_SHOCKS, BODY), _shocks(result)]))
    if any(p.suite.reverse for p in result.profiles):
        story.append(KeepTogether([Spacer(1, 2 * mm), Paragraph(_REVERSE, BODY), _reverse(result)]))
    return story


def _replays(result: LabResult) -> list[Flowable]:
    story: list[Flowable] = []
    first = result.profiles[0].suite.replays
    if first:
        titles = {replay.name: replay.title for replay in result.book.replays}
        rows: list[list[object]] = [
            ["Day replayed", "market", *(p.profile.name for p in result.profiles)]
        ]
        for number, one in enumerate(first):
            cells: list[object] = []
            for profile in result.profiles:
                found = profile.suite.replays[number]
                worst = pct(found.worst, 1)
                cells.append(coloured(worst, RED) if found.worst > found.limit else worst)
            name = words_cell(f"{one.replay}: {titles[one.replay]}")
            rows.append([name, pct(-one.market_fall, 0), *cells])
        words = (
            "<b>Days that happened</b>, lived through again from their own bars "
            f"({', '.join(one for one, _ in first[0].sources)}): fall of the market, and deepest "
            "loss of the holding from its highest equity, red where it exceeds the drawdown limit."
        )
        story.append(
            KeepTogether(
                [
                    Spacer(1, 2 * mm),
                    Paragraph(words, BODY),
                    picture(replay_chart(result), 2.2),
                    ruled(rows, _widths(result)),
                ]
            )
        )
    if result.not_covered:
        reasons: dict[str, list[str]] = {}
        for test, why in result.not_covered.items():
            reasons.setdefault(why, []).append(test)
        untested = "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
        story.append(Paragraph(f"<b>Not tested</b>, for want of data: {untested}.", BODY))
    return story


def _shocks(result: LabResult) -> Table:
    titles = {shock.name: shock.title for shock in result.book.shocks}
    rows: list[list[object]] = [["Shock", "decides", *(p.profile.name for p in result.profiles)]]
    for number, one in enumerate(result.profiles[0].suite.shocks):
        cells: list[object] = []
        for profile in result.profiles:
            loss = profile.suite.shocks[number].loss
            over = loss > profile.profile.max_drawdown
            cells.append(coloured(pct(loss, 1), RED) if over else pct(loss, 1))
        decides = "yes" if one.shock in result.profiles[0].suite.gates else "no"
        rows.append([words_cell(titles[one.shock]), decides, *cells])
    return ruled(rows, _widths(result))


def _widths(result: LabResult) -> list[float]:
    """Return millimetres for a name, a figure and each profile."""
    return [174 - 18 - 20 * len(result.profiles), 18, *[20.0] * len(result.profiles)]


def _reverse(result: LabResult) -> Table:
    rows: list[list[object]] = [
        ["Profile", "limit", "at", "mildest move that breaks it", "deviations", "days seen"]
    ]
    for profile in result.profiles:
        for one in profile.suite.reverse:
            value = (
                f"{one.threshold:g} x" if one.limit.value == "leverage" else pct(one.threshold, 1)
            )
            rows.append(
                [profile.profile.name, one.limit.value.replace("_", " "), value, *_mildest(one)]
            )
    return ruled(rows, [26, 24, 18, 62, 20, 24], names=2)


def _mildest(one: ReverseStress) -> tuple[str, str, str]:
    if one.broken_already:
        return "broken without any move", "0", ""
    if not one.reachable:
        return "none within 50 deviations", "", ""
    moves = ", ".join(f"{name} {pct(move, 1, sign=True)}" for name, move in one.moves.items())
    return moves, f"{one.distance:.1f}", f"{one.seen:,} of {one.observations:,}"


def stressed_table(result: ProfileResult) -> list[Flowable]:
    """Return what scenarios laid over the simulated paths did to a profile."""
    if not result.stressed:
        return []
    rows: list[list[object]] = [
        ["Scenario on paths", "verdict", "P(drawdown\nbreach)", "interval", "median\nloss",
         "95 % lose\nless than", "prices", "book", "commis-\nsion", "left by\na bar"]
    ]  # fmt: skip
    for one in result.stressed:
        parts = dict(one.parts)
        rows.append(
            [
                one.scenario.replace("_", " "),
                verdict_cell(one.gate.verdict),
                pct(one.gate.estimate),
                f"{pct(one.gate.low)} – {pct(one.gate.high)}",
                pct(one.quantile(0.5)),
                pct(one.quantile(0.95)),
                *(pct(parts[name]) for name in ("market", "book", "commission")),
                pct(one.unfilled, 0),
            ]
        )
    counts = sorted({one.gate.paths for one in result.stressed})
    paths = " to ".join(f"{n:,}" for n in (counts if len(counts) < 2 else (counts[0], counts[-1])))
    note = (
        f"Each scenario comes once, at a random bar of each of {paths} paths. The strategies see "
        "its prices; their orders arrive late, slip and are filled in part in its book. Prices, "
        "book and commission are parts of the mean loss while it lasts, as shares of equity."
    )
    return [
        Spacer(1, 2 * mm),
        ruled(rows, [24, 24, 16, 26, 14, 16, 14, 13, 14, 13]),
        Paragraph(note, BODY),
    ]
