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
                        help="a bundle's, signed by the licence's vendor")  # fmt: skip
    verify.add_argument("--allow-extra", action="append", default=[], metavar="PATTERN",
                        help="paths that may be there unlisted; may be repeated")  # fmt: skip


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
    from oem_security.license import LicensePaths, load_anchors
    from oem_security.manifest.manifest import MANIFEST_NAME
    from oem_security.policy import PayloadType, Role, site_pins

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    kind, pins = PayloadType.SITE_MANIFEST, site_pins(keyring)
    if args.bundle:
        vendor = load_anchors(LicensePaths(site.licenses), keyring).vendor
        kind, pins = PayloadType.BUNDLE_MANIFEST, {Role.VENDOR_SIGN: (vendor,)}
    path = args.folder / MANIFEST_NAME
    manifest = read_manifest(path, kind, pins)
    count = verify_tree(args.folder, manifest, manifest_path=path, allow_extra=args.allow_extra)
    ManifestVersions(site.manifest_versions, keyring).accept(manifest)
    out.report(
        {"manifest": str(path), "name": manifest.name, "version": manifest.version, "files": count},
        f"{manifest.name}, version {manifest.version}: {count} files hold",
    )
    return ExitCode.OK
