"""`oem license`: ask for, issue, install and verify offline licences."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem license`."""
    verbs = Verbs(parser)
    anchors = verbs.add("anchors", run_anchors, "vendor: write the public keys that sites trust")
    anchors.add_argument("--vendor", type=Path, required=True, help="the vendor's directory")
    anchors.add_argument("output", type=Path, metavar="FILE", help="where to write them")
    trust = verbs.add("trust", run_trust, "site: trust the vendor whose public keys these are")
    trust.add_argument("anchors", type=Path, metavar="FILE", help="what `anchors` wrote")
    request = verbs.add("request", run_request, "site: write a licence request for the vendor")
    request.add_argument("--feature", action="append", required=True, help="may be repeated")
    request.add_argument("output", type=Path, metavar="FILE", help="where to write it")
    issue = verbs.add("issue", run_issue, "vendor: approve a request and issue the licence")
    issue.add_argument("--vendor", type=Path, required=True, help="the vendor's directory")
    issue.add_argument("--feature", action="append", required=True, help="may be repeated")
    issue.add_argument("--profile", default="paper", help="product profile (default: paper)")
    issue.add_argument("--days", type=int, default=365, help="days it is valid (default: 365)")
    issue.add_argument("--approved-by", required=True, help="who takes the responsibility")
    issue.add_argument("request", type=Path, metavar="REQUEST", help="the site's request")
    issue.add_argument("output", type=Path, metavar="FILE", help="where to write the licence")
    install = verbs.add("install", run_install, "site: verify a licence and install it")
    install.add_argument("license", type=Path, metavar="FILE", help="the vendor's licence")
    verbs.add("verify", run_verify, "site: verify the installed licence on this device, now")


def run_anchors(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write the vendor's public keys."""
    from oem_daemon.provision import Vendor
    from oem_security.files import write_atomic
    from oem_security.license import Anchors
    from oem_security.strict_json import canonical

    keyring = Vendor(args.vendor).keyring()
    write_atomic(args.output, canonical(Anchors.of(keyring).as_json()) + b"\n")
    out.report({"anchors": str(args.output)}, f"public keys are in {args.output}")
    return ExitCode.OK


def run_trust(args: argparse.Namespace, out: Output) -> ExitCode:
    """Trust a vendor."""
    from oem_daemon.site import Site
    from oem_security import Keyring
    from oem_security.fields import Fields
    from oem_security.license import Anchors, LicensePaths, trust_vendor
    from oem_security.strict_json import loads

    data = _read(args.anchors)
    anchors = Anchors.from_fields(Fields(loads(data, what="anchors", max_bytes=4096), "anchors"))
    site = Site(args.site)
    trust_vendor(LicensePaths(site.licenses), anchors, Keyring.open(site.keys))
    out.report({"vendor": anchors.vendor.key_id}, f"this site trusts {anchors.vendor.key_id}")
    return ExitCode.OK


def run_request(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a licence request bound to this device."""
    from oem_daemon.provision import take_fingerprint
    from oem_daemon.site import Site
    from oem_security import Keyring, create_request
    from oem_security.files import write_atomic
    from oem_security.license import LicensePaths, load_anchors

    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    anchors = load_anchors(LicensePaths(site.licenses), keyring)
    request = create_request(keyring, take_fingerprint(site), anchors, features=args.feature)
    write_atomic(args.output, request)
    out.report({"request": str(args.output)}, f"request is in {args.output}; send it to the vendor")
    return ExitCode.OK


def run_issue(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a licence."""
    from oem_daemon.provision import Vendor
    from oem_security import Journal, LicenseTerms, issue_license
    from oem_security.files import write_atomic
    from oem_security.license import read_request

    vendor = Vendor(args.vendor)
    keyring = vendor.keyring()
    request = read_request(_read(args.request), keyring)
    terms = LicenseTerms(args.profile, tuple(args.feature), days=args.days)
    with Journal.open(vendor.registry, keyring, subject="licences") as registry:
        issued = issue_license(request, terms, keyring, registry, approved_by=args.approved_by)
    write_atomic(args.output, issued)
    out.report(
        {"license": str(args.output), "site": request.site, "features": args.feature},
        f"licence for site {request.site} is in {args.output}",
    )
    return ExitCode.OK


def run_install(args: argparse.Namespace, out: Output) -> ExitCode:
    """Install a licence."""
    from oem_daemon.site import Site
    from oem_security import Keyring, install_license
    from oem_security.license import LicensePaths

    site = Site(args.site)
    found = install_license(
        _read(args.license), LicensePaths(site.licenses), Keyring.open(site.keys)
    )
    out.report({"license_id": found.license_id}, f"licence {found.license_id} is installed")
    return ExitCode.OK


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify the installed licence."""
    from oem_daemon.site import Site
    from oem_security import Keyring, probe_device, verify_license
    from oem_security.clock import rfc3339
    from oem_security.license import LicensePaths

    site = Site(args.site)
    guard = verify_license(LicensePaths(site.licenses), Keyring.open(site.keys), probe_device())
    held = guard.license
    until = rfc3339(held.not_after_ns)[:19] + "Z"
    out.report(
        {
            "license_id": held.license_id,
            "profile": held.terms.profile,
            "features": list(held.terms.features),
            "not_after": until,
            "device": guard.device.match.value,
        },
        f"{held.license_id}: {', '.join(held.terms.features)} until {until}; "
        f"device: {guard.device.match.value}",
    )
    return ExitCode.OK


def _read(path: Path) -> bytes:
    from oem_security.files import read_bounded

    return read_bounded(path, 1 << 18, what="file", remedy="correct the path")
