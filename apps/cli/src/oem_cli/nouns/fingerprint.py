"""`oem fingerprint`: what identifies this device, and how well it fits what was expected."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem fingerprint`."""
    verbs = Verbs(parser)
    verbs.add("show", run_show, "read every probe; digests only, no serial number")
    verbs.add("verify", run_verify, "hold this device against config/fingerprint.expected.json")
    dongle = verbs.add("dongle", run_dongle, "name the PKCS#11 dongle that belongs to this device")
    dongle.add_argument("--module", type=Path, required=True, metavar="FILE",
                        help="the token's PKCS#11 library")  # fmt: skip
    dongle.add_argument("--token", required=True, metavar="LABEL", help="label of the token")
    dongle.add_argument("--key", required=True, metavar="LABEL",
                        help="label of its key pair: EC P-256, P-384 or RSA")  # fmt: skip
    dongle.add_argument("--pin-file", type=Path, required=True, metavar="FILE",
                        help="private file with the user PIN")  # fmt: skip


def run_show(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show what the probes read, as digests."""
    from oem_daemon.device import observe
    from oem_daemon.site import Site
    from oem_security.fingerprint.fingerprint import WEIGHTS, Fingerprint

    found = Fingerprint.of(observe(Site(args.site)))
    names = [name for name in WEIGHTS if name in found.digests]
    out.report(
        {"components": {n: {"weight": WEIGHTS[n], "digest": found.digests[n]} for n in names}},
        [f"{name:<10}  weight {WEIGHTS[name]}  {found.digests[name]}" for name in names],
    )
    return ExitCode.OK


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Compare this device with the expected fingerprint."""
    from oem_daemon.device import observe
    from oem_daemon.site import Site
    from oem_security.fingerprint.fingerprint import compare, load_fingerprint
    from oem_security.keys.keyring import Keyring

    site = Site(args.site)
    expected = load_fingerprint(site.expected_fingerprint, Keyring.open(site.keys))
    verdict = compare(expected, observe(site))
    out.report(
        {
            "match": verdict.match.value,
            "basis": verdict.basis.value,
            "share": round(verdict.share, 4),
            "changed": list(verdict.changed),
            "missing": list(verdict.missing),
        },
        f"{verdict.words}; {verdict.share:.0%} by weight fit",
    )
    return ExitCode.OK if verdict.usable else ExitCode.TRUST


def run_dongle(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write down the site's dongle, once it has proven itself."""
    from oem_daemon.site import Site
    from oem_security.errors import FingerprintError
    from oem_security.fingerprint.dongle import save_dongle

    path = Site(args.site).dongle
    dongle = save_dongle(
        path, module=args.module, token=args.token, key=args.key, pin_file=args.pin_file.resolve()
    )
    if not dongle.read():
        path.unlink()
        raise FingerprintError(
            f"there is no token {args.token!r}", where="dongle", remedy="plug it in, then repeat"
        )
    out.report(
        {"dongle": str(path)},
        f"the dongle is named in {path}; ask for the licence again: oem license request",
    )
    return ExitCode.OK
