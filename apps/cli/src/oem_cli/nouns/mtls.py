"""`oem mtls`: the site's private certificate authority."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import CertificateAuthority
    from oem_security.mtls.registry import Issued


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem mtls`."""
    verbs = Verbs(parser)
    init = verbs.add("init", run_init, "make the authority, a server and a client certificate")
    init.add_argument("--name", default="Core OEM site CA", help="the authority's common name")
    issue = verbs.add("issue", run_issue, "issue a client certificate, or one for a server")
    issue.add_argument("name", help="the certificate's name")
    issue.add_argument("--server", action="store_true", help="for a server")
    for verb in (init, issue):
        verb.add_argument("--dns", action="append", default=[], help="host name of the server")
        verb.add_argument("--ip", action="append", default=[], help="address of the server")
    renew = verbs.add("renew", run_renew, "issue a certificate of the same name and use again")
    renew.add_argument("name", nargs="?", help="default: all whose renewal window has begun")
    revoke = verbs.add(
        "revoke", run_revoke, "revoke every certificate of a name; the next call is refused"
    )
    revoke.add_argument("name", help="the certificate's name")
    revoke.add_argument("--serial", help="only the one with this serial number")
    crl = verbs.add("crl", run_crl, "write the revocation list with the next number")
    crl.add_argument("--ahead", type=int, default=0, metavar="N", help="and N for later periods")
    crl.add_argument("--days", type=int, default=90, metavar="D", help="how long each is in force")
    verbs.add("status", run_status, "certificates with their dates, and the CA's fingerprint")


def run_init(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the authority and the first certificates."""
    from oem_daemon.site import Site
    from oem_security import CertificateAuthority, Keyring

    site = Site(args.site)
    Keyring.open(site.keys)  # the record of it is sealed: before anything is made
    authority = CertificateAuthority.create(site.mtls, name=args.name)
    _issue_server(authority, "server", args)
    authority.issue_client()
    _record(args, authority)
    out.report({"ca_sha256": authority.fingerprint}, f"CA SHA-256 {authority.fingerprint}")
    return ExitCode.OK


def run_issue(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue a certificate."""
    from oem_security import InputError

    authority = _authority(args)
    if not args.server and (args.dns or args.ip):
        raise InputError("a client has no host name", remedy="add --server, or leave --dns out")
    if args.server:
        entry = _issue_server(authority, args.name, args)
    else:
        entry = authority.issue_client(args.name)
    _record(args, authority)
    out.report(_json(entry), f"{entry.name}.pem, serial {entry.serial}, until {entry.not_after}")
    return ExitCode.OK


def run_renew(args: argparse.Namespace, out: Output) -> ExitCode:
    """Issue certificates again."""
    authority = _authority(args)
    renewed = (authority.renew(args.name),) if args.name else authority.renew_due()
    _record(args, authority)
    lines = [f"{e.name}.pem, serial {e.serial}, until {e.not_after}" for e in renewed]
    value: dict[str, object] = {"renewed": [_json(entry) for entry in renewed]}
    if args.name:
        value |= _json(renewed[0])
    out.report(value, [*lines, "restart what uses them"] if lines else "nothing is due")
    return ExitCode.OK


def run_revoke(args: argparse.Namespace, out: Output) -> ExitCode:
    """Revoke a name's certificates."""
    from oem_security import InputError

    authority = _authority(args)
    serials = [
        e.serial
        for e in authority.issued()
        if e.name == args.name and not e.revoked and args.serial in (None, e.serial)
    ]
    if not serials:
        raise InputError(
            f"no certificate in force is named {args.name!r}",
            remedy="list them with: oem mtls status",
        )
    for serial in serials:
        authority.revoke(serial)
    _record(args, authority)
    out.report({"revoked": serials}, f"revoked: {', '.join(serials)}")
    ahead = authority.registry().crl_ahead
    if ahead:
        out.say(f"the {ahead} lists ahead were written anew: take them to the sites again")
    return ExitCode.OK


def run_crl(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write new revocation lists."""
    authority = _authority(args)
    number = authority.write_crl(ahead=args.ahead, days=args.days)
    _record(args, authority)
    words = f"revocation list number {number} is written"
    if args.ahead:
        words += f", and {args.ahead} for later periods in crl.d"
    out.report({"number": number, "ahead": args.ahead}, words)
    return ExitCode.OK


def run_status(args: argparse.Namespace, out: Output) -> ExitCode:
    """List the certificates; what is out of date ends in code 1."""
    from oem_security.mtls.registry import Standing

    authority = _authority(args)
    registry, entries = authority.registry(), authority.standings()
    rows = [
        (e.name, e.use, standing.value, e.not_after, f"{e.renew_from:%Y-%m-%d}", e.serial)
        for e, standing in entries
    ]
    renew = [e.name for e, standing in entries if standing is Standing.RENEW]
    held = {e.name for e, s in entries if s in (Standing.IN_FORCE, Standing.RENEW)}
    lost = sorted({e.name for e, s in entries if s is Standing.EXPIRED} - held)
    late, number = authority.crl_is_late(), registry.crl_number - registry.crl_ahead
    out.report(
        {
            "ca_sha256": authority.fingerprint,
            "ca_not_after": f"{authority.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "crl_number": number,
            "crl_next_update": registry.crl_next_update,
            "crl_ahead": registry.crl_ahead,
            "crl_out_of_date": late,
            "renew": renew,
            "expired": lost,
            "certificates": [
                {**_json(e), "use": e.use, "revoked": e.revoked, "standing": standing.value}
                for e, standing in entries
            ],
        },
        [
            f"CA SHA-256 {authority.fingerprint}, until {authority.not_after:%Y-%m-%d}",
            f"list {number} until {registry.crl_next_update}, {registry.crl_ahead} ahead",
            *table(("name", "use", "standing", "until", "renew from", "serial"), rows),
        ],
    )
    if renew:
        out.say(f"to be renewed: {', '.join(renew)}; run: oem mtls renew")
    if late:
        out.say("the revocation list is out of date: every call is refused; run: oem mtls crl")
    return ExitCode.FAILED if lost or late else ExitCode.OK


def _issue_server(authority: CertificateAuthority, name: str, args: argparse.Namespace) -> Issued:
    if args.dns or args.ip:
        return authority.issue_server(name, dns=args.dns, ips=args.ip)
    return authority.issue_server(name)


def _json(entry: Issued) -> dict[str, object]:
    return {"name": entry.name, "serial": entry.serial, "not_after": entry.not_after}


def _record(args: argparse.Namespace, authority: CertificateAuthority) -> None:
    from oem_daemon.site import Site
    from oem_daemon.tls_rotation import record_rotation

    record_rotation(Site(args.site), authority)


def _authority(args: argparse.Namespace) -> CertificateAuthority:
    from oem_daemon.site import Site
    from oem_security import CertificateAuthority

    return CertificateAuthority.open(Site(args.site).mtls)
