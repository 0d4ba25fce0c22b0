"""`oem decision`: replay the decision log, and try every rule of the policy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_tco import ReplayResult


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem decision`."""
    verbs = Verbs(parser)
    smoke = verbs.add(
        "smoke", run_smoke, "try every rule of the site's policy on a candidate made to break it"
    )
    smoke.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration (default: the site's)"
    )
    smoke.add_argument(
        "--output", type=Path, metavar="FILE", help="also write the result as JSON, sealed"
    )
    replay = verbs.add("replay", run_replay, "recompute every logged decision")
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
    lines.append(_replayed(result))
    out.report(
        {
            "checked": result.checked,
            "choices": result.choices,
            "differences": [
                {"where": d.where, "field": d.field, "logged": d.logged, "recomputed": d.recomputed}
                for d in result.differences
            ],
        },
        lines,
    )
    return ExitCode.FAILED if result.differences else ExitCode.OK


def run_smoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Try every rule of the policy; fails when one does not bite or a decision does not replay."""
    import json

    import oem_tco
    from oem_daemon.config.reader import read_config
    from oem_daemon.site import Site
    from oem_security import Keyring, SystemClock, seal_file
    from oem_security.files import write_atomic

    site = Site(args.site)
    config = read_config(args.config or site.config)
    mode = config.runtime.stage.value
    found = oem_tco.smoke(config.decision_engine, mode=mode, at_ns=SystemClock().now_ns())
    report = {
        "ok": found.ok,
        "mode": mode,
        "cases": [
            {"profile": c.profile, "rule": c.rule, "ok": c.ok, "reasons": list(c.reasons)}
            for c in found.cases
        ],
        "without_rule": list(found.without_rule),
        "replayed": found.replayed.checked,
        "differences": len(found.replayed.differences),
    }
    if args.output is not None:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(args.output, (json.dumps(report, indent=1) + "\n").encode())
        claims = {"report": "decision_smoke", "ok": found.ok}
        seal_file(
            args.output, Keyring.open(site.keys), media_type="application/json", claims=claims
        )
    rows = [
        (c.profile or "(defaults)", c.rule, "ok" if c.ok else "FAILED", ", ".join(c.reasons))
        for c in found.cases
    ]
    out.report(
        report,
        [
            *table(("profile", "rule", "", "refused for"), rows),
            f"this policy has no rule for: {', '.join(found.without_rule) or 'none'}",
            _replayed(found.replayed),
        ],
    )
    return ExitCode.OK if found.ok else ExitCode.FAILED


def _replayed(result: ReplayResult) -> str:
    return (
        f"{result.checked} decisions and {result.choices} choices recomputed, "
        f"{len(result.differences)} differences"
    )
