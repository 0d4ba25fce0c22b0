"""`oem risk`: Paper Labs."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem risk`."""
    verbs = Verbs(parser)
    again = verbs.add("reproduce", run_reproduce, "run a report again and compare it byte for byte")
    again.add_argument("report", nargs="?", type=Path, metavar="REPORT",
                       help="the report's JSON (default: the site's newest)")  # fmt: skip
    lab = verbs.add("lab", run_lab, "simulate and stress the profiles; gates by exit code")
    lab.add_argument("--profile", default="all", help="one profile, or all (default: all)")
    lab.add_argument("--paths", type=int, default=2048, help="paths per profile (default: 2048)")


def run_lab(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run Paper Labs on the site's configuration."""
    from oem_daemon.lab import run_site_lab
    from oem_daemon.site import Site
    from oem_risk import Verdict

    files = run_site_lab(
        Site(args.site),
        profiles=None if args.profile == "all" else (args.profile,),
        paths=args.paths,
        progress=lambda done, total: out.progress("simulating", done, total),
    )
    rows = [
        (p.profile.name, p.verdict.value, f"{p.drawdown_gate.estimate:.2%}",
         f"{p.drawdown_gate.low:.2%} to {p.drawdown_gate.high:.2%}", f"{p.drawdown_gate.limit:.0%}",
         f"{max(s.loss for s in p.stress):.1%}")
        for p in files.result.profiles
    ]  # fmt: skip
    head = ("profile", "verdict", "P(breach)", "interval", "limit", "worst stress")
    result = files.result
    out.report(
        {
            "verdict": result.verdict.value,
            "profiles": {p.profile.name: p.verdict.value for p in result.profiles},
            "json": str(files.json),
            "pdf": str(files.pdf),
        },
        [*table(head, rows, right=(2, 4, 5)), f"{files.json}", f"{files.pdf}"],
    )
    codes = {Verdict.FAIL: ExitCode.FAILED, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    return codes.get(result.verdict, ExitCode.OK)


def run_reproduce(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run a Paper Labs report again."""
    from oem_daemon.lab import reproduce_site_lab
    from oem_daemon.site import Site

    site = Site(args.site)
    report = args.report or site.paper_labs / "paper_labs.json"
    found = reproduce_site_lab(
        site, report, progress=lambda done, total: out.progress("simulating", done, total)
    )
    words = "JSON and PDF come out byte for byte" if found.same else "the report does not come out"
    out.report(
        {"report": str(report), "same": found.same, "differences": list(found.differences)},
        [*found.differences[:20], f"{report}: {words}"],
    )
    return ExitCode.OK if found.same else ExitCode.FAILED
