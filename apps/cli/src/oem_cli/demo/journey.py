"""The steps of the demonstration, in order; each prints what it did."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import oem_tco
from oem_cli.demo.observe import Observed, cycles_done, observe, refusals
from oem_cli.demo.process import DaemonProcess
from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_daemon.config.model import LEAST_BARS, MOST_BARS
from oem_daemon.lab import LabFiles, run_site_lab
from oem_daemon.provision import (
    Vendor,
    init_site,
    issue_access,
    provision_license,
    sign_config,
    write_config,
)
from oem_daemon.site import Site
from oem_risk import Verdict
from oem_risk.lab.settings import LEAST_PATHS, MOST_PATHS
from oem_security import AuditReport, InputError, Keyring, audit_site
from oem_security.clock import rfc3339

OPERATOR = "demo-operator"
TRADING_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demonstration is run.

    Attributes:
        data: Folder of recorded bars; None generates them.
        bars: Bars to trade on.
        paths: Paths per profile in Paper Labs.
        seed: Seed of generated bars.
    """

    data: Path | None
    bars: int
    paths: int
    seed: int

    def require_sound(self) -> None:
        """Refuse what a later step would refuse by a look at it, before anything is made.

        Raises:
            InputError: A number is out of its range, or the folder is none.
        """
        for name, value, least, most in (
            ("bars", self.bars, LEAST_BARS, MOST_BARS),
            ("paths", self.paths, LEAST_PATHS, MOST_PATHS),
            ("seed", self.seed, 0, math.inf),
        ):
            if not least <= value <= most:
                raise InputError(
                    f"{name} is {value}",
                    where=f"--{name}",
                    remedy=f"give {least} to {most:,}"
                    if most < math.inf
                    else f"give {least} or more",
                )
        if self.data is not None and not self.data.is_dir():
            raise InputError(
                "there is no such folder",
                where=str(self.data),
                remedy="name a folder that holds venue_SYMBOL_timeframe.parquet files",
            )


def run_demo(site: Site, options: DemoOptions, out: Output) -> ExitCode:
    """Run every step on a fresh site; returns the exit code."""
    options.require_sound()
    started = time.monotonic()
    vendor = Vendor(site.root.with_name(site.root.name + "-vendor"))
    token = _provision(site, vendor, out)
    _configure(site, options, out)
    lab = _lab(site, options, out)
    seen, refused = _trade(site, token, out)
    report, paths = _costs(site, out)
    audit = _verify(site, out)
    _summary(site, lab, seen, report, paths, audit, refused, out, time.monotonic() - started)
    sound = audit.ok and all(refused.values()) and lab.result.verdict is not Verdict.FAIL
    return ExitCode.OK if sound else ExitCode.FAILED


def _provision(site: Site, vendor: Vendor, out: Output) -> str:
    out.say("1  keys, licence, certificates, operator token")
    keyring = init_site(site)
    held = provision_license(site, vendor, features=("demo", "paper"), approved_by="demo-vendor")
    token_file = issue_access(site, operator=OPERATOR, roles=("operator",))
    out.say(f"   site {site.root} (keyring {keyring.id}), vendor {vendor.root}")
    out.say(
        f"   licence {held.license_id} for {', '.join(held.terms.features)}, bound to this device"
    )
    return token_file.read_text().strip()


def _configure(site: Site, options: DemoOptions, out: Output) -> None:
    out.say("2  configuration: written, validated, hashed, signed")
    write_config(site, data=options.data, bars=options.bars, seed=options.seed)
    out.say(f"   {site.config} SHA-384 {sign_config(site)[:24]}…")


def _lab(site: Site, options: DemoOptions, out: Output) -> LabFiles:
    origin = f"recorded bars of {options.data}" if options.data else "synthetic bars, seeded"
    out.say(f"3  Paper Labs on {origin}")
    files = run_site_lab(
        site,
        paths=options.paths,
        # scenarios are laid over as many paths as the calm, and no more than the lab's own number
        settings=lambda usual: replace(
            usual, stress_paths=min(usual.stress_paths, max(options.paths, LEAST_PATHS))
        ),
        progress=lambda done, total: out.progress("   simulating", done, total),
    )
    for symbol, quality in files.result.data.items():
        faults = ", ".join(f"{f.check} {f.count}" for f in quality.findings) or "no faults"
        out.say(f"   {symbol}: {quality.rows} bars, {quality.verdict.value} ({faults})")
    for found in files.result.profiles:
        gate = found.drawdown_gate
        worst = max(found.stress, key=lambda s: s.loss / s.limit)
        out.say(
            f"   {found.verdict.value:<12} {found.profile.name:<13} P(drawdown ≥ "
            f"{found.profile.max_drawdown:.0%}) = {gate.estimate:.2%} "
            f"[{gate.low:.2%}, {gate.high:.2%}], limit {gate.limit:.0%}; worst stress "
            f"{worst.scenario} {worst.loss:.1%} of {worst.limit:.0%}"
            + (f"; {gate.more_paths} more paths would decide" if gate.more_paths else "")
        )
    return files


