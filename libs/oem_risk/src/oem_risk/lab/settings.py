"""How Paper Labs is run: all of it stands in the report, so that the report can be made again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from oem_risk.errors import LabProblem
from oem_risk.paths.calibrate import PathKind

LEAST_PATHS = 100
MOST_PATHS = 10**9


@dataclass(frozen=True, slots=True)
class LabSettings:
    """How the lab is run.

    Attributes:
        paths: Paths per profile, >= 100; the fewest, where they are added until decided.
        horizon_days: Days ahead, 1 to 3,650.
        mean_block_days: Block length of the bootstraps, days, > 0; mean length of the stationary
            one.
        seed: Root seed, >= 0.
        cost_bps: Cost of turnover, basis points, >= 0: half spread plus commission.
        spread_bps: Usual spread, for the stress tests, >= 0.
        depth_share: Share of a bar's mean volume that stands on one side of the book, > 0.
        equity: Equity the stress tests sell with, quote units, > 0.
        confidence: Confidence of every gate and interval, in (0, 1).
        path_model: Model the paths are drawn from, fitted to the history.
        most_paths: Most paths per profile. 0: `paths` of them, judged once. Above `paths`: paths
            are added until every drawdown gate is decided, by intervals that allow for that.
        rebalance_band: A change of a holding smaller than this share of it is not made, in [0, 1).
        stress_paths: Paths that each scenario is laid over, per profile, >= 100; 0 lays none.
    """

    paths: int = 2048
    horizon_days: int = 30
    mean_block_days: float = 1.0
    seed: int = 20260101
    cost_bps: float = 11.0
    spread_bps: float = 2.0
    depth_share: float = 0.1
    equity: float = 100_000.0
    confidence: float = 0.95
    path_model: PathKind = PathKind.STATIONARY
    most_paths: int = 0
    rebalance_band: float = 0.1
    stress_paths: int = 512

    @property
    def sequential(self) -> bool:
        """Whether paths are added until decided."""
        return self.most_paths > 0

    def require(self) -> None:
        """Refuse settings out of range.

        Raises:
            LabProblem: One is; it is named.
        """
        ranges: tuple[tuple[str, float, bool, str], ...] = (
            ("paths", self.paths, LEAST_PATHS <= self.paths <= MOST_PATHS,
             f"{LEAST_PATHS} to {MOST_PATHS:,} paths"),
            ("horizon_days", self.horizon_days, 1 <= self.horizon_days <= 3_650,
             "at least 1 day and at most 3,650"),
            ("mean_block_days", self.mean_block_days, self.mean_block_days > 0,
             "a block above 0 days"),
            ("seed", self.seed, self.seed >= 0, "a seed of at least 0"),
            ("cost_bps", self.cost_bps, self.cost_bps >= 0, "a cost of at least 0"),
            ("spread_bps", self.spread_bps, self.spread_bps >= 0, "a spread of at least 0"),
            ("depth_share", self.depth_share, self.depth_share > 0, "a share above 0"),
            ("equity", self.equity, self.equity > 0, "an equity above 0"),
            ("confidence", self.confidence, 0 < self.confidence < 1,
             "a confidence between 0 and 1"),
            ("most_paths", self.most_paths,
             self.most_paths == 0 or self.paths <= self.most_paths <= MOST_PATHS,
             f"0, or at least as many as paths and at most {MOST_PATHS:,}"),
            ("rebalance_band", self.rebalance_band, 0 <= self.rebalance_band < 1,
             "a share of at least 0 and below 1"),
            ("stress_paths", self.stress_paths,
             self.stress_paths == 0 or LEAST_PATHS <= self.stress_paths <= MOST_PATHS,
             f"0, or {LEAST_PATHS} to {MOST_PATHS:,} paths"),
        )  # fmt: skip
        for name, value, fine, wanted in ranges:
            if not fine or not math.isfinite(value):  # a NaN fails its comparison
                raise LabProblem(
                    f"{name} is {value}; the lab needs {wanted}",
                    where=f"settings.{name}",
                    remedy=f"give {wanted}",
                )


def settings_from(values: dict[str, object]) -> LabSettings:
    """Return the settings that a report states.

    Raises:
        LabProblem: A setting is unknown, missing, of another type or out of range.
    """
    known = {name: type(getattr(LabSettings(), name)) for name in LabSettings.__slots__}
    if (wrong := sorted(set(values) ^ set(known))) != []:
        raise LabProblem(
            f"settings differ from those of this version: {', '.join(wrong)}",
            where="settings",
            remedy="use the version of oem-risk that the report names",
        )
    read: dict[str, object] = {}
    for name, kind in known.items():
        try:
            read[name] = kind(values[name])
        except (TypeError, ValueError):
            raise LabProblem(
                f"{name} is {values[name]!r}",
                where=f"settings.{name}",
                remedy="restore the report; its seal tells whether it was changed",
            ) from None
    settings = LabSettings(**read)  # type: ignore[arg-type]
    settings.require()
    return settings
