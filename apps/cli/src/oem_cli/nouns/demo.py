"""`oem demo`: run the whole product once, from market data to verified reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import with_common_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `oem demo`."""
    with_common_options(parser, run)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of recorded Parquet bars")
    parser.add_argument("--bars", type=int, default=360, help="bars to trade on (default: 360)")
    parser.add_argument("--paths", type=int, default=1024, help="paths per profile (default: 1024)")
    parser.add_argument("--seed", type=int, default=20260101, help="seed of generated bars")


def run(args: argparse.Namespace, out: Output) -> ExitCode:
    """Run the demonstration in a fresh site."""
    from oem_cli.demo.journey import DemoOptions, run_demo
    from oem_daemon.errors import NotReady
    from oem_daemon.site import Site

    site = Site(args.site)
    if site.root.exists() and any(site.root.iterdir()):
        raise NotReady(
            "the demonstration needs a fresh site directory",
            where=str(site.root),
            remedy="name one that does not exist with --site",
        )
    return run_demo(site, DemoOptions(args.data, args.bars, args.paths, args.seed), out)
