"""`oem daemon`: run the trading daemon, or ask a running one."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_api import TradingClient

STOP_PATIENCE_S = 20.0
T = TypeVar("T")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem daemon`."""
    verbs = Verbs(parser)
    run = verbs.add("run", run_run, "run the daemon in the foreground until it is stopped")
    run.add_argument("--cycles", type=int, default=None, help="strategy cycles to run at most")
    verbs.add("stop", run_stop, "stop the running daemon and wait until it has ended")
    for name, function, help_line in (
        ("status", run_status, "mode, trading state, licence and alerts of the running daemon"),
        ("orders", run_orders, "newest orders"),
        ("decisions", run_decisions, "newest decisions with their reasons"),
        ("risk", run_risk, "exposure, profit and loss, limits"),
        ("halt", run_halt, "stop all trading; durable over restarts"),
        ("resume", run_resume, "let trading go on"),
    ):
        verb = verbs.add(name, function, help_line)
        verb.add_argument("--token-file", type=Path, help="operator token (default: the only one)")
        if name in ("halt", "resume"):
            verb.add_argument("--reason", required=True, help="why; it goes to the decision log")


def run_run(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run the daemon in this process."""
    from oem_daemon.daemon import run_daemon
    from oem_daemon.site import Site

    out.say(f"daemon of {args.site} starts; stop it with Ctrl-C or: oem daemon stop")
    return ExitCode.STORAGE if run_daemon(Site(args.site), cycles=args.cycles) else ExitCode.OK


def run_stop(args: argparse.Namespace, out: Output) -> ExitCode:
    """Ask the daemon to stop, and wait."""
    from oem_cli.remote import RemoteError, daemon_facts
    from oem_daemon.site import Site
    from oem_security.errors import Category

    site = Site(args.site)
    pid = int(daemon_facts(site)["pid"])
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        (site.runtime / "daemon.json").unlink(missing_ok=True)
        out.report({"stopped": True, "pid": pid}, f"daemon {pid} had ended before")
        return ExitCode.OK
    deadline = time.monotonic() + STOP_PATIENCE_S
    while (site.runtime / "daemon.json").exists():
        if time.monotonic() > deadline:
            raise RemoteError(
                "the daemon has not stopped yet",
                where=f"pid {pid}",
                remedy="look at its messages, then stop it again",
                category=Category.STATE,
            )
        time.sleep(0.05)
    out.report({"stopped": True, "pid": pid}, f"daemon {pid} has stopped")
    return ExitCode.OK


def run_status(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show the daemon's status."""
    from oem_api import as_json, pb
    from oem_api.text import enum_text

    status = _ask(args, lambda client: client.status())
    state = enum_text(pb.TradingState, status.trading_state)
    out.report(
        as_json(status),
        [
            f"version {status.version}, {enum_text(pb.Mode, status.mode)}, {status.profile}",
            f"trading {state}" + (f": {why}" if (why := status.trading_state_reason) else ""),
            f"licence {status.licence.licence_id}, {', '.join(status.licence.features)}",
            f"{status.cycles} cycles of {', '.join(status.strategies)}",
            f"symbols {', '.join(status.symbols)}",
            f"you are {status.caller} ({', '.join(status.caller_roles)})",
            *(f"ALERT {a.what} ({a.where}); {a.remedy}" for a in status.alerts),
        ],
    )
    return ExitCode.OK


def run_orders(args: argparse.Namespace, out: Output) -> ExitCode:
    """List the newest orders."""
    from oem_api import as_json, pb
    from oem_api.text import enum_text

    found = _ask(args, lambda client: client.orders(page_size=20))
    rows = [
        (o.client_order_id, o.symbol, enum_text(pb.Side, o.side), o.quantity,
         _rounded(o.average_price), enum_text(pb.OrderState, o.state), o.strategy)
        for o in found.orders
    ]  # fmt: skip
    head = ("order", "symbol", "side", "quantity", "average price", "state", "strategy")
    out.report(as_json(found), table(head, rows, right=(3, 4)))
    return ExitCode.OK


def _rounded(price: str) -> str:
    """Return a price with at most 8 decimals, as people read it; the JSON keeps them all."""
    decimals = len(price.partition(".")[2])
    return price if decimals <= 8 else f"{Decimal(price):.8f}".rstrip("0").rstrip(".")


def run_decisions(args: argparse.Namespace, out: Output) -> ExitCode:
    """List the newest decisions."""
    from oem_api import as_json, pb
    from oem_api.text import enum_text

    found = _ask(args, lambda client: client.decisions(page_size=20))
    rows = [
        (d.decision_id, d.strategy, d.symbol, enum_text(pb.Verdict, d.verdict),
         f"{d.net_edge_bps:.1f}", f"{d.cost_bps:.1f}", ", ".join(d.reasons))
        for d in found.decisions
    ]  # fmt: skip
    head = ("decision", "strategy", "symbol", "verdict", "net edge", "cost bps", "reasons")
    out.report(as_json(found), table(head, rows, right=(4, 5)))
    return ExitCode.OK


def run_risk(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show exposure and limits."""
    from oem_api import as_json

    risk = _ask(args, lambda client: client.risk())
    rows = [
        (
            limit.name,
            limit.value,
            limit.limit,
            f"{limit.used:.0%}",
            "BREACH" if limit.breached else "",
        )
        for limit in risk.limits
    ]
    lines = table(("limit", "value", "limit", "used", ""), rows, right=(1, 2, 3))
    out.report(as_json(risk), [f"equity {risk.equity} {risk.currency}", *lines])
    return ExitCode.OK


def run_halt(args: argparse.Namespace, out: Output) -> ExitCode:
    """Halt trading."""
    return _switch(args, out, "halted")


def run_resume(args: argparse.Namespace, out: Output) -> ExitCode:
    """Let trading go on."""
    return _switch(args, out, "active")


def _switch(args: argparse.Namespace, out: Output, state: str) -> ExitCode:
    from oem_api import as_json, pb
    from oem_api.text import enum_of, enum_text

    wanted = enum_of(pb.TradingState, state)
    status = _ask(args, lambda client: client.set_trading_state(wanted, args.reason))
    out.report(as_json(status), f"trading is {enum_text(pb.TradingState, status.trading_state)}")
    return ExitCode.OK


def _ask(args: argparse.Namespace, question: Callable[[TradingClient], T]) -> T:
    from oem_cli.remote import connect, token_of
    from oem_daemon.site import Site

    site = Site(args.site)
    with connect(site, token_of(site, args.token_file)) as client:
        return question(client)
