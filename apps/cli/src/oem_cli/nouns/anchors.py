"""`oem anchors`: the vendor's keys that sites trust, rolled over by a signed chain."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import AnchorSet, Keyring
    from oem_security.envelope.policy import PostQuantum
    from oem_security.keys.key import PublicKey


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem anchors`."""
    verbs = Verbs(parser)
    root = verbs.add("root", run_root, "vendor: write the public root key of this holder")
    begin = verbs.add("begin", run_begin, "vendor: make version 1")
    following = verbs.add("next", run_next, "vendor: make the version after another")
    following.add_argument("previous", type=Path, metavar="PREVIOUS", help="the version before")
    for verb in (begin, following):
        verb.add_argument(
            "--root", action="append", type=Path, metavar="FILE", help="another holder's root key"
        )
        verb.add_argument("--threshold", type=int, metavar="N", help="how many roots must sign")
        verb.add_argument(
            "--post-quantum",
            choices=["none", "accepted", "required"],
            help="name the vendor's ML-DSA-65 keys, and whether sites ask for their signature",
        )
    sign = verbs.add("sign", run_sign, "vendor: add another root holder's signature to a file")
    sign.add_argument("file", type=Path, metavar="FILE", help="the version; it is changed")
    for verb in (root, begin, following, sign):
        verb.add_argument("--vendor", type=Path, required=True, help="the vendor's directory")
    for verb in (root, begin, following):
        verb.add_argument("--output", type=Path, required=True, metavar="FILE")
    show = verbs.add("show", run_show, "what a version says, and the SHA-384 to compare")
    show.add_argument("file", type=Path, metavar="FILE", help="the version")
    install = verbs.add("install", run_install, "site: follow the next version")
    install.add_argument("file", type=Path, metavar="FILE", help="the version")
    install.add_argument("--sha384", default="", help="of a first version: as the vendor told it")


def run_root(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a root key."""
    from oem_security import Purpose
    from oem_security.files import write_atomic
    from oem_security.keys.key import Algorithm

    key = _vendor(args, make=True).active(Purpose.ROOT).public(Algorithm.ED25519)
    write_atomic(args.output, key.raw.hex().encode() + b"\n")
    out.report({"root": key.key_id}, f"{key.key_id} is in {args.output}")
    return ExitCode.OK


def run_begin(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the first version."""
    from oem_security import first_anchors
    from oem_security.envelope.policy import PostQuantum

    roots = [_root(path) for path in args.root or ()]
    data = first_anchors(
        _vendor(args, make=True),
        roots=roots,
        threshold=1 if args.threshold is None else args.threshold,
        post_quantum=_post_quantum(args) or PostQuantum.NONE,
    )
    return _write(args.output, data, out)


def run_next(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make the next version."""
    from oem_security import next_anchors

    roots = None if args.root is None else [_root(path) for path in args.root]
    data = next_anchors(
        _read(args.previous),
        _vendor(args),
        roots=roots,
        threshold=args.threshold,
        post_quantum=_post_quantum(args),
    )
    return _write(args.output, data, out)


def run_sign(args: argparse.Namespace, out: Output) -> ExitCode:
    """Add a signature."""
    from oem_security import add_signature

    return _write(args.file, add_signature(_read(args.file), _vendor(args)), out)


def run_show(args: argparse.Namespace, out: Output) -> ExitCode:
    """Show a version."""
    return _tell(_read(args.file), out)


def run_install(args: argparse.Namespace, out: Output) -> ExitCode:
    """Follow a version."""
    from oem_daemon.site import Site
    from oem_security import Keyring, install_anchors
    from oem_security.license.paths import LicensePaths

    site = Site(args.site)
    made = install_anchors(
        LicensePaths(site.licenses), _read(args.file), Keyring.open(site.keys), sha384=args.sha384
    )
    out.report(
        _json(made), f"this site follows version {made.version}, vendor {made.vendors[0].key_id}"
    )
    return ExitCode.OK


def _write(path: Path, data: bytes, out: Output) -> ExitCode:
    from oem_security.files import write_atomic

    write_atomic(path, data)
    return _tell(data, out)


def _tell(data: bytes, out: Output) -> ExitCode:
    from oem_security import AnchorSet, PayloadType
    from oem_security.envelope.dsse import take_apart

    parts = take_apart(data, PayloadType.ANCHORS)
    made = AnchorSet.from_payload(parts.payload)
    signed = [key for key, _ in parts.signatures]
    out.report(
        {**_json(made), "signed_by": signed},
        [
            f"version {made.version}: {made.threshold} of {len(made.roots)} roots must sign",
            f"signed by {', '.join(signed)}",
            f"ML-DSA-65: {made.wanted.value}",
            f"SHA-384 {made.sha384}",
        ],
    )
    return ExitCode.OK


def _json(made: AnchorSet) -> dict[str, object]:
    return {
        "version": made.version,
        "sha384": made.sha384,
        "vendors": [key.key_id for key in made.vendors],
        "roots": [key.key_id for key in made.roots],
        "threshold": made.threshold,
        "post_quantum": made.wanted.value,
        "post_quantum_keys": [key.key_id for key in made.post_quantum],
    }


def _post_quantum(args: argparse.Namespace) -> PostQuantum | None:
    from oem_security.envelope.policy import PostQuantum

    return None if args.post_quantum is None else PostQuantum(args.post_quantum)


def _vendor(args: argparse.Namespace, *, make: bool = False) -> Keyring:
    from oem_daemon.provision import Vendor

    vendor = Vendor(args.vendor)
    return vendor.keyring() if make else vendor.held()


def _root(path: Path) -> PublicKey:
    from oem_security import InputError
    from oem_security.keys.key import Algorithm, PublicKey

    try:
        raw = bytes.fromhex(_read(path).decode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise InputError(
            "this is no root key", where=str(path), remedy="have it written by: oem anchors root"
        )
    return PublicKey(Algorithm.ED25519, raw)


def _read(path: Path) -> bytes:
    from oem_security.files import read_bounded

    return read_bounded(path, 1 << 20, what="file")
