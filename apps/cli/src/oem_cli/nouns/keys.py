"""`oem keys`: how keys stand towards their rotation, and replacing them on record."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import Keyring, Purpose, RotationPlan


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem keys`."""
    verbs = Verbs(parser)
    status = verbs.add("status", run_status, "every key, its standing, and when it is due")
    plan = verbs.add("plan", run_plan, "which keys would be replaced, and the plan's identifier")
    rotate = verbs.add("rotate", run_rotate, "replace keys; without --execute it is a dry run")
    revoke = verbs.add("revoke", run_revoke, "revoke a superseded key: what it signed is void")
    revoke.add_argument("key", metavar="KEY", help="such as document/1")
    rule = verbs.add("rule", run_rule, "change how often a key is replaced")
    rule.add_argument("purpose", metavar="PURPOSE", help="such as document")
    rule.add_argument("--interval-days", type=int, required=True, metavar="N")
    rule.add_argument("--warn-days", type=int, required=True, metavar="N")
    for verb in (plan, rotate):
        verb.add_argument(
            "--purpose", action="append", default=[], help="replace this one, due or not; repeat"
        )
        verb.add_argument("--all", action="store_true", help="replace all, due or not")
    rotate.add_argument("--execute", metavar="PLAN", help="carry out the plan of this identifier")
    for verb in (rotate, revoke, rule):
        verb.add_argument("--operator", default="", help="who does it; it is written down")
        verb.add_argument("--reason", default="", help="why; it is written down")
    for verb in (status, plan, rotate, revoke, rule):
        verb.add_argument("--vendor", type=Path, metavar="DIR", help="the vendor's keys instead")


def run_status(args: argparse.Namespace, out: Output) -> ExitCode:
    """List the keys; an overdue one ends in code 1."""
    from oem_security import Standing, key_status

    found = key_status(_keyring(args))
    rows = [
        (s.key.name, s.standing.value, s.days_left if s.key.secret else "",
         s.key.rule.interval_days, s.key.rule.warn_days)
        for s in found
    ]  # fmt: skip
    late = [s.key.name for s in found if s.standing is Standing.OVERDUE]
    soon = [s.key.name for s in found if s.standing is Standing.WARNING]
    out.report(
        {
            "keys": [
                {"key": name, "standing": standing, "days_left": days, "interval_days": every,
                 "warn_days": warn}
                for name, standing, days, every, warn in rows
            ],
            "overdue": late,
            "warning": soon,
        },
        table(("key", "standing", "days left", "interval", "warning"), rows, right=(2, 3, 4)),
    )  # fmt: skip
    if late or soon:
        out.say(f"to be rotated: {', '.join(late + soon)}; plan it with: oem keys plan")
    return ExitCode.FAILED if late else ExitCode.OK


def run_plan(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show a plan and change nothing."""
    _show(_plan(args, _keyring(args)), out)
    return ExitCode.OK


def run_rotate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Carry out the plan that was shown, or show it."""
    from oem_security import StateError, rotate_keys

    keyring = _keyring(args)
    plan = _plan(args, keyring)
    if args.execute is None:
        _show(plan, out)
        return ExitCode.OK
    if args.execute != plan.id:
        raise StateError(
            f"the plan is {plan.id} now, not {args.execute}",
            where=str(keyring.directory),
            remedy="look at it again with the same options: oem keys plan",
        )
    log, reports = _places(args)
    words = {"operator": args.operator, "reason": args.reason}
    done = rotate_keys(keyring, plan, log=log, reports=reports, **words)
    names = [done.keyring.active(step.purpose).name for step in plan.steps]
    out.report(
        {"rotated": names, "plan": plan.id, "report": str(done.report), "log": str(log)},
        [f"rotated: {', '.join(names)}", f"sealed report: {done.report}"],
    )
    return ExitCode.OK


def run_revoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Revoke a superseded key."""
    from oem_security import revoke_key

    log, _ = _places(args)
    words = {"operator": args.operator, "reason": args.reason}
    revoke_key(_keyring(args), args.key, log=log, **words)
    out.report({"revoked": args.key}, f"{args.key} is revoked; what it signed verifies no more")
    return ExitCode.OK


def run_rule(args: argparse.Namespace, out: Output) -> ExitCode:
    """Change a rotation rule."""
    from oem_security import RotationRule, set_rule

    log, _ = _places(args)
    rule = RotationRule(args.interval_days, args.warn_days)
    purpose, words = _purpose(args.purpose), {"operator": args.operator, "reason": args.reason}
    set_rule(_keyring(args), purpose, rule, log=log, **words)
    out.report(
        {"purpose": purpose.value, "interval_days": rule.interval_days,
         "warn_days": rule.warn_days},
        f"{purpose.value}: every {rule.interval_days} days, warning {rule.warn_days} days before",
    )  # fmt: skip
    return ExitCode.OK


def _show(plan: RotationPlan, out: Output) -> None:
    rows = [(step.name, step.standing.value, step.effect) for step in plan.steps]
    lines = ["nothing is due"]
    if rows:
        lines = table(("key", "standing", "what it means"), rows)
        lines.append(
            f"plan {plan.id}; nothing was changed: carry it out with: oem keys rotate with the "
            f"same options and --execute {plan.id} --operator NAME --reason TEXT"
        )
    out.report(
        {"plan": plan.id, "executed": False,
         "keys": [{"key": k, "standing": s, "effect": e} for k, s, e in rows]},
        lines,
    )  # fmt: skip


def _plan(args: argparse.Namespace, keyring: Keyring) -> RotationPlan:
    from oem_security import plan_rotation

    if args.all:
        return plan_rotation(keyring, keyring.purposes())
    named = [_purpose(word) for word in args.purpose]
    return plan_rotation(keyring, named or None)


def _purpose(word: str) -> Purpose:
    from oem_security import InputError, Purpose

    try:
        return Purpose(word)
    except ValueError:
        raise InputError(
            f"{word!r} is no purpose of a key",
            remedy="name one of " + ", ".join(p.value for p in Purpose),
        ) from None


def _keyring(args: argparse.Namespace) -> Keyring:
    from oem_daemon.provision import Vendor
    from oem_daemon.site import Site
    from oem_security import Keyring

    return Keyring.open(Vendor(args.vendor).keys if args.vendor else Site(args.site).keys)


def _places(args: argparse.Namespace) -> tuple[Path, Path]:
    """Return the journal of rotations and the folder of their reports."""
    from oem_daemon.site import Site

    if args.vendor:
        return args.vendor / "key_rotation.jsonl", args.vendor / "reports"
    site = Site(args.site)
    return site.key_rotation, site.reports / "key_rotation"
