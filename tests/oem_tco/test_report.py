"""The report: reproducible bytes, sealed, and every sum checked again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from oem_security import Keyring, OemSecurityError, seal_file, verify_file
from oem_tco import (
    CostLedger,
    FillRow,
    Liquidity,
    OrderRow,
    OrderType,
    ReportError,
    Side,
    TcoResult,
    analyze,
    read_ledger,
    validate_report,
    write_report,
)

D = Decimal
NS = 1_735_776_000 * 10**9


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.create(tmp_path_factory.mktemp("site") / "keys")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TcoResult:
    folder = tmp_path_factory.mktemp("ledger")
    ledger = CostLedger.open(folder)
    for number, side in enumerate([Side.BUY, Side.SELL, Side.BUY], start=1):
        ledger.record_order(
            OrderRow(
                f"o{number}",
                f"d{number}",
                "trend",
                "balanced",
                "multi",
                "paper",
                "spot",
                "BTC/USDT",
                side,
                OrderType.MARKET,
                D(2),
                "USDT",
                NS,
                D(100),
                NS + 1,
                D("100.1"),
                NS + 9,
                D("100.3"),
                "filled",
            )
        )
        for part in (1, 2):
            ledger.record_fill(
                FillRow(
                    f"f{number}{part}",
                    f"o{number}",
                    NS + part,
                    D("100.2") + part,
                    D(1),
                    Liquidity.TAKER,
                    D("0.1"),
                    "USDT",
                    D("100.1"),
                    D("100.3"),
                )
            )
    ledger.close()
    return analyze(read_ledger(folder))


def test_a_report_validates_and_has_the_same_bytes_twice(
    result: TcoResult, keys: Keyring, tmp_path: Path
) -> None:
    first = write_report(result, tmp_path / "a", keys, generated_at_ns=NS)
    second = write_report(result, tmp_path / "b", keys, generated_at_ns=NS)
    assert first.csv.read_bytes() == second.csv.read_bytes()
    assert first.pdf.read_bytes() == second.pdf.read_bytes()
    assert first.pdf.read_bytes().startswith(b"%PDF")
    check = validate_report(first.csv, keys)
    assert check.orders == 3


def test_a_changed_byte_of_either_file_is_noticed(
    result: TcoResult, keys: Keyring, tmp_path: Path
) -> None:
    paths = write_report(result, tmp_path, keys, generated_at_ns=NS)
    for path in (paths.csv, paths.pdf, paths.csv_seal, paths.pdf_seal):
        good = path.read_bytes()
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        path.write_bytes(bytes(bad))
        with pytest.raises(OemSecurityError):
            validate_report(paths.csv, keys)
        path.write_bytes(good)
    validate_report(paths.csv, keys)


def test_the_pdf_of_another_report_is_noticed(
    result: TcoResult, keys: Keyring, tmp_path: Path
) -> None:
    one = write_report(result, tmp_path / "a", keys, generated_at_ns=NS)
    other = write_report(result, tmp_path / "b", keys, generated_at_ns=NS + 10**9 * 86_400)
    one.pdf.write_bytes(other.pdf.read_bytes())
    one.pdf_seal.write_bytes(other.pdf_seal.read_bytes())
    with pytest.raises(ReportError, match="two different reports"):
        validate_report(one.csv, keys)


def test_sums_are_checked_even_where_the_seal_holds(
    result: TcoResult, keys: Keyring, tmp_path: Path
) -> None:
    paths = write_report(result, tmp_path, keys, generated_at_ns=NS)
    claims = verify_file(paths.csv, keys).claims
    lines = paths.csv.read_text().splitlines(keepends=True)
    column = lines[0].strip().split(",").index("fees_quote")
    cells = lines[1].split(",")
    cells[column] = "9.00000000"
    paths.csv.write_text("".join([lines[0], ",".join(cells), *lines[2:]]))
    seal_file(paths.csv, keys, media_type="text/csv", claims=claims)
    with pytest.raises(ReportError, match="sum"):
        validate_report(paths.csv, keys)
