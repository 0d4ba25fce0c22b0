"""`oem license`: the life of an offline licence, on the site's side and on the vendor's."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Run, Verbs
from oem_cli.passphrase import passphrase_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem license`."""
    verbs = Verbs(parser)
    _site_verbs(verbs)
    _carrier_verbs(verbs)
    _vendor_verbs(verbs)


def _site_verbs(verbs: Verbs) -> None:
    trust = verbs.add("trust", _later("site", "run_trust"),
                      "site: trust the vendor whose public keys these are")  # fmt: skip
    trust.add_argument("anchors", type=Path, metavar="FILE", help="what `anchors` wrote")
    request = verbs.add("request", _later("site", "run_request"),
                        "site: write a licence request for the vendor")  # fmt: skip
    request.add_argument("--feature", action="append", default=[],
                         help="may be repeated (default: those of the licence)")  # fmt: skip
    again = request.add_mutually_exclusive_group()
    again.add_argument("--renew", action="store_true", help="ask to renew the installed licence")
    again.add_argument("--rebind", action="store_true",
                       help="ask to bind the installed licence to this device")  # fmt: skip
    request.add_argument("output", type=Path, metavar="FILE", help="where to write it")
    install = verbs.add("install", _later("site", "run_install"),
                        "site: verify a licence or revocation list and install it")  # fmt: skip
    install.add_argument("file", type=Path, metavar="FILE",
                         help="licence, revocation list, or activation text")  # fmt: skip
    verify = verbs.add("verify", run_verify,
                       "site: verify the installed licence on this device, now")  # fmt: skip
    verify.add_argument("--validate-registry", action="store_true",
                        help="also verify the licence registry, record by record")  # fmt: skip
    verify.add_argument("--require", action="append", default=[], metavar="FEATURE",
                        help="fail unless this is granted now; may be repeated")  # fmt: skip
    verify.add_argument("--bundle-released", metavar="TIME",
                        help="fail if maintenance ended before")  # fmt: skip
    verify.add_argument("--code", default="", metavar="DIGITS",
                        help="one-time password from the vendor, for changed hardware")  # fmt: skip
    own = verbs.add("self-sign", _later("site", "run_self_sign"),
                    "site: without a vendor, sign a licence for oneself; it says so")  # fmt: skip
    own.add_argument("--feature", action="append", required=True, help="demo or paper")
    own.add_argument("--days", type=int, default=30, help="days it is valid (default: 30)")
    own.add_argument("--operator", required=True, help="who takes the responsibility")
    registry = verbs.add("registry", _later("site", "run_registry"),
                         "verify a licence registry and list what it says")  # fmt: skip
    registry.add_argument("--vendor", type=Path, metavar="DIR",
                          help="the vendor's directory; default: the site's registry")  # fmt: skip


def _carrier_verbs(verbs: Verbs) -> None:
    export = verbs.add("export", _later("carrier", "run_export"),
                       "write a licence as text, QR code, or onto a USB volume")  # fmt: skip
    export.add_argument("--qr", type=Path, metavar="FILE", help="QR code, .png or .svg")
    export.add_argument("--usb", type=Path, metavar="DIR", help="where the volume is mounted")
    export.add_argument("--show", action="store_true", help="show the QR code on the terminal")
    export.add_argument("license", type=Path, metavar="LICENSE", help="what `issue` wrote")
    activate = verbs.add("activate", _later("carrier", "run_activate"),
                         "site: install a licence from a QR code, USB volume or text")  # fmt: skip
    source = activate.add_mutually_exclusive_group(required=True)
    source.add_argument("--qr", type=Path, metavar="FILE", help="picture of the QR code")
    source.add_argument("--usb", type=Path, metavar="DIR", help="where the volume is mounted")
    source.add_argument("--text", help="the text; - reads standard input, as a scanner types it")
    backup = verbs.add("backup", _later("backup", "run_backup"),
                       "site: keep licence, registry and keys in one sealed file")  # fmt: skip
    restore = verbs.add("restore", _later("backup", "run_restore"),
                        "site: put a backup back, every hash verified")  # fmt: skip
    restore.add_argument("--check", action="store_true", help="verify the backup only")
    for one in (backup, restore):
        passphrase_options(one, "", "passphrase of the backup (default: asked for)")
        one.add_argument("backup", type=Path, metavar="FILE", help="the backup")


