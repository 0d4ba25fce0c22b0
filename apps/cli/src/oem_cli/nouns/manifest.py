"""`oem manifest`: sealed lists of files."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem manifest`."""
    verbs = Verbs(parser)
    create = verbs.add("create", run_create, "hash every file of a folder and seal the list")
    create.add_argument("folder", type=Path, metavar="DIR", help="the folder")
    create.add_argument("--name", required=True, help="what it is a manifest of")
    create.add_argument("--version", type=int, required=True, help="counts up from 1")
    create.add_argument("--vendor", type=Path, metavar="DIR",
                        help="vendor directory that signs; default: the site seals")  # fmt: skip
    create.add_argument("--exclude", action="append", default=[], metavar="PATTERN",
                        help="paths left out; may be repeated")  # fmt: skip
    verify = verbs.add("verify", run_verify, "hold a folder against its manifest")
    verify.add_argument("folder", type=Path, metavar="DIR", help="the folder")
    verify.add_argument("--bundle", action="store_true",
                        help="a bundle's: the vendor's, or on this site's whitelist")  # fmt: skip
    verify.add_argument("--allow-extra", action="append", default=[], metavar="PATTERN",
                        help="paths that may be there unlisted; may be repeated")  # fmt: skip
    allow = verbs.add("whitelist", run_whitelist,
                      "let a bundle pass that nobody known has signed, for some days")  # fmt: skip
    allow.add_argument("folder", type=Path, metavar="DIR", help="the bundle")
    allow.add_argument("--operator", required=True, help="who takes the responsibility")
    allow.add_argument("--reason", required=True, help="why")
    allow.add_argument("--days", type=int, default=30, help="1 to 366 (default: 30)")


def run_create(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make a manifest."""
    from oem_daemon.site import Site
    from oem_security import Keyring, make_manifest

    keyring = Keyring.open(args.vendor / "keys" if args.vendor else Site(args.site).keys)
    path = make_manifest(
        args.folder, keyring, name=args.name, version=args.version, exclude=args.exclude
    )
    out.report({"manifest": str(path), "version": args.version}, str(path))
    return ExitCode.OK


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify a folder."""
    from oem_daemon.site import Site
    from oem_security import Keyring, ManifestVersions, read_manifest, verify_tree
    from oem_security.envelope.policy import PayloadType, site_pins
    from oem_security.license.guard import Trust
    from oem_security.license.opening import load_anchors
    from oem_security.license.paths import LicensePaths
    from oem_security.manifest.manifest import MANIFEST_NAME
    from oem_security.manifest.trust import Judged, Whitelist, judge_manifest

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    path = args.folder / MANIFEST_NAME
    if args.bundle:
        paths = LicensePaths(site.licenses)
        vendors = load_anchors(paths, keyring).vendors if paths.anchors.exists() else ()
        judged = judge_manifest(path, vendors, keyring, Whitelist(site.whitelist, keyring))
    else:
        found = read_manifest(path, PayloadType.SITE_MANIFEST, site_pins(keyring))
        judged = Judged(found, Trust.SELF_SIGNED, Trust.SELF_SIGNED.value)
    manifest = judged.manifest
    count = verify_tree(args.folder, manifest, manifest_path=path, allow_extra=args.allow_extra)
    ManifestVersions(site.manifest_versions, keyring).accept(manifest)
    out.report(
        {
            "manifest": str(path),
            "name": manifest.name,
            "version": manifest.version,
            "files": count,
            "trust": judged.trust.value,
        },
        f"{manifest.name}, version {manifest.version}: {count} files hold; signed by: "
        f"{judged.words}",
    )
    return ExitCode.OK


def run_whitelist(args: argparse.Namespace, out: Output) -> ExitCode:
    """Let a bundle pass."""
    from oem_daemon.site import Site
    from oem_security import Keyring
    from oem_security.clock import rfc3339
    from oem_security.manifest.manifest import MANIFEST_NAME
    from oem_security.manifest.trust import Whitelist

    site = Site(args.site)
    entry = Whitelist(site.whitelist, Keyring.open(site.keys)).allow(
        args.folder / MANIFEST_NAME, operator=args.operator, reason=args.reason, days=args.days
    )
    until = rfc3339(entry.until_ns)[:19] + "Z"
    out.report(
        {"sha384": entry.sha384, "until": until, "operator": entry.operator},
        f"the manifest {entry.sha384[:16]}… passes until {until}; every verdict says so",
    )
    return ExitCode.OK
