"""Paper Labs on the site's own configuration: its strategies, its data, its venue's book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import oem_exec
import oem_risk
from oem_daemon.bootstrap import strategy_of
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.data import load_bars
from oem_daemon.site import Site
from oem_security import Keyring, seal_file

HISTORY_BARS = 17_520


@dataclass(frozen=True, slots=True)
class BookWalk:
    """The paper venue's book as the stress tests' fill model."""

    levels: int = 10
    step_bps: float = 5.0

    def sell(
        self, quantity: float, *, mid: float, spread_bps: float, depth: float
    ) -> tuple[float, float]:
        """Return (quantity filled, average price) of a market sell that walks the book."""
        if depth <= 0:
            return 0.0, mid
        book = oem_exec.synthetic_book(
            mid, spread_bps=spread_bps, depth=depth, levels=self.levels, step_bps=self.step_bps
        )
        taken = oem_exec.walk_book(book.bids, oem_exec.Side.SELL, quantity)
        filled = sum(size for _, size in taken)
        paid = sum(price * size for price, size in taken)
        return (float(filled), float(paid / filled)) if filled else (0.0, mid)


@dataclass(frozen=True, slots=True)
class LabFiles:
    """A lab's result and the files it was written to, each with its seal beside it."""

    result: oem_risk.LabResult
    json: Path
    pdf: Path


def run_site_lab(
    site: Site,
    *,
    profiles: tuple[str, ...] | None = None,
    paths: int = 2048,
    progress: Callable[[int, int], None] | None = None,
) -> LabFiles:
    """Run Paper Labs for a site and write the sealed report.

    Args:
        site: The site; its configuration names data and strategies.
        profiles: Profiles to judge; None judges all four.
        paths: Paths per profile.
        progress: Called with (blocks done, blocks in all).
    """
    config = read_config(site.config)
    bars = load_bars(config, base=site.root, at_most=HISTORY_BARS)
    wanted = (
        oem_risk.shipped_profiles()
        if profiles is None
        else tuple(oem_risk.shipped_profile(name) for name in profiles)
    )
    paper = config.execution.paper
    settings = oem_risk.LabSettings(
        paths=paths,
        cost_bps=10.0 + paper.spread_bps / 2,
        spread_bps=paper.spread_bps,
        depth_share=paper.depth_share,
        equity=float(config.runtime.initial_cash),
    )
    result = oem_risk.run_lab(
        bars,
        [(strategy_of(slot), slot.capital_share) for slot in config.strategies],
        wanted,
        settings=settings,
        fills=BookWalk(),
        progress=progress,
    )
    written = oem_risk.write_lab_report(
        result, site.paper_labs, config_sha384=config_hash(site.config)
    )
    keyring = Keyring.open(site.keys)
    claims = {"verdict": result.verdict.value, "synthetic_data": result.synthetic}
    for path, media in zip(written, ("application/json", "application/pdf"), strict=True):
        seal_file(path, keyring, media_type=media, claims=claims)
    return LabFiles(result, *written)
