"""`oem init`: make a site directory."""

from __future__ import annotations

import argparse

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import with_common_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `oem init`."""
    with_common_options(parser, run)


def run(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the site's folders and keys."""
    from oem_daemon.provision import init_site
    from oem_daemon.site import Site

    keyring = init_site(Site(args.site))
    out.report(
        {"site": str(args.site), "keyring": keyring.id},
        [f"site {args.site} is made, keyring {keyring.id}", "next: oem config write"],
    )
    return ExitCode.OK
