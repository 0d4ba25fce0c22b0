"""The figures of the report, drawn to PNG bytes that depend on nothing but the result."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from oem_risk.lab.backtest import VarBacktest
from oem_risk.lab.result import LabResult, ProfileResult

WIDTH_IN = 7.2
_DPI = 150
_INK, _BLUE, _RED, _PALE, _GREY = "#1f2933", "#2563a8", "#b42318", "#cfe0f3", "#9aa5b1"
_TEXT: dict[str, Any] = {"color": _INK, "fontsize": 8}
# a place of its own: one that is looked for lays out every label of the axes once more
_TITLE: dict[str, Any] = {**_TEXT, "y": 1.0}
_LEGEND: dict[str, Any] = {"fontsize": 6.5, "frameon": False}
_PLATE: dict[str, Any] = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8}
_FLOOR = 1e-4
"""Lowest probability drawn: a log axis has no zero."""


def profile_figure(result: ProfileResult, bars_per_day: int, fixed_paths: int) -> bytes:
    """Return the equity fan beside the drawdown distribution.

    Args:
        result: Of one profile.
        bars_per_day: Bars in a day, for the axis.
        fixed_paths: The drawdown distribution is of the first so many paths, whose number was
            fixed beforehand, so that its intervals hold.
    """
    figure = Figure(figsize=(WIDTH_IN, 2.55), dpi=_DPI)
    fan, deep = figure.subplots(1, 2)
    _fan(fan, result, bars_per_day)
    _drawdowns(deep, result, fixed_paths)
    return _png(figure, gap_in=0.55)


def _fan(axes: Axes, result: ProfileResult, bars_per_day: int) -> None:
    paths = result.paths
    days = paths.fan_steps / bars_per_day
    bands = {name: row * 100 - 100 for name, row in paths.fan_quantiles().items()}
    axes.fill_between(days, bands["q05"], bands["q95"], color=_PALE, label="5-95 %", linewidth=0)
    axes.fill_between(
        days, bands["q25"], bands["q75"], color=_BLUE, alpha=0.35, label="25-75 %", linewidth=0
    )
    axes.plot(days, bands["q50"], color=_BLUE, linewidth=1.2, label="median")
    axes.axhline(0, color=_GREY, linewidth=0.6, zorder=0)
    axes.set_xlim(0, days[-1])
    axes.set_title(f"Equity, {len(paths.fan):,} paths", **_TITLE)
    axes.set_xlabel("days ahead", **_TEXT)
    axes.set_ylabel("return, %", **_TEXT)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.22 * (high - low))
    axes.legend(loc="upper left", ncols=3, **_LEGEND)


def _drawdowns(axes: Axes, result: ProfileResult, fixed_paths: int) -> None:
    """Draw P(drawdown >= x) with an exact interval at each x, and the gate at the limit."""
    from scipy.special import betainccinv, betaincinv

    losses = np.sort(result.paths.columns.max_drawdown[:fixed_paths])
    n, gate, limit = len(losses), result.drawdown_gate, result.profile.max_drawdown
    at = np.linspace(0, max(float(losses[-1]), limit) * 1.08, 240)
    events = n - np.searchsorted(losses, at, side="left")
    tail = (1 - gate.confidence) / 2
    # Clopper and Pearson's; its ends are 0 and 1 where nothing or all happened
    with np.errstate(invalid="ignore"):
        low = np.where(events > 0, betaincinv(events, n - events + 1, tail), 0.0)
        high = np.where(events < n, betainccinv(events + 1, n - events, tail), 1.0)
    axes.fill_between(
        at * 100, np.maximum(low, _FLOOR), high, color=_PALE, linewidth=0,
        label=f"{gate.confidence * 100:g} % interval",
    )  # fmt: skip
    axes.plot(at * 100, np.maximum(events / n, _FLOOR), color=_BLUE, linewidth=1.2,
              label=f"{n:,} paths")  # fmt: skip
    axes.axhline(gate.limit, color=_RED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.axvline(limit * 100, color=_RED, linewidth=0.8)
    centre = max(gate.estimate, _FLOOR)
    bar = [[centre - max(gate.low, _FLOOR)], [gate.high - centre]]
    axes.errorbar([limit * 100], [centre], yerr=bar, color=_INK, capsize=3, marker="o",
                  markersize=3, linewidth=1.2, zorder=5)  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(_FLOOR, 1.6)
    axes.set_xlim(0, at[-1] * 100)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 100:g} %"))
    axes.set_title(
        f"P(drawdown ≥ {limit * 100:.3g} %) = {gate.estimate * 100:.2f} %, "
        f"{gate.low * 100:.2f} % to {gate.high * 100:.2f} %",
        **_TITLE,
    )
    axes.set_xlabel("drawdown at least, % of the peak", **_TEXT)
    axes.annotate(f"allowed {gate.limit * 100:g} %", (0.55, gate.limit), xytext=(2, 2), color=_RED,
                  xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=6.5,
                  va="bottom", bbox=_PLATE)  # fmt: skip
    axes.legend(loc="best", **_LEGEND)


def waterfall(result: ProfileResult) -> bytes:
    """Return where each stress test's loss came from, part by part, against the limit."""
    figure = Figure(figsize=(WIDTH_IN, 2.15), dpi=_DPI)
    panels = np.atleast_1d(figure.subplots(1, len(result.stress), sharey=True))
    limit = result.profile.max_drawdown * 100
    top = limit
    for axes, stress in zip(panels, result.stress, strict=True):
        names = [*(name for name, _ in stress.parts), "loss"]
        sizes = np.array([part * 100 for _, part in stress.parts])
        ends = np.cumsum(sizes)
        starts = ends - sizes
        colours = [_BLUE if size >= 0 else _GREY for size in sizes]
        axes.bar(range(len(sizes)), sizes, 0.7, bottom=starts, color=colours)
        axes.bar(len(sizes), stress.loss * 100, 0.7,
                 color=_RED if stress.loss * 100 > limit else _INK)  # fmt: skip
        for i, end in enumerate(ends):
            axes.plot([i - 0.35, i + 1.35], [end, end], color=_GREY, linewidth=0.6, zorder=0)
        for i, (value, height) in enumerate(
            zip([*sizes, stress.loss * 100], [*np.maximum(starts, ends), stress.loss * 100],
                strict=True)
        ):  # fmt: skip
            axes.annotate(f"{value:.2f}", (i, height), xytext=(0, 1.5), ha="center",
                          textcoords="offset points", fontsize=6.5, color=_INK)  # fmt: skip
        axes.axhline(limit, color=_RED, linewidth=0.9)
        axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
        words = stress.scenario.replace("_", " ")
        unsold = f", {stress.unsold * 100:.0f} % unsold" if stress.unsold > 0.005 else ""
        axes.set_title(f"{words}: {stress.verdict.value}{unsold}", **_TITLE)
        top = max(top, float(np.maximum(starts, ends).max()), stress.loss * 100)
    panels[0].set_ylim(min(0.0, panels[0].get_ylim()[0]), top * 1.18)
    panels[0].set_ylabel("loss, % of equity", **_TEXT)
    panels[0].annotate("drawdown limit", (-0.4, limit), xytext=(0, 2), fontsize=6.5, color=_RED,
                       textcoords="offset points", va="bottom", bbox=_PLATE)  # fmt: skip
    return _png(figure, ticks=6, gap_in=0.12, bottom_in=0.36)


