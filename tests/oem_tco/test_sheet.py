"""The reports' CSV: exact, RFC 4180, no formula in any cell, and every total checked when read."""

from __future__ import annotations

import csv
import io
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import ReportError
from oem_tco.report.sheet import (
    Column,
    Kind,
    Sheet,
    names_csv,
    read_csv,
    safe,
    sheet_csv,
    unsafe,
    visible,
)

COLUMNS = (
    Column("id"),
    Column("name"),
    Column("currency"),
    Column("when_utc", Kind.TIME),
    Column("count", Kind.INTEGER, summed=True),
    Column("quantity", Kind.QUANTITY),
    Column("cost_quote", Kind.AMOUNT, summed=True),
)
FORMULA_STARTS = "=+-@＝＋－＠\t\r\n|%"

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
rows = st.tuples(
    texts,
    texts | st.none(),
    st.sampled_from(["USDT", "EUR", "=X"]),
    st.integers(0, 4 * 10**18) | st.none(),
    st.integers(0, 10**9),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9),
    st.integers(-(10**20), 10**20),
)


@given(st.lists(rows, max_size=8))
def test_prop_a_sheet_is_read_back_as_it_was_written(cells: list[tuple[object, ...]]) -> None:
    sheet = Sheet(COLUMNS, tuple(cells), "currency")  # type: ignore[arg-type]
    data = sheet_csv(sheet)
    again = read_csv(data, COLUMNS, "currency", "here")
    assert sheet_csv(again) == data
    for before, after in zip(sheet.rows, again.rows, strict=True):
        shown = (visible(str(before[0])), None if before[1] is None else visible(str(before[1])))
        assert after[:2] == shown
        assert after[2:] == before[2:]
    assert again.controls() == sheet.controls()


@given(texts)
def test_prop_no_text_can_be_taken_for_a_formula(text: str) -> None:
    made = safe(text)
    assert not made.lstrip(" \u00a0\ufeff").startswith(tuple(FORMULA_STARTS))
    assert unsafe(made) == visible(text)


@pytest.mark.parametrize(
    "attack", ["=cmd|' /C calc'!A0", "  =1+1", "＝1", "@SUM(1)", "\t=1", "\r=1", "-2+3", "'=1"]
)
def test_a_formula_is_written_as_text(attack: str) -> None:
    sheet = Sheet(COLUMNS, ((attack, attack, "USDT", 0, 1, Decimal(1), 1),), "currency")
    cells = list(csv.reader(io.StringIO(sheet_csv(sheet).decode(), newline="")))[1]
    assert cells[0].startswith("'")
    assert cells[1].startswith("'")


def test_lines_end_as_rfc_4180_has_them_and_quotes_are_doubled() -> None:
    sheet = Sheet(
        COLUMNS, (('a"b,c', "two\nlines", "USDT", 0, 1, Decimal("0.10"), -5),), "currency"
    )
    data = sheet_csv(sheet).decode()
    assert data.splitlines(keepends=True)[0] == ",".join(c.name for c in COLUMNS) + "\r\n"
    assert (
        '"a""b,c","two\nlines",USDT,1970-01-01T00:00:00.000000000Z,1,0.10,-0.00000005\r\n' in data
    )
    assert data.endswith("TOTAL,,USDT,,1,,-0.00000005\r\n")


def test_numbers_have_no_exponent_and_no_rounding() -> None:
    sheet = Sheet(COLUMNS, (("a", "b", "X", None, 1, Decimal("1E-12"), 10**30 + 1),), "currency")
    data = sheet_csv(sheet).decode()
    assert "0.000000000001" in data
    assert "10000000000000000000000.00000001" in data


def test_a_row_named_total_is_not_taken_for_one() -> None:
    sheet = Sheet(COLUMNS, (("TOTAL", None, "X", None, 1, Decimal(1), 1),), "currency")
    again = read_csv(sheet_csv(sheet), COLUMNS, "currency", "here")
    assert again.rows[0][0] == "TOTAL"


def good() -> str:
    cells = (("a", "b", "X", 0, 1, Decimal(1), 150), ("c", "d", "Y", 0, 2, Decimal(1), 7))
    return sheet_csv(Sheet(COLUMNS, cells, "currency")).decode()


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("0.00000150", "0.00000151", "column cost_quote does not sum"),
        (",1,1,0.00000150", ",3,1,0.00000150", "column count does not sum"),
        ("0.00000150", "0.000001500", "column cost_quote holds"),
        ("1970-01-01T00:00:00.000000000Z", "yesterday", "column when_utc holds"),
        ("count,", "number,", "columns are not those"),
        ("a,b,", "a,b,extra,", "8 cells, not 7"),
        ("TOTAL,,Y,,2,,0.00000007\r\n", "", "a total is missing"),
        ("TOTAL,,Y,,2,,0.00000007\r\n", "TOTAL,,Y,,2,,0.00000007\r\ne,f,Y,,0,1,0.00000000\r\n",
         "a row after the totals"),
        ("TOTAL,,Y", "TOTAL,,Z", "a total is missing"),
        ("a,b,", 'a,"b"x,', "not a CSV report"),
        (",1,1,0.00000150", ",01,1,0.00000150", "column count holds"),
        (",1,1,0.00000150", ", 1,1,0.00000150", "column count holds"),
        (",1,1,0.00000150", ",1,1e0,0.00000150", "column quantity holds"),
        ("a,b,", "=a,b,", "column id holds '=a'"),
    ],
)  # fmt: skip
def test_a_changed_line_is_found(before: str, after: str, match: str) -> None:
    data = good()
    assert before in data
    with pytest.raises(ReportError, match=match):
        read_csv(data.replace(before, after, 1).encode(), COLUMNS, "currency", "here")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ReportError, match="not a CSV report"):
        read_csv(b"\xff\xfe", COLUMNS, "currency", "here")
    with pytest.raises(ReportError, match="columns"):
        read_csv(b"", COLUMNS, "currency", "here")


def test_a_table_without_currencies_has_one_total_even_when_it_is_empty() -> None:
    columns = (Column("id"), Column("count", Kind.INTEGER, summed=True))
    data = sheet_csv(Sheet(columns, ()))
    assert data == b"id,count\r\nTOTAL,0\r\n"
    assert read_csv(data, columns, "", "here").rows == ()


def test_a_figure_that_is_none_is_an_empty_cell() -> None:
    columns = (Column("id"), Column("bps", Kind.NUMBER))
    data = sheet_csv(Sheet(columns, (("a", math.nan), ("b", math.inf), ("c", -0.0000001))))
    assert data == b"id,bps\r\na,\r\nb,\r\nc,-0.000000\r\nTOTAL,\r\n"
    assert read_csv(data, columns, "", "here").rows[0] == ("a", None)


def test_a_pdf_names_its_csv_by_the_whole_digest() -> None:
    assert names_csv(b"... csv-sha384=" + b"ab" * 48, "ab" * 48)
    assert not names_csv(b"... csv-sha384=" + b"ab" * 48, "ac" * 48)
