"""The command line of the console."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from oem_api import ApiError, TlsMaterial


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """What the console connects to and as whom.

    Attributes:
        target: HOST:PORT of the daemon.
        tls: CA, client certificate and key.
        token: The operator token.
        server_name: Name in the daemon's certificate; empty for the target's host.
        startup_log: JSON-lines file that each start is appended to.
    """

    target: str
    tls: TlsMaterial
    token: str
    server_name: str = ""
    startup_log: Path = Path("logs/ui/startup.jsonl")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `oem-console`."""
    parser = argparse.ArgumentParser(
        prog="oem-console", description="Watch a running Core OEM daemon."
    )
    parser.add_argument("--grpc-target", required=True, metavar="HOST:PORT", help="the daemon")
    parser.add_argument(
        "--grpc-use-mtls",
        action="store_true",
        help="insist on mutual TLS: refuse to start without client certificate and key",
    )
    parser.add_argument("--ca", type=Path, required=True, metavar="PEM", help="the site's CA")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="client certificate")
    parser.add_argument("--key", type=Path, metavar="PEM", help="its private key")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the operator token")
    parser.add_argument("--server-name", default="", metavar="NAME", help="name in its certificate")
    parser.add_argument(
        "--startup-log",
        type=Path,
        default=Path("logs/ui/startup.jsonl"),
        metavar="FILE",
        help="where each start is recorded (default: %(default)s)",
    )
    return parser


def read_options(argv: list[str]) -> ConsoleOptions:
    """Return the options of a command line; exits with code 2 and a remedy when it is wrong."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.grpc_use_mtls and (args.cert is None or args.key is None):
        parser.error("--grpc-use-mtls needs --cert and --key; `oem mtls` issues them")
    tls = TlsMaterial(args.ca, args.cert, args.key)
    try:
        tls.credentials()
        token = args.token_file.read_text().strip() if args.token_file else ""
    except ApiError as error:
        parser.error(str(error))
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"the token cannot be read ({args.token_file}): {error}; check the path")
    return ConsoleOptions(args.grpc_target, tls, token, args.server_name, args.startup_log)
