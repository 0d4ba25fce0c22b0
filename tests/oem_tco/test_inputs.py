"""Tables are read exactly from any storage; what is wrong is named by table, row and column."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import SCHEMAS, FindingCode, Findings, InputError, TableName, read_table
from oem_tco.inputs.decode import Decoder
from oem_tco.inputs.fixed import decode_fixed
from oem_tco.inputs.ids import all_different, positions
from oem_tco.inputs.schema import Presence

NUMBERS = st.one_of(
    st.decimals("-1e12", "1e12", places=2),
    st.decimals("-1", "1", places=18),
    st.decimals("-1e20", "1e20", places=8),
)


@settings(max_examples=20)
@given(st.lists(NUMBERS | st.none(), max_size=12), st.sampled_from([1, 60]))
def test_decimals_stay_what_they_are_in_any_storage(
    values: list[Decimal | None], repeat: int
) -> None:
    many = values * repeat  # short columns are read cell by cell, long ones at once
    text = [None if v is None else format(v, "f") for v in many]
    for column in (
        pa.array(text, pa.string()),
        pa.array(text, pa.string()).dictionary_encode(),
        pa.array(many, pa.decimal256(60, 18)),
        pa.array([f" {t} " if t else t for t in text], pa.large_string()),
    ):
        found, bad = decode_fixed(column)
        assert [found.decimal(row) for row in range(len(many))] == many
        assert not bad.any()


FLOATS = st.floats(-1e18, 1e18).filter(lambda v: v == 0 or abs(v) > 1e-3) | st.just(float("nan"))


@settings(max_examples=30)
@given(st.lists(FLOATS, max_size=20))
def test_a_float_is_the_decimal_that_it_is_printed_as(values: list[float]) -> None:
    found, bad = decode_fixed(pa.array(values, pa.float64()))
    for row, value in enumerate(values):
        expected = None if value != value else Decimal(repr(value))
        if expected is not None and -expected.as_tuple().exponent > 18:  # type: ignore[operator]
            assert bad[row]
        else:
            assert found.decimal(row) == expected


def test_cells_that_are_no_numbers_are_bad_not_0() -> None:
    cells = ["1", "", None, "x", "1_0", "nan", "inf", "1e99", "0x1", "1.5.5", "1e-19", "-2"]
    for many in (cells, cells * 60):
        found, bad = decode_fixed(pa.array(many, pa.string()))
        assert bad[:12].tolist() == [c in cells[3:11] for c in cells]
        assert [found.decimal(row) for row in range(12)] == [1, *[None] * 10, -2]
    assert decode_fixed(pa.array([1.5, float("inf")]))[1].tolist() == [False, True]


@settings(max_examples=30)
@given(st.lists(st.text("abcdefgh", max_size=20), max_size=30, unique=True), st.randoms())
def test_ids_are_found_whatever_their_length(ids: list[str], random: Random) -> None:
    asked = [random.choice([*ids, "zz", "abcdefghabcdefghi"]) for _ in range(20)]
    place = positions(pa.array(asked, pa.string()), pa.array(ids, pa.string()))
    assert place.tolist() == [ids.index(a) if a in ids else -1 for a in asked]
    assert all_different(pa.array(ids, pa.string()))
    assert all_different(pa.array(asked, pa.string())) == (len(set(asked)) == len(asked))
    shorter = pa.array(["q", *asked], pa.string()).slice(1)
    assert positions(shorter, pa.array(ids, pa.string())).tolist() == place.tolist()


QUOTES = {"symbol": ["X", "X"], "time_ns": [1, 2], "bid": ["1.10", "2"], "ask": ["1.20", "3"]}


def test_parquet_csv_arrow_and_pandas_give_the_same(tmp_path: Path) -> None:
    table = pa.table(QUOTES)
    pq.write_table(table, tmp_path / "one.parquet")
    (tmp_path / "many").mkdir()
    for row in (0, 1):
        pq.write_table(table.slice(row, 1), tmp_path / "many" / f"{row}.parquet")
    table.to_pandas().to_csv(tmp_path / "quotes.csv", index=False)
    text = (tmp_path / "quotes.csv").read_text().replace("time_ns", "ts")
    (tmp_path / "renamed.csv").write_text("\ufeff" + text, encoding="utf-8")
    bids = []
    for source, names in (
        (table, {}),
        (table.to_pandas(), {}),
        (tmp_path / "one.parquet", {}),
        (tmp_path / "many", {}),
        (tmp_path / "quotes.csv", {}),
        (tmp_path / "renamed.csv", {"time_ns": "ts"}),
    ):
        read = read_table("quotes", source, columns=names)
        decoder = Decoder(read, Findings(), None)
        bid = decoder.fixed("bid")
        bids.append([bid.decimal(0), bid.decimal(1), *decoder.times("time_ns")[0].tolist()])
    assert bids == [[Decimal("1.1"), Decimal(2), 1, 2]] * 6


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bid": None}, "quotes lacks bid; it has symbol, time_ns, ask"),
        ({"bid": [True, False]}, "quotes.bid is of type bool"),
        ({"symbol": [1.5, 2.5]}, "quotes.symbol is of type double, wanted is name"),
        ({"time_ns": pa.array([1, 2], pa.timestamp("ms"))}, "with a time zone"),
        ({"time_ns": [1_700_000_000_000, 2]}, "looks like milliseconds"),
        ({"time_ns": pa.array([2**62, 1], pa.timestamp("us", "UTC"))}, "1678 to 2262"),
    ],
)
def test_a_table_that_is_something_else_is_refused(changed: dict[str, object], words: str) -> None:
    columns = {k: v for k, v in {**QUOTES, **changed}.items() if v is not None}
    with pytest.raises(InputError, match=words):
        Decoder(read_table("quotes", pa.table(columns)), Findings(), None).times("time_ns")


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    import pandas as pd

    (tmp_path / "x.parquet").write_text("no parquet")
    (tmp_path / "ragged.csv").write_text("symbol,time_ns,bid,ask\nX,1\n")
    for name in ("x.parquet", "ragged.csv", "nowhere.parquet"):
        with pytest.raises(InputError, match=name):
            read_table("quotes", tmp_path / name)
    with pytest.raises(InputError, match="no column 'price'"):
        read_table("quotes", pa.table(QUOTES), columns={"price": "p"})
    with pytest.raises(InputError, match="pandas frame"):
        read_table("quotes", pd.DataFrame({"bid": [1, "x"]}))


@pytest.mark.parametrize(
    ("cells", "bad"),
    [
        (["2024-01-01T00:00:00Z", "1704067200000000000"], []),
        (["2024-01-01 01:00:00.000+01:00", "1704067200000000000"], []),
        (["2024-01-01T00:00:00", "1704067200000000000"], [0]),
        (["2024-02-30T00:00:00Z", "noon"], [0, 1]),
    ],
)
def test_instants_in_text_need_a_zone(cells: list[str], bad: list[int]) -> None:
    findings = Findings()
    decoder = Decoder(read_table("quotes", pa.table({**QUOTES, "time_ns": cells})), findings, None)
    times, present = decoder.times("time_ns")
    assert np.flatnonzero(~present).tolist() == bad
    assert set(times[present].tolist()) <= {1_704_067_200_000_000_000}
    assert [f.rows.tolist() for f in findings if f.code is FindingCode.BAD_VALUE] == [bad][
        : len(bad)
    ]


def test_every_table_is_described_in_the_reference(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "tco-tables.md").read_text("utf-8")
    for name in TableName:
        for column in SCHEMAS[name].columns:
            unit = column.unit or "text"
            word = "" if column.presence is Presence.REQUIRED else column.presence.value
            assert f"| `{column.name}` | {column.kind.value} | {unit} | {word} |" in page, (
                column.name
            )
    for code in FindingCode:
        assert f"`{code.value}`" in page
