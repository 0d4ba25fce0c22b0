"""`oem tco`: cost analysis."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.tco_report import BUCKETS, add_report_options, read_scenarios, write_cost_report
from oem_cli.nouns.tco_tables import add_cost
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    import oem_tco


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem tco`."""
    verbs = Verbs(parser)
    add_cost(verbs)
    analyze = verbs.add(
        "analyze", run_analyze, "split the costs of the site's ledger and write the sealed report"
    )
    analyze.add_argument(
        "--delay",
        choices=("whole_order", "filled_part"),
        default="whole_order",
        help="what the delay is counted on (default: whole_order)",
    )
    analyze.add_argument(
        "--ledger",
        type=Path,
        metavar="DIR",
        help="folder of orders.csv and fills.csv (default: var/tco of the site)",
    )
    analyze.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where the report is written (default: reports/tco of the site)",
    )
    analyze.add_argument("--profile", metavar="NAME", help="orders of this risk profile only")
    analyze.add_argument(
        "--by",
        metavar="DIM[,DIM]",
        default="strategy",
        help="dimensions of the table that is printed: strategy, profile, scheduler, venue, "
        "symbol, order_type, side, time_bucket, hour (default: strategy)",
    )
    add_report_options(analyze)
    analyze.add_argument(
        "--summary-json", type=Path, metavar="FILE", help="also write the result as JSON"
    )


def run_analyze(args: argparse.Namespace, out: Output) -> ExitCode:
    """Analyse the cost ledger and write the report."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring
    from oem_security.files import write_atomic

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    scenarios = read_scenarios(args)
    rows, digests = oem_tco.read_with_digests(args.ledger or site.cost_ledger)
    if args.profile is not None:
        rows = oem_tco.only_orders(rows, lambda order: order.profile == args.profile)
    by = tuple(name.strip() for name in args.by.split(","))
    result = oem_tco.analyze(rows, convention=oem_tco.DelayConvention(args.delay))
    groups = oem_tco.group_costs(result, by, bucket_ns=BUCKETS[args.bucket])
    paths, reading = write_cost_report(
        args, site, keyring, result, rows,
        folder=args.output or site.tco_reports, scenarios=scenarios,
        fees=oem_tco.FeeBook.shipped(), inputs=digests,
    )  # fmt: skip
    summary = _summary(result, reading, groups, by)
    summary |= {"inputs": digests, "csv": str(paths.csv), "pdf": str(paths.pdf)}
    if args.summary_json is not None:
        args.summary_json.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(args.summary_json, (json.dumps(summary, indent=1) + "\n").encode())
    out.report(summary, [*_lines(result, reading, groups, by), str(paths.csv), str(paths.pdf)])
    return ExitCode.OK


def _summary(
    result: oem_tco.TcoResult,
    reading: oem_tco.CostReading,
    groups: tuple[oem_tco.GroupCost, ...],
    by: tuple[str, ...],
) -> dict[str, Any]:
    import oem_tco

    def costs(group: oem_tco.GroupCost) -> dict[str, Any]:
        return {
            "orders": group.costs.orders,
            "fills": group.costs.fills,
            "currency": group.currency,
            "bps": {c.value: _known(group.costs.bps(c)) for c in oem_tco.Component},
            "total_bps": _known(group.costs.bps()),
            "median_bps": _known(group.median_bps),
        }

    total = result.total
    wholes = oem_tco.group_costs(result, ())
    alone = len(wholes) <= 1  # figures of several currencies are never added
    stress = reading.stress
    return {
        "orders": total.orders,
        "fills": total.fills,
        "bps": {c.value: _known(total.bps(c)) if alone else None for c in oem_tco.Component},
        "total_bps": _known(total.bps()) if alone else None,
        "currencies": [costs(group) for group in wholes],
        "by": list(by),
        "groups": [{"key": list(group.key), **costs(group)} for group in groups],
        "outliers": [{"order_id": o.order_id, "score": o.score} for o in reading.outliers],
        "trends": [
            {"key": list(t.key), "currency": t.currency, "direction": t.direction.value,
             "slope_bps_per_day": _known(t.fit.slope), "p_adjusted": t.p_adjusted}
            for t in reading.trends
        ],
        "worst": [{"order_id": w.order_id, "story": list(w.story)} for w in reading.worst],
        "stress": [
            {"scenario": c.scenario, "currency": c.currency, "base_bps": _known(c.base_bps),
             "stressed_bps": _known(c.total_bps)}
            for c in (stress.costs if stress else ())
        ],
        "assumptions": list(stress.notes if stress else ()),
        "findings": list(result.findings),
    }  # fmt: skip


def _lines(
    result: oem_tco.TcoResult,
    reading: oem_tco.CostReading,
    groups: tuple[oem_tco.GroupCost, ...],
    by: tuple[str, ...],
) -> list[str]:
    import oem_tco

    lines: list[str] = []
    for whole in oem_tco.group_costs(result, ()):
        parts = [(c.value, f"{whole.costs.bps(c):+.3f}") for c in oem_tco.Component]
        lines += [
            *table((f"component ({whole.currency})", "bps"), parts, right=(1,)),
            _total_line(whole),
            "",
        ]
    shown = [
        (*(value or "(none)" for value in g.key), g.currency, g.costs.orders,
         f"{g.costs.bps():+.2f}", f"{g.median_bps:+.2f}", f"{g.high_bps:+.2f}")
        for g in groups
    ]  # fmt: skip
    head = (*by, "currency", "orders", "bps", "median", "p90")
    lines += [*table(head, shown, right=range(len(by) + 1, len(head))), ""]
    if reading.stress is not None:
        stressed = [
            (c.scenario, c.currency, f"{c.base_bps:+.2f}", f"{c.total_bps:+.2f}")
            for c in reading.stress.costs
        ]
        lines += [*table(("stress", "currency", "bps", "stressed"), stressed, right=(2, 3)), ""]
    lines += [f"trend, {t.currency}: {t.direction.value}" for t in reading.trends if not t.key]
    lines.append(f"{len(reading.outliers)} outliers marked, none dropped")
    return [*lines, *result.findings]


def _total_line(group: oem_tco.GroupCost) -> str:
    costs = group.costs
    return f"total {costs.bps():+.3f} bps of {costs.orders} orders, {costs.fills} fills"


def _known(figure: float) -> float | None:
    """Return a figure as JSON can keep it: there is none of nothing traded."""
    return figure if math.isfinite(figure) else None
