"""`oem data`: market data, checked before it is used."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_risk import DataManifest, QualityReport, TakenIn


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem data`."""
    verbs = Verbs(parser)
    imports = verbs.add(
        "import", run_import, "read files of exchanges, archives and other programs into Parquet"
    )
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE")
    imports.add_argument("--to", type=Path, required=True, metavar="DIR",
                         help="folder where bars/, trades/, quotes/, ... are made")  # fmt: skip
    imports.add_argument("--format", default="auto", metavar="NAME",
                         help="auto, lean, binance_vision, cryptodatadownload, bybit_book, "
                         "freqtrade_trades, freqtrade_feather, ccxt_json, kraken_trades or "
                         "hftbacktest (default: auto)")  # fmt: skip
    imports.add_argument("--venue", default="", help="venue, where the file does not tell it")
    imports.add_argument("--symbol", default="", help="symbol such as BTC/USDT, likewise")
    imports.add_argument("--timeframe", default="", help="length of the bars, likewise")
    imports.add_argument("--keep", choices=("first", "last"), default=None,
                         help="of rows of one time that differ, keep one (default: keep both, "
                         "which the check calls unusable)")  # fmt: skip
    fetch = verbs.add("fetch", run_fetch, "fetch history through ccxt; goes on after a break")
    fetch.add_argument("--venue", required=True, help="ccxt's id of the exchange")
    fetch.add_argument("--symbol", required=True, help="symbol such as BTC/USDT")
    fetch.add_argument("--kind", choices=("bars", "trades", "funding"), default="bars",
                       help="what to fetch (default: bars)")  # fmt: skip
    fetch.add_argument("--timeframe", default="1h", help="length of the bars (default: 1h)")
    fetch.add_argument("--since", required=True, metavar="DAY", help="first day, YYYY-MM-DD")
    fetch.add_argument("--until", metavar="DAY", default="",
                       help="day after the last (default: now)")  # fmt: skip
    fetch.add_argument("--to", type=Path, required=True, metavar="DIR",
                       help="folder where bars/, trades/ or funding/ stand")  # fmt: skip
    fetch.add_argument("--url", default="",
                       help="address to ask instead of the venue's own")  # fmt: skip
    made = verbs.add("synthesize", run_synthesize,
                     "generate bars from a seed, fitted to a history or from parameters; always "
                     "marked synthetic")  # fmt: skip
    made.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder for bars/")
    made.add_argument("--bars", type=int, default=17_520, metavar="N",
                      help="how many (default: 17520)")  # fmt: skip
    made.add_argument("--seed", type=int, required=True, help="root seed; the same gives the same")
    made.add_argument("--like", type=Path, metavar="FILE",
                      help="history to go on from and to move like")  # fmt: skip
    made.add_argument("--symbol", default="BTC/USDT", help="without --like (default: BTC/USDT)")
    made.add_argument("--timeframe", default="1h", help="without --like (default: 1h)")
    made.add_argument("--price", type=float, default=60_000.0,
                      help="first price, without --like (default: 60000)")  # fmt: skip
    made.add_argument("--volatility", type=float, default=0.6,
                      help="annual volatility, without --like (default: 0.6)")  # fmt: skip
    check = verbs.add("check", run_check, "check Parquet files; fails when one is unusable")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument(
        "--against", type=Path, metavar="FILE",
        help="bars of the same market from a second source",
    )  # fmt: skip
    manifest = verbs.add(
        "manifest", run_manifest,
        "check a folder's files and write manifest.json: hashes, spans, commission, liquidity, "
        "funding",
    )  # fmt: skip
    manifest.add_argument("folder", type=Path, metavar="DIR")
    verify = verbs.add("verify", run_verify, "hold a folder's files against its manifest")
    verify.add_argument("folder", type=Path, metavar="DIR")


def run_import(args: argparse.Namespace, out: Output) -> ExitCode:
    """Import files; fails when a series is unusable."""
    import oem_risk

    taken = oem_risk.import_files(
        args.files,
        args.to,
        hints=oem_risk.ImportHints(args.venue, args.symbol, args.timeframe),
        form=args.format,
        keep=args.keep,
        progress=lambda done, total: out.progress("reading", done, total),
    )
    return report_taken(out, taken)


def run_fetch(args: argparse.Namespace, out: Output) -> ExitCode:
    """Fetch history; fails when what came is unusable."""
    import time

    import oem_risk
    from oem_security import SystemClock

    kind = oem_risk.DataKind(args.kind)
    clock = SystemClock()
    request = oem_risk.FetchRequest(
        kind=kind,
        symbol=args.symbol,
        since_ns=_day_ns(args.since, "--since"),
        until_ns=_day_ns(args.until, "--until") if args.until else clock.now_ns(),
        timeframe=args.timeframe if kind is oem_risk.DataKind.BARS else "",
    )
    taken = oem_risk.fetch_history(
        oem_risk.CcxtHistory(args.venue, url=args.url),
        request,
        args.to,
        clock=clock,
        sleep=time.sleep,
        progress=lambda done, total: out.progress("hours of history", done, total),
    )
    return report_taken(out, [taken])