def stress_chart(result: LabResult) -> bytes:
    """Return the loss of every stress test and profile, with what the book took and each limit."""
    names = [s.scenario.replace("_", " ") for s in result.profiles[0].stress]
    losses = {p.profile.name: [(s.loss, s.slippage) for s in p.stress] for p in result.profiles}
    return _grouped(result, names, losses, "Scenarios: loss")


def replay_chart(result: LabResult) -> bytes:
    """Return the deepest loss of every profile on every replayed day."""
    names = [r.replay for r in result.profiles[0].suite.replays]
    losses = {
        p.profile.name: [(r.worst, r.slippage) for r in p.suite.replays] for p in result.profiles
    }
    return _grouped(result, names, losses, "Days replayed: deepest loss")


def _grouped(
    result: LabResult,
    names: list[str],
    losses: dict[str, list[tuple[float, float]]],
    title: str,
) -> bytes:
    """Draw (loss, part of it that the book took) by profile for each name, with the limits."""
    figure = Figure(figsize=(WIDTH_IN, 2.2), dpi=_DPI)
    axes = figure.subplots()
    width = 0.8 / len(result.profiles)
    shades = ["#9dbfe3", "#5a93cf", "#2563a8", "#7d8794"]
    for i, profile in enumerate(result.profiles):
        at = np.arange(len(names)) + (i - (len(result.profiles) - 1) / 2) * width
        loss, slip = np.array(losses[profile.profile.name]).T * 100
        shade = shades[i % 4]
        axes.bar(at, loss - slip, width * 0.9, color=shade, label=profile.profile.name)
        axes.bar(at, slip, width * 0.9, bottom=loss - slip, color=shade, hatch="////",
                 edgecolor="white", linewidth=0)  # fmt: skip
        axes.hlines([profile.profile.max_drawdown * 100] * len(names), at - width * 0.45,
                    at + width * 0.45, color=_RED, linewidth=1.4)  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.axhline(0, color=_INK, linewidth=0.5)
    axes.set_ylabel("loss, % of equity", **_TEXT)
    axes.set_title(f"{title} (hatched: taken by the book), red: drawdown limit", **_TITLE)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), high * 1.2)
    axes.legend(ncols=4, loc="upper right", **_LEGEND)
    return _png(figure, bottom_in=0.25)


