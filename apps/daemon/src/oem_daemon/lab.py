"""Paper Labs on the site's own configuration: its strategies, its data, its venue's book."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

import oem_exec
import oem_risk
from oem_daemon.config.model import (
    CoreConfig,
    ParquetData,
    Section,
    StrategySlot,
    Symbol,
    SyntheticData,
    VenueData,
)
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.data import load_source
from oem_daemon.errors import NotReady
from oem_daemon.place import strategy_of
from oem_daemon.site import Site
from oem_security import Journal, Keyring, Receipt, seal_file, verify_file

HISTORY_BARS = 17_520
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BookWalk:
    """The paper venue's book as the fill model of stress tests and stressed paths.

    Attributes:
        levels: Price levels on each side.
        step_bps: Distance between them, basis points.
    """

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

    def sell_many(
        self, quantity: Floats, *, mid: Floats, spread_bps: Floats, depth: Floats
    ) -> tuple[Floats, Floats]:
        """Return (quantities filled, average prices) of many market sells, level by level."""
        ranks = np.arange(1, self.levels + 1)[:, None]
        sizes = depth * ranks / (self.levels * (self.levels + 1) / 2)
        prices = mid * (1 - (spread_bps / 2 + self.step_bps * (ranks - 1)) * 1e-4)
        before = np.cumsum(sizes, axis=0) - sizes
        taken = np.clip(quantity - before, 0.0, sizes)
        filled = taken.sum(axis=0)
        paid = (taken * prices).sum(axis=0)
        return filled, np.divide(paid, filled, out=mid.copy(), where=filled > 0)


@dataclass(frozen=True, slots=True)
class LabFiles:
    """A lab's result and the files it was written to, each with its seal beside it."""

    result: oem_risk.LabResult
    json: Path
    pdf: Path


class LabInputs(Section):
    """What a report needs beside its settings to be run again, as it stands in the report."""

    market_data: Annotated[ParquetData | SyntheticData | VenueData, Field(discriminator="source")]
    symbols: tuple[Symbol, ...]
    history_bars: int = Field(ge=60)
    strategies: tuple[StrategySlot, ...]
    book_levels: int = Field(ge=1)
    book_step_bps: float = Field(gt=0)

    @classmethod
    def of(cls, config: CoreConfig) -> LabInputs:
        """Return the inputs that a configuration names."""
        book = BookWalk()
        return cls(
            market_data=config.market_data,
            symbols=config.runtime.symbols,
            history_bars=HISTORY_BARS,
            strategies=config.strategies,
            book_levels=book.levels,
            book_step_bps=book.step_bps,
        )


def site_settings(config: CoreConfig) -> oem_risk.LabSettings:
    """Return the lab's settings with costs, spread and equity of the site's paper venue."""
    paper = config.execution.paper
    return oem_risk.LabSettings(
        cost_bps=10.0 + paper.spread_bps / 2,
        spread_bps=paper.spread_bps,
        depth_share=paper.depth_share,
        equity=float(config.runtime.initial_cash),
        rebalance_band=config.scheduler.rebalance_band,
    )


def site_stress_book(site: Site) -> oem_risk.StressBook:
    """Return the stress tests of the site's `config/stress.toml`, else the shipped ones."""
    own = site.config.with_name("stress.toml")
    return oem_risk.read_stress(own) if own.is_file() else oem_risk.shipped_stress()


