"""`oem risk stress`: made-up markets, bad days replayed, factor shocks, reverse stress."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_daemon.stress import StressRun
    from oem_risk import ReverseStress


SYNTHETIC = "made of SYNTHETIC data: it shows that the machinery works, nothing of a real market"


def add_stress(verbs: Verbs) -> None:
    """Add the verb to `oem risk`."""
    stress = verbs.add(
        "stress", run_stress, "scenarios, six bad days replayed, factor shocks, reverse stress"
    )
    stress.add_argument("--profile", default="all", help="one profile, or all (default: all)")
    stress.add_argument("--tests", type=Path, metavar="FILE",
                        help="stress tests as TOML (default: config/stress.toml of the site, "
                        "else the shipped ones)")  # fmt: skip
    stress.add_argument("--data", type=Path, metavar="DIR",
                        help="folder of recorded bars that cover the replayed days "
                        "(default: the configured folder)")  # fmt: skip
    stress.add_argument("--no-reverse", action="store_true",
                        help="do not look for the mildest moves that break a limit")  # fmt: skip


def run_stress(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run the site's stress tests and write the sealed report."""
    import oem_risk
    from oem_daemon.site import Site
    from oem_daemon.stress import run_site_stress

    run = run_site_stress(
        Site(args.site),
        profiles=None if args.profile == "all" else (args.profile,),
        book=oem_risk.read_stress(args.tests) if args.tests else None,
        folder=args.data,
        reverse=not args.no_reverse,
        progress=lambda done, total: out.progress("profiles", done, total),
    )
    out.report(
        {
            "verdict": run.verdict.value,
            "synthetic_data": run.synthetic,
            "profiles": {p.profile.name: p.verdict.value for p in run.suite.profiles},
            "not_covered": run.suite.not_covered,
            "broken_by_shock": [
                [p.profile.name, shock] for p in run.suite.profiles for shock in p.broken_by_shock
            ],
            "report": str(run.path),
        },
        _lines(run),
    )
    codes = {
        oem_risk.Verdict.FAIL: ExitCode.FAILED,
        oem_risk.Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    }
    return codes.get(run.verdict, ExitCode.OK)


def _lines(run: StressRun) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for found in run.suite.profiles:
        name = found.profile.name
        rows += [
            (name, s.scenario, f"{s.loss:.2%}", f"{s.limit:.0%}", s.verdict.value)
            for s in found.scenarios
        ]
        rows += [
            (name, r.replay, f"{r.worst:.2%}", f"{r.limit:.0%}", r.verdict.value)
            for r in found.replays
        ]
        rows += [
            (name, s.shock, f"{s.loss:.2%}", f"{found.profile.max_drawdown:.0%}",
             "" if s.shock not in found.broken_by_shock
             else "FAIL" if s.shock in found.gates else "breaks")
            for s in found.shocks
        ]  # fmt: skip
    lines = table(("profile", "test", "loss", "limit", "verdict"), rows, right=(2, 3))
    lines += [f"{name}: no data covers it: {why}" for name, why in run.suite.not_covered.items()]
    lines += [
        f"{found.profile.name}, {one.limit.value}: {_mildest(one)}"
        for found in run.suite.profiles
        for one in found.reverse
    ]
    if run.synthetic:
        lines.append(SYNTHETIC)
    return [*lines, f"{run.verdict.value}: {run.path}"]


def _mildest(one: ReverseStress) -> str:
    if one.broken_already:
        return "broken without any move"
    if not one.reachable:
        return "no move within 50 deviations breaks it"
    moves = ", ".join(f"{factor} {move:+.1%}" for factor, move in one.moves.items())
    return (
        f"broken from {moves} in a day ({one.distance:.1f} deviations; "
        f"seen on {one.seen} of {one.observations} days)"
    )
