"""`oem tco cost`: from files to costs, with the exit codes and words an operator sees."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oem_cli.run import run
from oem_security import Keyring
from oem_tco import (
    CostLedger,
    FillRow,
    GroupSpec,
    OrderRow,
    analyze,
    group_partitions,
    read_ledger,
    shortfall,
)
from tco_support import NOON_NS, fill, order
from tco_tables import fills_of, orders_of, parts_of, plain_parts


def files(folder: Path, orders: list[OrderRow], fills: list[FillRow]) -> list[str]:
    pq.write_table(orders_of(orders).arrow(), folder / "orders.parquet")
    pq.write_table(fills_of(fills).arrow(), folder / "fills.parquet")
    return ["--orders", str(folder / "orders.parquet"), "--fills", str(folder / "fills.parquet")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    Keyring.create(folder / "secrets" / "keys")
    return folder


def test_tables_are_costed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quotes = tmp_path / "quotes.csv"
    quotes.write_text("ts,b,ask\n2,101,102\n7,110,111\n")
    given = files(tmp_path, [order()], [fill(bid=None, ask=None), fill(fill_id="f2", order_id="x")])
    command = [
        "tco", "cost", *given, "--quotes", str(quotes), "--column", "quotes.time_ns=ts",
        "--column", "quotes.bid=b", "--constant", "quotes.symbol=BTC/USDT", "--json",
        "--benchmark", "mid,arrival", "--markout", "0.000000002", "--output", str(tmp_path / "out"),
        "--by", "venue,hour", "--delay", "filled_part",
    ]  # fmt: skip
    assert run(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["orders"], said["fills"], said["delay"]) == (1, 1, "filled_part")
    assert said["totals"]["USDT"]["spread"][0] == "2.00000000"
    assert [f["code"] for f in said["findings"]] == ["fill_without_order"]
    assert said["markouts"][0]["fills"] == 1
    assert (said["groups"][0]["venue"], said["groups"][0]["hour"]) == ("paper", "00")
    written = {Path(p).name: pq.read_table(p) for p in said["written"]}
    assert sorted(written) == [
        "benchmarks.parquet", "fills.parquet", "findings.parquet", "markouts.parquet",
        "orders.parquet",
    ]  # fmt: skip
    found = group_partitions([tmp_path / "out" / "fills.parquet"], GroupSpec(("venue",)))
    assert found.column("rows").to_pylist() == [1]
    assert run([*command[:-2], "--strict"]) == 1
    assert "fill without order" not in capsys.readouterr().err


def test_the_site_ledger_is_costed_as_the_plain_ledger_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = CostLedger.open(tmp_path / "var" / "tco")
    for row in (order(status="open", end_price=None), order(order_id="o2"), order()):
        ledger.record_order(row)
    ledger.record_fill(fill())
    ledger.record_fill(fill(fill_id="f2", order_id="o2", quantity=Decimal("1.5")))
    rows = ledger.rows()
    ledger.close()
    out = tmp_path / "costs"
    assert run(["tco", "cost", "--site", str(tmp_path), "--output", str(out)]) == 0
    assert "impact_permanent" in capsys.readouterr().out
    assert parts_of(pq.read_table(out / "orders.parquet")) == {
        s.order.order_id: plain_parts(s) for s in analyze(rows).orders
    }
    assert (
        plain_parts(shortfall(order(), [fill()]))
        in parts_of(pq.read_table(out / "orders.parquet")).values()
    )


def test_several_processes_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [order(order_id=f"o{i}", symbol=name) for i, name in enumerate("ABC")]
    given = files(tmp_path, rows, [fill(fill_id=r.order_id, order_id=r.order_id) for r in rows])
    written = []
    for count in ("1", "2"):
        out = tmp_path / count
        assert run(["tco", "cost", *given, "--workers", count, "--output", str(out)]) == 0
        written.append([path.read_bytes() for path in sorted(out.iterdir())])
    assert written[0] == written[1]


def test_tables_become_a_ledger_that_analyze_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quotes = tmp_path / "quotes.csv"
    quotes.write_text("symbol,time_ns,bid,ask\nBTC/USDT,2,101,102\n")
    done = fill(bid=None, ask=None, fee_asset="BTC", fee_amount=Decimal("0.001"))
    given = files(tmp_path, [order(), order(order_id="o2", end_price=None)], [done])
    folder = tmp_path / "ledger"
    command = ["tco", "cost", *given, "--quotes", str(quotes), "--ledger-output", str(folder)]
    assert run([*command, "--output", str(tmp_path / "out")]) == 0
    assert parts_of(pq.read_table(tmp_path / "out" / "orders.parquet")) == {
        s.order.order_id: plain_parts(s) for s in analyze(read_ledger(folder)).orders
    }
    capsys.readouterr()
    assert run(command) == 7
    assert "there is a cost ledger already" in capsys.readouterr().err


def test_tables_of_others_become_the_sealed_report_in_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    from distributed import LocalCluster

    out = tmp_path / "report"
    hour = 3600 * 10**9
    rows = [
        order(order_id=f"o{i}", symbol=name, market="linear", quantity=Decimal(1),
              decision_time_ns=NOON_NS, arrival_time_ns=NOON_NS + 1, end_time_ns=NOON_NS + 5)
        for i, name in enumerate(("BTC/USDT", "ETH/USDT", "BTC/USDT"))
    ]  # fmt: skip
    given = files(tmp_path, rows, [
        fill(fill_id=f"f{i}", order_id=row.order_id, time_ns=NOON_NS + 2 + i, quantity=Decimal(1))
        for i, row in enumerate(rows)
    ])  # fmt: skip
    quotes, funding = tmp_path / "quotes", tmp_path / "funding.csv"
    quotes.mkdir()
    for name in ("BTC", "ETH"):
        table = pa.table({"symbol": [f"{name}/USDT"] * 2, "time_ns": [NOON_NS, NOON_NS + hour],
                          "bid": ["101", "103"], "ask": ["102", "104"]})  # fmt: skip
        pq.write_table(table, quotes / f"{name}.parquet")
    funding.write_text(f"symbol,time_ns,rate,mark\nBTC/USDT,{NOON_NS + 4 * hour},0.01,100\n")
    command = ["tco", "cost", *given, "--quotes", str(quotes), "--funding", str(funding),
               "--site", str(site), "--markout", "3600", "--report", str(out)]  # fmt: skip
    assert run([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["totals"]["USDT"]["funding"][0] == "2.00000000"
    check = ["report", "validate", str(out / "tco.csv"), "--site", str(site), "--json"]
    inputs = [path for path in (*given[1::2], str(quotes), str(funding)) if path[0] != "-"]
    assert run([*check, *(f"--input={path}" for path in inputs)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["rows"], found["changed_inputs"]) == ("tco", 3, [])
    assert found["controls"]["USDT"]["total_quote"] == said["totals"]["USDT"]["total"][0]
    assert found["controls"]["USDT"]["funding_quote"] == "2.00000000"
    assert sorted(found["inputs"]) == [
        "fills.parquet", "funding.csv", "orders.parquet", "quotes/BTC.parquet",
        "quotes/ETH.parquet",
    ]  # fmt: skip
    first = [(out / f"tco.{kind}").read_bytes() for kind in ("csv", "pdf")]
    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        assert run([*command, "--dask", cluster.scheduler_address]) == 0
    assert [(out / f"tco.{kind}").read_bytes() for kind in ("csv", "pdf")] == first
    funding.write_text(f"symbol,time_ns,rate,mark\nBTC/USDT,{NOON_NS + 4 * hour},0.02,100\n")
    assert run([*check, "--input", str(funding)]) == 1


def test_an_account_sets_the_fee_that_a_fill_does_not_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = 1_660_000_000 * 10**9
    given = files(
        tmp_path,
        [order(venue="binance", decision_time_ns=at, arrival_time_ns=at, end_time_ns=at + 9)],
        [fill(time_ns=at + 1, price=Decimal(100), quantity=Decimal(1))],
    )
    table = pq.read_table(given[3])
    for name in ("fee_amount", "fee_asset"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(1, pa.string()))
    pq.write_table(table, given[3])
    fees = {}
    for flags in ((), ("--fee-tier", "binance=VIP 4", "--fees-paid-in", "binance=BNB")):
        assert run(["tco", "cost", *given, *flags, "--json"]) == 0
        fees[flags] = json.loads(capsys.readouterr().out)["totals"]["USDT"]["fees"][0]
    # taker: 0.1 %, and 0.04 % with 25 % off
    assert list(fees.values()) == ["0.10000000", "0.03000000"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--workers", "0"], "0 workers"),
        (["--dask", "nonsense://x"], "no Dask scheduler answers"),
        (["--report", "r", "--worst", "-1"], "--worst"),
        (["--report", "r", "--stress", "nowhere.json"], "there is no such file"),
        (["--benchmark", "open"], "name some of arrival"),
        (["--markout", "soon"], "'soon' is no number"),
        (["--column", "prices.bid=b"], "names no column of a table"),
        (["--clock-ahead", "paper"], "is no NAME=VALUE"),
        (["--quotes", "nowhere.csv"], "there is no such file"),
        (["--column", "fills.price=p"], "fills lacks price"),
        (["--by", "moon"], "no column moon"),
        (["--fee-tier", "binance"], "is no NAME=VALUE"),
        (["--volume-30d", "binance=much"], "'much' is no amount"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], site: Path, more: list[str], words: str
) -> None:
    given = [*files(tmp_path, [order()], [fill()]), "--site", str(site)]
    assert run(["tco", "cost", *given, *more]) == 3
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert run(["tco", "cost", "--orders", "x.parquet"]) == 3
