"""The verbs of `oem exec` that speak to venues: intel, reconcile, release."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.exec_dry_run import add_dry_run
from oem_cli.nouns.exec_reach import Reach, closing, decision_log, reach_venues, venue_options
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oem_daemon.site import Site
    from oem_exec import (
        LiveExecutionRouter,
        MarketReading,
        ReconcileReport,
    )


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs that speak to venues."""
    intel = verbs.add("intel", _intel, "read spread, depth, volume, volatility, funding, latency")
    venue_options(intel)
    intel.add_argument("--symbol", action="append", metavar="SYMBOL", help="default: BTC/USDT")
    intel.add_argument("--size", action="append", default=[], help="base units to price")
    reconcile = verbs.add(
        "reconcile", _reconcile, "resolve every open order by its venue's evidence (daemon stopped)"
    )
    venue_options(reconcile)
    _patience(reconcile)
    release = verbs.add(
        "release", _release, "let the venue's evidence decide an order that was set aside"
    )
    release.add_argument("intent", metavar="INTENT", help="intent id")
    release.add_argument("--operator", required=True, help="who releases it, for the record")
    venue_options(release)
    _patience(release)
    add_dry_run(verbs)


def _patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="seconds to ask for evidence"
    )


# market intelligence


def _intel(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_daemon.site import Site

    reach = reach_venues(args, Site(args.site))
    return asyncio.run(closing(reach, _read_markets(args, out, reach)))


async def _read_markets(args: argparse.Namespace, out: Output, reach: Reach) -> ExitCode:
    from decimal import Decimal, InvalidOperation

    from oem_exec import BadSettings, IntelField, MarketIntelAggregator

    try:
        sizes = tuple(Decimal(size) for size in args.size)
        if not all(size.is_finite() and size > 0 for size in sizes):
            raise InvalidOperation
    except InvalidOperation:
        raise BadSettings(
            "a size is not a number above 0", where="--size", remedy="give base units"
        ) from None
    symbols = tuple(args.symbol or ["BTC/USDT"])
    intel = MarketIntelAggregator(
        [venue.market for venue in reach.venues],
        {venue.name: symbols for venue in reach.venues},
        budgets=reach.budgets,
    )
    await intel.refresh_all()
    readings = intel.readings()
    out.report(
        {"markets": [reading.as_json(sizes) for reading in readings]},
        [line for reading in readings for line in _market_lines(reading, sizes)],
    )
    unread = any(IntelField.BOOK in reading.stale for reading in readings)
    return ExitCode.UNAVAILABLE if unread else ExitCode.OK


def _market_lines(reading: MarketReading, sizes: tuple[object, ...]) -> list[str]:
    shown = reading.as_json(sizes)  # type: ignore[arg-type]
    rows = [
        (name, json.dumps(value) if isinstance(value, dict | list) else value)
        for name, value in shown.items()
        if name not in {"venue", "symbol"} and value not in (None, {}, [])
    ]
    return [f"{reading.venue} {reading.symbol}", *table(("what", "value"), rows), ""]


# reconcile and release


def _reconcile(args: argparse.Namespace, out: Output) -> ExitCode:
    async def work(router: LiveExecutionRouter, report: ReconcileReport) -> ExitCode:
        asked = router.venues
        left = [order for order in router.orders() if order.venue not in asked]
        left = [order for order in left if not order.settled]
        body = {**report.as_json(), "not_asked": [order.as_json() for order in left]}
        lines = [
            (
                f"checked {report.checked}, resolved {len(report.resolved)}, "
                f"unresolved {len(report.unresolved)}, quarantined {len(report.quarantined)}"
            ),
            *(f"resolved     {o.intent_id} {o.venue} {o.state}" for o in report.resolved),
            *(f"unresolved   {o.intent_id} {o.venue} {o.reason}" for o in report.unresolved),
            *(f"quarantined  {o.intent_id} {o.venue} {o.reason}" for o in report.quarantined),
            *(f"not asked    {o.intent_id} {o.venue} {o.state}" for o in left),
            *(f"foreign      {name}" for name in report.foreign),
        ]
        out.report(body, lines)
        if report.unresolved or left:
            return ExitCode.INCONCLUSIVE
        return ExitCode.FAILED if report.quarantined or report.foreign else ExitCode.OK

    return _with_router(args, work)


def _release(args: argparse.Namespace, out: Output) -> ExitCode:
    from oem_exec.errors import UnresolvedOrders
    from oem_exec.model.states import OrderState

    async def work(router: LiveExecutionRouter, _: ReconcileReport) -> ExitCode:
        order = await router.release(args.intent, operator=args.operator)
        if order.state in {OrderState.UNKNOWN, OrderState.SUBMITTING}:
            raise UnresolvedOrders(
                f"the venue gives no evidence: {order.reason}",
                where=order.intent_id,
                remedy="ask again when it answers; nothing else may decide an order's fate",
            )
        out.report({"order": order.as_json()}, f"{order.intent_id} is {order.state}")
        return ExitCode.OK

    return _with_router(args, work)


def _with_router(
    args: argparse.Namespace,
    work: Callable[[LiveExecutionRouter, ReconcileReport], Awaitable[ExitCode]],
) -> ExitCode:
    import asyncio

    from oem_cli.nouns.exec import existing_store
    from oem_daemon.site import Site
    from oem_exec import LiveExecutionRouter, RouterSettings, SqliteOrderStore

    path, site = existing_store(args), Site(args.site)
    reach = reach_venues(args, site)

    async def run() -> ExitCode:
        with ExitStack() as stack:
            store = stack.enter_context(SqliteOrderStore.open(path))
            log = decision_log(stack, site, site.decision_log(_stage(site)))
            router = LiveExecutionRouter(
                store,
                reach.venues,
                reach.routes,
                journal=log,
                budgets=reach.budgets,
                sequencers=reach.sequencers,
                settings=RouterSettings(
                    start_patience_s=args.patience, resolve_patience_s=args.patience
                ),
            )
            report = await router.start()
            try:
                return await work(router, report)
            finally:
                await router.stop()

    return asyncio.run(closing(reach, run()))


def _stage(site: Site) -> str:
    from oem_daemon.config.reader import read_config

    return read_config(site.config).runtime.stage.value if site.config.exists() else "paper"