def _vendor_verbs(verbs: Verbs) -> None:
    def add(name: str, help_text: str) -> argparse.ArgumentParser:
        verb = verbs.add(name, _later("vendor", f"run_{name}"), f"vendor: {help_text}")
        verb.add_argument("--vendor", type=Path, required=True, metavar="DIR",
                          help="the vendor's directory")  # fmt: skip
        return verb

    anchors = add("anchors", "write the public keys that sites trust")
    anchors.add_argument("output", type=Path, metavar="FILE", help="where to write them")
    anchors.add_argument(
        "--post-quantum",
        choices=["none", "accepted", "required"],
        default="none",
        help="name the ML-DSA-65 key too, and whether sites ask for its signature (default: none)",
    )
    issue = add("issue", "approve a request and issue the licence")
    _terms(issue, needed=True)
    renew = add("renew", "issue the next revision for the same device")
    _terms(renew, needed=False)
    rebind = add("rebind", "bind a licence to another device, and revoke it on the old one")
    rebind.add_argument("--reason", required=True, help="why, for registry and list")
    for verb in (issue, renew, rebind):
        verb.add_argument("--approved-by", required=True, help="who takes the responsibility")
        verb.add_argument("request", type=Path, metavar="REQUEST", help="the site's request")
        verb.add_argument("output", type=Path, metavar="FILE", help="where to write the licence")
        _post_quantum(verb)
    revoke = add("revoke", "revoke a licence; sites learn it from the next list")
    revoke.add_argument("--reason", required=True, help="why, for registry and list")
    revoke.add_argument("--approved-by", required=True, help="who takes the responsibility")
    revoke.add_argument("license_id", metavar="ID", help="such as lic-0123456789abcdef")
    listed = add("revocations", "publish the next numbered revocation list")
    listed.add_argument("output", type=Path, metavar="FILE", help="where to write it")
    _post_quantum(listed)
    code = add("code", "read out a one-time password for a site whose hardware changed")
    code.add_argument("request", type=Path, metavar="REQUEST", help="the site's request")


def _post_quantum(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--post-quantum", action="store_true", help="sign with ML-DSA-65 as well")


def _terms(parser: argparse.ArgumentParser, *, needed: bool) -> None:
    keep = "" if needed else " (default: as the licence has it)"
    parser.add_argument("--feature", action="append", default=[], required=needed,
                        help=f"may be repeated{keep}")  # fmt: skip
    parser.add_argument("--days", type=int, default=365, help="days it is valid (default: 365)")
    parser.add_argument("--profile", help=f"product profile{keep or ' (default: paper)'}")
    parser.add_argument("--issuer", help=f"name of the issuer{keep or ' (default: vendor)'}")
    parser.add_argument("--bundle-version", metavar="VERSION", help=f"version it is for{keep}")
    for flag, text in (
        ("--grace-days", "days after the end with a warning only"),
        ("--seats", "processes that may hold it at the same time"),
        ("--maintenance-days", "bundles released until then may be used"),
        ("--trial-days", "days the trial features are granted"),
        ("--list-max-age-days", "days the word on revocations may be old; 0: not needed"),
    ):
        parser.add_argument(flag, type=int, metavar="N", help=f"{text}{keep}")
    parser.add_argument("--trial-feature", action="append", default=[], metavar="FEATURE",
                        help="granted for --trial-days only; may be repeated")  # fmt: skip
    parser.add_argument("--fallback", action="append", default=[], choices=("dongle", "totp"),
                        help="what may stand in for changed hardware; may be repeated")  # fmt: skip


def _later(module: str, name: str) -> Run:
    """Return a verb's function that imports its module when it is run, and not before."""

    def run(args: argparse.Namespace, out: Output) -> ExitCode:
        found: Run = getattr(importlib.import_module(f"oem_cli.licensing.{module}"), name)
        return found(args, out)

    return run


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify the installed licence."""
    from oem_daemon.device import observe
    from oem_daemon.site import Site
    from oem_security.clock import rfc3339
    from oem_security.keys.keyring import Keyring
    from oem_security.license.paths import LicensePaths
    from oem_security.license.verify import verify_license

    site = Site(args.site)
    keyring, paths = Keyring.open(site.keys), LicensePaths(site.licenses)
    guard = verify_license(paths, keyring, observe(site), one_time_code=args.code)
    for feature in args.require:
        guard.require(feature)
    if args.bundle_released:
        guard.require_bundle(_moment(args.bundle_released))
    held, device = guard.license, guard.device
    until = rfc3339(held.not_after_ns)[:19] + "Z"
    value: dict[str, object] = {
        "license_id": held.license_id,
        "revision": held.revision,
        "status": guard.standing.value,
        "trust": guard.trust.value,
        "profile": held.terms.profile,
        "features": list(guard.features),
        "not_after": until,
        "device": device.match.value,
        "device_basis": device.basis.value,
        "changed": list(device.changed),
        "missing": list(device.missing),
        "seats": held.terms.seats,
        "revocation_list": guard.list_number,
        "warnings": list(guard.warnings),
    }
    lines = [
        (
            f"{held.license_id}: {', '.join(guard.features)} until {until}; "
            f"device: {device.words}; {guard.standing.value}; signed by: {guard.trust.value}"
        )
    ]
    if args.validate_registry:
        from oem_cli.licensing.site import validate

        records = validate(paths.registry, keyring).records
        value["registry_records"] = records
        lines.append(f"registry: {records} records hold")
    out.report(value, lines)
    for warning in guard.warnings:
        out.say(f"warning: {warning}")
    return ExitCode.OK


def _moment(text: str) -> int:
    from oem_security.clock import parse_rfc3339
    from oem_security.errors import InputError

    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise InputError(
            f"{text!r} is not a time",
            where="--bundle-released",
            remedy="write it as 2026-01-02T00:00:00Z",
        ) from None
