"""`oem report`: sealed reports for auditors, and validating them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import Keyring
    from oem_tco import LogRecord, ReportPaths


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem report`."""
    verbs = Verbs(parser)
    validate = verbs.add(
        "validate",
        run_validate,
        "check seals, control totals, and that CSV and PDF belong together",
    )
    validate.add_argument(
        "report", nargs="?", type=Path, metavar="CSV", help="the report's CSV (default: the site's)"
    )
    validate.add_argument(
        "--input",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="fail when this file is not one the report was made from; may be given again",
    )
    decisions = verbs.add(
        "decisions", run_decisions, "replay a decision log and write the sealed decisions report"
    )
    decisions.add_argument(
        "log", nargs="?", type=Path, metavar="LOG", help="decision log (default: the paper stage's)"
    )
    incidents = verbs.add(
        "incidents", run_incidents, "write the sealed incidents report of signed logs"
    )
    incidents.add_argument(
        "logs", nargs="*", type=Path, metavar="LOG",
        help="signed logs (default: the paper stage's decision log and the access log)",
    )  # fmt: skip
    for verb in (decisions, incidents):
        verb.add_argument(
            "--output",
            type=Path,
            metavar="DIR",
            help="where the report is written (default: reports/audit of the site)",
        )


def run_validate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Validate a report of any kind."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    path = args.report or site.tco_reports / "tco.csv"
    found = oem_tco.validate_report(path, Keyring.open(site.keys), inputs=args.input)
    lines = [f"{path}: {found.report} report, seals hold, {found.rows} lines add up"]
    lines += [
        f"  {column} {value} {currency}".rstrip()
        for currency, sums in found.controls.items()
        for column, value in sums.items()
    ]
    lines += [f"{name} is not what the report was made from" for name in found.changed_inputs]
    out.report(
        {
            "report": str(path),
            "kind": found.report,
            "rows": found.rows,
            "orders": found.rows,
            "total": found.total,
            "controls": {currency: dict(sums) for currency, sums in found.controls.items()},
            "inputs": dict(found.inputs),
            "schedules": list(found.schedules),
            "sealed_at": found.sealed_at,
            "changed_inputs": list(found.changed_inputs),
        },
        lines,
    )
    return ExitCode.FAILED if found.changed_inputs else ExitCode.OK


def run_decisions(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write the decisions report; fails when a decision recomputes to something else."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    log = args.log or site.decision_log("paper")
    digests = oem_tco.digest_inputs([log])
    records = list(_records([log], keyring))
    paths = oem_tco.write_decision_report(
        records, args.output or site.reports / "audit", keyring, inputs=digests
    )
    replayed = oem_tco.replay((f"{r.log}:{r.seq + 1}", r.kind, r.body) for r in records)
    _done(
        out,
        paths,
        {"checked": replayed.checked, "differences": len(replayed.differences)},
        f"{replayed.checked} decisions recomputed, {len(replayed.differences)} differences",
    )
    return ExitCode.FAILED if replayed.differences else ExitCode.OK


def run_incidents(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write the incidents report; that there were incidents is no failure of the command."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    usual = [site.decision_log("paper"), site.rbac_audit]
    logs = args.logs or [log for log in usual if log.is_file()]
    if not logs:
        logs = usual[:1]  # named in the error
    digests = oem_tco.digest_inputs(logs)
    records = list(_records(logs, keyring))
    incidents = oem_tco.find_incidents(records)
    still = sum(one.ended_ns is None for one in incidents)
    paths = oem_tco.write_incident_report(
        records, args.output or site.reports / "audit", keyring, inputs=digests
    )
    _done(
        out,
        paths,
        {"incidents": len(incidents), "open": still},
        f"{len(incidents)} incidents in {len(records)} records, {still} still open",
    )
    return ExitCode.OK


def _records(logs: list[Path], keyring: Keyring) -> Iterator[LogRecord]:
    from oem_security import read_journal
    from oem_tco import LogRecord

    for log in logs:
        for record in read_journal(log, keyring):
            yield LogRecord(log.name, record.seq, record.time_ns, record.kind, record.body)


def _done(out: Output, paths: ReportPaths, facts: dict[str, object], words: str) -> None:
    out.report(
        {**facts, "csv": str(paths.csv), "pdf": str(paths.pdf)},
        [words, str(paths.csv), str(paths.pdf)],
    )
