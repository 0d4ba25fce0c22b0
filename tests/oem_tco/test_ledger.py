"""Parts sum to the total exactly, whatever happens to an order; the ledger survives a torn line."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    Component,
    CostLedger,
    DelayConvention,
    FillRow,
    InputError,
    LedgerError,
    LedgerRows,
    Liquidity,
    OrderRow,
    Side,
    analyze,
    read_ledger,
    shortfall,
)
from oem_tco.money import MINOR_PER_UNIT
from tco_support import fill, order

PRICES = st.decimals("0.00000001", "99999", places=8)


@st.composite
def histories(draw: st.DrawFn) -> tuple[OrderRow, list[FillRow]]:
    sizes = draw(st.lists(st.decimals("0.00000001", "50", places=8), max_size=6))
    rest = draw(st.decimals("0.00000001", "50", places=8))
    row = order(
        side=draw(st.sampled_from(Side)),
        quantity=sum(sizes, rest),
        decision_price=draw(PRICES),
        arrival_price=draw(PRICES),
        end_price=draw(st.none() | PRICES),
    )
    fills = [
        fill(
            fill_id=f"f{number}",
            quantity=size,
            price=draw(PRICES),
            bid=draw(st.none() | PRICES),
            ask=draw(st.none() | PRICES),
            liquidity=draw(st.sampled_from(Liquidity)),
            fee_amount=draw(st.decimals("-5", "5", places=8)),
            fee_asset=draw(st.sampled_from(["USDT", "BTC", "BNB"])),
            fee_rate_to_quote=draw(PRICES),
        )
        for number, size in enumerate(sizes)
    ]
    return row, fills


@settings(max_examples=40)
@given(histories())
def test_the_parts_sum_to_the_total_in_both_conventions(
    history: tuple[OrderRow, list[FillRow]],
) -> None:
    row, fills = history
    whole = shortfall(row, fills)
    part = shortfall(row, fills, convention=DelayConvention.FILLED_PART)
    assert sum(whole.parts.values()) == whole.total
    assert sum(part.parts.values()) == part.total == whole.total


@settings(max_examples=40)
@given(histories(), st.randoms())
def test_the_order_of_rows_does_not_matter(
    history: tuple[OrderRow, list[FillRow]], random: Random
) -> None:
    row, fills = history
    other = replace(row, order_id="o0")
    mixed = list(fills)
    random.shuffle(mixed)
    assert analyze(LedgerRows((row, other), tuple(fills))) == analyze(
        LedgerRows((other, row), tuple(mixed))
    )


def test_each_part_has_its_name() -> None:
    found = shortfall(order(), [fill()])
    units = {part.value: amount / MINOR_PER_UNIT for part, amount in found.parts.items()}
    assert units == {
        "delay": 10.0,  # 10 x (101 - 100)
        "spread": 2.0,  # 4 x (102 - 101.5)
        "impact_temporary": 4.0,  # 4 x (103 - 102)
        "impact_permanent": 2.0,  # 4 x (101.5 - 101)
        "fees": 0.4,
        "funding": 0.0,
        "opportunity": 24.0,  # 6 x (105 - 101)
    }


def test_a_fallback_is_named_and_a_missing_rate_is_refused() -> None:
    crossed = shortfall(order(), [fill(bid=Decimal(103), ask=Decimal(102))])
    assert "crossed quote" in crossed.notes[0]
    in_base = shortfall(order(), [fill(fee_asset="BTC", fee_amount=Decimal("0.001"))])
    assert in_base.parts[Component.FEES] == 103 * MINOR_PER_UNIT // 1000
    with pytest.raises(InputError, match="no rate to USDT"):
        shortfall(order(), [fill(fee_asset="BNB")])
    with pytest.raises(InputError, match="filled 11 of 10"):
        shortfall(order(), [fill(quantity=Decimal(11))])


@pytest.mark.parametrize(
    "changed",
    [
        {"bid": Decimal("NaN")},
        {"fee_rate_to_quote": Decimal(0)},
        {"fee_amount": Decimal("Infinity")},
        {"quantity": Decimal(-1)},
    ],
)
def test_a_fill_that_cannot_be_costed_is_refused(changed: dict[str, Decimal]) -> None:
    with pytest.raises(InputError, match="f1"):
        fill(**changed)


def test_what_is_recorded_is_read_back_and_findings_name_the_rows(tmp_path: Path) -> None:
    ledger = CostLedger.open(tmp_path / "tco")
    ledger.record_order(order(status="open", end_price=None))
    ledger.record_fill(fill())
    ledger.record_fill(fill())
    ledger.record_fill(fill(fill_id="f2", order_id="nobody"))
    ledger.record_order(order())
    rows = ledger.rows()
    ledger.close()
    assert rows.orders == (order(),)
    assert analyze(rows).findings == (
        "fill reported twice, counted once: f1",
        "fill without an order, left out: f2",
    )


def test_ids_and_states_are_read_without_the_rows(tmp_path: Path) -> None:
    ledger = CostLedger.open(tmp_path)
    ledger.record_order(order(status="open", end_price=None))
    ledger.record_order(order(order_id="other", status="canceled"))
    ledger.record_fill(fill())
    ledger.record_fill(fill())
    ledger.record_order(order())
    assert ledger.statuses() == {order().order_id: order().status, "other": "canceled"}
    assert ledger.fill_ids() == {fill().fill_id}
    assert ledger.orders({order().order_id, "nobody"}) == {order().order_id: order()}
    ledger.close()
    path = tmp_path / "fills.csv"
    path.write_text(path.read_text().replace("fill_id", "id"))
    again = CostLedger.open(tmp_path)
    with pytest.raises(InputError, match=r"fill_id is missing .*fills\.csv"):
        again.fill_ids()
    (tmp_path / "orders.csv").write_text("order_id,status\nlonely\n")
    with pytest.raises(InputError, match=r"too short .*orders\.csv:2"):
        again.statuses()
    again.close()


@pytest.mark.parametrize("torn", ["header", "row"])
def test_a_torn_last_line_is_dropped_and_named(tmp_path: Path, torn: str) -> None:
    CostLedger.open(tmp_path).close()
    path = tmp_path / "fills.csv"
    path.write_text("fill_id,ord" if torn == "header" else path.read_text() + "f1,o1,5")
    ledger = CostLedger.open(tmp_path)
    assert ledger.recovered == ("fills.csv",)
    ledger.record_fill(fill())
    assert ledger.rows().fills == (fill(),)
    ledger.close()


def test_a_broken_cell_names_file_row_and_column(tmp_path: Path) -> None:
    ledger = CostLedger.open(tmp_path)
    ledger.record_order(order())
    ledger.close()
    path = tmp_path / "orders.csv"
    path.write_text(path.read_text().replace(",buy,", ",bye,"))
    with pytest.raises(InputError, match=r"column side holds .bye. .*orders\.csv:2"):
        read_ledger(tmp_path)
    with pytest.raises(LedgerError, match="no cost ledger"):
        read_ledger(tmp_path / "empty")
