"""`oem license backup` and `restore`."""

from __future__ import annotations

import argparse

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.passphrase import read_passphrase
from oem_daemon.site import Site
from oem_security.license.backup import (
    LicenseBackup,
    backup_license,
    read_backup,
    restore_license,
)


def run_backup(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a backup."""
    site = Site(args.site)
    passphrase = read_passphrase(args, "passphrase", confirm=True)
    further = [path.relative_to(site.root).as_posix() for path in site.licensed_with]
    found = backup_license(site.root, further, args.backup, passphrase)
    _report(found, f"backup of site {found.site} is in {args.backup}", out)
    return ExitCode.OK


def run_restore(args: argparse.Namespace, out: Output) -> ExitCode:
    """Put a backup back, or only verify it."""
    passphrase = read_passphrase(args, "passphrase")
    if args.check:
        found = read_backup(args.backup, passphrase)[0]
        _report(found, f"the backup of site {found.site} holds", out)
        return ExitCode.OK
    found = restore_license(Site(args.site).root, args.backup, passphrase)
    _report(found, f"site {found.site} is restored as of {found.made}", out)
    return ExitCode.OK


def _report(found: LicenseBackup, words: str, out: Output) -> None:
    rows = [(file.path, file.size, file.sha384) for file in found.files]
    out.report(
        {
            "site": found.site,
            "made": found.made,
            "files": [{"path": p, "size": s, "sha384": d} for p, s, d in rows],
        },
        [words, *table(("file", "bytes", "SHA-384"), rows, right=(1,))],
    )
