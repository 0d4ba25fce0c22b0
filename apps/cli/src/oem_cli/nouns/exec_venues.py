"""The verbs of `oem exec` that speak to venues: intel, reconcile, release, dry-run."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oem_daemon.decision_log import DecisionLog
    from oem_daemon.site import Site
    from oem_exec import (
        Budgets,
        KillState,
        LiveExecutionRouter,
        MarketReading,
        OrderIntent,
        ReconcileReport,
        RouteTable,
        Sequencer,
    )
    from oem_exec.ccxt_venue.venue import CcxtVenue


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs that speak to venues."""
    intel = verbs.add("intel", _intel, "read spread, depth, volume, volatility, funding, latency")
    _venue_options(intel)
    intel.add_argument("--symbol", action="append", metavar="SYMBOL", help="default: BTC/USDT")
    intel.add_argument("--size", action="append", default=[], help="base units to price")
    reconcile = verbs.add(
        "reconcile", _reconcile, "resolve every open order by its venue's evidence (daemon stopped)"
    )
    _venue_options(reconcile)
    _patience(reconcile)
    release = verbs.add(
        "release", _release, "let the venue's evidence decide an order that was set aside"
    )
    release.add_argument("intent", metavar="INTENT", help="intent id")
    release.add_argument("--operator", required=True, help="who releases it, for the record")
    _venue_options(release)
    _patience(release)
    dry = verbs.add("dry-run", _dry_run, "rehearse live execution: everything but the sending")
    _venue_options(dry)
    dry.add_argument("--config", type=Path, help="configuration (default: config/core.yaml)")
    dry.add_argument("--symbol", action="append", metavar="SYMBOL", help="default: the config's")
    dry.add_argument("--orders", type=Path, metavar="FILE", help="JSON list of intents to rehearse")
    dry.add_argument(
        "--audit-json",
        type=Path,
        metavar="FILE",
        help="decision log (default: audit/decision_logs/live_execution.jsonl)",
    )
    dry.add_argument("--output", type=Path, help="report file (default: reports/exec/dry_run.json)")


def _venue_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--venue", metavar="VENUE", help="one exchange; default: execution.live")
    parser.add_argument("--base-url", default="", help="its address in place of its own")
    parser.add_argument("--api-key", default="", help="key at that exchange")
    parser.add_argument("--secret-file", type=Path, help="file with its secret")
    parser.add_argument("--venues", type=Path, metavar="FILE", help="JSON list of several")


def _patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="seconds to ask for evidence"
    )


@dataclass(frozen=True)
class _Reach:
    """The venues a command speaks to, and what keeps it within their rules."""

    venues: tuple[CcxtVenue, ...]
    routes: RouteTable
    budgets: Budgets
    sequencers: dict[str, Sequencer]


def _reach(args: argparse.Namespace, site: Site) -> _Reach:
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
        return _Reach(found.venues, found.routes, found.budgets, found.sequencers)
    if args.venues is not None:
        venues = open_venues(read_accesses(args.venues))
    else:
        access = VenueAccess(
            exchange=args.venue, api_key=args.api_key, secret_file=args.secret_file
        )
        venues = open_venues([access.model_copy(update={"base_url": args.base_url})])
    limits = {venue.name: venue.capabilities.limits for venue in venues}
    return _Reach(
        venues,
        RouteTable((Route(venues=tuple(limits)),)),
        SharedBudgets(site.runtime / "budgets", limits),
        {},
    )


async def _closing(venues: tuple[CcxtVenue, ...], work: Awaitable[ExitCode]) -> ExitCode:
    try:
        return await work
    finally:
        for venue in venues:
            await venue.close()


# market intelligence


def _intel(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_daemon.site import Site

    reach = _reach(args, Site(args.site))
    return asyncio.run(_closing(reach.venues, _read_markets(args, out, reach)))


async def _read_markets(args: argparse.Namespace, out: Output, reach: _Reach) -> ExitCode:
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
    reach = _reach(args, site)

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

    return asyncio.run(run())


def _stage(site: Site) -> str:
    from oem_daemon.config.reader import read_config

    return read_config(site.config).runtime.stage.value if site.config.exists() else "paper"


def decision_log(stack: ExitStack, site: Site, path: Path) -> DecisionLog | None:
    """Return a site's signed decision log, None for a site without keys."""
    from oem_daemon.decision_log import DecisionLog
    from oem_security import Journal, Keyring

    if not site.keys.is_dir():
        return None
    keyring = Keyring.open(site.keys)
    journal = stack.enter_context(Journal.open(path, keyring, subject="decisions"))
    return DecisionLog(journal, lambda _: None)


# dry run


def _dry_run(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_daemon.site import Site

    site = Site(args.site)
    reach = _reach(args, site)
    symbols, intents = _symbols(args, site), _intents(args.orders)
    work = _rehearse(args, out, site, reach, symbols, intents)
    return asyncio.run(_closing(reach.venues, work))


async def _rehearse(
    args: argparse.Namespace,
    out: Output,
    site: Site,
    reach: _Reach,
    symbols: tuple[str, ...],
    intents: tuple[OrderIntent, ...] | None,
) -> ExitCode:
    import tempfile

    from oem_cli.nouns.exec import seal
    from oem_exec.dry_run import dry_run

    audit = args.audit_json or site.decision_log("live_execution")
    with ExitStack() as stack:
        log = decision_log(stack, site, audit)
        if log is None:
            out.say(f"oem: nothing is written to the decision log: no keys at {site.keys}")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oem-dry-run-")))
        report = await dry_run(
            reach.venues,
            symbols,
            folder,
            journal=log,
            routes=reach.routes,
            intents=intents,
            kill_state=_kill_state(site),
        )
    target = args.output or site.reports / "exec" / "dry_run.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    lines = table(
        ("venue", "check", "held", "seen"),
        (
            (check.venue, check.check, "yes" if check.passed else "NO", check.seen[:70])
            for check in report.checks
        ),
    )
    lines += ["", f"kill switch: {report.kill_state}"]
    lines += [f"{o.intent_id}: would be {o.state} at {o.venue}" for o in report.orders]
    lines += [f"{name}: refused: {why}" for name, why in report.refused.items()]
    verdict = "PASS" if report.passed else "FAIL"
    sealed = seal(args.site, target, out)
    body = {**report.as_json(), "report": str(target), "seal": sealed, "decision_log": str(audit)}
    out.report(body, [*lines, "", f"dry run: {verdict}", str(target)])
    return ExitCode.OK if report.passed else ExitCode.FAILED


def _symbols(args: argparse.Namespace, site: Site) -> tuple[str, ...]:
    if args.symbol:
        return tuple(args.symbol)
    from oem_daemon.config.reader import read_config

    return read_config(args.config or site.config).runtime.symbols


def _intents(path: Path | None) -> tuple[OrderIntent, ...] | None:
    if path is None:
        return None
    from oem_exec import BadSettings, OrderIntent

    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadSettings(
            f"not JSON: {error}", where=str(path), remedy="give a list of intents"
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadSettings("not a list of objects", where=str(path), remedy="give a list of intents")
    return tuple(OrderIntent.from_json(row) for row in rows)


def _kill_state(site: Site) -> KillState:
    from oem_exec import KillState, SqliteOrderStore

    if not site.orders.exists():
        return KillState.ACTIVE
    with SqliteOrderStore.open(site.orders, exclusive=False) as store:
        return store.kill_switch().state
