"""`oem risk`: Paper Labs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.risk_stress import SYNTHETIC, add_stress
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_risk import LabSettings, ProfileResult

MODELS = ("stationary", "circular", "moving", "gbm", "merton", "garch", "gjr")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem risk`."""
    verbs = Verbs(parser)
    add_stress(verbs)
    again = verbs.add("reproduce", run_reproduce, "run a report again and compare it byte for byte")
    again.add_argument("report", nargs="?", type=Path, metavar="REPORT",
                       help="the report's JSON (default: the site's newest)")  # fmt: skip
    again.add_argument("--data", type=Path, metavar="DIR",
                       help="folder of the bars (default: the one the report names)")  # fmt: skip
    _workers(again)
    lab = verbs.add("lab", run_lab, "simulate and stress the profiles; gates by exit code")
    lab.add_argument("--profile", default="all", help="one profile, or all (default: all)")
    lab.add_argument("--paths", type=int, default=2048, help="paths per profile (default: 2048)")
    lab.add_argument("--until-decided", action="store_true",
                     help="add paths until every profile's gate is decided, by intervals that "
                     "stay valid however often they are looked at")  # fmt: skip
    lab.add_argument("--most-paths", type=int, default=65_536, metavar="N",
                     help="most paths with --until-decided (default: 65536)")  # fmt: skip
    lab.add_argument("--stress-paths", type=int, default=512, metavar="N",
                     help="paths that each stress scenario is laid over, 0 for none "
                     "(default: 512)")  # fmt: skip
    lab.add_argument("--model", choices=MODELS, default="stationary",
                     help="what the paths are drawn from, fitted to the history "
                     "(default: stationary, a bootstrap)")  # fmt: skip
    lab.add_argument("--days", type=int, default=30, help="days ahead (default: 30)")
    lab.add_argument("--block-days", type=float, default=1.0, metavar="DAYS",
                     help="block length of the bootstraps (default: 1)")  # fmt: skip
    lab.add_argument("--confidence", type=float, default=0.95,
                     help="of every gate and interval (default: 0.95)")  # fmt: skip
    lab.add_argument("--seed", type=int, help="root seed (default: the lab's own)")
    lab.add_argument("--decision-log", action="store_true",
                     help="enter verdicts and hashes in the stage's decision log")  # fmt: skip
    _workers(lab)


def _workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, metavar="N",
                        help="processes that simulate; the report does not depend on it "
                        "(default: 1)")  # fmt: skip
    parser.add_argument("--dask", metavar="ADDRESS",
                        help="simulate on the Dask cluster of this scheduler, such as "
                        "tcp://10.0.0.5:8786; local makes one of --workers processes")  # fmt: skip


def run_lab(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run Paper Labs on the site's configuration."""
    from oem_daemon.lab import enter_in_decision_log, run_site_lab
    from oem_daemon.site import Site
    from oem_risk import PathKind, Verdict

    def chosen(settings: LabSettings) -> LabSettings:
        return replace(
            settings,
            paths=args.paths,
            stress_paths=args.stress_paths,
            most_paths=args.most_paths if args.until_decided else 0,
            path_model=PathKind(args.model),
            horizon_days=args.days,
            mean_block_days=args.block_days,
            confidence=args.confidence,
            seed=settings.seed if args.seed is None else args.seed,
        )

    site = Site(args.site)
    files = run_site_lab(
        site,
        profiles=None if args.profile == "all" else (args.profile,),
        settings=chosen,
        workers=args.workers,
        dask=args.dask,
        progress=lambda done, total: out.progress("simulating", done, total),
    )
    result = files.result
    entered = enter_in_decision_log(site, files) if args.decision_log else None
    lines = [f"{files.json}", f"{files.pdf}"]
    if entered is not None:
        lines.append(f"{entered[0]}: entry {entered[1].seq}")
    lines += [f"{name}: no data covers it: {why}" for name, why in result.not_covered.items()]
    if result.synthetic:
        lines.append(SYNTHETIC)
    if result.backtest is not None and result.backtest.rejected:
        lines.append(f"back-test: the history rejects the paths' model ({result.backtest.model})")
    out.report(
        {
            "verdict": result.verdict.value,
            "synthetic_data": result.synthetic,
            "not_covered": result.not_covered,
            "profiles": {p.profile.name: p.verdict.value for p in result.profiles},
            "gates": {p.profile.name: p.drawdown_gate.as_json() for p in result.profiles},
            "stressed_gates": {
                p.profile.name: {s.scenario: s.gate.as_json() for s in p.stressed}
                for p in result.profiles
            },
            "json": str(files.json),
            "pdf": str(files.pdf),
            "decision_log": None if entered is None else str(entered[0]),
        },
        [*_verdicts(result.profiles), *lines],
    )
    codes = {Verdict.FAIL: ExitCode.FAILED, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    return codes.get(result.verdict, ExitCode.OK)


def _stressed(profile: ProfileResult) -> str:
    """Return the highest breach probability under a scenario, and which."""
    if not profile.stressed:
        return "-"
    worst = max(profile.stressed, key=lambda found: found.gate.estimate)
    return f"{worst.gate.estimate:.2%} {worst.scenario}"


def _verdicts(profiles: tuple[ProfileResult, ...]) -> list[str]:
    rows = [
        (p.profile.name, p.verdict.value, f"{p.drawdown_gate.estimate:.2%}",
         f"{p.drawdown_gate.low:.2%} to {p.drawdown_gate.high:.2%}", f"{p.drawdown_gate.limit:.0%}",
         f"{p.drawdown_gate.paths:,}", _stressed(p), f"{p.suite.worst:.1%}")
        for p in profiles
    ]  # fmt: skip
    head = (
        "profile",
        "verdict",
        "P(breach)",
        "interval",
        "limit",
        "paths",
        "P(breach) stressed",
        "worst stress",
    )
    lines = table(head, rows, right=(2, 4, 5, 6, 7))
    for profile in profiles:
        gates = {"": profile.drawdown_gate, **{s.scenario: s.gate for s in profile.stressed}}
        lines += [
            f"{' under '.join(filter(None, (profile.profile.name, scenario)))}: not decided; about "
            f"{gate.more_paths:,} further paths would. Use --until-decided: a second run with more "
            "--paths is a second look at one question"
            for scenario, gate in gates.items()
            if gate.more_paths
        ]
    return lines


def run_reproduce(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run a Paper Labs report again."""
    from oem_daemon.lab import reproduce_site_lab
    from oem_daemon.site import Site

    site = Site(args.site)
    report = args.report or site.paper_labs / "paper_labs.json"
    found = reproduce_site_lab(
        site, report, data=args.data, workers=args.workers, dask=args.dask,
        progress=lambda done, total: out.progress("simulating", done, total),
    )  # fmt: skip
    words = "JSON and PDF come out byte for byte" if found.same else "the report does not come out"
    out.report(
        {"report": str(report), "same": found.same, "differences": list(found.differences)},
        [*found.differences[:20], f"{report}: {words}"],
    )
    return ExitCode.OK if found.same else ExitCode.FAILED
