"""The figures of the report, drawn to PNG bytes that depend on nothing but the result."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oem_risk.lab.run import LabResult, ProfileResult

_INK, _BLUE, _RED, _PALE = "#1f2933", "#2563a8", "#b42318", "#cfe0f3"
_STYLE: dict[str, Any] = {"color": _INK, "fontsize": 8}


def fan_chart(result: ProfileResult, bars_per_day: int) -> bytes:
    """Return the equity fan beside the drawdown distribution with its limit."""
    figure = Figure(figsize=(7.2, 2.5), dpi=150)
    fan, drawdown = figure.subplots(1, 2)
    sample = result.paths.sample
    days = np.arange(sample.shape[1]) / bars_per_day
    bands = np.quantile(sample, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0) * 100 - 100
    fan.fill_between(days, bands[0], bands[4], color=_PALE, label="5–95 %", linewidth=0)
    fan.fill_between(
        days, bands[1], bands[3], color=_BLUE, alpha=0.35, label="25–75 %", linewidth=0
    )
    fan.plot(days, bands[2], color=_BLUE, linewidth=1.2, label="median")
    fan.set_title("Equity, first 256 paths", **_STYLE)
    fan.set_xlabel("days ahead", **_STYLE)
    fan.set_ylabel("return, %", **_STYLE)
    fan.legend(fontsize=6.5, frameon=False, loc="upper left")
    losses = result.paths.max_drawdown * 100
    limit = result.profile.max_drawdown * 100
    edges = np.linspace(0, max(float(losses.max()), limit) * 1.1, 40)
    drawdown.hist(losses, bins=edges, color=_PALE, edgecolor=_BLUE, linewidth=0.4)
    drawdown.axvline(limit, color=_RED, linewidth=1.2)
    gate = result.drawdown_gate
    note = (
        f"limit {limit:.0f} %\nP = {gate.estimate * 100:.2f} %\n"
        f"[{gate.low * 100:.2f}, {gate.high * 100:.2f}] %"
    )
    drawdown.annotate(
        note,
        (limit, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-5, 0),
        ha="right",
        va="top",
        textcoords="offset points",
        fontsize=7,
        color=_RED,
    )
    drawdown.set_title("Largest drawdown of each path", **_STYLE)
    drawdown.set_xlabel("drawdown, %", **_STYLE)
    drawdown.set_ylabel("paths", **_STYLE)
    return _png(figure)


def stress_chart(result: LabResult) -> bytes:
    """Return the loss of every stress test, with the part the book took and each limit."""
    figure = Figure(figsize=(7.2, 2.4), dpi=150)
    axes = figure.subplots()
    names = [s.scenario.replace("_", " ") for s in result.profiles[0].stress]
    width = 0.8 / len(result.profiles)
    shades = ["#9dbfe3", "#5a93cf", "#2563a8", "#7d8794"]
    for i, profile in enumerate(result.profiles):
        at = np.arange(len(names)) + (i - (len(result.profiles) - 1) / 2) * width
        loss = np.array([s.loss * 100 for s in profile.stress])
        slip = np.array([s.slippage * 100 for s in profile.stress])
        axes.bar(at, loss - slip, width * 0.9, color=shades[i % 4], label=profile.profile.name)
        axes.bar(
            at,
            slip,
            width * 0.9,
            bottom=loss - slip,
            color=shades[i % 4],
            hatch="////",
            edgecolor="white",
            linewidth=0,
        )
        axes.hlines(
            [profile.profile.max_drawdown * 100] * len(names),
            at - width * 0.45,
            at + width * 0.45,
            color=_RED,
            linewidth=1.4,
        )
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("loss, % of equity", **_STYLE)
    axes.set_title("Stress tests: loss (hatched: taken by the book), red: limit", **_STYLE)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
    axes.legend(fontsize=6.5, frameon=False, ncols=4, loc="upper right")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.tick_params(labelsize=7, colors=_INK)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
