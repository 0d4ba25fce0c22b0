"""Funding: who pays whom, at each settlement once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import FundingRate, InputError, funding_cost, funding_of_holding, settlements

D = Decimal
amounts = st.decimals(-1000, 1000, places=3)


def test_published_funding_and_fee() -> None:
    # position value 129,384.12 x 0.0642 at a rate of 0.03 %
    cost = funding_cost(D("129384.12"), D("0.0642"), D("0.0003"))
    assert cost == D("2.4919381512")
    assert round(cost, 8) == D("2.49193815")
    assert D("0.5") * D("95900.1") * D("0.00055") == D("26.3725275")


def test_longs_pay_shorts_at_a_positive_rate() -> None:
    assert funding_cost(D(100), D(1), D("0.001")) > 0 > funding_cost(D(100), D(-1), D("0.001"))


def test_a_change_at_the_settlement_comes_after_it() -> None:
    rate = FundingRate(10, D("0.001"), D(100))
    assert funding_of_holding([rate], [(10, D(5))]) == 0
    assert funding_of_holding([rate], [(9, D(5)), (10, D(-5))]) == D("0.5")


@given(st.lists(st.tuples(st.integers(0, 100), amounts), max_size=12), amounts)
def test_two_holdings_pay_the_sum_and_order_does_not_matter(changes, more) -> None:
    rates = [FundingRate(t * 10**12, D("0.0001"), D(50)) for t in range(1, 100, 9)]
    moves = [(t * 10**12, q) for t, q in changes]
    both = funding_of_holding(rates, [*moves, (0, more)])
    apart = funding_of_holding(rates, moves) + funding_of_holding(rates, [(0, more)])
    assert both == apart
    assert funding_of_holding(reversed(rates), reversed(moves)) == funding_of_holding(rates, moves)


def test_a_jittering_timestamp_is_one_settlement_and_two_rates_are_an_error() -> None:
    first, again = FundingRate(10**12, D("0.001"), D(1)), FundingRate(10**12 + 47, D("0.001"), D(1))
    assert settlements([again, first]) == [first]
    with pytest.raises(InputError, match="differ in rate"):
        settlements([first, FundingRate(10**12 + 5, D("0.002"), D(1))])


def test_two_marks_of_one_settlement_are_an_error_whichever_comes_first() -> None:
    both = [FundingRate(10, D("0.001"), D(mark)) for mark in (100, 200)]
    for rates in (both, both[::-1]):
        with pytest.raises(InputError, match="differ in mark"):
            funding_of_holding(rates, [(5, D(2))])


def test_funding_of_many_digits_is_exact() -> None:
    mark, held, rate = D("12345678901234.12345678"), D("1.234567890123456789"), D("1e-16")
    assert funding_cost(mark, held, rate) == Fraction(mark) * Fraction(held) * Fraction(rate)


@pytest.mark.parametrize(
    ("rate", "mark"), [("NaN", "1"), ("0.1", "0"), ("0.1", "-5"), ("0", "NaN")]
)
def test_a_missing_number_is_never_taken_for_zero(rate: str, mark: str) -> None:
    with pytest.raises(InputError):
        FundingRate(1, D(rate), D(mark))
    with pytest.raises(InputError):
        funding_cost(D(mark), D(1), D(rate))


def test_real_settlements_are_each_there_once(shared_data: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(shared_data / "funding" / "binanceusdm_BTCUSDT-PERP.parquet")
    table = table.dropna(subset=["mark"])
    times = table["timestamp"].astype("datetime64[ns, UTC]").astype("int64")
    rates = [
        FundingRate(int(t), D(repr(r)), D(repr(m)))
        for t, r, m in zip(times, table["rate"], table["mark"], strict=True)
    ]
    assert len(settlements(rates)) == len(rates)
    held = funding_of_holding(rates, [(0, D(1))])
    assert held == sum(r.mark * r.rate for r in rates)
    assert held > 0  # longs have paid over the years