def run_site_lab(
    site: Site,
    *,
    profiles: tuple[str, ...] | None = None,
    paths: int | None = None,
    settings: Callable[[oem_risk.LabSettings], oem_risk.LabSettings] | None = None,
    workers: int = 1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LabFiles:
    """Run Paper Labs for a site and write the sealed report.

    Args:
        site: The site; its configuration names data and strategies.
        profiles: Profiles to judge; None judges all four.
        paths: Paths per profile; None takes the lab's default.
        settings: Changes the site's settings before the run.
        workers: Processes that simulate; the report does not depend on it.
        dask: Address of a Dask scheduler that simulates instead, or `local`.
        progress: Called with (blocks done, blocks in all).
    """
    config = read_config(site.config)
    wanted = (
        oem_risk.shipped_profiles()
        if profiles is None
        else tuple(oem_risk.shipped_profile(name) for name in profiles)
    )
    chosen = site_settings(config)
    if paths is not None:
        chosen = replace(chosen, paths=paths)
    if settings is not None:
        chosen = settings(chosen)
    inputs = LabInputs.of(config)
    result = _simulate(
        inputs, site.root, wanted, chosen, site_stress_book(site), workers, dask, progress
    )
    written = oem_risk.write_lab_report(
        result,
        site.paper_labs,
        config_sha384=config_hash(site.config),
        inputs=inputs.model_dump(mode="json"),
    )
    keyring = Keyring.open(site.keys)
    claims = {"verdict": result.verdict.value, "synthetic_data": result.synthetic}
    for path, media in zip(written, ("application/json", "application/pdf"), strict=True):
        seal_file(path, keyring, media_type=media, claims=claims)
    return LabFiles(result, *written)


def enter_in_decision_log(site: Site, files: LabFiles) -> tuple[Path, Receipt]:
    """Enter a report's verdicts and hashes in the decision log of the site's stage.

    Raises:
        JournalLockedError: A daemon is running on the site and holds the log.
    """
    log = site.decision_log(read_config(site.config).runtime.stage.value)
    body = {
        "verdict": files.result.verdict.value,
        "profiles": {p.profile.name: p.verdict.value for p in files.result.profiles},
        "synthetic_data": files.result.synthetic,
        "sha384": {
            str(path.relative_to(site.root)): hashlib.sha384(path.read_bytes()).hexdigest()
            for path in (files.json, files.pdf)
        },
    }
    with Journal.open(log, Keyring.open(site.keys), subject="decisions") as journal:
        return log, journal.append("paper_labs.report", body)


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
    site: Site,
    report: Path,
    *,
    data: Path | None = None,
    workers: int = 1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Reproduction:
    """Run a Paper Labs report again from what it states alone, and compare bytes.

    Seed, settings, profiles, strategies, book and the names of the data come from the report; the
    site gives the keys its seal is verified with, and the folder that the data's path starts from.
    The hashes of the data are compared with the rest.

    Args:
        site: The site.
        report: The sealed JSON of the report; its PDF stands beside it.
        data: Folder of recorded bars in place of the one the report names.
        workers: Processes that simulate.
        dask: Address of a Dask scheduler that simulates instead, or `local`.
        progress: Called with (blocks done, blocks in all).

    Raises:
        SealError: The report does not hold.
        NotReady: It was written by a version whose reports do not state their inputs.
    """
    verify_file(report, Keyring.open(site.keys))
    stated = json.loads(report.read_bytes())
    try:
        inputs = LabInputs.model_validate(stated["inputs"])
    except (KeyError, ValidationError):
        raise NotReady(
            "the report does not state its inputs as this version writes them",
            where=str(report),
            remedy="run it again with the version that it names, or make a new report",
        ) from None
    wanted = tuple(oem_risk.profile_from(p["profile"]) for p in stated["profiles"])
    settings = oem_risk.settings_from(stated["settings"])
    book = oem_risk.stress_from(stated.get("stress_tests", {}), where=str(report))
    source = inputs.market_data
    if data is not None and isinstance(source, ParquetData):
        moved = source.model_copy(update={"folder": data.absolute()})
        here = inputs.model_copy(update={"market_data": moved})
    else:
        here = inputs
    result = _simulate(here, site.root, wanted, settings, book, workers, dask, progress)
    with tempfile.TemporaryDirectory() as folder:
        fresh = oem_risk.write_lab_report(
            result,
            Path(folder),
            config_sha384=stated["config_sha384"],
            inputs=inputs.model_dump(mode="json"),
        )
        pairs = zip((report, report.with_suffix(".pdf")), fresh, strict=True)
        same = [old.read_bytes() == new.read_bytes() for old, new in pairs]
        found = list(_differences(stated, json.loads(fresh[0].read_bytes())))
    if same[0] and not same[1]:
        found.append("the PDF differs, the JSON does not: other versions of the drawing libraries")
    return Reproduction(all(same), tuple(found))


def _simulate(
    inputs: LabInputs,
    base: Path,
    profiles: Sequence[oem_risk.RiskProfile],
    settings: oem_risk.LabSettings,
    book: oem_risk.StressBook,
    workers: int,
    dask: str | None,
    progress: Callable[[int, int], None] | None,
) -> oem_risk.LabResult:
    # days long past are replayed from recorded bars: they are read whole
    whole = isinstance(inputs.market_data, ParquetData)
    most = sys.maxsize if whole else inputs.history_bars
    recorded = load_source(inputs.market_data, inputs.symbols, base=base, at_most=most)
    bars = [series.last(inputs.history_bars) for series in recorded]
    with oem_risk.lab_executor(workers, dask=dask) as executor:
        return oem_risk.run_lab(
            bars,
            [(strategy_of(slot), slot.capital_share) for slot in inputs.strategies],
            profiles,
            settings=settings,
            fills=BookWalk(inputs.book_levels, inputs.book_step_bps),
            book=book,
            recorded=recorded if whole else (),
            executor=executor,
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
