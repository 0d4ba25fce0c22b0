"""`oem license export` and `activate`: a licence as a QR code, on a USB volume, or as text."""

from __future__ import annotations

import argparse
import sys

from oem_cli.exit_codes import ExitCode
from oem_cli.licensing.site import install, read
from oem_cli.output import Output
from oem_daemon.site import Site
from oem_security.keys.keyring import Keyring
from oem_security.license.activation import (
    pack_activation,
    qr_lines,
    read_qr,
    read_usb,
    unpack_activation,
    write_qr,
    write_usb,
)
from oem_security.license.paths import LicensePaths


def run_export(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a licence so that it can be carried to the site."""
    envelope = read(args.license)
    text = pack_activation(envelope)
    value: dict[str, object] = {"activation": text, "characters": len(text)}
    lines = [text]
    if args.qr:
        write_qr(text, args.qr)
        value["qr"] = str(args.qr)
        lines.append(f"QR code is in {args.qr}")
    if args.usb:
        path = write_usb(args.usb, envelope)
        value["usb"] = str(path)
        lines.append(f"activation is in {path}")
    if args.show:
        lines += qr_lines(text)
    out.report(value, lines)
    return ExitCode.OK


def run_activate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Install the licence that a QR code, a USB volume or a text carries."""
    site = Site(args.site)
    keyring = Keyring.open(site.keys)
    if args.qr:
        text = read_qr(args.qr)
    elif args.usb:
        text = read_usb(args.usb, keyring.id)
    else:
        text = sys.stdin.read(4096) if args.text == "-" else args.text
    install(unpack_activation(text), LicensePaths(site.licenses), keyring, out)
    return ExitCode.OK
