"""The venues that a command of `oem exec` speaks to, and what keeps it within their rules."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from oem_daemon.decision_log import DecisionLog
    from oem_daemon.site import Site
    from oem_exec import RouteTable, Sequencer, SharedBudgets
    from oem_exec.ccxt_venue.venue import CcxtVenue


def venue_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name venues."""
    parser.add_argument("--venue", metavar="VENUE", help="one exchange; default: execution.live")
    parser.add_argument("--base-url", default="", help="its address in place of its own")
    parser.add_argument("--api-key", default="", help="key at that exchange")
    parser.add_argument("--secret-file", type=Path, help="file with its secret")
    parser.add_argument("--venues", type=Path, metavar="FILE", help="JSON list of several")


@dataclass(frozen=True)
class Reach:
    """The venues a command speaks to, and what keeps it within their rules."""

    venues: tuple[CcxtVenue, ...]
    routes: RouteTable
    budgets: SharedBudgets
    sequencers: dict[str, Sequencer]


def reach_venues(args: argparse.Namespace, site: Site) -> Reach:
    """Return the venues named on the command line, else those of `execution.live`."""
    from oem_daemon.config.reader import read_config
    from oem_daemon.venues import exchanges
    from oem_exec import BadSettings, Route, RouteTable, SharedBudgets
    from oem_exec.access import VenueAccess, open_venues, read_accesses
    from oem_security.clock import SystemClock

    if args.venues is None and not args.venue:
        config = getattr(args, "config", None) or site.config
        live = read_config(config).execution.live if config.exists() else None
        if live is None:
            raise BadSettings(
                "no venue is named",
                where=str(config),
                remedy="give --venue or --venues, or fill execution.live",
            )
        found = exchanges(site, live, SystemClock())
        return Reach(found.venues, found.routes, found.budgets, found.sequencers)
    if args.venues is not None:
        venues = open_venues(read_accesses(args.venues))
    else:
        access = VenueAccess(
            exchange=args.venue, api_key=args.api_key, secret_file=args.secret_file
        )
        venues = open_venues([access.model_copy(update={"base_url": args.base_url})])
    limits = {venue.name: venue.capabilities.limits for venue in venues}
    return Reach(
        venues,
        RouteTable((Route(venues=tuple(limits)),)),
        SharedBudgets(site.runtime / "budgets", limits),
        {},
    )


async def closing(reach: Reach, work: Awaitable[ExitCode]) -> ExitCode:
    """Return what the work returns; connections and budgets are closed then."""
    try:
        return await work
    finally:
        for venue in reach.venues:
            await venue.close()
        reach.budgets.close()


def decision_log(stack: ExitStack, site: Site, path: Path) -> DecisionLog | None:
    """Return a site's signed decision log, None for a site without keys."""
    from oem_daemon.decision_log import DecisionLog
    from oem_security import Journal, Keyring

    if not site.keys.is_dir():
        return None
    keyring = Keyring.open(site.keys)
    journal = stack.enter_context(Journal.open(path, keyring, subject="decisions"))
    return DecisionLog(journal, lambda _: None)
