"""Paper Labs on the site's own configuration: its strategies, its data, its venue's book."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import oem_exec
import oem_risk
from oem_daemon.config.model import CoreConfig
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.data import load_bars
from oem_daemon.errors import NotReady
from oem_daemon.place import strategy_of
from oem_daemon.site import Site
from oem_security import Keyring, seal_file, verify_file

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
    result = _simulate(site, config, wanted, settings, progress)
    written = oem_risk.write_lab_report(
        result, site.paper_labs, config_sha384=config_hash(site.config)
    )
    keyring = Keyring.open(site.keys)
    claims = {"verdict": result.verdict.value, "synthetic_data": result.synthetic}
    for path, media in zip(written, ("application/json", "application/pdf"), strict=True):
        seal_file(path, keyring, media_type=media, claims=claims)
    return LabFiles(result, *written)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of running a report again.

    Attributes:
        same: Whether JSON and PDF have the same bytes.
        differences: Fields that differ, with both values; empty when the bytes are the same.
    """

    same: bool
    differences: tuple[str, ...]


def reproduce_site_lab(
    site: Site, report: Path, *, progress: Callable[[int, int], None] | None = None
) -> Reproduction:
    """Run a Paper Labs report again from its own seed, settings and profiles, and compare bytes.

    Strategies and data come from the site's configuration, which must be the one whose hash the
    report states; the data's hashes are compared with the rest.

    Args:
        site: The site.
        report: The sealed JSON of the report; its PDF stands beside it.
        progress: Called with (blocks done, blocks in all).

    Raises:
        SealError: The report does not hold.
        NotReady: The configuration is another one than the report's.
    """
    verify_file(report, Keyring.open(site.keys))
    stated = json.loads(report.read_bytes())
    here = config_hash(site.config)
    if stated["config_sha384"] != here:
        raise NotReady(
            f"the report was made under another configuration ({stated['config_sha384'][:16]}…, "
            f"this is {here[:16]}…)",
            where=str(site.config),
            remedy="put the configuration of that time back",
        )
    wanted = tuple(oem_risk.RiskProfile.model_validate(p["profile"]) for p in stated["profiles"])
    settings = oem_risk.LabSettings(**stated["settings"])
    result = _simulate(site, read_config(site.config), wanted, settings, progress)
    with tempfile.TemporaryDirectory() as folder:
        fresh = oem_risk.write_lab_report(result, Path(folder), config_sha384=here)
        pairs = zip((report, report.with_suffix(".pdf")), fresh, strict=True)
        same = [old.read_bytes() == new.read_bytes() for old, new in pairs]
        found = list(_differences(stated, json.loads(fresh[0].read_bytes())))
    if same[0] and not same[1]:
        found.append("the PDF differs, the JSON does not: other versions of the drawing libraries")
    return Reproduction(all(same), tuple(found))


def _simulate(
    site: Site,
    config: CoreConfig,
    profiles: Sequence[oem_risk.RiskProfile],
    settings: oem_risk.LabSettings,
    progress: Callable[[int, int], None] | None,
) -> oem_risk.LabResult:
    return oem_risk.run_lab(
        load_bars(config, base=site.root, at_most=HISTORY_BARS),
        [(strategy_of(slot), slot.capital_share) for slot in config.strategies],
        profiles,
        settings=settings,
        fills=BookWalk(),
        progress=progress,
    )


def _differences(old: object, new: object, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{path}[{number}]")
    elif old != new:
        yield f"{path}: reported {old!r}, now {new!r}"
