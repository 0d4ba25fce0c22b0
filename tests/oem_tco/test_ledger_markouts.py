"""Markouts against the ledger's own mids: only what was seen, in the half that counts."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from oem_tco import (
    FillRow,
    InputError,
    LedgerRows,
    OrderRow,
    Side,
    analyze,
    ledger_markouts,
    markout_points,
)
from oem_tco.analysis.volatility import ledger_mids
from tco_history import history
from tco_support import fill, order

D = Decimal
S = 10**9


def at(number: int, time_ns: int, mid: str, side: Side = Side.BUY) -> tuple[OrderRow, FillRow]:
    """An order decided, arrived and filled at one mid; it ended unseen."""
    row = replace(
        order(order_id=f"o{number}", side=side), decision_time_ns=time_ns, decision_price=D(mid),
        arrival_time_ns=time_ns, arrival_price=D(mid), end_time_ns=None, end_price=None,
    )  # fmt: skip
    part = fill(
        fill_id=f"f{number}", order_id=row.order_id, time_ns=time_ns, price=D(mid), bid=None,
        ask=None, quantity=D(1),
    )  # fmt: skip
    return row, part


def curve(*pairs: tuple[OrderRow, FillRow], horizons: tuple[int, ...]) -> list[tuple[float, ...]]:
    orders, fills = zip(*pairs, strict=True)
    (found,) = ledger_markouts(orders, fills, horizons_ns=horizons).values()
    return [(m.horizon_ns / S, round(m.mean_bps, 9), m.fills) for m in found]


def test_a_buy_gains_when_the_mid_rises_and_a_sell_when_it_falls() -> None:
    later = at(1, 10 * S, "101")
    assert curve(at(0, 0, "100"), later, horizons=(10 * S,)) == [(10.0, 100.0, 1)]
    assert curve(at(0, 0, "100", Side.SELL), later, horizons=(10 * S,)) == [(10.0, -100.0, 1)]


def test_only_a_mid_of_the_second_half_of_the_horizon_counts() -> None:
    for seen, counts in ((5 * S, False), (5 * S + 1, True), (10 * S, True), (10 * S + 1, False)):
        found = curve(at(0, 0, "100"), at(1, seen, "101"), horizons=(10 * S,))
        assert bool(found) is counts, seen


def test_the_last_mid_of_them_is_taken() -> None:
    pairs = (at(0, 0, "100"), at(1, 7 * S, "101"), at(2, 9 * S, "102"))
    assert curve(*pairs, horizons=(10 * S,))[0][1] == 200.0


def test_means_are_weighted_by_notional_and_one_fill_has_no_interval() -> None:
    big = at(0, 0, "100")
    big = (big[0], replace(big[1], quantity=D(3)))
    other = at(1, 1 * S, "100", Side.SELL)
    last = at(2, 9 * S, "101")
    orders, fills = zip(big, other, last, strict=True)
    (found,) = ledger_markouts(orders, fills, horizons_ns=(10 * S,)).values()
    assert found[0].mean_bps == pytest.approx((3 * 100 - 100) / 4)
    (single,) = ledger_markouts([big[0], last[0]], [big[1]], horizons_ns=(10 * S,)).values()
    assert math.isinf(single[0].high_bps)
    assert markout_points(single) == ()
    assert markout_points(found)[0].fills == 2


def test_rows_in_any_order_give_the_same_curves() -> None:
    rows = history(60)
    plain = ledger_markouts(rows.orders, rows.fills)
    mixed = ledger_markouts(rows.orders[::-1], sorted(rows.fills, key=lambda f: f.price))
    assert plain == mixed
    assert list(plain) == ["BTC/USDT", "ETH/EUR"]
    assert analyze(LedgerRows(rows.orders, rows.fills)).findings


def test_mids_of_one_moment_that_differ_count_once() -> None:
    first, second = at(0, 5, "100"), at(1, 5, "102")
    (seen,) = ledger_mids([first[0], second[0]], []).values()
    assert seen == {5: D(100)}


def test_amounts_beyond_64_bits_are_no_trouble() -> None:
    huge = at(0, 0, "100")
    huge = (huge[0], replace(huge[1], quantity=D(10) ** 12))
    assert curve(huge, at(1, 9 * S, "101"), horizons=(10 * S,)) == [(10.0, 100.0, 1)]


def test_a_horizon_that_is_none_is_refused_and_other_fills_are_passed_over() -> None:
    with pytest.raises(InputError):
        ledger_markouts([], [], horizons_ns=(0,))
    assert ledger_markouts([], [fill()]) == {}
    (empty,) = ledger_markouts([order()], []).values()
    assert empty == ()