def backtest_chart(test: VarBacktest) -> bytes:
    """Return each day's return, the value at risk forecast for it, and the exceptions."""
    figure = Figure(figsize=(WIDTH_IN, 2.2), dpi=_DPI)
    axes = figure.subplots()
    days = np.arange(len(test.var))
    # one collection of lines is drawn ten times sooner than hundreds of bars
    thick = min(4.0, (WIDTH_IN - 0.6) * 72 / len(days))
    axes.vlines(days, 0, test.returns * 100, color=_GREY, linewidth=thick,
                label="return of the day")  # fmt: skip
    axes.plot(days, -test.var * 100, color=_BLUE, linewidth=1.1,
              label=f"value at risk {test.level * 100:g} %, forecast the day before")  # fmt: skip
    axes.plot(days[test.hits], test.returns[test.hits] * 100, "o", color=_RED, markersize=3.5,
              label=f"exceptions: {int(test.hits.sum())}, expected "
                    f"{len(days) * (1 - test.level):.1f}")  # fmt: skip
    axes.axhline(0, color=_INK, linewidth=0.5)
    axes.set_xlim(-0.5, len(days) - 0.5)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("days of the history", **_TEXT)
    axes.set_ylabel("%", **_TEXT)
    axes.set_title(f"Back-test of the paths' model ({test.model}), {len(days)} days", **_TITLE)
    axes.legend(ncols=3, loc="upper left", **_LEGEND)
    return _png(figure)


def _png(
    figure: Figure, *, ticks: float = 7, gap_in: float = 0.0, bottom_in: float = 0.42
) -> bytes:
    """Draw the figure once and return it; margins are set, for finding them draws it twice more."""
    width, height = (float(size) for size in figure.get_size_inches())
    panels = len(figure.axes)
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.08 / width, top=1 - 0.24 / height, bottom=bottom_in / height,
        wspace=gap_in * panels / (width - 0.58 - gap_in * (panels - 1)),
    )  # fmt: skip
    for axes in figure.axes:
        axes.tick_params(labelsize=ticks, colors=_INK)
        axes.spines[["top", "right"]].set_visible(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    imsave(buffer, drawn, format="png", metadata={"Software": "oem-risk"})
    return buffer.getvalue()
