"""`oem mtls`: the site's private certificate authority."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import CertificateAuthority


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem mtls`."""
    verbs = Verbs(parser)
    verbs.add("init", run_init, "make the authority, a server and a client certificate")
    for name, function, help_line in (
        ("issue", run_issue, "issue a client certificate"),
        ("renew", run_renew, "issue a certificate of the same name and use again"),
        ("revoke", run_revoke, "revoke every certificate of a name; the next call is refused"),
    ):
        verbs.add(name, function, help_line).add_argument("name", help="the certificate's name")
    verbs.add("crl", run_crl, "write the revocation list with the next number")
    verbs.add("status", run_status, "certificates with their dates, and the CA's fingerprint")


def run_init(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the authority and the first certificates."""
    from oem_daemon.site import Site
    from oem_security import CertificateAuthority

    authority = CertificateAuthority.create(Site(args.site).mtls)
    authority.issue_server()
    authority.issue_client()
    out.report({"ca_sha256": authority.fingerprint}, f"CA SHA-256 {authority.fingerprint}")
    return ExitCode.OK


def run_issue(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a client certificate."""
    entry = _authority(args).issue_client(args.name)
    out.report(
        {"name": entry.name, "serial": entry.serial, "not_after": entry.not_after},
        f"{entry.name}.pem, serial {entry.serial}, until {entry.not_after}",
    )
    return ExitCode.OK


def run_renew(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a certificate again."""
    from oem_security import InputError

    authority = _authority(args)
    uses = {entry.use for entry in authority.issued() if entry.name == args.name}
    if not uses:
        raise InputError(
            f"no certificate is named {args.name!r}", remedy="list them with: oem mtls status"
        )
    issue = authority.issue_server if "server" in uses else authority.issue_client
    entry = issue(args.name)
    out.report(
        {"name": entry.name, "serial": entry.serial, "not_after": entry.not_after},
        f"{entry.name}.pem, serial {entry.serial}, until {entry.not_after}; restart what uses it",
    )
    return ExitCode.OK


def run_revoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Revoke a name's certificates."""
    from oem_security import InputError

    authority = _authority(args)
    serials = [e.serial for e in authority.issued() if e.name == args.name and not e.revoked]
    if not serials:
        raise InputError(
            f"no certificate in force is named {args.name!r}",
            remedy="list them with: oem mtls status",
        )
    for serial in serials:
        authority.revoke(serial)
    out.report({"revoked": serials}, f"revoked: {', '.join(serials)}")
    return ExitCode.OK


def run_crl(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a new revocation list."""
    number = _authority(args).write_crl()
    out.report({"number": number}, f"revocation list number {number} is written")
    return ExitCode.OK


def run_status(args: argparse.Namespace, out: Output) -> ExitCode:
    """List the certificates."""
    authority = _authority(args)
    entries = authority.issued()
    rows = [(e.name, e.use, e.not_after, e.revoked or "in force", e.serial) for e in entries]
    out.report(
        {
            "ca_sha256": authority.fingerprint,
            "certificates": [
                {"name": e.name, "use": e.use, "not_after": e.not_after, "revoked": e.revoked,
                 "serial": e.serial}
                for e in entries
            ],
        },
        [
            f"CA SHA-256 {authority.fingerprint}",
            *table(("name", "use", "until", "revoked", "serial"), rows),
        ],
    )  # fmt: skip
    return ExitCode.OK


def _authority(args: argparse.Namespace) -> CertificateAuthority:
    from oem_daemon.site import Site
    from oem_security import CertificateAuthority

    return CertificateAuthority.open(Site(args.site).mtls)
