"""`oem config`: write, validate, hash and sign the configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem config`."""
    verbs = Verbs(parser)
    write = verbs.add("write", run_write, "write a first config/core.yaml")
    write.add_argument("--data", type=Path, metavar="DIR", help="folder of recorded Parquet bars")
    write.add_argument("--bars", type=int, default=480, help="bars to trade on (default: 480)")
    write.add_argument("--seed", type=int, default=20260101, help="seed of generated bars")
    verbs.add("validate", run_validate, "check config/core.yaml; every wrong field is named")
    verbs.add("hash", run_hash, "print the SHA-384 of config/core.yaml")
    verbs.add("sign", run_sign, "validate config/core.yaml and seal it")


def run_write(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write the first configuration."""
    from oem_daemon.provision import write_config
    from oem_daemon.site import Site

    site = Site(args.site)
    write_config(site, data=args.data, bars=args.bars, seed=args.seed)
    out.report({"config": str(site.config)}, f"{site.config} is written; next: oem config sign")
    return ExitCode.OK


def run_validate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Validate the configuration, and name every wrong field."""
    from oem_daemon.config.reader import config_hash, read_config
    from oem_daemon.errors import ConfigError
    from oem_daemon.site import Site

    site = Site(args.site)
    try:
        config = read_config(site.config)
    except ConfigError as error:
        if not error.problems:
            raise
        problems = [{"path": p.path, "line": p.line, "problem": p.problem} for p in error.problems]
        out.report(
            {"valid": False, "problems": problems}, [f"{site.config}: {p}" for p in error.problems]
        )
        out.say(f"oem: error: {len(problems)} wrong fields; correct them and validate again")
        return ExitCode.INPUT
    stage = config.runtime.stage.value
    out.report(
        {"valid": True, "stage": stage, "sha384": config_hash(site.config)},
        f"{site.config} is valid: stage {stage}, profile {config.runtime.risk_profile.value}",
    )
    return ExitCode.OK


def run_hash(args: argparse.Namespace, out: Output) -> ExitCode:
    """Print the configuration's hash."""
    from oem_daemon.config.reader import config_hash
    from oem_daemon.site import Site

    digest = config_hash(Site(args.site).config)
    out.report({"sha384": digest}, digest)
    return ExitCode.OK


def run_sign(args: argparse.Namespace, out: Output) -> ExitCode:
    """Seal the configuration."""
    from oem_daemon.provision import sign_config
    from oem_daemon.site import Site, seal_of

    site = Site(args.site)
    digest = sign_config(site)
    out.report(
        {"sha384": digest, "seal": str(seal_of(site.config))},
        [f"SHA-384 {digest}", f"seal {seal_of(site.config)}"],
    )
    return ExitCode.OK
