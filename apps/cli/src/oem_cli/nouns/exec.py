"""`oem exec`: what became of orders, the kill switch, repair, certification, dry run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.exec_venues import add_verbs
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from decimal import Decimal

    from oem_exec import Order


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem exec`."""
    verbs = Verbs(parser)
    status = verbs.add("status", _status, "show orders, quarantine and the kill switch")
    status.add_argument("--limit", type=int, default=20, metavar="N", help="newest orders shown")
    show = verbs.add("show", _show, "show every attempt and fill of one intent")
    show.add_argument("intent", metavar="INTENT", help="intent id")
    kill = verbs.add("kill", _kill, "set the kill switch; a running daemon obeys at once")
    kill.add_argument("state", choices=["active", "reducing", "halted"], help="its new state")
    kill.add_argument("--reason", required=True, help="why, for the record")
    kill.add_argument("--operator", required=True, help="who sets it")
    add_verbs(verbs)
    verbs.add("repair", _repair, "rebuild a damaged order store and keep the damaged file")
    verbs.add("capabilities", _capabilities, "print the capability table of the venues")
    certification = verbs.add("certify", _certify, "run the list of cases against a sandbox")
    certification.add_argument(
        "venue", metavar="VENUE", help="binance, kraken, okx, bybit, coinbase"
    )
    certification.add_argument("--symbol", default="BTC/USDT", help="a liquid symbol")
    certification.add_argument(
        "--base-url", default="", help="sandbox address; default: venue server"
    )
    certification.add_argument("--api-key", default="", help="sandbox key")
    certification.add_argument("--secret-file", type=Path, help="file with the sandbox secret")
    certification.add_argument(
        "--largest-notional",
        default="1000",
        metavar="QUOTE",
        help="most that the partial fill may cost at a sandbox",
    )
    certification.add_argument("--output", type=Path, help="report file (default: reports/exec/)")


def _store_path(args: argparse.Namespace) -> Path:
    from oem_daemon.site import Site

    path: Path = Site(args.site).orders
    return path


def existing_store(args: argparse.Namespace) -> Path:
    """Return the path of the site's order store; raises `StoreUnavailable` when it has none."""
    from oem_exec.errors import StoreUnavailable

    path = _store_path(args)
    if not path.exists():
        raise StoreUnavailable(
            "the site has no order store yet", where=str(path), remedy="start the daemon once"
        )
    return path


def _row(order: Order) -> tuple[object, ...]:
    return (
        order.intent_id,
        order.venue,
        order.intent.symbol,
        order.intent.side,
        order.state,
        f"{order.filled_quantity}/{order.quantity}",
        order.average_price if order.average_price is not None else "-",
    )


def _status(args: argparse.Namespace, out: Output) -> ExitCode:
    from oem_exec.store.sqlite import SqliteOrderStore

    with SqliteOrderStore.open(existing_store(args), exclusive=False) as store:
        switch, orders = store.kill_switch(), store.orders(limit=args.limit)
        unsettled, kept = store.unsettled(), store.contradictions()
    lines = [f"kill switch: {switch.state}" + (f" ({switch.reason})" if switch.reason else "")]
    lines += [f"unsettled orders: {len(unsettled)}; contradictions kept: {len(kept)}", ""]
    header = ("intent", "venue", "symbol", "side", "state", "filled", "price")
    lines += table(header, map(_row, orders), right=(5, 6))
    out.report(
        {
            "kill_switch": {
                "state": switch.state,
                "reason": switch.reason,
                "operator": switch.operator,
            },
            "unsettled": [order.as_json() for order in unsettled],
            "contradictions": [
                {"venue": c.venue, "client_order_id": c.client_order_id, "what": c.what}
                for c in kept
            ],
            "orders": [order.as_json() for order in orders],
        },
        lines,
    )
    return ExitCode.OK


def _show(args: argparse.Namespace, out: Output) -> ExitCode:
    from oem_exec.errors import UnknownOrder
    from oem_exec.store.sqlite import SqliteOrderStore

    with SqliteOrderStore.open(existing_store(args), exclusive=False) as store:
        attempts = store.attempts(args.intent)
    if not attempts:
        raise UnknownOrder("no such intent", where=args.intent, remedy="see `oem exec status`")
    body = {"attempts": [order.as_json() for order in attempts]}
    out.report(body, json.dumps(body, indent=2))
    return ExitCode.OK


def _kill(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_exec import KillState, KillSwitch
    from oem_exec.store.sqlite import SqliteOrderStore
    from oem_security.clock import SystemClock

    switch = KillSwitch(KillState(args.state), args.reason, args.operator, SystemClock().now_ns())
    with SqliteOrderStore.open(_store_path(args), exclusive=False) as store:
        asyncio.run(store.set_kill_switch(switch))
    out.report({"state": switch.state}, f"kill switch: {switch.state}")
    return ExitCode.OK


def _repair(args: argparse.Namespace, out: Output) -> ExitCode:
    from oem_exec.store.repair import repair

    saved, kept = repair(existing_store(args))
    out.report(
        {"orders": saved, "damaged": str(kept)},
        f"{saved} orders saved; the damaged file is {kept}",
    )
    return ExitCode.OK


def _capabilities(args: argparse.Namespace, out: Output) -> ExitCode:  # noqa: ARG001 - the verbs' signature
    from oem_exec.ccxt_venue.table import capability_table, table_as_markdown

    rows = {
        name: {
            "set_client_id": row.set_client_id,
            "find_by_client_id": row.find_by_client_id,
            "visibility_delay_s": row.visibility_delay_s,
            "receive_window_s": row.receive_window_s,
            "amend": row.amend,
            "duplicate_ids": row.duplicate_ids,
            "sequential": row.sequential,
        }
        for name, row in capability_table().items()
    }
    out.report(rows, table_as_markdown().splitlines())
    return ExitCode.OK


def _certify(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_daemon.site import Site
    from oem_exec.sandbox import certify_venue

    secret = args.secret_file.read_text(encoding="utf-8").strip() if args.secret_file else ""
    report = asyncio.run(
        certify_venue(
            args.venue,
            args.symbol,
            args.base_url,
            args.api_key,
            secret,
            largest_notional=_amount(args.largest_notional),
        )
    )
    target = args.output or Site(args.site).reports / "exec" / f"certification_{args.venue}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    lines = table(
        ("case", "outcome", "seen"),
        ((r.case, r.outcome.replace("_", " "), r.seen[:80]) for r in report.results),
    )
    sealed = seal(args.site, target, out)
    out.report(
        {**report.as_json(), "report": str(target), "seal": sealed}, [*lines, "", str(target)]
    )
    return ExitCode.OK if report.passed else ExitCode.FAILED


def _amount(text: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    from oem_exec.errors import BadSettings

    try:
        found = Decimal(text)
        if not found.is_finite() or found <= 0:
            raise InvalidOperation
    except InvalidOperation:
        raise BadSettings(
            f"{text!r} is no amount above 0", where="--largest-notional", remedy="give a number"
        ) from None
    return found


def seal(root: Path, target: Path, out: Output) -> str:
    """Seal a report with the site's keys and return the seal's path, empty without keys."""
    from oem_daemon.site import Site

    keys = Site(root).keys
    if not keys.is_dir():
        out.say(f"oem: the report is not sealed: the site has no keys at {keys}")
        return ""
    from oem_security import Keyring, seal_file

    return str(seal_file(target, Keyring.open(keys), media_type="application/json"))