def run_synthesize(args: argparse.Namespace, out: Output) -> ExitCode:
    """Generate bars."""
    import oem_risk

    if args.like:
        history = oem_risk.read_bar_file(args.like)
        bars = oem_risk.synthetic_like(history, count=args.bars, seed=args.seed)
    else:
        market = oem_risk.SyntheticMarket(args.price, annual_volatility=args.volatility)
        bars = oem_risk.synthetic_bars(
            args.symbol, market, timeframe=args.timeframe, bars=args.bars, seed=args.seed
        )
    return report_taken(out, [oem_risk.take_in(bars, args.to)])


def _day_ns(text: str, flag: str) -> int:
    import datetime as dt

    from oem_risk import DataProblem

    try:
        day = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)
    except ValueError:
        raise DataProblem(
            f"{text!r} is no day", where=flag, remedy="write it as 2026-01-31"
        ) from None
    return int(day.timestamp()) * 10**9


def report_taken(out: Output, taken: Sequence[TakenIn]) -> ExitCode:
    """Print what was written, what was mended on the way, and the verdicts."""
    from oem_risk import QualityVerdict

    lines = []
    for one in taken:
        mark = ", synthetic" if one.report.synthetic else ""
        lines.append(f"{one.path}: {one.report.verdict.value}, {one.report.rows} rows{mark}")
        lines += [f"  mended   {note}" for note in one.series.notes]
        lines += _finding_lines(one.report)
    value = {
        "written": [
            {"path": str(one.path), "sha384": one.series.sha384, "notes": list(one.series.notes),
             **one.report.as_json()}
            for one in taken
        ]
    }  # fmt: skip
    out.report(value, lines)
    unusable = any(one.report.verdict is QualityVerdict.UNUSABLE for one in taken)
    return ExitCode.FAILED if unusable else ExitCode.OK


def run_check(args: argparse.Namespace, out: Output) -> ExitCode:
    """Check files one by one, and against a second source."""
    import oem_risk

    reports = []
    for path in args.files:
        report = oem_risk.check_file(path)
        if args.against is not None and report.verdict is not oem_risk.QualityVerdict.UNUSABLE:
            second = oem_risk.read_bar_file(args.against)
            report = report.joined(oem_risk.cross_check(oem_risk.read_bar_file(path), second))
        reports.append(report)
    report_quality(out, reports)
    unusable = any(r.verdict is oem_risk.QualityVerdict.UNUSABLE for r in reports)
    return ExitCode.FAILED if unusable else ExitCode.OK


def report_quality(out: Output, reports: list[QualityReport]) -> None:
    """Print the verdict and the findings of each report."""
    lines = []
    for report in reports:
        mark = ", synthetic" if report.synthetic else ""
        lines.append(f"{report.source}: {report.verdict.value}, {report.rows} rows{mark}")
        lines += _finding_lines(report)
    out.report({"reports": [report.as_json() for report in reports]}, lines)


def _finding_lines(report: QualityReport) -> list[str]:
    return [
        f"  {'FATAL  ' if f.fatal else 'warning'}  {f.check.value} ({f.count}): {f.detail}"
        for f in report.findings
    ]


def run_manifest(args: argparse.Namespace, out: Output) -> ExitCode:
    """Describe a folder."""
    from oem_daemon.datasets import describe_data

    manifest = describe_data(
        args.folder, progress=lambda done, total: out.progress("checking", done, total)
    )
    report_manifest(out, manifest, args.folder)
    return ExitCode.OK if manifest.usable else ExitCode.FAILED


def report_manifest(out: Output, manifest: DataManifest, folder: Path) -> None:
    """Print a manifest's files, and what it does not know."""
    from oem_risk import MANIFEST_NAME

    rows = [
        (f.path, f.rows, f.first[:10], f.last[:10], "synthetic" if f.synthetic else "recorded",
         f.verdict.value)
        for f in manifest.files
    ]  # fmt: skip
    head = ("file", "rows", "first", "last", "", "verdict")
    unknowns = manifest.unknowns()
    path = folder / MANIFEST_NAME
    out.report(
        {"manifest": str(path), "usable": manifest.usable, "unknown": list(unknowns),
         **manifest.model_dump(mode="json")},
        [*table(head, rows, right=(1,)), *(f"unknown: {name}" for name in unknowns), str(path)],
    )  # fmt: skip


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Hold files against their manifest."""
    import oem_risk

    manifest = oem_risk.read_manifest(args.folder)
    found = oem_risk.manifest_differences(manifest, args.folder)
    unusable = [f.path for f in manifest.files if f.verdict is oem_risk.QualityVerdict.UNUSABLE]
    lines = [*found, *(f"{path}: unusable by its quality checks" for path in unusable)]
    out.report(
        {"files": len(manifest.files), "differences": list(found), "unusable": unusable},
        lines or f"{len(manifest.files)} files are those of the manifest",
    )
    return ExitCode.FAILED if lines else ExitCode.OK
