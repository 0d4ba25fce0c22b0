"""The figures of the reports, as PNG bytes that depend on nothing but their arguments."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from oem_tco.analysis.groups import GroupCost
from oem_tco.ledger.analysis import CostTotal
from oem_tco.report.page import FAINT, INK, PALE
from oem_tco.report.points import EstimatePoint, MarkoutPoint
from oem_tco.terms import COMPONENTS

COST, GAIN, SUM = "#b4532a", "#1a7f4b", "#2563a8"
_LINES = ("#2563a8", "#b4532a", "#1a7f4b", "#7c3aed", "#0f766e", "#be185d")
_STYLES = ("-", "--", "-.", ":")
_TEXT: dict[str, Any] = {"color": INK, "fontsize": 8}
MOST_POINTS = 400


def waterfall(total: CostTotal) -> bytes:
    """Return the components of a total, each beginning where the one before it ended."""

    def draw(axes: Axes) -> None:
        level = 0.0
        names = [component.value.replace("_", "\n") for component in COMPONENTS]
        for position, component in enumerate(COMPONENTS):
            value = total.bps(component) if total.notional else 0.0
            axes.bar(position, value, bottom=level, width=0.6, color=COST if value >= 0 else GAIN)
            if position:
                axes.plot([position - 0.7, position - 0.3], [level] * 2, color=PALE, linewidth=0.5)
            level += value
            _label(axes, position, max(level, level - value), value)
        axes.plot([len(names) - 0.7, len(names) - 0.3], [level] * 2, color=PALE, linewidth=0.5)
        axes.bar(len(names), level, width=0.6, color=SUM)
        _label(axes, len(names), max(level, 0.0), level)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_xticks(range(len(names) + 1), [*names, "total"])
        axes.set_ylabel("bps of notional", **_TEXT)
        axes.set_title("Where the cost came from", **_TEXT)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.15 * (high - low))

    return _png(draw, height=2.6)


def venue_hours(groups: Sequence[GroupCost]) -> bytes:
    """Return a map of cost by venue and hour.

    Args:
        groups: Groups by venue and hour of one currency; hours without orders stay white.
    """
    venues = sorted({group.key[0] for group in groups})
    costs = {group.key: group.costs for group in groups}
    values = [
        [
            costs[venue, f"{hour:02d}"].bps() if (venue, f"{hour:02d}") in costs else math.nan
            for hour in range(24)
        ]
        for venue in venues
    ]

    def draw(axes: Axes) -> None:
        known = [value for row in values for value in row if not math.isnan(value)]
        reach = 1.4 * max((abs(value) for value in known), default=1.0) or 1.0
        axes.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-reach, vmax=reach)
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                if not math.isnan(value):
                    dark = abs(value) > 0.65 * reach
                    axes.text(
                        x, y, f"{value:.1f}", ha="center", va="center", fontsize=5.5,
                        color="white" if dark else INK,
                    )  # fmt: skip
        axes.set_xticks(range(24), [f"{hour:02d}" for hour in range(24)])
        axes.set_yticks(range(len(venues)), [_short(venue) for venue in venues])
        axes.set_xlabel("hour of the decision, UTC", **_TEXT)
        axes.set_title("Cost by venue and hour, bps (red is dear, blue a gain)", **_TEXT)

    return _png(draw, height=0.9 + 0.32 * max(len(venues), 1), left=0.2)


def estimates(points: Sequence[EstimatePoint]) -> bytes:
    """Return estimates with their intervals against what the orders cost, cheapest first."""
    ordered = sorted(points, key=lambda p: (p.expected_bps, p.realised_bps, p.low_bps))
    step = max(1, math.ceil(len(ordered) / MOST_POINTS))
    shown = ordered[::step]

    def draw(axes: Axes) -> None:
        places = range(len(shown))
        axes.vlines(
            places, [p.low_bps for p in shown], [p.high_bps for p in shown], color="#9fb3c8",
            linewidth=1.2, label="interval of the estimate",
        )  # fmt: skip
        axes.plot(
            places, [p.expected_bps for p in shown], color=SUM, linewidth=0.8, label="estimate"
        )
        for wanted, color, mark, name in (
            (True, GAIN, "o", "realised, inside"),
            (False, COST, "x", "realised, outside"),
        ):
            where = [i for i, p in enumerate(shown) if p.inside is wanted]
            axes.plot(
                where, [shown[i].realised_bps for i in where], mark, color=color, markersize=3,
                label=name, linestyle="none",
            )  # fmt: skip
        every = "every order" if step == 1 else f"every {step}th order"
        axes.set_xlabel(f"{every} with an estimate, by rising estimate", **_TEXT)
        axes.set_ylabel("bps of filled notional", **_TEXT)
        axes.set_title("Estimate against realised", **_TEXT)
        axes.legend(fontsize=6.5, frameon=False, ncols=4, loc="upper left")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.18 * (high - low))

    return _png(draw, height=2.6)


def markouts(curves: Mapping[str, Sequence[MarkoutPoint]]) -> bytes:
    """Return markout curves with their intervals, one for each label."""

    def draw(axes: Axes) -> None:
        for number, (label, points) in enumerate(sorted(curves.items())):
            color, style = _LINES[number % len(_LINES)], _STYLES[number // len(_LINES) % 4]
            places = [p.horizon_s for p in points]
            axes.plot(
                places, [p.mean_bps for p in points], color=color, marker="o", markersize=2.5,
                linewidth=1, linestyle=style, label=_short(label),
            )  # fmt: skip
            axes.fill_between(
                places, [p.low_bps for p in points], [p.high_bps for p in points], color=color,
                alpha=0.12, linewidth=0,
            )  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.6)
        every = [p.horizon_s for points in curves.values() for p in points]
        if every and min(every) > 0:
            axes.set_xscale("log")
            axes.set_xticks(sorted(set(every)), [f"{at:g}" for at in sorted(set(every))])
            axes.set_xticks([], minor=True)
        axes.set_xlabel("seconds after the fill", **_TEXT)
        axes.set_ylabel("bps, positive went our way", **_TEXT)
        axes.set_title("Markouts: the mid after the fill", **_TEXT)
        axes.legend(fontsize=6.5, frameon=False, ncols=4)

    return _png(draw, height=2.6)


def bars(labels: Sequence[str], values: Sequence[float], *, title: str, unit: str) -> bytes:
    """Return horizontal bars, the first on top."""

    def draw(axes: Axes) -> None:
        places = range(len(labels))
        axes.barh(places, values, color=SUM, height=0.6)
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:,.6g}", (max(value, 0.0), place), xytext=(3, 0), va="center",
                textcoords="offset points", fontsize=7, color=INK,
            )  # fmt: skip
        axes.set_yticks(places, [_short(label) for label in labels])
        axes.invert_yaxis()
        if all(value == int(value) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(unit, **_TEXT)
        axes.set_title(title, **_TEXT)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.0), high + 0.12 * (high - low))

    return _png(draw, height=0.85 + 0.22 * max(len(labels), 1), left=0.2)


def height_ratio(png: bytes) -> float:
    """Return a PNG's height over its width, from its header."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    return height / width


def _png(draw: Callable[[Axes], None], *, height: float, left: float = 0.075) -> bytes:
    # the reader's own matplotlib settings must not change a sealed report
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(7.2, height), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        draw(axes)
        axes.tick_params(labelsize=7, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        # fixed margins, in inches above and below: measuring the texts takes as long as drawing
        figure.subplots_adjust(left=left, right=0.99, bottom=0.48 / height, top=1.0 - 0.26 / height)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _short(text: str, longest: int = 24) -> str:
    text = "".join(c if c.isprintable() and c < "\u3000" else "?" for c in text) or "(none)"
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return text.replace("$", r"\$")  # a dollar begins mathematics in matplotlib


def _label(axes: Axes, position: float, top: float, value: float) -> None:
    place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points"}
    axes.annotate(f"{value:+.2f}", (position, top), ha="center", va="bottom", fontsize=7, **place)
