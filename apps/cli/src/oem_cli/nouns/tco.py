"""`oem tco`: cost analysis."""

from __future__ import annotations

import argparse

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem tco`."""
    analyze = Verbs(parser).add(
        "analyze", run_analyze, "split the costs of the site's ledger and write the sealed report"
    )
    analyze.add_argument(
        "--delay",
        choices=("whole_order", "filled_part"),
        default="whole_order",
        help="what the delay is counted on (default: whole_order)",
    )


def run_analyze(args: argparse.Namespace, out: Output) -> ExitCode:
    """Analyse the cost ledger and write the report."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    convention = oem_tco.DelayConvention(args.delay)
    result = oem_tco.analyze(oem_tco.read_ledger(site.cost_ledger), convention=convention)
    last = max((s.order.end_time_ns or 0 for s in result.orders), default=0)
    versions = oem_tco.FeeBook.shipped().versions()
    paths = oem_tco.write_report(
        result, site.tco_reports, keyring, generated_at_ns=last, schedules=versions
    )
    total = result.total
    parts = {component.value: total.bps(component) for component in oem_tco.Component}
    out.report(
        {
            "orders": total.orders,
            "fills": total.fills,
            "bps": parts,
            "total_bps": total.bps(),
            "findings": list(result.findings),
            "csv": str(paths.csv),
            "pdf": str(paths.pdf),
        },
        [
            *table(("component", "bps"), [(n, f"{v:+.3f}") for n, v in parts.items()], right=(1,)),
            f"total {total.bps():+.3f} bps of {total.orders} orders, {total.fills} fills",
            *result.findings,
            str(paths.csv),
            str(paths.pdf),
        ],
    )
    return ExitCode.OK