def _trade(site: Site, token: str, out: Output) -> tuple[Observed, dict[str, str]]:
    out.say("4  the daemon trades on paper: gRPC with mutual TLS 1.3 and an operator token")
    daemon = DaemonProcess(site)
    try:
        facts = daemon.wait_ready()
        out.say(f"   pid {facts['pid']}, gRPC {facts['grpc']}, metrics {facts['metrics']}")
        if not daemon.wait_until(lambda: cycles_done(facts["metrics"]), TRADING_PATIENCE_S):
            out.say("   the daemon has not traded all its data yet; going on with what there is")
        out.say("5  read from outside, and refused where it must be")
        seen = observe(site, facts, token)
        refused = refusals(site, facts, token)
    finally:
        code = daemon.stop()
    out.say(
        f"   {seen.status.cycles} cycles, {sum(seen.verdicts.values())} decisions, "
        f"{seen.orders} orders, {seen.fills} fills; "
        f"oem_cycles_total {seen.metrics.get('oem_cycles_total', 0):.0f}"
    )
    for name, why in refused.items():
        out.say(f"   a call {name}: {'refused: ' + why if why else 'NOT REFUSED'}")
    out.say(f"   daemon stopped, exit code {code}")
    return seen, refused


def _costs(site: Site, out: Output) -> tuple[oem_tco.TcoResult, oem_tco.ReportPaths]:
    out.say("6  cost report, then everything signed is verified")
    result = oem_tco.analyze(oem_tco.read_ledger(site.cost_ledger))
    last = max((s.order.end_time_ns or 0 for s in result.orders), default=0)
    paths = oem_tco.write_report(
        result,
        site.tco_reports,
        Keyring.open(site.keys),
        generated_at_ns=last,
        schedules=oem_tco.FeeBook.shipped().versions(),
    )
    return result, paths


def _verify(site: Site, out: Output) -> AuditReport:
    audit = audit_site(site.root, Keyring.open(site.keys))
    for finding in audit.findings:
        mark = "ok    " if finding.ok else "BROKEN"
        out.say(f"   {mark} {finding.kind:<8} {finding.path}: {finding.detail}")
    return audit


def _summary(
    site: Site,
    lab: LabFiles,
    seen: Observed,
    costs: oem_tco.TcoResult,
    paths: oem_tco.ReportPaths,
    audit: AuditReport,
    refused: dict[str, str],
    out: Output,
    seconds: float,
) -> None:
    total = costs.total
    equity, fees = float(seen.risk.equity), float(seen.risk.fees_paid)
    start = _initial_cash(site)
    span = " to ".join(rfc3339(t)[:10] for t in lab.result.span_ns)
    rows: list[tuple[str, str]] = [
        ("data", ("synthetic" if lab.result.synthetic else "recorded") + f", {span}"),
        ("Paper Labs", lab.result.verdict.value),
        ("decided", ", ".join(f"{n} {v}" for v, n in sorted(seen.verdicts.items()))),
        ("traded", f"{seen.orders} orders, {seen.fills} fills"),
        ("P&L", f"{equity - start:+,.2f} {seen.risk.currency} ({fees:,.2f} of it fees)"),
        ("cost", f"{total.bps():+.2f} bps of notional, by component:"),
        *(
            (f"  {component.value}", f"{total.bps(component):+.3f} bps")
            for component in oem_tco.Component
        ),
        (
            "verified",
            f"{len(audit.findings)} signed things, {'all hold' if audit.ok else 'BROKEN'}",
        ),
        ("took", f"{seconds:.0f} s"),
    ]
    files = {
        "paper labs": str(lab.pdf),
        "costs": str(paths.pdf),
        "costs, table": str(paths.csv),
        "decision log": str(site.decision_log("paper")),
    }
    commands = [
        f"oem verify --site {site.root}",
        f"oem decision replay --site {site.root}",
        f"oem daemon run --site {site.root}",
    ]
    value: dict[str, object] = {
        "verdict": lab.result.verdict.value,
        "synthetic_data": lab.result.synthetic,
        "decisions": seen.verdicts,
        "orders": seen.orders,
        "fills": seen.fills,
        "equity": seen.risk.equity,
        "cost_bps": {c.value: total.bps(c) for c in oem_tco.Component},
        "cost_total_bps": total.bps(),
        "refused": refused,
        "verified": {"checked": len(audit.findings), "ok": audit.ok},
        "files": files,
        "seconds": round(seconds, 1),
    }
    out.report(
        value,
        [
            "",
            *table(("what", "result"), rows),
            "",
            "files",
            *(f"  {name:<14} {path}" for name, path in files.items()),
            "",
            "try next",
            *(f"  {command}" for command in commands),
        ],
    )


def _initial_cash(site: Site) -> float:
    from oem_daemon.config.reader import read_config

    return float(read_config(site.config).runtime.initial_cash)
