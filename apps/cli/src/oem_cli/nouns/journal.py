"""`oem journal`: verify and summarise signed logs."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem journal`."""
    verbs = Verbs(parser)
    verify = verbs.add("verify", run_verify, "check every record, link, MAC and checkpoint")
    verify.add_argument("log", type=Path, metavar="LOG", help="the journal")
    verify.add_argument(
        "--strict", action="store_true", help="also refuse an unfinished or uncovered end"
    )
    summary = verbs.add("summary", run_summary, "count the records of a journal by kind")
    summary.add_argument("log", type=Path, metavar="LOG", help="the journal")


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify a journal; a log that does not hold ends in the error that names the line."""
    from oem_daemon.site import Site
    from oem_security import Keyring, verify_journal

    report = verify_journal(args.log, Keyring.open(Site(args.site).keys), strict=args.strict)
    out.report(
        {
            "ok": True,
            "records": report.records,
            "checkpointed": report.checkpointed,
            "recoveries": report.recoveries,
            "torn_bytes": report.torn_bytes,
            "root": report.root,
        },
        f"{args.log}: {report.records} records hold, {report.checkpointed} under a checkpoint",
    )
    return ExitCode.OK


def run_summary(args: argparse.Namespace, out: Output) -> ExitCode:
    """Count a journal's records by kind."""
    from oem_cli.output import table
    from oem_daemon.site import Site
    from oem_security import Keyring, verify_journal

    report = verify_journal(args.log, Keyring.open(Site(args.site).keys))
    kinds = dict(sorted(report.kinds.items()))
    out.report({"kinds": kinds}, table(("kind", "records"), kinds.items(), right=(1,)))
    return ExitCode.OK
