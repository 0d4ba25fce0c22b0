"""`oem init`: make a site directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import with_common_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `oem init`."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="the site directory, before --site"
    )
    with_common_options(parser, run)


def run(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the site's folders and keys."""
    from oem_daemon.provision import init_site
    from oem_daemon.site import Site

    folder = args.folder or args.site
    keyring = init_site(Site(folder))
    out.report(
        {"site": str(folder), "keyring": keyring.id},
        [f"site {folder} is made, keyring {keyring.id}", "next: oem config write"],
    )
    return ExitCode.OK
