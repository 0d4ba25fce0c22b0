"""`oem verify`: check every signed thing of a site."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import with_common_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `oem verify`."""
    with_common_options(parser, run)
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files or folders (default: the site)"
    )


def run(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify journals, envelopes and sealed files, and name what does not hold."""
    from oem_daemon.site import Site
    from oem_security import InputError, Keyring, audit_site

    missing = [str(path) for path in args.paths if not path.exists()]
    if missing:
        raise InputError(
            "there is no such file", where=", ".join(missing), remedy="correct the path"
        )
    report = audit_site(args.site, Keyring.open(Site(args.site).keys), args.paths)
    lines = []
    for finding in report.findings:
        mark = "ok    " if finding.ok else "BROKEN"
        lines.append(f"{mark} {finding.kind:<8} {finding.path}: {finding.detail}")
        if not finding.ok:
            lines += [f"       where:  {finding.where}", f"       remedy: {finding.remedy}"]
    broken = sum(not finding.ok for finding in report.findings)
    lines.append(f"{len(report.findings)} verified, {broken} broken")
    out.report(
        {
            "ok": report.ok and bool(report.findings),
            "findings": [
                {"path": f.path, "kind": f.kind, "ok": f.ok, "detail": f.detail,
                 "where": f.where, "remedy": f.remedy}
                for f in report.findings
            ],
        },
        lines,
    )  # fmt: skip
    if not report.findings:
        out.say("oem: error: nothing signed was found there; name a site or a signed file")
        return ExitCode.INPUT
    return ExitCode.OK if report.ok else ExitCode.FAILED
