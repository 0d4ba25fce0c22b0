"""The points that figures are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oem_tco.tables.markouts import MarkoutMean


@dataclass(frozen=True, slots=True)
class MarkoutPoint:
    """How the mid stood against fills some time after them.

    Attributes:
        horizon_s: Seconds after the fill.
        mean_bps: Mean move, bps of the fill's price; positive went the order's way.
        low_bps: Lower end of its interval; so is `high_bps`.
        fills: Fills it is the mean of.
    """

    horizon_s: float
    mean_bps: float
    low_bps: float
    high_bps: float
    fills: int


@dataclass(frozen=True, slots=True)
class EstimatePoint:
    """One order's estimate and what its filled part cost, bps."""

    low_bps: float
    expected_bps: float
    high_bps: float
    realised_bps: float

    @property
    def inside(self) -> bool:
        return self.low_bps <= self.realised_bps <= self.high_bps


def markout_points(curve: Iterable[MarkoutMean]) -> tuple[MarkoutPoint, ...]:
    """Return a curve of `markout_curve` as a report draws it; a mean of one fill is left out.

    A single fill has no interval, and a figure without one would look surer than it is.
    """
    return tuple(
        MarkoutPoint(m.horizon_ns / 1e9, m.mean_bps, m.low_bps, m.high_bps, m.fills)
        for m in curve
        if m.fills > 1
    )
