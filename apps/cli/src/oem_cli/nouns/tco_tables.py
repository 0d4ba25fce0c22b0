"""`oem tco cost`: costs of whole tables, from files of any origin."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns.tco_report import add_report_options, read_scenarios, write_cost_report
from oem_cli.nouns.tco_workers import add_workers, executor_of
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    import oem_tco

_TABLES = ("orders", "fills", "quotes", "funding", "volume", "rates")
_SHOWN = 20
_ACCOUNT = (
    ("--fee-tier", "TIER", "tier of the account"),
    ("--volume-30d", "AMOUNT", "what the account traded in 30 days, in the schedule's currency"),
    ("--fees-paid-in", "ASSET", "asset that fees are paid in"),
)


def add_cost(verbs: Verbs) -> None:
    """Add the verb `cost`."""
    cost = verbs.add(
        "cost", run_cost, "split the costs of tables of orders, fills and quotes, exactly"
    )
    for name in _TABLES:
        words = "Parquet file, folder of them, or CSV"
        default = " (default: the site's ledger)" if name in ("orders", "fills") else ""
        cost.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"{name}: {words}{default}")
    cost.add_argument(
        "--column", action="append", default=[], metavar="TABLE.NAME=THEIRS",
        help="what a column is called in the file; may be repeated",
    )  # fmt: skip
    cost.add_argument(
        "--constant", action="append", default=[], metavar="TABLE.NAME=TEXT",
        help="text of a column that the file lacks, such as quotes.symbol=BTC/USDT",
    )  # fmt: skip
    cost.add_argument(
        "--delay", choices=("whole_order", "filled_part"), default="whole_order",
        help="what the delay is counted on (default: whole_order)",
    )  # fmt: skip
    cost.add_argument(
        "--benchmark", default="", metavar="NAME[,NAME]",
        help="arrival, decision, mid, twap, vwap, interval, close",
    )  # fmt: skip
    cost.add_argument(
        "--markout", default="", metavar="SECONDS[,SECONDS]",
        help="how long after each fill the market is looked at",
    )  # fmt: skip
    cost.add_argument(
        "--by", default="symbol", metavar="DIM[,DIM]",
        help="columns that the printed costs are grouped by, also hour and day (default: symbol)",
    )  # fmt: skip
    cost.add_argument(
        "--max-quote-age", default="60", metavar="SECONDS",
        help="age above which a quote does not count (default: 60)",
    )  # fmt: skip
    cost.add_argument(
        "--clock-ahead", action="append", default=[], metavar="VENUE=MS",
        help="by how many milliseconds a venue's clock is ahead of the site's; may be negative",
    )  # fmt: skip
    cost.add_argument(
        "--volume-from-fills", action="store_true",
        help="a fee that has to come from the schedule has the tier that the fills of the 30 days "
        "before reached, added to --volume-30d",
    )  # fmt: skip
    cost.add_argument("--fees", type=Path, metavar="DIR", help="folder of own fee schedules")
    for flag, value, words in _ACCOUNT:
        cost.add_argument(
            flag, action="append", default=[], metavar=f"VENUE={value}",
            help=f"{words}, where a fee has to come from the schedule; may be repeated",
        )  # fmt: skip
    cost.add_argument(
        "--fees-as-reported", action="store_true",
        help="fees have the sign of each venue's own reports (default: positive is a cost)",
    )  # fmt: skip
    add_workers(cost)
    cost.add_argument(
        "--output", type=Path, metavar="DIR",
        help="write orders, fills, findings, benchmarks and markouts as Parquet",
    )  # fmt: skip
    cost.add_argument(
        "--ledger-output", type=Path, metavar="DIR",
        help="write orders.csv and fills.csv with every fallback filled in, for "
        "`oem tco analyze --ledger DIR`; without funding, which those files do not hold",
    )  # fmt: skip
    cost.add_argument(
        "--report", type=Path, metavar="DIR",
        help="write the sealed report of the tables, CSV and PDF, as `oem tco analyze` does",
    )  # fmt: skip
    add_report_options(cost)
    cost.add_argument(
        "--strict", action="store_true", help="exit with 1 when a row is refused or left out"
    )


def run_cost(args: argparse.Namespace, out: Output) -> ExitCode:
    """Split the costs of tables and print them by group, with everything found in the input."""
    import oem_tco

    rules, scenarios = _rules(args), read_scenarios(args)
    tables, digests = _read(args)
    if args.volume_from_fills:
        rules = oem_tco.with_traded_volume(rules, tables)
    costs = _costs(tables, rules, args)
    by = tuple(name.strip() for name in args.by.split(",") if name.strip())
    groups = oem_tco.group_partitions([costs.fills], oem_tco.GroupSpec(by)).to_pylist()
    findings = costs.findings.sorted()
    written = [] if args.output is None else oem_tco.write_costs(costs, args.output)
    if args.ledger_output is not None or args.report is not None:
        rows, _ = oem_tco.ledger_rows(tables, rules)
        if args.ledger_output is not None:
            written = [*written, *oem_tco.write_ledger(rows, args.ledger_output)]
        if args.report is not None:
            written = [*written, *_report(args, rules, costs, rows, scenarios, digests)]
    curve = () if costs.markouts is None else oem_tco.markout_curve(costs.markouts)
    out.report(
        {
            "orders": costs.orders.num_rows,
            "fills": costs.fills.num_rows,
            "delay": costs.convention.value,
            "totals": oem_tco.order_totals(costs),
            "groups": groups,
            "markouts": [
                {"horizon_s": m.horizon_ns / 1e9, "mean_bps": m.mean_bps, "low_bps": m.low_bps,
                 "high_bps": m.high_bps, "fills": m.fills}
                for m in curve
            ],
            "findings": [
                {"code": f.code.value, "treatment": f.treatment.value, "table": f.table.value,
                 "column": f.column, "rows": f.rows.tolist(), "text": f.text}
                for f in findings
            ],
            "written": [str(path) for path in written],
        },
        [*_lines(costs, groups, curve), *_found(findings), *map(str, written)],
    )  # fmt: skip
    lost = any(f.treatment in ("refused", "left_out") for f in findings)
    return ExitCode.FAILED if args.strict and lost else ExitCode.OK


def _report(
    args: argparse.Namespace,
    rules: oem_tco.CostRules,
    costs: oem_tco.TableCosts,
    rows: oem_tco.LedgerRows,
    scenarios: tuple[oem_tco.CostScenario, ...],
    digests: dict[str, str],
) -> list[Path]:
    """Write the sealed report and return its CSV and PDF."""
    import oem_tco
    from oem_daemon.site import Site
    from oem_security import Keyring

    site = Site(args.site)
    curves = None
    if costs.markouts is not None:
        curves = oem_tco.symbol_markouts(costs.markouts, costs.fills)
    paths, _ = write_cost_report(
        args, site, Keyring.open(site.keys), oem_tco.cost_result(costs, rows), rows,
        folder=args.report, scenarios=scenarios,
        fees=rules.fees.book or oem_tco.FeeBook.shipped(), inputs=digests, markouts=curves,
    )  # fmt: skip
    return [paths.csv, paths.pdf]


def _read(args: argparse.Namespace) -> tuple[oem_tco.TcoTables, dict[str, str]]:
    """Return the tables, and the digests of the files they were read from for a report."""
    import oem_tco
    from oem_daemon.site import Site

    if (args.orders is None) != (args.fills is None):
        raise oem_tco.InputError(
            "orders and fills belong together", where="--orders, --fills", remedy="name both files"
        )
    paths = [path for name in _TABLES if (path := getattr(args, name)) is not None]
    if args.orders is None:
        ledger = Site(args.site).cost_ledger
        paths += [ledger / "orders.csv", ledger / "fills.csv"]
    if args.report is None:
        return _tables(args), {}
    return oem_tco.read_unchanged(paths, lambda: _tables(args))


def _tables(args: argparse.Namespace) -> oem_tco.TcoTables:
    import oem_tco

    names, constants = _by_table(args.column, "--column"), _by_table(args.constant, "--constant")
    read: dict[str, oem_tco.InputTable] = {}
    if args.orders is None:
        from oem_daemon.site import Site

        read["orders"], read["fills"] = oem_tco.ledger_tables(Site(args.site).cost_ledger)
    for name in _TABLES:
        if (path := getattr(args, name)) is not None:
            read[name] = oem_tco.read_table(
                name, path, columns=names.get(name), constants=constants.get(name)
            )
    return oem_tco.TcoTables(**read)


def _costs(
    tables: oem_tco.TcoTables, rules: oem_tco.CostRules, args: argparse.Namespace
) -> oem_tco.TableCosts:
    import oem_tco

    with executor_of(args) as (executor, parts):
        if executor is None:
            return oem_tco.cost_tables(tables, rules)
        return oem_tco.cost_partitions(oem_tco.split_tables(tables, parts), rules, executor)


def _rules(args: argparse.Namespace) -> oem_tco.CostRules:
    import oem_tco

    fees = None if args.fees is None else oem_tco.FeeBook.from_folder(args.fees)
    ahead = {v: _number(ms, "--clock-ahead") for v, ms in _pairs(args.clock_ahead, "--clock-ahead")}
    horizons = [_number(s, "--markout") for s in args.markout.split(",") if s.strip()]
    try:
        benchmarks = tuple(
            oem_tco.Benchmark(name.strip()) for name in args.benchmark.split(",") if name.strip()
        )
    except ValueError as error:
        raise oem_tco.InputError(
            f"{error}", where="--benchmark",
            remedy=f"name some of {', '.join(oem_tco.Benchmark)}",
        ) from None  # fmt: skip
    return oem_tco.CostRules(
        convention=oem_tco.DelayConvention(args.delay),
        max_quote_age_ns=round(_number(args.max_quote_age, "--max-quote-age") * 1e9),
        clock_ahead_ns={venue: round(ms * 1e6) for venue, ms in ahead.items()},
        fees=oem_tco.FeeRules(
            book=fees, accounts=_accounts(args), as_reported=args.fees_as_reported
        ),
        benchmarks=benchmarks,
        markouts_ns=tuple(round(s * 1e9) for s in horizons),
    )


def _accounts(args: argparse.Namespace) -> dict[str, oem_tco.FeeAccount]:
    import oem_tco

    tiers, assets = (dict(_pairs(getattr(args, n), f"--{n.replace('_', '-')}"))
                     for n in ("fee_tier", "fees_paid_in"))  # fmt: skip
    volumes = {
        venue: _decimal(amount, "--volume-30d")
        for venue, amount in _pairs(args.volume_30d, "--volume-30d")
    }
    return {
        venue: oem_tco.FeeAccount(
            volume_30d=volumes.get(venue, Decimal(0)),
            pay_fees_in=assets.get(venue, ""),
            tier=tiers.get(venue, ""),
        )
        for venue in sorted({*tiers, *assets, *volumes})
    }


def _decimal(text: str, flag: str) -> Decimal:
    import oem_tco

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise oem_tco.InputError(f"{text!r} is no amount", where=flag, remedy="give 0 or more")
    return value


def _pairs(given: list[str], flag: str) -> list[tuple[str, str]]:
    import oem_tco

    pairs = []
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals and value):
            raise oem_tco.InputError(f"{one!r} is no NAME=VALUE", where=flag, remedy="mend it")
        pairs.append((name, value))
    return pairs


def _by_table(given: list[str], flag: str) -> dict[str, dict[str, str]]:
    import oem_tco

    found: dict[str, dict[str, str]] = {}
    for name, value in _pairs(given, flag):
        which, point, column = name.partition(".")
        if which not in _TABLES or not (point and column):
            raise oem_tco.InputError(
                f"{name!r} names no column of a table", where=flag,
                remedy=f"write TABLE.NAME, TABLE being one of {', '.join(_TABLES)}",
            )  # fmt: skip
        found.setdefault(which, {})[column] = value
    return found


def _number(text: str, flag: str) -> float:
    import math

    import oem_tco

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise oem_tco.InputError(f"{text!r} is no number", where=flag, remedy="give a number")
    return value


def _lines(
    costs: oem_tco.TableCosts,
    groups: list[dict[str, Any]],
    curve: tuple[oem_tco.MarkoutMean, ...],
) -> list[str]:
    import oem_tco

    lines = []
    for currency, total in oem_tco.order_totals(costs).items():
        rows = [(name, amount, f"{bps:+.3f}") for name, (amount, bps) in total.items()]
        lines += table((f"{costs.orders.num_rows} orders", currency, "bps"), rows, right=(1, 2))
    if groups:
        keys = [name for name in groups[0] if not name.endswith(("_minor", "_bps"))]
        quantiles = [name for name in groups[0] if name.endswith("_bps")]
        body = [
            [*(str(g[k]) for k in keys),
             *("" if g[q] is None else f"{g[q]:+.3f}" for q in quantiles)]
            for g in groups
        ]  # fmt: skip
        lines += ["", *table([*keys, *quantiles], body, right=range(len(keys) - 1, len(keys) + 4))]
    for mean in curve:
        lines.append(
            f"markout after {mean.horizon_ns / 1e9:g} s: {mean.mean_bps:+.3f} bps "
            f"({mean.low_bps:+.3f} to {mean.high_bps:+.3f}), {mean.fills} fills"
        )
    return lines


def _found(findings: tuple[oem_tco.Finding, ...]) -> list[str]:
    lines = [str(found) for found in findings[:_SHOWN]]
    if len(findings) > _SHOWN:
        lines.append(f"and {len(findings) - _SHOWN} more findings")
    return lines
