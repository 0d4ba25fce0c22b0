"""`oem exec dry-run`: rehearse live execution, everything but the sending."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.exec_reach import Reach, closing, decision_log, reach_venues, venue_options
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_daemon.site import Site
    from oem_exec import KillState, OrderIntent

_MAX_BYTES = 1 << 24


def add_dry_run(verbs: Verbs) -> None:
    """Add the verb."""
    dry = verbs.add("dry-run", _dry_run, "rehearse live execution: everything but the sending")
    venue_options(dry)
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


def _dry_run(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_daemon.site import Site

    site = Site(args.site)
    symbols, intents = _symbols(args, site), _intents(args.orders)
    reach = reach_venues(args, site)
    work = _rehearse(args, out, site, reach, symbols, intents)
    return asyncio.run(closing(reach, work))


async def _rehearse(
    args: argparse.Namespace,
    out: Output,
    site: Site,
    reach: Reach,
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
    from oem_security import strict_json
    from oem_security.files import read_bounded

    data = read_bounded(path, _MAX_BYTES, what="list of intents")
    rows = strict_json.loads(data, what="the list of intents", max_bytes=_MAX_BYTES)
    objects = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not isinstance(rows, list) or len(objects) < len(rows):
        raise BadSettings("not a list of objects", where=str(path), remedy="give a list of intents")
    return tuple(OrderIntent.from_json(row) for row in objects)


def _kill_state(site: Site) -> KillState:
    from oem_exec import KillState, SqliteOrderStore

    if not site.orders.exists():
        return KillState.ACTIVE
    with SqliteOrderStore.open(site.orders, exclusive=False) as store:
        return store.kill_switch().state
