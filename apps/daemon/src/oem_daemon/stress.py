"""Stress tests on a site's profile: made-up markets, bad days replayed, factor shocks, reverse."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

import oem_risk
from oem_daemon.config.model import CoreConfig, ParquetData
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.data import load_bars
from oem_daemon.lab import HISTORY_BARS, BookWalk
from oem_daemon.site import Site
from oem_risk import Bars, StressBook, Verdict
from oem_security import Keyring, seal_file
from oem_security.files import write_atomic

LIMITS = tuple(oem_risk.BrokenLimit)


@dataclass(frozen=True, slots=True)
class StressRun:
    """What a site's stress tests found.

    Attributes:
        profiles: Names of the profiles, in order.
        scenarios: Results by profile.
        replays: Results by profile.
        shocks: Results; a portfolio as large as the profile allows.
        reverse: The mildest moves that break each limit.
        mildest: The mildest form of each scenario that breaks the drawdown limit.
        gates: Names of the shocks that decide.
        not_covered: Replays that no data covers, with the reason.
        synthetic: Whether any data was generated.
        path: The sealed report.
    """

    profiles: tuple[str, ...]
    scenarios: dict[str, tuple[oem_risk.StressResult, ...]]
    replays: dict[str, tuple[oem_risk.ReplayResult, ...]]
    shocks: dict[str, tuple[oem_risk.ShockResult, ...]]
    reverse: dict[str, tuple[oem_risk.ReverseStress, ...]]
    mildest: dict[str, tuple[oem_risk.MildestScenario, ...]]
    gates: tuple[str, ...]
    not_covered: dict[str, str]
    synthetic: bool
    path: Path

    @property
    def verdict(self) -> Verdict:
        """Return FAIL where a drawdown limit breaks, INCONCLUSIVE where a replay has no data."""
        found = {r.verdict for rows in self.scenarios.values() for r in rows}
        found |= {r.verdict for rows in self.replays.values() for r in rows}
        if Verdict.FAIL in found or any(s in self.gates for _, s in self.broken_by_shock()):
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if self.not_covered else Verdict.PASS

    def broken_by_shock(self) -> tuple[tuple[str, str], ...]:
        """Return (profile, shock) where a shock breaks the drawdown limit, gating or not."""
        return tuple(
            (name, shock.shock)
            for name, shocks in self.shocks.items()
            for shock in shocks
            if shock.loss > oem_risk.shipped_profile(name).max_drawdown
        )


@dataclass(frozen=True, slots=True)
class _Scene:
    """The market that the scenarios start from, as `run_stress` takes it."""

    prices: np.ndarray[tuple[int], np.dtype[np.float64]]
    depths: np.ndarray[tuple[int], np.dtype[np.float64]]
    spread_bps: float
    equity: float


@dataclass(slots=True)
class _Inputs:
    """What the tests run on."""

    config: CoreConfig
    bars: Sequence[Bars]
    depths: np.ndarray[tuple[int], np.dtype[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        share = self.config.execution.paper.depth_share
        self.depths = np.array([float(b.volume.mean()) * share for b in self.bars])

    @property
    def equity(self) -> float:
        return float(self.config.runtime.initial_cash)

    @property
    def spread_bps(self) -> float:
        return self.config.execution.paper.spread_bps


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
    own = site.config.with_name("stress.toml")
    book = book or (oem_risk.read_stress(own) if own.is_file() else oem_risk.shipped_stress())
    names = profiles or tuple(p.name for p in oem_risk.shipped_profiles())
    chosen = [oem_risk.shipped_profile(name) for name in names]
    inputs = _Inputs(config, _whole_history(config, site.root, folder))
    fills = BookWalk()
    model = oem_risk.market_factors(inputs.bars)
    prices = np.array([b.close[-1] for b in inputs.bars])
    replays, not_covered = _replays(book, inputs, chosen)
    gates = tuple(shock.name for shock in book.shocks if shock.gate)
    run = StressRun(
        tuple(names), {}, replays, {}, {}, {}, gates, not_covered,
        any(b.synthetic for b in inputs.bars), site.stress_reports / "stress.json",
    )  # fmt: skip
    market = _Scene(prices, inputs.depths, inputs.spread_bps, inputs.equity)
    for number, profile in enumerate(chosen, 1):
        name = profile.name
        run.scenarios[name] = tuple(
            oem_risk.run_stress(s, profile, fills, **asdict(market)) for s in book.scenarios
        )
        run.shocks[name] = _shocks(book, profile, inputs, model)
        if reverse:
            run.reverse[name] = _reverse(profile, inputs, model)
            history = inputs.bars[0].close
            run.mildest[name] = tuple(
                oem_risk.mildest_scenario(s, profile, fills, **asdict(market), history=history)
                for s in book.scenarios
            )
        if progress:
            progress(number, len(chosen))
    _write(run, site, inputs, book)
    return run


def _whole_history(config: CoreConfig, base: Path, folder: Path | None) -> Sequence[Bars]:
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


def _replays(
    book: StressBook, inputs: _Inputs, profiles: Sequence[oem_risk.RiskProfile]
) -> tuple[dict[str, tuple[oem_risk.ReplayResult, ...]], dict[str, str]]:
    found: dict[str, list[oem_risk.ReplayResult]] = {p.name: [] for p in profiles}
    missing: dict[str, str] = {}
    for replay in book.replays:
        try:
            for profile in profiles:
                found[profile.name].append(
                    oem_risk.run_replay(
                        replay, inputs.bars, profile, BookWalk(),
                        spread_bps=inputs.spread_bps,
                        depth_share=inputs.config.execution.paper.depth_share,
                        equity=inputs.equity,
                    )
                )  # fmt: skip
        except oem_risk.DataProblem as problem:
            missing[replay.name] = problem.what
    return {name: tuple(rows) for name, rows in found.items()}, missing


def _holdings(profile: oem_risk.RiskProfile, inputs: _Inputs) -> list[oem_risk.Holding]:
    share = min(profile.max_position, profile.max_leverage / len(inputs.bars))
    found = []
    for bars in inputs.bars:
        measured = oem_risk.liquidity_of(bars)
        daily = measured.median_daily_notional if measured else None
        found.append(
            oem_risk.Holding(
                symbol=bars.symbol,
                notional=share * inputs.equity,
                daily_notional=daily or 1e-9,
                spread_bps=inputs.spread_bps,
            )
        )
    return found


def _shocks(
    book: StressBook,
    profile: oem_risk.RiskProfile,
    inputs: _Inputs,
    model: oem_risk.FactorModel,
) -> tuple[oem_risk.ShockResult, ...]:
    holdings = _holdings(profile, inputs)
    return tuple(
        oem_risk.apply_shock(_known(shock, model), holdings, model, equity=inputs.equity)
        for shock in book.shocks
    )


def _known(shock: oem_risk.FactorShock, model: oem_risk.FactorModel) -> oem_risk.FactorShock:
    """With one symbol there is no factor beside the market: its move cannot matter."""
    known = {name: move for name, move in shock.shocks.items() if name in model.factors}
    return shock.model_copy(update={"shocks": known or {model.factors[0]: 0.0}})


def _reverse(
    profile: oem_risk.RiskProfile, inputs: _Inputs, model: oem_risk.FactorModel
) -> tuple[oem_risk.ReverseStress, ...]:
    holdings = _holdings(profile, inputs)
    return tuple(
        oem_risk.reverse_stress(holdings, model, profile, limit, equity=inputs.equity)
        for limit in LIMITS
    )


def _write(run: StressRun, site: Site, inputs: _Inputs, book: StressBook) -> None:
    report = {
        "report": "stress",
        "verdict": run.verdict.value,
        "synthetic_data": run.synthetic,
        "config_sha384": config_hash(site.config),
        "data": {b.symbol: {"source": b.source, "sha384": b.sha384} for b in inputs.bars},
        "tests": {
            "scenarios": [s.model_dump(mode="json") for s in book.scenarios],
            "replays": [r.model_dump(mode="json") for r in book.replays],
            "shocks": [s.model_dump(mode="json") for s in book.shocks],
        },
        "not_covered": run.not_covered,
        "profiles": {
            name: {
                "limits": oem_risk.shipped_profile(name).model_dump(mode="json"),
                "scenarios": [r.as_json() for r in run.scenarios[name]],
                "replays": [r.as_json() for r in run.replays[name]],
                "shocks": [r.as_json() for r in run.shocks[name]],
                "reverse": [r.as_json() for r in run.reverse.get(name, ())],
                "mildest_scenarios": [
                    {
                        "scenario": m.scenario.name,
                        "severity": m.scenario.severity if m.reachable else None,
                        "seen": m.seen,
                        "stretches": m.stretches,
                    }
                    for m in run.mildest.get(name, ())
                ],
            }
            for name in run.profiles
        },
    }
    write_atomic(run.path, json.dumps(report, indent=1, sort_keys=True).encode() + b"\n")
    seal_file(
        run.path,
        Keyring.open(site.keys),
        media_type="application/json",
        claims={"verdict": run.verdict.value, "synthetic_data": run.synthetic},
    )
