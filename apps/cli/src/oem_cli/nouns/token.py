"""`oem token`: issue and inspect operator tokens."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs
from oem_cli.small_file import text_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem token`."""
    verbs = Verbs(parser)
    issue = verbs.add("issue", run_issue, "issue an operator token into secrets/tokens")
    issue.add_argument("--subject", required=True, help="who holds it")
    issue.add_argument("--role", action="append", required=True, help="role; may be repeated")
    issue.add_argument(
        "--bind-device", action="store_true", help="valid on this site's licensed device only"
    )
    issue.add_argument("--days", type=int, default=30, help="days it is valid (default: 30)")
    revoke = verbs.add("revoke", run_revoke, "revoke a token; a running daemon obeys at once")
    revoke.add_argument("token", metavar="FILE|ID", help="the token's file, or its identifier")
    revoke.add_argument("--operator", required=True, help="who revokes it")
    revoke.add_argument("--reason", required=True, help="why")
    inspect = verbs.add("inspect", run_inspect, "show what a token claims; nothing is verified")
    inspect.add_argument("file", type=Path, metavar="FILE", help="the token's file")


def run_issue(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a token."""
    from oem_daemon.provision import issue_operator_token
    from oem_daemon.site import Site

    path = issue_operator_token(
        Site(args.site),
        operator=args.subject,
        roles=tuple(args.role),
        days=args.days,
        bound=args.bind_device,
    )
    out.report({"token_file": str(path)}, f"token of {args.subject} is in {path}")
    return ExitCode.OK


def run_revoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Revoke a token."""
    from oem_daemon.site import Site
    from oem_security import Keyring, inspect_token, revoke_token

    site = Site(args.site)
    file = Path(args.token)
    token_id = args.token
    if file.is_file():
        token_id = inspect_token(text_of(file, "token").strip()).token_id
    revoke_token(
        site.revoked_tokens,
        Keyring.open(site.keys),
        token_id,
        operator=args.operator,
        reason=args.reason,
    )
    out.report({"revoked": token_id}, f"token {token_id} is revoked")
    return ExitCode.OK


def run_inspect(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show a token's claims."""
    from oem_security import inspect_token
    from oem_security.clock import NS_PER_SECOND, rfc3339

    token = inspect_token(text_of(args.file, "token").strip())
    expires = rfc3339(token.expires_s * NS_PER_SECOND)[:19] + "Z"
    out.report(
        {
            "id": token.token_id,
            "subject": token.subject,
            "audience": token.audience,
            "roles": list(token.roles),
            "expires": expires,
            "device": token.device,
        },
        f"{token.subject} ({', '.join(token.roles)}) for {token.audience}, until {expires}, "
        f"id {token.token_id}; not verified",
    )
    return ExitCode.OK
