"""The sealed cost report that `oem tco analyze` and `oem tco cost --report` write."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

BUCKETS = {"hour": 3_600 * 10**9, "day": 86_400 * 10**9, "week": 7 * 86_400 * 10**9}


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add what a report shows beside the sums."""
    parser.add_argument(
        "--bucket",
        choices=tuple(BUCKETS),
        default="day",
        help="length of a time bucket, UTC (default: day)",
    )
    parser.add_argument(
        "--worst", type=int, default=5, metavar="N", help="dearest orders to tell of (default: 5)"
    )
    parser.add_argument(
        "--stress",
        type=Path,
        metavar="FILE",
        help="JSON list of cost scenarios (default: tier lost, spread x3, depth / 4, 1 s, all)",
    )


def write_cost_report(
    args: argparse.Namespace,
    site: Site,
    keyring: Keyring,
    result: oem_tco.TcoResult,
    rows: oem_tco.LedgerRows,
    *,
    folder: Path,
    scenarios: tuple[oem_tco.CostScenario, ...],
    fees: oem_tco.FeeBook,
    inputs: Mapping[str, str],
    markouts: Mapping[str, tuple[oem_tco.MarkoutMean, ...]] | None = None,
) -> tuple[oem_tco.ReportPaths, oem_tco.CostReading]:
    """Write CSV, PDF and seals of an analysis, and return their paths and what they show.

    Args:
        args: Options of `add_report_options`.
        site: The site, whose settings say what the paper venue charges.
        keyring: Its keys, which seal.
        result: The analysis.
        rows: Its orders and fills.
        folder: Where to.
        scenarios: Cost scenarios, from `read_scenarios`.
        fees: Fee schedules.
        inputs: Digests of what was read.
        markouts: Symbol to curve; None takes the mids that the rows themselves have seen.
    """
    import oem_tco

    fee_venues = _fee_venues(site)
    curves = oem_tco.ledger_markouts(rows.orders, rows.fills) if markouts is None else markouts
    reading = oem_tco.read_costs(
        result,
        rows.fills,
        stress=oem_tco.stress_costs(
            result, rows.fills, fees, scenarios=scenarios, fee_venues=fee_venues
        ),
        markouts={
            symbol: points
            for symbol, curve in curves.items()
            if (points := oem_tco.markout_points(curve))
        },
        bucket_ns=BUCKETS[args.bucket],
        worst=args.worst,
    )
    paths = oem_tco.write_report(
        result,
        folder,
        keyring,
        generated_at_ns=oem_tco.last_moment(rows.orders, rows.fills),
        schedules=oem_tco.schedules_met(rows, fees, fee_venues),
        inputs=inputs,
        reading=reading,
    )
    return paths, reading


def _fee_venues(site: Site) -> dict[str, str]:
    """Return which venue's schedule the paper venue charges, where the site says so."""
    from oem_daemon.config.reader import read_config

    if not site.config.is_file():
        return {}
    return {"paper": read_config(site.config).execution.paper.fees_of}


def read_scenarios(args: argparse.Namespace) -> tuple[oem_tco.CostScenario, ...]:
    """Return the cost scenarios that were asked for, once the other options hold too.

    Raises:
        InputError: An option cannot be.
    """
    import oem_tco

    if args.worst < 0:
        raise oem_tco.InputError(f"{args.worst}", where="--worst", remedy="give 0 or more")
    path: Path | None = args.stress
    if path is None:
        return oem_tco.DEFAULT_COST_SCENARIOS
    if not path.is_file():
        raise oem_tco.InputError(
            "there is no such file", where=str(path), remedy="name a JSON list of scenarios"
        )
    return oem_tco.load_scenarios(path.read_bytes(), str(path))
