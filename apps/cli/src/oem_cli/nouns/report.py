"""`oem report`: write and validate sealed cost reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem report`."""
    validate = Verbs(parser).add(
        "validate",
        run_validate,
        "check seals, control totals, and that CSV and PDF belong together",
    )
    validate.add_argument(
        "report", nargs="?", type=Path, metavar="CSV", help="the report's CSV (default: the site's)"
    )


def run_validate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Validate a cost report."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    path = args.report or site.tco_reports / "tco.csv"
    found = oem_tco.validate_report(path, Keyring.open(site.keys))
    out.report(
        {"report": str(path), "orders": found.orders, "total": found.total},
        f"{path}: seals hold, {found.orders} orders add up to {found.total}",
    )
    return ExitCode.OK
