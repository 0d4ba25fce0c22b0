"""`oem slo`: service levels of trading."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem slo`."""
    verbs = Verbs(parser)
    verbs.add(
        "report",
        run_report,
        "measure latency, cost per trade and fill rate, and write the sealed report",
    )
    rules = verbs.add("rules", run_rules, "write the Prometheus rules of the same definitions")
    rules.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="rule file (default: metrics/slo.rules.yml of the site)",
    )


def run_report(args: argparse.Namespace, out: Output) -> ExitCode:
    """Measure every service level of the configuration; fails when one is not met."""
    import oem_tco
    from oem_daemon.config.reader import read_config
    from oem_daemon.site import Site
    from oem_daemon.slo import slo_statuses
    from oem_security import Keyring

    site = Site(args.site)
    statuses = slo_statuses(site, read_config(site.config))
    path = site.slo_reports / "slo.json"
    oem_tco.write_slo_report(statuses, path, Keyring.open(site.keys))
    rows = [
        (
            status.definition.name,
            f"{status.definition.objective:.2%}",
            "no orders" if status.share is None else f"{status.share:.2%}",
            "" if status.budget_left is None else f"{status.budget_left:+.0%}",
            ", ".join(b.window.severity.value for b in status.burns if b.firing) or "none",
            {True: "met", False: "MISSED", None: "unknown"}[status.met],
        )
        for status in statuses
    ]
    head = ("service level", "promised", "good", "budget left", "alerts", "")
    out.report(
        {**oem_tco.slo_report(statuses), "path": str(path)},
        [*table(head, rows, right=(1, 2, 3)), str(path)],
    )
    return ExitCode.FAILED if any(s.met is False for s in statuses) else ExitCode.OK


def run_rules(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write recording and alerting rules."""
    import oem_tco
    from oem_daemon.config.reader import read_config
    from oem_daemon.site import Site
    from oem_daemon.slo import metric_sources
    from oem_security.files import write_atomic

    site = Site(args.site)
    config = read_config(site.config)
    path = args.out or site.root / "metrics" / "slo.rules.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, oem_tco.rules_yaml(config.slo, metric_sources()).encode())
    out.report(
        {"rules": str(path), "slos": [definition.name for definition in config.slo]}, str(path)
    )
    return ExitCode.OK
