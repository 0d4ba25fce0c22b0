"""What `oem license` does on the vendor's machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.licensing.site import read
from oem_cli.output import Output
from oem_daemon.provision import Vendor
from oem_security.anchors.trusted import Anchors
from oem_security.envelope.policy import PostQuantum
from oem_security.files import write_atomic
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import Keyring
from oem_security.license.issue import (
    issue_license,
    publish_revocations,
    rebind_license,
    renew_license,
    revoke_license,
)
from oem_security.license.otp import support_code
from oem_security.license.registry import read_registry
from oem_security.license.request import LicenseRequest, read_request
from oem_security.license.terms import Fallback, LicenseTerms
from oem_security.strict_json import canonical


def run_anchors(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write the vendor's public keys."""
    keyring = Vendor(args.vendor).keyring()
    write_atomic(
        args.output,
        canonical(Anchors.of(keyring, PostQuantum(args.post_quantum)).as_json()) + b"\n",
    )
    out.report({"anchors": str(args.output)}, f"public keys are in {args.output}")
    return ExitCode.OK


def run_issue(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a licence."""
    with _registry(args.vendor) as (keyring, registry):
        request = read_request(read(args.request), keyring)
        terms = _terms(args, LicenseTerms("paper", ()))
        issued = issue_license(
            request,
            terms,
            keyring,
            registry,
            approved_by=args.approved_by,
            post_quantum=args.post_quantum,
        )
    return _hand_over(args.output, issued, request, out)


def run_renew(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue the next revision for the same device."""
    with _registry(args.vendor) as (keyring, registry):
        request = read_request(read(args.request), keyring)
        before = read_registry(registry.path, keyring).issued.get(request.replaces)
        renewed = renew_license(
            request,
            keyring,
            registry,
            approved_by=args.approved_by,
            days=args.days,
            post_quantum=args.post_quantum,
            terms=_terms(args, before.terms) if before and _has_terms(args) else None,
        )
    return _hand_over(args.output, renewed, request, out)


def run_rebind(args: argparse.Namespace, out: Output) -> ExitCode:
    """Bind a licence to another device."""
    with _registry(args.vendor) as (keyring, registry):
        request = read_request(read(args.request), keyring)
        bound = rebind_license(
            request,
            keyring,
            registry,
            approved_by=args.approved_by,
            reason=args.reason,
            post_quantum=args.post_quantum,
        )
    out.say("publish the next list, so that the old device learns it: oem license revocations")
    return _hand_over(args.output, bound, request, out)


def run_revoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Revoke a licence."""
    with _registry(args.vendor) as (keyring, registry):
        entry = revoke_license(
            args.license_id, keyring, registry, approved_by=args.approved_by, reason=args.reason
        )
    out.report(
        {"revoked": entry.license_id, "up_to_revision": entry.revision},
        f"{entry.license_id} is revoked; publish the next list: oem license revocations",
    )
    return ExitCode.OK


def run_revocations(args: argparse.Namespace, out: Output) -> ExitCode:
    """Publish the next revocation list."""
    with _registry(args.vendor) as (keyring, registry):
        data = publish_revocations(keyring, registry, post_quantum=args.post_quantum)
        state = read_registry(registry.path, keyring)
    write_atomic(args.output, data)
    out.report(
        {"list": str(args.output), "number": state.list_number, "revoked": len(state.revoked)},
        f"revocation list {state.list_number} is in {args.output}; it names "
        f"{len(state.revoked)} licences",
    )
    return ExitCode.OK


def run_code(args: argparse.Namespace, out: Output) -> ExitCode:
    """Read out a one-time password."""
    request = read_request(read(args.request), Vendor(args.vendor).held())
    code = support_code(request.device_key)
    out.report({"site": request.site, "code": code}, f"{code} (site {request.site}, two minutes)")
    return ExitCode.OK


@contextmanager
def _registry(folder: Path) -> Iterator[tuple[Keyring, Journal]]:
    vendor = Vendor(folder)
    keyring = vendor.held()
    with Journal.open(vendor.registry, keyring, subject="licences") as registry:
        yield keyring, registry


def _hand_over(path: Path, data: bytes, request: LicenseRequest, out: Output) -> ExitCode:
    write_atomic(path, data)
    out.report(
        {"license": str(path), "site": request.site},
        f"licence for site {request.site} is in {path}",
    )
    return ExitCode.OK


def _has_terms(args: argparse.Namespace) -> bool:
    return any(
        getattr(args, name) for name in (*_NUMBERS, *_WORDS, "feature", "trial_feature", "fallback")
    )


_NUMBERS = ("grace_days", "seats", "maintenance_days", "trial_days", "list_max_age_days")
_WORDS = ("profile", "issuer", "bundle_version")


def _terms(args: argparse.Namespace, base: LicenseTerms) -> LicenseTerms:
    """Return the terms of the command line, what is not given as `base` has it."""

    def given(name: str) -> int:
        value = getattr(args, name)
        return int(getattr(base, name) if value is None else value)

    def word(name: str) -> str:
        return getattr(args, name) or str(getattr(base, name))

    return LicenseTerms(
        profile=word("profile"),
        features=tuple(args.feature) or base.features,
        days=args.days,
        bundle_version=word("bundle_version"),
        issuer=word("issuer"),
        grace_days=given("grace_days"),
        seats=given("seats"),
        maintenance_days=given("maintenance_days"),
        trial_features=tuple(args.trial_feature),
        trial_days=given("trial_days") if args.trial_feature else args.trial_days or 0,
        list_max_age_days=given("list_max_age_days"),
        fallbacks=tuple(Fallback(name) for name in args.fallback) or base.fallbacks,
    )
