"""Stress tests on a site's profile: made-up markets, bad days replayed, factor shocks, reverse."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import oem_risk
from oem_daemon.config.model import CoreConfig, ParquetData
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.data import load_bars
from oem_daemon.lab import HISTORY_BARS, BookWalk, site_stress_book
from oem_daemon.site import Site
from oem_risk import Bars, StressBook, Verdict
from oem_security import Keyring, seal_file
from oem_security.files import write_atomic


@dataclass(frozen=True, slots=True)
class StressRun:
    """What a site's stress tests found.

    Attributes:
        suite: Results by profile, and what no data covers.
        synthetic: Whether any data was generated.
        path: The sealed report.
    """

    suite: oem_risk.StressSuite
    synthetic: bool
    path: Path

    @property
    def verdict(self) -> Verdict:
        """FAIL where a drawdown limit breaks, INCONCLUSIVE where a test has no data."""
        found = oem_risk.worst_verdict(p.verdict for p in self.suite.profiles)
        if found is Verdict.PASS and self.suite.not_covered:
            return Verdict.INCONCLUSIVE
        return found


def run_site_stress(
    site: Site,
    *,
    profiles: tuple[str, ...] | None = None,
    book: StressBook | None = None,
    folder: Path | None = None,
    reverse: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> StressRun:
    """Run all stress tests for a site and write the sealed report.

    Replays need bars of their days: they are read whole from the configured folder, or from
    `folder`; one that no data covers is named as such and leaves the verdict INCONCLUSIVE.

    Args:
        site: The site; its configuration names data, book and equity.
        profiles: Profiles to judge; None judges all four.
        book: The stress tests; None reads `config/stress.toml` where there is one, else takes the
            shipped ones.
        folder: Folder of recorded bars for the replays and factors; None takes the configured.
        reverse: Whether to look for the mildest moves and scenarios that break a limit.
        progress: Called with (profiles done, profiles in all).
    """
    config = read_config(site.config)
    book = book or site_stress_book(site)
    names = profiles or tuple(p.name for p in oem_risk.shipped_profiles())
    bars = whole_history(config, site.root, folder)
    paper = config.execution.paper
    market = oem_risk.StressMarket(
        bars, BookWalk(), paper.spread_bps, paper.depth_share, float(config.runtime.initial_cash)
    )
    suite = oem_risk.run_stress_book(
        book,
        [oem_risk.shipped_profile(name) for name in names],
        market,
        reverse=reverse,
        progress=progress,
    )
    run = StressRun(suite, any(b.synthetic for b in bars), site.stress_reports / "stress.json")
    _write(run, site, bars, book)
    return run


def whole_history(config: CoreConfig, base: Path, folder: Path | None) -> Sequence[Bars]:
    """Return the bars of all symbols: recorded ones whole, others as long as the lab's."""
    source = config.market_data
    if folder is None and not isinstance(source, ParquetData):
        return load_bars(config, base=base, at_most=HISTORY_BARS)
    recorded = source if isinstance(source, ParquetData) else None
    place = folder or base / (recorded.folder if recorded else Path())
    bars = [
        oem_risk.read_bars(
            place,
            venue=recorded.venue if recorded else "binance",
            symbol=symbol,
            timeframe=recorded.timeframe if recorded else "1h",
        )
        for symbol in config.runtime.symbols
    ]
    oem_risk.require_usable(oem_risk.check_bars(b, at_least=60) for b in bars)
    return oem_risk.common_times(bars)


def _write(run: StressRun, site: Site, bars: Sequence[Bars], book: StressBook) -> None:
    report = {
        "report": "stress",
        "verdict": run.verdict.value,
        "synthetic_data": run.synthetic,
        "config_sha384": config_hash(site.config),
        "data": {
            b.symbol: {"source": b.source, "sha384": b.sha384, "synthetic": b.synthetic}
            for b in bars
        },
        "tests": book.as_json(),
        "not_covered": run.suite.not_covered,
        "profiles": {
            found.profile.name: {
                "limits": found.profile.model_dump(mode="json"),
                "verdict": found.verdict.value,
                **found.as_json(),
            }
            for found in run.suite.profiles
        },
    }
    text = json.dumps(report, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(run.path, text.encode() + b"\n")
    seal_file(
        run.path,
        Keyring.open(site.keys),
        media_type="application/json",
        claims={"verdict": run.verdict.value, "synthetic_data": run.synthetic},
    )
