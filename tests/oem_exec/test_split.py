"""Splitting an order: nothing lost, nothing below a minimum, and never dearer than whole."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_exec import (
    BookSnapshot,
    Instrument,
    InvalidOrder,
    Side,
    VenueBook,
    split_order,
    taker_cost,
)

D = Decimal


def venue(
    name: str,
    asks: list[tuple[str, str]],
    lot: str = "0.001",
    least: str = "0",
    notional: str = "0",
) -> VenueBook:
    rules = Instrument(
        "BTC/USDT",
        "BTC",
        "USDT",
        D("0.01"),
        D(lot),
        min_quantity=D(least),
        min_notional=D(notional),
    )
    levels = tuple((D(price), D(size)) for price, size in asks)
    bids = tuple((D(200) - price, size) for price, size in levels)
    return VenueBook(name, rules, BookSnapshot("BTC/USDT", bids, levels, 0))


def plain(_: str, price: Decimal) -> Decimal:
    return price


def test_each_unit_goes_where_it_costs_least() -> None:
    venues = [venue("a", [("100", "1"), ("103", "5")]), venue("b", [("101", "1"), ("102", "1")])]
    found = split_order(Side.BUY, D("3.5"), venues, plain)
    assert [(s.venue, s.quantity, s.cost) for s in found] == [
        ("b", D("2.000"), D("203.000")),
        ("a", D("1.500"), D("151.500")),
    ]


def test_fees_decide_where_prices_do_not() -> None:
    venues = [venue("a", [("100", "1")]), venue("b", [("100.05", "1")])]
    fee = {"a": D("0.001"), "b": D("0.0001")}
    (only,) = split_order(Side.BUY, D("0.5"), venues, lambda v, p: p * (1 + fee[v]))
    assert only.venue == "b"
    (sold,) = split_order(Side.SELL, D("0.5"), venues, lambda v, p: p * (1 - fee[v]))
    assert sold.venue == "b"


def test_a_venue_that_would_get_too_little_gets_nothing() -> None:
    venues = [
        venue("a", [("100", "0.4")], least="0.5"),
        venue("b", [("101", "5")]),
        venue("c", [("100.5", "0.05")], notional="10"),
    ]
    (only,) = split_order(Side.BUY, D(2), venues, plain)
    assert (only.venue, only.quantity) == ("b", D("2.000"))


def test_a_smallest_order_is_topped_up_when_that_costs_less_than_going_without() -> None:
    venues = [
        venue("a", [("100", "0.4"), ("101", "1")], least="0.5"),
        venue("b", [("110", "5")]),
    ]
    found = split_order(Side.BUY, D("1"), venues, plain)
    assert [(s.venue, s.quantity) for s in found] == [("a", D("1.000"))]
    thin = [venue("a", [("100", "0.4"), ("130", "0.1")], least="0.5"), venue("b", [("101", "5")])]
    found = split_order(Side.BUY, D("1"), thin, plain)
    assert [(s.venue, s.quantity) for s in found] == [("b", D("1.000"))]


def test_a_price_limit_and_a_largest_order_hold() -> None:
    a, b = venue("a", [("100", "1"), ("105", "9")]), venue("b", [("101", "1")])
    capped = VenueBook("a", replace(a.instrument, max_quantity=D("0.3")), a.book)
    found = split_order(Side.BUY, D("1.2"), [capped, b], plain, D("101"))
    assert {s.venue: s.quantity for s in found} == {"a": D("0.3"), "b": D("0.9")} or (
        sum(s.quantity for s in found) == D("1.2")
    )
    with pytest.raises(InvalidOrder, match="do not hold"):
        split_order(Side.BUY, D("2.1"), [a, b], plain, D("101"))
    with pytest.raises(InvalidOrder, match="costs"):
        split_order(Side.BUY, D("1"), [a], lambda _, __: D("NaN"))


def test_a_rest_smaller_than_a_lot_is_made_up_by_giving_lots_back() -> None:
    coarse, fine = venue("a", [("101", "5")], lot="1"), venue("b", [("100", "1")], lot="0.5")
    found = split_order(Side.BUY, D("1.5"), [coarse, fine], plain)
    assert {s.venue: s.quantity for s in found} == {"a": D(1), "b": D("0.5")}


def test_many_venues_are_split_without_trying_every_set() -> None:
    many = [venue(f"v{n}", [(str(100 + n), "1")], least="0.8") for n in range(14)]
    found = split_order(Side.BUY, D("3.5"), many, plain)
    assert sum(s.quantity for s in found) == D("3.5")
    assert all(s.quantity >= D("0.8") for s in found)


def test_the_taker_fee_alone_makes_a_cost_function() -> None:
    a = venue("a", [("100", "1")])
    rules = replace(a.instrument, taker_fee=D("0.002"))
    assert taker_cost(Side.BUY, [("a", rules)])("a", D(100)) == D("100.2")
    assert taker_cost(Side.SELL, [("a", rules)])("a", D(100)) == D("99.8")


def test_a_lot_is_filled_from_several_steps() -> None:
    venues = [venue("a", [("100", "0.6"), ("101", "0.6")], lot="1")]
    (only,) = split_order(Side.BUY, D(1), venues, plain)
    assert (only.quantity, only.cost) == (D(1), D("100.4"))


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "100", "0.0005"])
def test_what_cannot_be_split_is_refused(quantity: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        split_order(Side.BUY, D(quantity), [venue("a", [("100", "1")])], plain)
    assert refused.value.remedy


books = st.lists(
    st.tuples(st.integers(9_500, 10_500), st.integers(1, 5_000)), min_size=1, max_size=6
)


@given(
    st.lists(st.tuples(books, st.sampled_from(["0.001", "0.01"]), st.integers(0, 40)),
             min_size=1, max_size=4),
    st.integers(1, 6_000),
    st.sampled_from(list(Side)),
)  # fmt: skip
def test_prop_it_conserves_keeps_the_rules_and_is_never_dearer_than_one_venue(
    made: list[tuple[list[tuple[int, int]], str, int]], units: int, side: Side
) -> None:
    venues = []
    for n, (levels, lot, least) in enumerate(made):
        sorted_levels = sorted(dict(levels).items())
        asks = [(str(D(p) / 100), str(D(s) / 1000)) for p, s in sorted_levels]
        venues.append(venue(f"v{n}", asks, lot, str(D(least) / 100)))
    quantity = D(units) / 1000
    alone = []
    for one in venues:
        with contextlib.suppress(InvalidOrder):
            alone.append(split_order(side, quantity, [one], plain)[0].cost * side.sign)
    try:
        found = split_order(side, quantity, venues, plain)
    except InvalidOrder:
        assert not alone, "what one venue can take, several can"
        return
    assert sum(s.quantity for s in found) == quantity
    by_name = {v.venue: v for v in venues}
    for part in found:
        rules = by_name[part.venue].instrument
        assert part.quantity % rules.lot_size == 0
        assert part.quantity >= rules.min_quantity
    assert all(side.sign * sum(s.cost for s in found) <= whole for whole in alone)


small = st.lists(st.tuples(st.integers(90, 110), st.integers(1, 5)), min_size=1, max_size=3)


@given(
    st.lists(st.tuples(small, st.sampled_from([1, 2]), st.integers(0, 4)), min_size=1, max_size=3),
    st.integers(1, 12),
    st.sampled_from(list(Side)),
)
def test_prop_it_finds_the_cheapest_of_all_ways(
    made: list[tuple[list[tuple[int, int]], int, int]], units: int, side: Side
) -> None:
    venues = [
        venue(
            f"v{n}", [(str(p), str(s)) for p, s in sorted(dict(levels).items())], str(lot), str(x)
        )
        for n, (levels, lot, x) in enumerate(made)
    ]
    ways = [ways_of(v, side, units) for v in venues]
    costs = [
        sum(cost for _, cost in way)
        for way in itertools.product(*ways)
        if sum(taken for taken, _ in way) == units
    ]
    try:
        found = split_order(side, D(units), venues, plain)
    except InvalidOrder:
        assert not costs
        return
    total = side.sign * sum(s.cost for s in found)
    if len({lot for _, lot, _ in made}) == 1:
        assert total == min(costs)
    else:
        # lots of two sizes make it a knapsack: one coarse lot at most is placed otherwise
        assert min(costs) <= total <= min(costs) + 2 * 20


def ways_of(one: VenueBook, side: Side, units: int) -> list[tuple[int, D]]:
    """Return every quantity a venue may get with its cost, 0 included."""
    rules, levels = one.instrument, one.book.asks if side is Side.BUY else one.book.bids
    flat = [price for price, size in levels for _ in range(int(size))]
    whole = [
        taken
        for taken in range(1, min(units, len(flat)) + 1)
        if taken % rules.lot_size == 0 and taken >= rules.min_quantity
    ]
    return [(0, D(0)), *((taken, side.sign * sum(flat[:taken], D(0))) for taken in whole)]
