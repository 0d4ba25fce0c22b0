"""`oem decision`: replay the decision log."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem decision`."""
    replay = Verbs(parser).add("replay", run_replay, "recompute every logged decision")
    replay.add_argument(
        "log", nargs="?", type=Path, metavar="LOG", help="decision log (default: the paper stage's)"
    )


def run_replay(args: argparse.Namespace, out: Output) -> ExitCode:
    """Recompute every decision of a log and report any difference."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring, read_journal

    site = Site(args.site)
    log = args.log or site.decision_log("paper")
    records = read_journal(log, Keyring.open(site.keys))
    result = oem_tco.replay((f"{log}:{r.seq + 1}", r.kind, r.body) for r in records)
    lines = [
        f"{d.where}: {d.field} is {d.logged!r}, recomputed {d.recomputed!r}"
        for d in result.differences
    ]
    lines.append(f"{result.checked} decisions recomputed, {len(result.differences)} differences")
    out.report(
        {
            "checked": result.checked,
            "differences": [
                {"where": d.where, "field": d.field, "logged": d.logged, "recomputed": d.recomputed}
                for d in result.differences
            ],
        },
        lines,
    )
    return ExitCode.FAILED if result.differences else ExitCode.OK
