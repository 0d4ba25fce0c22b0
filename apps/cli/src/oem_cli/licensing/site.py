"""What `oem license` does on a site, but for verifying, which is quick and stands alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_daemon.device import observe
from oem_daemon.site import Site
from oem_security.anchors.trusted import Anchors
from oem_security.envelope.dsse import payload_type_of
from oem_security.envelope.policy import PayloadType
from oem_security.errors import InputError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.fingerprint.fingerprint import Fingerprint, save_fingerprint
from oem_security.journal.reader import verify_journal
from oem_security.keys.keyring import Keyring
from oem_security.license.activation import is_activation, unpack_activation
from oem_security.license.install import (
    install_license,
    install_revocations,
    note_request,
    self_sign_license,
    trust_vendor,
)
from oem_security.license.opening import installed_license, load_anchors
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import Registry, read_registry
from oem_security.license.request import create_request
from oem_security.license.terms import second_text
from oem_security.strict_json import loads


def run_trust(args: argparse.Namespace, out: Output) -> ExitCode:
    """Trust a vendor."""
    data = read(args.anchors)
    anchors = Anchors.from_fields(Fields(loads(data, what="anchors", max_bytes=1 << 17), "anchors"))
    site = Site(args.site)
    trust_vendor(LicensePaths(site.licenses), anchors, Keyring.open(site.keys))
    out.report({"vendor": anchors.vendor.key_id}, f"this site trusts {anchors.vendor.key_id}")
    return ExitCode.OK


def run_request(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a licence request bound to this device."""
    site = Site(args.site)
    keyring, paths = Keyring.open(site.keys), LicensePaths(site.licenses)
    anchors = load_anchors(paths, keyring)
    features, replaces, salt = tuple(args.feature), "", ""
    if args.renew or args.rebind:
        held = installed_license(paths, keyring)
        features = features or held.terms.features
        replaces, salt = held.license_id, held.fingerprint.salt if args.renew else ""
    if not features:
        raise InputError("nothing is asked for", where="--feature", remedy="give --feature")
    fingerprint = Fingerprint.of(observe(site), salt=salt)
    save_fingerprint(site.expected_fingerprint, fingerprint, keyring)
    request = create_request(keyring, fingerprint, anchors, features=features, replaces=replaces)
    note_request(request, paths, keyring)
    write_atomic(args.output, request)
    out.report(
        {"request": str(args.output), "features": list(features), "replaces": replaces},
        f"request is in {args.output}; send it to the vendor",
    )
    return ExitCode.OK


def run_install(args: argparse.Namespace, out: Output) -> ExitCode:
    """Install a licence or a revocation list, whichever the file holds."""
    site = Site(args.site)
    data = read(args.file)
    if is_activation(data):
        data = unpack_activation(data[:4096].decode("utf-8", "replace"))
    install(data, LicensePaths(site.licenses), Keyring.open(site.keys), out)
    return ExitCode.OK


def install(data: bytes, paths: LicensePaths, keyring: Keyring, out: Output) -> None:
    """Install what came from the vendor and report it."""
    if payload_type_of(data) is PayloadType.REVOCATIONS:
        held = install_revocations(data, paths, keyring)
        out.report(
            {"revocation_list": held.number, "revoked": len(held.entries)},
            f"revocation list {held.number} is installed; it names {len(held.entries)} licences",
        )
        return
    found = install_license(data, paths, keyring)
    out.report(
        {"license_id": found.license_id, "revision": found.revision},
        f"licence {found.license_id}, revision {found.revision}, is installed",
    )


def run_self_sign(args: argparse.Namespace, out: Output) -> ExitCode:
    """Sign a licence for oneself and install it."""
    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    fingerprint = Fingerprint.of(observe(site))
    save_fingerprint(site.expected_fingerprint, fingerprint, keyring)
    data = self_sign_license(
        keyring,
        fingerprint,
        features=tuple(args.feature),
        days=args.days,
        operator=args.operator,
    )
    install(data, LicensePaths(site.licenses), keyring, out)
    return ExitCode.OK


def run_registry(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify a registry and list what it says."""
    if args.vendor:
        path, keyring = args.vendor / "registry.jsonl", Keyring.open(args.vendor / "keys")
    else:
        site = Site(args.site)
        path, keyring = site.license_registry, Keyring.open(site.keys)
    state = validate(path, keyring)
    rows = [
        (
            f.license_id,
            f.revision,
            f.site,
            second_text(f.not_after_ns),
            _status(state, f.license_id, f.revision),
        )
        for f in state.issued.values()
    ]
    rows += [(i, revision, "", second_text(at), "installed") for i, revision, at in state.installed]
    header = ("licence", "revision", "site", "until" if args.vendor else "issued", "status")
    out.report(
        {
            "registry": str(path),
            "records": state.records,
            "revocation_list": state.list_number,
            "vendor": state.vendor,
            "licenses": [dict(zip(header, row, strict=True)) for row in rows],
        },
        [f"{path}: {state.records} records hold", *table(header, rows, right=(1,))],
    )
    return ExitCode.OK


def validate(path: Path, keyring: Keyring) -> Registry:
    """Verify a registry's journal strictly, then that its records make sense together."""
    verify_journal(path, keyring, strict=True)
    return read_registry(path, keyring)


def read(path: Path) -> bytes:
    """Return a file from outside, bounded."""
    return read_bounded(path, 8 << 20, what="file", remedy="correct the path")


def _status(state: Registry, license_id: str, revision: int) -> str:
    gone = state.revoked.get(license_id)
    return f"revoked: {gone.reason}" if gone and gone.revision >= revision else "issued"
